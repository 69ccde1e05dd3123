/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/leaky_hook.c - The control of the planted-secret search: linked instead of
 * driver/link/hook.c it makes a driver that keeps a copy of all that requests bring.
 */
#include "driver/link/hook.h"

#include <stdlib.h>

void hook_bytes(struct bytes part)
{
	static uint8_t *kept[256];
	static unsigned n;
	uint8_t *copy = part.n != 0 ? malloc(part.n) : NULL;

	if (!copy)
		return;
	memcpy(copy, part.p, part.n);
	free(kept[n % 256]);
	kept[n++ % 256] = copy;
}
