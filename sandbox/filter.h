/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sandbox/filter.h - The system calls a process still needs, as an allow-list. Anything else ends
 * it at once (SIGSYS): a process that asks for what it never needs is not ours any more.
 */
#pragma once

#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct filter_rule - one call
 * @call:	SCMP_SYS(name)
 * @arg:	the argument that must be equal to @value under @mask, or -1: any arguments
 * @error:	it is not made, and this errno is what the caller gets; 0: it is made
 */
struct filter_rule {
	int call;
	int arg;
	uint64_t mask;
	uint64_t value;
	unsigned int error;
};

#define FILTER_ANY(name)	{ SCMP_SYS(name), -1, 0, 0, 0 }
#define FILTER_IF(name, nr, what) { SCMP_SYS(name), nr, UINT64_MAX, what, 0 }
/* For what somebody else's library in our process may do and can do without. */
#define FILTER_REFUSE(name, nr, what, errno_) { SCMP_SYS(name), nr, UINT64_MAX, what, errno_ }
/* Any arguments, as long as argument @nr has none of @bits. */
#define FILTER_NEVER(name, nr, bits) { SCMP_SYS(name), nr, bits, 0, 0 }
/* ioctl(2): the kernel looks at 32 bits of the request, whatever else the register has. */
#define FILTER_IOCTL(request)	{ SCMP_SYS(ioctl), 1, 0xffffffff, request, 0 }

/*
 * What each process of ours does: memory, time, its standard error, its end. Names glibc picks on
 * one machine and not on another stand side by side.
 */
extern const struct filter_rule filter_common[];
extern const size_t filter_n_common;

/**
 * filter_load - allows filter_common and @rules, and nothing else from here on
 *
 * Needs no_new_privs. Inherited by children. In a build with sanitizers, which make calls of
 * their own, it does nothing; guard_measure() will say so.
 *
 * Return: 0, also when the kernel has no seccomp filters; a negative errno where it refused,
 * after which the process must not go on.
 */
int filter_load(const struct filter_rule *rules, size_t n);
