/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base/sleep.h - Whether the machine slept since somebody last asked. Cards lose their power then,
 * and no one says so. The one trace is that CLOCK_BOOTTIME counts a sleep and CLOCK_MONOTONIC does
 * not, so what lies between them grows by it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define SLEEP_SHORTEST_MS	250	/* below it may be an odd reading of two clocks */
#define SLEEP_READING_MS	50	/* a pair of readings this far apart is taken again */

/**
 * struct sleep_watch - the last answer
 * @between_ms:	what lay between the clocks
 * @started:	it has been asked before
 */
struct sleep_watch {
	int64_t between_ms;
	bool started;
};

#define SLEEP_WATCH_INIT ((struct sleep_watch){ 0 })

static inline int64_t sleep_clock_ms(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline int64_t sleep_between_ms(void)
{
	int64_t before, boot, after;
	int tries = 4;

	do {
		before = sleep_clock_ms(CLOCK_MONOTONIC);
		boot = sleep_clock_ms(CLOCK_BOOTTIME);
		after = sleep_clock_ms(CLOCK_MONOTONIC);
	} while (after - before > SLEEP_READING_MS && --tries > 0);
	return boot - after;
}

/* Return: true once after each sleep; the first call only takes note. */
static inline bool sleep_happened(struct sleep_watch *watch)
{
	int64_t between = sleep_between_ms();
	bool slept = watch->started && between - watch->between_ms >= SLEEP_SHORTEST_MS;

	if (!watch->started || slept)
		watch->between_ms = between;
	watch->started = true;
	return slept;
}
