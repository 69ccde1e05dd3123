/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "daemon/shared/spawn.h"
#include "tests/harness.h"

#include <sys/socket.h>

static struct spawn_msg policy(void)
{
	struct spawn_msg msg = { .kind = SPAWN_POLICY, .version = 3, .n_rules = SPAWN_RULES };

	for (size_t i = 0; i < SPAWN_RULES; i++)
		msg.rules[i] = (struct spawn_rule){ .who = SPAWN_UID, .id = (uint32_t)i, .rights = 1,
						    .first = 4, .count = 3, .line = 9,
						    .name = "users", .reader = "virtual:*" };
	return msg;
}

static struct bytes pack(const struct spawn_msg *msg, uint8_t *buf, size_t cap)
{
	struct packer p = pack_begin(buf, cap);

	spawn_pack(msg, &p);
	ASSERT_EQ(0, pack_end(&p));
	return pack_done(&p);
}

TEST(the_largest_message_fits_and_comes_back)
{
	struct spawn_msg msg = policy(), back;
	uint8_t buf[SPAWN_MAX];

	ASSERT_EQ(0, spawn_parse(pack(&msg, buf, sizeof(buf)), &back));
	EXPECT_EQ(3u, back.version);
	EXPECT_EQ(0, memcmp(&msg, &back, sizeof(msg)));
}

TEST(every_truncation_and_any_byte_more_is_refused)
{
	struct spawn_msg msg = policy(), back;
	uint8_t buf[SPAWN_MAX];
	struct bytes frame = pack(&msg, buf, sizeof(buf));

	for (size_t n = 0; n < frame.n; n++)
		EXPECT_EQ(-EBADMSG, spawn_parse(BYTES(buf, n), &back));
	EXPECT_EQ(-EBADMSG, spawn_parse(BYTES(buf, frame.n + 1), &back));
}

TEST(unknown_kinds_and_rules_are_refused)
{
	struct spawn_msg msg = policy(), back;
	uint8_t buf[SPAWN_MAX];

	msg.kind = 0;
	EXPECT_EQ(-EBADMSG, spawn_parse(pack(&msg, buf, sizeof(buf)), &back));
	msg.kind = SPAWN_KINDS;
	EXPECT_EQ(-EBADMSG, spawn_parse(pack(&msg, buf, sizeof(buf)), &back));
	msg = policy();
	msg.rules[5].who = SPAWN_EVERYBODY + 1;
	EXPECT_EQ(-EBADMSG, spawn_parse(pack(&msg, buf, sizeof(buf)), &back));
	msg = policy();
	msg.rules[5].first = KF_CONTAINER_ANY - 2;
	EXPECT_EQ(-EBADMSG, spawn_parse(pack(&msg, buf, sizeof(buf)), &back));
	msg = policy();
	memset(msg.rules[5].reader, 'a', sizeof(msg.rules[5].reader));
	EXPECT_EQ(-EBADMSG, spawn_parse(pack(&msg, buf, sizeof(buf)), &back));
	msg = policy();
	memset(msg.name, 'a', sizeof(msg.name));
	EXPECT_EQ(-EBADMSG, spawn_parse(pack(&msg, buf, sizeof(buf)), &back));
}

TEST(a_descriptor_travels_along)
{
	struct spawn_msg msg = { .kind = SPAWN_DRIVER, .reader = 7 }, back;
	_cleanup_(fd_closep) int got = -1;
	int fd[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd));
	ASSERT_EQ(0, spawn_send(fd[0], &msg, fd[0]));
	ASSERT_EQ(0, spawn_recv(fd[1], &back, &got));
	EXPECT_EQ(7u, back.reader);
	EXPECT_LE(0, got);
	ASSERT_EQ(0, spawn_send(fd[0], &msg, -1));
	ASSERT_EQ(0, spawn_recv(fd[1], &back, &got));
	EXPECT_EQ(-1, got);
	ASSERT_EQ(0, spawn_send(fd[0], &msg, fd[0]));
	EXPECT_EQ(-EBADMSG, spawn_recv(fd[1], &back, NULL));
}

TEST(of_two_descriptors_at_once_none_stays_here)
{
	union { char buf[CMSG_SPACE(2 * sizeof(int))]; struct cmsghdr align; } control = { 0 };
	struct spawn_msg msg = { .kind = SPAWN_READY }, back;
	uint8_t buf[SPAWN_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct iovec iov = { .iov_base = buf };
	struct msghdr head = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf,
			       .msg_controllen = CMSG_LEN(2 * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&head);
	int pair[2], fd = -1, next;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	spawn_pack(&msg, &p);
	iov.iov_len = p.n;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(c), pair, 2 * sizeof(int));
	ASSERT_LT(0, sendmsg(pair[0], &head, 0));
	next = dup(pair[0]);
	(void)close(next);
	EXPECT_EQ(-EBADMSG, spawn_recv(pair[1], &back, &fd));
	EXPECT_EQ(-1, fd);
	EXPECT_EQ(next, dup(pair[0]));		/* the lowest number is free as before */
}
