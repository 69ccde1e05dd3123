/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/link.c - A driver is the process that parses hostile bytes, so what comes from it
 * is judged as if it were taken over: one whole packet, of the kind that is due, or it is given up.
 */
#include "daemon/broker/link.h"

#include "base/cleanup.h"
#include "base/secret.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/card.h"
#include "daemon/broker/reader.h"
#include "proto/wire.h"

#include <assert.h>
#include <sys/socket.h>

/* Events and one reply may be waiting; more in one turn is a flood, and can wait. */
#define PACKETS_A_TURN 4

static void link_late(struct timer *timer)
{
	struct link *link = list_entry(timer, struct link, timer);

	device_driver_lost(list_entry(link, struct device, link), "no reply in time",
			   SPAWN_KILL);
}

void link_ask(struct device *device, struct reader *reader, enum link_step step,
	      struct packet *request, uint32_t deadline_ms)
{
	struct link *link = &device->link;
	struct broker *broker = device->broker;
	struct packer p = pack_begin(broker->tx, KF_PACKET_MAX);
	int r;

	assert(link_up(link) && link->step == LINK_IDLE);
	request->header.seq = ++link->seq ? link->seq : ++link->seq;
	request->header.deadline_ms = deadline_ms ? deadline_ms : 1;
	r = packet_pack(request, &p);
	if (r == 0)
		r = timer_arm(&broker->loop, &link->timer,
			      now_ns() + ms_to_ns(deadline_ms + LINK_GRACE_MS));
	if (r == 0)
		r = wire_send(link->source.fd, pack_done(&p), MSG_DONTWAIT);
	wipe(broker->tx, p.n);
	link->step = step;
	link->whose = reader;
	link->last = reader->slot;
	link->cancelled = link->put_off = false;
	link->request = request->header.request;
	/* One that has just left leaves by its own end, which is on the way: it failed no duty. */
	if (r < 0 && r != -EPIPE && r != -ECONNRESET)
		link_break(device);
}

void link_break(struct device *device)
{
	device->link.broken = true;
	(void)shutdown(device->link.source.fd, SHUT_RDWR);
}

void link_cancel(struct device *device)
{
	struct link *link = &device->link;
	struct packet request = packet_request(KF_CANCEL, link->seq, 0);
	struct kf_cancel *cancel = packet_body(&request);
	uint8_t buf[sizeof(struct kf_header) + sizeof(struct kf_cancel)];
	struct packer p = pack_begin(buf, sizeof(buf));

	if (link->cancelled)	/* a client may ask as often as it likes; the socket is finite */
		return;
	link->cancelled = true;
	cancel->seq = link->seq;
	if (packet_pack(&request, &p) == 0)	/* a wish: a driver that cannot take it goes on */
		(void)wire_send(link->source.fd, pack_done(&p), MSG_DONTWAIT);
}

static bool reply_is_due(const struct link *link, const struct packet *packet)
{
	return packet->header.kind == KF_KIND_REPLY && link->step != LINK_IDLE &&
	       packet->header.seq == link->seq && packet->header.request == link->request;
}

/*
 * An honest driver has little to tell: it leaves with its card. Each event goes to every client
 * that asked for them, so a driver that makes them up must not fill other people's sockets, nor
 * keep its own link busy with cards that it powers without end.
 */
static bool event_is_flood(struct device *device)
{
	struct link *link = &device->link;
	uint64_t now = now_ns();

	if (now - link->events_ns > ms_to_ns(LINK_EVENTS_MS)) {
		link->events_ns = now;
		link->n_events = 0;
	}
	return ++link->n_events > LINK_EVENTS + 2 * (device->n_slots - 1);
}

/*
 * Its silence has a limit of its own, and what was asked when it fell silent is put off by that, once: a
 * request that a driver holds for ever must not be had by repeating this.
 */
static int link_powers(struct device *device, const struct kf_drv_powering *powering)
{
	struct link *link = &device->link;
	struct loop *loop = &device->broker->loop;
	uint32_t ms = powering->ms;

	if (link->step == LINK_HELLO || powering->slot >= device->n_slots ||
	    ms > LINK_POWERING_MS || (ms != 0) == link->powering)
		return -EPROTO;
	if (ms != 0 && event_is_flood(device))
		return -EPROTO;
	link->powering = ms != 0;
	if (link->step == LINK_IDLE && link->powering)
		return timer_arm(loop, &link->timer, now_ns() + ms_to_ns(ms + LINK_GRACE_MS));
	if (link->step == LINK_IDLE)
		timer_disarm(loop, &link->timer);
	else if (link->powering && !link->put_off)
		(void)timer_arm(loop, &link->timer, link->timer.at_ns + ms_to_ns(ms));	/* it is armed */
	link->put_off |= link->powering;
	return 0;
}

/* Return: 0, or negative for what no honest driver sends. */
static int link_take(struct device *device, struct bytes frame)
{
	struct link *link = &device->link;
	struct packet packet;
	int r = packet_parse(frame, &packet);

	if (r < 0)
		return r;
	if (packet.header.kind == KF_KIND_EVENT && packet.header.request == KF_DRV_EVENT)
		return event_is_flood(device) ? -EPROTO :
		       device_event(device, packet_read(&packet));
	if (packet.header.kind == KF_KIND_EVENT && packet.header.request == KF_DRV_SILENT)
		return device_silent(device);
	if (packet.header.kind == KF_KIND_EVENT && packet.header.request == KF_DRV_POWERING)
		return link_powers(device, packet_read(&packet));
	if (link->powering || !reply_is_due(link, &packet))
		return -EPROTO;

	struct reader *whose = link->whose;
	enum link_step step = link->step;

	link->step = LINK_IDLE;
	link->whose = NULL;
	timer_disarm(&device->broker->loop, &link->timer);
	if (step == LINK_HELLO)
		device_said_hello(device, &packet);
	else if (step == LINK_WATCH)
		watch_reply(device, &packet);
	else
		card_reply(whose, step, &packet);
	return 0;
}

static void link_ready(struct source *source, uint32_t events)
{
	struct link *link = list_entry(source, struct link, source);
	struct device *device = list_entry(link, struct device, link);
	struct broker *broker = device->broker;
	int r = 0;

	(void)events;
	for (int i = 0; i < PACKETS_A_TURN && r == 0 && link_up(link); i++) {
		struct bytes frame;

		r = wire_recv(link->source.fd, broker->rx, KF_PACKET_MAX, MSG_DONTWAIT, &frame);
		if (r < 0)
			break;
		r = link_take(device, frame);
		wipe(broker->rx, frame.n);
		if (r < 0)
			device_driver_lost(device, "it broke the protocol", SPAWN_KILL);
	}
	if (r < 0 && r != -EAGAIN && link_up(link))
		device_driver_lost(device, link->broken ? "it failed a duty" :
				   r == -ECONNRESET ? "it ended" : "it broke the protocol",
				   link->broken || r != -ECONNRESET ? SPAWN_KILL : SPAWN_HUNG_UP);
	else if (link_up(link))
		device_kick(device);
}

int link_open(struct device *device, int fd)
{
	struct link *link = &device->link;

	assert(!link_up(link));
	link->source = (struct source){ .fd = fd, .events = EPOLLIN, .fn = link_ready };
	link->timer.fn = link_late;
	link->step = LINK_IDLE;
	link->broken = link->powering = link->put_off = false;
	link->n_events = 0;
	return loop_add(&device->broker->loop, &link->source);
}

void link_close(struct device *device)
{
	struct link *link = &device->link;

	loop_remove(&device->broker->loop, &link->source);
	timer_disarm(&device->broker->loop, &link->timer);
	link->source.fd = fd_close(link->source.fd);
	link->step = LINK_IDLE;
	link->whose = NULL;
}
