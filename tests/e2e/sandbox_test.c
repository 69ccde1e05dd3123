/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/sandbox_test.c - The sandboxes of the running programs, from inside: root stops a
 * process and makes it do one system call that no line of ours does, as somebody who took it over
 * would. What the programs say about themselves, and that none of them works without.
 *
 * Faces: daemon/broker/sandbox.c daemon/monitor/sandbox.c driver/sandbox.c
 */
#include "tests/e2e/stage.h"

#include "base/cleanup.h"

#include <keyferry/keyferry.h>

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/user.h>
#include <sys/wait.h>

struct forced {
	const char *name;
	long nr;
	uint64_t args[3];
	const char *path;	/* whose address becomes the argument that is a path; NULL: none is */
};

#ifdef __x86_64__

static void poke(pid_t pid, uint64_t at, const char *text)
{
	struct iovec from = { (void *)(uintptr_t)text, strlen(text) + 1 };
	struct iovec to = { (void *)(uintptr_t)at, from.iov_len };

	ASSERT_EQ((ssize_t)from.iov_len, process_vm_writev(pid, &from, 1, &to, 1, 0));
}

static int stopped(pid_t pid)
{
	int status = 0;

	ASSERT_EQ(pid, waitpid(pid, &status, __WALL));
	return status;
}

/*
 * Every process of ours sleeps in a system call, so the two bytes before its next instruction are
 * SYSCALL. Return: what the call returned, or -1000 - signal if the process died of it.
 */
static long force(pid_t pid, const struct forced *forced)
{
	struct user_regs_struct saved, regs;
	int status;

	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) < 0)
		SKIP("this user may not trace: %s", strerror(errno));
	(void)stopped(pid);
	ASSERT_EQ(0, ptrace(PTRACE_GETREGS, pid, NULL, &saved));
	ASSERT_EQ(0x050f, ptrace(PTRACE_PEEKTEXT, pid, (void *)(saved.rip - 2), NULL) & 0xffff);
	regs = saved;
	regs.rip -= 2;
	regs.rax = (uint64_t)forced->nr;
	regs.orig_rax = (uint64_t)-1;
	regs.rdi = forced->args[0];
	regs.rsi = forced->args[1];
	regs.rdx = forced->args[2];
	if (forced->path) {
		uint64_t at = saved.rsp - 1024;

		poke(pid, at, forced->path);
		if (forced->nr == SYS_openat)
			regs.rsi = at;
		else
			regs.rdi = at;
	}
	ASSERT_EQ(0, ptrace(PTRACE_SETREGS, pid, NULL, &regs));
	ASSERT_EQ(0, ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL));
	status = stopped(pid);
	if (WIFSIGNALED(status))
		return -1000 - WTERMSIG(status);
	ASSERT_EQ(0, ptrace(PTRACE_GETREGS, pid, NULL, &regs));
	ASSERT_EQ(0, ptrace(PTRACE_SETREGS, pid, NULL, &saved));
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, pid, NULL, NULL));
	return (long)regs.rax;
}

#else

static long force(pid_t pid, const struct forced *forced)
{
	(void)pid, (void)forced;
	SKIP("the registers of this architecture are not known to this test");
}

#endif

FIXTURE(sandbox)
{
	struct stage stage;
};

FIXTURE_VARIANT(sandbox)
{
	const char *program;
};

FIXTURE_VARIANT_ADD(sandbox, broker) { .program = "keyferry-broker" };
FIXTURE_VARIANT_ADD(sandbox, driver) { .program = "keyferry-driver" };
FIXTURE_VARIANT_ADD(sandbox, monitor) { .program = "keyferryd" };

FIXTURE_SETUP(sandbox)
{
	struct rig *rig = &self->stage.rig;

	if (HARNESS_SANITIZED)
		SKIP("builds with sanitizers have no system call filter");
	self->stage = (struct stage){ 0 };
	rig_open(rig);
	rig_make_card(rig);
	rig_start(rig);
}

FIXTURE_TEARDOWN(sandbox)
{
	rig_close(&self->stage.rig);
}

static bool is_monitor(const char *program)
{
	return strcmp(program, "keyferryd") == 0;
}

/* The driver is started anew each time it dies. */
static pid_t victim(struct rig *rig, const char *program)
{
	pid_t pid = 0;

	if (is_monitor(program))
		return rig->service;
	for (int i = 0; i < 200 && pid <= 0; i++) {
		pid = rig_pid_of(rig, program);
		if (pid <= 0)
			(void)usleep(50000);
	}
	ASSERT_LT(0, pid);
	return pid;
}

TEST_F_TIMEOUT(sandbox, a_call_that_is_allowed_returns, 60)
{
	static const struct forced ask = { "getpid", SYS_getpid, { 0 }, NULL };
	pid_t pid = victim(&self->stage.rig, variant->program);

	EXPECT_EQ(pid, force(pid, &ask));
	rig_wait_card(&self->stage.rig);	/* and it works on */
	EXPECT_EQ(pid, victim(&self->stage.rig, variant->program));
}

#define SOME_FILE "/etc/passwd"

static const struct forced forbidden_open = {
	"open", SYS_openat, { (uint64_t)AT_FDCWD, 0, O_RDONLY }, SOME_FILE
};

static const struct forced forbidden[] = {
	{ "exec", SYS_execve, { 0, 0, 0 }, SOME_FILE },
	{ "fork", SYS_clone, { SIGCHLD, 0, 0 }, NULL },
	{ "socket", SYS_socket, { AF_UNIX, SOCK_STREAM, 0 }, NULL },
	{ "ptrace", SYS_ptrace, { PTRACE_TRACEME, 0, 0 }, NULL },
	{ "kill", SYS_kill, { 1, 0, 0 }, NULL },
	{ NULL, 0, { 0 }, NULL },
};

/* It opens, connects and forks, but not like this. */
static const struct forced forbidden_to_monitor[] = {
	{ "fork into namespaces", SYS_clone, { CLONE_NEWUSER | SIGCHLD, 0, 0 }, NULL },
	{ "raw socket", SYS_socket, { AF_PACKET, SOCK_RAW, 0 }, NULL },
	{ "ptrace", SYS_ptrace, { PTRACE_TRACEME, 0, 0 }, NULL },
	{ "another's memory", SYS_process_vm_readv, { 1, 0, 0 }, NULL },
	{ "unshare", SYS_unshare, { CLONE_NEWUSER, 0, 0 }, NULL },
	{ "chmod", SYS_chmod, { 0, 0777, 0 }, SOME_FILE },
	{ NULL, 0, { 0 }, NULL },
};

static void expect_death(struct rig *rig, const char *program, const struct forced *forced)
{
	pid_t pid = victim(rig, program);
	long r = force(pid, forced);

	TEST_LOG("%s: forced %s: %s", program, forced->name,
		 r == -1000 - SIGSYS ? "killed" : "it lives");
	EXPECT_EQ(-1000 - SIGSYS, r);
	if (is_monitor(program) && r <= -1000)
		rig->service = 0;		/* who traces it has reaped it */
}

static void expect_refusal(struct rig *rig, long nr, const char *name, uint64_t flags)
{
	const struct forced forced = { name, nr, { (uint64_t)AT_FDCWD, 0, flags },
				       rig_path(rig, name) };
	const struct forced exec = { name, nr, { 0 }, forced.path };
	long r = force(rig->service, nr == SYS_execve ? &exec : &forced);

	TEST_LOG("keyferryd: forced %s, %#lx: %s", name, (unsigned long)flags,
		 r < 0 ? strerror((int)-r) : "done");
	EXPECT_EQ(-EACCES, r);
}

/* All of it belongs to the user it runs as, or to everybody. */
TEST_F_TIMEOUT(sandbox, a_forbidden_open_fails_or_kills_it, 60)
{
	struct rig *rig = &self->stage.rig;
	char copy[300];

	if (!is_monitor(variant->program)) {
		expect_death(rig, variant->program, &forbidden_open);
		return;
	}
	(void)snprintf(copy, sizeof(copy), "cp /bin/true '%s/mail/'", rig->dir);
	ASSERT_EQ(0, system(copy));
	expect_refusal(rig, SYS_openat, "card", O_RDONLY | O_DIRECTORY);
	expect_refusal(rig, SYS_openat, "../..", O_RDONLY | O_DIRECTORY);
	expect_refusal(rig, SYS_openat, "run/made", O_WRONLY | O_CREAT);
	expect_refusal(rig, SYS_unlink, "mail/true", 0);
	expect_refusal(rig, SYS_execve, "mail/true", 0);
	EXPECT_EQ(0, access(rig_path(rig, "mail/true"), X_OK));
	rig_wait_card(rig);
}

TEST_F_TIMEOUT(sandbox, a_forbidden_call_kills_it, 120)
{
	struct rig *rig = &self->stage.rig;

	for (const struct forced *call = is_monitor(variant->program) ? forbidden_to_monitor :
	     forbidden; call->name; call++) {
		expect_death(rig, variant->program, call);
		rig_stop_service(rig);		/* no broker outlives this; a driver would have to wait */
		rig_start_service(rig);
		rig_wait_card(rig);
	}
}

/* And there it may happen by itself, in a module of the name service. */
TEST_F_TIMEOUT(sandbox, the_internet_is_refused_to_it_or_kills_it, 60)
{
	static const struct forced internet[] = {
		{ "internet socket", SYS_socket, { AF_INET, SOCK_STREAM, 0 }, NULL },
		{ "internet socket", SYS_socket, { AF_INET6, SOCK_DGRAM, 0 }, NULL },
	};
	struct rig *rig = &self->stage.rig;

	if (!is_monitor(variant->program)) {
		expect_death(rig, variant->program, &internet[0]);
		return;
	}
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(-EAFNOSUPPORT, force(rig->service, &internet[i]));
	rig_wait_card(rig);
}

TEST_F_TIMEOUT(sandbox, status_says_what_is_in_force, 60)
{
	struct rig *rig = &self->stage.rig;
	static struct outcome o;
	const char *line;

	rig_client(rig, NULL, &o, "status", NULL);
	ASSERT_OK(&o);
	line = strstr(o.out, is_monitor(variant->program) ? "process      monitor" :
		      strcmp(variant->program, "keyferry-broker") == 0 ?
		      "process      broker" : "process      driver");
	ASSERT_NOT_NULL(line);
	line = strstr(line, "guards       ");
	ASSERT_NOT_NULL(line);
	for (const char *const *word = (const char *const[]){ "no-new-privs", "undumpable", "no-core",
	     "no-capabilities", "seccomp", "landlock", NULL }; *word; word++) {
		const char *at = strstr(line, *word);

		if (!at || at > strchr(line, '\n') || at[-1] == '!')
			TEST_FAIL("%s is not in force: %.*s", *word, (int)strcspn(line, "\n"), line);
	}
}

/* --- a kernel that has the means and refuses them --- */

struct refused_process {
	const char *words;
	char *argv[12];
};

#define ARG(text) ((char[]){ text })

static const struct refused_process broker_process = {
	"keyferry-broker: cannot close itself in: Operation not permitted",
	{ ARG("bin/keyferry-broker"), ARG("--listen-fd"), ARG("3"), ARG("--monitor-fd"), ARG("4") },
};
static const struct refused_process driver_process = {
	"reader=virtual:reader: this process cannot be closed in: Operation not permitted",
	{ ARG("bin/keyferry-driver"), ARG("--link-fd"), ARG("3"), ARG("--reader-fd"), ARG("4"),
	  ARG("--transport"), ARG("socket"), ARG("--name"), ARG("virtual:reader") },
};
static const struct refused_process monitor_process = {
	"keyferryd: cannot close itself in: Operation not permitted",
	{ ARG("bin/keyferryd"), ARG("--socket"), ARG("run/broker.sock"), ARG("--virtual"),
	  ARG("run/reader.sock") },
};

FIXTURE(refused)
{
	struct stage stage;
	int ends[2];
};

FIXTURE_VARIANT(refused)
{
	const struct refused_process *process;
	bool landlock;		/* or the filter */
};

FIXTURE_VARIANT_ADD(refused, landlock_to_the_broker) { &broker_process, true };
FIXTURE_VARIANT_ADD(refused, filter_to_the_broker) { &broker_process, false };
FIXTURE_VARIANT_ADD(refused, landlock_to_the_driver) { &driver_process, true };
FIXTURE_VARIANT_ADD(refused, filter_to_the_driver) { &driver_process, false };
FIXTURE_VARIANT_ADD(refused, landlock_to_the_monitor) { &monitor_process, true };
FIXTURE_VARIANT_ADD(refused, filter_to_the_monitor) { &monitor_process, false };

FIXTURE_SETUP(refused)
{
	self->stage = (struct stage){ 0 };
	self->ends[0] = self->ends[1] = -1;
	if (HARNESS_SANITIZED)
		SKIP("builds with sanitizers have no system call filter");
	if (variant->landlock && syscall(SYS_landlock_create_ruleset, NULL, 0, 1u) <= 0)
		SKIP("this kernel has no Landlock");
	rig_open(&self->stage.rig);
	rig_make_card(&self->stage.rig);
	rig_start_reader(&self->stage.rig);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, self->ends));
}

FIXTURE_TEARDOWN(refused)
{
	fd_close(self->ends[0]);
	fd_close(self->ends[1]);
	if (self->stage.rig.dir[0])
		rig_close(&self->stage.rig);
}

/* In the child: from here on the kernel says EPERM to the one call. prctl() is the older way in. */
static void refuse(bool landlock)
{
	const struct scmp_arg_cmp filter = { 0, SCMP_CMP_EQ, SECCOMP_SET_MODE_FILTER, 0 };
	const struct scmp_arg_cmp older = { 0, SCMP_CMP_EQ, PR_SET_SECCOMP, 0 };
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int r = ctx ? prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) : -1;

	if (r == 0 && landlock)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(landlock_restrict_self), 0);
	if (r == 0 && !landlock)
		r = seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(seccomp), 1, &filter);
	if (r == 0 && !landlock)
		r = seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prctl), 1, &older);
	if (r < 0 || seccomp_load(ctx) < 0)
		_exit(125);
}

/* Runs @argv with @third and @fourth as descriptors 3 and 4, its errors in @err. */
static int end_of(struct rig *rig, char *const argv[], bool landlock, int third, int fourth,
		  char *err, size_t cap)
{
	int said = memfd_create("said", MFD_CLOEXEC), status;
	pid_t pid = fork();
	ssize_t n;

	ASSERT_LE(0, pid);
	if (pid == 0) {
		int a = fcntl(third, F_DUPFD, 10), b = fcntl(fourth, F_DUPFD, 10);

		if (chdir(rig->dir) < 0 || dup2(said, 2) < 0 || dup2(a, 3) < 0 || dup2(b, 4) < 0)
			_exit(126);
		close_range(5, ~0u, 0);
		if (getuid() == 0 && setresuid(rig->uid[RIG_SERVICE], rig->uid[RIG_SERVICE],
					       rig->uid[RIG_SERVICE]) < 0)
			_exit(126);
		refuse(landlock);
		execv(argv[0], argv);
		_exit(127);
	}
	status = rig_reap(pid, 20000);
	if (status == -ETIMEDOUT) {
		(void)kill(pid, SIGKILL);
		(void)rig_reap(pid, 5000);
	}
	n = pread(said, err, cap - 1, 0);
	err[n > 0 ? n : 0] = '\0';
	fd_close(said);
	return status;
}

/* The driver has to meet its reader first. */
static int connect_reader(struct rig *rig)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%.80s/run/reader.sock", rig->dir);
	for (int tries = 0; connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0; tries++) {
		ASSERT_LT(tries, 1000);
		(void)usleep(10000);
	}
	return fd;
}

/* Not "serves on with less": whoever set it up would never hear of it. */
TEST_F_TIMEOUT(refused, a_sandbox_that_cannot_be_set_up_ends_the_process, 60)
{
	const struct refused_process *process = variant->process;
	struct rig *rig = &self->stage.rig;
	int third = process == &broker_process ? stage_listen(&self->stage, "clients") :
						 dup(self->ends[0]);
	int fourth = process == &driver_process ? connect_reader(rig) : dup(self->ends[0]);
	char err[4096];

	EXPECT_EQ(1, end_of(rig, process->argv, variant->landlock, third, fourth, err, sizeof(err)));
	if (!strstr(err, process->words))
		TEST_FAIL("no \"%s\" in: %s", process->words, err);
	if (process == &monitor_process)	/* whose own refusal would end it as well */
		EXPECT_NULL(strstr(err, "keyferry-broker"));
	fd_close(third);
	fd_close(fourth);
}
