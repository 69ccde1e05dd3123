/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/vm/brisk.c - The limits of brisk_driver, which is keyferry-driver but for this object: a silent
 * reader costs seconds, not half a minute. Longer than those of the catalogue's hasty_driver, as an
 * emulated processor is slow to answer. Counts are those that ship. Never installed.
 */
#include "driver/ccid/limits.h"

const struct limits limits = {
	LIMITS_COUNTS,
	.write_ms = 2000,
	.answer_min_ms = 2000,
	.answer_max_ms = 4000,
	.person_ms = 8000,
	.power_on_ms = 6000,
	.power_on_slow_ms = 8000,
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
