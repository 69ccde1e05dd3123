/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/bench/sample.h - Times of single calls, summed up the same way for all peers. One line:
 * "NAME clients N calls N p50 US p99 US rate N/s".
 */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static inline double sample_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Up to @us before a call, so that calls come at any moment of whatever has a rhythm below. */
static inline void sample_pause(unsigned int us)
{
	if (us != 0)
		(void)usleep((useconds_t)(random() % us));
}

static inline int sample_order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* @us: @n times of one call each, microseconds; @wall: how long all of it took. */
static inline void sample_print(const char *name, int clients, double *us, size_t n, double wall)
{
	qsort(us, n, sizeof(*us), sample_order);
	printf("%s clients %d calls %zu p50 %.1f p99 %.1f rate %.0f/s\n", name, clients, n,
	       us[n / 2], us[n - 1 - n / 100], (double)n * 1e6 / wall);
}
