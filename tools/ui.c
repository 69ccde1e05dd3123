// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/ui.c - Terminal, files and words. Secrets are read byte by byte straight into a struct
 * secret: stdio would leave a copy in its buffer.
 */
#include "tools/ui.h"
#include "base/error.h"
#include "base/io.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>

int ui_exit_code(int r)
{
	switch (-r) {
	case 0:
		return UI_OK;
	case ENODATA:
		return UI_NOT_PROVED;
	case ENODEV:
	case ENOMEDIUM:
	case ECONNREFUSED:
	case ESHUTDOWN:
		return UI_UNREACHABLE;
	case EPERM:
	case ENOKEY:
	case EKEYREJECTED:
	case EKEYREVOKED:
		return UI_PIN;
	default:
		return UI_FAILED;
	}
}

static void ui_fail_json(FILE *to, const struct kf_error *e)
{
	json_t *object = json_pack("{s:{s:i,s:s,s:s,s:s,s:s}}", "error", "errno", -e->code,
				   "what", e->what, "why", e->why, "rule", e->rule,
				   "next", e->next);

	if (object)
		(void)json_dumpf(object, to, JSON_INDENT(2));
	(void)fputc('\n', to);
	json_decref(object);
}

int ui_fail(const struct ui *ui, const struct kf_error *e)
{
	if (ui->json) {
		ui_fail_json(ui->stdout_is_taken ? stderr : stdout, e);
	} else {
		fprintf(stderr, "%s: %s%s%s\n", ui->command, e->what, e->what[0] ? ": " : "",
			e->why[0] ? e->why : strerror(-e->code));
		if (e->rule[0])
			fprintf(stderr, "  rule: %s\n", e->rule);
		if (e->next[0])
			fprintf(stderr, "  next: %s\n", e->next);
	}
	return ui_exit_code(e->code);
}

int ui_usage(const struct ui *ui, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", ui->command);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "; %s --help tells how\n", ui->command);
	return UI_USAGE;
}

void ui_say(const struct ui *ui, const char *format, ...)
{
	va_list args;

	if (ui->json)
		return;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	(void)putchar('\n');
}

void ui_progress(const struct ui *ui, const char *format, ...)
{
	va_list args;

	if (ui->json || !isatty(STDERR_FILENO))
		return;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

static void *json_malloc(size_t n)
{
	static const char sorry[] = "keyferry: no memory for JSON, so nothing further is done\n"
				    "  rule: a document is read or written whole, or not at all\n"
				    "  next: free some memory and run it again\n";
	void *p = malloc(n);

	if (!p) {
		(void)!write(STDERR_FILENO, sorry, sizeof(sorry) - 1);
		_exit(UI_FAILED);
	}
	return p;
}

void ui_json_whole(void)
{
	json_set_alloc_funcs(json_malloc, free);
}

int ui_json(const struct ui *ui, json_t *object)
{
	int r = UI_OK;

	if (!object)
		return UI_FAILED;
	if (ui->json) {
		r = json_dumpf(object, stdout, JSON_INDENT(2)) < 0 ? UI_FAILED : UI_OK;
		(void)putchar('\n');
		if (fflush(stdout) != 0)
			r = UI_FAILED;
	}
	json_decref(object);
	return r;
}

/* --- secrets --- */

/* Return: bytes read up to a line end or the end, -errno. */
static int secret_read_line(int fd, struct secret *out)
{
	secret_clear(out);
	for (;;) {
		uint8_t c;
		ssize_t n = read(fd, &c, 1);

		if (n < 0)
			return errno == EINTR ? -ECANCELED : -errno;
		if (n == 0)
			return out->n == 0 ? -ECANCELED : 0;
		if (c == '\n')
			break;
		if (out->n == out->cap)
			return -EMSGSIZE;
		out->p[out->n++] = c;
	}
	if (out->n > 0 && out->p[out->n - 1] == '\r')
		out->p[--out->n] = 0;
	return 0;
}

static int secret_read_failed(int r, const char *from, struct kf_error *e)
{
	if (r == -EMSGSIZE)
		return error_why(e, r, "the longest PIN or passphrase", "give a shorter one",
				 "what came from %s is too long", from);
	if (r == -ECANCELED)
		return error_why(e, r, "", "try again and finish the line",
				 "nothing came from %s", from);
	return error_why(e, r, "", "check the descriptor", "reading from %s failed: %s", from,
			 strerror(-r));
}

int ui_secret_from_fd(int fd, struct secret *out, struct kf_error *e)
{
	int r = secret_read_line(fd, out);

	if (r < 0)
		return secret_read_failed(r, "the given descriptor", e);
	return 0;
}

/* The prompt's terminal, for the one signal handler that puts its echo back. */
static struct {
	int fd;
	struct termios was;
	volatile sig_atomic_t caught;
} prompt = { .fd = -1 };

static void prompt_interrupted(int signal_number)
{
	prompt.caught = signal_number;
}

static const int prompt_signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
enum { N_PROMPT_SIGNALS = sizeof(prompt_signals) / sizeof(prompt_signals[0]) };

static int prompt_run(const char *text, struct secret *out)
{
	struct sigaction act = { .sa_handler = prompt_interrupted }, was[N_PROMPT_SIGNALS];
	struct termios quiet;
	int r;

	if (tcgetattr(prompt.fd, &prompt.was) < 0)
		return -ENOTTY;
	quiet = prompt.was;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	prompt.caught = 0;
	for (size_t i = 0; i < N_PROMPT_SIGNALS; i++)
		(void)sigaction(prompt_signals[i], &act, &was[i]);	/* no SA_RESTART: read ends */
	if (tcsetattr(prompt.fd, TCSAFLUSH, &quiet) < 0)
		r = -errno;
	else if (dprintf(prompt.fd, "%s: ", text) < 0)
		r = -EIO;
	else
		r = secret_read_line(prompt.fd, out);
	(void)tcsetattr(prompt.fd, TCSAFLUSH, &prompt.was);
	(void)dprintf(prompt.fd, "\n");
	for (size_t i = 0; i < N_PROMPT_SIGNALS; i++)
		(void)sigaction(prompt_signals[i], &was[i], NULL);
	if (prompt.caught) {
		secret_clear(out);
		(void)raise(prompt.caught);
		return -ECANCELED;
	}
	return r;
}

int ui_secret_ask(const char *text, struct secret *out, struct kf_error *e)
{
	int r;

	prompt.fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (prompt.fd < 0)
		return error_why(e, -ENOKEY, "secrets are never arguments",
				 "hand it over on a descriptor (--pin-fd, --passphrase-fd)",
				 "there is no terminal to ask on");
	r = prompt_run(text, out);
	prompt.fd = fd_close(prompt.fd);
	if (r < 0)
		return secret_read_failed(r, "the terminal", e);
	return 0;
}

/* --- files --- */

static int file_open(const char *path, struct kf_error *e)
{
	int fd, r;

	if (strcmp(path, "-") == 0)
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd >= 0)
		return fd;
	r = -errno;
	(void)error_why(e, r, "the file system", "check the path and its permissions", "%s",
			strerror(-r));
	return error_what(e, r, "cannot open %s", path);
}

static int file_read_failed(const char *path, ssize_t got, size_t max, struct kf_error *e)
{
	if (got < 0)
		(void)error_why(e, (int)got, "the file system", "check the file", "%s",
				strerror((int)-got));
	else
		(void)error_why(e, -EFBIG, "docs/formats.md 8", "check that it is the right file",
				"it is longer than %zu bytes", max);
	return error_what(e, got < 0 ? (int)got : -EFBIG, "cannot read %s", path);
}

int ui_file_read(const char *path, size_t max, uint8_t **data, size_t *n, struct kf_error *e)
{
	_cleanup_(fd_closep) int fd = file_open(path, e);
	_cleanup_(freep) uint8_t *buf = NULL;
	ssize_t got;

	if (fd < 0)
		return fd;
	buf = malloc(max + 1);
	if (!buf)
		return error_what(e, -ENOMEM, "cannot read %s", path);
	got = io_read(fd, buf, max + 1);
	if (got < 0 || (size_t)got > max)
		return file_read_failed(path, got, max, e);
	buf[got] = 0;
	*n = (size_t)got;
	*data = take_ptr(buf);
	return 0;
}

int ui_secret_from_file(const char *path, size_t max, struct secret *out, struct kf_error *e)
{
	_cleanup_(fd_closep) int fd = file_open(path, e);
	_cleanup_(secret_deinit) struct secret s = SECRET_INIT;
	ssize_t got;
	int r;

	if (fd < 0)
		return fd;
	r = secret_init(&s, max + 1);
	if (r < 0)
		return error_what(e, r, "cannot lock memory for %s", path);
	got = io_read(fd, s.p, max + 1);
	if (got < 0 || (size_t)got > max)
		return file_read_failed(path, got, max, e);
	s.n = (size_t)got;
	*out = s;
	s = SECRET_INIT;
	return 0;
}

static int file_replace(const char *path, struct bytes data, mode_t mode)
{
	_cleanup_(freep) char *temporary = NULL;
	_cleanup_(fd_closep) int fd = -1;
	int r;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
		temporary = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = io_write(fd, data);
	if (r == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
		r = -errno;
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlink(temporary);
		return r;
	}
	r = io_sync_parent(path);
	return r == -EINVAL ? 0 : r;	/* a folder that knows no fsync() */
}

/* /dev/stdout, a FIFO, /dev/null: there is nothing to replace, only somewhere to write. */
static bool is_special(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

static int special_write(const char *path, struct bytes data)
{
	_cleanup_(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : io_write(fd, data);
}

int ui_file_write(const char *path, struct bytes data, mode_t mode, struct kf_error *e)
{
	int r;

	if (strcmp(path, "-") == 0)
		r = io_write(STDOUT_FILENO, data);
	else if (is_special(path))
		r = special_write(path, data);
	else
		r = file_replace(path, data, mode);
	if (r < 0)
		(void)error_why(e, r, "the file system", "check the folder and its free space",
				"%s", strerror(-r));
	return error_what(e, r, "cannot write %s", path);
}

/* --- numbers --- */

int ui_parse_number(const char *text, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		uint64_t digit = (uint64_t)(*text - '0');

		if (*text < '0' || *text > '9')
			return -EINVAL;
		if (v > max / 10 || v * 10 > max - digit)
			return -ERANGE;
		v = v * 10 + digit;
	}
	*out = v;
	return 0;
}

int ui_parse_duration(const char *text, int64_t *seconds)
{
	static const struct { char unit; int64_t seconds; } units[] = {
		{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
	};
	_cleanup_(freep) char *number = strdup(text);
	int64_t unit = 1;
	uint64_t v = 0;
	size_t n;
	int r;

	if (!number)
		return -ENOMEM;
	n = strlen(number);
	for (size_t i = 0; n > 0 && i < sizeof(units) / sizeof(units[0]); i++) {
		if (number[n - 1] != units[i].unit)
			continue;
		unit = units[i].seconds;
		number[--n] = '\0';
		break;
	}
	r = ui_parse_number(number, (uint64_t)INT32_MAX, &v);
	if (r < 0)
		return r;
	*seconds = (int64_t)v * unit;
	return 0;
}
