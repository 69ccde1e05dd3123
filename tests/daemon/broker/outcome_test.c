/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What came of a request, in its client's terms, and what the broker learns by that. */
#include "tests/daemon/broker/card_rig.h"

TEST_F(card, parts_and_results_reach_the_client)
{
	struct packet p = ask(KF_SIGN, self->ca), reply;

	packet_set(&p, kf_sign, digest, BYTES("digest", 6));
	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
	EXPECT_BYTES_EQ(BYTES("signed", 6), packet_get(&reply, kf_sign, signature));
	EXPECT_EQ(self->ca, ((const struct kf_sign *)packet_read(&reply))->context);
	EXPECT_EQ(0u, ((const struct kf_sign *)packet_read(&self->rig.held))->context);
}

TEST_F(card, who_lost_a_pin_to_anothers_turn_is_told_so)
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

TEST_F(card, once_initialised_a_card_is_reset_before_anybodys_turn)
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
