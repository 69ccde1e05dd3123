/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox/sandbox.h"

#include "sandbox/guard.h"

int sandbox_enter(const struct sandbox *sandbox, uint32_t *guards)
{
	uint32_t found = 0;
	int r;

	r = landlock_enter(sandbox->paths, sandbox->n_paths, sandbox->landlock, &found);
	if (r < 0)
		return r;
	found |= guard_measure();	/* asks what the filter no longer allows */
	r = filter_load(sandbox->calls, sandbox->n_calls);
	if (r < 0)
		return r;
	*guards = found | guard_seccomp();
	return 0;
}
