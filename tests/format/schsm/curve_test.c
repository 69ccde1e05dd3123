/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/schsm/curve.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "tests/harness.h"
#include "tests/keys/keys.h"

static const char *const groups[] = {
	"secp224r1",	   "prime256v1",      "secp384r1",	 "secp521r1",	    "secp256k1",
	"brainpoolP224r1", "brainpoolP256r1", "brainpoolP320r1", "brainpoolP384r1", "brainpoolP512r1",
};

enum { GROUPS = sizeof(groups) / sizeof(groups[0]) };

TEST(each_curve_is_found_by_its_numbers)
{
	for (size_t i = 0; i < GROUPS; i++) {
		struct curve curve, found;
		struct curve_claim claim;

		ASSERT_EQ(0, curve_from_group(groups[i], &curve));
		claim = curve_numbers(&curve);
		ASSERT_EQ(0, curve_from_claim(&claim, false, &found));
		EXPECT_STREQ(groups[i], found.group);
		EXPECT_EQ(curve.size, (curve.bits + 7) / 8);
	}
}

TEST(a_curve_with_one_number_changed_is_none)
{
	for (size_t i = 0; i < GROUPS; i++) {
		struct curve curve, found;
		uint8_t *const numbers[] = { curve.p, curve.a, curve.b, curve.n, curve.g };

		ASSERT_EQ(0, curve_from_group(groups[i], &curve));
		for (size_t n = 0; n < 5; n++) {
			struct curve_claim claim = curve_numbers(&curve);

			numbers[n][curve.size - 1] ^= 1;
			EXPECT_EQ(-EOPNOTSUPP, curve_from_claim(&claim, true, &found));
			numbers[n][curve.size - 1] ^= 1;
		}
	}
}

TEST(what_is_left_out_is_missed_unless_cards_leave_it_out)
{
	static const uint8_t two[] = { 2 };

	for (size_t i = 0; i < GROUPS; i++) {
		bool nist = strncmp(groups[i], "brain", 5) != 0 && strcmp(groups[i], "secp256k1") != 0;
		struct curve curve, found;
		struct curve_claim claim;

		ASSERT_EQ(0, curve_from_group(groups[i], &curve));
		claim = curve_numbers(&curve);
		claim.a = BYTES_NONE;
		EXPECT_EQ(-EOPNOTSUPP, curve_from_claim(&claim, false, &found));
		EXPECT_EQ(nist ? 0 : -EOPNOTSUPP, curve_from_claim(&claim, true, &found));
		claim = curve_numbers(&curve);
		claim.h = BYTES_NONE;
		EXPECT_EQ(-EOPNOTSUPP, curve_from_claim(&claim, false, &found));
		EXPECT_EQ(0, curve_from_claim(&claim, true, &found));
		claim.h = BYTES_OF(two);
		EXPECT_EQ(-EOPNOTSUPP, curve_from_claim(&claim, true, &found));
		claim = curve_numbers(&curve);
		claim.b = BYTES_NONE;
		EXPECT_EQ(-EOPNOTSUPP, curve_from_claim(&claim, true, &found));
	}
}

TEST(zeros_in_front_of_a_number_may_be_left_out_and_none_added)
{
	struct curve curve, found;
	struct curve_claim claim;
	uint8_t longer[1 + CURVE_SIZE_MAX] = { 0 };

	ASSERT_EQ(0, curve_from_group("secp521r1", &curve));
	claim = curve_numbers(&curve);
	ASSERT_EQ(0, claim.b.p[0]);	/* of P-521, the one with such a number */
	claim.b = bytes_slice(claim.b, 1, claim.b.n);
	EXPECT_EQ(0, curve_from_claim(&claim, false, &found));
	memcpy(longer + 1, curve.b, curve.size);
	claim.b = BYTES(longer, curve.size + 1);
	EXPECT_EQ(-EOPNOTSUPP, curve_from_claim(&claim, false, &found));
}

TEST(a_point_comes_back_and_no_other_form_of_it)
{
	for (size_t i = 0; i < GROUPS; i++) {
		_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", groups[i]);
		_cleanup_(EVP_PKEY_freep) EVP_PKEY *again = NULL;
		EVP_PKEY *none = NULL;
		uint8_t buf[CURVE_POINT_MAX];
		struct packer p = pack_begin(buf, sizeof(buf));
		struct curve curve;

		ASSERT_NOT_NULL(key);
		ASSERT_EQ(0, curve_of_key(key, &curve));
		ASSERT_EQ(0, curve_point(key, &p));
		ASSERT_EQ(0, curve_public_key(&curve, pack_done(&p), &again));
		EXPECT_EQ(1, EVP_PKEY_eq(key, again));
		EXPECT_EQ(-EBADMSG, curve_public_key(&curve, BYTES(buf, p.n - 1), &none));
		buf[p.n - 1] ^= 1;
		EXPECT_EQ(-EBADMSG, curve_public_key(&curve, pack_done(&p), &none));
		buf[p.n - 1] ^= 1;
		buf[0] = 0x06 | (buf[p.n - 1] & 1);	/* hybrid, which OpenSSL takes */
		EXPECT_EQ(-EBADMSG, curve_public_key(&curve, pack_done(&p), &none));
	}
}

TEST(a_curve_that_no_card_names_is_refused)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *rsa = NULL, *weak = NULL;
	struct curve curve;

	ASSERT_EQ(0, some_key(KF_KEY_RSA_2048, &rsa));
	EXPECT_EQ(-EOPNOTSUPP, curve_of_key(rsa, &curve));
	weak = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "prime192v1");
	ASSERT_NOT_NULL(weak);
	EXPECT_EQ(-EOPNOTSUPP, curve_of_key(weak, &curve));
	EXPECT_EQ(-EOPNOTSUPP, curve_from_group("sect233r1", &curve));
}
