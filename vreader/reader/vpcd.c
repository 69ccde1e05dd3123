/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vpcd sends a request and waits; there is never more than one. A request of one byte is about
 * power, anything longer is a command APDU. The answer to a power request is nothing, except for
 * the ATR.
 *
 * TCP delays acknowledgements by 40 ms when it thinks that more will come, and the switch against
 * it falls back by itself; so it is thrown again at each receive, or every exchange costs 44 ms.
 */
#include "vreader/reader/vpcd.h"

#include "base/deadline.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

enum {
	REQUEST_OFF = 0x00,
	REQUEST_ON = 0x01,
	REQUEST_RESET = 0x02,
	REQUEST_ATR = 0x04,
	PAYLOAD_MAX = 65535,
};

/**
 * struct stream - a connected vpcd with room for one request and one answer
 */
struct stream {
	const struct vpcd *vpcd;
	int fd;
	uint8_t in[2 + PAYLOAD_MAX];
	uint8_t out[2 + VCARD_RESPONSE_MAX];
};

static struct stream *stream_free(struct stream *s)
{
	if (s)
		wipe(s, sizeof(*s));
	free(s);
	return NULL;
}

DEFINE_CLEANUP(struct stream *, stream_free);

/* Return: 0 nothing to heed, -EINTR the card is pulled, -ECANCELED stop. */
static int take_signal(int signal_fd)
{
	struct signalfd_siginfo info;
	int r = 0;

	while (r == 0 && read(signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGUSR1)
			r = -EINTR;
		else if (info.ssi_signo != SIGUSR2)
			r = -ECANCELED;
	}
	return r;
}

/* Return: 1 something can be read from or written to the stream, or as take_signal(). */
static int wait_for(const struct stream *s, short events)
{
	struct pollfd p[2] = { { s->fd, events, 0 }, { s->vpcd->signal_fd, POLLIN, 0 } };
	int r;

	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (p[1].revents != 0) {
			r = take_signal(s->vpcd->signal_fd);
			if (r < 0)
				return r;
		}
		if (p[0].revents != 0)
			return 1;
	}
}

/* Return: 0, -EPIPE the other side has hung up, or as wait_for(). */
static int receive(struct stream *s, uint8_t *to, size_t n)
{
	const int on = 1;

	while (n != 0) {
		int r = wait_for(s, POLLIN);
		ssize_t got;

		if (r < 0)
			return r;
		(void)setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
		got = recv(s->fd, to, n, MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno == ECONNRESET))
			return -EPIPE;
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (got > 0) {
			to += got;
			n -= (size_t)got;
		}
		(void)setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
	}
	return 0;
}

static int send_all(struct stream *s, struct bytes b)
{
	while (b.n != 0) {
		ssize_t n = send(s->fd, b.p, b.n, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r = 0;

		if (n >= 0)
			b = bytes_slice(b, (size_t)n, b.n);
		else if (errno == EAGAIN)
			r = wait_for(s, POLLOUT);
		else if (errno != EINTR)
			return -EPIPE;
		if (r < 0)
			return r;
	}
	return 0;
}

static int answer(struct stream *s, struct bytes payload)
{
	struct packer p = pack_begin(s->out, sizeof(s->out));

	/* The response proper was built two bytes further on, where it stays. */
	if (payload.n > PAYLOAD_MAX)
		return -EMSGSIZE;
	pack_be16(&p, (uint16_t)payload.n);
	if (payload.p != s->out + 2)
		pack_bytes(&p, payload);
	return send_all(s, BYTES(s->out, 2 + payload.n));
}

/*
 * A card that fails to store is mute; vpcd knows no such answer, so the card leaves its slot. A
 * response that 16 bits cannot count (65534 bytes and more of data) is SW 6700 here: "wrong Le".
 */
static int on_apdu(struct stream *s, struct bytes command)
{
	struct packer response = pack_begin(s->out + 2, VCARD_RESPONSE_MAX);
	int r = vcard_process(s->vpcd->card, command, &response);

	if (r < 0)
		return r;
	sleep_for_ms(s->vpcd->latency_ms);
	if (response.n > PAYLOAD_MAX) {
		wipe(response.p, response.n);
		return answer(s, BYTES("\x67\x00", 2));
	}
	r = answer(s, BYTES(response.p, response.n));
	wipe(s->out, 2 + response.n);
	return r;
}

static int on_request(struct stream *s, struct bytes request)
{
	struct vcard *card = s->vpcd->card;

	if (request.n == 0)
		return -EPROTO;
	if (request.n > 1)
		return on_apdu(s, request);
	switch (request.p[0]) {
	case REQUEST_OFF:
		vcard_power_off(card);
		return 0;
	case REQUEST_ON:
		vcard_power_on(card);
		return 0;
	case REQUEST_RESET:
		vcard_reset(card);
		return 0;
	case REQUEST_ATR:
		return answer(s, vcard_atr(card));
	default:
		return -EPROTO;
	}
}

static int serve_request(struct stream *s)
{
	struct unpacker u = unpack_begin(BYTES(s->in, 2));
	uint16_t len;
	int r;

	r = receive(s, s->in, 2);
	if (r < 0)
		return r;
	len = unpack_be16(&u);
	r = receive(s, s->in + 2, len);
	if (r < 0)
		return r;
	r = on_request(s, BYTES(s->in + 2, len));
	wipe(s->in, 2 + (size_t)len);		/* it may have carried a PIN */
	return r;
}

int vpcd_session(const struct vpcd *vpcd, int fd)
{
	_cleanup_(stream_freep) struct stream *s = calloc(1, sizeof(*s));
	int r = 0;

	if (!s)
		return -ENOMEM;
	s->vpcd = vpcd;
	s->fd = fd;
	while (r == 0)
		r = serve_request(s);
	vcard_power_off(vpcd->card);
	return r == -EPIPE ? 0 : r;
}

static int connect_once(const struct vpcd *vpcd)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	const int on = 1;
	int fd = -1, saved = ECONNREFUSED;

	if (getaddrinfo(vpcd->host, vpcd->service, &hints, &list) != 0)
		return -EHOSTUNREACH;
	for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
		if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
			saved = errno;
			fd = fd_close(fd);
		}
	}
	freeaddrinfo(list);
	if (fd < 0)
		return -saved;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

/* Return: descriptor; -ECANCELED stopped by a signal; or why it did not come to be. */
static int connect_patiently(const struct vpcd *vpcd)
{
	struct pollfd p = { vpcd->signal_fd, POLLIN, 0 };

	for (int waited = 0;; waited += VPCD_RETRY_MS) {
		int fd = connect_once(vpcd);

		if (fd != -ECONNREFUSED || waited >= VPCD_WAIT_MS)
			return fd;
		if (poll(&p, 1, VPCD_RETRY_MS) > 0 && take_signal(vpcd->signal_fd) == -ECANCELED)
			return -ECANCELED;
	}
}

/* Return: 0 the card is put back, -ECANCELED. */
static int wait_for_insertion(int signal_fd)
{
	struct pollfd p = { signal_fd, POLLIN, 0 };
	struct signalfd_siginfo info;

	for (;;) {
		(void)poll(&p, 1, -1);
		if (read(signal_fd, &info, sizeof(info)) != sizeof(info) ||
		    info.ssi_signo == SIGUSR1)
			continue;
		return info.ssi_signo == SIGUSR2 ? 0 : -ECANCELED;
	}
}

int vpcd_serve(const struct vpcd *vpcd)
{
	int r;

	do {
		_cleanup_(fd_closep) int fd = connect_patiently(vpcd);

		r = fd < 0 ? fd : vpcd_session(vpcd, fd);
		fd = fd_close(fd);
		if (r == -EINTR) {
			r = wait_for_insertion(vpcd->signal_fd);
			if (r == 0)
				r = -EINTR;
		}
	} while (r == -EINTR);
	return r == -ECANCELED ? 0 : r;
}
