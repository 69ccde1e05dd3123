/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/libcardmod/allocator.h - The caller's allocator: counts what is out, and fails when told to.
 * A test that ends with something out has found a leak, or an owner who freed by another hand.
 */
#pragma once

#include "keyferry/cardmod.h"
#include "tests/harness.h"

#include <stdlib.h>

static long allocator_out;
static long allocator_fails_in = -1;	/* allocations until one fails; -1: none does */

static inline LPVOID allocator_alloc(SIZE_T n)
{
	LPVOID p = allocator_fails_in >= 0 && allocator_fails_in-- == 0 ? NULL : malloc(n);

	allocator_out += p != NULL;
	return p;
}

static inline LPVOID allocator_realloc(LPVOID p, SIZE_T n)
{
	return realloc(p, n);
}

static inline void allocator_free(LPVOID p)
{
	if (p)
		allocator_out--;
	free(p);
}

/* A CARD_DATA of version 7 with the caller's members for either mode left out. */
static inline CARD_DATA allocator_card(void)
{
	return (CARD_DATA){
		.dwVersion = CARD_DATA_CURRENT_VERSION,
		.pfnCspAlloc = allocator_alloc,
		.pfnCspReAlloc = allocator_realloc,
		.pfnCspFree = allocator_free,
	};
}

/* The failure is told in all four parts. */
static inline void expect_told(const CARD_DATA *card)
{
	const struct kf_error *e = kf_cardmod_error(card);

	EXPECT_LT(e->code, 0);
	EXPECT_NE(0, strlen(e->what));
	EXPECT_NE(0, strlen(e->why));
	EXPECT_NE(0, strlen(e->rule));
	EXPECT_NE(0, strlen(e->next));
}
