/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lead passes between two threads: the serving thread holds `lock` all the time except while
 * it waits for a packet and while the card computes. The patience thread acts only under `lock`
 * and only while dev.computing, so packets are never read by both, and the device sees one caller
 * at a time. Its timer is armed only while the card computes: an idle reader never wakes.
 */
#include "vreader/reader/line.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>

enum {
	CCID_XFR_BLOCK = 0x6f, CCID_POWER_ON = 0x62, CCID_ABORT = 0x72, CCID_GET_SLOT_STATUS = 0x65,
};

/* Return: NULL for a slot that this reader does not have. */
static struct ccid_dev *dev_of(struct line *line, unsigned int slot)
{
	if (slot >= line->dev.shape->n_slots)
		return NULL;
	return slot == 0 ? &line->dev : &line->more[slot - 1];
}

#define EACH_DEV(line, dev) \
	for (unsigned int i_ = 0; ((dev) = dev_of((line), i_)) != NULL; i_++)

static void on_signal(struct line *line, uint32_t signo, unsigned int slot)
{
	struct ccid_dev *dev = dev_of(line, slot);

	switch (signo) {
	case SIGUSR1:
		if (dev)
			ccid_dev_remove(dev);
		break;
	case SIGUSR2:
		if (dev && dev->card)
			ccid_dev_insert(dev);
		break;
	default:
		line->stop = true;
		line->over = true;
		break;
	}
}

void line_take_signals(struct line *line)
{
	struct signalfd_siginfo info;

	if (line->late_signal != 0)
		on_signal(line, line->late_signal, line->late_slot);
	line->late_signal = 0;
	while (read(line->signal_fd, &info, sizeof(info)) == sizeof(info))
		on_signal(line, info.ssi_signo, (unsigned int)info.ssi_int);
}

/*
 * A host that does not read is a NAK and blocks us, but never for a signal. Signals that move the
 * card are left for later here: they would send, and we are in the middle of sending.
 */
static void wait_writable(struct line *line)
{
	struct pollfd p[2] = { { line->fd, POLLOUT, 0 }, { line->signal_fd, POLLIN, 0 } };
	struct signalfd_siginfo info;

	if (poll(p, 2, -1) < 0 || !(p[1].revents & POLLIN))
		return;
	if (read(line->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGUSR1 || info.ssi_signo == SIGUSR2) {
		line->late_signal = info.ssi_signo;
		line->late_slot = (unsigned int)info.ssi_int;
	} else {
		line->stop = line->over = true;
	}
}

void line_send(struct line *line, enum line_kind kind, struct bytes body)
{
	struct packer p = pack_begin(line->out, LINE_PACKET_MAX);

	pack_u8(&p, (uint8_t)kind);
	pack_bytes(&p, body);
	assert(pack_end(&p) == 0);
	while (line->fd >= 0 && !line->over) {
		if (send(line->fd, p.p, p.n, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			break;
		if (errno == EAGAIN)
			wait_writable(line);
		else if (errno != EINTR)
			line->over = true;
	}
	wipe(line->out, p.n);
}

void line_halt(struct line *line, uint8_t endpoint)
{
	const uint8_t event[] = { endpoint, 0x01 };

	if (endpoint == SHAPE_EP_IN)
		line->halted_in = true;
	else
		line->halted_out = true;
	line_send(line, LINE_ENDPOINT, BYTES_OF(event));
}

void line_drop(struct line *line)
{
	line->over = true;
}

/* Tells an answer that a misbehaviour may spoil from a time extension, which is none. */
static bool spoil(struct line *line, struct bytes message)
{
	if ((message.p[7] & 0xc0) == 0x80 || message.p[5] != 0)
		return false;
	switch (line->last_type) {
	case CCID_XFR_BLOCK:
		return misbehave(line, MISBEHAVE_REPLY, message);
	case CCID_POWER_ON:
		return misbehave(line, MISBEHAVE_ATR, message);
	default:
		return false;
	}
}

/* One slot has moved; the others are told of as they are. */
static void send_notice(struct line *line, struct bytes message)
{
	uint8_t notice[2] = { message.p[0], message.p[1] };
	struct ccid_dev *dev;

	EACH_DEV(line, dev)
		if (dev->present)
			notice[1] |= (uint8_t)(1u << 2 * dev->slot);
	line_send(line, LINE_INTERRUPT, BYTES_OF(notice));
}

static struct ccid_dev *typing_at(struct line *line)
{
	struct ccid_dev *dev;

	EACH_DEV(line, dev)
		if (dev->typing)
			return dev;
	return NULL;
}

static void on_device_send(struct ccid_port *port, enum ccid_port_pipe pipe, struct bytes message)
{
	struct line *line = (struct line *)((char *)port - offsetof(struct line, port));

	switch (pipe) {
	case CCID_PORT_STALL_OUT:
		line_halt(line, SHAPE_EP_OUT);
		break;
	case CCID_PORT_INTERRUPT:
		send_notice(line, message);
		break;
	case CCID_PORT_BULK:
		/* First: who hears the answer may type for the next question. */
		if (!typing_at(line))
			finger_dismiss(&line->finger);
		if (!line->halted_in && !spoil(line, message))
			line_send(line, LINE_BULK, message);
		break;
	}
}

/* A command that would set a second slot to work while one is. */
static bool is_one_too_many(const struct line *line, const struct ccid_dev *dev, uint8_t type)
{
	return line->busy && line->busy != dev && type != CCID_GET_SLOT_STATUS &&
	       type != CCID_ABORT;
}

/* The bMaxCCIDBusySlots that we declare is 1. */
static enum ccid_dev_next on_bulk_for(struct line *line, struct ccid_dev *dev, struct bytes message)
{
	enum ccid_dev_next next = CCID_DEV_IDLE;

	if (is_one_too_many(line, dev, message.p[0]))
		ccid_dev_refuse(dev, message);
	else
		next = ccid_dev_bulk(dev, message);
	if (next == CCID_DEV_RUN)
		line->busy = dev;
	return next;
}

static enum ccid_dev_next on_bulk(struct line *line, struct bytes message)
{
	uint8_t type = message.n != 0 ? message.p[0] : 0;
	struct ccid_dev *dev = message.n > 5 ? dev_of(line, message.p[5]) : NULL;

	if (line->halted_out)
		return CCID_DEV_IDLE;	/* a halted endpoint carries nothing out */
	if (dev && dev != &line->dev)
		return on_bulk_for(line, dev, message);
	if (type == CCID_XFR_BLOCK && misbehave(line, MISBEHAVE_COMMAND, message))
		return CCID_DEV_IDLE;
	if (type == CCID_ABORT && misbehave(line, MISBEHAVE_ABORT, message))
		return CCID_DEV_IDLE;
	line->last_type = type;
	return message.n == 0 ? ccid_dev_bulk(&line->dev, message) :
				on_bulk_for(line, &line->dev, message);
}

static int answer_string(struct line *line, uint8_t index, uint16_t wanted, struct packer *p)
{
	struct packer whole = pack_begin(line->packet, LINE_PACKET_MAX);

	if (shape_pack_string(line->dev.shape, index, &whole) < 0)
		return -ENOENT;
	pack_bytes(p, bytes_slice(pack_done(&whole), 0, wanted));
	return 0;
}

/* [CCID 5.3.3]: a reader without a list stalls. */
static int answer_rates(struct line *line, uint16_t wanted, struct packer *p)
{
	uint8_t buf[64];
	struct packer whole = pack_begin(buf, sizeof(buf));

	shape_pack_rates(line->dev.shape, &whole);
	pack_bytes(p, bytes_slice(pack_done(&whole), 0, wanted));
	return whole.n != 0 ? 0 : -ENOENT;
}

/* [USB 2.0 9.3], [CCID 5.3]. Whatever is not known here stalls, as it would on a device. */
static int on_control(struct line *line, struct bytes body, struct packer *answer)
{
	struct unpacker u = unpack_begin(body);
	uint8_t request_type = unpack_u8(&u);
	uint8_t request = unpack_u8(&u);
	uint16_t value = unpack_le16(&u);
	uint16_t index = unpack_le16(&u);
	uint16_t len = unpack_le16(&u);

	if (unpack_end(&u) < 0)
		return -EINVAL;			/* no request of ours has data going out */
	if (request_type == 0x80 && request == 0x06 && value >> 8 == 0x03)
		return answer_string(line, (uint8_t)value, len, answer);
	if (request_type == 0xa1 && request == 0x03 && index == 0)
		return answer_rates(line, len, answer);
	if (request_type == 0x21 && request == 0x01 && index == 0 && len == 0) {
		struct ccid_dev *dev = dev_of(line, (uint8_t)value);

		if (!dev || (dev == &line->dev && misbehave(line, MISBEHAVE_ABORT, BYTES_NONE)))
			return -EINVAL;
		return ccid_dev_abort(dev, (uint8_t)value, (uint8_t)(value >> 8));
	}
	return -EINVAL;
}

static int answer_control(struct line *line, struct bytes body)
{
	uint8_t buf[256];
	struct packer answer = pack_begin(buf, sizeof(buf));

	if (body.n < 8)
		return -EPROTO;
	pack_u8(&answer, 0x00);
	if (on_control(line, body, &answer) < 0) {
		answer = pack_begin(buf, sizeof(buf));
		pack_u8(&answer, 0x01);		/* stall */
	}
	line_send(line, LINE_CONTROL, pack_done(&answer));
	return 0;
}

static int on_endpoint(struct line *line, struct bytes body)
{
	if (body.n != 2 || body.p[1] != 0x02)	/* clear-halt is all a host can say */
		return -EPROTO;
	if (body.p[0] == SHAPE_EP_IN)
		line->halted_in = false;
	else if (body.p[0] == SHAPE_EP_OUT)
		line->halted_out = false;
	return 0;
}

static int on_packet(struct line *line, struct bytes packet, enum ccid_dev_next *next)
{
	struct unpacker u = unpack_begin(packet);
	uint8_t kind = unpack_u8(&u);
	struct bytes body = unpack_rest(&u);

	switch (kind) {
	case LINE_BULK:
		*next = on_bulk(line, body);
		return 0;
	case LINE_CONTROL:
		return answer_control(line, body);
	case LINE_ENDPOINT:
		return on_endpoint(line, body);
	default:
		return -EPROTO;
	}
}

/* Takes one packet if there is one. Return: 0, or -EPROTO; `over` tells of the end. */
static int take_packet(struct line *line, enum ccid_dev_next *next)
{
	struct iovec iov = { line->packet, LINE_PACKET_MAX };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n = recvmsg(line->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		line->over = true;
		return 0;
	}
	if (msg.msg_flags & MSG_TRUNC)
		r = -EPROTO;
	else
		r = on_packet(line, BYTES(line->packet, n), next);
	wipe(line->packet, (size_t)n);		/* it may have carried a PIN */
	if (r < 0)
		line->over = true;
	return r;
}

static void timer_set(struct line *line, unsigned int ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };
	struct itimerspec spec = { .it_interval = t, .it_value = t };

	(void)timerfd_settime(line->timer_fd, 0, &spec, NULL);
}

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
		(void)take_packet(line, &next);
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
	timer_set(line, line->period_ms);
	(void)pthread_mutex_unlock(&line->lock);

	if (line->latency_ms != 0)
		(void)clock_gettime(CLOCK_MONOTONIC, &start);
	r = vcard_process(dev->card, ccid_dev_command(dev), ccid_dev_response(dev));
	if (line->latency_ms != 0)
		sleep_until(start, line->latency_ms);
	if (endless)
		wait_for_the_host_to_give_up(line);

	(void)pthread_mutex_lock(&line->lock);
	timer_set(line, 0);
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
	const struct ccid_dev *dev = typing_at(line);

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
		r = take_packet(line, &next);
	typing = typing_at(line);
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
		.port = { .send = on_device_send },
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
		r = -pthread_create(&line->patience, NULL, patience_main, line);
	line->has_patience = r == 0;
	if (r < 0)
		line_deinit(line);
	return r;
}

void line_deinit(struct line *line)
{
	if (line->has_patience) {
		(void)eventfd_write(line->quit_fd, 1);
		(void)pthread_join(line->patience, NULL);
	}
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
