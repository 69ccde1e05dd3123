/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sandbox/sandbox.h - How a process of ours closes itself in when all that it opens is open: first
 * Landlock, then the system call filter, neither of which it can undo.
 */
#pragma once

#include "sandbox/filter.h"
#include "sandbox/landlock.h"

/**
 * struct sandbox - what stays possible
 * @calls:	beside filter_common
 * @n_calls:	how many
 * @paths:	what stays of the file system
 * @n_paths:	how many; 0: nothing
 * @landlock:	LANDLOCK_SIGNALS or 0
 */
struct sandbox {
	const struct filter_rule *calls;
	size_t n_calls;
	const struct landlock_path *paths;
	size_t n_paths;
	unsigned int landlock;
};

/*
 * Needs no_new_privs. @guards: KF_GUARD_ bits, all that are in force now. Return: 0; a negative
 * errno where the kernel has a means and refused it: the process must not go on.
 */
int sandbox_enter(const struct sandbox *sandbox, uint32_t *guards);
