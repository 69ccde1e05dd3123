/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/hostile_client_test.c - Adversary L at the broker's socket (SECURITY section 1): what a
 * local user can send, and what another user, who has a context, a key and a given PIN all the
 * while, notices of it: nothing, and his turns keep coming.
 */
#include "tests/e2e/stage.h"

#include "base/cleanup.h"
#include "proto/wire.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define ALL_RIGHTS "look,use,inject,create,delete,admin,raw"
#define UID_LOOKER	61100		/* look only */
#define UID_ALL		61101
#define UID_BUT		61110		/* all rights but the one of this number */
#define UID_NOBODY	65534

FIXTURE(hostile)
{
	struct stage stage;
	struct packet reply;
	uid_t me;			/* the attacker: look, use, inject */
	struct {
		int fd;
		uint64_t context, key;
	} honest;			/* another uid */
};

FIXTURE_SETUP(hostile)
{
	static const char *const readers[] = { "honest-pin", "slow", NULL };
	static const char *const rights[] = { "look", "use", "inject", "create", "delete", "admin",
					      "raw" };
	char options[2048];
	int n;

	stage_open(&self->stage, readers);
	if (!rig_has_uids(&self->stage.rig))
		SKIP("needs root, to be several uids");
	self->me = self->stage.rig.uid[RIG_STRANGER];
	n = snprintf(options, sizeof(options),
		     "--grant %u:look,use,inject --grant %u:look,use,inject --grant %d:look "
		     "--grant %d:%s --grant %d:%s", (unsigned)self->me,
		     (unsigned)self->stage.rig.uid[RIG_CLIENT], UID_LOOKER, UID_ALL, ALL_RIGHTS,
		     UID_NOBODY, ALL_RIGHTS);
	for (size_t i = 0; i < 7; i++) {
		n += snprintf(options + n, sizeof(options) - (size_t)n, " --grant %zu:",
			      UID_BUT + i);
		for (size_t k = 0, any = 0; k < 7; k++)
			if (k != i)
				n += snprintf(options + n, sizeof(options) - (size_t)n, "%s%s",
					      any++ ? "," : "", rights[k]);
	}
	stage_start(&self->stage, options);
	self->honest.fd = stage_greet(&self->stage, self->stage.rig.uid[RIG_CLIENT]);
	self->honest.context = raw_context(self->honest.fd, "honest-pin");
	self->honest.key = raw_key(self->honest.fd, self->honest.context);
	ASSERT_EQ(0, raw_verify(self->honest.fd, self->honest.context, "2468", 0, &self->reply));
}

FIXTURE_TEARDOWN(hostile)
{
	stage_close(&self->stage);
}

/* The other user still has all that was his, and nobody had a turn at his card. */
static void expect_untouched(struct fixture_hostile *self)
{
	struct packet ask = packet_request(KF_KEY_PROP_GET, 0, 0);

	((struct kf_key_prop *)packet_body(&ask))->key = self->honest.key;
	EXPECT_EQ(0, raw_ask(self->honest.fd, &ask, &self->reply));
	EXPECT_EQ(0, raw_sign(self->honest.fd, self->honest.context, 0xaa, 0, &self->reply));
	EXPECT_FALSE(proc_is_gone(self->stage.broker));
}

/* The other user's @n requests, one after the other: each is served at the first time of asking. */
static void expect_served(struct fixture_hostile *self, int n)
{
	for (int i = 0; i < n; i++)
		ASSERT_EQ(0, raw_sign(self->honest.fd, self->honest.context, 0xbb, 0,
				      &self->reply));
}

/* --- handles --- */

#define GUESSES 10000
#define AT_ONCE 50

static const uint32_t guessable[] = { KF_CARD_INFO, KF_SIGN, KF_KEY_PROP_GET, KF_KEY_DESTROY,
				      KF_CONTEXT_CLOSE, KF_TXN_BEGIN };

static uint64_t guess(const uint64_t *known, size_t n_known, unsigned int i)
{
	uint64_t random;

	if (i < n_known)
		return known[i];
	if (i < 1000)
		return i;
	ASSERT_EQ((ssize_t)sizeof(random), getrandom(&random, sizeof(random), 0));
	switch (i % 3) {
	case 0:			/* near one that lives: its index, and most of its number */
		return known[i % n_known] ^ (uint64_t)1 << (random % 64);
	case 1:			/* its index, another number */
		return (known[i % n_known] & 0x1ffff) | (random & ~0x1ffffull);
	default:
		return random;
	}
}

/* The reply to a wrong handle says nothing but that. */
static void expect_plain_ebadf(const struct packet *reply)
{
	ASSERT_EQ(-EBADF, reply->header.result);
	ASSERT_EQ(0, reply->header.reason);
	ASSERT_EQ(0, reply->header.detail);
	ASSERT_EQ(0, reply->header.sw);
}

TEST_F_TIMEOUT(hostile, ten_thousand_guessed_handles_all_get_the_same_answer, 60)
{
	int fd = stage_greet(&self->stage, self->me);
	int other = stage_greet(&self->stage, self->me);
	uint64_t others_context = raw_context(other, "slow");
	uint64_t mine = raw_context(fd, "slow");
	const uint64_t known[] = { self->honest.context, self->honest.key, others_context,
				   raw_key(other, others_context) };
	size_t asked = stage_asked_count(&self->stage, "honest-pin");

	for (unsigned int i = 0; i < GUESSES;) {
		unsigned int n = 0;

		/* Each known one with each request; after that one request a guess. */
		for (; n < AT_ONCE && i < GUESSES; n++, i++) {
			size_t nr = sizeof(guessable) / sizeof(guessable[0]);
			bool exact = i < 4 * nr;
			uint64_t id = exact ? known[i / nr] : guess(known, 4, i);
			struct packet ask = packet_request(guessable[i % nr], 0, 0);

			ASSERT_NE(mine, id);
			memcpy(packet_body(&ask), &id, sizeof(id));
			ASSERT_EQ(0, raw_send(fd, raw_frame(&ask)));
		}
		for (; n > 0; n--) {
			ASSERT_EQ(0, raw_recv(fd, &self->reply));
			expect_plain_ebadf(&self->reply);
		}
		if (i % 1000 == 0) {
			expect_served(self, 1);
			asked++;
		}
	}
	EXPECT_EQ(asked, stage_asked_count(&self->stage, "honest-pin"));
	EXPECT_EQ(0, raw_call(fd, KF_CARD_INFO, mine, &self->reply));
	EXPECT_EQ(0, raw_call(other, KF_CARD_INFO, others_context, &self->reply));
	expect_untouched(self);
}

TEST_F(hostile, only_who_had_a_handle_is_told_that_it_is_a_former_one)
{
	int fd = stage_greet(&self->stage, self->me);
	int other = stage_greet(&self->stage, self->me);
	uint64_t context = raw_context(fd, "slow"), key = raw_key(fd, context);

	/* Kinds are apart, too. */
	EXPECT_EQ(-EBADF, raw_call(fd, KF_CARD_INFO, key, &self->reply));
	EXPECT_EQ(-EBADF, raw_call(fd, KF_KEY_DESTROY, context, &self->reply));
	EXPECT_EQ(0, raw_call(fd, KF_CONTEXT_CLOSE, context, &self->reply));

	EXPECT_EQ(-ESTALE, raw_call(fd, KF_CARD_INFO, context, &self->reply));
	EXPECT_EQ(KF_REASON_CLOSED, self->reply.header.reason);
	EXPECT_EQ(-ESTALE, raw_call(fd, KF_KEY_DESTROY, key, &self->reply));
	EXPECT_EQ(-EBADF, raw_call(other, KF_CARD_INFO, context, &self->reply));
	EXPECT_EQ(-EBADF, raw_call(other, KF_KEY_DESTROY, key, &self->reply));
	EXPECT_EQ(-EBADF, raw_call(self->honest.fd, KF_CARD_INFO, context, &self->reply));

	/* A connection's former handles do not pass to the next one of the same uid. */
	(void)close(fd);
	fd = stage_greet(&self->stage, self->me);
	EXPECT_EQ(-EBADF, raw_call(fd, KF_CARD_INFO, context, &self->reply));
	expect_untouched(self);
}

/* --- framing --- */

static struct bytes hello_frame(void)
{
	struct packet hello = packet_request(KF_HELLO, 0, 0);
	struct kf_hello *body = packet_body(&hello);

	body->version = KF_PROTO_VERSION;
	body->max_packet = KF_PACKET_MAX;
	return raw_frame(&hello);
}

static void expect_cut(struct fixture_hostile *self, struct bytes frame, const char *what, size_t n)
{
	int fd = stage_dial(&self->stage, self->me);

	ASSERT_GE(fd, 0);
	(void)raw_send(fd, frame);
	if (!raw_is_cut(fd))
		TEST_FAIL("%s (%zu): not cut off", what, n);
	(void)close(fd);
}

TEST_F_TIMEOUT(hostile, what_is_no_packet_is_the_end_of_its_connection, 30)
{
	static const struct { uint8_t at, value; const char *what; } bad[] = {
		{ 0, 0, "magic" }, { 2, 0, "version 0" }, { 2, 2, "version 2" }, { 3, 0, "kind 0" },
		{ 3, KF_KIND_REPLY, "a reply" }, { 3, KF_KIND_EVENT, "an event" },
		{ 3, 255, "kind 255" }, { 16, 1, "a result" }, { 24, 1, "a status word" },
		{ 26, 1, "a reason" }, { 28, 1, "a detail" }, { 6, 1, "64 KiB more than came" },
		{ 4, 127, "one byte less than came" },
	};
	static uint8_t big[KF_PACKET_MAX + 1];
	size_t fds = proc_fds(self->stage.broker);
	struct bytes good = hello_frame();
	uint8_t copy[256];

	ASSERT_EQ(128, good.n);
	for (size_t n = 0; n < good.n; n += n < 33 ? 1 : 13)	/* every header, some bodies */
		expect_cut(self, BYTES(good.p, n), "half a packet of bytes", n);
	expect_served(self, 2);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memcpy(copy, good.p, good.n);
		copy[bad[i].at] = bad[i].value;
		expect_cut(self, BYTES(copy, good.n), bad[i].what, i);
	}
	memcpy(copy, good.p, good.n);
	memset(copy + 12, 0, 4);
	expect_cut(self, BYTES(copy, good.n), "sequence number 0", 0);
	memcpy(big, good.p, good.n);
	expect_cut(self, BYTES_OF(big), "more than the largest packet", sizeof(big));
	for (size_t n = 1; n < 4000; n = n * 3 + 1) {
		ASSERT_EQ((ssize_t)n, getrandom(big, n, 0));
		expect_cut(self, BYTES(big, n), "noise of bytes", n);
	}
	EXPECT_EQ(fds, proc_fds(self->stage.broker));
	expect_untouched(self);
}

static int send_with_descriptors(int fd, struct bytes frame, int n)
{
	union {
		char buf[CMSG_SPACE(200 * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)frame.p, frame.n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf,
			      .msg_controllen = CMSG_SPACE((size_t)n * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
	for (int i = 0; i < n; i++)
		memcpy(CMSG_DATA(c) + (size_t)i * sizeof(int), &(int){ 0 }, sizeof(int));
	return sendmsg(fd, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

TEST_F(hostile, a_descriptor_nobody_asked_for_stays_outside)
{
	static const int counts[] = { 1, 2, 200 };
	size_t fds = proc_fds(self->stage.broker);

	for (size_t i = 0; i < 3; i++) {
		int fd = stage_dial(&self->stage, self->me);

		ASSERT_EQ(0, send_with_descriptors(fd, hello_frame(), counts[i]));
		EXPECT_TRUE(raw_is_cut(fd));
		(void)close(fd);
	}
	EXPECT_EQ(fds, proc_fds(self->stage.broker));
	expect_untouched(self);
}

/* --- requests that are packets, and wrong --- */

TEST_F(hostile, nothing_is_served_before_hello)
{
	int fd = stage_dial(&self->stage, self->me);
	struct packet hello = packet_request(KF_HELLO, 0, 0);
	const struct shape *shape;
	size_t n = 0;

	for (size_t i = 0; (shape = shape_at(i)); i++) {
		int r;

		if (shape->request == KF_HELLO || _IOC_NR(shape->request) >= 0xc0)
			continue;
		r = raw_call(fd, shape->request, 0, &self->reply);
		if (r != -EPROTO || self->reply.header.reason != KF_REASON_NO_HELLO)
			TEST_FAIL("%s before hello: %d", shape->name, r);
		n++;
	}
	EXPECT_EQ(53, n);
	((struct kf_hello *)packet_body(&hello))->version = 2;
	((struct kf_hello *)packet_body(&hello))->max_packet = KF_PACKET_MAX;
	EXPECT_EQ(-EINVAL, raw_ask(fd, &hello, &self->reply));
	((struct kf_hello *)packet_body(&hello))->version = KF_PROTO_VERSION;
	EXPECT_EQ(0, raw_ask(fd, &hello, &self->reply));
	EXPECT_EQ(self->me, ((const struct kf_hello *)packet_read(&self->reply))->uid);
	EXPECT_EQ(-EPROTO, raw_ask(fd, &hello, &self->reply));
	expect_untouched(self);
}

/* A request with @n bytes of @fill as its struct. */
static int odd_request(int fd, uint32_t request, size_t n, uint8_t fill, struct packet *reply)
{
	static uint8_t buf[KF_PACKET_MAX];
	static uint32_t seq = 0x40000000;
	struct packer p = pack_begin(buf, sizeof(buf));

	pack_le16(&p, KF_MAGIC);
	pack_u8(&p, KF_PROTO_VERSION);
	pack_u8(&p, KF_KIND_REQUEST);
	pack_le32(&p, (uint32_t)(sizeof(struct kf_header) + n));
	pack_le32(&p, request);
	pack_le32(&p, ++seq);
	pack_zero(&p, 16);
	for (size_t i = 0; i < n; i++)
		pack_u8(&p, fill);
	if (raw_send(fd, pack_done(&p)) < 0 || raw_recv(fd, reply) < 0)
		return -ECONNRESET;
	return reply->header.seq == seq ? reply->header.result : -EIO;
}

TEST_F_TIMEOUT(hostile, unknown_numbers_and_foreign_lengths_are_refused_by_name, 30)
{
	int fd = stage_greet(&self->stage, self->me);
	uint32_t longer = _IOC(_IOC_DIR(KF_EVENTS), KF_TYPE, _IOC_NR(KF_EVENTS), 4000);
	uint32_t shorter = _IOC(_IOC_DIR(KF_EVENTS), KF_TYPE, _IOC_NR(KF_EVENTS), 4);
	size_t n_unknown = 0;

	for (uint32_t nr = 0; nr < 256; nr++) {
		uint32_t request = _IOC(_IOC_READ | _IOC_WRITE, KF_TYPE, nr, 8);

		if (shape_find(request) && nr < 0xc0)
			continue;
		EXPECT_EQ(-ENOTTY, odd_request(fd, shape_find(request) ?
					       shape_find(request)->request : request,
					       shape_find(request) ?
					       shape_size(shape_find(request)) : 8,
					       0, &self->reply));
		n_unknown++;
	}
	EXPECT_EQ(256 - 54, n_unknown);
	EXPECT_EQ(-ENOTTY, odd_request(fd, _IOWR('L', 3, struct kf_events), 8, 0, &self->reply));
	EXPECT_EQ(-E2BIG, odd_request(fd, longer, 4000, 1, &self->reply));
	EXPECT_EQ(0, odd_request(fd, longer, 4000, 0, &self->reply));
	EXPECT_EQ(-EINVAL, odd_request(fd, longer, 3999, 0, &self->reply));	/* says more */
	EXPECT_EQ(-EINVAL, odd_request(fd, longer, 4001, 0, &self->reply));	/* brings more */
	EXPECT_EQ(-EINVAL, odd_request(fd, shorter, 4, 0, &self->reply));
	EXPECT_EQ(-EINVAL, odd_request(fd, KF_EVENTS, 8, 0xff, &self->reply));
	EXPECT_EQ(-EINVAL, odd_request(fd, KF_SIGN, sizeof(struct kf_sign), 0xff, &self->reply));
	expect_untouched(self);
}

/* --- rights --- */

/* The policy of SECURITY section 7, written down a second time on purpose. */
static uint32_t right_of(uint32_t request)
{
	switch (request) {
	case KF_STATUS: case KF_CLIENTS: case KF_EVENTS: case KF_CANCEL: case KF_POLICY:
	case KF_READER_LIST:
	case KF_READER_INFO: case KF_CONTEXT_OPEN: case KF_CONTEXT_CLOSE: case KF_CARD_INFO:
	case KF_DEVICE_CERT: case KF_PIN_STATUS: case KF_CONTAINER_LIST: case KF_CONTAINER_INFO:
	case KF_CERT_READ:
		return KF_RIGHT_LOOK;
	case KF_PIN_VERIFY: case KF_PIN_CHANGE: case KF_PIN_UNBLOCK: case KF_PIN_LOGOUT:
	case KF_SIGN: case KF_DECRYPT: case KF_AGREE: case KF_TXN_BEGIN: case KF_TXN_END:
		return KF_RIGHT_USE;
	case KF_OFFER: case KF_SESSION_IMPORT: case KF_KEY_PROP_GET: case KF_KEY_PROP_SET:
	case KF_PROCESS: case KF_KEY_DESTROY: case KF_RECEIPT_GET:
		return KF_RIGHT_INJECT;
	case KF_CONTAINER_CREATE: case KF_CERT_STORE:
		return KF_RIGHT_CREATE;
	case KF_CONTAINER_DELETE:
		return KF_RIGHT_DELETE;
	case KF_CARD_RESET:
		return KF_RIGHT_ADMIN;
	case KF_APDU:
		return KF_RIGHT_RAW;
	default:
		return 0;		/* KF_HELLO, and what is no client's */
	}
}

TEST_F(hostile, who_is_in_no_rule_gets_nothing_not_even_hello)
{
	const uid_t nobodies[] = { self->stage.rig.uid[RIG_SERVER], 0, UID_NOBODY };

	for (size_t i = 0; i < 3; i++) {
		int fd = stage_dial(&self->stage, nobodies[i]);
		struct packet hello = packet_request(KF_HELLO, 0, 0);

		((struct kf_hello *)packet_body(&hello))->version = KF_PROTO_VERSION;
		((struct kf_hello *)packet_body(&hello))->max_packet = KF_PACKET_MAX;
		ASSERT_GE(fd, 0);
		EXPECT_EQ(-EACCES, raw_ask(fd, &hello, &self->reply));
		EXPECT_EQ(KF_REASON_NO_RULE, self->reply.header.reason);
		EXPECT_EQ(-EPROTO, raw_call(fd, KF_READER_LIST, 0, &self->reply));
	}
	expect_untouched(self);
}

TEST_F_TIMEOUT(hostile, a_row_without_its_right_is_refused_before_the_card, 30)
{
	size_t asked, n_refused = 0;

	for (unsigned int i = 0; i < 7; i++) {
		int fd = stage_greet(&self->stage, UID_BUT + i);
		uint64_t id = 1u << i == KF_RIGHT_LOOK ? 0 : raw_context(fd, "slow");
		const struct shape *shape;

		asked = stage_asked_count(&self->stage, "slow");
		for (size_t k = 0; (shape = shape_at(k)); k++) {
			if (right_of(shape->request) != 1u << i)
				continue;
			if (raw_call(fd, shape->request, id, &self->reply) != -EACCES ||
			    self->reply.header.reason != KF_REASON_RIGHT ||
			    self->reply.header.detail != 1u << i)
				TEST_FAIL("%s without right 0x%x: %d, reason %u, detail 0x%x",
					  shape->name, 1u << i, self->reply.header.result,
					  self->reply.header.reason, self->reply.header.detail);
			n_refused++;
		}
		EXPECT_EQ(asked, stage_asked_count(&self->stage, "slow"));
	}
	EXPECT_EQ(36, n_refused);
	expect_untouched(self);
}

TEST_F(hostile, who_may_look_may_only_look)
{
	int fd = stage_greet(&self->stage, UID_LOOKER);
	uint64_t context = raw_context(fd, "slow");
	size_t asked = stage_asked_count(&self->stage, "slow"), n_looks = 0;
	const struct shape *shape;

	for (size_t i = 0; (shape = shape_at(i)); i++) {
		uint32_t right = right_of(shape->request);
		int r;

		if (right == 0 || shape->request == KF_CONTEXT_CLOSE)
			continue;
		r = raw_call(fd, shape->request, context, &self->reply);
		n_looks += right == KF_RIGHT_LOOK;
		if ((r == -EACCES) != (right != KF_RIGHT_LOOK))
			TEST_FAIL("%s by a looker: %d", shape->name, r);
	}
	EXPECT_EQ(14, n_looks);
	/* Of the looks, five are the card's to answer and not about a PIN, which is not recorded. */
	EXPECT_EQ(asked + 5, stage_asked_count(&self->stage, "slow"));
	expect_untouched(self);
}

/* --- raw APDUs --- */

static int raw_apdu(int fd, uint64_t context, struct bytes command, struct packet *reply)
{
	struct packet ask = packet_request(KF_APDU, 0, 0);

	((struct kf_apdu *)packet_body(&ask))->context = context;
	packet_set(&ask, kf_apdu, command, command);
	return raw_ask(fd, &ask, reply);
}

TEST_F_TIMEOUT(hostile, raw_apdus_carry_no_pin_command_in_any_class, 30)
{
	static const uint8_t pin_commands[] = { 0x20, 0x21, 0x24, 0x25, 0x26, 0x28, 0x2c, 0x2d,
						0xc2, 0xc3 };
	int fd = stage_greet(&self->stage, UID_ALL);
	uint64_t context = raw_context(fd, "slow");
	size_t asked = stage_asked_count(&self->stage, "slow");
	uint8_t extended[] = { 0, 0, 0, 0x81, 0, 0, 4, '2', '4', '6', '8' };
	uint8_t apdu[] = { 0, 0, 0, 0x81, 4, '2', '4', '6', '8' };

	for (unsigned int cla = 0; cla < 256; cla++)
		for (size_t i = 0; i < sizeof(pin_commands); i++) {
			extended[0] = apdu[0] = (uint8_t)cla;
			extended[1] = apdu[1] = pin_commands[i];
			ASSERT_EQ(-EACCES, raw_apdu(fd, context, BYTES_OF(apdu), &self->reply));
			if (cla == 0xff)	/* the reader's own class, refused as a whole */
				continue;
			ASSERT_EQ(KF_REASON_APDU_CLASS, self->reply.header.reason);
			ASSERT_EQ(pin_commands[i], self->reply.header.detail);
			if (cla == 0x00 || cla == 0x10 || cla == 0x0c)
				ASSERT_EQ(-EACCES, raw_apdu(fd, context, BYTES_OF(extended),
							    &self->reply));
		}
	EXPECT_EQ(-EACCES, raw_apdu(fd, context, BYTES("\xff\xa4\0\0", 4), &self->reply));
	EXPECT_EQ(-EINVAL, raw_apdu(fd, context, BYTES("\0\xa4\0", 3), &self->reply));
	EXPECT_EQ(asked, stage_asked_count(&self->stage, "slow"));
	EXPECT_EQ(0, raw_apdu(fd, context, BYTES("\0\xa4\4\0", 4), &self->reply));
	EXPECT_EQ(asked + 1, stage_asked_count(&self->stage, "slow"));
	expect_untouched(self);
}

/* --- too much --- */

/* Sends until nothing more goes in. Return: how many did. */
static int pour(int fd, uint32_t request, int most)
{
	struct packet ask = packet_request(request, 0, 0);
	int n = 0;

	while (n < most) {
		int r = wire_send(fd, raw_frame(&ask), MSG_DONTWAIT);

		if (r == -EAGAIN) {	/* the broker may take some more, once */
			struct pollfd p = { .fd = fd, .events = POLLOUT };

			if (poll(&p, 1, 200) <= 0 || p.revents & (POLLERR | POLLHUP))
				break;
		} else if (r < 0) {
			break;
		} else {
			n++;
		}
	}
	return n;
}

TEST_F_TIMEOUT(hostile, who_asks_and_never_reads_is_cut_off_and_others_are_served, 60)
{
	long rss = proc_status(self->stage.broker, "VmRSS");

	for (int i = 0; i < 4; i++) {
		int fd = stage_greet(&self->stage, self->me);

		/* A status is 500 bytes: ten thousand are more than anybody keeps for us. */
		(void)pour(fd, KF_STATUS, 10000);
		expect_served(self, 20);
		EXPECT_TRUE(raw_is_cut(fd));
		(void)close(fd);
	}
	EXPECT_LT(0, stage_count_in(&self->stage, "mail/service.log", "does not read"));
	if (!HARNESS_SANITIZED)
		EXPECT_LE(proc_status(self->stage.broker, "VmRSS"), rss + 4096);
	expect_untouched(self);
}

TEST_F_TIMEOUT(hostile, many_who_stall_hold_no_more_than_their_uid_may, 60)
{
	int fds[64], n = 0;
	long rss = proc_status(self->stage.broker, "VmRSS");

	for (; n < 64; n++)
		fds[n] = stage_greet(&self->stage, self->me);
	for (int i = 0; i < n; i++) {
		(void)pour(fds[i], KF_STATUS, 300);
		if (i % 8 == 0)
			expect_served(self, 2);
	}
	/* One MiB of replies for all of them together, whatever sixty-four sockets would hold. */
	if (!HARNESS_SANITIZED)
		EXPECT_LE(proc_status(self->stage.broker, "VmRSS"), rss + 4096);
	expect_served(self, 20);
	for (int i = 0; i < n; i++)
		(void)close(fds[i]);
	expect_untouched(self);
}

TEST_F(hostile, the_sixty_fifth_connection_and_context_of_a_uid_are_refused)
{
	struct packet open = packet_request(KF_CONTEXT_OPEN, 0, 0);
	int fds[64], fd;

	for (int i = 0; i < 64; i++)
		fds[i] = stage_greet(&self->stage, self->me);
	fd = stage_dial(&self->stage, self->me);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, raw_recv(fd, &self->reply));
	EXPECT_EQ(-EDQUOT, self->reply.header.result);
	EXPECT_EQ(KF_REASON_QUOTA_CONNECTIONS, self->reply.header.reason);
	EXPECT_EQ(64, self->reply.header.detail);
	EXPECT_TRUE(raw_is_cut(fd));

	for (int i = 0; i < 64; i++)
		(void)raw_context(fds[i], "slow");
	packet_set_string(((struct kf_context_open *)packet_body(&open))->name, "virtual:slow");
	EXPECT_EQ(-EDQUOT, raw_ask(fds[5], &open, &self->reply));
	EXPECT_EQ(KF_REASON_QUOTA_CONTEXTS, self->reply.header.reason);
	EXPECT_EQ(0, raw_ask(self->honest.fd, &open, &self->reply));
	fd = stage_greet(&self->stage, self->stage.rig.uid[RIG_CLIENT]);
	EXPECT_GE(fd, 0);
	expect_untouched(self);
}

/* KF_SIGN with @mark, sent and not waited for. */
static void post_sign(int fd, uint64_t context, uint8_t mark)
{
	struct packet ask = packet_request(KF_SIGN, 0, 60000);
	uint8_t digest[32] = { mark };

	((struct kf_sign *)packet_body(&ask))->context = context;
	packet_set(&ask, kf_sign, digest, BYTES_OF(digest));
	ASSERT_EQ(0, raw_send(fd, raw_frame(&ask)));
}

TEST_F_TIMEOUT(hostile, at_one_card_turns_alternate_however_long_one_queue_is, 60)
{
	int fd = stage_greet(&self->stage, self->me);
	uint64_t mine = raw_context(fd, "slow"), also_mine = raw_context(fd, "slow");
	uint64_t his = raw_context(self->honest.fd, "slow");
	static char record[65536];
	unsigned int n_mine = 0, n_his = 0;
	size_t before;

	for (int i = 0; i < 32; i++)
		post_sign(fd, i % 2 ? mine : also_mine, 0x11);
	ASSERT_EQ(-EDQUOT, raw_sign(fd, mine, 0x11, 0, &self->reply));
	EXPECT_EQ(KF_REASON_QUOTA_REQUESTS, self->reply.header.reason);
	for (int i = 0; i < 8; i++)
		post_sign(self->honest.fd, his, 0x22);
	before = stage_asked_count(&self->stage, "slow");
	for (int i = 0; i < 8; i++) {
		ASSERT_EQ(0, raw_recv(self->honest.fd, &self->reply));
		EXPECT_EQ(0, self->reply.header.result);
	}
	(void)stage_asked(&self->stage, "slow", record, sizeof(record));
	for (char *line = strtok(record, "\n"); line; line = strtok(NULL, "\n")) {
		if (strcmp(line, "KF_SIGN 22") == 0)
			n_his++;
		else if (strcmp(line, "KF_SIGN 11") == 0 && n_his < 8)
			n_mine++;
	}
	EXPECT_EQ(8, n_his);
	/* From his asking to his last: before each of his eight one of mine, and one was under way. */
	EXPECT_LE(n_mine, before + 8 + 1);
	EXPECT_LT(before + 8 + 1, 32);		/* else it was no contest */
	expect_untouched(self);
}

/* Who takes a card for itself and then does nothing has it for as long as it said, and no longer. */
TEST_F_TIMEOUT(hostile, who_stalls_with_the_card_in_hand_loses_it_at_its_deadline, 30)
{
	int fd = stage_greet(&self->stage, self->me);
	uint64_t mine = raw_context(fd, "slow"), his = raw_context(self->honest.fd, "slow");
	struct packet take = packet_request(KF_TXN_BEGIN, 0, 0);
	struct kf_txn_begin *body = packet_body(&take);

	body->context = mine;
	body->hold_ms = 400;
	packet_set_string(body->name, "stalled");
	ASSERT_EQ(0, raw_ask(fd, &take, &self->reply));
	expect_served(self, 2);			/* at his other card nobody waits */
	post_sign(self->honest.fd, his, 0x33);
	ASSERT_EQ(0, raw_recv(self->honest.fd, &self->reply));
	EXPECT_EQ(0, self->reply.header.result);
	EXPECT_LT(0, stage_count_in(&self->stage, "mail/service.log", "ended at its deadline"));
	EXPECT_NE(0, raw_call(fd, KF_TXN_END, mine, &self->reply));
	expect_untouched(self);
}
