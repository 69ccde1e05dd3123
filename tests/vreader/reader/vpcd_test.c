/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Faces vreader/reader/vpcd.c: pcscd's side is played on a socket pair. */
#include "vreader/reader/vpcd.h"

#include "tests/harness.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

FIXTURE(vpcd)
{
	struct vpcd vpcd;
	int pcscd, fd;
	int result;
	pthread_t thread;
	uint8_t got[70000];
};

static void *session_main(void *arg)
{
	struct fixture_vpcd *self = (struct fixture_vpcd *)arg;

	self->result = vpcd_session(&self->vpcd, self->fd);
	(void)shutdown(self->fd, SHUT_RDWR);
	return NULL;
}

FIXTURE_SETUP(vpcd)
{
	char why[VCARD_WHY_MAX];
	sigset_t set;
	int fds[2];

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigaddset(&set, SIGUSR2);
	(void)sigaddset(&set, SIGTERM);
	ASSERT_EQ(0, pthread_sigmask(SIG_BLOCK, &set, NULL));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	self->pcscd = fds[0];
	self->fd = fds[1];
	self->vpcd.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	ASSERT_EQ(0, vcard_open("", &self->vpcd.card, why));
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, session_main, self));
}

FIXTURE_TEARDOWN(vpcd)
{
	vcard_free(self->vpcd.card);
	fd_close(self->pcscd);
	fd_close(self->fd);
	fd_close(self->vpcd.signal_fd);
}

static void say(struct fixture_vpcd *self, const char *payload, size_t n)
{
	uint8_t buf[70000];
	struct packer p = pack_begin(buf, sizeof(buf));

	pack_be16(&p, (uint16_t)n);
	pack_bytes(&p, BYTES(payload, n));
	ASSERT_EQ((ssize_t)p.n, send(self->pcscd, p.p, p.n, MSG_NOSIGNAL));
}

static struct bytes hear(struct fixture_vpcd *self)
{
	uint8_t len[2];
	size_t n;

	if (recv(self->pcscd, len, 2, MSG_WAITALL) != 2)
		return BYTES_NONE;
	n = (size_t)len[0] << 8 | len[1];
	ASSERT_EQ((ssize_t)n, recv(self->pcscd, self->got, n, MSG_WAITALL));
	return BYTES(self->got, n);
}

static int hang_up(struct fixture_vpcd *self)
{
	self->pcscd = fd_close(self->pcscd);
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
	return self->result;
}

TEST_F(vpcd, power_atr_and_apdus_are_served)
{
	say(self, "\x01", 1);
	say(self, "\x04", 1);
	EXPECT_BYTES_EQ(vcard_atr(self->vpcd.card), hear(self));
	say(self, "\x00\x84\x00\x00\x02", 5);
	EXPECT_BYTES_EQ(BYTES("\x00\x01\x90\x00", 4), hear(self));
	say(self, "\x02", 1);
	say(self, "\x00\xc9\x00\x00", 4);
	EXPECT_BYTES_EQ(BYTES("\x00\x00\x00\x01\x90\x00", 6), hear(self));
	say(self, "\x00", 1);
	EXPECT_EQ(0, hang_up(self));
}

TEST_F(vpcd, a_request_may_come_in_any_pieces)
{
	static const uint8_t stream[] = { 0, 1, 1, 0, 5, 0, 0x84, 0, 0, 1, 0, 1, 4 };

	for (size_t i = 0; i < sizeof(stream); i++)
		ASSERT_EQ(1, send(self->pcscd, stream + i, 1, MSG_NOSIGNAL));
	EXPECT_BYTES_EQ(BYTES("\x00\x90\x00", 3), hear(self));
	EXPECT_BYTES_EQ(vcard_atr(self->vpcd.card), hear(self));
	EXPECT_EQ(0, hang_up(self));
}

TEST_F(vpcd, a_response_that_the_length_cannot_count_is_an_error)
{
	say(self, "\x01", 1);
	say(self, "\x00\x84\x00\x00\x00\x00\x00", 7);
	EXPECT_BYTES_EQ(BYTES("\x67\x00", 2), hear(self));
	say(self, "\x00\x84\x00\x00\x00\xff\xfd", 7);
	EXPECT_EQ(65535u, hear(self).n);
	EXPECT_EQ(0, hang_up(self));
}

TEST_F(vpcd, what_is_not_vpcds_protocol_ends_the_session)
{
	say(self, "\x03", 1);
	EXPECT_EQ(0u, hear(self).n);
	EXPECT_EQ(-EPROTO, hang_up(self));
}

TEST_F(vpcd, an_empty_request_ends_the_session)
{
	say(self, "", 0);
	EXPECT_EQ(0u, hear(self).n);
	EXPECT_EQ(-EPROTO, hang_up(self));
}

TEST_F(vpcd, half_a_request_and_a_hang_up_is_a_hang_up)
{
	ASSERT_EQ(3, send(self->pcscd, "\x00\x05\x00", 3, MSG_NOSIGNAL));
	EXPECT_EQ(0, hang_up(self));
}

TEST_F(vpcd, signals_pull_the_card_and_stop)
{
	ASSERT_EQ(0, kill(getpid(), SIGUSR1));
	EXPECT_EQ(0u, hear(self).n);
	EXPECT_EQ(-EINTR, hang_up(self));
}

TEST_F(vpcd, a_card_that_tears_leaves_its_slot)
{
	say(self, "\x01", 1);
	say(self, "\x00\xde\x00\x00", 4);
	EXPECT_EQ(0u, hear(self).n);
	EXPECT_EQ(-EIO, hang_up(self));
}
