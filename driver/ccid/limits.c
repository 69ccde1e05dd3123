/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/ccid/limits.c - What ships. Alone in its object, so that a test build can bring its own.
 */
#include "driver/ccid/limits.h"

const struct limits limits = {
	LIMITS_COUNTS,
	.write_ms = 5000,
	.answer_min_ms = 3000,
	.answer_max_ms = 30000,
	.person_ms = 190000,
	.power_on_ms = 20000,
	.power_on_slow_ms = 60000,
	.abort_ms = 1000,
	.clear_ms = 500,
	.probe_ms = 300,
	.settle_ms = 6000,
	.reset_gap_ms = 60000,
	.malformed_ms = 60000,
	.control_ms = 500,
	.notice_gap_ms = 50,
	.poll_ms = 300,
};
