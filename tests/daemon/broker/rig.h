/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/daemon/broker/rig.h - A broker in this process, with a reader whose driver is played by the
 * test and clients over real sockets. Time does not pass by itself: rig_run() turns the loop until
 * nothing is ready.
 */
#pragma once

#include "base/cleanup.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/client.h"
#include "daemon/broker/reader.h"
#include "proto/wire.h"
#include "tests/harness.h"

#include <stdlib.h>
#include <sys/socket.h>

#define RIG_READER "virtual:test"
#define RIG_ALL 0xffffffffu

struct peer {
	int fd;
	uint32_t seq;
	struct client *client;
	uint8_t *buf;
};

/**
 * struct rig
 * @driver:	our end of the driver's link
 * @hold:	the fake driver takes requests but does not answer
 * @asked:	numbers (nr) of what the driver was asked, in order
 * @n_slots:	how many it says its reader has
 * @features:	what it says its reader can
 * @behind:	what it says to KF_DRV_WATCH
 * @watched:	what it was told by that
 * @tries:	what it says to KF_PIN_STATUS
 * @relay_sw:	status word it says to KF_RELAY_APDU; 0: 9000
 * @target:	what it says to KF_SESSION_IMPORT: which container the sid is for
 * @fail:	nr that it refuses with @fail_result
 */
struct rig {
	struct broker broker;
	struct reader *reader;
	int driver;
	bool hold;
	uint32_t asked[256];
	size_t n_asked;
	uint32_t n_slots;
	uint32_t features, behind;
	bool watched;
	uint32_t tries;
	uint32_t target;
	uint32_t relay_sw;
	uint32_t fail;
	int fail_result;
	uint16_t fail_reason;
	uint64_t next_ref, last_ref;
	struct packet held;
	uint8_t *buf;
};

static inline void rig_rules(struct rig *rig, const struct spawn_rule *rules, size_t n)
{
	struct spawn_msg msg = { .kind = SPAWN_POLICY, .version = rig->broker.policy.version + 1,
				 .limits = QUOTA_LIMITS, .n_rules = n };

	memcpy(msg.rules, rules, n * sizeof(rules[0]));
	ASSERT_EQ(0, broker_told(&rig->broker, &msg, -1));
}

static inline void rig_policy(struct rig *rig, uint32_t rights)
{
	struct spawn_rule rule = { .who = SPAWN_UID, .id = getuid(), .rights = rights };

	rig_rules(rig, &rule, rights != 0);
}

static inline void driver_send(struct rig *rig, struct packet *packet)
{
	uint8_t buf[4096];
	struct packer p = pack_begin(buf, sizeof(buf));

	ASSERT_EQ(0, packet_pack(packet, &p));
	ASSERT_EQ(0, wire_send(rig->driver, pack_done(&p), 0));
}

static inline void driver_event_at(struct rig *rig, uint8_t slot, enum kf_change change,
				   uint32_t flags)
{
	struct packet p = packet_event(KF_DRV_EVENT);
	struct kf_drv_event *event = packet_body(&p);

	event->slot = slot;
	event->change = change;
	event->flags = flags;
	if (change == KF_CHANGE_CARD_INSERTED) {
		event->atr_len = 2;
		event->atr[0] = 0x3b;
		event->serial_len = 1;
		event->serial[0] = 0xab;
	}
	driver_send(rig, &p);
}

static inline void driver_event(struct rig *rig, enum kf_change change, uint32_t flags)
{
	driver_event_at(rig, 0, change, flags);
}

/* What an honest driver says. */
static inline void driver_answer(struct rig *rig, const struct packet *ask)
{
	bool fail = _IOC_NR(ask->header.request) == rig->fail && rig->fail_result < 0;
	struct packet reply = packet_reply(ask, fail ? rig->fail_result : 0);

	reply.header.reason = fail ? rig->fail_reason : 0;
	switch (ask->header.request) {
	case KF_DRV_HELLO:
		((struct kf_drv_hello *)packet_body(&reply))->version = KF_PROTO_VERSION;
		((struct kf_drv_hello *)packet_body(&reply))->n_slots = rig->n_slots;
		((struct kf_drv_hello *)packet_body(&reply))->features = rig->features;
		break;
	case KF_DRV_WATCH:
		((struct kf_drv_watch *)packet_body(&reply))->behind = rig->behind;
		rig->watched = ((const struct kf_drv_watch *)packet_read(ask))->flags & KF_DRV_WATCH_ON;
		break;
	case KF_PIN_STATUS:
		((struct kf_pin_status *)packet_body(&reply))->tries_left = rig->tries;
		break;
	case KF_SESSION_IMPORT:
		rig->last_ref = ++rig->next_ref;
		((struct kf_session_import *)packet_body(&reply))->key = rig->last_ref;
		((struct kf_session_import *)packet_body(&reply))->target = rig->target;
		break;
	case KF_RELAY_APDU:
		((struct kf_relay_apdu *)packet_body(&reply))->sw = rig->relay_sw ? rig->relay_sw : 0x9000;
		((struct kf_relay_apdu *)packet_body(&reply))->flags = KF_RELAY_ENDED;	/* not its to say */
		packet_set(&reply, kf_relay_apdu, response, BYTES("\x90\x00", 2));
		break;
	case KF_SIGN:
		packet_set(&reply, kf_sign, signature, BYTES("signed", 6));
		break;
	case KF_DRV_POWER_CYCLE:
		((struct kf_drv_power_cycle *)packet_body(&reply))->atr_len = 1;
		break;
	}
	driver_send(rig, &reply);
}

/* Return: whether there was something to do. */
static inline bool driver_turn(struct rig *rig)
{
	struct packet ask;
	struct bytes frame;

	if (wire_recv(rig->driver, rig->buf, KF_PACKET_MAX, MSG_DONTWAIT, &frame) < 0)
		return false;
	ASSERT_EQ(0, packet_parse(frame, &ask));
	ASSERT_LT(rig->n_asked, sizeof(rig->asked) / sizeof(rig->asked[0]));
	rig->asked[rig->n_asked++] = _IOC_NR(ask.header.request);
	rig->held = ask;
	if (ask.header.request == KF_KEY_DESTROY)
		rig->last_ref = ((const struct kf_key_destroy *)packet_read(&ask))->key;
	if (!rig->hold && ask.header.request != KF_CANCEL)
		driver_answer(rig, &ask);
	return true;
}

static inline void rig_run(struct rig *rig)
{
	for (int idle = 0; idle < 64;) {	/* one packet of a client a turn, and tests send up to 64 at once */
		ASSERT_EQ(0, loop_turn(&rig->broker.loop, 0));
		idle = driver_turn(rig) ? 0 : idle + 1;
	}
}

static inline void rig_plug_driver(struct rig *rig)
{
	struct spawn_msg msg = { .kind = SPAWN_DRIVER, .reader = 1, .instance = 1 };
	int pair[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	rig->driver = pair[0];
	ASSERT_EQ(0, broker_told(&rig->broker, &msg, pair[1]));
	rig_run(rig);
}

static inline void rig_insert(struct rig *rig)
{
	driver_event(rig, KF_CHANGE_CARD_INSERTED, KF_CARD_SESSIONS_STAY);
	rig_run(rig);
}

static inline void rig_init(struct rig *rig)
{
	struct spawn_msg add = { .kind = SPAWN_READER_ADD, .reader = 1, .name = RIG_READER };

	*rig = (struct rig){ .driver = -1, .tries = 3, .next_ref = 700 };
	rig->buf = malloc(KF_PACKET_MAX);
	ASSERT_EQ(0, broker_init(&rig->broker, -1, -1));
	rig_policy(rig, RIG_ALL);
	ASSERT_EQ(0, broker_told(&rig->broker, &add, -1));
	rig->reader = device_slot(device_by_key(&rig->broker, 1), 0);
	rig_plug_driver(rig);
	rig_insert(rig);
	rig->n_asked = 0;
}

static inline void rig_deinit(struct rig *rig)
{
	broker_deinit(&rig->broker);
	fd_close(rig->driver);
	free(rig->buf);
}

static inline void peer_deinit(struct peer *peer)
{
	peer->fd = fd_close(peer->fd);
	free(peer->buf);
	peer->buf = NULL;
}

/* A connected client that has not said hello. */
static inline void peer_connect(struct rig *rig, struct peer *peer)
{
	int pair[2];

	*peer = (struct peer){ .fd = -1, .buf = malloc(KF_PACKET_MAX) };
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	peer->fd = pair[0];
	ASSERT_EQ(0, client_new(&rig->broker, pair[1], &peer->client));
}

static inline uint32_t peer_send(struct peer *peer, struct packet *packet)
{
	struct packer p = pack_begin(peer->buf, KF_PACKET_MAX);

	packet->header.seq = ++peer->seq;
	ASSERT_EQ(0, packet_pack(packet, &p));
	ASSERT_EQ(0, wire_send(peer->fd, pack_done(&p), 0));
	return peer->seq;
}

/* Return: false if nothing is there. Parts borrow from peer->buf. */
static inline bool peer_get(struct peer *peer, struct packet *out)
{
	struct bytes frame;

	if (wire_recv(peer->fd, peer->buf, KF_PACKET_MAX, MSG_DONTWAIT, &frame) < 0)
		return false;
	ASSERT_EQ(0, packet_parse(frame, out));
	return true;
}

static inline struct packet ask(uint32_t request, uint64_t handle)
{
	struct packet p = packet_request(request, 0, 0);

	if (handle)
		*(uint64_t *)packet_body(&p) = handle;
	return p;
}

/* One request and its reply. Return: the result. */
static inline int peer_call(struct rig *rig, struct peer *peer, struct packet *packet,
			    struct packet *reply)
{
	uint32_t seq = peer_send(peer, packet);

	rig_run(rig);
	*reply = (struct packet){ 0 };
	ASSERT_TRUE(peer_get(peer, reply));
	ASSERT_EQ(seq, reply->header.seq);
	return reply->header.result;
}

static inline int peer_hello(struct rig *rig, struct peer *peer)
{
	struct packet hello = ask(KF_HELLO, 0), reply;
	struct kf_hello *body = packet_body(&hello);

	body->version = KF_PROTO_VERSION;
	body->max_packet = KF_PACKET_MAX;
	packet_set_string(body->name, "test");
	return peer_call(rig, peer, &hello, &reply);
}

static inline uint64_t peer_open(struct rig *rig, struct peer *peer)
{
	struct packet open = ask(KF_CONTEXT_OPEN, 0), reply;

	EXPECT_EQ(0, peer_call(rig, peer, &open, &reply));
	return ((const struct kf_context_open *)packet_read(&reply))->context;
}

/* Connected, said hello, with a context. */
static inline uint64_t peer_init(struct rig *rig, struct peer *peer)
{
	peer_connect(rig, peer);
	EXPECT_EQ(0, peer_hello(rig, peer));
	return peer_open(rig, peer);
}

static inline struct packet ask_pin(uint64_t context, uint32_t flags)
{
	struct packet p = ask(KF_PIN_VERIFY, context);
	struct kf_pin_verify *body = packet_body(&p);

	body->pin = KF_PIN_USER;
	body->flags = flags;
	packet_set(&p, kf_pin_verify, value, BYTES("123456", 6));
	return p;
}

static inline struct packet ask_txn(uint64_t context, uint32_t hold_ms)
{
	struct packet p = ask(KF_TXN_BEGIN, context);

	((struct kf_txn_begin *)packet_body(&p))->hold_ms = hold_ms;
	packet_set_string(((struct kf_txn_begin *)packet_body(&p))->name, "test");
	return p;
}

/* Whether the driver was asked exactly these since the last call. */
#define EXPECT_ASKED(rig, ...) do { \
		static const uint32_t want_[] = { __VA_ARGS__ }; \
		EXPECT_EQ(sizeof(want_) / sizeof(want_[0]), (rig)->n_asked); \
		for (size_t i_ = 0; i_ < (rig)->n_asked && i_ < sizeof(want_) / 4; i_++) \
			EXPECT_EQ(want_[i_] & 0xff, (rig)->asked[i_]); \
		(rig)->n_asked = 0; \
	} while (0)
#define NR(request) ((request) & 0xff)

/* Lets time pass until @timer has run out, without waiting for it. */
static inline void rig_expire(struct rig *rig, struct timer *timer)
{
	ASSERT_EQ(0, timer_arm(&rig->broker.loop, timer, 1));
	rig_run(rig);
}
