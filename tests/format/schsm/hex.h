/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tests/format/schsm/hex.h - Vectors as the dossier prints them. */
#pragma once

#include "tests/harness.h"

#include <stdio.h>

static inline struct bytes unhex(const char *text, uint8_t *buf, size_t cap)
{
	size_t n = strlen(text) / 2;

	ASSERT_LE(n, cap);
	for (size_t i = 0; i < n; i++) {
		unsigned int byte;

		ASSERT_EQ(1, sscanf(text + 2 * i, "%2x", &byte));
		buf[i] = (uint8_t)byte;
	}
	return BYTES(buf, n);
}

#define EXPECT_HEX(text, got) \
	do { \
		uint8_t want_[2048]; \
		EXPECT_BYTES_EQ(unhex((text), want_, sizeof(want_)), (got)); \
	} while (0)
