/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Faces: daemon/broker/link.c
 * Faces: daemon/broker/serve_card.c
 */
#include "daemon/broker/card.h"
#include "daemon/broker/job.h"
#include "tests/daemon/broker/rig.h"

FIXTURE(card) { struct rig rig; struct peer a, b; uint64_t ca, cb; };
FIXTURE_SETUP(card)
{
	rig_init(&self->rig);
	self->ca = peer_init(&self->rig, &self->a);
	self->cb = peer_init(&self->rig, &self->b);
}
FIXTURE_TEARDOWN(card)
{
	peer_deinit(&self->a);
	peer_deinit(&self->b);
	rig_deinit(&self->rig);
}

static int call(struct fixture_card *self, struct peer *peer, struct packet packet,
		struct packet *reply)
{
	return peer_call(&self->rig, peer, &packet, reply);
}

static int plain(struct fixture_card *self, struct peer *peer, uint32_t request, uint64_t context)
{
	struct packet reply;

	return call(self, peer, ask(request, context), &reply);
}

static void verify(struct fixture_card *self, struct peer *peer, uint64_t context)
{
	struct packet reply;

	EXPECT_EQ(0, call(self, peer, ask_pin(context, 0), &reply));
	self->rig.n_asked = 0;
}

static uint32_t verified(struct fixture_card *self, struct peer *peer, uint64_t context)
{
	struct packet reply;

	EXPECT_EQ(0, call(self, peer, ask(KF_CARD_INFO, context), &reply));
	self->rig.n_asked = 0;
	return ((const struct kf_card_info *)packet_read(&reply))->verified;
}

/* --- whose PIN it is --- */

TEST_F(card, a_pin_given_by_one_client_never_serves_another)
{
	verify(self, &self->a, self->ca);
	EXPECT_EQ(0, plain(self, &self->b, KF_SIGN, self->cb));
	EXPECT_ASKED(&self->rig, NR(KF_DRV_DROP), NR(KF_SIGN));
}

TEST_F(card, it_stays_as_long_as_nobody_else_asks)
{
	verify(self, &self->a, self->ca);
	EXPECT_EQ(0, plain(self, &self->a, KF_SIGN, self->ca));
	EXPECT_EQ(0, plain(self, &self->a, KF_SIGN, self->ca));
	EXPECT_ASKED(&self->rig, NR(KF_SIGN), NR(KF_SIGN));
	EXPECT_EQ(1u << KF_PIN_USER, verified(self, &self->a, self->ca));
}

TEST_F(card, who_lost_it_to_anothers_turn_is_told_so)
{
	struct packet reply;

	verify(self, &self->a, self->ca);
	EXPECT_EQ(0u, verified(self, &self->b, self->cb));
	self->rig.fail = NR(KF_SIGN);
	self->rig.fail_result = -EPERM;
	self->rig.fail_reason = KF_REASON_PIN_NEEDED;
	EXPECT_EQ(-EPERM, call(self, &self->a, ask(KF_SIGN, self->ca), &reply));
	EXPECT_EQ(KF_REASON_PIN_LOST, reply.header.reason);
	EXPECT_EQ(-EPERM, call(self, &self->b, ask(KF_SIGN, self->cb), &reply));
	EXPECT_EQ(KF_REASON_PIN_NEEDED, reply.header.reason);
}

TEST_F(card, it_does_not_stay_behind_when_its_client_leaves)
{
	verify(self, &self->a, self->ca);
	self->a.fd = fd_close(self->a.fd);
	rig_run(&self->rig);
	EXPECT_ASKED(&self->rig, NR(KF_DRV_DROP));
}

/* The driver powers the card anew of its own accord, tells so, and only then finds our PIN waiting. */
static void verify_behind_a_reset(struct fixture_card *self, bool leaves)
{
	struct packet pin = ask_pin(self->ca, KF_PIN_LAST_TRY);

	self->rig.hold = true;
	(void)peer_send(&self->a, &pin);
	rig_run(&self->rig);
	driver_event(&self->rig, KF_CHANGE_CARD_RESET, 0);
	rig_run(&self->rig);
	if (leaves) {
		self->a.fd = fd_close(self->a.fd);
		rig_run(&self->rig);
	}
	self->rig.hold = false;
	self->rig.n_asked = 0;
	driver_answer(&self->rig, &self->rig.held);
	rig_run(&self->rig);
}

TEST_F(card, a_pin_verified_behind_a_reset_never_serves_another)
{
	struct packet reply = { 0 };

	verify_behind_a_reset(self, false);
	ASSERT_TRUE(peer_get(&self->a, &reply));
	EXPECT_EQ(0, reply.header.result);
	EXPECT_EQ(0, plain(self, &self->b, KF_SIGN, self->cb));
	EXPECT_ASKED(&self->rig, NR(KF_DRV_DROP), NR(KF_SIGN));
}

TEST_F(card, a_pin_verified_behind_a_reset_does_not_outlive_its_client)
{
	verify_behind_a_reset(self, true);
	EXPECT_ASKED(&self->rig, NR(KF_DRV_DROP));
}

TEST_F(card, a_second_context_of_the_same_client_does_not_have_it)
{
	uint64_t second = peer_open(&self->rig, &self->a);

	verify(self, &self->a, self->ca);
	EXPECT_EQ(0, plain(self, &self->a, KF_SIGN, second));
	EXPECT_ASKED(&self->rig, NR(KF_DRV_DROP), NR(KF_SIGN));
}

TEST_F(card, raw_apdus_leave_nothing_to_the_next_client)
{
	struct packet p = ask(KF_APDU, self->ca), reply;

	packet_set(&p, kf_apdu, command, BYTES("\x00\xa4\x04\x00", 4));
	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
	EXPECT_EQ(0, plain(self, &self->b, KF_SIGN, self->cb));
	EXPECT_ASKED(&self->rig, NR(KF_APDU), NR(KF_DRV_DROP), NR(KF_SIGN));
}

TEST_F(card, raw_pin_commands_never_reach_the_driver)
{
	struct packet p = ask(KF_APDU, self->ca), reply;

	packet_set(&p, kf_apdu, command, BYTES("\x00\x20\x00\x81\x04" "1234", 9));
	EXPECT_EQ(-EACCES, peer_call(&self->rig, &self->a, &p, &reply));
	EXPECT_EQ(KF_REASON_APDU_CLASS, reply.header.reason);
	EXPECT_EQ(0x20u, reply.header.detail);
	EXPECT_EQ(0u, self->rig.n_asked);
}

TEST_F(card, logging_out_drops_it_at_once)
{
	verify(self, &self->a, self->ca);
	EXPECT_EQ(0, plain(self, &self->a, KF_PIN_LOGOUT, self->ca));
	EXPECT_ASKED(&self->rig, NR(KF_DRV_DROP));
	EXPECT_EQ(0u, verified(self, &self->a, self->ca));
}

TEST_F(card, a_driver_that_cannot_drop_is_given_up)
{
	struct packet reply;

	verify(self, &self->a, self->ca);
	self->rig.fail = NR(KF_DRV_DROP);
	self->rig.fail_result = -EIO;
	EXPECT_EQ(-EIO, call(self, &self->b, ask(KF_SIGN, self->cb), &reply));
	EXPECT_FALSE(link_up(&self->rig.reader->device->link));
	EXPECT_EQ((uint32_t)KF_READER_STARTING, self->rig.reader->entry.state);
	EXPECT_ASKED(&self->rig, NR(KF_DRV_DROP));
}

/* --- the last try, and wrong ones --- */

TEST_F(card, the_last_try_is_spent_only_when_offered_up)
{
	struct packet reply;

	self->rig.tries = 1;
	EXPECT_EQ(-EPERM, call(self, &self->a, ask_pin(self->ca, 0), &reply));
	EXPECT_EQ(KF_REASON_PIN_LAST_TRY, reply.header.reason);
	EXPECT_ASKED(&self->rig, NR(KF_PIN_STATUS));
	EXPECT_EQ(0, call(self, &self->a, ask_pin(self->ca, KF_PIN_LAST_TRY), &reply));
	EXPECT_ASKED(&self->rig, NR(KF_PIN_VERIFY));
	EXPECT_EQ(0u, self->a.client->user->pin_spent);
}

/* Refused, and then, offered up, on its way. */
static void last_try_at_keypad(struct fixture_card *self, uint32_t request)
{
	struct packet p = ask(request, self->ca), reply;

	((struct kf_pin_pad *)packet_body(&p))->pin = KF_PIN_USER;
	EXPECT_EQ(-EPERM, call(self, &self->a, p, &reply));
	EXPECT_EQ(KF_REASON_PIN_LAST_TRY, reply.header.reason);
	EXPECT_ASKED(&self->rig, NR(KF_PIN_STATUS));
	((struct kf_pin_pad *)packet_body(&p))->flags = KF_PIN_LAST_TRY;
	EXPECT_EQ(0, call(self, &self->a, p, &reply));
}

TEST_F(card, the_last_try_is_spent_at_a_keypad_only_when_offered_up)
{
	self->rig.reader->device->hello.features |= KF_FEATURE_PIN_VERIFY | KF_FEATURE_PIN_CHANGE;
	self->rig.tries = 1;
	last_try_at_keypad(self, KF_PIN_PAD_VERIFY);
	EXPECT_ASKED(&self->rig, NR(KF_PIN_PAD_VERIFY));
	last_try_at_keypad(self, KF_PIN_PAD_CHANGE);
	EXPECT_ASKED(&self->rig, NR(KF_PIN_PAD_CHANGE));
}

TEST_F(card, wrong_pins_are_budgeted_over_all_connections_of_a_uid)
{
	struct packet reply;

	self->rig.fail = NR(KF_PIN_VERIFY);
	self->rig.fail_result = -EKEYREJECTED;
	for (int i = 0; i < QUOTA_PIN_TRIES; i++)
		EXPECT_EQ(-EKEYREJECTED, call(self, &self->a, ask_pin(self->ca, 0), &reply));
	self->rig.n_asked = 0;
	EXPECT_EQ(-EDQUOT, call(self, &self->b, ask_pin(self->cb, 0), &reply));
	EXPECT_EQ(KF_REASON_QUOTA_PIN, reply.header.reason);
	EXPECT_EQ(0u, self->rig.n_asked);
}

/* --- the PUK that goes along with a KEK --- */

static struct packet ask_kek(uint64_t context, uint32_t request, uint32_t flags)
{
	struct packet p = ask(request, context);

	if (request == KF_KEK_CREATE) {
		((struct kf_kek_create *)packet_body(&p))->flags = flags;
		packet_set(&p, kf_kek_create, puk, BYTES("12345678", 8));
		packet_set(&p, kf_kek_create, name, BYTES("kek", 3));
	} else {
		((struct kf_kek_set *)packet_body(&p))->flags = flags;
		packet_set(&p, kf_kek_set, puk, BYTES("12345678", 8));
	}
	return p;
}

static const uint32_t kek_requests[] = { KF_KEK_CREATE, KF_KEK_SET };

TEST_F(card, the_last_try_of_the_puk_is_spent_on_a_kek_only_when_offered_up)
{
	struct packet reply;

	self->rig.tries = 1;
	for (size_t i = 0; i < 2; i++) {
		self->rig.n_asked = 0;
		EXPECT_EQ(-EPERM, call(self, &self->a, ask_kek(self->ca, kek_requests[i], 0), &reply));
		EXPECT_EQ(KF_REASON_PIN_LAST_TRY, reply.header.reason);
		EXPECT_ASKED(&self->rig, NR(KF_PIN_STATUS));
		EXPECT_EQ(0, call(self, &self->a, ask_kek(self->ca, kek_requests[i], KF_PIN_LAST_TRY),
				  &reply));
		EXPECT_EQ(0u, self->a.client->user->pin_spent);
	}
}

TEST_F(card, wrong_puks_beside_a_kek_are_budgeted_like_any_pin)
{
	struct packet reply;

	self->rig.fail_result = -EKEYREJECTED;
	for (int i = 0; i < QUOTA_PIN_TRIES; i++) {
		self->rig.fail = NR(kek_requests[i % 2]);
		EXPECT_EQ(-EKEYREJECTED, call(self, &self->a,
					      ask_kek(self->ca, kek_requests[i % 2], 0), &reply));
	}
	self->rig.n_asked = 0;
	for (size_t i = 0; i < 2; i++) {
		EXPECT_EQ(-EDQUOT, call(self, &self->b, ask_kek(self->cb, kek_requests[i], 0), &reply));
		EXPECT_EQ(KF_REASON_QUOTA_PIN, reply.header.reason);
	}
	EXPECT_EQ(-EDQUOT, call(self, &self->b, ask_pin(self->cb, 0), &reply));
	EXPECT_EQ(0u, self->rig.n_asked);
}

/* Whoever gave the PIN keeps it when somebody mistypes a PUK. */
TEST_F(card, a_wrong_puk_takes_no_pin_from_anybody)
{
	struct packet reply;

	EXPECT_EQ(0, call(self, &self->a, ask_pin(self->ca, 0), &reply));
	self->rig.fail = NR(KF_KEK_SET);
	self->rig.fail_result = -EKEYREJECTED;
	EXPECT_EQ(-EKEYREJECTED, call(self, &self->a, ask_kek(self->ca, KF_KEK_SET, 0), &reply));
	EXPECT_EQ(0, call(self, &self->a, ask(KF_CARD_INFO, self->ca), &reply));
	EXPECT_EQ(1u << KF_PIN_USER, ((const struct kf_card_info *)packet_read(&reply))->verified);
}

/* --- a card made new --- */

static struct packet ask_init(uint64_t context, uint32_t flags)
{
	struct packet p = ask(KF_CARD_INIT, context);

	((struct kf_card_init *)packet_body(&p))->flags = flags;
	packet_set(&p, kf_card_init, so_pin, BYTES("12345678", 8));
	packet_set(&p, kf_card_init, pin, BYTES("648219", 6));
	return p;
}

TEST_F(card, once_initialised_it_is_reset_before_anybodys_turn)
{
	static const int made_new[] = { 0, -EREMOTEIO, -EIO, -ETIMEDOUT, -EBADMSG, -ECANCELED };
	struct packet reply;

	for (size_t i = 0; i < sizeof(made_new) / sizeof(made_new[0]); i++) {
		self->rig.fail = made_new[i] ? NR(KF_CARD_INIT) : 0;
		self->rig.fail_result = made_new[i];
		EXPECT_EQ(0, call(self, &self->a, ask_pin(self->ca, 0), &reply));
		self->rig.n_asked = 0;
		EXPECT_EQ(made_new[i], call(self, &self->a, ask_init(self->ca, KF_PIN_LAST_TRY), &reply));
		EXPECT_ASKED(&self->rig, NR(KF_CARD_INIT), NR(KF_DRV_POWER_CYCLE));
		EXPECT_EQ(0, call(self, &self->a, ask(KF_CARD_INFO, self->ca), &reply));
		EXPECT_EQ(0u, ((const struct kf_card_info *)packet_read(&reply))->verified);
	}
}

/* Who may initialise cards cannot throw others off by asking for what is refused. */
TEST_F(card, a_refusal_to_initialise_costs_nobody_anything)
{
	static const int refused[] = { -EKEYREJECTED, -EKEYREVOKED, -EPERM, -EINVAL, -EOPNOTSUPP };
	struct packet reply;

	EXPECT_EQ(0, call(self, &self->a, ask_pin(self->ca, 0), &reply));
	self->rig.fail = NR(KF_CARD_INIT);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		self->rig.fail_result = refused[i];
		EXPECT_EQ(refused[i], call(self, &self->a, ask_init(self->ca, KF_PIN_LAST_TRY), &reply));
		EXPECT_EQ(0, call(self, &self->a, ask(KF_CARD_INFO, self->ca), &reply));
		EXPECT_EQ(1u << KF_PIN_USER,
			  ((const struct kf_card_info *)packet_read(&reply))->verified);
	}
}

TEST_F(card, another_clients_pin_is_dropped_before_a_card_is_initialised)
{
	struct packet reply;

	EXPECT_EQ(0, call(self, &self->a, ask_pin(self->ca, 0), &reply));
	self->rig.n_asked = 0;
	EXPECT_EQ(0, call(self, &self->b, ask_init(self->cb, KF_PIN_LAST_TRY), &reply));
	EXPECT_ASKED(&self->rig, NR(KF_DRV_DROP), NR(KF_CARD_INIT), NR(KF_DRV_POWER_CYCLE));
}

TEST_F(card, the_so_pin_of_a_card_made_new_is_budgeted_and_its_last_try_guarded)
{
	struct packet reply;

	self->rig.tries = 1;
	EXPECT_EQ(-EPERM, call(self, &self->a, ask_init(self->ca, 0), &reply));
	EXPECT_EQ(KF_REASON_PIN_LAST_TRY, reply.header.reason);
	self->rig.fail = NR(KF_CARD_INIT);
	self->rig.fail_result = -EKEYREJECTED;
	for (int i = 0; i < QUOTA_PIN_TRIES; i++)
		EXPECT_EQ(-EKEYREJECTED, call(self, &self->a, ask_init(self->ca, KF_PIN_LAST_TRY), &reply));
	EXPECT_EQ(-EDQUOT, call(self, &self->b, ask_init(self->cb, KF_PIN_LAST_TRY), &reply));
	EXPECT_EQ(KF_REASON_QUOTA_PIN, reply.header.reason);
}

TEST_F(card, what_can_be_no_dkek_share_or_blob_never_reaches_the_driver)
{
	static const uint8_t large[KF_BLOB_MAX + 1];
	struct packet p, reply;

	self->rig.n_asked = 0;
	for (size_t n = 31; n <= 33; n += 2) {
		p = ask(KF_DKEK_SHARE, self->ca);
		packet_set(&p, kf_dkek_share, share, BYTES(large, n));
		EXPECT_EQ(-EINVAL, call(self, &self->a, p, &reply));
	}
	p = ask(KF_BLOB_UNWRAP, self->ca);
	EXPECT_EQ(-EINVAL, call(self, &self->a, p, &reply));
	EXPECT_EQ(KF_REASON_BLOB, reply.header.reason);
	packet_set(&p, kf_blob_unwrap, blob, BYTES_OF(large));
	EXPECT_EQ(-EINVAL, call(self, &self->a, p, &reply));
	packet_set(&p, kf_blob_unwrap, blob, BYTES(large, 9));
	packet_set(&p, kf_blob_unwrap, id, BYTES(large, KF_KEY_ID_MAX + 1));
	EXPECT_EQ(-EINVAL, call(self, &self->a, p, &reply));
	p = ask_init(self->ca, KF_PIN_LAST_TRY);
	packet_set(&p, kf_card_init, pin, BYTES_NONE);
	EXPECT_EQ(-EINVAL, call(self, &self->a, p, &reply));
	p = ask_init(self->ca, KF_PIN_LAST_TRY);
	packet_set(&p, kf_card_init, label, BYTES(large, KF_LABEL_MAX));
	EXPECT_EQ(-EINVAL, call(self, &self->a, p, &reply));
	EXPECT_EQ(0u, self->rig.n_asked);
}

TEST_F(card, what_can_be_no_kek_or_blob_never_reaches_the_driver)
{
	static const uint8_t large[KF_BLOB_MAX + 1];
	struct packet p = ask_kek(self->ca, KF_KEK_CREATE, 0), reply;

	packet_set(&p, kf_kek_create, puk, BYTES_NONE);
	EXPECT_EQ(-EINVAL, call(self, &self->a, p, &reply));
	p = ask_kek(self->ca, KF_KEK_CREATE, 0);
	packet_set(&p, kf_kek_create, name, BYTES_NONE);
	EXPECT_EQ(-EINVAL, call(self, &self->a, p, &reply));
	EXPECT_EQ(KF_BYOK_KEK_NAME, reply.header.detail);
	packet_set(&p, kf_kek_create, name, BYTES(large, KF_KID_MAX + 1));
	EXPECT_EQ(-EINVAL, call(self, &self->a, p, &reply));
	p = ask(KF_BYOK_IMPORT, self->ca);
	EXPECT_EQ(-EINVAL, call(self, &self->a, p, &reply));
	EXPECT_EQ(KF_REASON_BYOK, reply.header.reason);
	EXPECT_EQ(KF_BYOK_BLOB, reply.header.detail);
	packet_set(&p, kf_byok_import, blob, BYTES_OF(large));
	EXPECT_EQ(-EINVAL, call(self, &self->a, p, &reply));
	packet_set(&p, kf_byok_import, blob, BYTES(large, 400));
	packet_set(&p, kf_byok_import, kid, BYTES(large, KF_KID_MAX + 1));
	EXPECT_EQ(-ENOENT, call(self, &self->a, p, &reply));
	EXPECT_EQ(KF_BYOK_KEK_UNKNOWN, reply.header.detail);
	EXPECT_EQ(0u, self->rig.n_asked);
	EXPECT_EQ(0u, self->a.client->user->pin_spent);
}

TEST_F(card, pipelined_pins_do_not_get_around_the_budget)
{
	struct packet pin = ask_pin(self->ca, 0), reply;
	int refused = 0;

	self->rig.fail = NR(KF_PIN_VERIFY);
	self->rig.fail_result = -EKEYREJECTED;
	for (int i = 0; i < 3 * QUOTA_PIN_TRIES; i++)
		peer_send(&self->a, &pin);
	rig_run(&self->rig);
	while (peer_get(&self->a, &reply))
		refused += reply.header.result == -EDQUOT;
	EXPECT_EQ(2 * QUOTA_PIN_TRIES, refused);
}

TEST_F(card, an_empty_or_oversized_pin_is_no_request)
{
	struct packet p = ask_pin(self->ca, 0), reply;
	static const uint8_t big[65];

	packet_set(&p, kf_pin_verify, value, BYTES_NONE);
	EXPECT_EQ(-EINVAL, peer_call(&self->rig, &self->a, &p, &reply));
	packet_set(&p, kf_pin_verify, value, BYTES_OF(big));
	EXPECT_EQ(-EINVAL, peer_call(&self->rig, &self->a, &p, &reply));
	EXPECT_EQ(0u, self->rig.n_asked);
}

/* --- turns --- */

TEST_F(card, requests_are_served_round_robin_by_client)
{
	struct packet sign = ask(KF_SIGN, self->ca), cert = ask(KF_CERT_READ, self->cb);

	self->rig.hold = true;
	peer_send(&self->a, &sign);
	rig_run(&self->rig);		/* one is at the card, the rest waits */
	for (int i = 0; i < 3; i++)
		peer_send(&self->a, &sign);
	peer_send(&self->b, &cert);
	rig_run(&self->rig);
	self->rig.hold = false;
	driver_answer(&self->rig, &self->rig.held);
	rig_run(&self->rig);
	EXPECT_EQ(5u, self->rig.n_asked);
	EXPECT_EQ((uint32_t)NR(KF_CERT_READ), self->rig.asked[2]);
}

TEST_F(card, the_driver_has_one_request_at_a_time)
{
	struct packet sign = ask(KF_SIGN, self->ca);

	self->rig.hold = true;
	for (int i = 0; i < 5; i++)
		peer_send(&self->a, &sign);
	rig_run(&self->rig);
	EXPECT_ASKED(&self->rig, NR(KF_SIGN));
}

TEST_F(card, a_client_may_only_have_so_many_outstanding)
{
	struct packet sign = ask(KF_SIGN, self->ca), reply;

	self->rig.hold = true;
	for (int i = 0; i <= CLIENT_REQUESTS; i++)
		peer_send(&self->a, &sign);
	rig_run(&self->rig);
	ASSERT_TRUE(peer_get(&self->a, &reply));
	EXPECT_EQ(-EDQUOT, reply.header.result);
	EXPECT_EQ(KF_REASON_QUOTA_REQUESTS, reply.header.reason);
	EXPECT_EQ(self->a.seq, reply.header.seq);
}

TEST_F(card, parts_and_results_reach_the_client)
{
	struct packet p = ask(KF_SIGN, self->ca), reply;

	packet_set(&p, kf_sign, digest, BYTES("digest", 6));
	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
	EXPECT_BYTES_EQ(BYTES("signed", 6), packet_get(&reply, kf_sign, signature));
	EXPECT_EQ(self->ca, ((const struct kf_sign *)packet_read(&reply))->context);
	EXPECT_EQ(0u, ((const struct kf_sign *)packet_read(&self->rig.held))->context);
}

/* --- giving up --- */

TEST_F(card, what_waits_is_cancelled_at_once)
{
	struct packet sign = ask(KF_SIGN, self->ca), cancel = ask(KF_CANCEL, 0), reply = { 0 };
	uint32_t second;

	self->rig.hold = true;
	peer_send(&self->a, &sign);
	second = peer_send(&self->a, &sign);
	((struct kf_cancel *)packet_body(&cancel))->seq = second;
	peer_send(&self->a, &cancel);
	rig_run(&self->rig);
	ASSERT_TRUE(peer_get(&self->a, &reply));
	EXPECT_EQ(second, reply.header.seq);
	EXPECT_EQ(-ECANCELED, reply.header.result);
	EXPECT_EQ(KF_REASON_QUEUED, reply.header.reason);
	ASSERT_TRUE(peer_get(&self->a, &reply));
	EXPECT_EQ(0, reply.header.result);
	EXPECT_ASKED(&self->rig, NR(KF_SIGN));
	EXPECT_EQ(-ENOENT, call(self, &self->a, cancel, &reply));
}

TEST_F(card, what_is_at_the_card_is_asked_to_stop_and_its_outcome_told)
{
	struct packet sign = ask(KF_SIGN, self->ca), cancel = ask(KF_CANCEL, 0), reply;
	struct packet at_card;

	self->rig.hold = true;
	((struct kf_cancel *)packet_body(&cancel))->seq = peer_send(&self->a, &sign);
	rig_run(&self->rig);
	at_card = self->rig.held;
	EXPECT_EQ(0, call(self, &self->a, cancel, &reply));
	EXPECT_ASKED(&self->rig, NR(KF_SIGN), NR(KF_CANCEL));
	self->rig.fail = NR(KF_SIGN);
	self->rig.fail_result = -ECANCELED;
	driver_answer(&self->rig, &at_card);
	rig_run(&self->rig);
	ASSERT_TRUE(peer_get(&self->a, &reply));
	EXPECT_EQ(-ECANCELED, reply.header.result);
	EXPECT_EQ(KF_REASON_ON_CARD, reply.header.reason);
}

TEST_F(card, another_clients_requests_cannot_be_cancelled)
{
	struct packet sign = ask(KF_SIGN, self->ca), cancel = ask(KF_CANCEL, 0), reply;

	self->rig.hold = true;
	((struct kf_cancel *)packet_body(&cancel))->seq = peer_send(&self->a, &sign) + 1000;
	self->a.seq += 1000;
	((struct kf_cancel *)packet_body(&cancel))->seq = peer_send(&self->a, &sign);
	rig_run(&self->rig);
	EXPECT_EQ(-ENOENT, call(self, &self->b, cancel, &reply));
}

TEST_F(card, what_waits_too_long_never_reaches_the_card)
{
	struct packet sign = ask(KF_SIGN, self->ca), first = ask(KF_SIGN, self->cb), reply = { 0 };

	self->rig.hold = true;
	peer_send(&self->b, &first);
	rig_run(&self->rig);
	sign.header.deadline_ms = 1;
	peer_send(&self->a, &sign);
	(void)loop_turn(&self->rig.broker.loop, 20);
	(void)loop_turn(&self->rig.broker.loop, 20);
	ASSERT_TRUE(peer_get(&self->a, &reply));
	EXPECT_EQ(-ETIMEDOUT, reply.header.result);
	EXPECT_EQ(KF_REASON_QUEUED, reply.header.reason);
}

TEST_F(card, a_driver_silent_beyond_the_deadline_is_given_up)
{
	struct packet sign = ask(KF_SIGN, self->ca), reply = { 0 };

	self->rig.hold = true;
	peer_send(&self->a, &sign);
	rig_run(&self->rig);
	rig_expire(&self->rig, &list_entry(self->a.client->jobs.next, struct job, in_client)->timer);
	EXPECT_FALSE(peer_get(&self->a, &reply));	/* the driver may still answer */
	rig_expire(&self->rig, &self->rig.reader->device->link.timer);
	ASSERT_TRUE(peer_get(&self->a, &reply));
	EXPECT_EQ(-ETIMEDOUT, reply.header.result);
	EXPECT_EQ(KF_REASON_ON_CARD, reply.header.reason);
	EXPECT_FALSE(link_up(&self->rig.reader->device->link));
}

TEST_F(card, a_key_whose_client_left_meanwhile_is_destroyed)
{
	struct packet p = ask(KF_SESSION_IMPORT, self->ca);

	self->rig.hold = true;
	peer_send(&self->a, &p);
	rig_run(&self->rig);
	self->a.fd = fd_close(self->a.fd);
	(void)loop_turn(&self->rig.broker.loop, 0);
	self->rig.hold = false;
	driver_answer(&self->rig, &self->rig.held);
	rig_run(&self->rig);
	EXPECT_ASKED(&self->rig, NR(KF_SESSION_IMPORT), NR(KF_KEY_DESTROY));
}

/* --- the relay --- */

static int relay_begin(struct fixture_card *self, struct peer *peer, uint64_t context,
		       uint32_t count, struct packet *reply)
{
	struct packet p = ask(KF_RELAY_BEGIN, context);

	((struct kf_relay_begin *)packet_body(&p))->count = count;
	packet_set_string(((struct kf_relay_begin *)packet_body(&p))->name, "relay");
	return call(self, peer, p, reply);
}

static int relay_apdu(struct fixture_card *self, uint32_t number, uint8_t ins, struct packet *reply)
{
	const uint8_t command[] = { 0x00, ins, 0x00, 0x00, 0x08 };
	struct packet p = ask(KF_RELAY_APDU, self->ca);
	struct kf_relay_apdu *apdu = packet_body(&p);

	apdu->number = number;
	apdu->expect = 0x9000;
	apdu->mask = 0xffff;
	packet_set(&p, kf_relay_apdu, command, BYTES_OF(command));
	return call(self, &self->a, p, reply);
}

TEST_F(card, a_relay_runs_alone_and_the_card_is_reset_behind_it)
{
	struct packet reply = { 0 }, sign = ask(KF_SIGN, self->cb);
	const struct kf_relay_apdu *said = packet_read(&reply);

	verify(self, &self->b, self->cb);
	ASSERT_EQ(0, relay_begin(self, &self->a, self->ca, 2, &reply));
	peer_send(&self->b, &sign);
	EXPECT_EQ(0, relay_apdu(self, 1, 0x84, &reply));
	EXPECT_EQ(1u, said->number);
	EXPECT_EQ(0x9000u, said->sw);
	EXPECT_EQ(0u, said->flags);
	EXPECT_EQ(0, relay_apdu(self, 2, 0x84, &reply));
	EXPECT_EQ(0, plain(self, &self->a, KF_RELAY_END, self->ca));
	/* the PIN of another was gone before the first of them, the channel before the next turn */
	EXPECT_ASKED(&self->rig, NR(KF_DRV_DROP), NR(KF_RELAY_APDU), NR(KF_RELAY_APDU),
		     NR(KF_DRV_POWER_CYCLE), NR(KF_SIGN));
	EXPECT_EQ(-EPROTO, relay_apdu(self, 3, 0x84, &reply));
	EXPECT_EQ(KF_REASON_RELAY_OVER, reply.header.reason);
	EXPECT_EQ(-EPROTO, plain(self, &self->a, KF_RELAY_END, self->ca));
}

TEST_F(card, a_relay_takes_numbers_without_a_gap_and_no_more_than_announced)
{
	struct packet reply = { 0 };

	ASSERT_EQ(0, relay_begin(self, &self->a, self->ca, 2, &reply));
	EXPECT_EQ(0, relay_apdu(self, 1, 0x84, &reply));
	self->rig.n_asked = 0;
	EXPECT_EQ(-EPROTO, relay_apdu(self, 1, 0x84, &reply));
	EXPECT_EQ(KF_REASON_RELAY_NUMBER, reply.header.reason);
	EXPECT_EQ(2u, reply.header.detail);
	EXPECT_EQ(-EPROTO, relay_apdu(self, 3, 0x84, &reply));
	EXPECT_EQ(KF_REASON_RELAY_COUNT, reply.header.reason);
	EXPECT_EQ(2u, reply.header.detail);
	EXPECT_EQ(-EACCES, relay_apdu(self, 2, 0x20, &reply));
	EXPECT_EQ(KF_REASON_RELAY_PLAIN, reply.header.reason);
	EXPECT_EQ(0x20u, reply.header.detail);
	EXPECT_EQ(0u, self->rig.n_asked);
	EXPECT_EQ(0, relay_apdu(self, 2, 0x84, &reply));	/* and all is as it was */
	EXPECT_EQ(-EPROTO, relay_apdu(self, 3, 0x84, &reply));
	EXPECT_EQ(0, plain(self, &self->a, KF_RELAY_END, self->ca));
}

TEST_F(card, nothing_but_the_relay_reaches_the_card_while_it_runs)
{
	static const uint32_t others[] = { KF_SIGN, KF_PIN_LOGOUT, KF_CARD_RESET, KF_TXN_END, KF_CARD_INFO };
	struct packet reply = { 0 };

	ASSERT_EQ(0, relay_begin(self, &self->a, self->ca, 2, &reply));
	self->rig.n_asked = 0;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		EXPECT_EQ(-EPROTO, call(self, &self->a, ask(others[i], self->ca), &reply));
		EXPECT_EQ(KF_REASON_RELAY_HELD, reply.header.reason);
	}
	EXPECT_EQ(-EPROTO, call(self, &self->a, ask_pin(self->ca, 0), &reply));
	EXPECT_EQ(0u, self->rig.n_asked);
	EXPECT_EQ(-EDQUOT, relay_begin(self, &self->a, self->ca, 2, &reply));
	EXPECT_EQ(0, relay_apdu(self, 1, 0x84, &reply));
}

TEST_F(card, a_status_word_nobody_expects_ends_a_relay)
{
	struct packet reply = { 0 };
	const struct kf_relay_apdu *said = packet_read(&reply);

	ASSERT_EQ(0, relay_begin(self, &self->a, self->ca, 3, &reply));
	self->rig.relay_sw = 0x6982;
	self->rig.n_asked = 0;
	EXPECT_EQ(0, relay_apdu(self, 1, 0x84, &reply));
	EXPECT_EQ(KF_RELAY_ENDED, said->flags);
	EXPECT_EQ(0x6982u, said->sw);
	EXPECT_EQ(2u, packet_get(&reply, kf_relay_apdu, response).n);
	EXPECT_ASKED(&self->rig, NR(KF_RELAY_APDU), NR(KF_DRV_POWER_CYCLE));
	EXPECT_EQ(-EPROTO, relay_apdu(self, 2, 0x84, &reply));
	EXPECT_EQ(KF_REASON_RELAY_OVER, reply.header.reason);
	EXPECT_EQ(0, plain(self, &self->b, KF_SIGN, self->cb));
}

TEST_F(card, an_apdu_that_fails_on_its_way_ends_a_relay)
{
	struct packet reply = { 0 };

	ASSERT_EQ(0, relay_begin(self, &self->a, self->ca, 3, &reply));
	self->rig.fail = NR(KF_RELAY_APDU);
	self->rig.fail_result = -EIO;
	self->rig.n_asked = 0;
	EXPECT_EQ(-EIO, relay_apdu(self, 1, 0x84, &reply));
	EXPECT_ASKED(&self->rig, NR(KF_RELAY_APDU), NR(KF_DRV_POWER_CYCLE));
	self->rig.fail_result = 0;
	EXPECT_EQ(-EPROTO, relay_apdu(self, 2, 0x84, &reply));
}

TEST_F(card, a_relay_ends_at_its_deadline_and_with_its_context)
{
	struct packet reply = { 0 };

	ASSERT_EQ(0, relay_begin(self, &self->a, self->ca, 3, &reply));
	EXPECT_EQ(0, relay_apdu(self, 1, 0x84, &reply));
	self->rig.n_asked = 0;
	rig_expire(&self->rig, &self->rig.reader->txn.timer);
	EXPECT_ASKED(&self->rig, NR(KF_DRV_POWER_CYCLE));
	EXPECT_EQ(-EPROTO, relay_apdu(self, 2, 0x84, &reply));
	EXPECT_EQ(KF_REASON_TXN_EXPIRED, reply.header.reason);
	EXPECT_EQ(-EPROTO, plain(self, &self->a, KF_RELAY_END, self->ca));

	ASSERT_EQ(0, relay_begin(self, &self->a, self->ca, 3, &reply));
	self->rig.n_asked = 0;
	EXPECT_EQ(0, plain(self, &self->a, KF_CONTEXT_CLOSE, self->ca));
	rig_run(&self->rig);
	EXPECT_ASKED(&self->rig, NR(KF_DRV_POWER_CYCLE));
	EXPECT_EQ(0, plain(self, &self->b, KF_SIGN, self->cb));
}

TEST_F(card, a_relay_has_a_count)
{
	struct packet reply = { 0 };

	EXPECT_EQ(-EINVAL, relay_begin(self, &self->a, self->ca, 0, &reply));
	EXPECT_EQ(-EINVAL, relay_begin(self, &self->a, self->ca, KF_RELAY_APDUS_MAX + 1, &reply));
	EXPECT_EQ(0, relay_begin(self, &self->a, self->ca, KF_RELAY_APDUS_MAX, &reply));
}

/* --- orders about PINs --- */

static int process_order(struct fixture_card *self, uint64_t key, enum kf_function function)
{
	struct packet p = ask(KF_PROCESS, key), reply;

	((struct kf_process *)packet_body(&p))->function = function;
	return call(self, &self->a, p, &reply);
}

TEST_F(card, a_sealed_login_is_its_clients_alone_and_a_changed_pin_nobodys)
{
	struct packet reply;
	uint64_t key;

	self->rig.target = KF_CONTAINER_PINS;
	EXPECT_EQ(0, call(self, &self->a, ask(KF_SESSION_IMPORT, self->ca), &reply));
	key = ((const struct kf_session_import *)packet_read(&reply))->key;
	EXPECT_EQ(0, process_order(self, key, KF_FUNCTION_AUTHENTICATE));
	EXPECT_EQ(1u << KF_PIN_USER, verified(self, &self->a, self->ca));
	EXPECT_EQ(0u, verified(self, &self->b, self->cb));
	EXPECT_EQ(0, process_order(self, key, KF_FUNCTION_AUTHENTICATE));
	EXPECT_EQ(1u << KF_PIN_USER, verified(self, &self->a, self->ca));
	EXPECT_EQ(0, process_order(self, key, KF_FUNCTION_CHANGE_AUTHENTICATOR));
	EXPECT_EQ(0u, verified(self, &self->a, self->ca));
	/* What it left in the card is dropped before another's turn. */
	self->rig.n_asked = 0;
	EXPECT_EQ(0, plain(self, &self->b, KF_SIGN, self->cb));
	EXPECT_ASKED(&self->rig, NR(KF_DRV_DROP), NR(KF_SIGN));
}

/* --- transactions --- */

TEST_F(card, a_transaction_keeps_the_card_and_the_pin)
{
	struct packet reply;

	EXPECT_EQ(0, call(self, &self->a, ask_txn(self->ca, 0), &reply));
	verify(self, &self->a, self->ca);
	struct packet sign = ask(KF_SIGN, self->cb);
	peer_send(&self->b, &sign);
	rig_run(&self->rig);
	EXPECT_FALSE(peer_get(&self->b, &reply));
	EXPECT_EQ(0, plain(self, &self->a, KF_SIGN, self->ca));
	EXPECT_ASKED(&self->rig, NR(KF_SIGN));
	EXPECT_EQ(0, plain(self, &self->a, KF_TXN_END, self->ca));
	EXPECT_ASKED(&self->rig, NR(KF_DRV_DROP), NR(KF_SIGN));
	EXPECT_TRUE(peer_get(&self->b, &reply));
}

TEST_F(card, it_ends_at_its_deadline_and_takes_the_pin_along)
{
	struct packet reply, sign = ask(KF_SIGN, self->cb);

	EXPECT_EQ(0, call(self, &self->a, ask_txn(self->ca, 1000), &reply));
	verify(self, &self->a, self->ca);
	peer_send(&self->b, &sign);
	rig_run(&self->rig);
	rig_expire(&self->rig, &self->rig.reader->txn.timer);
	EXPECT_TRUE(peer_get(&self->b, &reply));
	EXPECT_ASKED(&self->rig, NR(KF_DRV_DROP), NR(KF_SIGN));
	EXPECT_EQ(-EPROTO, call(self, &self->a, ask(KF_TXN_END, self->ca), &reply));
	EXPECT_EQ(KF_REASON_TXN_EXPIRED, reply.header.reason);
	EXPECT_EQ(-EPROTO, call(self, &self->a, ask(KF_TXN_END, self->ca), &reply));
	EXPECT_EQ(KF_REASON_TXN_NONE, reply.header.reason);
}

TEST_F(card, who_waited_in_vain_learns_that_somebody_had_it)
{
	struct packet reply, second = ask_txn(self->cb, 1000);

	EXPECT_EQ(0, call(self, &self->a, ask_txn(self->ca, 20000), &reply));
	peer_send(&self->b, &second);
	rig_run(&self->rig);
	rig_expire(&self->rig, &list_entry(self->b.client->jobs.next, struct job, in_client)->timer);
	ASSERT_TRUE(peer_get(&self->b, &reply));
	EXPECT_EQ(-EBUSY, reply.header.result);
	EXPECT_EQ(KF_REASON_TXN_OTHER, reply.header.reason);
	EXPECT_LT(10000u, reply.header.detail);
}

TEST_F(card, it_cannot_be_nested_and_goes_with_its_client)
{
	struct packet reply, second = ask_txn(self->cb, 1000);

	EXPECT_EQ(0, call(self, &self->a, ask_txn(self->ca, 0), &reply));
	EXPECT_EQ(-EPROTO, call(self, &self->a, ask_txn(self->ca, 0), &reply));
	peer_send(&self->b, &second);
	rig_run(&self->rig);
	self->a.fd = fd_close(self->a.fd);
	rig_run(&self->rig);
	EXPECT_TRUE(peer_get(&self->b, &reply));
	EXPECT_EQ(0, reply.header.result);
}

TEST_F(card, ending_it_with_a_reset_resets_before_the_next_turn)
{
	struct packet end = ask(KF_TXN_END, self->ca), reply;

	EXPECT_EQ(0, call(self, &self->a, ask_txn(self->ca, 0), &reply));
	((struct kf_txn_end *)packet_body(&end))->flags = KF_TXN_RESET;
	EXPECT_EQ(0, call(self, &self->a, end, &reply));
	EXPECT_ASKED(&self->rig, NR(KF_DRV_POWER_CYCLE));
}

TEST_F(card, one_that_cannot_keep_sessions_is_held_for_their_owner)
{
	struct packet reply, sign = ask(KF_SIGN, self->cb), destroy;

	self->rig.reader->sessions_stay = false;
	EXPECT_EQ(0, call(self, &self->a, ask(KF_SESSION_IMPORT, self->ca), &reply));
	destroy = ask(KF_KEY_DESTROY, ((const struct kf_session_import *)packet_read(&reply))->key);
	peer_send(&self->b, &sign);
	rig_run(&self->rig);
	EXPECT_FALSE(peer_get(&self->b, &reply));
	EXPECT_EQ(0, call(self, &self->a, destroy, &reply));
	EXPECT_TRUE(peer_get(&self->b, &reply));
	EXPECT_EQ(0, reply.header.result);
}

/* A has a session key in a card that loses it when it is dropped, and B waits for the card. */
static uint64_t hold_by_key(struct fixture_card *self)
{
	struct packet reply, sign = ask(KF_SIGN, self->cb);
	uint64_t key;

	self->rig.reader->sessions_stay = false;
	EXPECT_EQ(0, call(self, &self->a, ask(KF_SESSION_IMPORT, self->ca), &reply));
	key = ((const struct kf_session_import *)packet_read(&reply))->key;
	peer_send(&self->b, &sign);
	rig_run(&self->rig);
	EXPECT_FALSE(peer_get(&self->b, &reply));
	return key;
}

static void want_b_served(struct fixture_card *self)
{
	struct packet reply;

	rig_run(&self->rig);
	EXPECT_EQ(TXN_NONE, self->rig.reader->txn.state);
	ASSERT_TRUE(peer_get(&self->b, &reply));
	EXPECT_EQ(0, reply.header.result);
}

TEST_F(card, keys_that_a_reset_takes_hold_it_no_longer)
{
	hold_by_key(self);
	driver_event(&self->rig, KF_CHANGE_CARD_RESET, 0);
	want_b_served(self);
}

TEST_F(card, keys_that_a_drop_takes_hold_it_no_longer)
{
	struct packet logout = ask(KF_PIN_LOGOUT, self->ca), reply;

	hold_by_key(self);
	self->rig.hold = true;
	peer_send(&self->a, &logout);
	rig_run(&self->rig);
	self->rig.hold = false;
	reply = packet_reply(&self->rig.held, 0);
	((struct kf_drv_drop *)packet_body(&reply))->flags = KF_DRV_DROPPED_KEYS;
	driver_send(&self->rig, &reply);
	want_b_served(self);
}

TEST_F(card, keys_that_outlive_their_transaction_hold_it_on)
{
	struct packet destroy, reply;
	uint64_t key;

	EXPECT_EQ(0, call(self, &self->a, ask_txn(self->ca, 0), &reply));
	key = hold_by_key(self);
	EXPECT_EQ(0, call(self, &self->a, ask(KF_TXN_END, self->ca), &reply));
	EXPECT_EQ(TXN_FOR_KEYS, self->rig.reader->txn.state);
	EXPECT_FALSE(peer_get(&self->b, &reply));
	destroy = ask(KF_KEY_DESTROY, key);
	EXPECT_EQ(0, call(self, &self->a, destroy, &reply));
	want_b_served(self);
}

/* --- hostile drivers --- */

static void expect_driver_lost(struct rig *rig)
{
	rig_run(rig);
	EXPECT_FALSE(link_up(&rig->reader->device->link));
}

TEST_F(card, a_reply_nobody_waits_for_costs_the_driver_its_life)
{
	struct packet sign = packet_request(KF_SIGN, 1, 0), reply = packet_reply(&sign, 0);

	driver_send(&self->rig, &reply);
	expect_driver_lost(&self->rig);
}

FIXTURE(liar) { struct rig rig; struct peer a; uint64_t ca; };
FIXTURE_VARIANT(liar) { int lie; };
FIXTURE_VARIANT_ADD(liar, seq) { 0 };
FIXTURE_VARIANT_ADD(liar, request) { 1 };
FIXTURE_VARIANT_ADD(liar, kind) { 2 };
FIXTURE_SETUP(liar)
{
	rig_init(&self->rig);
	self->ca = peer_init(&self->rig, &self->a);
}
FIXTURE_TEARDOWN(liar)
{
	peer_deinit(&self->a);
	rig_deinit(&self->rig);
}

TEST_F(liar, a_reply_to_something_else_costs_it_too)
{
	struct packet sign = ask(KF_SIGN, self->ca), reply, got = { 0 };

	self->rig.hold = true;
	peer_send(&self->a, &sign);
	rig_run(&self->rig);
	reply = packet_reply(&self->rig.held, 0);
	if (variant->lie == 0)
		reply.header.seq++;
	if (variant->lie == 1)
		reply = packet_reply(&(struct packet){ .header = { .request = KF_DECRYPT,
				     .seq = self->rig.held.header.seq } }, 0);
	if (variant->lie == 2)
		reply.header.kind = KF_KIND_REQUEST;
	driver_send(&self->rig, &reply);
	expect_driver_lost(&self->rig);
	ASSERT_TRUE(peer_get(&self->a, &got));
	EXPECT_EQ(-EIO, got.header.result);
	EXPECT_EQ(KF_REASON_ON_CARD, got.header.reason);
}

TEST_F(liar, a_driver_cannot_announce_readers_or_a_second_card)
{
	driver_event(&self->rig, variant->lie == 0 ? KF_CHANGE_READER_ADDED :
		     variant->lie == 1 ? KF_CHANGE_CARD_INSERTED : KF_CHANGE_READER_REMOVED, 0);
	expect_driver_lost(&self->rig);
}

/* --- a driver that was taken over, a client that plays with the end of its own requests --- */

TEST_F(card, a_reset_that_ends_after_the_card_was_taken_out_resets_nothing)
{
	struct packet reset = ask(KF_CARD_RESET, self->ca), wait = ask(KF_CONTEXT_OPEN, 0), reply = { 0 };

	self->rig.hold = true;
	peer_send(&self->a, &reset);
	rig_run(&self->rig);
	driver_event(&self->rig, KF_CHANGE_CARD_REMOVED, 0);
	rig_run(&self->rig);
	((struct kf_context_open *)packet_body(&wait))->flags = KF_OPEN_WAIT;
	peer_send(&self->b, &wait);	/* a context that has no card */
	rig_run(&self->rig);
	driver_answer(&self->rig, &self->rig.held);
	rig_run(&self->rig);
	EXPECT_NE((uint32_t)KF_READER_CARD, self->rig.reader->entry.state);
	EXPECT_EQ(0u, self->rig.reader->entry.atr_len);
	ASSERT_TRUE(peer_get(&self->a, &reply));
	EXPECT_GT(0, reply.header.result);
}

/* How many PIN tries the uid has used up after @result came back for one that reached the card. */
static uint32_t spent_after(struct fixture_card *self, int result)
{
	struct packet reply;

	self->rig.fail = result < 0 ? NR(KF_PIN_VERIFY) : 0;
	self->rig.fail_result = result;
	EXPECT_EQ(result, call(self, &self->a, ask_pin(self->ca, 0), &reply));
	return self->a.client->user->pin_spent;
}

TEST_F(card, a_try_whose_outcome_is_not_known_stays_spent)
{
	EXPECT_EQ(0u, spent_after(self, 0));
	EXPECT_EQ(0u, spent_after(self, -EKEYREVOKED));
	EXPECT_EQ(1u, spent_after(self, -ETIMEDOUT));
	EXPECT_EQ(2u, spent_after(self, -ECANCELED));
	EXPECT_EQ(3u, spent_after(self, -EIO));
}

TEST_F(card, a_try_stays_spent_when_its_driver_ends_under_it)
{
	struct packet pin = ask_pin(self->ca, KF_PIN_LAST_TRY);

	self->rig.hold = true;
	peer_send(&self->a, &pin);
	rig_run(&self->rig);
	self->rig.driver = fd_close(self->rig.driver);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, loop_turn(&self->rig.broker.loop, 0));
	EXPECT_EQ(1u, self->a.client->user->pin_spent);
}

TEST_F(card, a_request_is_cancelled_at_its_driver_once_however_often_it_is_asked_for)
{
	struct packet sign = ask(KF_SIGN, self->ca), cancel = ask(KF_CANCEL, 0);
	size_t cancels = 0;

	self->rig.hold = true;
	((struct kf_cancel *)packet_body(&cancel))->seq = peer_send(&self->a, &sign);
	for (int i = 0; i < 20; i++)
		peer_send(&self->a, &cancel);
	rig_run(&self->rig);
	for (size_t i = 0; i < self->rig.n_asked; i++)
		cancels += self->rig.asked[i] == NR(KF_CANCEL);
	EXPECT_EQ(1u, cancels);
}
