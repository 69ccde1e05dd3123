/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One request, one verb: which one, with what, and what becomes of its answer. The handlers of each
 * file of them have a test of their own.
 */
#include "driver/link/request.h"

#include "driver/link/call.h"
#include "tests/driver/link/rig.h"

FIXTURE(request) { struct rig rig; };
FIXTURE_SETUP(request) { rig_init(&self->rig); }
FIXTURE_TEARDOWN(request) { rig_deinit(&self->rig); }

TEST(no_two_rows_are_for_one_request)
{
	static const struct call_rule *const tables[] = {
		serve_reader_rules, serve_card_rules, serve_container_rules, serve_kek_rules,
		serve_session_rules,
	};
	bool seen[256] = { false };

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct call_rule *rule = tables[i]; rule->handle; rule++) {
			if (seen[_IOC_NR(rule->request)])
				TEST_FAIL("request %x has two", _IOC_NR(rule->request));
			seen[_IOC_NR(rule->request)] = true;
		}
}

static struct packet sign_with(uint32_t deadline_ms)
{
	struct packet p = packet_request(KF_SIGN, 0, deadline_ms);

	((struct kf_sign *)packet_body(&p))->container = 4;
	packet_set(&p, kf_sign, digest, BYTES("digest", 6));
	return p;
}

TEST_F(request, a_verb_gets_the_parts_and_its_answer_is_the_replys)
{
	struct packet p = sign_with(5000);

	EXPECT_EQ(0, rig_serve(&self->rig, &p));
	EXPECT_EQ(1u, note.verbs);
	EXPECT_BYTES_EQ(BYTES("digest", 6), note.in);
	EXPECT_BYTES_EQ(BYTES("signature", 9), packet_get(&self->rig.reply, kf_sign, signature));
	EXPECT_EQ(4u, ((const struct kf_sign *)packet_read(&self->rig.reply))->container);
}

TEST_F(request, an_error_says_what_the_card_said_and_carries_no_part)
{
	struct packet p = sign_with(5000);

	note.result = -EREMOTEIO;
	note.said = (struct card_said){ 0x6985, KF_REASON_KEY_PURPOSE, 3 };
	EXPECT_EQ(-EREMOTEIO, rig_serve(&self->rig, &p));
	EXPECT_EQ(0x6985, self->rig.reply.header.sw);
	EXPECT_EQ(KF_REASON_KEY_PURPOSE, self->rig.reply.header.reason);
	EXPECT_EQ(3u, self->rig.reply.header.detail);
	EXPECT_EQ((size_t)0, packet_get(&self->rig.reply, kf_sign, signature).n);
	/* What was laid before it failed is still known, to be wiped. */
	EXPECT_EQ((size_t)9, self->rig.s.out_n);
}

TEST_F(request, what_the_card_said_last_time_does_not_go_with_this_error)
{
	struct packet p = sign_with(5000), process = packet_request(KF_PROCESS, 0, 0);

	note.result = -EREMOTEIO;
	note.said = (struct card_said){ 0x6985, KF_REASON_KEY_PURPOSE, 3 };
	EXPECT_EQ(-EREMOTEIO, rig_serve(&self->rig, &p));
	((struct kf_process *)packet_body(&process))->key = 77;
	EXPECT_EQ(-EBADF, rig_serve(&self->rig, &process));
	EXPECT_EQ(0, self->rig.reply.header.sw);
	EXPECT_EQ(KF_REASON_NONE, self->rig.reply.header.reason);
}

TEST_F(request, a_verb_the_card_lacks_is_not_supported_and_the_card_not_asked)
{
	static const uint32_t requests[] = {
		KF_CARD_INFO, KF_DEVICE_CERT, KF_PIN_STATUS, KF_PIN_VERIFY, KF_PIN_CHANGE,
		KF_PIN_UNBLOCK, KF_PIN_LOGOUT, KF_CONTAINER_LIST, KF_CONTAINER_INFO,
		KF_CONTAINER_CREATE, KF_CONTAINER_DELETE, KF_CERT_STORE, KF_CERT_READ, KF_SIGN,
		KF_DECRYPT, KF_AGREE, KF_CIPHER, KF_KEK_CREATE, KF_KEK_LIST, KF_KEK_ATTEST,
		KF_KEK_SET, KF_BYOK_IMPORT, KF_CARD_INIT, KF_DKEK_STATUS, KF_DKEK_SHARE,
		KF_DKEK_DOMAIN, KF_BLOB_WRAP, KF_BLOB_UNWRAP, KF_OFFER, KF_SESSION_IMPORT, KF_KEY_PROP_GET,
		KF_KEY_PROP_SET, KF_PROCESS, KF_KEY_DESTROY, KF_RECEIPT_GET,
	};

	RIG_SEAT(&self->rig)->card->driver = &rig_unable;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		struct packet p = packet_request(requests[i], 0, 0);

		if (rig_serve(&self->rig, &p) != -EOPNOTSUPP)
			TEST_FAIL("request %zu: %d", i, self->rig.reply.header.result);
	}
	RIG_SEAT(&self->rig)->card->driver = &rig_able;
	EXPECT_EQ(0u, note.verbs);
}

TEST_F(request, a_request_that_did_not_parse_is_answered_and_not_run)
{
	struct packet p = sign_with(5000);

	p.header.seq = ++self->rig.seq;
	request_serve(&self->rig.s, -EINVAL, &p, &self->rig.reply);
	EXPECT_EQ(-EINVAL, self->rig.reply.header.result);
	EXPECT_EQ(self->rig.seq, self->rig.reply.header.seq);
	EXPECT_EQ(0u, note.verbs);
}

TEST_F(request, the_time_is_the_clients_within_bounds)
{
	struct packet none = sign_with(0), short_one = sign_with(1500), long_one = sign_with(UINT32_MAX);

	EXPECT_EQ(0, rig_serve(&self->rig, &short_one));
	EXPECT_TRUE(note.deadline_ms > 0 && note.deadline_ms <= 1500);
	EXPECT_EQ(0, rig_serve(&self->rig, &none));
	EXPECT_TRUE(note.deadline_ms > 1500 && note.deadline_ms <= KF_DEADLINE_DEFAULT_MS);
	EXPECT_EQ(0, rig_serve(&self->rig, &long_one));
	EXPECT_TRUE(note.deadline_ms > KF_DEADLINE_DEFAULT_MS &&
		    note.deadline_ms <= KF_DEADLINE_MAX_MS);
}
