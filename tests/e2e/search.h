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

/* Keeps every system call of @pid in DIR/mail/@file.strace from now on. */
void trace_process(const struct rig *rig, pid_t pid, const char *file);
