/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tests/e2e/leak.h - What stands behind the last byte of leaky_driver's program, as a test puts it there. */
#pragma once

#include "format/numbers.h"

/* With these two anybody opens the items of one cargo. */
struct opener {
	uint8_t s1[KF_S1_SIZE];
	uint8_t h[KF_DIGEST_SIZE];	/* SHA-256 of the statement */
};
