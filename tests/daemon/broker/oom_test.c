/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One conversation with the broker, again and again, and each time another allocation of it fails.
 * What must hold: the broker lives, answers or cuts off, gives every quota back (quota_deinit()
 * asserts it) and serves the next client as if nothing had been.
 */
#include "tests/daemon/broker/rig.h"
#include "tests/oom.h"

/* As peer_connect(), for a broker that may have no memory for it. */
static bool try_connect(struct rig *rig, struct peer *peer)
{
	int pair[2], r;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	peer->fd = pair[0];
	r = client_new(&rig->broker, pair[1], &peer->client);
	if (r < 0)
		fd_close(pair[1]);
	return r == 0;
}

/* Sends and takes what comes. Return: the reply's result, or -ENOTCONN. */
static int try_call(struct rig *rig, struct peer *peer, struct packet *packet, struct packet *reply)
{
	struct packer p = pack_begin(peer->buf, KF_PACKET_MAX);

	packet->header.seq = ++peer->seq;
	ASSERT_EQ(0, packet_pack(packet, &p));
	if (wire_send(peer->fd, pack_done(&p), MSG_DONTWAIT) < 0)
		return -ENOTCONN;
	rig_run(rig);
	*reply = (struct packet){ 0 };
	while (peer_get(peer, reply))
		if (reply->header.seq == peer->seq)
			return reply->header.result;
	return -ENOTCONN;
}

static uint64_t first_field(const struct packet *reply, int result)
{
	return result == 0 ? *(const uint64_t *)packet_read(reply) : 1;
}

/* A driver that the broker gave up for want of memory is followed by another, as always. */
static void revive(struct rig *rig)
{
	if (link_up(&rig->reader->device->link) && !rig->reader->device->link.broken)
		return;
	rig->driver = fd_close(rig->driver);
	rig_run(rig);
	rig_plug_driver(rig);
	rig_insert(rig);
}

static void talk(struct rig *rig, struct peer *peer)
{
	struct packet hello = ask(KF_HELLO, 0), open = ask(KF_CONTEXT_OPEN, 0);
	struct packet clients = ask(KF_CLIENTS, 0), p, reply;
	uint64_t context, key;
	int r;

	if (!try_connect(rig, peer))
		return;
	((struct kf_hello *)packet_body(&hello))->version = KF_PROTO_VERSION;
	((struct kf_hello *)packet_body(&hello))->max_packet = KF_PACKET_MAX;
	(void)try_call(rig, peer, &hello, &reply);
	r = try_call(rig, peer, &open, &reply);
	context = first_field(&reply, r);
	p = ask_pin(context, 0);
	(void)try_call(rig, peer, &p, &reply);
	p = ask_txn(context, 1000);
	(void)try_call(rig, peer, &p, &reply);
	p = ask(KF_SESSION_IMPORT, context);
	r = try_call(rig, peer, &p, &reply);
	key = r == 0 ? ((const struct kf_session_import *)packet_read(&reply))->key : 1;
	p = ask(KF_PROCESS, key);
	(void)try_call(rig, peer, &p, &reply);
	(void)try_call(rig, peer, &clients, &reply);
	p = ask(KF_SESSION_IMPORT, context);
	(void)try_call(rig, peer, &p, &reply);
	p = ask(KF_KEY_DESTROY, key);
	(void)try_call(rig, peer, &p, &reply);
	p = ask(KF_TXN_END, context);
	(void)try_call(rig, peer, &p, &reply);
	revive(rig);
	driver_event(rig, KF_CHANGE_CARD_REMOVED, 0);
	rig_run(rig);
	((struct kf_context_open *)packet_body(&open))->flags = KF_OPEN_WAIT;
	(void)try_call(rig, peer, &open, &reply);
	rig_insert(rig);
}

/* Return: whether all *@n allocations were made, so that none failed. */
static bool with_failure(long *n)
{
	struct rig rig;
	struct peer peer = { .fd = -1, .buf = malloc(KF_PACKET_MAX) }, next;
	uint64_t context;
	bool all;

	rig_init(&rig);
	oom_begin(*n);
	talk(&rig, &peer);
	all = oom_end(n);
	rig_run(&rig);
	revive(&rig);
	context = peer_init(&rig, &next);
	struct packet sign = ask(KF_SIGN, context), reply;
	EXPECT_EQ(0, peer_call(&rig, &next, &sign, &reply));
	peer_deinit(&next);
	peer_deinit(&peer);
	rig_run(&rig);
	EXPECT_EQ(0u, rig.broker.n_clients);
	EXPECT_TRUE(list_empty(&rig.reader->dead_keys));
	rig_deinit(&rig);
	return all;
}

TEST(whichever_allocation_fails_the_broker_lives_and_owes_nothing)
{
	long n = 0;

	while (!with_failure(&n))
		;
	TEST_LOG("%ld allocations, each failed once", n);
	EXPECT_LT(10, n);
}
