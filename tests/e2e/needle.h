/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/needle.h - Looks for planted secrets in the memory of running processes and in files.
 * A secret is looked for by every aligned 16-byte window of its big- and little-endian bytes, of
 * their hexadecimal digits in both cases, and of their base64 and base64url text in all three
 * phases. OpenSSL keeps big numbers as little-endian limbs, so both orders matter.
 */
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <sys/types.h>

struct needles;

struct needles *needles_new(void);
struct needles *needles_free(struct needles *needles);

/* Adds all forms of @secret, of 12 bytes at least; @name is for the report, and is borrowed. */
void needles_add(struct needles *needles, const char *name, struct bytes secret);

/* Name of the first needle that is in @hay, or NULL. */
const char *needles_find(const struct needles *needles, struct bytes hay);

/*
 * Name of the first needle in the readable memory of @pid, or NULL, its programs' code and constants
 * left out; the caller has stopped the process or can bear a race. -errno in *@error if the memory cannot be read.
 */
const char *needles_find_in_process(const struct needles *needles, pid_t pid, int *error);

/* The same for a file; "\x" is dropped first, so that strace -xx output reads as hexadecimal. */
const char *needles_find_in_file(const struct needles *needles, const char *path);

/* Whether @pid owns a memfd_secret mapping, inside of which no search can look. */
bool process_has_memfd_secret(pid_t pid);
