/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The real keyferryd with the real broker, and this test playing the driver: keyferryd starts us
 * again under the name of a driver. KF_BIN names where the programs are; without it they are looked
 * for beside the tests.
 *
 * Faces: daemon/monitor/port_virtual.c
 */
#include "base/cleanup.h"
#include "base/listen.h"
#include "proto/packet.h"
#include "proto/wire.h"
#include "tests/harness.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

FIXTURE(monitor) {
	char dir[64], socket[96], reader[96], driver[96], bin[PATH_MAX], said[96];
	int listener, reader_fd, ready;
	pid_t pid;
};

/* A driver that answers hello, finds a card and serves until its link ends. */
static const char driver_script[] =
	"#!/bin/sh\n"
	"echo $$ >>%s/drivers\n"
	"exec cat <&3 >/dev/null\n";

static void find_bin(struct fixture_monitor *self)
{
	const char *given = getenv("KF_BIN");
	char self_path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self_path, sizeof(self_path) - 1);
	char *tests;

	ASSERT_LT(0, n);
	self_path[n] = '\0';
	tests = strstr(self_path, "/tests/daemon/monitor/");
	if (given)
		snprintf(self->bin, sizeof(self->bin), "%s", given);
	else if (tests)
		snprintf(self->bin, sizeof(self->bin), "%.*s/bin", (int)(tests - self_path),
			 self_path);
	strncat(self->bin, "/keyferryd", sizeof(self->bin) - strlen(self->bin) - 1);
	if (access(self->bin, X_OK) < 0)
		SKIP("no %s", self->bin);
}

static void write_driver(struct fixture_monitor *self)
{
	int fd = open(self->driver, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);

	ASSERT_LE(0, fd);
	ASSERT_LT(0, dprintf(fd, driver_script, self->dir));
	fd_close(fd);
}

static void start(struct fixture_monitor *self)
{
	int ready[2], err;
	char number[16];

	ASSERT_EQ(0, pipe(ready));
	snprintf(number, sizeof(number), "%d", ready[1]);
	self->pid = fork();
	ASSERT_LE(0, self->pid);
	if (self->pid == 0) {
		err = open(self->said, O_CREAT | O_WRONLY | O_APPEND, 0600);
		dup2(err, STDERR_FILENO);
		fd_close(ready[0]);
		execl(self->bin, "keyferryd", "--socket", self->socket, "--virtual", self->reader,
		      "--driver", self->driver, "--ready-fd", number, NULL);
		_exit(127);
	}
	fd_close(ready[1]);
	self->ready = ready[0];
}

static bool wait_ready(struct fixture_monitor *self)
{
	struct pollfd p = { .fd = self->ready, .events = POLLIN };
	char byte;

	return poll(&p, 1, harness_patience_ms(5000)) == 1 && read(self->ready, &byte, 1) == 1;
}

FIXTURE_SETUP(monitor)
{
	find_bin(self);
	strcpy(self->dir, "/tmp/kf-monitor-XXXXXX");
	ASSERT_NOT_NULL(mkdtemp(self->dir));
	snprintf(self->socket, sizeof(self->socket), "%s/broker.sock", self->dir);
	snprintf(self->reader, sizeof(self->reader), "%s/card.sock", self->dir);
	snprintf(self->driver, sizeof(self->driver), "%s/driver", self->dir);
	snprintf(self->said, sizeof(self->said), "%s/said", self->dir);
	write_driver(self);
	self->listener = self->reader_fd = -1;
	start(self);
}
FIXTURE_TEARDOWN(monitor)
{
	char command[128];

	if (self->pid > 0) {
		kill(self->pid, SIGKILL);
		waitpid(self->pid, NULL, 0);
	}
	fd_close(self->listener);
	fd_close(self->reader_fd);
	fd_close(self->ready);
	snprintf(command, sizeof(command), "rm -rf %s", self->dir);
	if (self->dir[0] && system(command) != 0)
		TEST_LOG("could not remove %s", self->dir);
}

static int connect_broker(struct fixture_monitor *self)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, self->socket);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		fd_close(fd);
		return -1;
	}
	return fd;
}

static int call(int fd, struct packet *ask, struct packet *reply, uint8_t *buf)
{
	struct packer p = pack_begin(buf, KF_PACKET_MAX);
	struct bytes frame;

	ASSERT_EQ(0, packet_pack(ask, &p));
	ASSERT_EQ(0, wire_send(fd, pack_done(&p), 0));
	ASSERT_EQ(0, wire_recv(fd, buf, KF_PACKET_MAX, 0, &frame));
	ASSERT_EQ(0, packet_parse(frame, reply));
	return reply->header.result;
}

static int hello(struct fixture_monitor *self, uint8_t *buf)
{
	struct packet ask = packet_request(KF_HELLO, 1, 0), reply;
	int fd = connect_broker(self);

	ASSERT_LE(0, fd);
	((struct kf_hello *)packet_body(&ask))->version = KF_PROTO_VERSION;
	((struct kf_hello *)packet_body(&ask))->max_packet = KF_PACKET_MAX;
	EXPECT_EQ(0, call(fd, &ask, &reply, buf));
	return fd;
}

/* Number of readers, once it is @want; or the last number seen. */
static uint32_t readers(struct fixture_monitor *self, uint32_t want)
{
	uint8_t *buf = malloc(KF_PACKET_MAX);
	int fd = hello(self, buf);
	uint32_t n = 0;

	for (uint32_t i = 2; i < (uint32_t)harness_patience_ms(3000) / 10; i++) {
		struct packet ask = packet_request(KF_READER_LIST, i, 0), reply;

		EXPECT_EQ(0, call(fd, &ask, &reply, buf));
		n = ((const struct kf_reader_list *)packet_read(&reply))->n_readers;
		if (n == want)
			break;
		usleep(10000);
	}
	fd_close(fd);
	free(buf);
	return n;
}

static void open_reader(struct fixture_monitor *self)
{
	self->listener = listen_open(self->reader, 0666, 8);
	ASSERT_LE(0, self->listener);
}

static bool reader_called(struct fixture_monitor *self)
{
	struct pollfd p = { .fd = self->listener, .events = POLLIN };

	if (poll(&p, 1, harness_patience_ms(5000)) != 1)
		return false;
	fd_close(self->reader_fd);
	self->reader_fd = accept4(self->listener, NULL, NULL, SOCK_CLOEXEC);
	return self->reader_fd >= 0;
}

static pid_t last_driver(struct fixture_monitor *self)
{
	char path[96];
	int pid = 0;

	snprintf(path, sizeof(path), "%s/drivers", self->dir);
	for (int i = 0; i < harness_patience_ms(3000) / 10 && pid == 0; i++) {
		FILE *file = fopen(path, "re");

		while (file && fscanf(file, "%d", &pid) == 1)
			;
		if (file)
			fclose(file);
		if (pid == 0)
			usleep(10000);
	}
	return pid;
}

/* A container's init may not reap what is left to it, so a zombie counts as gone. */
static bool gone(pid_t pid)
{
	for (int i = 0; i < harness_patience_ms(5000) / 10; i++) {
		char path[32], state = 'Z';
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		file = fopen(path, "re");
		if (!file)
			return true;
		if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
			state = 'Z';
		fclose(file);
		if (state == 'Z')
			return true;
		usleep(10000);
	}
	return false;
}

TEST_F(monitor, it_says_when_it_serves_and_ends_cleanly)
{
	struct stat st;
	int status;

	ASSERT_TRUE(wait_ready(self));
	fd_close(connect_broker(self));
	kill(self->pid, SIGTERM);
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, 0));
	self->pid = 0;
	EXPECT_EQ(0, status);
	EXPECT_EQ(-1, access(self->socket, F_OK));
	ASSERT_EQ(0, stat(self->said, &st));
	EXPECT_EQ(0, st.st_size);		/* silent between start and stop */
}

TEST_F(monitor, a_reader_that_appears_later_is_picked_up_and_one_that_closes_is_gone)
{
	ASSERT_TRUE(wait_ready(self));
	EXPECT_EQ(0u, readers(self, 0));
	open_reader(self);
	ASSERT_TRUE(reader_called(self));
	EXPECT_EQ(1u, readers(self, 1));
	self->listener = fd_close(self->listener);
	self->reader_fd = fd_close(self->reader_fd);
	(void)unlink(self->reader);
	kill(last_driver(self), SIGTERM);
	EXPECT_EQ(0u, readers(self, 0));
	open_reader(self);
	EXPECT_TRUE(reader_called(self));
}

TEST_F(monitor, a_driver_that_dies_is_replaced_on_a_fresh_connection)
{
	ASSERT_TRUE(wait_ready(self));
	open_reader(self);
	ASSERT_TRUE(reader_called(self));
	kill(last_driver(self), SIGKILL);
	EXPECT_TRUE(reader_called(self));
	EXPECT_EQ(1u, readers(self, 1));
}

/* The script never says hello back; what is on its link ends with the broker. */
TEST_F(monitor, killing_it_ends_broker_and_driver)
{
	pid_t driver;
	int fd;

	ASSERT_TRUE(wait_ready(self));
	open_reader(self);
	ASSERT_TRUE(reader_called(self));
	driver = last_driver(self);
	fd = connect_broker(self);
	kill(self->pid, SIGKILL);
	waitpid(self->pid, NULL, 0);
	self->pid = 0;
	EXPECT_TRUE(gone(driver));
	struct pollfd p = { .fd = fd, .events = POLLIN };
	EXPECT_EQ(1, poll(&p, 1, harness_patience_ms(5000)));	/* the broker's end */
	fd_close(fd);
}

TEST_F(monitor, a_brokers_death_ends_it_with_an_error)
{
	uint8_t *buf = malloc(KF_PACKET_MAX);
	struct packet ask = packet_request(KF_STATUS, 2, 0), reply;
	struct kf_process_entry row;
	int fd, status;

	ASSERT_TRUE(wait_ready(self));
	fd = hello(self, buf);
	ASSERT_EQ(0, call(fd, &ask, &reply, buf));
	memcpy(&row, packet_get(&reply, kf_status, processes).p + sizeof(row), sizeof(row));
	ASSERT_EQ((uint32_t)KF_ROLE_BROKER, row.role);
	kill((pid_t)row.pid, SIGKILL);
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, 0));
	self->pid = 0;
	EXPECT_EQ(1, WEXITSTATUS(status));
	fd_close(fd);
	free(buf);
}

TEST_F(monitor, a_second_one_does_not_take_the_socket_away)
{
	pid_t first, second;
	int status;

	ASSERT_TRUE(wait_ready(self));
	first = self->pid;
	fd_close(self->ready);
	start(self);
	second = self->pid;
	self->pid = first;
	ASSERT_EQ(second, waitpid(second, &status, 0));
	EXPECT_EQ(1, WEXITSTATUS(status));
	EXPECT_EQ(0u, readers(self, 0));
}

static bool reader_list_says(struct fixture_monitor *self, const char *words)
{
	char command[PATH_MAX + 256];
	bool found = false;

	snprintf(command, sizeof(command), "%.*s/keyferry --socket %s reader list",
		 (int)(strlen(self->bin) - strlen("/keyferryd")), self->bin, self->socket);
	for (int i = 0; i < harness_patience_ms(5000) / 100 && !found; i++) {
		char line[512];
		FILE *out = popen(command, "re");

		while (out && fgets(line, sizeof(line), out))
			found |= strstr(line, words) != NULL;
		if (out)
			(void)pclose(out);
		if (!found)
			usleep(100000);
	}
	return found;
}

/* Connections that nobody accepts, until the next one would wait. */
static size_t fill_backlog(const char *path, int *fds, size_t max)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t n;

	strcpy(addr.sun_path, path);
	for (n = 0; n < max; n++) {
		fds[n] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (connect(fds[n], (struct sockaddr *)&addr, sizeof(addr)) < 0)
			break;
	}
	fd_close(fds[n]);
	return n;
}

TEST_F_TIMEOUT(monitor, a_virtual_reader_with_a_full_backlog_is_busy_and_tried_again, 30)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char other[112];
	int fds[64];
	size_t n;

	ASSERT_TRUE(wait_ready(self));
	/* Filled under another name, so that nobody is early. */
	snprintf(other, sizeof(other), "%s/other", self->dir);
	strcpy(addr.sun_path, other);
	self->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, bind(self->listener, (struct sockaddr *)&addr, sizeof(addr)));
	ASSERT_EQ(0, listen(self->listener, 2));
	n = fill_backlog(other, fds, 63);
	ASSERT_LT(n, 63u);
	ASSERT_EQ(0, rename(other, self->reader));
	EXPECT_EQ(1u, readers(self, 1));
	EXPECT_TRUE(reader_list_says(self, "busy elsewhere"));
	for (size_t i = 0; i < n; i++) {
		fd_close(accept(self->listener, NULL, NULL));
		fd_close(fds[i]);
	}
	EXPECT_TRUE(reader_called(self));
	EXPECT_TRUE(reader_list_says(self, "starting"));
}

TEST_F_TIMEOUT(monitor, a_directory_that_is_made_anew_is_seen, 30)
{
	char command[512];

	ASSERT_TRUE(wait_ready(self));
	kill(self->pid, SIGTERM);
	waitpid(self->pid, NULL, 0);
	fd_close(self->ready);
	snprintf(command, sizeof(command), "mkdir -p %s/a/b/c", self->dir);
	ASSERT_EQ(0, system(command));
	snprintf(self->reader, sizeof(self->reader), "%s/a/b/c/card.sock", self->dir);
	start(self);
	ASSERT_TRUE(wait_ready(self));
	for (int i = 0; i < 3; i++) {
		open_reader(self);
		ASSERT_TRUE(reader_called(self));
		EXPECT_EQ(1u, readers(self, 1));
		self->listener = fd_close(self->listener);
		snprintf(command, sizeof(command), i == 1 ? "mv %s/a %s/z" : "rm -r %s/a",
			 self->dir, self->dir);
		ASSERT_EQ(0, system(command));
		self->reader_fd = fd_close(self->reader_fd);
		kill(last_driver(self), SIGTERM);
		EXPECT_EQ(0u, readers(self, 0));
		usleep(50000);
		snprintf(command, sizeof(command), "mkdir -p %s/a/b/c", self->dir);
		ASSERT_EQ(0, system(command));
	}
}

/* How often a process went to sleep, which is how often it was woken. */
static long sleeps(pid_t pid)
{
	char path[64], line[128];
	long n = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		(void)sscanf(line, "voluntary_ctxt_switches: %ld", &n);
	if (file)
		fclose(file);
	return n;
}

static pid_t broker_pid(struct fixture_monitor *self)
{
	uint8_t *buf = malloc(KF_PACKET_MAX);
	struct packet ask = packet_request(KF_STATUS, 2, 0), reply;
	struct kf_process_entry row;
	int fd = hello(self, buf);

	ASSERT_EQ(0, call(fd, &ask, &reply, buf));
	memcpy(&row, packet_get(&reply, kf_status, processes).p + sizeof(row), sizeof(row));
	fd_close(fd);
	free(buf);
	return (pid_t)row.pid;
}

TEST_F_TIMEOUT(monitor, monitor_and_broker_do_not_wake_up_while_nothing_happens, 20)
{
	pid_t broker;
	long monitor_before, broker_before;

	ASSERT_TRUE(wait_ready(self));
	open_reader(self);
	ASSERT_TRUE(reader_called(self));
	EXPECT_EQ(1u, readers(self, 1));
	broker = broker_pid(self);
	usleep(1200000);		/* what was begun is over */
	monitor_before = sleeps(self->pid);
	broker_before = sleeps(broker);
	ASSERT_LT(0, monitor_before);
	ASSERT_LT(0, broker_before);
	sleep(3);
	EXPECT_EQ(monitor_before, sleeps(self->pid));
	EXPECT_EQ(broker_before, sleeps(broker));
}
