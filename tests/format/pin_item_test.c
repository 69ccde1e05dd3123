/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/der.h"
#include "format/pin_item.h"
#include "tests/harness.h"

#include <errno.h>

FIXTURE(order) {
	struct secret plain;
	struct pin_item order;
};
FIXTURE_SETUP(order)
{
	ASSERT_EQ(0, secret_init(&self->plain, 256));
	self->order = (struct pin_item){
		.authenticator = KF_PIN_PUK, .least_tries = 2,
		.proof = BYTES("12345678", 8), .fresh = BYTES("a-new-pin-80", 12),
	};
	ASSERT_EQ(0, pin_item_encode(&self->order, &self->plain));
}
FIXTURE_TEARDOWN(order)
{
	secret_deinit(&self->plain);
}

TEST_F(order, what_was_written_is_read)
{
	struct pin_item back;

	ASSERT_EQ(0, pin_item_decode(secret_bytes(&self->plain), &back));
	EXPECT_EQ((uint32_t)KF_PIN_PUK, back.authenticator);
	EXPECT_EQ(2u, back.least_tries);
	EXPECT_BYTES_EQ(self->order.proof, back.proof);
	EXPECT_BYTES_EQ(self->order.fresh, back.fresh);
}

TEST_F(order, its_length_tells_nothing_of_the_pins)
{
	static const uint8_t long_pin[APP_PIN_FIELD] = { 0x80, 0, 0x80 };
	struct pin_item back;

	for (size_t n = 0; n < APP_PIN_FIELD; n++) {
		self->order.proof = BYTES(long_pin, n);
		self->order.fresh = BYTES(long_pin, APP_PIN_FIELD - 1 - n);
		ASSERT_EQ(0, pin_item_encode(&self->order, &self->plain));
		EXPECT_EQ((size_t)PIN_ITEM_SIZE, self->plain.n);
		ASSERT_EQ(0, pin_item_decode(secret_bytes(&self->plain), &back));
		EXPECT_BYTES_EQ(self->order.proof, back.proof);
		EXPECT_BYTES_EQ(self->order.fresh, back.fresh);
	}
	self->order.proof = BYTES_OF(long_pin);
	EXPECT_EQ(-EINVAL, pin_item_encode(&self->order, &self->plain));
}

TEST_F(order, a_session_pin_no_tries_and_other_lengths_are_refused)
{
	struct pin_item back;

	/* 30 81 8D, 02 01 authenticator, 02 01 tries, 02 01 flags, 04 40 ... */
	self->plain.p[11] = 1;
	EXPECT_EQ(-EBADMSG, pin_item_decode(secret_bytes(&self->plain), &back));
	self->plain.p[11] = 0;
	self->plain.p[8] = 0;
	EXPECT_EQ(-EBADMSG, pin_item_decode(secret_bytes(&self->plain), &back));
	self->plain.p[8] = 1;
	EXPECT_EQ(0, pin_item_decode(secret_bytes(&self->plain), &back));
	for (size_t n = 0; n < PIN_ITEM_SIZE; n++)
		EXPECT_EQ(-EBADMSG, pin_item_decode(BYTES(self->plain.p, n), &back));
	self->plain.n++;
	EXPECT_EQ(-EBADMSG, pin_item_decode(secret_bytes(&self->plain), &back));
}

/* Where the values stand in what is 30 81 8D, 02 01 authenticator, 02 01 tries, 02 01 00, 04 40 .., 04 40 .. */
enum { PROOF = 14, FRESH = PROOF + APP_PIN_FIELD + 2 };

TEST_F(order, padding_that_is_none_is_refused)
{
	static const size_t fields[] = { PROOF, FRESH };
	struct pin_item back;

	for (size_t i = 0; i < 2; i++) {
		uint8_t *field = self->plain.p + fields[i];

		memset(field, 0, APP_PIN_FIELD);
		EXPECT_EQ(-EBADMSG, pin_item_decode(secret_bytes(&self->plain), &back));
		field[0] = 0x01;
		EXPECT_EQ(-EBADMSG, pin_item_decode(secret_bytes(&self->plain), &back));
		field[0] = 0x80;
		ASSERT_EQ(0, pin_item_decode(secret_bytes(&self->plain), &back));
		EXPECT_EQ((size_t)0, (i == 0 ? back.proof : back.fresh).n);
	}
}

/* One byte of the zeros is another one: wherever it stands, whatever it is. */
TEST_F(order, padding_is_zero_to_its_end)
{
	static const uint8_t longest[APP_PIN_MAX] = { [0] = 'a', [APP_PIN_MAX - 1] = 'z' };
	static const uint8_t others[] = { 0x01, 0x40, 0x7f, 0x81, 0xff };
	static const size_t fields[] = { PROOF, FRESH };
	struct pin_item back;

	self->order.proof = self->order.fresh = BYTES_OF(longest);
	ASSERT_EQ(0, pin_item_encode(&self->order, &self->plain));
	for (size_t i = 0; i < 2; i++)
		for (size_t at = APP_PIN_MAX; at < APP_PIN_FIELD; at++)
			for (size_t k = 0; k < sizeof(others); k++) {
				uint8_t *byte = self->plain.p + fields[i] + at, good = *byte;

				*byte = others[k];
				EXPECT_EQ(-EBADMSG, pin_item_decode(secret_bytes(&self->plain), &back));
				*byte = good;
			}
	ASSERT_EQ(0, pin_item_decode(secret_bytes(&self->plain), &back));
	EXPECT_BYTES_EQ(BYTES_OF(longest), back.proof);
	EXPECT_BYTES_EQ(BYTES_OF(longest), back.fresh);
}

/* DER in order, padded as it should be, and a field of another length than 64. */
static void put_order(struct secret *plain, size_t proof, size_t fresh)
{
	static const uint8_t field[APP_PIN_FIELD + 1] = { '1', '2', '3', '4', 0x80 };
	struct packer p = pack_begin(plain->p, plain->cap);
	struct der_mark mark = der_begin(&p, DER_SEQUENCE);

	der_put_uint(&p, DER_INTEGER, KF_PIN_PUK);
	der_put_uint(&p, DER_INTEGER, 2);
	der_put_uint(&p, DER_INTEGER, 0);
	der_put(&p, DER_OCTETS, BYTES(field, proof));
	der_put(&p, DER_OCTETS, BYTES(field, fresh));
	der_end(&p, mark);
	ASSERT_EQ(0, pack_end(&p));
	plain->n = p.n;
}

TEST_F(order, a_field_of_another_length_is_refused)
{
	struct pin_item back;

	for (size_t n = 0; n <= APP_PIN_FIELD + 1; n++) {
		int want = n == APP_PIN_FIELD ? 0 : -EBADMSG;

		put_order(&self->plain, n, APP_PIN_FIELD);
		EXPECT_EQ(want, pin_item_decode(secret_bytes(&self->plain), &back));
		put_order(&self->plain, APP_PIN_FIELD, n);
		EXPECT_EQ(want, pin_item_decode(secret_bytes(&self->plain), &back));
	}
}

TEST(who_may_do_what_to_which_pin)
{
	unsigned int allowed = 0;

	for (int function = 0; function < 8; function++)
		for (uint32_t target = 0; target < 4; target++)
			for (uint32_t by = 0; by < 4; by++)
				allowed += pin_item_makes_sense((enum kf_function)function, target, by);
	EXPECT_EQ(4u, allowed);
	EXPECT_TRUE(pin_item_makes_sense(KF_FUNCTION_CHANGE_AUTHENTICATOR, KF_PIN_USER, KF_PIN_USER));
	EXPECT_TRUE(pin_item_makes_sense(KF_FUNCTION_CHANGE_AUTHENTICATOR, KF_PIN_USER, KF_PIN_PUK));
	EXPECT_TRUE(pin_item_makes_sense(KF_FUNCTION_CHANGE_AUTHENTICATOR, KF_PIN_PUK, KF_PIN_PUK));
	EXPECT_TRUE(pin_item_makes_sense(KF_FUNCTION_AUTHENTICATE, KF_PIN_USER, KF_PIN_USER));
}

TEST(a_mark_has_one_form)
{
	const struct pin_mark mark = { KF_PIN_USER, 3 };
	uint8_t der[16];
	struct packer p = pack_begin(der, sizeof(der));
	struct pin_mark back;

	pin_mark_pack(&p, &mark);
	ASSERT_EQ(0, pin_mark_parse(pack_done(&p), &back));
	EXPECT_EQ((uint32_t)KF_PIN_USER, back.pin);
	EXPECT_EQ(3u, back.tries);
	for (size_t n = 0; n < p.n; n++)
		EXPECT_EQ(-EBADMSG, pin_mark_parse(BYTES(der, n), &back));
	der[p.n] = 0;
	EXPECT_EQ(-EBADMSG, pin_mark_parse(BYTES(der, p.n + 1), &back));
}
