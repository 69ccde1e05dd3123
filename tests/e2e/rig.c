/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/rig.c - Children are started with a clean environment, no descriptors but the ones
 * named here, and a death signal, so that a test that crashes leaves nothing behind.
 */
#include "tests/e2e/rig.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ARGS_MAX = 64, PIN_FD = 9, PATIENCE_MS = 60000 };

static long now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void nap(void)
{
	struct timespec t = { 0, 5 * 1000000 };

	(void)nanosleep(&t, NULL);
}

bool rig_until(bool (*claim)(void *data), void *data, int patience_ms)
{
	long end = now_ms() + harness_patience_ms(patience_ms);

	for (;;) {
		if (claim(data))
			return true;
		if (now_ms() > end)
			return false;
		nap();
	}
}

bool rig_has_uids(const struct rig *rig)
{
	return rig->uid[RIG_CLIENT] != rig->uid[RIG_SERVICE];
}

const char *rig_path(const struct rig *rig, const char *name)
{
	static char buffers[8][256];
	static unsigned next;
	char *buffer = buffers[next++ % 8];

	(void)snprintf(buffer, sizeof(buffers[0]), "%s/%s", rig->dir, name);
	return buffer;
}

int rig_shell(const char *format, ...)
{
	char line[2048];
	int n;
	va_list ap;
	pid_t pid;

	va_start(ap, format);
	n = vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	ASSERT_LT(n, (int)sizeof(line));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/bin/sh", "sh", "-c", line, (char *)NULL);
		_exit(122);
	}
	return rig_reap(pid, PATIENCE_MS);
}

static void make_folder(const struct rig *rig, const char *name, enum rig_who owner, mode_t mode)
{
	const char *path = rig_path(rig, name);

	ASSERT_EQ(0, mkdir(path, 0700));
	/* One user alone is its own already, and may have a group of another number. */
	if (getuid() == 0)
		ASSERT_EQ(0, chown(path, rig->uid[owner], rig->uid[owner]));
	ASSERT_EQ(0, chmod(path, mode));
}

void rig_open(struct rig *rig)
{
	const char *build = getenv("KF_BUILD");
	const char *tmp = getenv("TMPDIR");
	bool root = getuid() == 0;

	*rig = (struct rig){ 0 };
	for (int i = 0; i < RIG_PARTIES; i++)
		rig->uid[i] = root && i != RIG_ROOT ? (uid_t)(61000 + i) : getuid();
	ASSERT_TRUE(build != NULL);
	(void)snprintf(rig->dir, sizeof(rig->dir), "%s/keyferry-rig-XXXXXX", tmp ? tmp : "/tmp");
	ASSERT_TRUE(mkdtemp(rig->dir) != NULL);
	ASSERT_EQ(0, chmod(rig->dir, 0755));
	make_folder(rig, "card", RIG_SERVICE, 0700);
	make_folder(rig, "run", RIG_SERVICE, 0755);
	make_folder(rig, "server", RIG_SERVER, 0700);
	make_folder(rig, "client", RIG_CLIENT, 0700);
	make_folder(rig, "mail", RIG_ROOT, 0777);
	ASSERT_EQ(0, rig_shell("cp -aL '%s/bin' '%s/lib' '%s/'", build, build, rig->dir));
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	(void)remove(path);
	return 0;
}

void rig_close(struct rig *rig)
{
	rig_stop_service(rig);
	rig_stop_reader(rig);
	if (rig->dir[0] != 0 && !getenv("KF_RIG_KEEP"))
		(void)nftw(rig->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	rig->dir[0] = 0;
}

/* A descriptor that reads @text from its start. */
static int text_fd(const char *text)
{
	int fd = memfd_create("rig", 0);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	(void)lseek(fd, 0, SEEK_SET);
	return fd;
}

static void become(uid_t uid)
{
	if (uid == getuid())
		return;
	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		_exit(120);
}

static void child(struct rig *rig, enum rig_who who, const char *pin, int out_fd, int err_fd,
		  const char *program, char *const *argv)
{
	static char path_env[] = "PATH=/usr/bin:/bin", lang_env[] = "LC_ALL=C.UTF-8";
	char san_env[256], asan_env[256], home_env[160];
	char *env[] = { path_env, lang_env, home_env, san_env, asan_env, NULL };
	const char *ubsan = getenv("UBSAN_OPTIONS"), *asan = getenv("KF_ASAN_STARTED");
	int pin_fd = pin ? text_fd(pin) : -1;

	(void)snprintf(home_env, sizeof(home_env), "HOME=%s/mail", rig->dir);
	(void)snprintf(san_env, sizeof(san_env), "UBSAN_OPTIONS=%s", ubsan ? ubsan : "");
	(void)snprintf(asan_env, sizeof(asan_env), "ASAN_OPTIONS=%s", asan ? asan : "");
	if (chdir(rig->dir) < 0)
		_exit(121);
	(void)dup2(open("/dev/null", O_RDONLY), 0);
	(void)dup2(out_fd, 1);
	(void)dup2(err_fd, 2);
	if (pin_fd >= 0)
		(void)dup2(pin_fd, PIN_FD);
	close_range(3, PIN_FD - 1, 0);
	close_range(PIN_FD + (pin_fd >= 0), ~0u, 0);
	become(rig->uid[who]);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	execve(rig_path(rig, program), argv, env);
	_exit(122);
}

static pid_t start(struct rig *rig, enum rig_who who, const char *pin, int out_fd, int err_fd,
		   const char *name, va_list ap)
{
	static char pin_number[] = "9";
	char program[64];
	char *argv[ARGS_MAX] = { program };
	int n = 1;
	pid_t pid;

	(void)snprintf(program, sizeof(program), "bin/%s", name);
	for (const char *arg = va_arg(ap, const char *); arg; arg = va_arg(ap, const char *)) {
		ASSERT_LT(n, ARGS_MAX - 1);
		argv[n++] = strcmp(arg, "{pin}") == 0 ? pin_number : (char *)(uintptr_t)arg;
	}
	pid = fork();
	ASSERT_GE(pid, 0);
	if (pid == 0)
		child(rig, who, pin, out_fd, err_fd, program, argv);
	return pid;
}

int rig_reap(pid_t pid, int patience_ms)
{
	long end = now_ms() + harness_patience_ms(patience_ms);
	int status;

	for (;;) {
		pid_t done = waitpid(pid, &status, WNOHANG);

		if (done == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		if (done < 0)
			return -errno;
		if (now_ms() > end)
			return -ETIMEDOUT;
		nap();
	}
}

static void slurp(int fd, char *out, size_t cap)
{
	ssize_t n = pread(fd, out, cap - 1, 0);

	out[n > 0 ? n : 0] = 0;
}

static void run_va(struct rig *rig, enum rig_who who, const char *pin, struct outcome *out,
		   const char *program, va_list ap)
{
	_cleanup_(fd_closep) int out_fd = memfd_create("out", MFD_CLOEXEC);
	_cleanup_(fd_closep) int err_fd = memfd_create("err", MFD_CLOEXEC);
	pid_t pid = start(rig, who, pin, out_fd, err_fd, program, ap);

	out->status = rig_reap(pid, PATIENCE_MS);
	if (out->status == -ETIMEDOUT) {
		(void)kill(pid, SIGKILL);
		(void)rig_reap(pid, 5000);
	}
	slurp(out_fd, out->out, sizeof(out->out));
	slurp(err_fd, out->err, sizeof(out->err));
}

void rig_run(struct rig *rig, enum rig_who who, const char *pin, struct outcome *out,
	     const char *program, ...)
{
	va_list ap;

	va_start(ap, program);
	run_va(rig, who, pin, out, program, ap);
	va_end(ap);
}

pid_t rig_spawn(struct rig *rig, enum rig_who who, const char *pin, const char *out_file,
		const char *program, ...)
{
	_cleanup_(fd_closep) int fd = open(out_file ? rig_path(rig, out_file) : "/dev/null",
					   O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	va_list ap;
	pid_t pid;

	va_start(ap, program);
	pid = start(rig, who, pin, fd, fd, program, ap);
	va_end(ap);
	return pid;
}

/* Puts "--socket PATH" before the arguments of a client call. */
struct joined {
	const char *argv[ARGS_MAX];
};

static void join(struct joined *j, const char *const *first, va_list ap)
{
	int n = 0;

	for (; *first; first++)
		j->argv[n++] = *first;
	for (const char *arg = va_arg(ap, const char *); arg; arg = va_arg(ap, const char *)) {
		ASSERT_LT(n, ARGS_MAX - 1);
		j->argv[n++] = arg;
	}
	j->argv[n] = NULL;
}

static void run_joined(struct rig *rig, enum rig_who who, const char *pin, struct outcome *out,
		       const struct joined *j)
{
	const char *const *a = j->argv;

	/* Thirty arguments are more than any command here has; a NULL ends the list earlier. */
	rig_run(rig, who, pin, out, "keyferry", a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7],
		a[8], a[9], a[10], a[11], a[12], a[13], a[14], a[15], a[16], a[17], a[18], a[19],
		a[20], a[21], a[22], a[23], a[24], a[25], a[26], a[27], a[28], a[29], NULL);
}

void rig_client(struct rig *rig, const char *pin, struct outcome *out, ...)
{
	const char *first[] = { "--socket", rig_path(rig, "run/broker.sock"), NULL };
	struct joined j = { 0 };
	va_list ap;

	va_start(ap, out);
	join(&j, first, ap);
	va_end(ap);
	run_joined(rig, RIG_CLIENT, pin, out, &j);
}

void rig_server(struct rig *rig, struct outcome *out, ...)
{
	const char *first[] = { NULL };
	struct joined j = { 0 };
	va_list ap;

	va_start(ap, out);
	join(&j, first, ap);
	va_end(ap);
	run_joined(rig, RIG_SERVER, NULL, out, &j);
}

static void copy_file(struct rig *rig, const char *from, const char *to)
{
	ASSERT_EQ(0, rig_shell("cp '%s/%s' '%s/%s' && chmod 0644 '%s/%s'", rig->dir, from, rig->dir, to,
			       rig->dir, to));
}

static void give_secret(struct rig *rig, const char *from, const char *to, enum rig_who who)
{
	ASSERT_EQ(0, rig_shell("cp '%s/%s' '%s/%s' && chmod 0600 '%s/%s' && chown %u '%s/%s'", rig->dir,
			       from, rig->dir, to, rig->dir, to, (unsigned)rig->uid[who], rig->dir, to));
}

void rig_make_card(struct rig *rig)
{
	static struct outcome o;

	rig_run(rig, RIG_SERVICE, NULL, &o, "keyferry-vreader", "personalise", "--state", "card",
		"--serial", RIG_SERIAL, "--pin", RIG_PIN, "--puk", RIG_PUK, NULL);
	ASSERT_OK(&o);
}

void rig_personalise(struct rig *rig)
{
	static struct outcome o;

	rig_server(rig, &o, "server", "init", "--state", "server", NULL);
	ASSERT_OK(&o);
	copy_file(rig, "server/injector.pub.pem", "mail/injector.pub.pem");
	if (rig->shares_keys) {
		rig_server(rig, &o, "server", "shared", "--state", "server", "--serial", RIG_SERIAL,
			   "-o", "server/card.keys", NULL);
		ASSERT_OK(&o);
		give_secret(rig, "server/card.keys", "run/card.keys", RIG_SERVICE);
	}
	rig_run(rig, RIG_SERVICE, NULL, &o, "keyferry-vreader", "personalise", "--state", "card",
		"--serial", RIG_SERIAL, "--injector", "mail/injector.pub.pem", "--pin", RIG_PIN,
		"--puk", RIG_PUK, rig->shares_keys ? "--shared-key" : NULL, "run/card.keys", NULL);
	ASSERT_OK(&o);
	copy_file(rig, "card/card.pem", "mail/card.pem");
	copy_file(rig, "card/root.pem", "mail/root.pem");
	rig_server(rig, &o, "server", "enroll", "--state", "server", "--cert", "mail/card.pem",
		   "--root", "mail/root.pem", "--allow-virtual", NULL);
	ASSERT_OK(&o);
}

void rig_start_reader(struct rig *rig)
{
	const char *const *a = rig->reader_args;

	rig->reader = rig_spawn(rig, RIG_SERVICE, NULL, "mail/reader.log",
				rig->reader_program ? rig->reader_program : "keyferry-vreader",
				"run", "--state", "card", "--listen", "run/reader.sock", a[0], a[1],
				a[2], a[3], a[4], a[5], a[6], a[7], NULL);
}

/* Clients find the socket, and the reader has a driver, whatever the card is doing. */
static bool service_is_up(void *data)
{
	struct rig *rig = data;
	static struct outcome o;

	rig_client(rig, NULL, &o, "reader", "list", NULL);
	return o.status == 0 && strstr(o.out, "virtual:") != NULL;
}

static bool socket_is_there(void *data)
{
	struct rig *rig = data;

	return access(rig_path(rig, "run/broker.sock"), F_OK) == 0;
}

static void launch_service(struct rig *rig)
{
	const char *const *a = rig->service_args;
	char grant[64];

	/* The client may look, use and inject; everything else it has to ask for. */
	(void)snprintf(grant, sizeof(grant), "%u:look,use,inject,create,delete,pin",
		       (unsigned)rig->uid[RIG_CLIENT]);
	rig->service = rig_spawn(rig, RIG_SERVICE, NULL, "mail/service.log", "keyferryd",
				 "--socket", rig_path(rig, "run/broker.sock"), "--virtual",
				 rig_path(rig, "run/reader.sock"), "--grant", grant, a[0], a[1],
				 a[2], a[3], a[4], a[5], a[6], a[7], NULL);
	ASSERT_TRUE(rig_until(socket_is_there, rig, 10000));
}

void rig_start_service(struct rig *rig)
{
	launch_service(rig);
	ASSERT_TRUE(rig_until(service_is_up, rig, 10000));
}

static void stop(pid_t *pid)
{
	if (*pid <= 0)
		return;
	(void)kill(*pid, SIGTERM);
	(void)kill(*pid, SIGCONT);
	if (rig_reap(*pid, 5000) == -ETIMEDOUT) {
		(void)kill(*pid, SIGKILL);
		(void)rig_reap(*pid, 5000);
	}
	*pid = 0;
}

void rig_stop_reader(struct rig *rig)
{
	stop(&rig->reader);
}

void rig_stop_service(struct rig *rig)
{
	stop(&rig->service);
}

/* It waits by itself once it is connected; the socket may be one that a killed service left. */
static bool card_is_seen(void *data)
{
	struct rig *rig = data;
	static struct outcome o;

	rig_client(rig, NULL, &o, "reader", "wait", NULL);
	return o.status == 0;
}

void rig_wait_card(struct rig *rig)
{
	ASSERT_TRUE(rig_until(card_is_seen, rig, 10000));
}

void rig_start(struct rig *rig)
{
	rig_start_reader(rig);
	launch_service(rig);
	rig_wait_card(rig);
}

/* The program's name of @pid, from its command line: comm is cut at 15 bytes. */
static bool is_program(pid_t pid, const char *name)
{
	char path[64], line[256] = "";
	_cleanup_(fd_closep) int fd = -1;
	const char *base;

	(void)snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, line, sizeof(line) - 1) <= 0)
		return false;
	base = strrchr(line, '/');
	return strcmp(base ? base + 1 : line, name) == 0;
}

static pid_t parent_of(pid_t pid)
{
	char path[64], text[512] = "";
	_cleanup_(fd_closep) int fd = -1;
	const char *after;
	int parent = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return 0;
	after = strrchr(text, ')');
	if (after && sscanf(after + 1, " %*c %d", &parent) != 1)
		parent = 0;
	return parent;
}

pid_t rig_pid_of(const struct rig *rig, const char *name)
{
	DIR *proc = opendir("/proc");
	pid_t found = 0;

	if (!proc)
		return 0;
	for (struct dirent *d = readdir(proc); d; d = readdir(proc)) {
		pid_t pid = (pid_t)atoi(d->d_name);

		if (pid > 0 && parent_of(pid) == rig->service && is_program(pid, name))
			found = pid;
	}
	(void)closedir(proc);
	return found;
}

static void tell(struct harness_place at, const struct outcome *o)
{
	harness_log(at.file, at.line, "%s: exit status %d\n%s%s", at.got, o->status, o->out, o->err);
}

void rig_expect_ok(struct harness_place at, const struct outcome *o)
{
	if (o->status == 0)
		return;
	tell(at, o);
	harness_fail();
}

void rig_assert_ok(struct harness_place at, const struct outcome *o)
{
	if (o->status == 0)
		return;
	tell(at, o);
	harness_fail();
	harness_stop();
}
