/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Faces vreader/reader/vscard.c: QEMU's side is played on a socket pair. */
#include "vreader/reader/vscard.h"

#include "base/deadline.h"
#include "driver/iso7816/atr.h"
#include "tests/harness.h"

#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

enum { NOBODY = 0xffffffff, READER = 7, QEMU_KHZ = 3580, RSA_3072_MS = 14000 };

FIXTURE(vscard)
{
	struct vscard vscard;
	int qemu, fd;
	int result;
	bool joined;
	pthread_t thread;
	uint8_t got[1024];
};

static void *session_main(void *arg)
{
	struct fixture_vscard *self = (struct fixture_vscard *)arg;

	self->result = vscard_session(&self->vscard, self->fd);
	(void)shutdown(self->fd, SHUT_RDWR);
	return NULL;
}

FIXTURE_SETUP(vscard)
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
	self->qemu = fds[0];
	self->fd = fds[1];
	self->vscard.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	ASSERT_EQ(0, vcard_open("", &self->vscard.card, why));
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, session_main, self));
}

static int ended(struct fixture_vscard *self)
{
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
	self->joined = true;
	return self->result;
}

static int hang_up(struct fixture_vscard *self)
{
	self->qemu = fd_close(self->qemu);
	return ended(self);
}

FIXTURE_TEARDOWN(vscard)
{
	if (!self->joined)
		(void)hang_up(self);
	vcard_free(self->vscard.card);
	fd_close(self->qemu);
	fd_close(self->fd);
	fd_close(self->vscard.signal_fd);
}

static void say(struct fixture_vscard *self, uint32_t type, uint32_t reader, const char *payload,
		size_t n)
{
	uint8_t buf[1024];
	struct packer p = pack_begin(buf, sizeof(buf));

	pack_be32(&p, type);
	pack_be32(&p, reader);
	pack_be32(&p, (uint32_t)n);
	pack_bytes(&p, BYTES(payload, n));
	ASSERT_EQ((ssize_t)p.n, send(self->qemu, p.p, p.n, MSG_NOSIGNAL));
}

/* The next message has to be of @type, for @reader. Return: its payload. */
static struct bytes hear(struct fixture_vscard *self, uint32_t type, uint32_t reader)
{
	uint8_t head[12];
	struct unpacker u = unpack_begin(BYTES_OF(head));
	size_t n;

	ASSERT_EQ(12, recv(self->qemu, head, sizeof(head), MSG_WAITALL));
	EXPECT_EQ(type, unpack_be32(&u));
	EXPECT_EQ(reader, unpack_be32(&u));
	n = unpack_be32(&u);
	ASSERT_LE(n, sizeof(self->got));
	if (n != 0)
		ASSERT_EQ((ssize_t)n, recv(self->qemu, self->got, n, MSG_WAITALL));
	return BYTES(self->got, n);
}

static void agree(struct fixture_vscard *self)
{
	EXPECT_BYTES_EQ(BYTES("VSCD\0\0\0\2\0\0\0\0", 12), hear(self, VSCARD_INIT, NOBODY));
	say(self, VSCARD_INIT, NOBODY, "VSCD\0\0\0\2\0\0\0\0", 12);
	(void)hear(self, VSCARD_READER_ADD, NOBODY);
	say(self, VSCARD_ERROR, READER, "\0\0\0\0", 4);
}

static void insert(struct fixture_vscard *self)
{
	agree(self);
	EXPECT_BYTES_EQ(BYTES_OF(vscard_atr), hear(self, VSCARD_ATR, READER));
	say(self, VSCARD_ERROR, READER, "\0\0\0\0", 4);
}

TEST_F(vscard, the_card_is_inserted_once_qemu_has_given_its_reader_a_number)
{
	insert(self);
	EXPECT_EQ(0, hang_up(self));
}

/* QEMU's card has no way to ask for more while it makes a key. */
TEST(the_atr_gives_the_card_time_for_a_key)
{
	struct atr atr, t0;

	ASSERT_EQ(0, atr_parse(BYTES_OF(vscard_atr), &atr));
	ASSERT_EQ(0, atr_parse(BYTES_OF(vcard_atr_t0), &t0));
	EXPECT_LT((uint32_t)RSA_3072_MS, atr_wwt_ms(&atr, atr.fidi, QEMU_KHZ));
	EXPECT_EQ(0u, atr.warnings);
	EXPECT_EQ(t0.protocols, atr.protocols);
	EXPECT_BYTES_EQ(BYTES(t0.historical, t0.historical_n),
			BYTES(atr.historical, atr.historical_n));
}

/* As QEMU 7.2 counts the interface bytes of an ATR, two TDs deep. */
TEST(qemu_does_not_take_the_atr_for_cut_short)
{
	size_t n = 0, historical = vscard_atr[1] & 15;
	unsigned int td = vscard_atr[1] >> 4;

	for (int i = 0; i < 2 && td != 0; i++) {
		n += (td & 1) + (td >> 1 & 1) + (td >> 2 & 1) + (td >> 3);
		td = td & 8 ? vscard_atr[2 + n] >> 4 : 0;
	}
	EXPECT_LE(2 + historical + n, sizeof(vscard_atr));
}

TEST_F(vscard, tpdus_are_answered_as_t0_has_it)
{
	insert(self);
	say(self, VSCARD_APDU, READER, "\x00\x84\x00\x00\x04", 5);
	EXPECT_BYTES_EQ(BYTES("\0\1\2\3\x90\0", 6), hear(self, VSCARD_APDU, READER));
	/* Fewer than asked for: the card says how many, and gives them to who asks again. */
	say(self, VSCARD_APDU, READER, "\x00\xc9\x00\x00\x00", 5);
	EXPECT_BYTES_EQ(BYTES("\x6c\x04", 2), hear(self, VSCARD_APDU, READER));
	say(self, VSCARD_APDU, READER, "\x00\xc9\x00\x00\x04", 5);
	EXPECT_BYTES_EQ(BYTES("\0\0\0\2\x90\0", 6), hear(self, VSCARD_APDU, READER));
	EXPECT_EQ(0, hang_up(self));
}

TEST_F(vscard, a_flush_is_answered)
{
	insert(self);
	say(self, VSCARD_FLUSH, READER, "", 0);
	EXPECT_EQ(0u, hear(self, VSCARD_FLUSH_COMPLETE, READER).n);
}

TEST_F(vscard, the_card_is_pulled_and_put_back_by_signals)
{
	insert(self);
	ASSERT_EQ(0, kill(getpid(), SIGUSR1));
	EXPECT_EQ(0u, hear(self, VSCARD_CARD_REMOVE, READER).n);
	/* What was on its way to the card finds none, and gets no answer. */
	say(self, VSCARD_APDU, READER, "\x00\x84\x00\x00\x04", 5);
	say(self, VSCARD_FLUSH, READER, "", 0);
	EXPECT_EQ(0u, hear(self, VSCARD_FLUSH_COMPLETE, READER).n);
	ASSERT_EQ(0, kill(getpid(), SIGUSR2));
	EXPECT_BYTES_EQ(BYTES_OF(vscard_atr), hear(self, VSCARD_ATR, READER));
	say(self, VSCARD_APDU, READER, "\x00\xc9\x00\x00\x04", 5);
	EXPECT_BYTES_EQ(BYTES("\0\0\0\1\x90\0", 6), hear(self, VSCARD_APDU, READER));
}

TEST_F(vscard, a_card_that_dies_leaves_its_slot)
{
	insert(self);
	say(self, VSCARD_APDU, READER, "\x00\xde\x00\x00\x00", 5);
	EXPECT_EQ(0u, hear(self, VSCARD_CARD_REMOVE, READER).n);
}

TEST_F(vscard, a_stopped_card_takes_its_leave)
{
	insert(self);
	ASSERT_EQ(0, kill(getpid(), SIGTERM));
	EXPECT_EQ(0u, hear(self, VSCARD_CARD_REMOVE, READER).n);
	EXPECT_EQ(0u, hear(self, VSCARD_READER_REMOVE, READER).n);
	EXPECT_EQ(-ECANCELED, ended(self));
}

TEST_F(vscard, a_qemu_without_room_ends_it)
{
	(void)hear(self, VSCARD_INIT, NOBODY);
	say(self, VSCARD_INIT, NOBODY, "VSCD\0\0\0\2\0\0\0\0", 12);
	(void)hear(self, VSCARD_READER_ADD, NOBODY);
	say(self, VSCARD_ERROR, NOBODY, "\0\0\0\2", 4);
	EXPECT_EQ(-EREMOTEIO, ended(self));
}

TEST_F(vscard, another_protocol_ends_it)
{
	(void)hear(self, VSCARD_INIT, NOBODY);
	say(self, VSCARD_INIT, NOBODY, "VSCX\0\0\0\2\0\0\0\0", 12);
	EXPECT_EQ(-EPROTO, ended(self));
}

TEST_F(vscard, a_payload_longer_than_any_is_not_read)
{
	(void)hear(self, VSCARD_INIT, NOBODY);
	ASSERT_EQ(12, send(self->qemu, "\0\0\0\7\0\0\0\0\xff\xff\xff\xff", 12, MSG_NOSIGNAL));
	EXPECT_EQ(-EPROTO, ended(self));
}

TEST_F(vscard, an_unknown_type_ends_it)
{
	insert(self);
	say(self, 99, READER, "", 0);
	EXPECT_EQ(-EPROTO, ended(self));
}

TEST_F(vscard, a_message_that_is_never_finished_ends_it)
{
	insert(self);
	ASSERT_EQ(6, send(self->qemu, "\0\0\0\7\0\0", 6, MSG_NOSIGNAL));
	EXPECT_EQ(-ETIMEDOUT, ended(self));
}

TEST_F(vscard, a_qemu_that_no_longer_listens_ends_it)
{
	static const char flush[12] = { 0, 0, 0, VSCARD_FLUSH };

	insert(self);
	for (struct deadline end = deadline_in(500); !deadline_passed(end);)
		(void)send(self->qemu, flush, sizeof(flush), MSG_NOSIGNAL | MSG_DONTWAIT);
	EXPECT_EQ(-ETIMEDOUT, ended(self));
}
