/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parent runs one test after the other and alone writes result lines; a child runs one test
 * and writes diagnostics. What a child found out is in a shared page, so that processes which the
 * test forks can fail it too. A child counts as passed only if it says so there and exits with 0:
 * a test that calls exit(0) half way has not passed.
 */
#include "tests/harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef KF_SAN
#define SLOWER_BY_BUILD 4
#else
#define SLOWER_BY_BUILD 1
#endif

/* Written by children, read by the parent. */
struct report {
	volatile bool finished;
	volatile bool failed;
	volatile bool skipped;
	char reason[240];
};

/* Tests are found by constructors, before main(): the one place that needs file-scope state. */
static struct {
	struct harness_test *first, **last;
	struct report *report;
	int ktap;
	unsigned int slower;
	unsigned int n, n_failed;
	pid_t child, child_tid;
	sigjmp_buf stop;
} h = { .last = &h.first, .slower = SLOWER_BY_BUILD };

/* The order of the file, as far as constructors keep it; a list must not be walked in reverse. */
void harness_add_test(struct harness_test *test)
{
	*h.last = test;
	h.last = &test->next;
}

void harness_add_variant(struct harness_fixture *fixture, struct harness_variant *variant)
{
	struct harness_variant **at = &fixture->variants;

	while (*at)
		at = &(*at)->next;
	*at = variant;
}

/* --- diagnostics: whole lines, each by one write, so that processes do not mix theirs --- */

__attribute__((format(printf, 1, 0))) static void say(const char *format, va_list args)
{
	char text[4096], out[4200];
	size_t n = 0;
	int len = vsnprintf(text, sizeof(text), format, args);

	if (len < 0)
		return;
	/* Every line a comment: a value with a newline in it must not forge a result. */
	for (const char *p = text; *p && n < sizeof(out) - 4; p++) {
		if (p == text || p[-1] == '\n') {
			out[n++] = '#';
			out[n++] = ' ';
		}
		out[n++] = *p == '\r' ? '.' : *p;
	}
	out[n++] = '\n';
	(void)!write(h.ktap, out, n);
}

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
}

void harness_log(const char *file, int line, const char *format, ...)
{
	char text[3072];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	note("%s:%d: %s", file, line, text);
}

void harness_fail(void)
{
	h.report->failed = true;
}

/* Back to the child's start, which runs the teardown; a process forked by the test ends here. */
void harness_stop(void)
{
	if (getpid() != h.child)
		_exit(1);
	if (gettid() != h.child_tid)
		abort();	/* an ASSERT in a second thread has nowhere to return to */
	siglongjmp(h.stop, 1);
}

void harness_skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(h.report->reason, sizeof(h.report->reason), format, args);
	va_end(args);
	h.report->skipped = true;
	harness_stop();
}

int harness_patience_ms(int ms)
{
	return ms * (int)h.slower;
}

/* --- comparisons --- */

static const char *const op_text[] = {
	[HARNESS_EQ] = "==", [HARNESS_NE] = "!=", [HARNESS_LT] = "<",
	[HARNESS_LE] = "<=", [HARNESS_GT] = ">", [HARNESS_GE] = ">=",
};

static bool is_negative(struct harness_value v)
{
	return v.is_signed && (intmax_t)v.bits < 0;
}

static int order(struct harness_value a, struct harness_value b)
{
	if (is_negative(a) != is_negative(b))
		return is_negative(a) ? -1 : 1;
	return a.bits < b.bits ? -1 : a.bits > b.bits;
}

static bool op_holds(enum harness_op op, int order)
{
	switch (op) {
	case HARNESS_EQ: return order == 0;
	case HARNESS_NE: return order != 0;
	case HARNESS_LT: return order < 0;
	case HARNESS_LE: return order <= 0;
	case HARNESS_GT: return order > 0;
	case HARNESS_GE: return order >= 0;
	}
	return false;
}

/* -EBADMSG reads better than -74, and 0x6a82 better than 27266. */
static const char *value_text(struct harness_value v, char *buf, size_t size)
{
	const char *name = NULL;

	if (is_negative(v)) {
		if ((intmax_t)v.bits > -4096)
			name = strerrorname_np(-(int)v.bits);
		(void)snprintf(buf, size, "%jd%s%s%s", (intmax_t)v.bits, name ? " (-" : "",
			       name ? name : "", name ? ")" : "");
	} else if (v.bits < 10) {
		(void)snprintf(buf, size, "%ju", v.bits);
	} else {
		(void)snprintf(buf, size, "%ju (0x%jx)", v.bits, v.bits);
	}
	return buf;
}

bool harness_compare(struct harness_place at, enum harness_op op, struct harness_value want,
		     struct harness_value got)
{
	char a[64], b[64];

	if (op_holds(op, order(want, got)))
		return true;
	note("%s:%d: expected %s %s %s\n  want %s\n  got  %s", at.file, at.line, at.want,
	     op_text[op], at.got, value_text(want, a, sizeof(a)), value_text(got, b, sizeof(b)));
	return false;
}

bool harness_truth(struct harness_place at, bool want, bool got)
{
	if (want == got)
		return true;
	note("%s:%d: expected %s to be %s", at.file, at.line, at.got, at.want);
	return false;
}

bool harness_strings(struct harness_place at, enum harness_op op, const char *want, const char *got)
{
	bool equal = want == got || (want && got && strcmp(want, got) == 0);

	if (equal == (op == HARNESS_EQ))
		return true;
	note("%s:%d: expected %s %s %s\n  want %s%.1000s%s\n  got  %s%.1000s%s", at.file, at.line,
	     at.want, op_text[op], at.got,
	     want ? "\"" : "", want ? want : "NULL", want ? "\"" : "",
	     got ? "\"" : "", got ? got : "NULL", got ? "\"" : "");
	return false;
}

/* At most 32 bytes from @from on, with an ellipsis on either side that was cut. */
static const char *hex_text(struct bytes b, size_t from, char *buf, size_t size)
{
	struct bytes part = bytes_slice(b, from, 32);
	size_t n = 0;

	buf[0] = '\0';
	if (from != 0)
		n += (size_t)snprintf(buf, size, "..");
	for (size_t i = 0; i < part.n; i++)
		n += (size_t)snprintf(buf + n, size - n, "%02x", part.p[i]);
	if (from + part.n < b.n)
		(void)snprintf(buf + n, size - n, "..");
	return buf;
}

bool harness_bytes(struct harness_place at, enum harness_op op, struct bytes want, struct bytes got)
{
	char a[80], b[80];
	size_t same = 0, from;

	if (bytes_equal(want, got) == (op == HARNESS_EQ))
		return true;
	while (same < want.n && same < got.n && want.p[same] == got.p[same])
		same++;
	from = same > 8 ? same - 8 : 0;
	note("%s:%d: expected %s %s %s\n  %zu and %zu bytes, the first %zu alike\n  want %s\n  got  %s",
	     at.file, at.line, at.want, op_text[op], at.got, want.n, got.n, same,
	     hex_text(want, from, a, sizeof(a)), hex_text(got, from, b, sizeof(b)));
	return false;
}

/* --- one test --- */

static void child_body(const struct harness_test *test, const void *variant)
{
	const struct harness_fixture *f = test->fixture;
	void *self = f ? calloc(1, f->size) : NULL;

	if (f && !self)
		abort();
	/* No teardown for a setup that did not get through: it would release what never was. */
	if (sigsetjmp(h.stop, 1) != 0)
		goto out;
	if (f)
		f->setup(self, variant);
	if (sigsetjmp(h.stop, 1) == 0)
		test->run(self, variant);
	if (sigsetjmp(h.stop, 1) == 0 && f)
		f->teardown(self, variant);
out:
	free(self);
}

static void child_main(const struct harness_test *test, const void *variant)
{
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)dup2(STDERR_FILENO, STDOUT_FILENO);
	h.child = getpid();
	h.child_tid = gettid();
	child_body(test, variant);
	h.report->finished = true;
	exit(0);	/* not _exit(): LeakSanitizer reports from atexit */
}

/* Grandchildren that left the group come to us, the subreaper, and go with the rest. */
static void kill_strays(void)
{
	char path[64], text[512];

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	for (int round = 0; round < 100; round++) {
		FILE *f = fopen(path, "re");
		char *p = text, *end;

		if (!f || !fgets(text, sizeof(text), f))
			*text = '\0';
		if (f)
			(void)fclose(f);
		/* Only numbers seen whole: what fgets() cut off is somebody else's number. */
		for (long pid; (pid = strtol(p, &end, 10)) > 0 && *end == ' '; p = end) {
			(void)kill((pid_t)pid, SIGKILL);
			(void)waitpid((pid_t)pid, NULL, 0);
		}
		if (p == text)
			return;
	}
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void word_of(const char *path, char *out, size_t cap)
{
	FILE *f = fopen(path, "re");

	out[0] = '\0';
	if (!f)
		return;
	if (fgets(out, (int)cap, f))
		out[strcspn(out, "\n")] = '\0';
	(void)fclose(f);
}

/* What each thread of a child that is out of time waits for, as far as the kernel tells us. */
static void note_where(pid_t pid)
{
	char path[320], comm[32], wchan[64], call[128];
	DIR *dir;
	struct dirent *e;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%d/task/%s/comm", (int)pid, e->d_name);
		word_of(path, comm, sizeof(comm));
		(void)snprintf(path, sizeof(path), "/proc/%d/task/%s/wchan", (int)pid, e->d_name);
		word_of(path, wchan, sizeof(wchan));
		(void)snprintf(path, sizeof(path), "/proc/%d/task/%s/syscall", (int)pid, e->d_name);
		word_of(path, call, sizeof(call));
		note("out of time: %s, in %s, call %.40s", comm, wchan, call);
	}
	if (dir)
		(void)closedir(dir);
}

/* Return: true if the child ended by itself in time; either way its whole group is gone. */
static bool child_wait(pid_t pid, unsigned int seconds, int *status)
{
	int64_t deadline = now_ms() + (int64_t)seconds * 1000;
	struct pollfd p = { .fd = pidfd_open(pid, 0), .events = POLLIN };
	int n = -1;

	if (p.fd < 0) {
		perror("pidfd_open");
		exit(2);
	}
	for (;;) {
		int64_t left = deadline - now_ms();

		n = poll(&p, 1, left > 0 ? (int)left : 0);
		if (n >= 0 || errno != EINTR)
			break;
	}
	(void)close(p.fd);
	if (n <= 0)
		note_where(pid);
	/* Before the child is reaped, so that its number cannot belong to anybody else yet. */
	(void)kill(-pid, SIGKILL);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, status, 0);
	kill_strays();
	return n > 0;
}

static void result(bool ok, const char *name, const char *directive, const char *reason)
{
	h.n++;
	if (!ok)
		h.n_failed++;
	(void)dprintf(h.ktap, "%s %u %s%s%s\n", ok ? "ok" : "not ok", h.n, name, directive, reason);
}

static void judge(const char *name, bool in_time, unsigned int seconds, int status)
{
	bool ok = false;

	if (!in_time)
		note("%s: timed out after %u s", name, seconds);
	else if (WIFSIGNALED(status))
		note("%s: killed by signal %d (SIG%s)", name, WTERMSIG(status),
		     sigabbrev_np(WTERMSIG(status)) ?: "?");
	else if (!h.report->finished)
		note("%s: left by exit(%d) before its end", name, WEXITSTATUS(status));
	else if (WEXITSTATUS(status) != 0)
		note("%s: exit status %d after its end, see stderr", name, WEXITSTATUS(status));
	else
		ok = !h.report->failed;

	/* A reason is one line, and cannot carry a second directive. */
	for (char *p = h.report->reason; *p; p++)
		if (*p == '\n' || *p == '#')
			*p = ' ';
	if (ok && h.report->skipped)
		result(true, name, " # SKIP ", h.report->reason);
	else
		result(ok, name, "", "");
}

static void run_test(const struct harness_test *test, const void *variant, const char *name)
{
	unsigned int seconds = test->seconds * h.slower;
	int status = 0;
	bool in_time;
	pid_t pid;

	memset(h.report, 0, sizeof(*h.report));
	(void)fflush(NULL);
	pid = fork();
	if (pid < 0) {
		perror("fork");
		exit(2);
	}
	if (pid == 0)
		child_main(test, variant);
	(void)setpgid(pid, pid);	/* both sides, so that neither has to wait for the other */
	in_time = child_wait(pid, seconds, &status);
	judge(name, in_time, seconds, status);
}

/* --- all tests --- */

static bool wanted(const char *name, char **filters)
{
	if (!*filters)
		return true;
	for (; *filters; filters++)
		if (strstr(name, *filters))
			return true;
	return false;
}

typedef void visit_fn(const struct harness_test *test, const void *variant, const char *name);

static void visit(const struct harness_test *t, const struct harness_variant *v, char **filters,
		  visit_fn *fn)
{
	char name[256];

	if (t->applies && !t->applies(v ? v->data : NULL))
		return;
	(void)snprintf(name, sizeof(name), "%s%s%s%s%s", t->fixture ? t->fixture->name : "",
		       t->fixture ? "." : "", v ? v->name : "", v ? "." : "", t->name);
	if (wanted(name, filters))
		fn(t, v ? v->data : NULL, name);
}

static void visit_all(char **filters, visit_fn *fn)
{
	for (const struct harness_test *t = h.first; t; t = t->next) {
		const struct harness_variant *v = t->fixture ? t->fixture->variants : NULL;

		do {
			visit(t, v, filters, fn);
			v = v ? v->next : NULL;
		} while (v);
	}
}

/* A test that no variant is like would never run, and nobody would see it. */
static bool all_apply(void)
{
	bool all = true;

	for (const struct harness_test *t = h.first; t; t = t->next) {
		const struct harness_variant *v = t->applies ? t->fixture->variants : NULL;

		while (v && !t->applies(v->data))
			v = v->next;
		if (t->applies && t->fixture->variants && !v) {
			fprintf(stderr, "%s.%s: no variant is like that\n", t->fixture->name, t->name);
			all = false;
		}
	}
	return all;
}

static void count_one(const struct harness_test *t, const void *v, const char *name)
{
	(void)t, (void)v, (void)name;
	h.n++;
}

static void list_one(const struct harness_test *t, const void *v, const char *name)
{
	(void)t, (void)v;
	(void)dprintf(h.ktap, "%s\n", name);
}

static int usage(const char *program)
{
	fprintf(stderr, "usage: %s [-l] [-s FACTOR] [NAME-PART...]\n"
		"  -l  list the tests\n"
		"  -s  stretch time limits (also KF_TEST_SLOWER)\n", program);
	return 2;
}

int main(int argc, char **argv)
{
	const char *slower = getenv("KF_TEST_SLOWER");
	bool list = false;
	int c;

	while ((c = getopt(argc, argv, "ls:")) != -1) {
		if (c == 'l')
			list = true;
		else if (c == 's')
			slower = optarg;
		else
			return usage(argv[0]);
	}
	long factor = slower ? strtol(slower, NULL, 10) : 1;

	if (factor > 0 && factor <= 1000)
		h.slower = SLOWER_BY_BUILD * (unsigned int)factor;

	h.ktap = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 100);
	h.report = mmap(NULL, sizeof(*h.report), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (h.ktap < 0 || h.report == MAP_FAILED) {
		perror(argv[0]);
		return 2;
	}
	if (!all_apply())
		return 2;
	if (list) {
		visit_all(argv + optind, list_one);
		return 0;
	}
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);

	visit_all(argv + optind, count_one);
	(void)dprintf(h.ktap, "KTAP version 1\n1..%u\n", h.n);
	if (h.n == 0) {
		note("no test has such a name");
		return 2;
	}
	h.n = 0;
	visit_all(argv + optind, run_test);
	return h.n_failed != 0;
}
