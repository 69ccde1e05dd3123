/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/catalogue/hasty.c - The limits of hasty_driver, which is keyferry-driver but for this object: it
 * loses patience with a reader in fractions of a second. Counts are those that ship. Never installed.
 */
#include "driver/ccid/limits.h"

const struct limits limits = {
	LIMITS_COUNTS,
	.write_ms = 500,
	.answer_min_ms = 500,
	.answer_max_ms = 800,
	.power_on_ms = 1500,
	.power_on_slow_ms = 3000,
	.abort_ms = 300,
	.clear_ms = 200,
	.probe_ms = 200,
	.settle_ms = 3000,
	.reset_gap_ms = 60000,
	.malformed_ms = 60000,
	.control_ms = 200,
	.notice_gap_ms = 50,
	.poll_ms = 100,
};
