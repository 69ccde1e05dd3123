// SPDX-License-Identifier: LGPL-2.1-or-later
/* tests/libcardmod/property_test.c - Every property, its flags and its bytes. */
#include "libcardmod/utf16.h"
#include "tests/libcardmod/card_fixture.h"

FIXTURE(property) { struct card_rig r; BYTE value[256]; DWORD len; };
FIXTURE_SETUP(property) { card_begin(&self->r); }
FIXTURE_TEARDOWN(property) { card_end(&self->r); }

static DWORD get(struct fixture_property *self, LPCWSTR name, DWORD flags)
{
	CARD_DATA *c = &self->r.card;

	self->len = 0;
	return c->pfnCardGetProperty(c, name, self->value, sizeof(self->value), &self->len, flags);
}

/* The card is asked; the value is @n little-endian DWORDs. */
static void expect_numbers(struct fixture_property *self, LPCWSTR name, DWORD flags,
			   const DWORD *want, size_t n)
{
	card_reply_info(&self->r);
	EXPECT_EQ(SCARD_S_SUCCESS, get(self, name, flags));
	(void)fake_asked(&self->r.f);
	EXPECT_BYTES_EQ(BYTES(want, n * sizeof(*want)), BYTES(self->value, self->len));
}

static void expect_number(struct fixture_property *self, LPCWSTR name, DWORD flags, DWORD want)
{
	expect_numbers(self, name, flags, &want, 1);
}

TEST_F(property, import_support_says_what_this_library_goes_through_with)
{
	/* The card says more: plain text is never among it. */
	expect_number(self, CP_KEY_IMPORT_SUPPORT, 0,
		      CARD_KEY_IMPORT_RSA_KEYEST | CARD_KEY_IMPORT_ECC_KEYEST |
			      CARD_KEY_IMPORT_SHARED_SYMMETRIC);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, get(self, CP_KEY_IMPORT_SUPPORT, 1));
}

TEST_F(property, algorithms_are_multi_strings_by_operation)
{
	static const WCHAR ciphers[] = u"AES\0";
	static const WCHAR others[] = u"RSA\0ECDSA_P256\0ECDH_P256\0";

	card_reply_info(&self->r);
	EXPECT_EQ(SCARD_S_SUCCESS, get(self, CP_ENUM_ALGORITHMS, CARD_CIPHER_OPERATION));
	EXPECT_BYTES_EQ(BYTES(ciphers, sizeof(ciphers)), BYTES(self->value, self->len));
	card_reply_info(&self->r);
	EXPECT_EQ(SCARD_S_SUCCESS, get(self, CP_ENUM_ALGORITHMS, CARD_ASYMMETRIC_OPERATION));
	EXPECT_BYTES_EQ(BYTES(others, sizeof(others)), BYTES(self->value, self->len));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, get(self, CP_ENUM_ALGORITHMS, 0));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, get(self, CP_ENUM_ALGORITHMS, 3));
}

TEST_F(property, paddings_are_of_the_card_family)
{
	expect_number(self, CP_PADDING_SCHEMES, CARD_ASYMMETRIC_OPERATION,
		      CARD_PADDING_PKCS1 | CARD_PADDING_PSS | CARD_PADDING_OAEP);
	expect_number(self, CP_PADDING_SCHEMES, CARD_CIPHER_OPERATION, CARD_BLOCK_PADDING);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, get(self, CP_PADDING_SCHEMES, 0));
}

TEST_F(property, chaining_modes_take_no_flag_or_the_cipher_one)
{
	for (DWORD flags = 0; flags <= 1; flags++) {
		card_reply_info(&self->r);
		EXPECT_EQ(SCARD_S_SUCCESS, get(self, CP_CHAINING_MODES, flags));
		EXPECT_TRUE(utf16_equal((LPCWSTR)(void *)self->value, CARD_CHAIN_MODE_CBC));
		EXPECT_EQ(34, self->len);
	}
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, get(self, CP_CHAINING_MODES, 2));
}

TEST_F(property, numbers_and_structures)
{
	static const DWORD capabilities[] = { 1, 1, 1 }, sizes[] = { 1, 2048, 3072, 4096, 1024 };
	static const DWORD ec[] = { 1, 256, 256, 256, 0 };
	static const DWORD user[] = { 6, 0, 5, 2, 4, 6, 0, 0, 0 }, puk[] = { 6, 0, 6, 0, 0, 6, 0, 0, 0 };

	expect_numbers(self, CP_CARD_CAPABILITIES, 0, capabilities, 3);
	expect_numbers(self, CP_CARD_KEYSIZES, AT_KEYEXCHANGE, sizes, 5);
	expect_numbers(self, CP_CARD_KEYSIZES, AT_ECDSA_P256, ec, 5);
	expect_numbers(self, CP_CARD_PIN_INFO, ROLE_USER, user, 9);
	expect_numbers(self, CP_CARD_PIN_INFO, ROLE_ADMIN, puk, 9);
	expect_number(self, CP_CARD_READ_ONLY, 0, 0);
	expect_number(self, CP_CARD_CACHE_MODE, 0, CP_CACHE_MODE_NO_CACHE);
	expect_number(self, CP_SUPPORTS_WIN_X509_ENROLLMENT, 0, 1);
	expect_number(self, CP_CARD_LIST_PINS, 0, 6);
	expect_number(self, CP_CARD_AUTHENTICATED_STATE, 0, 2);
	expect_number(self, CP_CARD_PIN_STRENGTH_VERIFY, ROLE_USER, CARD_PIN_STRENGTH_PLAINTEXT);
	expect_number(self, CP_CARD_PIN_STRENGTH_CHANGE, ROLE_ADMIN, 0);
	expect_number(self, CP_CARD_PIN_STRENGTH_UNBLOCK, ROLE_USER, CARD_PIN_STRENGTH_PLAINTEXT);
}

TEST_F(property, a_key_the_card_has_not_or_a_pin_it_has_not)
{
	card_reply_info(&self->r);
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, get(self, CP_CARD_KEYSIZES, AT_ECDSA_P521));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, get(self, CP_CARD_KEYSIZES, 9));
	card_reply_info(&self->r);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, get(self, CP_CARD_PIN_INFO, 3));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, get(self, CP_CARD_PIN_INFO, 8));
}

TEST_F(property, free_space_counts_empty_containers)
{
	const struct kf_container_entry entries[] = {
		card_entry(0, KF_KEY_RSA_3072, KF_PURPOSE_EXCHANGE, 0),
		card_entry(1, KF_KEY_NONE, KF_PURPOSE_NONE, 0),
		card_entry(2, KF_KEY_NONE, KF_PURPOSE_NONE, 0),
	};
	static const DWORD want[] = { 1, CARD_DATA_VALUE_UNKNOWN, 2, 3 };

	card_reply_info(&self->r);
	card_reply_list(&self->r, entries, 3);
	EXPECT_EQ(SCARD_S_SUCCESS, get(self, CP_CARD_FREE_SPACE, 0));
	EXPECT_BYTES_EQ(BYTES(want, sizeof(want)), BYTES(self->value, self->len));
}

TEST_F(property, serial_number_and_identifier)
{
	struct packet p;

	card_reply_info(&self->r);
	EXPECT_EQ(SCARD_S_SUCCESS, get(self, CP_CARD_SERIAL_NO, 0));
	EXPECT_BYTES_EQ(BYTES("SN-007", 6), BYTES(self->value, self->len));
	card_reply_info(&self->r);
	p = fake_reply_begin(&self->r.f, KF_DEVICE_CERT, 0);
	packet_set(&p, kf_device_cert, chain, BYTES("\x30\x01\x00", 3));
	fake_send(&self->r.f, &p);
	EXPECT_EQ(SCARD_S_SUCCESS, get(self, CP_CARD_GUID, 0));
	EXPECT_EQ(16, self->len);
}

TEST_F(property, a_certificate_that_is_none_is_told_in_words_of_our_own)
{
	struct packet p;

	card_answer(&self->r, KF_CARD_INFO, -ESTALE, KF_REASON_REMOVED, 0);
	EXPECT_EQ(SCARD_W_REMOVED_CARD, get(self, CP_CARD_GUID, 0));
	card_reply_info(&self->r);
	p = fake_reply_begin(&self->r.f, KF_DEVICE_CERT, 0);
	packet_set(&p, kf_device_cert, chain, BYTES("\x31\x01\x00", 3));
	fake_send(&self->r.f, &p);
	EXPECT_EQ(SCARD_E_UNEXPECTED, get(self, CP_CARD_GUID, 0));
	expect_told(&self->r.card);
}

TEST_F(property, names_and_arguments_are_judged_before_the_card_is_asked)
{
	CARD_DATA *c = &self->r.card;

	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, get(self, u"key import support", 0));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, get(self, NULL, 0));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, get(self, CP_PARENT_WINDOW, 0));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardGetProperty(c, CP_CARD_LIST_PINS, self->value, 4, NULL, 0));
	expect_told(c);
}

TEST_F(property, the_injection_properties_cannot_be_set)
{
	static LPCWSTR const names[] = {
		CP_KEY_IMPORT_SUPPORT, CP_ENUM_ALGORITHMS, CP_PADDING_SCHEMES, CP_CHAINING_MODES,
		CP_CARD_GUID, CP_CARD_PIN_INFO,
	};
	CARD_DATA *c = &self->r.card;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE,
			  c->pfnCardSetProperty(c, names[i], self->value, 4, 0));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardSetProperty(c, u"Colour", self->value, 4, 0));
	EXPECT_EQ(SCARD_S_SUCCESS, c->pfnCardSetProperty(c, CP_PARENT_WINDOW, self->value, 8, 0));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardSetProperty(c, CP_PARENT_WINDOW, self->value, 8, 1));
}

TEST_F(property, the_older_queries_give_the_same_in_structures)
{
	CARD_CAPABILITIES capabilities = { .dwVersion = 0 };
	CARD_KEY_SIZES sizes = { .dwVersion = 1 };
	CARD_DATA *c = &self->r.card;

	card_reply_info(&self->r);
	EXPECT_EQ(SCARD_S_SUCCESS, c->pfnCardQueryCapabilities(c, &capabilities));
	EXPECT_EQ(1, capabilities.dwVersion);
	EXPECT_EQ(TRUE, capabilities.fKeyGen);
	card_reply_info(&self->r);
	EXPECT_EQ(SCARD_S_SUCCESS, c->pfnCardQueryKeySizes(c, AT_SIGNATURE, 0, &sizes));
	EXPECT_EQ(4096, sizes.dwMaximumBitlen);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, c->pfnCardQueryKeySizes(c, AT_SIGNATURE, 1, &sizes));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, c->pfnCardQueryKeySizes(c, 77, 0, &sizes));
	sizes.dwVersion = 2;
	EXPECT_EQ(ERROR_REVISION_MISMATCH, c->pfnCardQueryKeySizes(c, AT_SIGNATURE, 0, &sizes));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, c->pfnCardQueryCapabilities(c, NULL));
}

TEST_F(property, a_card_that_went_is_said_to_have_gone)
{
	card_answer(&self->r, KF_CARD_INFO, -ESTALE, KF_REASON_REMOVED, 0);
	EXPECT_EQ(SCARD_W_REMOVED_CARD, get(self, CP_CARD_LIST_PINS, 0));
	expect_told(&self->r.card);
}

TEST(another_atr_is_another_card)
{
	struct card_rig r;

	card_connect(&r);
	r.card.cbAtr--;
	card_answer(&r, KF_CONTEXT_CLOSE, 0, 0, 0);
	EXPECT_EQ(SCARD_E_UNKNOWN_CARD, acquire_card(&r.card, take_ptr(r.f.client), "virtual:a"));
	EXPECT_NULL(r.card.pvVendorSpecific);
	card_end(&r);
}
