/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/daemon/broker/rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/un.h>

FIXTURE(broker) { struct rig rig; };
FIXTURE_SETUP(broker) { rig_init(&self->rig); }
FIXTURE_TEARDOWN(broker) { rig_deinit(&self->rig); }

static int told(struct fixture_broker *self, enum spawn_kind kind, uint32_t reader,
		const char *name, int fd)
{
	struct spawn_msg msg = { .kind = kind, .reader = reader, .instance = 1 };

	strcpy(msg.name, name);
	return broker_told(&self->rig.broker, &msg, fd);
}

TEST_F(broker, what_the_monitor_cannot_mean_is_refused)
{
	EXPECT_EQ(-EPROTO, told(self, SPAWN_READER_ADD, 1, "virtual:other", -1));
	EXPECT_EQ(-EPROTO, told(self, SPAWN_READER_ADD, 2, RIG_READER, -1));
	EXPECT_EQ(-EPROTO, told(self, SPAWN_READER_GONE, 9, "", -1));
	EXPECT_EQ(-EPROTO, told(self, SPAWN_READY, 0, "", -1));
	EXPECT_EQ(-EPROTO, told(self, SPAWN_DRIVER, 1, "", -1));
	EXPECT_EQ(-EPROTO, told(self, SPAWN_POLICY, 0, "", -1));
}

TEST_F(broker, descriptors_come_with_drivers_only_and_are_never_kept_otherwise)
{
	int fd = dup(STDERR_FILENO);

	EXPECT_EQ(-EPROTO, told(self, SPAWN_READER_GONE, 1, "", fd));
	EXPECT_EQ(-1, fcntl(fd, F_GETFD));
	fd = dup(STDERR_FILENO);
	EXPECT_EQ(-EPROTO, told(self, SPAWN_DRIVER, 9, "", fd));
	EXPECT_EQ(-1, fcntl(fd, F_GETFD));
	fd = dup(STDERR_FILENO);
	EXPECT_EQ(-EPROTO, told(self, SPAWN_DRIVER, 1, "", fd));	/* it has one */
	EXPECT_EQ(-1, fcntl(fd, F_GETFD));
}

TEST_F(broker, there_are_so_many_readers_and_no_more)
{
	char name[KF_NAME_MAX];

	for (uint32_t i = 2; i <= BROKER_READERS; i++) {
		snprintf(name, sizeof(name), "virtual:%u", i);
		ASSERT_EQ(0, told(self, SPAWN_READER_ADD, i, name, -1));
	}
	EXPECT_EQ(-EDQUOT, told(self, SPAWN_READER_ADD, 1000, "virtual:more", -1));
}

TEST_F(broker, a_driver_that_was_replaced_already_does_not_end_its_successor)
{
	struct spawn_msg gone = { .kind = SPAWN_DRIVER_GONE, .reader = 1, .instance = 77 };

	EXPECT_EQ(0, broker_told(&self->rig.broker, &gone, -1));
	EXPECT_TRUE(link_up(&self->rig.reader->device->link));
	gone.instance = 1;
	EXPECT_EQ(0, broker_told(&self->rig.broker, &gone, -1));
	EXPECT_FALSE(link_up(&self->rig.reader->device->link));
}

static int told_state(struct fixture_broker *self, uint32_t state)
{
	struct spawn_msg msg = { .kind = SPAWN_READER_STATE, .reader = 1, .state = state };

	return broker_told(&self->rig.broker, &msg, -1);
}

TEST_F(broker, a_reader_nobody_serves_says_why_until_a_driver_comes)
{
	struct spawn_msg gone = { .kind = SPAWN_DRIVER_GONE, .reader = 1, .instance = 1 };

	EXPECT_EQ(-EPROTO, told_state(self, KF_READER_BUSY));		/* it has a driver */
	ASSERT_EQ(0, broker_told(&self->rig.broker, &gone, -1));
	EXPECT_EQ(-EPROTO, told_state(self, KF_READER_CARD));		/* not the monitor's to say */
	EXPECT_EQ(-EPROTO, told_state(self, KF_READER_REFUSED + 1));
	for (uint32_t state = KF_READER_BUSY; state <= KF_READER_REFUSED; state++) {
		EXPECT_EQ(0, told_state(self, state));
		EXPECT_EQ(state, self->rig.reader->entry.state);
	}
	fd_close(self->rig.driver);
	rig_plug_driver(&self->rig);
	EXPECT_EQ((uint32_t)KF_READER_STARTING, self->rig.reader->entry.state);
	rig_insert(&self->rig);
	EXPECT_EQ((uint32_t)KF_READER_CARD, self->rig.reader->entry.state);
}

TEST_F(broker, clients_hear_that_nobody_serves_the_reader_and_why)
{
	struct spawn_msg gone = { .kind = SPAWN_DRIVER_GONE, .reader = 1, .instance = 1 };
	struct packet p = ask(KF_EVENTS, 0), reply;
	const struct kf_event *event = packet_read(&reply);
	struct peer peer;
	uint64_t context;

	(void)peer_init(&self->rig, &peer);
	ASSERT_EQ(0, broker_told(&self->rig.broker, &gone, -1));
	((struct kf_events *)packet_body(&p))->mask = KF_EVENTS_READER;
	ASSERT_EQ(0, peer_call(&self->rig, &peer, &p, &reply));
	p = ask(KF_CONTEXT_OPEN, 0);			/* waits: a driver may come any moment */
	(void)peer_send(&peer, &p);
	rig_run(&self->rig);
	EXPECT_FALSE(peer_get(&peer, &reply));
	ASSERT_EQ(0, told_state(self, KF_READER_BUSY));
	ASSERT_EQ(0, told_state(self, KF_READER_BUSY));		/* is no news */
	rig_run(&self->rig);
	ASSERT_TRUE(peer_get(&peer, &reply));
	EXPECT_EQ((uint32_t)KF_CHANGE_READER_STATE, event->change);
	EXPECT_EQ((uint32_t)KF_READER_BUSY, event->entry.state);
	ASSERT_TRUE(peer_get(&peer, &reply));		/* the open is answered */
	EXPECT_EQ((uint32_t)KF_READER_BUSY,
		  ((const struct kf_context_open *)packet_read(&reply))->state);
	context = ((const struct kf_context_open *)packet_read(&reply))->context;
	EXPECT_FALSE(peer_get(&peer, &reply));
	p = ask(KF_CARD_INFO, context);
	EXPECT_EQ(-ENOMEDIUM, peer_call(&self->rig, &peer, &p, &reply));
	EXPECT_EQ(KF_REASON_READER_STATE, reply.header.reason);
	EXPECT_EQ((uint32_t)KF_READER_BUSY, reply.header.detail);
	fd_close(self->rig.driver);
	rig_plug_driver(&self->rig);
	ASSERT_TRUE(peer_get(&peer, &reply));
	EXPECT_EQ((uint32_t)KF_CHANGE_READER_STATE, event->change);
	EXPECT_EQ((uint32_t)KF_READER_STARTING, event->entry.state);
	peer_deinit(&peer);
}

/* A broker that listens, on a name that only this process's network namespace knows. */
static int listen_here(struct fixture_broker *self, struct sockaddr_un *addr)
{
	socklen_t len = sizeof(*addr);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)addr, sizeof(sa_family_t)));
	ASSERT_EQ(0, getsockname(fd, (struct sockaddr *)addr, &len));
	ASSERT_EQ(0, listen(fd, 16));
	self->rig.broker.listener.fd = fd;
	ASSERT_EQ(0, loop_add(&self->rig.broker.loop, &self->rig.broker.listener));
	return (int)len;
}

static int connect_here(const struct sockaddr_un *addr, int len)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	ASSERT_EQ(0, connect(fd, (const struct sockaddr *)addr, (socklen_t)len));
	return fd;
}

TEST_F(broker, who_is_refused_hears_why_even_if_its_hello_is_under_way)
{
	struct packet hello = ask(KF_HELLO, 0), reply = { 0 };
	struct sockaddr_un addr;
	int len = listen_here(self, &addr);
	struct peer peer = { .buf = malloc(KF_PACKET_MAX) };

	self->rig.broker.max_clients = 0;
	peer.fd = connect_here(&addr, len);
	peer_send(&peer, &hello);
	rig_run(&self->rig);
	ASSERT_TRUE(peer_get(&peer, &reply));
	EXPECT_EQ(-EDQUOT, reply.header.result);
	EXPECT_EQ(KF_REASON_QUOTA_CONNECTIONS, reply.header.reason);
	EXPECT_EQ(1u, reply.header.seq);
	peer_deinit(&peer);
}

TEST_F(broker, without_descriptors_it_does_not_spin_and_goes_on_later)
{
	struct rlimit limit, none;
	struct sockaddr_un addr;
	int len = listen_here(self, &addr), fd = connect_here(&addr, len);
	struct timer *again = &self->rig.broker.accept_again;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	none = limit;
	none.rlim_cur = (rlim_t)fd;		/* all below it are in use */
	for (int i = 3; i < fd; i++)
		if (fcntl(i, F_GETFD) < 0)
			ASSERT_EQ(i, dup3(fd, i, O_CLOEXEC));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	rig_run(&self->rig);
	EXPECT_NE(0u, again->place);
	EXPECT_EQ(0u, self->rig.broker.listener.events);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	rig_expire(&self->rig, again);
	rig_run(&self->rig);
	EXPECT_EQ(1u, self->rig.broker.n_clients);
	fd_close(fd);
}

TEST(clients_leave_descriptors_for_the_drivers)
{
	struct rlimit limit = { 200, 200 };
	struct broker broker;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	ASSERT_EQ(0, broker_init(&broker, -1, -1));
	EXPECT_EQ((size_t)200 - BROKER_FDS, broker.max_clients);
	broker_deinit(&broker);
}
