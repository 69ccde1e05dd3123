/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lead passes between two threads: the serving thread holds `lock` all the time except while
 * it waits for a packet and while the card computes. The patience thread acts only under `lock`
 * and only while dev.computing, so packets are never read by both, and the device sees one caller
 * at a time.
 */
#include "vreader/reader/line.h"

#include "vreader/reader/line_own.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>

static void sleep_until(struct timespec t, unsigned int later_ms)
{
	t.tv_sec += later_ms / 1000;
	t.tv_nsec += (long)(later_ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

/* endless-time-extension: until the host gives up, one way or the other. */
static void wait_for_the_host_to_give_up(struct line *line)
{
	bool done = false;

	while (!done) {
		struct timespec now = { 0 };

		(void)clock_gettime(CLOCK_MONOTONIC, &now);
		sleep_until(now, LINE_IMPATIENCE_MS);
		(void)pthread_mutex_lock(&line->lock);
		done = line->dev.discard || line->over;
		(void)pthread_mutex_unlock(&line->lock);
	}
}

static enum ccid_dev_next answer(struct line *line, struct ccid_dev *dev, int r)
{
	enum ccid_dev_next next;

	if (line->before_answer)
		line->before_answer(line);
	next = ccid_dev_ran(dev, r);
	line->busy = next == CCID_DEV_RUN ? dev : NULL;
	if (line->after_answer)
		line->after_answer(line);
	return next;
}

/* Called and left with the lock held; the card computes without it. */
static enum ccid_dev_next run_card(struct line *line, struct ccid_dev *dev)
{
	struct timespec start = { 0 };
	bool endless;
	int r;

	line->endless = line->silent = false;
	line->before_answer = line->after_answer = NULL;
	line->period_ms = LINE_PATIENCE_MS;
	if (dev == &line->dev)
		(void)misbehave(line, MISBEHAVE_RUN, BYTES_NONE);
	endless = line->endless;
	if (dev->discard || line->over)
		return answer(line, dev, 0);	/* torn before the card got it */
	line_ask_time_every(line, line->period_ms);
	(void)pthread_mutex_unlock(&line->lock);

	if (line->latency_ms != 0)
		(void)clock_gettime(CLOCK_MONOTONIC, &start);
	r = vcard_process(dev->card, ccid_dev_command(dev), ccid_dev_response(dev));
	if (line->latency_ms != 0)
		sleep_until(start, line->latency_ms);
	if (endless)
		wait_for_the_host_to_give_up(line);

	(void)pthread_mutex_lock(&line->lock);
	line_ask_time_every(line, 0);
	return answer(line, dev, r);
}

/* One key a round: what is behind an OK may be for nobody any more. */
static enum ccid_dev_next take_key(struct line *line, struct ccid_dev *dev)
{
	enum ccid_dev_next next = CCID_DEV_IDLE;
	uint8_t key;
	int r = finger_key(&line->finger, &key);

	if (r == 1)
		next = ccid_dev_key(dev, key);
	else if (r < 0)
		ccid_dev_no_key(dev);
	wipe(&key, 1);
	if (next == CCID_DEV_RUN)
		line->busy = dev;
	return next;
}

static void follow_typing(struct line *line)
{
	const struct ccid_dev *dev = line_typing(line);

	if (dev)
		finger_ask(&line->finger, dev->keypad.timeout_s);
	else
		finger_dismiss(&line->finger);
}

/* One round of the serving thread; the lock is held on entry and return. */
static int serve_once(struct line *line)
{
	/* Deaf or not, a hang-up is heard: POLLHUP needs no asking for. */
	struct pollfd p[3] = {
		{ line->fd, line->deaf ? 0 : POLLIN, 0 },
		{ line->signal_fd, POLLIN, 0 },
		{ line->finger.fd, POLLIN, 0 },
	};
	struct ccid_dev *typing;
	enum ccid_dev_next next = CCID_DEV_IDLE;
	int r = 0;

	(void)pthread_mutex_unlock(&line->lock);
	if (poll(p, 3, finger_wait_ms(&line->finger)) < 0 && errno != EINTR)
		r = -errno;
	(void)pthread_mutex_lock(&line->lock);
	if (r < 0)
		return r;
	if (p[1].revents != 0 || line->late_signal != 0)
		line_take_signals(line);
	if (line->deaf && p[0].revents != 0)
		line->over = true;
	if (p[0].revents != 0 && !line->over)
		r = line_take_packet(line, &next);
	typing = line_typing(line);
	if (typing && next == CCID_DEV_IDLE && finger_is_asked(&line->finger))
		next = take_key(line, typing);
	while (next == CCID_DEV_RUN)
		next = run_card(line, line->busy);
	follow_typing(line);
	return r;
}

static void greet(struct line *line)
{
	uint8_t buf[256];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct ccid_dev *dev;

	if (misbehave(line, MISBEHAVE_CONNECT, BYTES_NONE))
		return;
	shape_pack_descriptors(line->dev.shape, &p);
	line_send(line, LINE_DESCRIPTORS, pack_done(&p));
	EACH_DEV(line, dev)
		if (dev->present)
			ccid_dev_announce(dev);
}

static void restart(struct line *line)
{
	struct ccid_dev *dev;

	EACH_DEV(line, dev)
		ccid_dev_restart(dev);
}

int line_serve(struct line *line, int fd)
{
	const int room = 262144;		/* [docs/vreader.md 2 Sizes] */
	int r = 0;

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	(void)pthread_mutex_lock(&line->lock);
	line->fd = fd;
	line->over = line->stop;
	line->halted_in = line->halted_out = false;
	line->last_type = 0;
	line->deaf = line->chain_begun = false;
	restart(line);
	greet(line);
	while (r == 0 && !line->over)
		r = serve_once(line);
	restart(line);
	finger_dismiss(&line->finger);
	line->fd = -1;
	(void)pthread_mutex_unlock(&line->lock);
	return line->stop ? -ECANCELED : r;
}

static int init_devs(struct line *line, const struct shape *shape, struct vcard *const *cards)
{
	int r = ccid_dev_init(&line->dev, shape, &line->port, cards[0]);

	for (unsigned int i = 1; i < shape->n_slots && r == 0; i++) {
		struct ccid_dev *dev = &line->more[i - 1];

		r = ccid_dev_init(dev, shape, &line->port, cards[i]);
		dev->slot = (uint8_t)i;
		dev->present = cards[i] != NULL;
	}
	return r;
}

int line_init(struct line *line, const struct line_options *options, struct vcard *const *cards)
{
	int r;

	*line = (struct line){
		.port = { .send = line_port_send },
		.misbehave = options->misbehave,
		.latency_ms = options->latency_ms,
		.signal_fd = options->signal_fd,
		.fd = -1,
		.finger = FINGER_INIT(options->keypad_path),
		.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
		.quit_fd = eventfd(0, EFD_CLOEXEC),
		.packet = malloc(LINE_PACKET_MAX),
		.out = malloc(LINE_PACKET_MAX),
		.spoilt = malloc(LINE_PACKET_MAX),
	};
	(void)pthread_mutex_init(&line->lock, NULL);
	r = init_devs(line, options->shape, cards);
	if (r == 0 && (line->timer_fd < 0 || line->quit_fd < 0 || !line->packet || !line->out ||
		       !line->spoilt))
		r = -ENOMEM;
	if (r == 0)
		r = line_patience_begin(line);
	if (r < 0)
		line_deinit(line);
	return r;
}

void line_deinit(struct line *line)
{
	line_patience_end(line);
	ccid_dev_deinit(&line->dev);
	for (unsigned int i = 0; i < SHAPE_SLOTS_MAX - 1; i++)
		ccid_dev_deinit(&line->more[i]);
	finger_dismiss(&line->finger);
	(void)pthread_mutex_destroy(&line->lock);
	fd_close(line->timer_fd);
	fd_close(line->quit_fd);
	free(line->packet);
	free(line->out);
	free(line->spoilt);
	*line = (struct line){ .fd = -1, .finger = FINGER_INIT(NULL), .timer_fd = -1, .quit_fd = -1 };
}
