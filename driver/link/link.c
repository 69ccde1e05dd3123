/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/link/link.c - The broker sends a request, waits for its reply, and sends the next; the one
 * exception is KF_CANCEL, which has no reply. Whoever does anything else is not our broker.
 */
#include "driver/link/link.h"

#include "base/cleanup.h"
#include "base/secret.h"
#include "proto/wire.h"

#include <sys/socket.h>

static int check_socket(int fd)
{
	socklen_t len = sizeof(int);
	int type;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return -errno;
	return type == SOCK_SEQPACKET ? 0 : -EPROTOTYPE;
}

int link_init(struct link *link, int fd)
{
	int r = check_socket(fd);

	if (r < 0)
		return r;
	link->rx = malloc(KF_PACKET_MAX);
	link->tx = malloc(KF_PACKET_MAX);
	if (!link->rx || !link->tx) {
		link_deinit(link);
		return -ENOMEM;
	}
	link->fd = fd;
	return 0;
}

void link_deinit(struct link *link)
{
	wipe(link->rx, link->rx_n);
	free(link->rx);
	free(link->tx);		/* wiped after each packet */
	link->fd = fd_close(link->fd);
	*link = LINK_INIT;
}

static int lose(struct link *link, int error)
{
	bool gone = error == -ECONNRESET || error == -EPIPE;

	link->gone |= gone;
	link->broken |= !gone;
	return gone ? -ECONNRESET : -EPROTO;
}

int link_receive(struct link *link, struct packet *out)
{
	struct bytes frame;
	int r;

	assert(link->running == 0);
	r = wire_recv(link->fd, link->rx, KF_PACKET_MAX, MSG_DONTWAIT, &frame);
	if (r == -EAGAIN)
		return r;
	if (r < 0)
		return lose(link, r);
	link->rx_n = frame.n;
	r = packet_parse(frame, out);
	if (r == -EBADMSG || out->header.kind != KF_KIND_REQUEST)
		return lose(link, -EBADMSG);
	if (r == 0 && out->header.request == KF_CANCEL)
		return -EAGAIN;		/* of a request that has been answered meanwhile */
	link->running = out->header.seq;
	return r;
}

/* Return: bytes of @packet in the buffer, or -EMSGSIZE. */
static int pack(struct link *link, const struct packet *packet)
{
	struct packer p = pack_begin(link->tx, KF_PACKET_MAX);
	int r = packet_pack(packet, &p);

	if (r < 0)
		wipe(link->tx, p.n);
	return r < 0 ? r : (int)p.n;
}

static int send_packed(struct link *link, size_t n)
{
	int r = wire_send(link->fd, BYTES(link->tx, n), 0);

	wipe(link->tx, n);
	return r < 0 ? lose(link, r) : 0;
}

int link_reply(struct link *link, const struct packet *reply)
{
	int n;

	assert(link->running != 0 && reply->header.seq == link->running);
	n = pack(link, reply);
	if (n == -EMSGSIZE) {
		struct packet too_long = *reply;

		too_long.header.result = -EMSGSIZE;
		too_long.header.detail = (uint32_t)packet_size(reply);
		n = pack(link, &too_long);
	}
	assert(n > 0);
	/* Before the answer goes: whoever has it may rely on the PIN being gone from here. */
	wipe(link->rx, link->rx_n);
	link->rx_n = 0;
	link->running = 0;
	return send_packed(link, (size_t)n);
}

int link_event(struct link *link, const struct packet *event)
{
	int n = pack(link, event);

	assert(n > 0);
	return send_packed(link, (size_t)n);
}

/* A cancel is 40 bytes; anything longer is not one. */
static int take_cancel(struct link *link)
{
	uint8_t buf[sizeof(struct kf_header) + sizeof(struct kf_cancel)];
	const struct kf_cancel *cancel;
	struct packet packet;
	struct bytes frame;
	int r;

	r = wire_recv(link->fd, buf, sizeof(buf), MSG_DONTWAIT, &frame);
	if (r == -EAGAIN)
		return 0;
	if (r < 0 || packet_parse(frame, &packet) < 0 ||
	    packet.header.kind != KF_KIND_REQUEST || packet.header.request != KF_CANCEL) {
		(void)lose(link, r < 0 ? r : -EBADMSG);
		return -ECANCELED;
	}
	cancel = packet_read(&packet);
	return cancel->seq == link->running ? -ECANCELED : 0;
}

/* Between requests the next one may be there already; it is not ours to take. */
static int look(struct link *link)
{
	uint8_t byte;
	ssize_t n = recv(link->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n > 0)
		return 1;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	link->gone = true;
	return -ECANCELED;
}

int link_wake(struct link *link)
{
	if (link->gone || link->broken)
		return -ECANCELED;
	return link->running != 0 ? take_cancel(link) : look(link);
}
