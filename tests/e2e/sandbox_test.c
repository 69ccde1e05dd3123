/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/sandbox_test.c - The sandboxes of the running programs, from inside: root stops a
 * process and makes it do one system call that no line of ours does, as somebody who took it over
 * would. And what the programs say about themselves.
 *
 * Faces: daemon/broker/sandbox.c driver/sandbox.c
 */
#include "tests/e2e/stage.h"

#include "base/cleanup.h"

#include <keyferry/keyferry.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
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
	bool path;		/* args[0] stands for the address of "/etc/passwd" plus args[0] */
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

		poke(pid, at, "/etc/passwd");
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

FIXTURE_SETUP(sandbox)
{
	struct rig *rig = &self->stage.rig;
	static struct outcome o;

	if (HARNESS_SANITIZED)
		SKIP("builds with sanitizers have no system call filter");
	self->stage = (struct stage){ 0 };
	rig_open(rig);
	rig_run(rig, RIG_SERVICE, NULL, &o, "keyferry-vreader", "personalise", "--state", "card",
		"--serial", RIG_SERIAL, "--pin", RIG_PIN, "--puk", RIG_PUK, NULL);
	ASSERT_OK(&o);
	rig_start(rig);
}

FIXTURE_TEARDOWN(sandbox)
{
	rig_close(&self->stage.rig);
}

/* The driver is started anew each time it dies. */
static pid_t victim(struct rig *rig, const char *program)
{
	pid_t pid = 0;

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
	static const struct forced ask = { "getpid", SYS_getpid, { 0 }, false };
	pid_t pid = victim(&self->stage.rig, variant->program);

	EXPECT_EQ(pid, force(pid, &ask));
	rig_wait_card(&self->stage.rig);	/* and it works on */
	EXPECT_EQ(pid, rig_pid_of(&self->stage.rig, variant->program));
}

static const struct forced forbidden[] = {
	{ "open", SYS_openat, { (uint64_t)AT_FDCWD, 0, O_RDONLY }, true },
	{ "exec", SYS_execve, { 0, 0, 0 }, true },
	{ "fork", SYS_clone, { SIGCHLD, 0, 0 }, false },
	{ "socket", SYS_socket, { AF_UNIX, SOCK_STREAM, 0 }, false },
	{ "ptrace", SYS_ptrace, { PTRACE_TRACEME, 0, 0 }, false },
	{ "kill", SYS_kill, { 1, 0, 0 }, false },
};

static void expect_death(struct rig *rig, const char *program, const struct forced *forced)
{
	pid_t pid = victim(rig, program);
	long r = force(pid, forced);

	TEST_LOG("%s: forced %s: %s", program, forced->name,
		 r == -1000 - SIGSYS ? "killed" : "it lives");
	EXPECT_EQ(-1000 - SIGSYS, r);
}

TEST_F_TIMEOUT(sandbox, a_forbidden_open_kills_it, 60)
{
	expect_death(&self->stage.rig, variant->program, &forbidden[0]);
}

TEST_F_TIMEOUT(sandbox, a_forbidden_call_kills_it, 120)
{
	struct rig *rig = &self->stage.rig;

	for (size_t i = 1; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
		expect_death(rig, variant->program, &forbidden[i]);
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
	line = strstr(o.out, strcmp(variant->program, "keyferry-broker") == 0 ?
		      "process      broker" : "process      driver");
	ASSERT_NOT_NULL(line);
	line = strstr(line, "guards       ");
	ASSERT_NOT_NULL(line);
	for (const char *const *word = (const char *const[]){ "no-new-privs", "undumpable", "no-core",
	     "no-capabilities", "seccomp", "landlock", NULL }; *word; word++) {
		const char *at = strstr(line, *word);

		if (!at || at > strchr(line, '\n'))
			TEST_FAIL("%s is not in force: %.*s", *word, (int)strcspn(line, "\n"), line);
	}
}
