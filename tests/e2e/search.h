/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/search.h - What the tests that plant a key in a rig share: its numbers as needles, and
 * processes and files that must have none of them.
 */
#pragma once

#include "tests/e2e/needle.h"
#include "tests/e2e/rig.h"

#include <openssl/types.h>

/* What is secret of a pair: each number, and the DER of docs/formats.md 2 without its public part. */
void needles_add_pair(struct needles *needles, EVP_PKEY *key);

/* Fails the test if @pid, called @who, has a needle or has ended; @boundary is where it was stopped. */
void expect_clean(const struct needles *needles, pid_t pid, const char *who, int boundary);
/* The same, but it may end at any moment. */
void expect_clean_unless_over(const struct needles *needles, pid_t pid, const char *who,
			      int boundary);
/* The same for DIR/mail/@name; @names ends with NULL. Each has to be there. */
void expect_clean_files(const struct needles *needles, const struct rig *rig,
			const char *const *names);
/* For controls, which have to hit. */
bool process_has(const struct needles *needles, pid_t pid);

bool process_is_stopped(pid_t pid);
/* Its child whose name begins with @comm, or 0. */
pid_t child_named(pid_t pid, const char *comm);

/**
 * struct search - a service and a program whose memory is searched before each answer of the card
 * @rig:	with a card that is personalised, and nothing running
 * @needles:	what nobody but the card may have
 * @leaked:	what @driver has on purpose, as a control, and nobody else is searched; NULL: it is honest
 * @driver_name: of its program; NULL: keyferry-driver
 * @broker:	from search_begin() on
 * @driver:	likewise
 * @boundaries:	how often was searched
 * @clients:	how often the program was there, too
 * @leaks:	how often @driver had @leaked
 * @status:	exit status of the program
 */
struct search {
	struct rig *rig;
	const struct needles *needles, *leaked;
	const char *driver_name;
	pid_t broker, driver;
	int boundaries, clients, leaks, status;
};

/*
 * Starts a reader that stops before each answer from the first APDU on, when the driver identifies it, and
 * a service, whose processes' system calls are kept in DIR/mail from here on.
 */
void search_begin(struct search *s);
/* Writes DIR/bin/traced, keyferry whose system calls are kept in DIR/mail/client.strace. */
void search_trace_client(const struct rig *rig);
/* Searches at every boundary until @program, strace over a keyferry, has ended. */
void search_run(struct search *s, pid_t program);
/* Searches once more, with the program gone. */
void search_end(struct search *s);
/* Lets the reader run on until @program, which is not looked at, has ended. Return: its exit status. */
int search_let_run(const struct rig *rig, pid_t program);

/* An executable script DIR/@name of two lines, the second being @format. */
void search_script(const struct rig *rig, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
