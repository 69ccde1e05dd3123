/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/nap.c - A timer on the clock of the wall, set for never, becomes readable whenever
 * that clock was set, which the kernel also does at the end of a sleep [timerfd_create
 * TFD_TIMER_CANCEL_ON_SET]. So nothing has to wake up to look. Whether it was a sleep the difference
 * of two other clocks tells.
 */
#include "daemon/monitor/nap.h"

#include "base/cleanup.h"
#include "base/list.h"

#include <sys/timerfd.h>
#include <time.h>

#define NEVER_S (INT64_C(1) << 33)	/* the year 2242 */

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int arm(int fd)
{
	const struct itimerspec never = { .it_value = { .tv_sec = NEVER_S } };

	return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) < 0 ?
	       -errno : 0;
}

/* Read again if something came between that took its time, a sleep perhaps. */
static uint64_t asleep_ns(void)
{
	uint64_t before, boottime, after;

	do {
		before = clock_ns(CLOCK_MONOTONIC);
		boottime = clock_ns(CLOCK_BOOTTIME);
		after = clock_ns(CLOCK_MONOTONIC);
	} while (after - before > NAP_LEAST_NS / 4);
	return boottime - before;
}

bool nap_was(struct nap *nap, uint64_t asleep)
{
	bool was = asleep > nap->asleep_ns + NAP_LEAST_NS;

	if (asleep > nap->asleep_ns)
		nap->asleep_ns = asleep;
	return was;
}

static void on_clock(struct source *source, uint32_t events)
{
	struct nap *nap = list_entry(source, struct nap, source);
	uint64_t times;

	(void)events;
	if (read(source->fd, &times, sizeof(times)) < 0 && errno != ECANCELED)
		return;
	(void)arm(source->fd);
	if (nap_was(nap, asleep_ns()))
		nap->woke(nap);
}

int nap_init(struct nap *nap, struct loop *loop, void (*woke)(struct nap *nap))
{
	int r;

	*nap = (struct nap){ .loop = loop, .woke = woke, .asleep_ns = asleep_ns() };
	nap->source = (struct source){ .events = EPOLLIN, .fn = on_clock,
		.fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK) };
	r = nap->source.fd < 0 ? -errno : arm(nap->source.fd);
	if (r == 0)
		r = loop_add(loop, &nap->source);
	if (r < 0)
		nap->source.fd = fd_close(nap->source.fd);
	return r;
}

void nap_deinit(struct nap *nap)
{
	if (nap->source.fd < 0)
		return;
	loop_remove(nap->loop, &nap->source);
	nap->source.fd = fd_close(nap->source.fd);
}
