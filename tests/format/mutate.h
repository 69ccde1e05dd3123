/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/format/mutate.h - Walks every truncation and every one-byte change of a good encoding. A
 * strict parser refuses a truncation always; a changed byte it refuses, or it reads a value that
 * encodes to exactly those bytes again: there is no second form of anything.
 */
#pragma once

#include "tests/harness.h"

#include <stdlib.h>

/* Parses @der and, if that works, writes it again into @again. Return: what the parser said. */
typedef int (*reencode_fn)(struct bytes der, struct packer *again);

static inline void expect_strict(struct bytes good, reencode_fn reencode)
{
	uint8_t *bad = malloc(good.n);		/* exactly as long: sanitizers see a step too far */
	uint8_t again_buf[16384];

	ASSERT_TRUE(bad != NULL);
	for (size_t n = 0; n < good.n; n++) {
		struct packer again = pack_begin(again_buf, sizeof(again_buf));
		uint8_t *cut = malloc(n + 1);

		memcpy(cut + 1, good.p, n);
		EXPECT_EQ(-EBADMSG, reencode(BYTES(cut + 1, n), &again));
		free(cut);
	}
	for (size_t i = 0; i < good.n; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			struct packer again = pack_begin(again_buf, sizeof(again_buf));

			memcpy(bad, good.p, good.n);
			bad[i] ^= (uint8_t)(1u << bit);
			if (reencode(BYTES(bad, good.n), &again) == 0)
				EXPECT_TRUE(bytes_equal(pack_done(&again), BYTES(bad, good.n)));
		}
	}
	free(bad);
}
