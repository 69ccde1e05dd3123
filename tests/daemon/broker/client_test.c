/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/broker/client.h"
#include "tests/daemon/broker/rig.h"

#include <grp.h>
#include <sys/resource.h>

FIXTURE(client) { struct rig rig; struct peer a; uint64_t context; };
FIXTURE_SETUP(client)
{
	rig_init(&self->rig);
	self->context = peer_init(&self->rig, &self->a);
}
FIXTURE_TEARDOWN(client)
{
	peer_deinit(&self->a);
	rig_deinit(&self->rig);
}

/* Whether the broker closed the connection. */
static bool cut_off(struct fixture_client *self, struct peer *peer)
{
	struct bytes frame;
	int r;

	rig_run(&self->rig);
	do
		r = wire_recv(peer->fd, peer->buf, KF_PACKET_MAX, MSG_DONTWAIT, &frame);
	while (r == 0);
	return r == -ECONNRESET;
}

/* A connection of @uid, whom the policy admits. */
static int connect_as(struct fixture_client *self, uid_t uid, struct peer *peer)
{
	int pair[2], r;

	*peer = (struct peer){ .fd = -1, .buf = malloc(KF_PACKET_MAX) };
	ASSERT_EQ(0, seteuid(uid));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	ASSERT_EQ(0, seteuid(0));
	peer->fd = pair[0];
	r = client_new(&self->rig.broker, pair[1], &peer->client);
	if (r < 0)
		fd_close(pair[1]);
	return r;
}

TEST_F(client, when_all_places_are_taken_the_uid_with_most_gives_up_its_newest)
{
	struct spawn_msg policy = { .kind = SPAWN_POLICY, .version = 2, .limits = QUOTA_LIMITS,
				    .n_rules = 3, .rules = { { .who = SPAWN_UID, .rights = RIG_ALL },
							     { .who = SPAWN_UID, .id = 4201, .rights = RIG_ALL },
							     { .who = SPAWN_UID, .id = 4202, .rights = RIG_ALL } } };
	struct peer b, c, d, e, one;

	if (getuid() != 0)
		SKIP("needs root, to be several uids");
	ASSERT_EQ(0, broker_told(&self->rig.broker, &policy, -1));
	self->rig.broker.max_clients = 4;
	ASSERT_EQ(0, connect_as(self, 4201, &b));
	ASSERT_EQ(0, connect_as(self, 4201, &c));
	ASSERT_EQ(0, connect_as(self, 4201, &d));
	/* Nobody makes room for the fourth of a uid that has most itself. */
	EXPECT_EQ(-EUSERS, connect_as(self, 4201, &e));
	peer_deinit(&e);
	EXPECT_EQ(0, connect_as(self, 4202, &one));
	EXPECT_EQ(4u, self->rig.broker.n_clients);
	EXPECT_TRUE(cut_off(self, &d));
	EXPECT_FALSE(cut_off(self, &self->a));
	EXPECT_FALSE(cut_off(self, &b));
	EXPECT_FALSE(cut_off(self, &c));
	/* Two are not more than the second would be: as much as can be had fairly. */
	EXPECT_EQ(-EUSERS, connect_as(self, 4202, &e));
	peer_deinit(&e);
	EXPECT_FALSE(cut_off(self, &c));
	peer_deinit(&b);
	peer_deinit(&c);
	peer_deinit(&d);
	peer_deinit(&one);
}

TEST_F(client, half_packets_are_the_end)
{
	EXPECT_EQ(0, wire_send(self->a.fd, BYTES("half", 4), 0));
	EXPECT_TRUE(cut_off(self, &self->a));
	EXPECT_EQ(0u, self->rig.broker.n_clients);
}

TEST_F(client, a_packet_beyond_the_limit_is_the_end)
{
	uint8_t *big = calloc(1, KF_PACKET_MAX + 1);

	EXPECT_EQ(0, wire_send(self->a.fd, BYTES(big, KF_PACKET_MAX + 1), 0));
	EXPECT_TRUE(cut_off(self, &self->a));
	free(big);
}

TEST_F(client, a_sequence_number_that_is_still_outstanding_is_the_end)
{
	struct packet sign = ask(KF_SIGN, self->context);

	self->rig.hold = true;
	peer_send(&self->a, &sign);
	self->a.seq--;
	peer_send(&self->a, &sign);
	EXPECT_TRUE(cut_off(self, &self->a));
}

TEST_F(client, an_uninvited_descriptor_is_the_end)
{
	union { char buf[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control = { 0 };
	struct iovec iov = { .iov_base = (char[]){ "hi" }, .iov_len = 2 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf,
			      .msg_controllen = sizeof(control.buf) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &self->a.fd, sizeof(int));
	ASSERT_EQ(2, sendmsg(self->a.fd, &msg, 0));
	EXPECT_TRUE(cut_off(self, &self->a));
}

TEST_F(client, one_that_does_not_read_is_bounded_and_cut_off)
{
	struct packet p = ask(KF_STATUS, 0);
	struct peer b;

	for (int i = 0; i < 20000 && self->rig.broker.n_clients > 0; i++) {
		struct packer packer = pack_begin(self->a.buf, KF_PACKET_MAX);

		p.header.seq = ++self->a.seq;
		ASSERT_EQ(0, packet_pack(&p, &packer));
		if (wire_send(self->a.fd, pack_done(&packer), MSG_DONTWAIT) < 0)
			rig_run(&self->rig);
	}
	rig_run(&self->rig);
	EXPECT_EQ(0u, self->rig.broker.n_clients);
	(void)peer_init(&self->rig, &b);		/* others are served */
	EXPECT_EQ(0u, b.client->user->used[QUOTA_BYTES]);
	peer_deinit(&b);
}

TEST_F(client, connections_of_a_uid_are_limited)
{
	struct client *client;
	int pair[2], r = 0;

	for (int i = 0; i < 70 && r == 0; i++) {
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
		r = client_new(&self->rig.broker, pair[1], &client);
	}
	EXPECT_EQ(-EDQUOT, r);
	EXPECT_EQ(64u, self->rig.broker.n_clients);
}

TEST_F(client, contexts_and_keys_of_a_uid_are_limited)
{
	struct packet open = ask(KF_CONTEXT_OPEN, 0), reply;
	struct packet import = ask(KF_SESSION_IMPORT, self->context);
	uint32_t want;

	for (int i = 0; i < 63; i++)
		(void)peer_open(&self->rig, &self->a);
	EXPECT_EQ(-EDQUOT, peer_call(&self->rig, &self->a, &open, &reply));
	EXPECT_EQ(KF_REASON_QUOTA_CONTEXTS, reply.header.reason);
	for (int i = 0; i < 64; i++)
		EXPECT_EQ(0, peer_call(&self->rig, &self->a, &import, &reply));
	self->rig.n_asked = 0;
	EXPECT_EQ(-EDQUOT, peer_call(&self->rig, &self->a, &import, &reply));
	EXPECT_EQ(KF_REASON_QUOTA_KEYS, reply.header.reason);
	want = (uint32_t)self->rig.next_ref;
	EXPECT_ASKED(&self->rig, NR(KF_SESSION_IMPORT), NR(KF_KEY_DESTROY));
	EXPECT_EQ(want, self->rig.last_ref);	/* the one too many was destroyed */
}

TEST_F(client, events_reach_those_who_asked_for_them)
{
	struct packet p = ask(KF_EVENTS, 0), reply;
	const struct kf_event *event = packet_read(&reply);
	struct peer b;

	(void)peer_init(&self->rig, &b);
	((struct kf_events *)packet_body(&p))->mask = KF_EVENTS_CARD;
	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
	driver_event(&self->rig, KF_CHANGE_CARD_REMOVED, 0);
	rig_run(&self->rig);
	rig_insert(&self->rig);
	ASSERT_TRUE(peer_get(&self->a, &reply));
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_REMOVED, event->change);
	ASSERT_TRUE(peer_get(&self->a, &reply));
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_INSERTED, event->change);
	EXPECT_EQ(2u, event->entry.generation);
	EXPECT_FALSE(peer_get(&self->a, &reply));
	EXPECT_FALSE(peer_get(&b, &reply));
	peer_deinit(&b);
}

TEST_F(client, a_thousand_of_them_are_served)
{
	static struct peer peers[900];
	struct packet p = ask(KF_READER_LIST, 0), reply;
	struct rlimit limit = { 4096, 4096 };

	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		SKIP("not enough descriptors allowed");
	quota_limit(&self->rig.broker.quota, &(struct spawn_limits){ 1000, 64, 64, 1 << 20 });
	for (int i = 0; i < 900; i++) {
		peer_connect(&self->rig, &peers[i]);
		free(peers[i].buf);
		peers[i].buf = self->rig.buf;
	}
	for (int i = 0; i < 900; i++)
		EXPECT_EQ(0, peer_hello(&self->rig, &peers[i]));
	EXPECT_EQ(0, peer_call(&self->rig, &peers[899], &p, &reply));
	for (int i = 0; i < 900; i++)
		fd_close(peers[i].fd);
}

TEST_F(client, a_group_beyond_the_three_hundredth_still_counts)
{
	struct spawn_msg policy = { .kind = SPAWN_POLICY, .version = 2, .limits = QUOTA_LIMITS,
				    .n_rules = 1, .rules = { { .who = SPAWN_GID, .id = 70299,
							       .rights = RIG_ALL } } };
	gid_t gids[300];
	struct peer b;

	for (gid_t i = 0; i < 300; i++)
		gids[i] = 70000 + i;
	if (setgroups(300, gids) < 0)
		SKIP("only root may join groups");
	ASSERT_EQ(0, broker_told(&self->rig.broker, &policy, -1));
	peer_connect(&self->rig, &b);
	EXPECT_EQ(301u, b.client->n_gids);
	EXPECT_EQ(RIG_ALL, b.client->rights);
	peer_deinit(&b);
}

TEST_F(client, those_whom_no_rule_admits_take_no_more_than_half_of_the_places)
{
	struct client *client;
	struct peer b, strangers[2];
	int pair[2];

	self->rig.broker.max_clients = 6;
	rig_policy(&self->rig, 0);
	for (int i = 0; i < 2; i++)
		peer_connect(&self->rig, &strangers[i]);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	EXPECT_EQ(-EACCES, client_new(&self->rig.broker, pair[1], &client));
	fd_close(pair[0]);
	fd_close(pair[1]);
	rig_policy(&self->rig, RIG_ALL);
	peer_connect(&self->rig, &b);
	EXPECT_EQ(0, peer_hello(&self->rig, &b));
	for (int i = 0; i < 2; i++)
		peer_deinit(&strangers[i]);
	peer_deinit(&b);
}

static unsigned int answers(struct peer *peer)
{
	struct packet reply;
	unsigned int n = 0;

	while (peer_get(peer, &reply))
		n++;
	return n;
}

TEST_F(client, of_many_requests_one_is_served_before_the_next_client_has_its_turn)
{
	struct packet p = ask(KF_STATUS, 0);
	struct peer b;

	(void)peer_init(&self->rig, &b);
	for (int i = 0; i < 3; i++)
		peer_send(&self->a, &p);
	ASSERT_EQ(0, loop_turn(&self->rig.broker.loop, 0));
	EXPECT_EQ(1u, answers(&self->a));
	peer_send(&b, &p);
	ASSERT_EQ(0, loop_turn(&self->rig.broker.loop, 0));
	EXPECT_EQ(1u, answers(&self->a));
	EXPECT_EQ(1u, answers(&b));
	rig_run(&self->rig);
	EXPECT_EQ(1u, answers(&self->a));
	peer_deinit(&b);
}

TEST_F(client, what_one_had_sent_before_it_was_cut_off_is_not_done)
{
	struct packet sign = ask(KF_SIGN, self->context), status = ask(KF_STATUS, 0);
	struct packet unheard = packet_reply(&status, 0);

	peer_send(&self->a, &sign);
	ASSERT_EQ(0, shutdown(self->a.fd, SHUT_RD));
	client_send(self->a.client, &unheard);
	rig_run(&self->rig);
	EXPECT_EQ(0u, self->rig.broker.n_clients);
	EXPECT_EQ(0u, self->rig.n_asked);
}

TEST_F(client, one_that_closed_its_ears_leaves)
{
	struct packet p = ask(KF_STATUS, 0);

	peer_send(&self->a, &p);
	ASSERT_EQ(0, shutdown(self->a.fd, SHUT_RD));
	rig_run(&self->rig);
	EXPECT_EQ(0u, self->rig.broker.n_clients);
}
