/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/sweep_test.c - An injection is cut at every place: one of its processes is killed with
 * SIGKILL at every APDU boundary, and the card itself at every write, fsync and rename of its
 * state. Afterwards the container is old or new, never half, and the same inject again finishes
 * it or returns the stored receipt. Keys and cargo are made once; each cut starts from a copy.
 *
 * A build with sanitizers cuts at every fifth place. $KF_SWEEP_FULL adds the boundary behind each
 * answer to those before the command and before the answer.
 */
#include "tests/e2e/rig.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct outcome o;

enum { BOUNDARIES_MAX = 64, STEP = HARNESS_SANITIZED ? 5 : 1 };

static void shell(struct rig *rig, const char *command)
{
	char line[1024];

	(void)snprintf(line, sizeof(line), "cd '%s' && { %s; } >mail/shell.log 2>&1", rig->dir,
		       command);
	if (system(line) != 0)
		TEST_FAIL("failed: %s", command);
}

/* A sealed P-256 key for container 3, and the card's state from before any injection. */
static void prepare(struct rig *rig)
{
	rig_open(rig);
	rig_personalise(rig);
	rig_start(rig);
	shell(rig, "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 "
		   "-out mail/k2.pem && chmod 644 mail/k2.pem");
	rig_server(rig, &o, "challenge", "--state", "server", "--device", RIG_SERIAL, "-o",
		   "mail/challenge.json", NULL);
	ASSERT_OK(&o);
	rig_client(rig, NULL, &o, "offer", "--challenge", "mail/challenge.json", "--container", "3",
		   "-o", "mail/offer.json", NULL);
	ASSERT_OK(&o);
	rig_server(rig, &o, "seal", "--state", "server", "--offer", "mail/offer.json", "--key",
		   "mail/k2.pem", "--allow-virtual", "-o", "mail/cargo.json", NULL);
	ASSERT_OK(&o);
	rig_stop_service(rig);
	rig_stop_reader(rig);
	shell(rig, "cp -a card prepared");
}

static void restore(struct rig *rig)
{
	shell(rig, "rm -rf card run/* mail/receipt.json && cp -a prepared card");
}

static void use_reader(struct rig *rig, const char *misbehave)
{
	rig->reader_args[0] = "--level";
	rig->reader_args[1] = "tpdu-t1";
	rig->reader_args[2] = misbehave ? "--misbehave" : NULL;
	rig->reader_args[3] = misbehave;
}

static pid_t start_inject(struct rig *rig)
{
	return rig_spawn(rig, RIG_CLIENT, RIG_PIN, "mail/inject.log", "keyferry", "--socket",
			 rig_path(rig, "run/broker.sock"), "--timeout", "2", "inject",
			 "mail/cargo.json", "--pin-fd", "{pin}", "-o", "mail/receipt.json", NULL);
}

/* Container 3 is empty, or it is whole and signs; then the same inject brings the receipt. */
static void expect_old_or_new(struct rig *rig, const char *where)
{
	bool installed;

	rig_stop_service(rig);
	rig_stop_reader(rig);
	(void)unlink(rig_path(rig, "mail/receipt.json"));
	use_reader(rig, NULL);
	rig->reader_program = NULL;
	rig_start(rig);
	rig_client(rig, NULL, &o, "container", "list", "--json", NULL);
	EXPECT_OK(&o);
	installed = strstr(o.out, "p256") != NULL;

	rig_client(rig, RIG_PIN, &o, "inject", "mail/cargo.json", "--pin-fd", "{pin}", "-o",
		   "mail/receipt.json", NULL);
	if (o.status != 0)
		TEST_FAIL("%s, container was %s: inject again: %s", where,
			  installed ? "new" : "old", o.err);
	rig_server(rig, &o, "receipt", "verify", "--state", "server", "mail/receipt.json", NULL);
	EXPECT_OK(&o);
	rig_stop_service(rig);
	rig_stop_reader(rig);
}

struct stopped {
	pid_t reader, inject;
	int inject_status;
	bool done;
};

static char process_state(pid_t pid)
{
	char path[64], text[512] = "";
	_cleanup_(fd_closep) int fd = -1;
	const char *after;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return 0;
	after = strrchr(text, ')');
	return after && after[1] == ' ' ? after[2] : 0;
}

static bool reader_stopped_or_inject_done(void *data)
{
	struct stopped *s = data;

	if (process_state(s->reader) == 'T')
		return true;
	s->inject_status = rig_reap(s->inject, 0);
	s->done = s->inject_status != -ETIMEDOUT;
	return s->done;
}

/* Clears the way for one cut. Return: false once the injection ends before boundary @n. */
static bool run_to_boundary(struct rig *rig, const char *moment, int n, struct stopped *s)
{
	static char misbehave[32];

	restore(rig);
	(void)snprintf(misbehave, sizeof(misbehave), "%s=%d", moment, n);
	use_reader(rig, misbehave);
	rig_start_reader(rig);
	rig_start_service(rig);
	*s = (struct stopped){ .reader = rig->reader, .inject = start_inject(rig) };
	ASSERT_TRUE(rig_until(reader_stopped_or_inject_done, s, 30000));
	return !s->done;
}

FIXTURE(sweep)
{
	struct rig rig;
};

FIXTURE_VARIANT(sweep)
{
	const char *victim;		/* a program */
};

FIXTURE_VARIANT_ADD(sweep, reader) { .victim = "keyferry-vreader" };
FIXTURE_VARIANT_ADD(sweep, driver) { .victim = "keyferry-driver" };
FIXTURE_VARIANT_ADD(sweep, broker) { .victim = "keyferry-broker" };
FIXTURE_VARIANT_ADD(sweep, monitor) { .victim = "keyferryd" };
FIXTURE_VARIANT_ADD(sweep, client) { .victim = "keyferry" };

FIXTURE_SETUP(sweep)
{
	prepare(&self->rig);
}

FIXTURE_TEARDOWN(sweep)
{
	rig_close(&self->rig);
}

static pid_t victim_pid(struct rig *rig, const char *victim, pid_t inject)
{
	if (strcmp(victim, "keyferry-vreader") == 0)
		return rig->reader;
	if (strcmp(victim, "keyferryd") == 0)
		return rig->service;
	if (strcmp(victim, "keyferry") == 0)
		return inject;
	return rig_pid_of(rig, victim);
}

static void cut_at(struct rig *rig, const char *victim, const char *moment, int n,
		   struct stopped *s)
{
	pid_t pid = victim_pid(rig, victim, s->inject);
	char where[96];

	(void)snprintf(where, sizeof(where), "%s killed at %s of APDU %d", victim, moment, n);
	if (pid <= 0) {
		TEST_FAIL("%s: there is no such process", where);
		return;
	}
	EXPECT_EQ(0, kill(pid, SIGKILL));
	(void)kill(rig->reader, SIGCONT);
	/* Success may only be claimed with a receipt in hand; anything but a hang is an answer. */
	s->inject_status = rig_reap(s->inject, 30000);
	if (s->inject_status == -ETIMEDOUT) {
		TEST_FAIL("%s: inject hangs", where);
		(void)kill(s->inject, SIGKILL);
		(void)rig_reap(s->inject, 5000);
	}
	if (s->inject_status == 0 && access(rig_path(rig, "mail/receipt.json"), F_OK) != 0)
		TEST_FAIL("%s: inject claims success without a receipt", where);
	expect_old_or_new(rig, where);
}

TEST_F_TIMEOUT(sweep, killed_at_every_apdu_boundary_the_container_is_old_or_new, 280)
{
	const char *moments[] = { "stop-before", "stop", getenv("KF_SWEEP_FULL") ? "stop-after" : NULL };
	int cuts = 0;

	for (size_t m = 0; m < 3 && moments[m]; m++) {
		for (int n = 1; n < BOUNDARIES_MAX; n += STEP) {
			struct stopped s;

			if (!run_to_boundary(&self->rig, moments[m], n, &s)) {
				EXPECT_EQ(0, s.inject_status);
				rig_stop_service(&self->rig);
				rig_stop_reader(&self->rig);
				break;
			}
			cut_at(&self->rig, variant->victim, moments[m], n, &s);
			cuts++;
		}
	}
	TEST_LOG("%s: %d cuts", variant->victim, cuts);
	EXPECT_GT(cuts, 10 / STEP);
}

/* The card dies at the @n-th @call. Return: false once it outlives the injection. */
static bool cut_state(struct rig *rig, const char *call, int n)
{
	char script[512], where[96];
	pid_t inject;
	int status;

	restore(rig);
	(void)snprintf(script, sizeof(script),
		       "printf '#!/bin/sh\\nASAN_OPTIONS=detect_leaks=0 exec strace -qq -o mail/cut.log "
		       "-e trace=%s -e inject=%s:signal=SIGKILL:when=%d bin/keyferry-vreader \"$@\"\\n' "
		       ">bin/cut-reader && chmod 755 bin/cut-reader",
		       call, call, n);
	shell(rig, script);
	rig->reader_program = "cut-reader";
	use_reader(rig, NULL);
	rig_start(rig);
	inject = start_inject(rig);
	status = rig_reap(inject, 30000);
	(void)snprintf(where, sizeof(where), "card killed at %s %d", call, n);
	if (status == -ETIMEDOUT) {
		TEST_FAIL("%s: inject hangs", where);
		(void)kill(inject, SIGKILL);
		(void)rig_reap(inject, 5000);
	}
	if (status == 0 && rig_reap(rig->reader, 0) == -ETIMEDOUT) {
		rig_stop_service(rig);
		rig_stop_reader(rig);
		return false;
	}
	rig->reader = 0;
	expect_old_or_new(rig, where);
	return true;
}

TEST_TIMEOUT(killed_at_every_write_fsync_and_rename_of_its_state_the_card_is_old_or_new, 280)
{
	static const char *const calls[] = { "write", "fsync", "renameat" };
	struct rig rig;

	if (system("command -v strace >/dev/null") != 0)
		SKIP("needs strace");
	prepare(&rig);
	for (size_t c = 0; c < sizeof(calls) / sizeof(calls[0]); c++) {
		int n = 1;

		while (n < BOUNDARIES_MAX && cut_state(&rig, calls[c], n))
			n += STEP;
		TEST_LOG("%s: %d cuts", calls[c], (n - 1) / STEP);
		EXPECT_GT(n, 1);
	}
	rig_close(&rig);
}
