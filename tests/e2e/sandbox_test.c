/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/sandbox_test.c - The sandboxes of the running programs, from inside: root stops a
 * process and makes it do one system call that no line of ours does, as somebody who took it over
 * would. And what the programs say about themselves.
 *
 * Faces: daemon/broker/sandbox.c daemon/monitor/sandbox.c driver/sandbox.c
 */
#include "tests/e2e/stage.h"

#include "base/cleanup.h"

#include <keyferry/keyferry.h>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
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
	{ "internet socket", SYS_socket, { AF_INET, SOCK_STREAM, 0 }, NULL },
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
