/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/nap.c - A timer on the clock of the wall, set for never, becomes readable whenever
 * that clock was set, which the kernel also does at the end of a sleep [timerfd_create
 * TFD_TIMER_CANCEL_ON_SET]. So nothing has to wake up to look. Whether it was a sleep is asked then.
 */
#include "daemon/monitor/nap.h"

#include "base/cleanup.h"
#include "base/list.h"

#include <sys/timerfd.h>

#define NEVER_S (INT64_C(1) << 33)	/* the year 2242 */

static int arm(int fd)
{
	const struct itimerspec never = { .it_value = { .tv_sec = NEVER_S } };

	return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) < 0 ?
	       -errno : 0;
}

static void on_clock(struct source *source, uint32_t events)
{
	struct nap *nap = list_entry(source, struct nap, source);
	uint64_t times;

	(void)events;
	if (read(source->fd, &times, sizeof(times)) < 0 && errno != ECANCELED)
		return;
	(void)arm(source->fd);
	if (sleep_happened(&nap->watch))
		nap->woke(nap);
}

int nap_init(struct nap *nap, struct loop *loop, void (*woke)(struct nap *nap))
{
	int r;

	*nap = (struct nap){ .loop = loop, .woke = woke, .watch = SLEEP_WATCH_INIT };
	(void)sleep_happened(&nap->watch);
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
