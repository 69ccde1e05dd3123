/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base/deadline.h - A point in time by which something ends, in place of timeouts. A timeout that
 * is handed down five functions and restarted in each has no upper bound; a deadline has one.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/**
 * struct deadline - milliseconds of CLOCK_MONOTONIC
 * @at_ms:	when; DEADLINE_NEVER's value means never, 0 is always in the past
 */
struct deadline {
	uint64_t at_ms;
};

#define DEADLINE_NEVER	((struct deadline){ UINT64_MAX })
#define DEADLINE_PAST	((struct deadline){ 0 })

static inline uint64_t clock_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static inline struct deadline deadline_in(uint64_t ms)
{
	uint64_t now = clock_ms();

	return ms < UINT64_MAX - now ? (struct deadline){ now + ms } : DEADLINE_NEVER;
}

static inline struct deadline deadline_sooner(struct deadline a, struct deadline b)
{
	return a.at_ms < b.at_ms ? a : b;
}

static inline bool deadline_passed(struct deadline d)
{
	return d.at_ms != UINT64_MAX && (d.at_ms == 0 || d.at_ms <= clock_ms());
}

/* What poll(2) wants: -1 for never, 0 once it passed, else the milliseconds left. */
static inline int deadline_poll_ms(struct deadline d)
{
	uint64_t now;

	if (d.at_ms == UINT64_MAX)
		return -1;
	if (d.at_ms == 0)
		return 0;
	now = clock_ms();
	if (d.at_ms <= now)
		return 0;
	return d.at_ms - now < INT_MAX ? (int)(d.at_ms - now) : INT_MAX;
}

/* For a process that has nothing else to heed meanwhile; a signal cuts it short. */
static inline void sleep_for_ms(unsigned int ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	if (ms != 0)
		(void)nanosleep(&t, NULL);
}
