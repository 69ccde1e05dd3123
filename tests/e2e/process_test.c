/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/process_test.c - What the processes are and hold (SECURITY section 7): hardened, each
 * with no more descriptors than it was handed, none outliving those it serves; and readers and
 * cards that come and go.
 *
 * Faces: include/base/harden.h
 */
#include "tests/e2e/stage.h"

#include "base/cleanup.h"

#include <keyferry/keyferry.h>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the real programs with the virtual card --- */

FIXTURE(process)
{
	struct stage stage;
	pid_t monitor, broker, driver;
};

FIXTURE_SETUP(process)
{
	struct rig *rig = &self->stage.rig;

	self->stage = (struct stage){ 0 };
	rig_open(rig);
	rig_make_card(rig);
	rig_start(rig);
	self->monitor = rig->service;
	self->broker = rig_pid_of(rig, "keyferry-broker");
	self->driver = rig_pid_of(rig, "keyferry-driver");
	ASSERT_GT(self->broker, 0);
	ASSERT_GT(self->driver, 0);
}

FIXTURE_TEARDOWN(process)
{
	rig_close(&self->stage.rig);
}

static void read_proc(pid_t pid, const char *name, char *out, size_t cap)
{
	char path[64];
	_cleanup_(fd_closep) int fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, out, cap - 1);
	out[n > 0 ? n : 0] = 0;
	ASSERT_LT(0, n);
}

static void expect_hardened(pid_t pid, const char *name)
{
	static const char *const empty[] = { "CapInh", "CapPrm", "CapEff", "CapAmb" };
	char limits[4096], status[4096], path[64], wanted[64];
	const char *core;
	unsigned long long soft = 1, hard = 1;
	struct stat st;

	read_proc(pid, "limits", limits, sizeof(limits));
	read_proc(pid, "status", status, sizeof(status));
	core = strstr(limits, "Max core file size");
	if (!core || sscanf(core + 18, "%llu %llu", &soft, &hard) != 2 || soft || hard)
		TEST_FAIL("%s: may dump core", name);
	if (proc_status(pid, "NoNewPrivs") != 1)
		TEST_FAIL("%s: may gain privileges", name);
	if (proc_status(pid, "Threads") != 1)
		TEST_FAIL("%s: has threads", name);
	if (getuid() != 0)
		return;		/* root's own files in /proc are root's either way */
	/* A process that cannot be dumped has its /proc files owned by root [proc(5)]. */
	(void)snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	ASSERT_EQ(0, stat(path, &st));
	if (st.st_uid != 0)
		TEST_FAIL("%s: can be dumped and traced by its uid", name);
	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
		(void)snprintf(wanted, sizeof(wanted), "%s:\t0000000000000000", empty[i]);
		if (!strstr(status, wanted))
			TEST_FAIL("%s: %s is not empty", name, empty[i]);
	}
}

TEST_F_TIMEOUT(process, each_is_hardened_single_threaded_and_without_capabilities, 30)
{
	expect_hardened(self->monitor, "monitor");
	expect_hardened(self->broker, "broker");
	expect_hardened(self->driver, "driver");
}

/* Descriptors above the standard streams are all of the @allowed kinds, by their links' names. */
static void expect_descriptors(pid_t pid, const char *name, const char *const *allowed)
{
	char path[64], target[256];
	size_t n_seen = 0;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		SKIP("only root sees the descriptors of a hardened process");
	for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
		ssize_t n = readlinkat(dirfd(dir), d->d_name, target, sizeof(target) - 1);
		bool fits = false;

		if (n < 0 || atoi(d->d_name) < 3)
			continue;
		target[n] = 0;
		n_seen++;
		for (const char *const *a = allowed; *a; a++)
			fits |= strncmp(target, *a, strlen(*a)) == 0;
		if (!fits)
			TEST_FAIL("%s: descriptor %s is %s", name, d->d_name, target);
	}
	(void)closedir(dir);
	EXPECT_LT(1, n_seen);
}

TEST_F_TIMEOUT(process, broker_and_driver_hold_sockets_and_no_path, 30)
{
	static const char *const broker[] = { "socket:", "pipe:", "anon_inode:[eventpoll]",
					      "anon_inode:[timerfd]", "/dev/null", NULL };
	static const char *const driver[] = { "socket:", "pipe:", "/dev/null", NULL };

	expect_descriptors(self->broker, "broker", broker);
	expect_descriptors(self->driver, "driver", driver);
}

static bool driver_is_gone(void *data)
{
	return proc_is_gone(((struct fixture_process *)data)->driver);
}

static bool broker_is_gone(void *data)
{
	return proc_is_gone(((struct fixture_process *)data)->broker);
}

TEST_F_TIMEOUT(process, broker_and_drivers_do_not_outlive_the_monitor, 30)
{
	ASSERT_EQ(0, kill(self->monitor, SIGKILL));
	EXPECT_EQ(128 + SIGKILL, rig_reap(self->monitor, 5000));
	self->stage.rig.service = 0;
	EXPECT_TRUE(rig_until(broker_is_gone, self, 3000));
	EXPECT_TRUE(rig_until(driver_is_gone, self, 3000));
	EXPECT_EQ(-ECONNREFUSED, stage_dial(&self->stage, getuid()));
}

TEST_F_TIMEOUT(process, drivers_and_monitor_do_not_outlive_the_broker, 30)
{
	ASSERT_EQ(0, kill(self->broker, SIGKILL));
	EXPECT_TRUE(rig_until(driver_is_gone, self, 3000));
	EXPECT_EQ(1, rig_reap(self->monitor, 5000));
	self->stage.rig.service = 0;
	EXPECT_EQ(-ENOENT, stage_dial(&self->stage, getuid()));
}

struct change {
	uint32_t change;
	char reader[KF_NAME_MAX];
};

struct changes {
	struct kf_client *client;
	struct change all[64];
	size_t n;
	const char *reader;	/* waited for: that change there, after the first @seen */
	uint32_t wanted;
	size_t seen;
};

static void on_change(struct kf_client *client, uint32_t change, const struct kf_reader *reader,
		      void *data)
{
	struct changes *changes = data;

	(void)client;
	ASSERT_LT(changes->n, 64);
	changes->all[changes->n].change = change;
	(void)snprintf(changes->all[changes->n++].reader, KF_NAME_MAX, "%s",
		       reader ? kf_reader_name(reader) : "");
}

static bool has_come(void *data)
{
	struct changes *changes = data;

	(void)kf_client_dispatch(changes->client);
	for (size_t i = changes->seen; i < changes->n; i++)
		if (changes->all[i].change == changes->wanted &&
		    strcmp(changes->all[i].reader, changes->reader) == 0) {
			changes->seen = i + 1;
			return true;
		}
	return false;
}

static void subscribe(struct stage *stage, struct changes *changes)
{
	struct rig *rig = &stage->rig;

	ASSERT_EQ(0, kf_client_new("watcher", &changes->client));
	ASSERT_EQ(0, kf_client_connect_fd(changes->client,
					  stage_dial(stage, rig->uid[RIG_CLIENT])));
	ASSERT_EQ(0, kf_events_subscribe(changes->client, KF_EVENTS_READER | KF_EVENTS_CARD,
					 on_change, changes));
}

/* The next change of interest is @change at @reader, within patience. */
static bool comes(struct changes *changes, const char *reader, uint32_t change)
{
	changes->reader = reader;
	changes->wanted = change;
	return rig_until(has_come, changes, 5000);
}

TEST_F_TIMEOUT(process, each_card_gets_a_driver_of_its_own_and_each_change_is_told, 30)
{
	struct changes changes = { 0 };
	struct kf_context *context = NULL;
	struct kf_card *card = NULL;

	subscribe(&self->stage, &changes);
	ASSERT_EQ(0, kf_context_open(changes.client, "virtual:reader", 0, &context));
	ASSERT_EQ(0, kill(self->stage.rig.reader, SIGUSR1));
	EXPECT_TRUE(comes(&changes, "virtual:reader", KF_CHANGE_CARD_REMOVED));
	EXPECT_TRUE(rig_until(driver_is_gone, self, 3000));
	EXPECT_EQ(-ESTALE, kf_card_read(context, &card));
	ASSERT_EQ(0, kill(self->stage.rig.reader, SIGUSR2));
	EXPECT_TRUE(comes(&changes, "virtual:reader", KF_CHANGE_CARD_INSERTED));
	EXPECT_EQ(-ESTALE, kf_card_read(context, &card));	/* it was the former card's */
	context = kf_context_close(context);
	ASSERT_EQ(0, kf_context_open(changes.client, "virtual:reader", 0, &context));
	EXPECT_EQ(0, kf_card_read(context, &card));
	EXPECT_NE(self->driver, rig_pid_of(&self->stage.rig, "keyferry-driver"));
	kf_card_free(card);
	kf_context_close(context);
	kf_client_free(changes.client);
}

TEST_F_TIMEOUT(process, a_driver_that_is_killed_is_replaced_and_its_context_is_stale, 30)
{
	struct changes changes = { 0 };
	struct kf_context *context = NULL;
	struct kf_card *card = NULL;

	subscribe(&self->stage, &changes);
	ASSERT_EQ(0, kf_context_open(changes.client, "virtual:reader", 0, &context));
	ASSERT_EQ(0, kill(self->driver, SIGKILL));
	EXPECT_TRUE(comes(&changes, "virtual:reader", KF_CHANGE_CARD_REMOVED));
	EXPECT_TRUE(comes(&changes, "virtual:reader", KF_CHANGE_CARD_INSERTED));
	EXPECT_EQ(-ESTALE, kf_card_read(context, &card));
	EXPECT_EQ(KF_REASON_DRIVER_DIED, kf_client_reason(changes.client));
	context = kf_context_close(context);
	EXPECT_EQ(0, kf_context_open(changes.client, "virtual:reader", 0, &context));
	EXPECT_EQ(0, kf_card_read(context, &card));
	kf_card_free(card);
	kf_context_close(context);
	kf_client_free(changes.client);
}

TEST_F_TIMEOUT(process, readers_come_and_go_without_a_restart, 30)
{
	struct changes changes = { 0 };
	struct kf_readers *readers = NULL;

	subscribe(&self->stage, &changes);
	rig_stop_reader(&self->stage.rig);
	EXPECT_TRUE(comes(&changes, "virtual:reader", KF_CHANGE_READER_REMOVED));
	EXPECT_EQ(0, kf_reader_list(changes.client, &readers));
	EXPECT_EQ(0, kf_readers_count(readers));
	readers = kf_readers_free(readers);
	rig_start_reader(&self->stage.rig);
	EXPECT_TRUE(comes(&changes, "virtual:reader", KF_CHANGE_READER_ADDED));
	EXPECT_TRUE(comes(&changes, "virtual:reader", KF_CHANGE_CARD_INSERTED));
	EXPECT_EQ(0, kf_reader_list(changes.client, &readers));
	EXPECT_EQ(1, kf_readers_count(readers));
	kf_readers_free(readers);
	kf_client_free(changes.client);
}

/* --- as many as there may be, with puppets for drivers --- */

TEST_TIMEOUT(sixty_four_readers_have_a_driver_each, 60)
{
	static char names[STAGE_READERS][16];
	static const char *readers[STAGE_READERS + 1];
	static struct stage stage;
	struct packet ask = packet_request(KF_STATUS, 0, 0), reply;
	char options[64];
	int fd;

	for (size_t i = 0; i < STAGE_READERS; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "honest%zu", i);
		readers[i] = names[i];
	}
	stage_open(&stage, readers);
	(void)snprintf(options, sizeof(options), "--grant %u:look,use",
		       (unsigned)stage.rig.uid[RIG_CLIENT]);
	stage_start(&stage, options);
	fd = stage_greet(&stage, stage.rig.uid[RIG_CLIENT]);
	for (size_t i = 0; i < STAGE_READERS; i++) {
		uint64_t context = raw_context(fd, names[i]);

		EXPECT_EQ(0, raw_sign(fd, context, (uint8_t)i, 0, &reply));
		EXPECT_EQ(1, stage_asked_count(&stage, names[i]));	/* nobody else's driver */
		EXPECT_EQ(0, raw_call(fd, KF_CONTEXT_CLOSE, context, &reply));
	}
	EXPECT_EQ(0, raw_ask(fd, &ask, &reply));
	EXPECT_EQ(64 + 2, ((const struct kf_status *)packet_read(&reply))->n_processes);
	stage_close(&stage);
}

TEST_TIMEOUT(a_thousand_connections_fit_into_eight_mebibytes_and_keep_nobody_out, 60)
{
	static const char *const readers[] = { "honest", NULL };
	static struct stage stage;
	struct packet ask = packet_request(KF_STATUS, 0, 0), reply;
	struct rlimit files = { 4096, 4096 };
	char options[192];
	int fds[1024], other;

	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		SKIP("needs 1,100 descriptors");
	stage_open(&stage, readers);
	(void)snprintf(options, sizeof(options), "--limit connections=1024 --grant %u:look "
		       "--grant %u:look", (unsigned)stage.rig.uid[RIG_CLIENT],
		       (unsigned)stage.rig.uid[RIG_STRANGER]);
	stage_start(&stage, options);
	for (size_t i = 0; i < 1000; i++)
		fds[i] = stage_greet(&stage, stage.rig.uid[RIG_CLIENT]);
	EXPECT_EQ(0, raw_ask(fds[999], &ask, &reply));
	EXPECT_EQ(1000, ((const struct kf_status *)packet_read(&reply))->n_clients);
	if (!HARNESS_SANITIZED)
		EXPECT_GT(8 * 1024, proc_status(stage.broker, "VmRSS"));
	/* All places are one uid's: its newest goes for another uid, and none for its own. */
	for (size_t i = 1000; i < 1024; i++)
		fds[i] = stage_greet(&stage, stage.rig.uid[RIG_CLIENT]);
	if (rig_has_uids(&stage.rig)) {
		other = stage_greet(&stage, stage.rig.uid[RIG_STRANGER]);
		EXPECT_EQ(0, raw_ask(other, &ask, &reply));
		EXPECT_EQ(1024, ((const struct kf_status *)packet_read(&reply))->n_clients);
		EXPECT_TRUE(raw_is_cut(fds[1023]));
		EXPECT_EQ(0, raw_ask(fds[1022], &ask, &reply));
		other = stage_dial(&stage, stage.rig.uid[RIG_CLIENT]);
		ASSERT_EQ(0, raw_recv(other, &reply));
		EXPECT_EQ(-EDQUOT, reply.header.result);
		EXPECT_EQ(1024, reply.header.detail);
		EXPECT_EQ(0, raw_ask(fds[1022], &ask, &reply));
	}
	for (size_t i = 0; i < 1024; i++)
		(void)close(fds[i]);
	stage_close(&stage);
}
