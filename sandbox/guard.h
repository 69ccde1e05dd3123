/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sandbox/guard.h - What holds a process back, as one number: KF_GUARD_ bits of proto.h, read off
 * the process itself by asking the kernel. A claim is never taken from what was attempted, so what
 * `keyferry status` prints is what is in force.
 */
#pragma once

#include <stdint.h>

/* All but seccomp and Landlock. */
uint32_t guard_measure(void);

/* %KF_GUARD_SECCOMP, or why not; the one question that filter_load() leaves possible. */
uint32_t guard_seccomp(void);

/* What a build with sanitizers must be told when this process is about to be held back; else nothing. */
void guard_without_leak_check(void);

/* Caps data and descriptors of this process, for good. Return: 0 or a negative errno. */
int guard_limit(unsigned long n_files, unsigned long data_bytes);
