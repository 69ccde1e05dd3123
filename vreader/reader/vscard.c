/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A message is three 32-bit numbers, big-endian - type, reader, length - and the payload. We say
 * Init, QEMU answers it; we add a reader, QEMU gives it its number by Error 0; then the ATR is the
 * card's insertion, and from there on QEMU asks and we answer.
 */
#include "vreader/reader/vscard.h"

#include "base/cleanup.h"
#include "base/deadline.h"
#include "base/secret.h"
#include "vreader/reader/t0_card.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>

enum {
	HEADER_LEN = 12,
	VERSION = 0x000002,		/* 0.0.2 */
	READER_UNDEFINED = 0xffffffff,
	ERROR_NONE = 0,
};

/**
 * struct session - a connected QEMU
 * @reader:	the number that QEMU gave us
 * @added:	it has given us one
 * @inserted:	the card is in
 * @gather, @response: of the T=0 card
 */
struct session {
	const struct vscard *vscard;
	int fd;
	uint32_t reader;
	bool added;
	bool inserted;
	struct t0_card t0;
	uint8_t in[HEADER_LEN + VSCARD_PAYLOAD_MAX];
	uint8_t out[HEADER_LEN + VSCARD_PAYLOAD_MAX];
	uint8_t gather[VCARD_COMMAND_MAX];
	uint8_t response[VCARD_RESPONSE_MAX];
};

struct header {
	uint32_t type;
	uint32_t reader;
	uint32_t len;
};

static struct session *session_free(struct session *s)
{
	if (s)
		wipe(s, sizeof(*s));
	free(s);
	return NULL;
}

DEFINE_CLEANUP(struct session *, session_free);

/* In the midst of a message QEMU has VSCARD_STALL_MS to go on. Return: 0, -ETIMEDOUT. */
static int wait_for(const struct session *s, short events, struct deadline deadline)
{
	struct pollfd p = { s->fd, events, 0 };
	int n = poll(&p, 1, deadline_poll_ms(deadline));

	if (n < 0 && errno != EINTR)
		return -errno;
	return n <= 0 && deadline_passed(deadline) ? -ETIMEDOUT : 0;
}

static int send_message(struct session *s, enum vscard_type type, uint32_t reader,
			struct bytes payload)
{
	struct packer p = pack_begin(s->out, sizeof(s->out));
	struct deadline deadline = deadline_in(VSCARD_STALL_MS);
	struct bytes left;
	int r = 0;

	pack_be32(&p, type);
	pack_be32(&p, reader);
	pack_be32(&p, (uint32_t)payload.n);
	pack_bytes(&p, payload);
	assert(pack_end(&p) == 0);
	left = pack_done(&p);
	while (r == 0 && left.n != 0) {
		ssize_t n = send(s->fd, left.p, left.n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0)
			left = bytes_slice(left, (size_t)n, left.n);
		else if (errno == EAGAIN)
			r = wait_for(s, POLLOUT, deadline);
		else if (errno != EINTR)
			r = -EPIPE;
	}
	wipe(s->out, p.n);		/* it may have carried decrypted data */
	return r;
}

/* vscard_atr for whatever card: its own historical bytes behind our interface bytes. */
static void put_atr(const struct vscard *vscard, struct packer *out)
{
	struct unpacker u = unpack_begin(vcard_atr_of_t0(vscard->card));

	pack_u8(out, unpack_u8(&u));				/* TS */
	pack_u8(out, 0x90 | (unpack_u8(&u) & 0x0f));		/* T0: of TA1 and TD1 */
	pack_u8(out, unpack_u8(&u));				/* TA1 */
	pack_bytes(out, BYTES(vscard_atr + 3, 2));		/* TD1, TC2 */
	pack_bytes(out, unpack_rest(&u));
}

static int insert(struct session *s)
{
	uint8_t atr[VCARD_ATR_MAX];
	struct packer p = pack_begin(atr, sizeof(atr));

	if (s->inserted)
		return 0;
	s->inserted = true;
	t0_card_init(&s->t0, s->gather, sizeof(s->gather));
	vcard_power_on(s->vscard->card);
	put_atr(s->vscard, &p);
	return send_message(s, VSCARD_ATR, s->reader, pack_done(&p));
}

static int pull(struct session *s)
{
	if (!s->inserted)
		return 0;
	s->inserted = false;
	vcard_power_off(s->vscard->card);
	return send_message(s, VSCARD_CARD_REMOVE, s->reader, BYTES_NONE);
}

/* Return: 0, -ECANCELED stop, or that sending failed. */
static int take_signals(struct session *s)
{
	struct signalfd_siginfo info;
	int r = 0;

	while (r == 0 && read(s->vscard->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGUSR1)
			r = pull(s);
		else if (info.ssi_signo != SIGUSR2)
			r = -ECANCELED;
		else if (s->added)
			r = insert(s);
	}
	return r;
}

/* Between messages there is no hurry, and signals are heeded. */
static int await_message(struct session *s)
{
	struct pollfd p[2] = { { s->fd, POLLIN, 0 }, { s->vscard->signal_fd, POLLIN, 0 } };
	int r = 0;

	while (r == 0 && p[0].revents == 0) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (p[1].revents != 0)
			r = take_signals(s);
	}
	return r;
}

static int receive(struct session *s, uint8_t *to, size_t n)
{
	struct deadline deadline = deadline_in(VSCARD_STALL_MS);

	while (n != 0) {
		ssize_t got = recv(s->fd, to, n, MSG_DONTWAIT);
		int r = 0;

		if (got == 0 || (got < 0 && errno == ECONNRESET))
			return -EPIPE;
		if (got > 0) {
			to += got;
			n -= (size_t)got;
		} else if (errno == EAGAIN) {
			r = wait_for(s, POLLIN, deadline);
		} else if (errno != EINTR) {
			return -errno;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* A card that fails to store is mute; QEMU knows no such answer, so the card leaves its slot. */
static int on_tpdu(struct session *s, struct bytes tpdu)
{
	struct packer response = pack_begin(s->response, sizeof(s->response));
	int r = 0;

	if (!s->inserted)
		return 0;		/* pulled while it was on its way */
	sleep_for_ms(s->vscard->latency_ms);
	if (t0_card_tpdu(&s->t0, tpdu) == T0_RUN) {
		r = vcard_process(s->vscard->card, t0_card_command(&s->t0), &response);
		if (r < 0)
			return pull(s);
		t0_card_answer(&s->t0, pack_done(&response));
	}
	r = send_message(s, VSCARD_APDU, s->reader, t0_card_out(&s->t0));
	t0_card_sent(&s->t0);
	return r;
}

static int on_error(struct session *s, const struct header *h, struct bytes payload)
{
	struct unpacker u = unpack_begin(payload);
	uint32_t code = unpack_be32(&u);

	if (unpack_end(&u) < 0)
		return -EPROTO;
	if (code != ERROR_NONE)
		return s->added ? 0 : -EREMOTEIO;
	if (s->added)
		return 0;		/* of an ATR or a removal */
	s->added = true;
	s->reader = h->reader;
	return s->vscard->empty ? 0 : insert(s);
}

static int on_init(struct session *s, struct bytes payload)
{
	if (!bytes_have_prefix(payload, BYTES("VSCD", 4)))
		return -EPROTO;
	return send_message(s, VSCARD_READER_ADD, READER_UNDEFINED, BYTES("keyferry", 8));
}

static int on_message(struct session *s, const struct header *h, struct bytes payload)
{
	switch (h->type) {
	case VSCARD_INIT:
		return on_init(s, payload);
	case VSCARD_ERROR:
		return on_error(s, h, payload);
	case VSCARD_APDU:
		return on_tpdu(s, payload);
	case VSCARD_FLUSH:
		return send_message(s, VSCARD_FLUSH_COMPLETE, s->reader, BYTES_NONE);
	default:
		return -EPROTO;
	}
}

static int serve_message(struct session *s)
{
	struct unpacker u = unpack_begin(BYTES(s->in, HEADER_LEN));
	struct header h;
	int r = await_message(s);

	if (r == 0)
		r = receive(s, s->in, HEADER_LEN);
	if (r < 0)
		return r;
	h.type = unpack_be32(&u);
	h.reader = unpack_be32(&u);
	h.len = unpack_be32(&u);
	if (h.len > VSCARD_PAYLOAD_MAX)
		return -EPROTO;
	r = receive(s, s->in + HEADER_LEN, h.len);
	if (r == 0)
		r = on_message(s, &h, BYTES(s->in + HEADER_LEN, h.len));
	wipe(s->in, sizeof(s->in));	/* it may have carried a PIN */
	return r;
}

static int say_init(struct session *s)
{
	uint8_t buf[12];
	struct packer p = pack_begin(buf, sizeof(buf));

	pack_bytes(&p, BYTES("VSCD", 4));
	pack_be32(&p, VERSION);
	pack_be32(&p, 0);		/* no capabilities */
	return send_message(s, VSCARD_INIT, READER_UNDEFINED, pack_done(&p));
}

int vscard_session(const struct vscard *vscard, int fd)
{
	_cleanup_(session_freep) struct session *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->vscard = vscard;
	s->fd = fd;
	t0_card_init(&s->t0, s->gather, sizeof(s->gather));
	r = say_init(s);
	while (r == 0)
		r = serve_message(s);
	if (r == -ECANCELED && s->added) {
		(void)pull(s);
		(void)send_message(s, VSCARD_READER_REMOVE, s->reader, BYTES_NONE);
	}
	vcard_power_off(vscard->card);
	return r == -EPIPE ? 0 : r;
}

static int connect_once(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_(fd_closep) int fd = -1;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* ENOENT: not yet; EAGAIN: others wait there, too. */
	if (fd < 0 || connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return errno == ENOENT || errno == EAGAIN ? -ECONNREFUSED : -errno;
	return take_fd(&fd);
}

/* Return: 0 go on waiting, -ECANCELED. The card's movements have no meaning yet. */
static int wait_a_little(int signal_fd)
{
	struct pollfd p = { signal_fd, POLLIN, 0 };
	struct signalfd_siginfo info;

	if (poll(&p, 1, VSCARD_RETRY_MS) <= 0 ||
	    read(signal_fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	return info.ssi_signo == SIGUSR1 || info.ssi_signo == SIGUSR2 ? 0 : -ECANCELED;
}

int vscard_serve(const struct vscard *vscard)
{
	_cleanup_(fd_closep) int fd = -ECONNREFUSED;
	int r = 0;

	for (int waited = 0; r == 0 && waited < VSCARD_WAIT_MS; waited += VSCARD_RETRY_MS) {
		fd = connect_once(vscard->path);
		if (fd != -ECONNREFUSED)
			break;
		r = wait_a_little(vscard->signal_fd);
	}
	if (r == 0)
		r = fd < 0 ? fd : vscard_session(vscard, fd);
	return r == -ECANCELED ? 0 : r;
}
