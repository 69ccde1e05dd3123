/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/shared/loop.c - Level-triggered epoll and a binary heap of timers. The kernel hands out
 * ready descriptors in batches; a callback may remove a source that is further back in the batch,
 * so loop_remove() strikes it out there, too, and nothing is called after it was removed.
 */
#include "daemon/shared/loop.h"

#include "base/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

uint64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int loop_init(struct loop *loop)
{
	*loop = LOOP_INIT;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	return loop->epoll < 0 ? -errno : 0;
}

void loop_deinit(struct loop *loop)
{
	assert(loop->n_heap == 0);
	free(loop->heap);
	loop->epoll = fd_close(loop->epoll);
}

int loop_add(struct loop *loop, struct source *source)
{
	struct epoll_event ev = { .events = source->events, .data.ptr = source };

	return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, source->fd, &ev) < 0 ? -errno : 0;
}

void loop_want(struct loop *loop, struct source *source, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = source };

	if (source->events == events)
		return;
	source->events = events;
	(void)epoll_ctl(loop->epoll, EPOLL_CTL_MOD, source->fd, &ev);
}

void loop_remove(struct loop *loop, struct source *source)
{
	if (source->fd >= 0)
		(void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	for (int i = 0; i < loop->n_batch; i++)
		if (loop->batch[i].data.ptr == source)
			loop->batch[i].data.ptr = NULL;
}

static void heap_put(struct loop *loop, size_t i, struct timer *timer)
{
	loop->heap[i] = timer;
	timer->place = i + 1;
}

static void heap_up(struct loop *loop, size_t i)
{
	struct timer *timer = loop->heap[i];

	while (i > 0 && loop->heap[(i - 1) / 2]->at_ns > timer->at_ns) {
		heap_put(loop, i, loop->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_put(loop, i, timer);
}

static void heap_down(struct loop *loop, size_t i)
{
	struct timer *timer = loop->heap[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < loop->n_heap &&
		    loop->heap[child + 1]->at_ns < loop->heap[child]->at_ns)
			child++;
		if (child >= loop->n_heap || loop->heap[child]->at_ns >= timer->at_ns)
			break;
		heap_put(loop, i, loop->heap[child]);
		i = child;
	}
	heap_put(loop, i, timer);
}

static int heap_grow(struct loop *loop)
{
	size_t cap = loop->cap_heap ? 2 * loop->cap_heap : 64;
	struct timer **heap;

	if (loop->n_heap < loop->cap_heap)
		return 0;
	heap = reallocarray(loop->heap, cap, sizeof(struct timer *));
	if (!heap)
		return -ENOMEM;
	loop->heap = heap;
	loop->cap_heap = cap;
	return 0;
}

int timer_arm(struct loop *loop, struct timer *timer, uint64_t at_ns)
{
	int r;

	if (timer->place == 0) {
		r = heap_grow(loop);
		if (r < 0)
			return r;
		heap_put(loop, loop->n_heap++, timer);
	}
	timer->at_ns = at_ns;
	heap_up(loop, timer->place - 1);
	heap_down(loop, timer->place - 1);
	return 0;
}

void timer_disarm(struct loop *loop, struct timer *timer)
{
	size_t i = timer->place;
	struct timer *last;

	if (i-- == 0)
		return;
	timer->place = 0;
	last = loop->heap[--loop->n_heap];
	if (last == timer)
		return;
	heap_put(loop, i, last);
	heap_up(loop, i);
	heap_down(loop, last->place - 1);
}

static int timeout_of(const struct loop *loop, int timeout_ms)
{
	uint64_t now;
	uint32_t ms;

	if (loop->n_heap == 0)
		return timeout_ms;
	now = now_ns();
	ms = ms_until(loop->heap[0]->at_ns, now);
	if (ms > 3600000)
		ms = 3600000;
	return timeout_ms >= 0 && (uint32_t)timeout_ms < ms ? timeout_ms : (int)ms;
}

int loop_turn(struct loop *loop, int timeout_ms)
{
	int n = epoll_wait(loop->epoll, loop->batch, LOOP_BATCH, timeout_of(loop, timeout_ms));

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	loop->n_batch = n;
	for (int i = 0; i < n && !loop->stop; i++) {
		struct source *source = loop->batch[i].data.ptr;

		if (source)
			source->fn(source, loop->batch[i].events);
	}
	loop->n_batch = 0;
	for (uint64_t now = now_ns(); loop->n_heap > 0 && loop->heap[0]->at_ns <= now;) {
		struct timer *timer = loop->heap[0];

		timer_disarm(loop, timer);
		timer->fn(timer);
	}
	return 0;
}

int loop_run(struct loop *loop)
{
	while (!loop->stop) {
		int r = loop_turn(loop, -1);

		if (r < 0)
			return r;
	}
	return loop->result;
}

void loop_stop(struct loop *loop, int result)
{
	loop->stop = true;
	loop->result = result;
}
