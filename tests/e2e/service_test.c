/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/service_test.c - keyferry as a service of two units: broker and monitor as two users,
 * none of them root, started by the first client through sockets that a service manager (played by
 * launcher.c) keeps; new rules without dropping clients; leaving when idle; ending together.
 */
#include "tests/e2e/stage.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BROKER_UID 61021

FIXTURE(service)
{
	struct stage stage;
	pid_t launcher;
	char conf[160];
};

/* @reader: its socket, in the rig's folder. */
static void configure_with(struct fixture_service *self, const char *reader, const char *service,
			   const char *rules)
{
	char text[1024], next[170];
	int fd, n;

	n = snprintf(text, sizeof(text),
		     "[service]\n%s\n[virtual]\npath = %s\n[policy]\nshipped-rules = no\n"
		     "[rule client]\nuser = %u\nallow = look use inject create delete\n%s",
		     service, rig_path(&self->stage.rig, reader),
		     self->stage.rig.uid[RIG_CLIENT], rules);
	(void)snprintf(next, sizeof(next), "%s.new", self->conf);
	fd = open(next, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
	ASSERT_LE(0, fd);
	ASSERT_EQ(n, write(fd, text, (size_t)n));
	fd_close(fd);
	ASSERT_EQ(0, rename(next, self->conf));
}

static void configure(struct fixture_service *self, const char *service, const char *rules)
{
	configure_with(self, "run/reader.sock", service, rules);
}

FIXTURE_SETUP(service)
{
	struct rig *rig = &self->stage.rig;

	if (getuid() != 0)
		SKIP("needs root to start programs as two other users");
	self->stage = (struct stage){ 0 };
	rig_open(rig);
	/* To a monitor that only has its own uid, others' folders are no place for a socket. */
	(void)snprintf(self->conf, sizeof(self->conf), "%s", rig_path(rig, "keyferryd.conf"));
	rig_make_card(rig);
	rig_start_reader(rig);
}

static bool is_listening(void *data)
{
	struct fixture_service *self = data;

	return access(rig_path(&self->stage.rig, "run/notify"), F_OK) == 0;
}

static void launch(struct fixture_service *self)
{
	const char *build = getenv("KF_BUILD");
	char program[512], uid[2][16];
	int out;

	(void)snprintf(program, sizeof(program), "%s/tests/e2e/launcher", build);
	(void)snprintf(uid[0], sizeof(uid[0]), "%u", BROKER_UID);
	(void)snprintf(uid[1], sizeof(uid[1]), "%u", self->stage.rig.uid[RIG_SERVICE]);
	self->launcher = fork();
	ASSERT_LE(0, self->launcher);
	if (self->launcher == 0) {
		out = open(rig_path(&self->stage.rig, "mail/launcher.log"),
			   O_CREAT | O_WRONLY | O_APPEND, 0644);
		(void)dup2(out, 1);
		(void)dup2(out, 2);
		execl(program, "launcher", self->stage.rig.dir, uid[0], uid[1], self->conf, NULL);
		_exit(127);
	}
	ASSERT_TRUE(rig_until(is_listening, self, 10000));
}

FIXTURE_TEARDOWN(service)
{
	if (self->launcher > 0) {
		(void)kill(self->launcher, SIGTERM);
		if (rig_reap(self->launcher, 10000) == -ETIMEDOUT)
			(void)kill(self->launcher, SIGKILL);
	}
	if (self->stage.rig.dir[0])
		rig_close(&self->stage.rig);
}

static size_t logged(struct fixture_service *self, const char *text)
{
	return stage_count_in(&self->stage, "mail/launcher.log", text);
}

struct wish {
	struct fixture_service *self;
	const char *text;
	size_t count;
};

static bool is_logged(void *data)
{
	const struct wish *wish = data;

	return logged(wish->self, wish->text) >= wish->count;
}

static void expect_logged(struct fixture_service *self, const char *text, size_t count)
{
	struct wish wish = { self, text, count };
	static char log[8192];
	int fd;
	ssize_t n;

	if (rig_until(is_logged, &wish, 8000))
		return;
	fd = open(rig_path(&self->stage.rig, "mail/launcher.log"), O_RDONLY | O_CLOEXEC);
	n = read(fd, log, sizeof(log) - 1);
	log[n > 0 ? n : 0] = 0;
	fd_close(fd);
	TEST_LOG("not %zu times '%s' in:\n%s", count, text, log);
	ASSERT_TRUE(false);
}

static void client_works(struct fixture_service *self)
{
	static struct outcome o;

	rig_client(&self->stage.rig, NULL, &o, "reader", "wait", "--timeout", "20", NULL);
	EXPECT_OK(&o);
}

/* Pid of a child of ours at any depth. */
static pid_t pid_in_status(struct fixture_service *self, const char *role)
{
	static struct outcome o;
	char pattern[32];
	const char *at;

	rig_client(&self->stage.rig, NULL, &o, "status", NULL);
	ASSERT_OK(&o);
	(void)snprintf(pattern, sizeof(pattern), "%s pid=", role);
	at = strstr(o.out, pattern);
	return at ? (pid_t)atoi(at + strlen(pattern)) : 0;
}

static bool has_driver(void *data)
{
	return pid_in_status(data, "driver") > 0;
}

static void expect_plain_user(pid_t pid, uid_t uid)
{
	static const char *const no_capability[] = { "CapInh", "CapPrm", "CapEff", "CapAmb" };
	char path[64], text[4096] = "", wanted[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LT(0, read(fd, text, sizeof(text) - 1));
	fd_close(fd);
	(void)snprintf(wanted, sizeof(wanted), "Uid:\t%u\t%u\t%u\t%u\n", uid, uid, uid, uid);
	EXPECT_NOT_NULL(strstr(text, wanted));
	for (int i = 0; i < 4; i++) {
		(void)snprintf(wanted, sizeof(wanted), "%s:\t0000000000000000\n", no_capability[i]);
		EXPECT_NOT_NULL(strstr(text, wanted));
	}
}

TEST_F_TIMEOUT(service, the_first_client_starts_it_and_no_process_is_root, 60)
{
	static struct outcome o;

	configure(self, "", "");
	launch(self);
	EXPECT_EQ(0u, logged(self, "start for"));
	client_works(self);
	EXPECT_EQ(1u, logged(self, "start for a client"));
	expect_logged(self, "notify READY=1", 2);	/* broker and monitor */
	ASSERT_TRUE(rig_until(has_driver, self, 10000));
	expect_plain_user(pid_in_status(self, "broker"), BROKER_UID);
	expect_plain_user(pid_in_status(self, "monitor"), self->stage.rig.uid[RIG_SERVICE]);
	expect_plain_user(pid_in_status(self, "driver"), self->stage.rig.uid[RIG_SERVICE]);
	rig_client(&self->stage.rig, NULL, &o, "status", NULL);
	EXPECT_NULL(strstr(o.out, "development"));
}

TEST_F_TIMEOUT(service, a_reader_starts_it_too, 60)
{
	configure(self, "", "");
	launch(self);
	ASSERT_EQ(0, kill(self->launcher, SIGUSR1));
	expect_logged(self, "notify READY=1", 2);
	client_works(self);
	EXPECT_EQ(1u, logged(self, "start for"));
}

TEST_F_TIMEOUT(service, idle_it_leaves_and_no_client_is_lost_by_that, 120)
{
	configure(self, "idle-stop = 1s", "");
	launch(self);
	client_works(self);
	expect_logged(self, "stopped", 1);
	EXPECT_EQ(1u, logged(self, "ended with status 0"));
	/* Clients that come just before, while and just after it leaves. */
	for (int i = 0; i < 12; i++) {
		client_works(self);
		usleep((useconds_t)(850000 + 30000 * i));
	}
	EXPECT_LT(2u, logged(self, "start for a client"));
	EXPECT_EQ(0u, logged(self, "ended with signal"));
}

/* --- reload --- */

static pid_t monitor_of(struct fixture_service *self)
{
	return pid_in_status(self, "monitor");
}

static uint32_t policy_seen(int fd)
{
	struct packet reply;

	ASSERT_EQ(0, raw_call(fd, KF_STATUS, 0, &reply));
	return ((const struct kf_status *)packet_read(&reply))->policy;
}

struct version {
	int fd;
	uint32_t version;
};

static bool has_version(void *data)
{
	const struct version *want = data;

	return policy_seen(want->fd) == want->version;
}

TEST_F_TIMEOUT(service, new_rules_count_at_once_and_no_client_is_dropped, 60)
{
	struct version want = { .version = 2 };
	struct packet reply, open = packet_request(KF_CONTEXT_OPEN, 0, 0);
	uint64_t context;
	pid_t monitor;

	configure(self, "", "[rule us]\nuser = 0\nallow = look\n");
	launch(self);
	ASSERT_TRUE(rig_until(has_driver, self, 10000));
	monitor = monitor_of(self);
	want.fd = stage_greet(&self->stage, 0);
	((struct kf_context_open *)packet_body(&open))->flags = KF_OPEN_WAIT;
	ASSERT_EQ(0, raw_ask(want.fd, &open, &reply));
	context = ((const struct kf_context_open *)packet_read(&reply))->context;
	EXPECT_EQ(-EACCES, raw_call(want.fd, KF_TXN_BEGIN, context, &reply));

	configure(self, "", "[rule us]\nuser = 0\nallow = look use\n");
	ASSERT_EQ(0, kill(monitor, SIGHUP));
	EXPECT_TRUE(rig_until(has_version, &want, 10000));
	EXPECT_EQ(0, raw_call(want.fd, KF_TXN_BEGIN, context, &reply));	/* the same handle */
	EXPECT_EQ(0, raw_call(want.fd, KF_TXN_END, context, &reply));

	configure(self, "", "[rule us]\nuser = 0\nreader = usb:*\nallow = look use\n");
	ASSERT_EQ(0, kill(monitor, SIGHUP));
	want.version = 3;
	EXPECT_TRUE(rig_until(has_version, &want, 10000));
	EXPECT_EQ(-EACCES, raw_call(want.fd, KF_TXN_BEGIN, context, &reply));
	EXPECT_EQ(KF_REASON_RIGHT_HERE, reply.header.reason);
	EXPECT_EQ(0, raw_call(want.fd, KF_CONTEXT_CLOSE, context, &reply));
	fd_close(want.fd);
}

static bool has_the_reader(void *data)
{
	struct kf_reader_entry entry;

	return raw_reader(*(int *)data, "virtual:reader", &entry);
}

static bool has_not(void *data)
{
	return !has_the_reader(data);
}

TEST_F_TIMEOUT(service, virtual_readers_come_and_go_with_the_file, 60)
{
	pid_t monitor;
	int fd;

	configure_with(self, "run/another.sock", "", "");
	launch(self);
	monitor = monitor_of(self);
	fd = stage_greet(&self->stage, self->stage.rig.uid[RIG_CLIENT]);
	EXPECT_FALSE(has_the_reader(&fd));
	for (int i = 0; i < 2; i++) {
		configure(self, "", "");
		ASSERT_EQ(0, kill(monitor, SIGHUP));
		EXPECT_TRUE(rig_until(has_the_reader, &fd, 10000));
		client_works(self);
		configure_with(self, "run/another.sock", "", "");
		ASSERT_EQ(0, kill(monitor, SIGHUP));
		EXPECT_TRUE(rig_until(has_not, &fd, 10000));
	}
	fd_close(fd);
}

TEST_F_TIMEOUT(service, a_virtual_reader_that_is_back_at_once_has_its_name, 60)
{
	pid_t monitor, driver;
	int fd;

	configure(self, "", "");
	launch(self);
	client_works(self);
	monitor = monitor_of(self);
	driver = pid_in_status(self, "driver");
	fd = stage_greet(&self->stage, self->stage.rig.uid[RIG_CLIENT]);
	ASSERT_EQ(0, kill(driver, SIGSTOP));		/* it takes its time to leave */
	configure_with(self, "run/another.sock", "", "");
	ASSERT_EQ(0, kill(monitor, SIGHUP));
	EXPECT_TRUE(rig_until(has_not, &fd, 10000));
	configure(self, "", "");
	ASSERT_EQ(0, kill(monitor, SIGHUP));
	EXPECT_TRUE(rig_until(has_the_reader, &fd, 10000));
	client_works(self);
	fd_close(fd);
}

/* A reader of another user's, in a folder of that user's. */
static pid_t start_guest(struct rig *rig)
{
	char command[512];

	(void)snprintf(command, sizeof(command),
		       "cd '%s' && mkdir guest && cp -R card guest/card && chown -R %u guest", rig->dir,
		       rig->uid[RIG_SERVER]);
	ASSERT_EQ(0, system(command));	
	return rig_spawn(rig, RIG_SERVER, NULL, "mail/guest.log", "keyferry-vreader", "run",
			 "--state", "guest/card", "--listen", "guest/reader.sock",
			 "--socket-mode", "0666", NULL);
}

static void configure_guest(struct fixture_service *self, uid_t owner)
{
	char reader[64];

	(void)snprintf(reader, sizeof(reader), "guest/reader.sock\nowner = %u", owner);
	configure_with(self, reader, "", "");
}

TEST_F_TIMEOUT(service, a_reload_with_another_owner_judges_virtual_readers_anew, 60)
{
	struct rig *rig = &self->stage.rig;
	pid_t guest = start_guest(rig), monitor;
	int fd;

	configure_guest(self, rig->uid[RIG_SERVER]);
	launch(self);
	monitor = monitor_of(self);
	fd = stage_greet(&self->stage, rig->uid[RIG_CLIENT]);
	for (int i = 0; i < 2; i++) {
		EXPECT_TRUE(rig_until(has_the_reader, &fd, 10000));
		client_works(self);
		configure_guest(self, BROKER_UID);
		ASSERT_EQ(0, kill(monitor, SIGHUP));
		EXPECT_TRUE(rig_until(has_not, &fd, 10000));
		configure_guest(self, rig->uid[RIG_SERVER]);
		ASSERT_EQ(0, kill(monitor, SIGHUP));
	}
	fd_close(fd);
	(void)kill(guest, SIGTERM);
	(void)rig_reap(guest, 10000);
}

TEST_F_TIMEOUT(service, a_broken_file_at_reload_changes_nothing_and_is_told, 60)
{
	struct packet reply;
	int fd;

	configure(self, "", "[rule us]\nuser = 0\nallow = look\n");
	launch(self);
	client_works(self);
	fd = stage_greet(&self->stage, 0);
	configure(self, "", "[rule us]\nuser = 0\nallow = everything\n");
	ASSERT_EQ(0, kill(monitor_of(self), SIGHUP));
	expect_logged(self, "keyferryd.conf:12: allow = everything: not one of: look use", 1);
	expect_logged(self, "nothing of it is taken; policy 1 stays in force", 1);
	EXPECT_EQ(1u, policy_seen(fd));
	chmod(self->conf, 0666);
	ASSERT_EQ(0, kill(monitor_of(self), SIGHUP));
	expect_logged(self, "others than root could change it", 1);
	EXPECT_EQ(0, raw_call(fd, KF_STATUS, 0, &reply));
	fd_close(fd);
}

TEST_F_TIMEOUT(service, a_broken_file_at_start_is_refused_with_the_reason, 60)
{
	int fd;

	configure(self, "idle-stop = whenever", "");
	launch(self);
	fd = stage_dial(&self->stage, 0);
	expect_logged(self, "keyferryd.conf:2: idle-stop = whenever: 'never', or how long", 1);
	expect_logged(self, "keyferryd ended with status 78", 1);
	fd_close(fd);
}

/* --- ends --- */

static bool is_gone(void *data)
{
	return proc_is_gone(*(const pid_t *)data);
}

TEST_F_TIMEOUT(service, death_of_the_one_ends_the_other_and_the_next_client_finds_both_again, 60)
{
	static const char *const who[] = { "monitor", "broker" };
	pid_t pid[2], driver;

	configure(self, "", "");
	launch(self);
	for (size_t i = 0; i < 2; i++) {
		client_works(self);
		ASSERT_TRUE(rig_until(has_driver, self, 10000));
		driver = pid_in_status(self, "driver");
		pid[0] = pid_in_status(self, who[i]);
		pid[1] = pid_in_status(self, who[!i]);
		ASSERT_EQ(0, kill(pid[0], SIGKILL));
		expect_logged(self, "stopped", i + 1);
		EXPECT_TRUE(rig_until(is_gone, &pid[1], 8000));
		EXPECT_TRUE(rig_until(is_gone, &driver, 8000));
	}
	client_works(self);
	EXPECT_EQ(3u, logged(self, "start for a client"));
}

TEST_F_TIMEOUT(service, nobody_but_the_monitor_reaches_the_socket_between_them, 60)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	pid_t pid;
	int fd;

	configure(self, "", "");
	launch(self);
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s",
		       rig_path(&self->stage.rig, "run/monitor.sock"));
	pid = fork();
	if (pid == 0) {
		fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
		if (setresuid(BROKER_UID, BROKER_UID, BROKER_UID) < 0)
			_exit(99);
		_exit(connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? errno : 0);
	}
	EXPECT_EQ(EACCES, rig_reap(pid, 5000));
	/* Root may, and is told apart by its uid; the broker it starts waits for the right one. */
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
	expect_logged(self, "uid=0: refused, it is not the monitor", 1);
	client_works(self);
	fd_close(fd);
}
