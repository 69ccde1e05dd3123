/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The second thread; line.c says when it has the lead. Its timer is armed only while the card computes:
 * an idle reader never wakes.
 */
#include "vreader/reader/line_own.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

/* One round in the serving thread's place. Return: whether it still is away. */
static bool stand_in(struct line *line)
{
	struct pollfd p[4] = {
		{ line->timer_fd, POLLIN, 0 },
		{ line->quit_fd, POLLIN, 0 },
		{ line->signal_fd, POLLIN, 0 },
		{ -1, POLLIN, 0 },
	};
	enum ccid_dev_next next = CCID_DEV_IDLE;
	uint64_t n_expired;
	bool away;

	(void)pthread_mutex_lock(&line->lock);
	away = line->busy != NULL;
	p[3].fd = line->over ? -1 : line->fd;
	(void)pthread_mutex_unlock(&line->lock);
	if (!away)
		return false;
	(void)poll(p, 4, -1);
	(void)pthread_mutex_lock(&line->lock);
	away = line->busy != NULL;
	if (away && read(line->timer_fd, &n_expired, sizeof(n_expired)) == sizeof(n_expired) &&
	    !line->silent)
		ccid_dev_tick(line->busy);
	if (away)
		line_take_signals(line);
	if (away && !line->over)
		(void)line_take_packet(line, &next);
	/* The card is busy, so nothing that came now can have asked to run it. */
	assert(next == CCID_DEV_IDLE);
	(void)pthread_mutex_unlock(&line->lock);
	return away && !(p[1].revents & POLLIN);
}

static void *patience_main(void *arg)
{
	struct line *line = (struct line *)arg;
	struct pollfd p[2] = { { line->timer_fd, POLLIN, 0 }, { line->quit_fd, POLLIN, 0 } };

	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return NULL;
		if (p[1].revents & POLLIN)
			return NULL;
		while (stand_in(line))
			;
	}
}

int line_patience_begin(struct line *line)
{
	int r = -pthread_create(&line->patience, NULL, patience_main, line);

	line->has_patience = r == 0;
	return r;
}

void line_ask_time_every(struct line *line, unsigned int ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };
	struct itimerspec spec = { .it_interval = t, .it_value = t };

	(void)timerfd_settime(line->timer_fd, 0, &spec, NULL);
}

void line_patience_end(struct line *line)
{
	if (!line->has_patience)
		return;
	(void)eventfd_write(line->quit_fd, 1);
	(void)pthread_join(line->patience, NULL);
}
