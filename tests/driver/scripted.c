/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/driver/scripted.h"

#include "driver/socket/socket.h"
#include "tests/harness.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const uint8_t default_descriptors[] = {
	0x12, 0x01, 0x00, 0x02, 0x00, 0x00, 0x00, 0x40, 0x09, 0x12, 0x01, 0x00, 0x00, 0x01, 0x00,
	0x00, 0x00, 0x01,
	0x09, 0x02, 0x5d, 0x00, 0x01, 0x01, 0x00, 0x80, 0x32,
	0x09, 0x04, 0x00, 0x00, 0x03, 0x0b, 0x00, 0x00, 0x00,
	0x36, 0x21, 0x10, 0x01, 0x00, 0x07, 0x03, 0x00, 0x00, 0x00,
	0xa0, 0x0f, 0x00, 0x00, 0xa0, 0x0f, 0x00, 0x00, 0x00,
	0x00, 0x2a, 0x00, 0x00, 0x00, 0x2a, 0x00, 0x00, 0x00,
	0xfe, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0xba, 0x04, 0x04, 0x00, 0x12, 0x00, 0x01, 0x00,
	0xff, 0xff, 0x00, 0x00, 0x00, 0x01,
	0x07, 0x05, 0x01, 0x02, 0x40, 0x00, 0x00,
	0x07, 0x05, 0x82, 0x02, 0x40, 0x00, 0x00,
	0x07, 0x05, 0x83, 0x03, 0x08, 0x00, 0x10,
};

#define CLASS_AT (18 + 9 + 9)

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static uint8_t xor_from(const uint8_t *p, size_t from, size_t to)
{
	uint8_t x = 0;

	for (size_t i = from; i < to; i++)
		x ^= p[i];
	return x;
}

/* What a letter pair stands for, @n bytes into a packet. */
static int placeholder(struct scripted *s, char letter, const uint8_t *out, size_t n)
{
	switch (letter) {
	case 's':
		return s->seq;
	case 't':
		return s->seq_before;
	case 'x':
		return xor_from(out, 11, n);
	case 'n':
		s->ns ^= 1;
		return s->ns ? 0x20 : 0x60;
	default:
		return -1;
	}
}

static size_t parse_hex(struct scripted *s, const char *hex, uint8_t *out, size_t cap)
{
	size_t n = 0;

	for (; *hex; hex++) {
		int hi = nibble(hex[0]), stands_for;

		if (*hex == ' ')
			continue;
		if (n == cap || !hex[1])
			return SIZE_MAX;
		stands_for = s && hex[1] == hex[0] && hi < 0 ? placeholder(s, *hex, out, n) : -1;
		if (stands_for >= 0)
			out[n++] = (uint8_t)stands_for;
		else if (hi >= 0 && nibble(hex[1]) >= 0)
			out[n++] = (uint8_t)(hi << 4 | nibble(hex[1]));
		else
			return SIZE_MAX;
		hex++;
	}
	return n;
}

size_t unhex(const char *hex, uint8_t *out, size_t cap)
{
	size_t n = parse_hex(NULL, hex, out, cap);

	ASSERT_TRUE(n != SIZE_MAX);
	return n;
}

static void put(struct scripted *s, const uint8_t *p, size_t n)
{
	(void)!send(s->fd, p, n, MSG_NOSIGNAL);
}

/* The host has something new: who was saying the same thing over and over stops. */
static bool is_spoken_to(const struct scripted *s)
{
	struct pollfd fd = { .fd = s->fd, .events = POLLIN };

	return poll(&fd, 1, 0) != 0;
}

static void say(struct scripted *s, const char *what)
{
	static __thread uint8_t packet[70000];
	unsigned long times = 1, gap_ms = 0;
	char *rest = (char *)(uintptr_t)what;
	size_t n;

	if (*what == '!') {
		(void)shutdown(s->fd, SHUT_RDWR);
		return;
	}
	if (*rest == '~')
		(void)usleep((useconds_t)strtoul(rest + 1, &rest, 10) * 1000);
	while (*rest == ' ')
		rest++;
	if (*rest == '*')
		times = strtoul(rest + 1, &rest, 10);
	if (*rest == '~')
		gap_ms = strtoul(rest + 1, &rest, 10);
	n = parse_hex(s, rest, packet, sizeof(packet));
	if (n == SIZE_MAX)
		abort();	/* the test itself is wrong */
	while (times-- && !s->stopping && !(gap_ms != 0 && is_spoken_to(s))) {
		(void)usleep((useconds_t)gap_ms * 1000);
		put(s, packet, n);
	}
}

static void hear(struct scripted *s, const uint8_t *p, size_t n)
{
	uint8_t what = n > 1 && p[0] == 0x01 ? p[1] : p[0];

	if (s->heard_n + 4 < sizeof(s->heard))
		s->heard_n += (size_t)snprintf(s->heard + s->heard_n, 4, "%02x ", what);
	if (p[0] == 0x01 && n >= 11) {
		s->seq_before = s->seq;
		s->seq = p[7];
		s->slot = p[6];
	}
}

static void reply(struct scripted *s, uint8_t type, const uint8_t *data, size_t n)
{
	static __thread uint8_t packet[70000];
	struct packer p = pack_begin(packet, sizeof(packet));

	pack_u8(&p, 0x01);
	pack_u8(&p, type);
	pack_le32(&p, (uint32_t)n);
	pack_u8(&p, s->slot);
	pack_u8(&p, s->seq);
	pack_u8(&p, s->slot == 0 ? s->icc : 2);
	pack_zero(&p, 2);
	pack_bytes(&p, BYTES(data, n));
	put(s, packet, p.n);
}

static void echo(struct scripted *s, const uint8_t *data, size_t n)
{
	static __thread uint8_t answer[70000];

	if (n != 0)
		memcpy(answer, data, n);
	answer[n] = 0x90;
	answer[n + 1] = 0x00;
	reply(s, CCID_DATA_BLOCK, answer, n + 2);
}

/* The status word a card without any application has for @apdu. */
static struct bytes no_application(struct bytes apdu)
{
	static const uint8_t not_found[] = { 0x6a, 0x82 }, ok[] = { 0x90, 0x00 };

	return apdu.n > 1 && apdu.p[1] == 0xa4 ? BYTES_OF(not_found) : BYTES_OF(ok);
}

/* S-requests get their response, an I-block gets one of ours, and nothing ever goes wrong. */
static void block(struct scripted *s, struct bytes in)
{
	uint8_t out[64], x = 0;
	struct packer p = pack_begin(out, sizeof(out));
	uint8_t pcb = in.n > 3 ? in.p[1] : 0;
	struct bytes inf = bytes_slice(in, 3, in.n > 4 ? in.n - 4 : 0);

	if (!(pcb & 0x80)) {
		struct packer chain = { s->chain, sizeof(s->chain), s->chain_n, false };

		pack_bytes(&chain, bytes_slice(inf, 0, chain.cap - chain.n));
		s->chain_n = chain.n;
	}
	if ((pcb & 0xa0) == 0x20) {
		pcb = pcb & 0x40 ? 0x80 : 0x90;		/* go on */
		inf = BYTES_NONE;
	} else if ((pcb & 0xc0) != 0xc0) {
		pcb = s->ns ? 0x40 : 0;
		s->ns ^= 1;
		inf = no_application(BYTES(s->chain, s->chain_n));
		s->chain_n = 0;
	} else {
		pcb |= 0x20;
		if (pcb == 0xe0)
			s->ns = 0;
	}
	pack_u8(&p, 0);
	pack_u8(&p, pcb);
	pack_u8(&p, inf.n);
	pack_bytes(&p, inf);
	for (size_t i = 0; i < p.n; i++)
		x ^= out[i];
	pack_u8(&p, x);
	reply(s, CCID_DATA_BLOCK, out, p.n);
}

static void become_powered(struct scripted *s)
{
	s->icc = s->ns = 0;
	s->chain_n = 0;
}

static void exchange(struct scripted *s, struct bytes in)
{
	if (s->card == SCRIPTED_ECHO)
		echo(s, in.p, in.n);
	else if (s->card == SCRIPTED_T1)
		block(s, in);
	else
		reply(s, CCID_DATA_BLOCK, no_application(in).p, 2);
}

static void behave(struct scripted *s, const uint8_t *p, size_t n)
{
	static const uint8_t ok[] = { 0x03, 0x00 };

	if (p[0] == 0x03)
		put(s, ok, sizeof(ok));
	if (p[0] != 0x01 || n < 11)
		return;
	if (p[1] == CCID_GET_SLOT_STATUS)
		s->n_status++;
	switch (p[1]) {
	case CCID_POWER_ON:
		become_powered(s);
		reply(s, CCID_DATA_BLOCK, s->atr, s->atr_n);
		return;
	case CCID_POWER_OFF:
		s->icc = s->icc == 2 ? 2 : 1;
		reply(s, CCID_SLOT_STATUS, NULL, 0);
		return;
	case CCID_XFR_BLOCK:
		exchange(s, BYTES(p + 11, n - 11));
		return;
	case CCID_SET_PARAMETERS:
		reply(s, CCID_PARAMETERS, p + 11, n - 11);
		return;
	default:
		reply(s, ccid_answer_to(p[1]), NULL, 0);
	}
}

/* A scripted ATR powers the card as ours does. */
static void note_power(struct scripted *s, const uint8_t *p, const struct scripted_step *step)
{
	if (p[0] != 0x01 || p[1] != CCID_POWER_ON)
		return;
	for (int i = 0; i < SCRIPTED_SAY && step->say[i]; i++)
		if (strstr(step->say[i], "ss 00"))
			become_powered(s);
}

static bool matches(const struct scripted *s, const uint8_t *p, size_t n)
{
	size_t at = 0;

	for (const char *hex = s->steps->hear; *hex; hex++) {
		if (*hex == ' ')
			continue;
		if (!hex[1] || (*hex != '?' && (nibble(hex[0]) < 0 || nibble(hex[1]) < 0)))
			abort();
		if (at == n || (*hex != '?' && p[at] != (nibble(hex[0]) << 4 | nibble(hex[1]))))
			return false;
		at++;
		hex++;
	}
	return true;
}

static void *play(void *arg)
{
	struct scripted *s = arg;
	static __thread uint8_t packet[70000];

	packet[0] = 0x00;
	memcpy(packet + 1, s->descriptors, s->descriptors_n);
	put(s, packet, s->descriptors_n + 1);
	if (s->preface)
		say(s, s->preface);
	for (;;) {
		const struct scripted_step *step;
		ssize_t n = recv(s->fd, packet, sizeof(packet), 0);

		if (n <= 0)
			return NULL;
		hear(s, packet, (size_t)n);
		if (!s->armed || s->n_steps == 0 || !matches(s, packet, (size_t)n)) {
			behave(s, packet, (size_t)n);
			continue;
		}
		step = s->steps;
		if (!step->again) {
			s->steps++;
			s->n_steps--;	/* before the answer, so that a test may look after it */
		}
		note_power(s, packet, step);
		for (int i = 0; i < SCRIPTED_SAY && step->say[i]; i++)
			say(s, step->say[i]);
	}
}

void scripted_init(struct scripted *s, uint32_t features, uint32_t max_message)
{
	*s = (struct scripted){
		.fd = -1, .icc = 1, .armed = true, .atr = { 0x3b, 0x80, 0x01, 0x81 }, .atr_n = 4,
	};
	memcpy(s->descriptors, default_descriptors, sizeof(default_descriptors));
	s->descriptors_n = sizeof(default_descriptors);
	for (int i = 0; i < 4; i++) {
		*scripted_class(s, 40 + (size_t)i) = (uint8_t)(features >> 8 * i);
		*scripted_class(s, 44 + (size_t)i) = (uint8_t)(max_message >> 8 * i);
	}
}

uint8_t *scripted_class(struct scripted *s, size_t at)
{
	return s->descriptors + CLASS_AT + at;
}

void scripted_play(struct scripted *s, int fd, const struct scripted_step *steps, size_t n_steps)
{
	const int sndbuf = SOCKET_SNDBUF;

	s->fd = fd;
	(void)setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
	s->steps = steps;
	s->n_steps = n_steps;
	ASSERT_EQ(0, pthread_create(&s->thread, NULL, play, s));
}

int scripted_start(struct scripted *s, const struct scripted_step *steps, size_t n_steps)
{
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds));
	scripted_play(s, fds[1], steps, n_steps);
	return fds[0];
}

void scripted_stop(struct scripted *s)
{
	s->stopping = true;
	(void)shutdown(s->fd, SHUT_RDWR);
	(void)pthread_join(s->thread, NULL);
	(void)close(s->fd);
}

struct reader *scripted_reader(struct scripted *s, const struct scripted_step *steps,
			       size_t n_steps)
{
	struct reader *reader = NULL;
	struct pipe *pipe = NULL;
	const char *why = NULL;
	int r;

	r = socket_pipe_new(scripted_start(s, steps, n_steps), deadline_in(5000), &pipe);
	ASSERT_EQ(0, r);
	r = reader_new(pipe, -1, deadline_in(5000), &reader, &why);
	if (r < 0)
		TEST_LOG("reader refused: %s", why);
	ASSERT_EQ(0, r);
	return reader;
}
