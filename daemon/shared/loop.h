/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/shared/loop.h - The one loop: descriptors that became ready, and timers that ran out. A
 * callback never blocks and may remove any source or timer, its own too.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#define LOOP_BATCH 32

struct source {
	int fd;
	uint32_t events;
	void (*fn)(struct source *source, uint32_t events);
};

/* at_ns: CLOCK_MONOTONIC. place: position in the heap plus one; 0 while not armed. */
struct timer {
	uint64_t at_ns;
	size_t place;
	void (*fn)(struct timer *timer);
};

struct loop {
	int epoll;
	struct epoll_event batch[LOOP_BATCH];
	int n_batch;
	struct timer **heap;
	size_t n_heap, cap_heap;
	bool stop;
	int result;
};

#define LOOP_INIT ((struct loop){ .epoll = -1 })
#define SOURCE_INIT ((struct source){ .fd = -1 })

int loop_init(struct loop *loop);
/* Runs until loop_stop(). Return: what it was stopped with. */
int loop_run(struct loop *loop);
/* One turn; waits at most @timeout_ms, -1: until something happens. */
int loop_turn(struct loop *loop, int timeout_ms);
void loop_stop(struct loop *loop, int result);
void loop_deinit(struct loop *loop);

/* Takes over nothing: @source stays the caller's, and so does its descriptor. */
int loop_add(struct loop *loop, struct source *source);
void loop_want(struct loop *loop, struct source *source, uint32_t events);
void loop_remove(struct loop *loop, struct source *source);

/* Arms or moves. Return: 0 or -ENOMEM, never when it is armed already. */
int timer_arm(struct loop *loop, struct timer *timer, uint64_t at_ns);
void timer_disarm(struct loop *loop, struct timer *timer);

uint64_t now_ns(void);

static inline uint64_t ms_to_ns(uint64_t ms)
{
	return ms * 1000000u;
}

/* Milliseconds until @at_ns, rounded up, 0 if it is over. */
static inline uint32_t ms_until(uint64_t at_ns, uint64_t now)
{
	return at_ns <= now ? 0 : (uint32_t)((at_ns - now + 999999u) / 1000000u);
}
