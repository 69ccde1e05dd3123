/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libclient/call.c - Requests are not pipelined: one is out at a time, so a reply either answers it,
 * answers a kf_cancel(), or proves that the other side is not a broker. Then we hang up: a stream
 * whose order is in doubt carries no signature or receipt that anybody should use.
 */
#include "libclient/call.h"
#include "base/secret.h"
#include "libclient/explain.h"
#include "libclient/reader.h"
#include "proto/wire.h"

#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/socket.h>

#define SEQ_CANCEL 0x80000000u

void *call_begin(struct call *call, struct kf_client *client, uint32_t request)
{
	call->client = client;
	call->error = !client ? -EINVAL : client->connected ? 0 : -ENOTCONN;
	call->request = packet_request(request, 1, client ? client->deadline_ms : 0);
	if (client)
		client->failure = (struct failure){ .error = KF_ERROR_INIT };
	return packet_body(&call->request);
}

void *call_begin_card(struct call *call, struct kf_context *context, uint32_t request)
{
	struct kf_client *client = context ? context->client : NULL;
	uint64_t *handle = call_begin(call, client, request);

	if (context && (!client || context->epoch != client->epoch))
		call->error = -ENOTCONN;
	*handle = context ? context->handle : 0;
	return handle;
}

void call_set_deadline(struct call *call, uint32_t ms)
{
	call->request.header.deadline_ms = ms;
}

void call_refuse(struct call *call, const char *why)
{
	if (call->error == 0)
		call->error = explain_argument(&call->client->failure, why);
}

const void *call_reply(const struct call *call)
{
	return packet_read(&call->reply);
}

void call_end(struct call *call)
{
	if (call->client) {
		wipe(call->client->tx, packet_size(&call->request));
		wipe(call->client->rx, call->client->rx_len);
	}
	wipe(call, sizeof(*call));
}

/* Waits for @events. Return: 0, -ETIMEDOUT; a hang-up shows in what follows. */
static int wait_for(struct kf_client *client, short events, int64_t until)
{
	for (;;) {
		struct pollfd p = { .fd = client->fd, .events = events };
		int64_t left = until - client_now_ms();
		int n;

		n = poll(&p, 1, left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left);
		if (n > 0)
			return 0;
		if (n == 0 && left <= 0)
			return -ETIMEDOUT;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int send_request(struct call *call, int64_t until)
{
	struct kf_client *client = call->client;
	struct packer p = pack_begin(client->tx, KF_PACKET_MAX);
	int r;

	if (packet_pack(&call->request, &p) < 0)
		return explain_argument(&client->failure, "more data than one request can carry");
	for (;;) {
		r = wire_send(client->fd, pack_done(&p), MSG_DONTWAIT);
		/* Hung up: perhaps it was said why before that, so let the receiver see. */
		if (r == -EPIPE || r == -ECONNRESET)
			return 0;
		if (r != -EAGAIN)
			return r < 0 ? -ENOTCONN : 0;
		r = wait_for(client, POLLOUT, until);
		if (r < 0)
			return r;
	}
}

/*
 * One packet, if there is one. Return: 1 the reply to @seq, in *@out; 0 something else, taken
 * care of; -EAGAIN nothing there; -ENOTCONN, -EBADMSG.
 */
static int take_packet(struct kf_client *client, const struct packet *asked, struct packet *out)
{
	struct bytes frame;
	int r;

	r = wire_recv(client->fd, client->rx, KF_PACKET_MAX, MSG_DONTWAIT, &frame);
	if (r == -ECONNRESET)	/* told before what was sent before; at the end it says so again */
		r = wire_recv(client->fd, client->rx, KF_PACKET_MAX, MSG_DONTWAIT, &frame);
	if (r < 0)
		return r == -EAGAIN || r == -EBADMSG ? r : r == -EMSGSIZE ? -EBADMSG : -ENOTCONN;
	client->rx_len = frame.n;
	if (packet_parse(frame, out) < 0)
		return -EBADMSG;
	if (out->header.kind == KF_KIND_EVENT && out->header.request == KF_EVENT) {
		const struct kf_event *event = packet_read(out);

		if (!reader_entry_valid(&event->entry))
			return -EBADMSG;
		events_push(&client->events, event);
		return 0;
	}
	if (out->header.kind != KF_KIND_REPLY)
		return -EBADMSG;
	if (out->header.seq & SEQ_CANCEL) {
		if (out->header.request != KF_CANCEL || atomic_load(&client->cancels) == 0)
			return -EBADMSG;
		atomic_fetch_sub(&client->cancels, 1);
		return 0;
	}
	if (!asked || out->header.seq != asked->header.seq ||
	    out->header.request != asked->header.request)
		return -EBADMSG;
	return 1;
}

/* An answer takes its time: to look before waiting is to keep the broker from the processor it may share with us. */
static int receive_reply(struct call *call, int64_t until)
{
	int r;

	for (;;) {
		r = wait_for(call->client, POLLIN, until);
		if (r == 0)
			r = take_packet(call->client, &call->request, &call->reply);
		if (r > 0)
			return 0;
		if (r < 0 && r != -EAGAIN)
			return r;
	}
}

int client_take_events(struct kf_client *client)
{
	struct packet packet;
	int r;

	do
		r = take_packet(client, NULL, &packet);
	while (r >= 0);
	if (r == -EAGAIN)
		return 0;
	client_hang_up(client);
	return r;
}

static int exchange(struct call *call)
{
	struct kf_client *client = call->client;
	uint32_t ms = call->request.header.deadline_ms;
	int64_t until = client_now_ms() + CLIENT_GRACE_MS +
			(ms == 0 ? KF_DEADLINE_DEFAULT_MS : ms > KF_DEADLINE_MAX_MS ? KF_DEADLINE_MAX_MS : ms);
	int r;

	client->seq = client->seq % (SEQ_CANCEL - 1) + 1;
	call->request.header.seq = client->seq;
	atomic_store(&client->running, client->seq);
	r = send_request(call, until);
	if (r == 0 && atomic_load(&client->cancel_wanted) == client->seq)
		(void)kf_cancel(client);	/* it was called before the request was out */
	if (r == 0)
		r = receive_reply(call, until);
	atomic_store(&client->running, 0);
	if (r < 0 && client->failure.error.code == 0) {
		client_hang_up(client);
		explain_link(&client->failure, r);
	}
	return r;
}

int call_run(struct call *call, const char *what, ...)
{
	struct kf_client *client = call->client;
	int r = call->error;
	va_list args;

	if (!client)
		return r;
	if (r == 0) {
		r = exchange(call);
		if (r == 0) {
			r = call->reply.header.result;
			if (r < 0)
				explain_reply(&client->failure, &call->reply.header);
		}
	} else if (client->failure.error.code == 0) {
		explain_link(&client->failure, r);
	}
	if (r < 0) {
		va_start(args, what);
		error_text_vset(client->failure.error.what, what, args);
		va_end(args);
	}
	return r;
}

int call_reply_broken(struct call *call, const char *why)
{
	client_hang_up(call->client);
	return error_what(&call->client->failure.error,
			  explain_broken(&call->client->failure, why),
			  "cannot use the broker's answer");
}

int call_no_memory(struct call *call)
{
	return error_what(&call->client->failure.error,
			  explain_link(&call->client->failure, -ENOMEM),
			  "cannot keep the broker's answer");
}

/* Nothing but loads, stores, packing on the stack and send(): a signal handler may be here. */
KF_EXPORT int kf_cancel(struct kf_client *client)
{
	uint8_t buf[sizeof(struct kf_header) + sizeof(struct kf_cancel)];
	struct packer p = pack_begin(buf, sizeof(buf));
	int saved = errno, r;
	uint32_t seq;

	if (!client)
		return -EINVAL;
	seq = atomic_load(&client->running);
	if (seq == 0)
		return -ENOENT;
	atomic_store(&client->cancel_wanted, seq);

	struct packet packet = packet_request(
		KF_CANCEL, SEQ_CANCEL | atomic_fetch_add(&client->cancel_seq, 1), 0);
	struct kf_cancel *cancel = packet_body(&packet);

	cancel->seq = seq;
	(void)packet_pack(&packet, &p);
	atomic_fetch_add(&client->cancels, 1);
	r = wire_send(client->fd, pack_done(&p), MSG_DONTWAIT);
	if (r < 0)
		atomic_fetch_sub(&client->cancels, 1);
	errno = saved;
	return r < 0 && r != -EAGAIN ? -ENOTCONN : r;
}

bool call_in_doubt(const struct kf_client *client, int r)
{
	switch (-r) {
	case EIO:
	case ETIMEDOUT:
	case ECANCELED:
	case ENOTCONN:
	case ESTALE:
	case ENODEV:
	case ENOMEDIUM:
	case EBADMSG:
	case ENOMEM:
	case ESHUTDOWN:
		return client->failure.reason != KF_REASON_QUEUED;
	default:
		return false;
	}
}
