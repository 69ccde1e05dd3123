/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/rig.h - A whole keyferry in a temporary folder: virtual card, reader, service, server
 * and client, each under a uid of its own when the test runs as root, under one uid otherwise.
 * Programs are the real ones, copied beside each other so that every uid can reach them.
 *
 *	card/	state of the virtual card	(service uid, 0700)
 *	run/	sockets of reader and service	(service uid)
 *	server/	state of the server		(server uid, 0700)
 *	client/	what the client alone may read	(client uid, 0700)
 *	mail/	the files that travel		(anybody)
 */
#pragma once

#include "tests/harness.h"

#include <sys/types.h>

#define RIG_PIN "correct-horse-42"		/* long enough to be searched for */
#define RIG_PUK "battery-staple-77"
#define RIG_SERIAL "KF-RIG-0001"

enum rig_who { RIG_ROOT, RIG_SERVICE, RIG_CLIENT, RIG_SERVER, RIG_STRANGER, RIG_PARTIES };

struct rig {
	char dir[128];
	uid_t uid[RIG_PARTIES];
	pid_t reader;			/* keyferry-vreader run */
	pid_t service;			/* keyferryd */
	const char *reader_program;	/* in DIR/bin; NULL: keyferry-vreader */
	bool shares_keys;		/* the card gets SHARED keys of the server's */
	const char *reader_args[8];	/* further options of the next reader start, NULL-ended */
	const char *service_args[8];
};

/* What a program left behind. */
struct outcome {
	int status;			/* exit status, or 128 + signal */
	char out[32768];
	char err[8192];
};

void rig_open(struct rig *rig);
void rig_close(struct rig *rig);	/* kills everything, removes the folder */

/* True if this rig separates the parties by uid. */
bool rig_has_uids(const struct rig *rig);

/* "DIR/name" in a buffer that the next seven calls leave alone. */
const char *rig_path(const struct rig *rig, const char *name);

/*
 * Runs DIR/bin/@program as @who, from DIR, with its stdin empty. An argument "{pin}" becomes the
 * number of a descriptor from which @pin can be read. Ends the test if it takes over a minute
 * (more under sanitizers). The argument list ends with NULL.
 */
void rig_run(struct rig *rig, enum rig_who who, const char *pin, struct outcome *out,
	     const char *program, ...);

/* The same without waiting; rig_reap() ends it. */
pid_t rig_spawn(struct rig *rig, enum rig_who who, const char *pin, const char *out_file,
		const char *program, ...);
int rig_reap(pid_t pid, int patience_ms);	/* status as in struct outcome; -ETIMEDOUT */

/* A line for /bin/sh, as root or whoever runs the test. Return: its exit status, or 128 and more. */
int rig_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Like the tool run by the client, with socket and reader named. */
void rig_client(struct rig *rig, const char *pin, struct outcome *out, ...);
void rig_server(struct rig *rig, struct outcome *out, ...);

void rig_make_card(struct rig *rig);		/* alone, without a server */
void rig_personalise(struct rig *rig);		/* server init, card with its injector, enrolled */
void rig_start_reader(struct rig *rig);
void rig_start_service(struct rig *rig);
void rig_start(struct rig *rig);		/* both, and waits until the card can be seen */
void rig_stop_reader(struct rig *rig);
void rig_stop_service(struct rig *rig);
void rig_wait_card(struct rig *rig);

/* Pid of the one child program of the service called @name, 0 if there is none. */
pid_t rig_pid_of(const struct rig *rig, const char *name);

/* Waits until @claim(data) holds; false when patience runs out. */
bool rig_until(bool (*claim)(void *data), void *data, int patience_ms);

/* Expectations on an outcome that print what the program said when they fail. */
void rig_expect_ok(struct harness_place at, const struct outcome *outcome);
void rig_assert_ok(struct harness_place at, const struct outcome *outcome);
#define EXPECT_OK(o) rig_expect_ok(HARNESS_AT("exit status 0", #o), o)
#define ASSERT_OK(o) rig_assert_ok(HARNESS_AT("exit status 0", #o), o)
