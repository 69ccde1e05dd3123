/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Faces: daemon/broker/link.c
 * Faces: daemon/broker/serve_card.c
 */
#include "daemon/broker/card.h"
#include "daemon/broker/job.h"
#include "tests/daemon/broker/card_rig.h"

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

/* --- a card made new --- */

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
