/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/pin_state_test.c - Whose PIN is in the card (SECURITY section 7), with the real driver
 * and the virtual card: what one user's PIN opened, no other user can use, and the one who lost it
 * is told so.
 */
#include "tests/e2e/stage.h"

#include <keyferry/keyferry.h>

#include <stdio.h>
#include <stdlib.h>

#define READER "virtual:reader"
#define KEY 2			/* container */
#define WRONG "not-the-right-pin"

/* One user's connection and context. */
struct party {
	struct kf_client *client;
	struct kf_context *context;
};

FIXTURE(pin)
{
	struct stage stage;
	struct packet reply;
	char grants[2][64];
	struct party alice, bob;
};

static void party_join(struct stage *stage, enum rig_who who, struct party *out)
{
	ASSERT_EQ(0, kf_client_new("pin-test", &out->client));
	ASSERT_EQ(0, kf_client_connect_fd(out->client, stage_dial(stage, stage->rig.uid[who])));
	ASSERT_EQ(0, kf_context_open(out->client, READER, 0, &out->context));
}

static void party_leave(struct party *party)
{
	party->context = kf_context_close(party->context);
	party->client = kf_client_free(party->client);
}

static int give_pin(struct party *party, const char *pin, uint32_t flags)
{
	return kf_pin_verify(party->context, KF_PIN_USER, pin, strlen(pin), flags);
}

static int sign(struct party *party)
{
	static const uint8_t digest[32] = { 7 };
	struct kf_blob *signature = NULL;
	int r = kf_sign(party->context, KEY, KF_PADDING_NONE, KF_HASH_SHA256, digest,
			sizeof(digest), &signature);

	kf_blob_free(signature);
	return r;
}

static bool sees_verified(struct party *party)
{
	struct kf_card *card = NULL;
	struct kf_pin *pin = NULL;
	uint32_t mask = 0, flags = 0;

	EXPECT_EQ(0, kf_card_read(party->context, &card));
	EXPECT_EQ(0, kf_pin_read(party->context, KF_PIN_USER, &pin));
	if (card && pin) {
		mask = kf_card_value(card, KF_CP_VERIFIED);
		flags = kf_pin_flags(pin);
	}
	EXPECT_EQ(mask != 0, (flags & KF_PIN_VERIFIED) != 0);	/* both say the same */
	kf_card_free(card);
	kf_pin_free(pin);
	return mask != 0;
}

static void expect_refused(struct harness_place at, struct party *party, int want, uint32_t reason,
			   int got)
{
	if (got == want && kf_client_reason(party->client) == reason)
		return;
	harness_log(at.file, at.line, "%s: %d (reason %u) instead of %d (reason %u)", at.got, got,
		    kf_client_reason(party->client), want, reason);
	harness_fail();
}
#define EXPECT_REFUSED(party, want, reason, call) \
	expect_refused(HARNESS_AT("", #call), party, want, reason, call)

FIXTURE_SETUP(pin)
{
	struct rig *rig = &self->stage.rig;
	struct kf_container *made = NULL;

	self->stage = (struct stage){ 0 };
	rig_open(rig);
	if (!rig_has_uids(rig))
		SKIP("needs root, to be several uids");
	rig_make_card(rig);
	(void)snprintf(self->grants[0], sizeof(self->grants[0]), "%u:look,use",
		       (unsigned)rig->uid[RIG_STRANGER]);
	(void)snprintf(self->grants[1], sizeof(self->grants[1]), "%u:look,raw",
		       (unsigned)rig->uid[RIG_SERVER]);
	rig->service_args[0] = rig->service_args[2] = "--grant";
	rig->service_args[1] = self->grants[0];
	rig->service_args[3] = self->grants[1];
	rig_start(rig);
	party_join(&self->stage, RIG_CLIENT, &self->alice);
	party_join(&self->stage, RIG_STRANGER, &self->bob);
	ASSERT_EQ(0, give_pin(&self->alice, RIG_PIN, 0));
	ASSERT_EQ(0, kf_container_create(self->alice.context, KEY, KF_KEY_EC_P256, KF_PURPOSE_SIGN,
					 &made));
	kf_container_free(made);
}

FIXTURE_TEARDOWN(pin)
{
	party_leave(&self->alice);
	party_leave(&self->bob);
	rig_close(&self->stage.rig);
}

TEST_F_TIMEOUT(pin, what_one_user_opened_is_shut_for_the_next_and_the_first_is_told, 30)
{
	ASSERT_EQ(0, sign(&self->alice));
	EXPECT_TRUE(sees_verified(&self->alice));

	EXPECT_REFUSED(&self->bob, -EPERM, KF_REASON_PIN_NEEDED, sign(&self->bob));
	EXPECT_EQ(KF_PIN_USER, kf_client_detail(self->bob.client));
	EXPECT_FALSE(sees_verified(&self->bob));

	EXPECT_REFUSED(&self->alice, -EPERM, KF_REASON_PIN_LOST, sign(&self->alice));
	EXPECT_FALSE(sees_verified(&self->alice));
	ASSERT_EQ(0, give_pin(&self->alice, RIG_PIN, 0));
	EXPECT_EQ(0, sign(&self->alice));
}

TEST_F_TIMEOUT(pin, a_second_connection_of_the_same_user_does_not_have_it, 30)
{
	struct party again;

	ASSERT_EQ(0, sign(&self->alice));
	party_join(&self->stage, RIG_CLIENT, &again);
	EXPECT_FALSE(sees_verified(&again));
	EXPECT_REFUSED(&again, -EPERM, KF_REASON_PIN_NEEDED, sign(&again));
	party_leave(&again);
}

TEST_F_TIMEOUT(pin, it_goes_with_its_connection, 30)
{
	struct party again;

	ASSERT_EQ(0, sign(&self->alice));
	party_leave(&self->alice);
	EXPECT_REFUSED(&self->bob, -EPERM, KF_REASON_PIN_NEEDED, sign(&self->bob));
	party_join(&self->stage, RIG_CLIENT, &again);
	EXPECT_REFUSED(&again, -EPERM, KF_REASON_PIN_NEEDED, sign(&again));
	party_leave(&again);
}

TEST_F_TIMEOUT(pin, a_transaction_keeps_others_away_until_its_deadline_and_no_longer, 30)
{
	struct kf_client *bob = self->bob.client;

	ASSERT_EQ(0, kf_transaction_begin(self->alice.context, "ledger", 1500));
	ASSERT_EQ(0, give_pin(&self->alice, RIG_PIN, 0));
	kf_client_set_deadline(bob, 200);
	EXPECT_REFUSED(&self->bob, -EBUSY, KF_REASON_TXN_OTHER, sign(&self->bob));
	ASSERT_EQ(0, sign(&self->alice));		/* nobody had a turn in between */

	kf_client_set_deadline(bob, 10000);
	EXPECT_REFUSED(&self->bob, -EPERM, KF_REASON_PIN_NEEDED, sign(&self->bob));
	EXPECT_REFUSED(&self->alice, -EPERM, KF_REASON_PIN_LOST, sign(&self->alice));
	EXPECT_REFUSED(&self->alice, -EPROTO, KF_REASON_TXN_EXPIRED,
		       kf_transaction_end(self->alice.context, 0));
}

TEST_F_TIMEOUT(pin, the_end_of_a_transaction_with_a_reset_takes_the_pin_along, 30)
{
	ASSERT_EQ(0, kf_transaction_begin(self->alice.context, "ledger", 5000));
	ASSERT_EQ(0, sign(&self->alice));
	ASSERT_EQ(0, kf_transaction_end(self->alice.context, KF_TXN_RESET));
	EXPECT_FALSE(sees_verified(&self->alice));
	EXPECT_REFUSED(&self->alice, -EPERM, KF_REASON_PIN_LOST, sign(&self->alice));
}

/* Tries left as anybody may see them. */
static uint32_t tries(struct party *party)
{
	struct kf_pin *pin = NULL;
	uint32_t n;

	ASSERT_EQ(0, kf_pin_read(party->context, KF_PIN_USER, &pin));
	n = kf_pin_tries_left(pin);
	kf_pin_free(pin);
	return n;
}

static void spend_all_but_one(struct party *party)
{
	for (uint32_t n = tries(party); n > 1; n--) {
		EXPECT_REFUSED(party, -EKEYREJECTED, KF_REASON_PIN_WRONG, give_pin(party, WRONG, 0));
		EXPECT_EQ(n - 1, kf_client_detail(party->client));
	}
}

TEST_F_TIMEOUT(pin, the_last_try_is_spent_by_flag_only, 30)
{
	struct party *alice = &self->alice;

	spend_all_but_one(alice);
	EXPECT_REFUSED(alice, -EPERM, KF_REASON_PIN_LAST_TRY, give_pin(alice, WRONG, 0));
	EXPECT_REFUSED(alice, -EPERM, KF_REASON_PIN_LAST_TRY, give_pin(alice, RIG_PIN, 0));
	EXPECT_REFUSED(&self->bob, -EPERM, KF_REASON_PIN_LAST_TRY, give_pin(&self->bob, WRONG, 0));
	EXPECT_REFUSED(alice, -EPERM, KF_REASON_PIN_LAST_TRY,
		       kf_pin_change(alice->context, KF_PIN_USER, WRONG, strlen(WRONG), RIG_PIN,
				     strlen(RIG_PIN), 0));
	EXPECT_EQ(1, tries(alice));
	EXPECT_EQ(0, give_pin(alice, RIG_PIN, KF_PIN_LAST_TRY));
	EXPECT_LT(1, tries(alice));
}

TEST_F_TIMEOUT(pin, wrong_ones_are_budgeted_by_user_over_all_connections, 30)
{
	struct party *alice = &self->alice, again;
	int n = 0;

	for (; n < 5; n++) {
		if (tries(alice) == 1)
			ASSERT_EQ(0, give_pin(alice, RIG_PIN, KF_PIN_LAST_TRY));
		ASSERT_EQ(-EKEYREJECTED, give_pin(alice, WRONG, 0));
	}
	EXPECT_REFUSED(alice, -EDQUOT, KF_REASON_QUOTA_PIN,
		       give_pin(alice, RIG_PIN, KF_PIN_LAST_TRY));
	EXPECT_LE(1, kf_client_detail(alice->client));		/* seconds to wait */
	EXPECT_GE(60, kf_client_detail(alice->client));
	party_join(&self->stage, RIG_CLIENT, &again);
	EXPECT_REFUSED(&again, -EDQUOT, KF_REASON_QUOTA_PIN, give_pin(&again, RIG_PIN, 0));
	party_leave(&again);
	/* Another user pays for his own only. */
	EXPECT_EQ(0, give_pin(&self->bob, RIG_PIN, KF_PIN_LAST_TRY));
}

static int raw_apdu(int fd, uint64_t context, struct bytes command, struct packet *reply)
{
	struct packet ask = packet_request(KF_APDU, 0, 0);

	((struct kf_apdu *)packet_body(&ask))->context = context;
	packet_set(&ask, kf_apdu, command, command);
	return raw_ask(fd, &ask, reply);
}

static uint16_t status_word(const struct packet *reply)
{
	struct bytes response = packet_get(reply, kf_apdu, response);

	ASSERT_LE(2, response.n);
	return (uint16_t)(response.p[response.n - 2] << 8 | response.p[response.n - 1]);
}

TEST_F_TIMEOUT(pin, raw_apdus_neither_use_it_nor_guess_it, 30)
{
	/* [7816-4 VERIFY] with the wrong PIN: plain, chained, under secure messaging, wrapped. */
	static const uint8_t cla[] = { 0x00, 0x10, 0x0c, 0x1c, 0x80, 0x90, 0x40, 0x60, 0xff };
	static const uint8_t choose[] = { 0, 0x22, 0x41, 0xb6, 6, 0x80, 1, 0x31, 0x84, 1, KEY };
	static const uint8_t use[5 + 32] = { 0, 0x2a, 0x9e, 0x9a, 32 };
	uint8_t verify[5 + sizeof(WRONG) - 1] = { 0, 0x20, 0, 0x81, sizeof(WRONG) - 1 };
	int fd = stage_greet(&self->stage, self->stage.rig.uid[RIG_SERVER]);
	uint64_t context = raw_context(fd, "reader");
	uint32_t before = tries(&self->alice);

	memcpy(verify + 5, WRONG, sizeof(WRONG) - 1);
	for (size_t i = 0; i < sizeof(cla); i++) {
		verify[0] = cla[i];
		EXPECT_EQ(-EACCES, raw_apdu(fd, context, BYTES_OF(verify), &self->reply));
	}
	verify[0] = 0;
	verify[1] = 0xc2;	/* [7816-4 ENVELOPE] */
	EXPECT_EQ(-EACCES, raw_apdu(fd, context, BYTES_OF(verify), &self->reply));
	EXPECT_EQ(before, tries(&self->alice));

	/* Is there a PIN? [7816-4 VERIFY] without data would tell; so would a key's use. */
	ASSERT_EQ(0, sign(&self->alice));
	EXPECT_EQ(-EACCES, raw_apdu(fd, context, BYTES("\0\x20\0\x81", 4), &self->reply));
	ASSERT_EQ(0, sign(&self->alice));
	/* MANAGE SECURITY ENVIRONMENT takes Alice's key; using it wants a PIN of one's own. */
	ASSERT_EQ(0, raw_apdu(fd, context, BYTES_OF(choose), &self->reply));
	EXPECT_EQ(0x9000, status_word(&self->reply));
	ASSERT_EQ(0, raw_apdu(fd, context, BYTES_OF(use), &self->reply));
	EXPECT_EQ(0x6982, status_word(&self->reply));
	EXPECT_REFUSED(&self->alice, -EPERM, KF_REASON_PIN_LOST, sign(&self->alice));
}
