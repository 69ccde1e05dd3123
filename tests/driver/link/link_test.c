/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/link/link.h"
#include "proto/wire.h"
#include "tests/harness.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

FIXTURE(link) {
	struct link link;
	int broker;
	uint8_t frame[KF_PACKET_MAX];
};
FIXTURE_SETUP(link)
{
	int ends[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	self->link = LINK_INIT;
	ASSERT_EQ(0, link_init(&self->link, ends[0]));
	self->broker = ends[1];
}
FIXTURE_TEARDOWN(link)
{
	link_deinit(&self->link);
	(void)close(self->broker);
}

#define SELF struct fixture_link *self

static void send_packet(SELF, const struct packet *packet)
{
	uint8_t buf[4096];
	struct packer p = pack_begin(buf, sizeof(buf));

	ASSERT_EQ(0, packet_pack(packet, &p));
	ASSERT_EQ(0, wire_send(self->broker, pack_done(&p), 0));
}

static void send_verify(SELF, uint32_t seq, const char *pin)
{
	struct packet p = packet_request(KF_PIN_VERIFY, seq, 0);

	packet_set(&p, kf_pin_verify, value, BYTES(pin, strlen(pin)));
	send_packet(self, &p);
}

static void send_cancel(SELF, uint32_t seq)
{
	struct packet p = packet_request(KF_CANCEL, 99, 0);

	((struct kf_cancel *)packet_body(&p))->seq = seq;
	send_packet(self, &p);
}

static void receive_reply(SELF, struct packet *out)
{
	struct bytes frame;

	ASSERT_EQ(0, wire_recv(self->broker, self->frame, sizeof(self->frame), MSG_DONTWAIT, &frame));
	ASSERT_EQ(0, packet_parse(frame, out));
}

TEST(only_a_seqpacket_socket_is_a_link)
{
	struct link link = LINK_INIT;
	int ends[2], fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	EXPECT_EQ(-ENOTSOCK, link_init(&link, fd));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	EXPECT_EQ(-EPROTOTYPE, link_init(&link, ends[0]));
	EXPECT_EQ(-1, link.fd);
}

TEST_F(link, a_request_is_received_answered_and_wiped)
{
	struct packet request, reply;
	struct bytes pin;

	EXPECT_EQ(-EAGAIN, link_receive(&self->link, &request));
	send_verify(self, 7, "secret-pin");
	ASSERT_EQ(0, link_receive(&self->link, &request));
	pin = packet_get(&request, kf_pin_verify, value);
	EXPECT_BYTES_EQ(BYTES("secret-pin", 10), pin);
	reply = packet_reply(&request, -EKEYREJECTED);
	reply.header.detail = 2;
	ASSERT_EQ(0, link_reply(&self->link, &reply));
	EXPECT_TRUE(bytes_are_zero(pin));
	receive_reply(self, &reply);
	EXPECT_EQ(-EKEYREJECTED, reply.header.result);
	EXPECT_EQ(7u, reply.header.seq);
	EXPECT_EQ(2u, reply.header.detail);
}

TEST_F(link, what_went_out_is_wiped_too)
{
	struct packet request = packet_request(KF_DECRYPT, 1, 0), reply;

	send_packet(self, &request);
	ASSERT_EQ(0, link_receive(&self->link, &request));
	reply = packet_reply(&request, 0);
	packet_set(&reply, kf_decrypt, output, BYTES("plaintext", 9));
	ASSERT_EQ(0, link_reply(&self->link, &reply));
	EXPECT_NULL(memmem(self->link.tx, 256, "plaintext", 9));
}

TEST_F(link, a_reply_that_does_not_fit_says_how_much_was_needed)
{
	static uint8_t big[KF_PACKET_MAX];
	struct packet request = packet_request(KF_APDU, 1, 0), reply;

	send_packet(self, &request);
	ASSERT_EQ(0, link_receive(&self->link, &request));
	reply = packet_reply(&request, 0);
	packet_set(&reply, kf_apdu, response, BYTES_OF(big));
	ASSERT_EQ(0, link_reply(&self->link, &reply));
	receive_reply(self, &reply);
	EXPECT_EQ(-EMSGSIZE, reply.header.result);
	EXPECT_GT(reply.header.detail, (uint32_t)KF_PACKET_MAX);
}

TEST_F(link, a_request_that_does_not_parse_is_answered_not_fatal)
{
	struct packet request = packet_request(KF_CARD_INFO, 5, 0), reply;
	uint8_t buf[512];
	struct packer p = pack_begin(buf, sizeof(buf));

	request.header.request = _IOWR(KF_TYPE, 0xdf, struct kf_cancel);
	request.shape = NULL;
	ASSERT_EQ(0, packet_pack(&request, &p));
	ASSERT_EQ(0, wire_send(self->broker, pack_done(&p), 0));
	ASSERT_EQ(-ENOTTY, link_receive(&self->link, &request));
	reply = packet_reply(&request, -ENOTTY);
	ASSERT_EQ(0, link_reply(&self->link, &reply));
	receive_reply(self, &reply);
	EXPECT_EQ(5u, reply.header.seq);
}

TEST_F(link, noise_replies_and_events_break_it)
{
	struct packet packet = packet_event(KF_DRV_EVENT);

	send_packet(self, &packet);
	EXPECT_EQ(-EPROTO, link_receive(&self->link, &packet));
	EXPECT_TRUE(self->link.broken);
	self->link.broken = false;
	ASSERT_EQ(0, wire_send(self->broker, BYTES("noise", 5), 0));
	EXPECT_EQ(-EPROTO, link_receive(&self->link, &packet));
	EXPECT_TRUE(self->link.broken);
}

TEST_F(link, the_brokers_end_is_seen)
{
	struct packet packet;

	(void)shutdown(self->broker, SHUT_RDWR);
	EXPECT_EQ(-ECANCELED, link_wake(&self->link));
	EXPECT_EQ(-ECONNRESET, link_receive(&self->link, &packet));
	EXPECT_TRUE(self->link.gone);
}

TEST_F(link, a_cancel_stops_the_wait_for_its_own_request_alone)
{
	struct packet request;

	send_verify(self, 7, "1234");
	ASSERT_EQ(0, link_receive(&self->link, &request));
	EXPECT_EQ(0, link_wake(&self->link));
	send_cancel(self, 6);
	EXPECT_EQ(0, link_wake(&self->link));
	send_cancel(self, 7);
	EXPECT_EQ(-ECANCELED, link_wake(&self->link));
	EXPECT_FALSE(self->link.broken);
}

TEST_F(link, a_cancel_that_comes_too_late_is_swallowed)
{
	struct packet request;

	send_cancel(self, 3);
	send_verify(self, 4, "1234");
	EXPECT_EQ(-EAGAIN, link_receive(&self->link, &request));
	EXPECT_EQ(0, link_receive(&self->link, &request));
	EXPECT_EQ(4u, request.header.seq);
}

TEST_F(link, a_second_request_under_a_running_one_breaks_it)
{
	struct packet request;

	send_verify(self, 1, "1234");
	ASSERT_EQ(0, link_receive(&self->link, &request));
	send_verify(self, 2, "1234");
	EXPECT_EQ(-ECANCELED, link_wake(&self->link));
	EXPECT_TRUE(self->link.broken);
}

TEST_F(link, between_requests_the_next_one_is_left_alone)
{
	struct packet request;

	send_verify(self, 1, "1234");
	EXPECT_EQ(1, link_wake(&self->link));
	EXPECT_EQ(0, link_receive(&self->link, &request));
	EXPECT_EQ(1u, request.header.seq);
}

TEST_F(link, descriptors_are_not_taken)
{
	struct packet packet = packet_request(KF_CARD_INFO, 1, 0);
	uint8_t buf[512];
	struct packer p = pack_begin(buf, sizeof(buf));
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	ASSERT_EQ(0, packet_pack(&packet, &p));
	iov = (struct iovec){ buf, p.n };
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &self->broker, sizeof(int));
	ASSERT_GT(sendmsg(self->broker, &msg, 0), 0);
	EXPECT_EQ(-EPROTO, link_receive(&self->link, &packet));
}
