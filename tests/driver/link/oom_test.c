/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A driver's life from the reader's first message to the end of its link, again and again, and each
 * time another allocation of it fails. What must hold: it tells the broker -ENOMEM or ends with it,
 * never lies that it served, and leaves nothing behind.
 */
#include "driver/link/request.h"
#include "driver/link/service.h"
#include "proto/wire.h"
#include "tests/driver/link/fake_reader.h"
#include "tests/harness.h"
#include "tests/oom.h"

#include <sys/socket.h>
#include <unistd.h>

static const uint8_t echo[] = { 0x00, 0x84, 0x00, 0x00, 0x00 };

/* What a broker asks; none of it waits for an answer. */
static void ask_all(int fd)
{
	static const uint32_t requests[] = {
		KF_DRV_HELLO, KF_PIN_LOGOUT, KF_DRV_POWER_CYCLE, KF_APDU, KF_DRV_DROP,
	};

	for (uint32_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		struct packet p = packet_request(requests[i], i + 1, 5000);
		uint8_t buf[4096];
		struct packer out = pack_begin(buf, sizeof(buf));

		if (requests[i] == KF_DRV_HELLO)
			((struct kf_drv_hello *)packet_body(&p))->version = KF_PROTO_VERSION;
		if (requests[i] == KF_APDU)
			packet_set(&p, kf_apdu, command, BYTES_OF(echo));
		ASSERT_EQ(0, packet_pack(&p, &out));
		ASSERT_EQ(0, wire_send(fd, pack_done(&out), 0));
	}
	ASSERT_EQ(0, shutdown(fd, SHUT_WR));
}

static int live(int link_fd)
{
	struct service service = SERVICE_INIT;
	struct reader *reader = NULL;
	int r;

	r = fake_reader_new(FAKE_OURS, &reader);
	if (r == 0)
		r = service_init(&service, link_fd, reader, card_drivers);
	if (r == 0)
		r = service_run(&service);
	else
		(void)close(link_fd);
	service_deinit(&service);
	reader = reader_free(reader);
	return r;
}

struct answers { unsigned int served, short_of_memory; };

/* Any other answer is no answer. */
static struct answers take_answers(int fd)
{
	static uint8_t buf[KF_PACKET_MAX];
	struct answers answers = { 0 };
	struct packet p;
	struct bytes frame;

	while (wire_recv(fd, buf, sizeof(buf), MSG_DONTWAIT, &frame) == 0) {
		ASSERT_EQ(0, packet_parse(frame, &p));
		if (p.header.kind == KF_KIND_EVENT)
			continue;
		if (p.header.result == 0)
			answers.served++;
		else if (p.header.result == -ENOMEM)
			answers.short_of_memory++;
		else
			TEST_FAIL("request %u: %d", p.header.seq, p.header.result);
	}
	return answers;
}

TEST(whichever_allocation_fails_the_driver_says_so_or_ends)
{
	bool all;
	long n = 0;

	do {
		struct answers answers;
		int ends[2], r;

		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
		ask_all(ends[1]);
		oom_begin(n);
		r = live(ends[0]);
		all = oom_end(&n);
		answers = take_answers(ends[1]);
		/* Told or ended with, once; after an answer it goes on. */
		EXPECT_EQ(!all, (r == -ENOMEM) + answers.short_of_memory);
		if (r != -ENOMEM)
			EXPECT_EQ(5u, answers.served + answers.short_of_memory);
		(void)close(ends[1]);
	} while (!all);
	TEST_LOG("%ld allocations, each failed once", n);
	EXPECT_LT(10, n);
}
