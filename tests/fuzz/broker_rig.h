/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/fuzz/broker_rig.h - A broker for one input: a reader with a card whose driver is at
 * @driver, and a client at @client that has said hello and has a context and a session key.
 */
#pragma once

#include "base/cleanup.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/client.h"
#include "daemon/broker/context.h"
#include "daemon/broker/reader.h"
#include "proto/wire.h"

#include <stdlib.h>
#include <sys/socket.h>

struct fuzz_rig {
	struct broker broker;
	int driver, client;
	uint64_t context, key;
	uint32_t seq;
};

static inline void fuzz_send(int fd, const struct packet *packet)
{
	static uint8_t buf[KF_PACKET_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	if (packet_pack(packet, &p) == 0)
		(void)wire_send(fd, pack_done(&p), MSG_DONTWAIT);
}

static inline void fuzz_turns(struct fuzz_rig *rig)
{
	for (int i = 0; i < 4; i++)
		(void)loop_turn(&rig->broker.loop, 0);
}

/* Takes what the driver was asked. Return: whether there was something. */
static inline bool fuzz_driver_get(struct fuzz_rig *rig, struct packet *out)
{
	static uint8_t buf[KF_PACKET_MAX];
	struct bytes frame;

	return wire_recv(rig->driver, buf, sizeof(buf), MSG_DONTWAIT, &frame) == 0 &&
	       packet_parse(frame, out) == 0;
}

/* Answers like an honest driver that has nothing to say. */
static inline void fuzz_driver_serve(struct fuzz_rig *rig)
{
	struct packet ask, reply;

	fuzz_turns(rig);
	while (fuzz_driver_get(rig, &ask)) {
		reply = packet_reply(&ask, 0);
		if (ask.header.request == KF_DRV_HELLO)
			((struct kf_drv_hello *)packet_body(&reply))->version = KF_PROTO_VERSION;
		if (ask.header.request == KF_SESSION_IMPORT)
			((struct kf_session_import *)packet_body(&reply))->key = 1;
		if (ask.header.request != KF_CANCEL)
			fuzz_send(rig->driver, &reply);
		fuzz_turns(rig);
	}
}

static inline void fuzz_drain(struct fuzz_rig *rig)
{
	static uint8_t buf[KF_PACKET_MAX];
	struct bytes frame;

	while (wire_recv(rig->client, buf, sizeof(buf), MSG_DONTWAIT, &frame) == 0)
		;
}

static inline void fuzz_ask(struct fuzz_rig *rig, struct packet packet)
{
	packet.header.seq = ++rig->seq;
	fuzz_send(rig->client, &packet);
	fuzz_turns(rig);
}

/* Instead of daemon/broker/log.c: what the broker would say must not bury what the fuzzer says. */
void log_line(const char *format, ...)
{
	(void)format;
}

void log_provoked(struct log *log, const char *format, ...)
{
	(void)log;
	(void)format;
}

static inline void fuzz_rig_init(struct fuzz_rig *rig)
{
	struct spawn_msg policy = { .kind = SPAWN_POLICY, .version = 1, .limits = QUOTA_LIMITS,
				    .n_rules = 1, .rules = { { .who = SPAWN_UID, .id = getuid(),
							       .rights = ~0u } } };
	struct spawn_msg add = { .kind = SPAWN_READER_ADD, .reader = 1, .name = "virtual:fuzz" };
	struct spawn_msg driver = { .kind = SPAWN_DRIVER, .reader = 1, .instance = 1 };
	struct packet event = packet_event(KF_DRV_EVENT);
	struct packet hello = packet_request(KF_HELLO, 0, 0);
	struct client *client;
	int link[2], conn[2];

	*rig = (struct fuzz_rig){ 0 };
	if (broker_init(&rig->broker, -1, -1) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, conn) < 0)
		abort();
	rig->driver = link[0];
	rig->client = conn[0];
	if (broker_told(&rig->broker, &policy, -1) < 0 || broker_told(&rig->broker, &add, -1) < 0 ||
	    broker_told(&rig->broker, &driver, link[1]) < 0 ||
	    client_new(&rig->broker, conn[1], &client) < 0)
		abort();
	fuzz_driver_serve(rig);
	((struct kf_drv_event *)packet_body(&event))->change = KF_CHANGE_CARD_INSERTED;
	((struct kf_drv_event *)packet_body(&event))->flags = KF_CARD_SESSIONS_STAY;
	fuzz_send(rig->driver, &event);
	((struct kf_hello *)packet_body(&hello))->version = KF_PROTO_VERSION;
	((struct kf_hello *)packet_body(&hello))->max_packet = KF_PACKET_MAX;
	fuzz_ask(rig, hello);
	fuzz_ask(rig, packet_request(KF_CONTEXT_OPEN, 0, 0));
	struct context *context = list_first(&client->contexts, struct context, in_client);
	rig->context = context->handle;
	struct packet import = packet_request(KF_SESSION_IMPORT, 0, 0);
	*(uint64_t *)packet_body(&import) = rig->context;
	fuzz_ask(rig, import);
	fuzz_driver_serve(rig);
	rig->key = list_first(&context->keys, struct key, link)->handle;
	fuzz_drain(rig);
}

static inline void fuzz_rig_deinit(struct fuzz_rig *rig)
{
	broker_deinit(&rig->broker);
	fd_close(rig->driver);
	fd_close(rig->client);
}
