/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/libclient/fake.h - A broker that answers before it is asked. The library's sequence numbers
 * count from 1, so replies can be queued in the socket first and the call made afterwards, all in
 * one thread; then the test looks at what was asked.
 */
#pragma once

#include "base/secret.h"
#include "keyferry/keyferry.h"
#include "libclient/call.h"
#include "proto/wire.h"
#include "tests/harness.h"

#include <sys/socket.h>

#define FAKE_CONTEXT 0x1122334455667788u
#define FAKE_KEY 0x99aabbccddeeff00u

struct fake {
	int peer;
	uint32_t seq;		/* of the next request */
	struct kf_client *client;
	struct kf_context *context;
	uint8_t buf[KF_PACKET_MAX];
};

static inline struct packet fake_reply_begin(struct fake *f, uint32_t request, int result)
{
	struct packet p = packet_begin(KF_KIND_REPLY, request, f->seq++);

	p.header.result = result;
	return p;
}

static inline struct bytes fake_pack(struct fake *f, const struct packet *p)
{
	struct packer packer = pack_begin(f->buf, sizeof(f->buf));

	ASSERT_EQ(0, packet_pack(p, &packer));
	return pack_done(&packer);
}

static inline void fake_send(struct fake *f, const struct packet *p)
{
	ASSERT_EQ(0, wire_send(f->peer, fake_pack(f, p), 0));
}

/* Queues an empty reply. */
static inline void fake_answer(struct fake *f, uint32_t request, int result)
{
	struct packet p = fake_reply_begin(f, request, result);

	fake_send(f, &p);
}

/* What the client asked; borrows from the fake's buffer. */
static inline struct packet fake_asked(struct fake *f)
{
	struct packet p = { 0 };
	struct bytes frame;

	ASSERT_EQ(0, wire_recv(f->peer, f->buf, sizeof(f->buf), MSG_DONTWAIT, &frame));
	ASSERT_EQ(0, packet_parse(frame, &p));
	ASSERT_EQ(KF_KIND_REQUEST, p.header.kind);
	return p;
}

static inline void fake_queue_hello(struct fake *f)
{
	struct packet p = fake_reply_begin(f, KF_HELLO, 0);
	struct kf_hello *hello = packet_body(&p);

	hello->version = KF_PROTO_VERSION;
	hello->rights = KF_RIGHT_LOOK | KF_RIGHT_USE;
	hello->client = 17;
	packet_set_string(hello->broker, "0.fake");
	fake_send(f, &p);
}

static inline void fake_connect(struct fake *f)
{
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds));
	f->peer = fds[1];
	f->seq = 1;
	fake_queue_hello(f);
	ASSERT_EQ(0, kf_client_connect_fd(f->client, fds[0]));
	(void)fake_asked(f);
}

static inline void fake_open(struct fake *f)
{
	struct packet p = fake_reply_begin(f, KF_CONTEXT_OPEN, 0);
	struct kf_context_open *open = packet_body(&p);

	open->context = FAKE_CONTEXT;
	fake_send(f, &p);
	ASSERT_EQ(0, kf_context_open(f->client, "virtual:a", 0, &f->context));
	(void)fake_asked(f);
}

static inline void fake_begin(struct fake *f)
{
	*f = (struct fake){ .peer = -1, .seq = 1 };
	ASSERT_EQ(0, kf_client_new("test", &f->client));
	kf_client_set_deadline(f->client, 50);
	fake_connect(f);
	fake_open(f);
}

static inline void fake_end(struct fake *f)
{
	f->client = kf_client_free(f->client);
	f->context = kf_context_close(f->context);
	f->peer = fd_close(f->peer);
}

/* The failure is told in all four parts. */
static inline void expect_explained(const struct kf_client *client, int code)
{
	const struct kf_error *e = kf_client_error(client);

	EXPECT_EQ(code, e->code);
	EXPECT_NE(0, strlen(e->what));
	EXPECT_NE(0, strlen(e->why));
	EXPECT_NE(0, strlen(e->rule));
	EXPECT_NE(0, strlen(e->next));
}
