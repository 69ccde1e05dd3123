/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/leak.c - The hook of leaky_driver, which is keyferry-driver but for this file: it
 * keeps a copy of each PIN and item it was handed. A control for the planted-secret search, which
 * has to find them there (SECURITY section 10). Never installed.
 */
#include "driver/link/hook.h"

#include <stdlib.h>

#define KEPT_MAX	64

static void *kept[KEPT_MAX];
static unsigned int n_kept;

void hook_bytes(struct bytes part)
{
	void **place;

	if (part.n == 0)
		return;
	place = &kept[n_kept++ % KEPT_MAX];
	free(*place);
	*place = malloc(part.n);
	if (*place)
		memcpy(*place, part.p, part.n);
}
