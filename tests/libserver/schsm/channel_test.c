/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A server's channel into the virtual SmartCard-HSM, and everybody who might stand between: what goes through, what is
 * refused, and what is called indeterminate.
 *
 * Faces: libserver/schsm/round.c libserver/schsm/order.c libserver/schsm/order_pin.c libserver/schsm/order_share.c
 * Faces: libserver/schsm/order_key.c libserver/schsm/channel_card.c libserver/schsm/public.c
 */
#include "format/hash.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "format/schsm/allowed.h"
#include "format/schsm/dkek_blob.h"
#include "format/schsm/prkd.h"
#include "tests/harness.h"
#include "tests/libserver/schsm/inside.h"
#include "tests/vreader/schsm/rig.h"
#include "vreader/schsm/issuer.h"

#include <stdlib.h>
#include <time.h>

enum bend {
	BEND_NOTHING,
	BEND_BIT,			/* bit of byte @bend_at of the answer */
	BEND_OLD,			/* the answer before in its place */
	BEND_DROP,			/* it never comes */
	BEND_PLAIN,			/* a plain 9000 in its place */
	BEND_SW,			/* the status word outside is 9000 */
};

/**
 * @bend_ins, @bend_nth: which answer: the nth to a command with that INS, from 0
 * @n_answer:	length of the one that was bent
 * @seen:	all that was given out to be carried
 */
FIXTURE(channel)
{
	struct rig rig;
	struct kf_channel *channel;
	struct kf_error e;
	enum bend bend;
	uint8_t bend_ins;
	unsigned int bend_nth, count;
	size_t bend_at, n_answer, n_old;
	uint8_t old[KF_CHANNEL_ANSWER_MAX];
	uint8_t seen[65536];
	size_t n_seen;
	unsigned int rounds, sealed;
	bool last;
};

static void renew(struct fixture_channel *self)
{
	const struct bytes root = blob_bytes(self->rig.hsm->state->root);

	kf_channel_free(self->channel);
	ASSERT_EQ(0, kf_channel_new(&self->channel, &self->e));
	ASSERT_EQ(0, kf_channel_add_root(self->channel, root.p, root.n, &self->e));
	ASSERT_EQ(0, kf_channel_set_device(self->channel, "ZZVIRTTEST1", &self->e));
	kf_channel_allow_virtual(self->channel, 1);
	self->n_seen = self->rounds = self->sealed = self->count = 0;
	ASSERT_EQ(SW_OK, rig_select(&self->rig));
}

FIXTURE_SETUP(channel)
{
	rig_init(&self->rig);
	ASSERT_EQ(SW_OK, rig_initialize(&self->rig, "92 01 02"));
	renew(self);
}

FIXTURE_TEARDOWN(channel)
{
	kf_channel_free(self->channel);
	rig_deinit(&self->rig);
}

/* --- who carries it --- */

static size_t bend(struct fixture_channel *self, uint8_t *answer, size_t n)
{
	self->n_answer = n;
	switch (self->bend) {
	case BEND_BIT:
		ASSERT_LT(self->bend_at, n);
		answer[self->bend_at] ^= 0x01;
		return n;
	case BEND_OLD:
		memcpy(answer, self->old, self->n_old);
		return self->n_old;
	case BEND_PLAIN:
		memcpy(answer, "\x90\x00", 2);
		return 2;
	case BEND_SW:
		memcpy(answer + n - 2, "\x90\x00", 2);
		return n;
	default:
		return n;
	}
}

/* One command to the card and back. Return: 0; 1 its answer got lost; 2 it is not as expected. */
static int carry_one(struct fixture_channel *self, size_t i, int *r)
{
	uint8_t answer[KF_CHANNEL_ANSWER_MAX];
	uint16_t expect, mask;
	size_t n = 0;
	const uint8_t *apdu = kf_channel_command(self->channel, i, &n, &expect, &mask);
	bool hit;

	ASSERT_NOT_NULL(apdu);
	ASSERT_LE(n, sizeof(self->seen) - self->n_seen);
	memcpy(self->seen + self->n_seen, apdu, n);
	self->n_seen += n;
	self->sealed += (apdu[0] & 0x0c) == 0x0c;
	hit = self->bend != BEND_NOTHING && apdu[1] == self->bend_ins && self->count++ == self->bend_nth;
	(void)rig_raw(&self->rig, BYTES(apdu, n));
	ASSERT_LE(self->rig.n + 2, sizeof(answer));
	memcpy(answer, self->rig.data, self->rig.n);
	answer[self->rig.n] = (uint8_t)(self->rig.sw >> 8);
	answer[self->rig.n + 1] = (uint8_t)self->rig.sw;
	n = self->rig.n + 2;
	if (hit && self->bend == BEND_DROP)
		return 1;
	if (hit)
		n = bend(self, answer, n);
	memcpy(self->old, answer, n);
	self->n_old = n;
	*r = kf_channel_answer(self->channel, answer, n, &self->e);
	return ((self->rig.sw ^ expect) & mask) != 0 ? 2 : 0;
}

static int carry(struct fixture_channel *self)
{
	int r;

	while ((r = kf_channel_next(self->channel, &self->e)) == 1) {
		self->rounds++;
		self->last = kf_channel_is_last(self->channel);
		for (size_t i = 0; r >= 0 && i < kf_channel_commands(self->channel); i++)
			if (carry_one(self, i, &r) != 0)
				break;
		if (r < 0)
			break;
	}
	return r;
}

static enum kf_channel_outcome outcome(const struct fixture_channel *self)
{
	return kf_channel_outcome(self->channel);
}

static void order_reset(struct fixture_channel *self, const char *fresh)
{
	ASSERT_EQ(0, kf_channel_pin_reset(self->channel, RIG_SO_PIN, 8, fresh, strlen(fresh), &self->e));
}

static int reset(struct fixture_channel *self, const char *fresh)
{
	renew(self);
	order_reset(self, fresh);
	return carry(self);
}

static bool was_seen(const struct fixture_channel *self, struct bytes what)
{
	for (size_t at = 0; at + what.n <= self->n_seen; at++)
		if (memcmp(self->seen + at, what.p, what.n) == 0)
			return true;
	return false;
}

#define EXPECT_WHY(part) EXPECT_NOT_NULL(strstr(self->e.why, part))

/* --- PINs --- */

TEST_F(channel, a_pin_is_reset_and_nobody_saw_it)
{
	ASSERT_EQ(0, reset(self, "new-pin-1"));
	EXPECT_EQ(KF_CHANNEL_DONE, outcome(self));
	EXPECT_TRUE(self->last);
	EXPECT_EQ(4u, self->rounds);
	EXPECT_EQ(2u, self->sealed);
	EXPECT_EQ(KF_GRADE_B_VIRTUAL, kf_channel_grade(self->channel));
	EXPECT_EQ(1u, kf_channel_value(self->channel, KF_CHANNEL_VIRTUAL));
	EXPECT_EQ(15u, kf_channel_value(self->channel, KF_CHANNEL_TRIES_LEFT));
	EXPECT_EQ(0x9000u, kf_channel_value(self->channel, KF_CHANNEL_STATUS));
	EXPECT_STREQ("ZZVIRTTEST1", kf_channel_serial(self->channel));
	EXPECT_EQ((size_t)64, strlen(kf_channel_fingerprint(self->channel)));
	EXPECT_FALSE(was_seen(self, BYTES("new-pin-1", 9)));
	EXPECT_FALSE(was_seen(self, BYTES(RIG_SO_PIN, 8)));
	EXPECT_EQ(SW_TRIES | 2, rig_verify(&self->rig, RIG_PIN));
	EXPECT_EQ(SW_OK, rig_verify(&self->rig, "new-pin-1"));
	EXPECT_EQ(-EPROTO, kf_channel_next(self->channel, &self->e));
	EXPECT_EQ(-EPROTO, kf_channel_answer(self->channel, "\x90\x00", 2, &self->e));
}

TEST_F(channel, an_so_pin_may_be_given_in_digits)
{
	ASSERT_EQ(0, kf_channel_pin_reset(self->channel, "3537363231383830", 16, "new-pin", 7, &self->e));
	ASSERT_EQ(0, carry(self));
	EXPECT_EQ(SW_OK, rig_verify(&self->rig, "new-pin"));
	EXPECT_EQ(-EPROTO, kf_channel_pin_reset(self->channel, RIG_SO_PIN, 8, "new-pin", 7, &self->e));
}

TEST_F(channel, pins_are_changed_by_their_old_values)
{
	ASSERT_EQ(0, kf_channel_pin_change(self->channel, KF_PIN_USER, RIG_PIN, 6, "another", 7, &self->e));
	ASSERT_EQ(0, kf_channel_pin_change(self->channel, KF_PIN_PUK, RIG_SO_PIN, 8, "87654321", 8, &self->e));
	ASSERT_EQ(0, carry(self));
	EXPECT_EQ(SW_OK, rig_verify(&self->rig, "another"));
	EXPECT_EQ(-EKEYREJECTED, reset(self, "new-pin"));
	renew(self);
	ASSERT_EQ(0, kf_channel_pin_reset(self->channel, "87654321", 8, "new-pin", 7, &self->e));
	ASSERT_EQ(0, carry(self));
}

TEST_F(channel, what_no_card_takes_is_no_order)
{
	struct kf_channel *c = self->channel;

	EXPECT_EQ(-EINVAL, kf_channel_pin_reset(c, RIG_SO_PIN, 7, "new-pin", 7, &self->e));
	EXPECT_EQ(-EINVAL, kf_channel_pin_reset(c, "353736323138383x", 16, "new-pin", 7, &self->e));
	EXPECT_EQ(-EINVAL, kf_channel_pin_reset(c, RIG_SO_PIN, 8, "12345", 5, &self->e));
	EXPECT_EQ(-EINVAL, kf_channel_pin_reset(c, RIG_SO_PIN, 8, "1234567890123456", 16, &self->e));
	EXPECT_EQ(-EINVAL, kf_channel_pin_reset(c, NULL, 8, "123456", 6, &self->e));
	EXPECT_EQ(-EINVAL, kf_channel_pin_change(c, 3, RIG_PIN, 6, "123456", 6, &self->e));
	EXPECT_EQ(0u, inside_secrets(c));
	for (int i = 0; i < 4; i++)
		order_reset(self, "123456");
	EXPECT_EQ(-EINVAL, kf_channel_pin_reset(c, RIG_SO_PIN, 8, "123456", 6, &self->e));
}

TEST_F(channel, nothing_secret_outlives_its_command)
{
	order_reset(self, "new-pin");
	EXPECT_EQ(2u, inside_secrets(self->channel));
	while (!kf_channel_is_last(self->channel)) {
		int r;

		ASSERT_EQ(1, kf_channel_next(self->channel, &self->e));
		for (size_t i = 0; !kf_channel_is_last(self->channel) && i < kf_channel_commands(self->channel); i++)
			ASSERT_EQ(0, carry_one(self, i, &r));
	}
	EXPECT_EQ(1u, inside_secrets(self->channel));	/* the session */
	EXPECT_EQ(-ENODATA, kf_channel_next(self->channel, &self->e));
	EXPECT_EQ(0u, inside_secrets(self->channel));
}

TEST_F(channel, a_wrong_so_pin_is_told_with_the_tries_left)
{
	ASSERT_EQ(0, kf_channel_pin_reset(self->channel, "00000000", 8, "new-pin", 7, &self->e));
	EXPECT_EQ(-EKEYREJECTED, carry(self));
	EXPECT_WHY("the SO-PIN is wrong; tries left: 14");
	EXPECT_STREQ("cannot reset the PIN", self->e.what);
	EXPECT_EQ(KF_CHANNEL_REFUSED, outcome(self));
	EXPECT_EQ(0x63ceu, kf_channel_value(self->channel, KF_CHANNEL_STATUS));
	EXPECT_EQ(SW_OK, rig_verify(&self->rig, RIG_PIN));
}

static void spend(struct fixture_channel *self, unsigned int left)
{
	while (rig_verify(&self->rig, "wrong-pin") != (SW_TRIES | left))
		;
}

TEST_F(channel, the_last_try_is_spent_on_purpose_only)
{
	spend(self, 1);
	ASSERT_EQ(0, kf_channel_pin_change(self->channel, KF_PIN_USER, RIG_PIN, 6, "another", 7, &self->e));
	EXPECT_EQ(-EPERM, carry(self));
	EXPECT_WHY("only one try of the PIN is left");
	EXPECT_EQ(KF_CHANNEL_REFUSED, outcome(self));
	renew(self);
	kf_channel_allow_last_try(self->channel, 1);
	ASSERT_EQ(0, kf_channel_pin_change(self->channel, KF_PIN_USER, RIG_PIN, 6, "another", 7, &self->e));
	EXPECT_EQ(0, carry(self));
}

TEST_F(channel, a_blocked_pin_is_called_blocked)
{
	spend(self, 0);
	ASSERT_EQ(0, kf_channel_pin_change(self->channel, KF_PIN_USER, RIG_PIN, 6, "another", 7, &self->e));
	EXPECT_EQ(-EKEYREVOKED, carry(self));
	EXPECT_EQ(0, reset(self, "another"));
	EXPECT_EQ(SW_OK, rig_verify(&self->rig, "another"));
}

TEST_F(channel, a_card_without_the_option_or_never_initialised_says_so)
{
	ASSERT_EQ(SW_OK, rig_send_hex(&self->rig, 0x80, HSM_INITIALIZE, 0, "80 02 0000 81 06 363438323139 "
				      "82 08 3537363231383830 91 01 03"));
	EXPECT_EQ(-EOPNOTSUPP, reset(self, "new-pin"));
	EXPECT_WHY("sets no new PIN");
	rig_deinit(&self->rig);
	rig_init(&self->rig);
	EXPECT_EQ(-ENOENT, reset(self, "new-pin"));
	EXPECT_WHY("never initialised");
}

/* --- which card --- */

TEST_F(channel, only_the_card_that_is_meant_is_taken)
{
	order_reset(self, "new-pin");
	ASSERT_EQ(0, kf_channel_set_device(self->channel, "ZZVIRTTEST2", &self->e));
	EXPECT_EQ(-EACCES, carry(self));
	EXPECT_WHY("this is card ZZVIRTTEST1, and it has to be ZZVIRTTEST2");
	EXPECT_EQ(0u, self->sealed);
	EXPECT_EQ(KF_CHANNEL_REFUSED, outcome(self));
	renew(self);
	ASSERT_EQ(0, kf_channel_set_device(self->channel, NULL, &self->e));
	order_reset(self, "new-pin");
	EXPECT_EQ(0, carry(self));
}

TEST_F(channel, somebody_has_to_say_which_card_and_what_to_do)
{
	EXPECT_EQ(-EINVAL, kf_channel_next(self->channel, &self->e));
	kf_channel_free(self->channel);
	ASSERT_EQ(0, kf_channel_new(&self->channel, &self->e));
	EXPECT_EQ(-EINVAL, kf_channel_set_device(self->channel, "no serial", &self->e));
	order_reset(self, "new-pin");
	EXPECT_EQ(-EINVAL, kf_channel_next(self->channel, &self->e));
	EXPECT_WHY("which card");
}

TEST_F(channel, a_virtual_card_takes_permission)
{
	order_reset(self, "new-pin");
	kf_channel_allow_virtual(self->channel, 0);
	EXPECT_EQ(-EACCES, carry(self));
	EXPECT_WHY("is a virtual one");
	EXPECT_EQ(1u, self->rounds);
	EXPECT_EQ(SW_OK, rig_verify(&self->rig, RIG_PIN));
}

static EVP_PKEY *pair_of(uint8_t byte)
{
	uint8_t d[32];
	EVP_PKEY *key = NULL;

	memset(d, byte, sizeof(d));
	ASSERT_EQ(0, key_from_scalar_on(BYTES_OF(d), "secp256k1", &key));
	return key;
}

TEST_F(channel, the_key_of_an_emulator_takes_permission_and_is_worth_nothing)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *device = pair_of(0xbe);

	rig_set_device(&self->rig, device);
	rig_restart(&self->rig);
	order_reset(self, "new-pin");
	kf_channel_allow_virtual(self->channel, 0);
	EXPECT_EQ(-EACCES, carry(self));
	EXPECT_WHY("that of an emulator");
	EXPECT_EQ(0, reset(self, "new-pin"));
	EXPECT_EQ(KF_GRADE_C, kf_channel_grade(self->channel));
}

TEST_F(channel, a_chain_that_ends_elsewhere_is_refused)
{
	struct issuer *other = NULL;
	struct bytes root;

	ASSERT_EQ(0, issuer_new(&other));
	kf_channel_free(self->channel);
	ASSERT_EQ(0, kf_channel_new(&self->channel, &self->e));
	ASSERT_EQ(0, kf_channel_set_device(self->channel, NULL, &self->e));
	kf_channel_allow_virtual(self->channel, 1);
	order_reset(self, "new-pin");
	EXPECT_EQ(-EACCES, carry(self));
	EXPECT_WHY("none of the roots given");
	EXPECT_NULL(kf_channel_serial(self->channel));
	EXPECT_EQ(KF_GRADE_NONE, kf_channel_grade(self->channel));
	/* Of the same name, and another key. */
	kf_channel_free(self->channel);
	ASSERT_EQ(0, kf_channel_new(&self->channel, &self->e));
	root = issuer_root(other);
	ASSERT_EQ(0, kf_channel_add_root(self->channel, root.p, root.n, &self->e));
	ASSERT_EQ(0, kf_channel_set_device(self->channel, NULL, &self->e));
	kf_channel_allow_virtual(self->channel, 1);
	order_reset(self, "new-pin");
	self->sealed = 0;
	EXPECT_EQ(-EACCES, carry(self));
	EXPECT_WHY("does not hold");
	EXPECT_EQ(0u, self->sealed);
	issuer_free(other);
}

TEST_F(channel, no_byte_of_the_device_certificate_can_change)
{
	self->bend = BEND_BIT;
	self->bend_ins = INS_READ_BINARY;
	for (self->bend_nth = 0; self->bend_nth < 4; self->bend_nth++) {
		size_t n = 1;

		for (self->bend_at = 0; self->bend_at < n; self->bend_at += 7) {
			int r = reset(self, "new-pin");

			/* What is no data is the status word; the rest of the file is then read as none. */
			EXPECT_TRUE(r == -EACCES || (r == 0 && self->bend_at + 2 >= self->n_answer));
			n = self->n_answer;
		}
	}
}

TEST_F(channel, an_enrolled_card_is_known_by_its_certificate)
{
	const struct bytes root = blob_bytes(self->rig.hsm->state->root);
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *other = NULL;
	struct kf_server *server = NULL;
	struct kf_hsm *hsm = NULL;
	struct bytes chain = blob_bytes(self->rig.hsm->state->device_cert);

	ASSERT_EQ(0, kf_server_new(&server, &self->e));
	kf_server_allow_virtual(server, 1);
	ASSERT_EQ(0, kf_hsm_new(server, chain.p, chain.n, root.p, root.n, &hsm, &self->e));
	kf_channel_free(self->channel);
	ASSERT_EQ(0, kf_channel_new(&self->channel, &self->e));
	ASSERT_EQ(0, kf_channel_set_enrolled(self->channel, hsm, &self->e));
	order_reset(self, "new-pin");
	EXPECT_EQ(0, carry(self));
	EXPECT_STREQ(kf_hsm_fingerprint(hsm), kf_channel_fingerprint(self->channel));
	/* The same name, from the same maker, and another certificate. */
	ASSERT_EQ(0, issuer_make_pair(&other));
	rig_set_device(&self->rig, other);
	rig_restart(&self->rig);
	kf_channel_free(self->channel);
	ASSERT_EQ(0, kf_channel_new(&self->channel, &self->e));
	ASSERT_EQ(0, kf_channel_set_enrolled(self->channel, hsm, &self->e));
	order_reset(self, "new-pin");
	EXPECT_EQ(-EACCES, carry(self));
	EXPECT_WHY("another device certificate");
	kf_hsm_free(hsm);
	kf_server_free(server);
}

TEST_F(channel, certificates_have_to_be_good_today)
{
	order_reset(self, "new-pin");
	kf_channel_set_time(self->channel, time(NULL) - 3 * 86400);
	EXPECT_EQ(-EACCES, carry(self));
	EXPECT_WHY("out of date");
}

TEST_F(channel, a_root_is_a_certificate)
{
	const struct bytes root = blob_bytes(self->rig.hsm->state->root);

	for (size_t n = 0; n < root.n; n += 9)
		EXPECT_EQ(-EBADMSG, kf_channel_add_root(self->channel, root.p, n, &self->e));
	for (int i = 1; i < 8; i++)
		EXPECT_EQ(0, kf_channel_add_root(self->channel, root.p, root.n, &self->e));
	EXPECT_EQ(-EINVAL, kf_channel_add_root(self->channel, root.p, root.n, &self->e));
}

/* --- the agreement --- */

/* [card dossier 11.3] */
TEST_F(channel, the_published_numbers_come_out_of_the_server)
{
	static const uint8_t nonce[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
	static const uint8_t keys[] = {
		0x7b, 0x29, 0x1f, 0x88, 0x4f, 0x32, 0xe2, 0xda, 0x8b, 0x69, 0x22, 0xf0, 0x6e, 0xae, 0xb1, 0x38,
		0x5e, 0x69, 0xc1, 0x49, 0xca, 0xf6, 0x86, 0x05, 0xf3, 0xf5, 0x15, 0x97, 0x7b, 0x03, 0x45, 0x52,
	};
	static const uint8_t token[] = {
		0x7c, 0x14, 0x81, 0x08, 0, 1, 2, 3, 4, 5, 6, 7, 0x82, 0x08, 0xf9, 0xb3, 0xe4, 0x53, 0x82, 0xb2, 0xee, 0x36,
		0x90, 0x00,
	};
	static const uint8_t choose[] = {
		0x00, 0x22, 0x41, 0xa4, 0x0c, 0x80, 0x0a, 4, 0, 0x7f, 0, 7, 2, 2, 3, 2, 2,
	};
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *device = pair_of(0xbe);
	uint16_t expect, mask;
	const uint8_t *apdu;
	size_t n = 0;
	int r = 0;

	rig_set_device(&self->rig, device);
	rig_restart(&self->rig);
	rig_set_random(BYTES_OF(nonce));
	renew(self);
	order_reset(self, "new-pin");
	inside_give_pair(self->channel, pair_of(0x11));
	ASSERT_EQ(1, kf_channel_next(self->channel, &self->e));
	for (size_t i = 0; i < kf_channel_commands(self->channel); i++)
		ASSERT_EQ(0, carry_one(self, i, &r));
	ASSERT_EQ(1, kf_channel_next(self->channel, &self->e));
	apdu = kf_channel_command(self->channel, 0, &n, &expect, &mask);
	EXPECT_BYTES_EQ(BYTES_OF(choose), BYTES(apdu, n));
	EXPECT_EQ(0x9000, expect);
	EXPECT_EQ(0xffff, mask);
	apdu = kf_channel_command(self->channel, 1, &n, &expect, &mask);
	EXPECT_BYTES_EQ(BYTES("\x00\x86\x00\x00\x45\x7c\x43\x80\x41\x04", 10), BYTES(apdu, 10));
	EXPECT_NULL(kf_channel_command(self->channel, 2, &n, &expect, &mask));
	for (size_t i = 0; i < 2; i++)
		ASSERT_EQ(0, carry_one(self, i, &r));
	EXPECT_BYTES_EQ(BYTES_OF(token), BYTES(self->old, self->n_old));
	ASSERT_EQ(1, kf_channel_next(self->channel, &self->e));
	EXPECT_MEMEQ(keys, inside_keys(self->channel), sizeof(keys));
}

TEST_F(channel, no_bit_of_the_token_can_change_and_nothing_is_sent_to_who_has_none)
{
	self->bend = BEND_BIT;
	self->bend_ins = 0x86;
	for (self->bend_at = 0; self->bend_at < 22; self->bend_at++) {
		EXPECT_EQ(-EACCES, reset(self, "new-pin"));
		EXPECT_WHY("does not have the device key");
		EXPECT_EQ(0u, self->sealed);
	}
	EXPECT_EQ(SW_OK, rig_verify(&self->rig, RIG_PIN));
}

/* Everything of the other card is there, but for its key. */
TEST_F(channel, a_copied_certificate_opens_no_channel)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *other = NULL;
	struct hsm_key *key = NULL;

	ASSERT_EQ(0, issuer_make_pair(&other));
	ASSERT_EQ(0, hsm_key_new(other, &key));
	hsm_key_unref(self->rig.hsm->state->device);
	self->rig.hsm->state->device = key;
	EXPECT_EQ(-EACCES, reset(self, "new-pin"));
	EXPECT_WHY("does not have the device key");
	EXPECT_EQ(0u, self->sealed);
}

TEST_F(channel, a_card_that_agrees_otherwise_is_told_apart)
{
	uint8_t answer[] = { 0x6a, 0x80 };
	int r = 0;

	order_reset(self, "new-pin");
	ASSERT_EQ(1, kf_channel_next(self->channel, &self->e));
	for (size_t i = 0; i < kf_channel_commands(self->channel); i++)
		ASSERT_EQ(0, carry_one(self, i, &r));
	ASSERT_EQ(1, kf_channel_next(self->channel, &self->e));
	ASSERT_EQ(0, kf_channel_answer(self->channel, answer, 2, &self->e));
	EXPECT_EQ(-EPROTO, kf_channel_answer(self->channel, answer, 2, &self->e));	/* none goes after it */
	EXPECT_EQ(-EOPNOTSUPP, kf_channel_next(self->channel, &self->e));
	EXPECT_WHY("status word 6a80");
}

/* --- answers --- */

/* The first protected command asks, the second changes: what is bent at which. */
static void bend_each(struct fixture_channel *self, enum bend how)
{
	self->bend = how;
	self->bend_nth = 0;
	self->bend_ins = INS_VERIFY;
	EXPECT_EQ(-EBADMSG, reset(self, "new-pin"));
	EXPECT_EQ(KF_CHANNEL_REFUSED, outcome(self));
	EXPECT_EQ(1u, self->sealed);
	self->bend_ins = INS_UNBLOCK;
	EXPECT_EQ(-ENODATA, reset(self, "new-pin"));
	EXPECT_EQ(KF_CHANNEL_INDETERMINATE, outcome(self));
	EXPECT_WHY("may be done, or not");
	EXPECT_STREQ("cannot reset the PIN", self->e.what);
	EXPECT_EQ(0u, inside_secrets(self->channel));
}

TEST_F(channel, no_bit_of_an_answer_can_change)
{
	/* A plain MAC and a status word: 14 bytes, and two of the status word outside. */
	for (self->bend_at = 0; self->bend_at < 16; self->bend_at++)
		bend_each(self, BEND_BIT);
	EXPECT_EQ((size_t)16, self->n_answer);
}

TEST_F(channel, an_answer_to_another_command_is_none)
{
	bend_each(self, BEND_OLD);
}

TEST_F(channel, an_answer_that_does_not_come_proves_nothing)
{
	bend_each(self, BEND_DROP);
}

TEST_F(channel, a_plain_status_word_is_none)
{
	bend_each(self, BEND_PLAIN);
}

TEST_F(channel, a_refusal_cannot_be_called_success)
{
	self->bend = BEND_SW;
	self->bend_ins = INS_UNBLOCK;
	ASSERT_EQ(0, kf_channel_pin_reset(self->channel, "00000000", 8, "new-pin", 7, &self->e));
	EXPECT_EQ(-ENODATA, carry(self));
	EXPECT_EQ(SW_OK, rig_verify(&self->rig, RIG_PIN));
}

TEST_F(channel, an_answer_longer_than_any_is_none)
{
	uint8_t answer[KF_CHANNEL_ANSWER_MAX + 1] = { 0 };

	order_reset(self, "new-pin");
	ASSERT_EQ(1, kf_channel_next(self->channel, &self->e));
	EXPECT_EQ(-EBADMSG, kf_channel_answer(self->channel, answer, sizeof(answer), &self->e));
	EXPECT_EQ(KF_CHANNEL_REFUSED, outcome(self));
	renew(self);
	order_reset(self, "new-pin");
	ASSERT_EQ(1, kf_channel_next(self->channel, &self->e));
	EXPECT_EQ(-EBADMSG, kf_channel_answer(self->channel, answer, 1, &self->e));
}

TEST_F(channel, whoever_carried_it_may_be_gone)
{
	int r = 0;

	order_reset(self, "new-pin");
	ASSERT_EQ(1, kf_channel_next(self->channel, &self->e));
	self->e.code = -ECONNRESET;
	EXPECT_EQ(-ECONNRESET, kf_channel_lost(self->channel, &self->e));
	EXPECT_EQ(KF_CHANNEL_REFUSED, outcome(self));
	renew(self);
	order_reset(self, "new-pin");
	do {
		ASSERT_EQ(1, kf_channel_next(self->channel, &self->e));
		for (size_t i = 0; !kf_channel_is_last(self->channel) && i < kf_channel_commands(self->channel); i++)
			ASSERT_EQ(0, carry_one(self, i, &r));
	} while (!kf_channel_is_last(self->channel));
	self->e.code = -ECONNRESET;
	EXPECT_EQ(-ENODATA, kf_channel_lost(self->channel, &self->e));
	EXPECT_EQ(KF_CHANNEL_INDETERMINATE, outcome(self));
}

/* --- shares --- */

static uint8_t shares[3 * KF_FLEET_SHARE_SIZE];

static void make_shares(void)
{
	for (size_t i = 0; i < sizeof(shares); i++)
		shares[i] = (uint8_t)(i * 37 + i / 32);
}

static void order_shares(struct fixture_channel *self, size_t first, size_t n, const char *pin)
{
	const struct kf_channel_shares want = {
		.size = sizeof(want), .shares = shares + first * KF_FLEET_SHARE_SIZE, .n = n, .pin = pin,
		.pin_len = pin ? strlen(pin) : 0,
	};

	make_shares();
	ASSERT_EQ(0, kf_channel_dkek_import(self->channel, &want, &self->e));
}

static int import(struct fixture_channel *self, size_t first, size_t n, const char *pin)
{
	renew(self);
	order_shares(self, first, n, pin);
	return carry(self);
}

static void kcv_of(size_t n, uint8_t out[static DKEK_KCV_SIZE])
{
	struct dkek dkek = DKEK_INIT;

	ASSERT_EQ(0, dkek_init(&dkek));
	for (size_t i = 0; i < n; i++)
		ASSERT_EQ(0, dkek_add_share(&dkek, BYTES(shares + i * DKEK_SIZE, DKEK_SIZE)));
	ASSERT_EQ(0, dkek_kcv(&dkek, out));
	dkek_deinit(&dkek);
}

TEST_F(channel, all_shares_go_in_and_nobody_saw_them)
{
	uint8_t kcv[DKEK_KCV_SIZE];

	ASSERT_EQ(0, import(self, 0, 2, RIG_PIN));
	EXPECT_TRUE(self->last);
	EXPECT_EQ(6u, self->rounds);
	kcv_of(2, kcv);
	EXPECT_MEMEQ(kcv, kf_channel_check_value(self->channel), sizeof(kcv));
	EXPECT_EQ(2u, kf_channel_value(self->channel, KF_CHANNEL_SHARES));
	EXPECT_EQ(0u, kf_channel_value(self->channel, KF_CHANNEL_OUTSTANDING));
	EXPECT_EQ(1u, kf_channel_value(self->channel, KF_CHANNEL_WHOLE));
	EXPECT_EQ(KF_GRADE_B_VIRTUAL, kf_channel_grade(self->channel));
	for (size_t at = 0; at < sizeof(shares); at += 8)
		EXPECT_FALSE(was_seen(self, BYTES(shares + at, 8)));
	EXPECT_FALSE(was_seen(self, BYTES(RIG_PIN, 6)));
}

TEST_F(channel, shares_come_one_by_one_with_and_without_a_pin)
{
	ASSERT_EQ(0, import(self, 0, 1, NULL));
	EXPECT_EQ(1u, kf_channel_value(self->channel, KF_CHANNEL_OUTSTANDING));
	ASSERT_EQ(0, import(self, 1, 1, RIG_PIN));
	EXPECT_EQ(0u, kf_channel_value(self->channel, KF_CHANNEL_OUTSTANDING));
	EXPECT_EQ(0u, kf_channel_value(self->channel, KF_CHANNEL_WHOLE));
	EXPECT_EQ(-EEXIST, import(self, 2, 1, RIG_PIN));
	EXPECT_WHY("no share is outstanding");
}

TEST_F(channel, no_share_is_sent_that_does_not_fit)
{
	EXPECT_EQ(-EINVAL, import(self, 0, 3, RIG_PIN));
	EXPECT_WHY("2 shares are outstanding, and there are 3");
	EXPECT_EQ(-EKEYREJECTED, import(self, 0, 2, "wrong-pin"));
	EXPECT_WHY("the PIN is wrong; tries left: 2");
	ASSERT_EQ(SW_OK, rig_send(&self->rig, 0x80, HSM_DOMAIN, 0, BYTES_NONE));
	EXPECT_EQ(2, self->rig.data[1]);
	ASSERT_EQ(SW_OK, rig_initialize(&self->rig, ""));
	EXPECT_EQ(-ENOENT, import(self, 0, 1, RIG_PIN));
	EXPECT_WHY("no DKEK in key domain 0");
	ASSERT_EQ(SW_OK, rig_initialize(&self->rig, "97 01 02"));
	EXPECT_EQ(-ENOENT, import(self, 0, 1, RIG_PIN));
}

TEST_F(channel, a_share_whose_answer_is_missing_is_indeterminate)
{
	self->bend = BEND_DROP;
	self->bend_ins = HSM_DOMAIN;
	EXPECT_EQ(-EBADMSG, import(self, 0, 2, RIG_PIN));		/* the question before */
	EXPECT_EQ(KF_CHANNEL_REFUSED, outcome(self));
	self->bend_nth = 1;
	EXPECT_EQ(-ENODATA, import(self, 0, 2, RIG_PIN));
	EXPECT_EQ(KF_CHANNEL_INDETERMINATE, outcome(self));
	EXPECT_NOT_NULL(strstr(self->e.next, "keyferry dkek status"));
}

/* A card that had another share in between, whoever gave it. */
TEST_F(channel, a_dkek_that_is_not_the_sum_of_its_shares_is_told)
{
	struct hsm_domain *domain;
	struct blob *other = NULL;
	uint8_t sum[DKEK_SIZE];
	int r = 0;

	order_shares(self, 0, 2, NULL);
	while (!kf_channel_is_last(self->channel)) {
		ASSERT_EQ(1, kf_channel_next(self->channel, &self->e));
		for (size_t i = 0; !kf_channel_is_last(self->channel) && i < kf_channel_commands(self->channel); i++)
			ASSERT_EQ(0, carry_one(self, i, &r));
	}
	domain = &self->rig.hsm->state->domains[0];
	memcpy(sum, blob_bytes(domain->kek).p, sizeof(sum));
	sum[5] ^= 1;
	ASSERT_EQ(0, blob_new(BYTES_OF(sum), &other));
	(void)blob_unref(domain->kek);
	domain->kek = other;
	ASSERT_EQ(0, carry_one(self, 0, &r));
	EXPECT_EQ(-ENODATA, kf_channel_next(self->channel, &self->e));
	EXPECT_WHY("is not their sum");
	EXPECT_EQ(0u, kf_channel_value(self->channel, KF_CHANNEL_WHOLE));
	EXPECT_EQ(KF_CHANNEL_INDETERMINATE, outcome(self));
}

TEST_F(channel, an_order_for_shares_is_whole)
{
	struct kf_channel_shares want = { .size = sizeof(want), .shares = shares, .n = 2 };

	memset(shares, 0x17, sizeof(shares));
	EXPECT_EQ(-EINVAL, kf_channel_dkek_import(self->channel, &want, &self->e));
	EXPECT_WHY("cancel each other out");
	make_shares();
	want.n = 0;
	EXPECT_EQ(-EINVAL, kf_channel_dkek_import(self->channel, &want, &self->e));
	want.n = 17;
	EXPECT_EQ(-EINVAL, kf_channel_dkek_import(self->channel, &want, &self->e));
	want.n = 1;
	want.domain = 256;
	EXPECT_EQ(-EINVAL, kf_channel_dkek_import(self->channel, &want, &self->e));
	want.domain = 0;
	want.size--;
	EXPECT_EQ(-EINVAL, kf_channel_dkek_import(self->channel, &want, &self->e));
	EXPECT_EQ(0u, inside_secrets(self->channel));
}

/* --- keys --- */

/* Of P-256, wrapped under the first @n shares; @list as the card is to allow. */
static struct bytes make_blob(size_t n, struct bytes list)
{
	static uint8_t buf[DKEK_BLOB_MAX];
	static const uint8_t random[DKEK_RANDOM_SIZE] = { 9 };
	struct packer p = pack_begin(buf, sizeof(buf));
	struct dkek_key key = { DKEK_EC, EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"), SECRET_INIT };
	struct dkek dkek = DKEK_INIT;

	make_shares();
	ASSERT_EQ(0, dkek_init(&dkek));
	for (size_t i = 0; i < n; i++)
		ASSERT_EQ(0, dkek_add_share(&dkek, BYTES(shares + i * DKEK_SIZE, DKEK_SIZE)));
	ASSERT_EQ(0, dkek_blob_make(&dkek, &key, list, random, &p));
	dkek_deinit(&dkek);
	dkek_key_deinit(&key);
	return pack_done(&p);
}

static const uint8_t ecdsa[] = { ALLOW_ECDSA };

static struct kf_channel_unwrap unwrap_of(struct bytes file)
{
	return (struct kf_channel_unwrap){
		.size = sizeof(struct kf_channel_unwrap), .file = file.p, .file_len = file.n, .container = 7,
		.key_type = KF_KEY_EC_P256, .pin = RIG_PIN, .pin_len = 6,
	};
}

static int unwrap(struct fixture_channel *self, struct bytes file)
{
	struct kf_channel_unwrap want = unwrap_of(file);

	renew(self);
	ASSERT_EQ(0, kf_channel_unwrap(self->channel, &want, &self->e));
	return carry(self);
}

/* Key, description, certificate at 7. */
static unsigned int lies_there(struct fixture_channel *self)
{
	return rig_lists(&self->rig, 0xcc07) + rig_lists(&self->rig, 0xc407) + rig_lists(&self->rig, 0xce07);
}

TEST_F(channel, a_key_goes_in_is_described_and_signs)
{
	uint8_t hash[32] = { 1 };
	struct prkd prkd;

	ASSERT_EQ(0, import(self, 0, 2, NULL));
	ASSERT_EQ(0, unwrap(self, make_blob(2, BYTES_OF(ecdsa))));
	EXPECT_EQ(KF_CHANNEL_DONE, outcome(self));
	EXPECT_EQ(KF_GRADE_U, kf_channel_grade(self->channel));
	EXPECT_EQ(7u, kf_channel_value(self->channel, KF_CHANNEL_CONTAINER));
	EXPECT_EQ(KF_KEY_EC_P256, kf_channel_value(self->channel, KF_CHANNEL_KEY_TYPE));
	EXPECT_EQ(KF_PURPOSE_SIGN, kf_channel_value(self->channel, KF_CHANNEL_PURPOSE));
	ASSERT_EQ(SW_END_OF_FILE, rig_read(&self->rig, 0xc407));
	ASSERT_EQ(0, prkd_parse(rig_data(&self->rig), &prkd));
	EXPECT_STREQ("key 7", prkd.label);
	EXPECT_EQ(PRKD_EC, prkd.kind);
	EXPECT_EQ(PRKD_SIGN, prkd.usage);
	ASSERT_EQ(SW_OK, rig_verify(&self->rig, RIG_PIN));
	EXPECT_EQ(SW_OK, rig_send(&self->rig, 0x80, HSM_SIGN, 0x0770, BYTES_OF(hash)));
	EXPECT_EQ(-EEXIST, unwrap(self, make_blob(2, BYTES_OF(ecdsa))));
	EXPECT_WHY("container 7 holds a key");
}

TEST_F(channel, a_key_under_a_dkek_that_all_came_by_this_channel_has_its_grade)
{
	struct kf_channel_unwrap want = unwrap_of(make_blob(2, BYTES_OF(ecdsa)));

	order_shares(self, 0, 2, RIG_PIN);
	ASSERT_EQ(0, kf_channel_unwrap(self->channel, &want, &self->e));
	ASSERT_EQ(0, carry(self));
	EXPECT_EQ(KF_GRADE_B_VIRTUAL, kf_channel_grade(self->channel));
	EXPECT_EQ(2u, lies_there(self) + rig_lists(&self->rig, 0xce07));
	/* One of two is not all of it. */
	ASSERT_EQ(SW_OK, rig_initialize(&self->rig, "92 01 02"));
	ASSERT_EQ(SW_OK, rig_send(&self->rig, 0x80, HSM_DOMAIN, 0, BYTES(shares, DKEK_SIZE)));
	renew(self);
	order_shares(self, 1, 1, RIG_PIN);
	ASSERT_EQ(0, kf_channel_unwrap(self->channel, &want, &self->e));
	ASSERT_EQ(0, carry(self));
	EXPECT_EQ(KF_GRADE_U, kf_channel_grade(self->channel));
}

/* The card takes the domain that the blob names, and what was proved of another one says nothing of it. */
TEST_F(channel, what_went_into_one_domain_is_no_word_for_a_key_in_another)
{
	struct bytes blob = make_blob(1, BYTES_OF(ecdsa));
	struct kf_channel_unwrap want = unwrap_of(blob);

	ASSERT_EQ(SW_OK, rig_initialize(&self->rig, "97 01 02"));
	ASSERT_EQ(SW_OK, rig_verify(&self->rig, RIG_PIN));
	ASSERT_EQ(SW_OK, rig_send(&self->rig, 0x80, HSM_DOMAIN, 0x0100, BYTES("\x02", 1)));
	ASSERT_EQ(SW_OK, rig_send(&self->rig, 0x80, HSM_DOMAIN, 0x0101, BYTES("\x01", 1)));
	ASSERT_EQ(SW_OK, rig_send(&self->rig, 0x80, HSM_DOMAIN, 0x0001, BYTES(shares, DKEK_SIZE)));
	renew(self);
	order_shares(self, 0, 2, RIG_PIN);
	ASSERT_EQ(0, kf_channel_unwrap(self->channel, &want, &self->e));
	EXPECT_EQ(-ENOENT, carry(self));
	EXPECT_WHY("under another DKEK");
	EXPECT_EQ(0u, lies_there(self));
	ASSERT_EQ(0, unwrap(self, blob));
	EXPECT_EQ(KF_GRADE_U, kf_channel_grade(self->channel));
	EXPECT_NULL(kf_channel_check_value(self->channel));
}

TEST_F(channel, a_dkek_that_anybody_knows_makes_the_key_grade_c)
{
	static const uint8_t random[DKEK_RANDOM_SIZE] = { 9 };
	const struct bytes share = rig_share();
	const struct kf_channel_shares import = { .size = sizeof(import), .shares = share.p, .n = 1 };
	struct dkek_key key = { DKEK_EC, EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"), SECRET_INIT };
	uint8_t buf[DKEK_BLOB_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct dkek dkek = DKEK_INIT;
	struct kf_channel_unwrap want;

	ASSERT_EQ(SW_OK, rig_initialize(&self->rig, "92 01 01"));
	ASSERT_EQ(0, dkek_init(&dkek));
	ASSERT_EQ(0, dkek_add_share(&dkek, share));
	ASSERT_EQ(0, dkek_blob_make(&dkek, &key, BYTES_OF(ecdsa), random, &p));
	want = unwrap_of(pack_done(&p));
	ASSERT_EQ(0, kf_channel_dkek_import(self->channel, &import, &self->e));
	ASSERT_EQ(0, kf_channel_unwrap(self->channel, &want, &self->e));
	ASSERT_EQ(0, carry(self));
	EXPECT_EQ(KF_GRADE_C, kf_channel_grade(self->channel));
	dkek_deinit(&dkek);
	dkek_key_deinit(&key);
}

TEST_F(channel, what_does_not_fit_the_card_is_told_before)
{
	struct bytes blob = make_blob(2, BYTES_OF(ecdsa));

	EXPECT_EQ(-ENOENT, unwrap(self, blob));
	EXPECT_WHY("outstanding: 2");
	ASSERT_EQ(0, import(self, 0, 2, NULL));
	EXPECT_EQ(-ENOENT, unwrap(self, make_blob(1, BYTES_OF(ecdsa))));
	EXPECT_WHY("under another DKEK");
	ASSERT_EQ(SW_OK, rig_initialize(&self->rig, ""));
	EXPECT_EQ(-ENOENT, unwrap(self, blob));
	EXPECT_WHY("it has no DKEK");
	EXPECT_EQ(0u, lies_there(self));
}

TEST_F(channel, a_bent_blob_leaves_nothing_behind)
{
	uint8_t bent[DKEK_BLOB_MAX];
	struct bytes blob = make_blob(2, BYTES_OF(ecdsa));

	ASSERT_EQ(0, import(self, 0, 2, NULL));
	memcpy(bent, blob.p, blob.n);
	bent[blob.n - 1] ^= 1;
	EXPECT_EQ(-EREMOTEIO, unwrap(self, BYTES(bent, blob.n)));
	EXPECT_WHY("does not take the blob (status word 6a80)");
	EXPECT_EQ(KF_CHANNEL_REFUSED, outcome(self));
	EXPECT_EQ(0u, lies_there(self));
}

TEST_F(channel, a_key_that_could_not_be_described_goes_again)
{
	struct bytes blob = make_blob(2, BYTES_OF(ecdsa));

	ASSERT_EQ(0, import(self, 0, 2, NULL));
	/* VERIFY commits twice, UNWRAP once, the description is the fourth. */
	rig_fail_at(&self->rig, 4, -ENOSPC);
	EXPECT_EQ(-EREMOTEIO, unwrap(self, blob));
	EXPECT_WHY("status word 6581");
	EXPECT_EQ(KF_CHANNEL_REFUSED, outcome(self));
	EXPECT_EQ(0u, lies_there(self));
	/* And if that fails, too, it is said. */
	self->bend = BEND_NOTHING;
	rig_fail_at(&self->rig, 4, -ENOSPC);
	self->bend = BEND_DROP;
	self->bend_ins = INS_UPDATE_BINARY;
	self->bend_nth = 1;
	EXPECT_EQ(-ENODATA, unwrap(self, blob));
	EXPECT_EQ(KF_CHANNEL_INDETERMINATE, outcome(self));
}

TEST_F(channel, an_order_for_a_key_is_judged_before_it_is_taken)
{
	struct kf_channel_unwrap want = unwrap_of(make_blob(2, BYTES_OF(ecdsa)));
	struct bytes open = BYTES_NONE;

	want.container = 254;
	EXPECT_EQ(-EINVAL, kf_channel_unwrap(self->channel, &want, &self->e));
	want.container = 1;
	want.key_type = KF_KEY_NONE;
	EXPECT_EQ(-EINVAL, kf_channel_unwrap(self->channel, &want, &self->e));
	EXPECT_WHY("nothing says what type");
	want.key_type = KF_KEY_RSA_2048;
	EXPECT_EQ(-EACCES, kf_channel_unwrap(self->channel, &want, &self->e));
	want.key_type = KF_KEY_EC_P256;
	want.purpose = KF_PURPOSE_DECRYPT;
	EXPECT_EQ(-EINVAL, kf_channel_unwrap(self->channel, &want, &self->e));
	want.purpose = KF_PURPOSE_NONE;
	want.cert = "nothing";
	want.cert_len = 7;
	EXPECT_EQ(-EBADMSG, kf_channel_unwrap(self->channel, &want, &self->e));
	want.cert = NULL;
	want.pin_len = 5;
	EXPECT_EQ(-EINVAL, kf_channel_unwrap(self->channel, &want, &self->e));
	want.pin_len = 6;
	want.file_len--;
	EXPECT_EQ(-EBADMSG, kf_channel_unwrap(self->channel, &want, &self->e));
	open = make_blob(2, BYTES_NONE);
	want.file_len = open.n;
	EXPECT_EQ(-EACCES, kf_channel_unwrap(self->channel, &want, &self->e));
	want.allow_rewrap = 1;
	EXPECT_EQ(0, kf_channel_unwrap(self->channel, &want, &self->e));
}
