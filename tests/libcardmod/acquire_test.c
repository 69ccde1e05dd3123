// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libcardmod/acquire_test.c - Getting a context: in which order what is refused, which
 * functions a version gets, and that no-card mode takes the listed calls and no others.
 *
 * Faces: libcardmod/absent.c
 */
#include "tests/libcardmod/no_card.h"

static DWORD acquire(CARD_DATA *card, DWORD flags)
{
	DWORD status = CardAcquireContext(card, flags);

	if (status != SCARD_S_SUCCESS)
		expect_told(NULL);
	return status;
}

static CARD_DATA card_data(void)
{
	static BYTE atr[] = { 0x3b, 0x00 };
	static WCHAR name[] = u"any";
	CARD_DATA card = allocator_card();

	card.pbAtr = atr;
	card.cbAtr = sizeof(atr);
	card.pwszCardName = name;
	card.hSCardCtx = card.hScard = 1;
	return card;
}

TEST(arguments_are_judged_in_the_order_of_shipping_minidrivers)
{
	CARD_DATA card = card_data();

	setenv("KEYFERRY_SOCKET", "/nonexistent/broker.sock", 1);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, acquire(NULL, 0));
	card.dwVersion = 3;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, acquire(&card, 2));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, acquire(&card, 3));
	EXPECT_EQ(ERROR_REVISION_MISMATCH, acquire(&card, 0));
	card = card_data();
	card.pbAtr = NULL;
	card.hScard = 0;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, acquire(&card, 0));
	card = card_data();
	card.cbAtr = 1;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, acquire(&card, 0));
	card.cbAtr = 34;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, acquire(&card, 0));
	card = card_data();
	card.pwszCardName = NULL;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, acquire(&card, 0));
	card = card_data();
	card.hSCardCtx = 0;
	EXPECT_EQ(SCARD_E_INVALID_HANDLE, acquire(&card, 0));
	card.pfnCspFree = NULL;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, acquire(&card, 0));
	card = card_data();
	EXPECT_EQ(SCARD_E_NO_SERVICE, acquire(&card, 0));
	EXPECT_NULL(card.pvVendorSpecific);
	EXPECT_NULL(card.pfnCardDeleteContext);
}

TEST(whatever_is_refused_no_context_is_left_to_follow)
{
	static const DWORD flags[] = { 0, 2, CARD_SECURE_KEY_INJECTION_NO_CARD_MODE };
	BYTE garbage[64] = { 0 };
	CARD_DATA card;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		card = card_data();
		card.dwVersion = flags[i] == 2 ? CARD_DATA_CURRENT_VERSION : 3;
		card.pvVendorSpecific = garbage;
		EXPECT_NE(SCARD_S_SUCCESS, CardAcquireContext(&card, flags[i]));
		ASSERT_NULL(card.pvVendorSpecific);
		expect_told(&card);
	}
}

TEST(no_card_mode_looks_at_neither_atr_nor_handles_but_at_the_name)
{
	static WCHAR other[] = u"another card";
	CARD_DATA card = no_card_data();

	EXPECT_EQ(SCARD_S_SUCCESS, acquire(&card, CARD_SECURE_KEY_INJECTION_NO_CARD_MODE));
	no_card_end(&card);
	card = no_card_data();
	card.pwszCardName = other;
	EXPECT_EQ(SCARD_E_UNKNOWN_CARD, acquire(&card, CARD_SECURE_KEY_INJECTION_NO_CARD_MODE));
	card = no_card_data();
	card.pfnCspAlloc = NULL;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  acquire(&card, CARD_SECURE_KEY_INJECTION_NO_CARD_MODE));
	card = no_card_data();
	card.hScard = 1;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  acquire(&card, CARD_SECURE_KEY_INJECTION_NO_CARD_MODE));
	card = no_card_data();
	card.dwVersion = 6;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  acquire(&card, CARD_SECURE_KEY_INJECTION_NO_CARD_MODE));
	EXPECT_EQ(0, allocator_out);
}

TEST(a_later_version_becomes_7_and_every_function_is_there)
{
	CARD_DATA card = no_card_data();
	void *function;

	card.dwVersion = 9;
	ASSERT_EQ(SCARD_S_SUCCESS, acquire(&card, CARD_SECURE_KEY_INJECTION_NO_CARD_MODE));
	EXPECT_EQ(7, card.dwVersion);
	for (size_t i = 15; i < 63; i++) {
		memcpy(&function, (BYTE *)&card + i * 8, sizeof(function));
		/* pvUnused3 and 4, and the two callbacks of the caller */
		if ((function == NULL) != (i == 28 || i == 29 || i == 43 || i == 52))
			TEST_FAIL("member %zu is %p", i, function);
	}
	no_card_end(&card);
}

/* --- the calls that are not on the list [minidriver 9] --- */

FIXTURE(no_card) { CARD_DATA card; };
FIXTURE_SETUP(no_card) { no_card_begin(&self->card); }
FIXTURE_TEARDOWN(no_card) { no_card_end(&self->card); }

TEST_F(no_card, containers_and_properties_are_refused)
{
	CARD_DATA *c = &self->card;
	CONTAINER_INFO info = { .dwVersion = 1 };
	BYTE data[32] = { 0 };
	DWORD n;

	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, c->pfnCardDeleteContainer(c, 0, 0));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE,
		  c->pfnCardCreateContainer(c, 0, 1, AT_KEYEXCHANGE, 3072, NULL));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE,
		  c->pfnCardCreateContainerEx(c, 0, 1, AT_KEYEXCHANGE, 3072, NULL, ROLE_USER));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, c->pfnCardGetContainerInfo(c, 0, 0, &info));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE,
		  c->pfnCardGetContainerProperty(c, 0, CCP_CONTAINER_INFO, data, 32, &n, 0));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE,
		  c->pfnCardSetContainerProperty(c, 0, KF_NONCE_PROPERTY, data, 32, 0));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE,
		  c->pfnCardGetProperty(c, CP_KEY_IMPORT_SUPPORT, data, 4, &n, 0));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE,
		  c->pfnCardSetProperty(c, CP_PARENT_WINDOW, data, 4, 0));
	expect_told(c);
}

TEST_F(no_card, queries_files_and_pins_are_refused)
{
	CARD_DATA *c = &self->card;
	CARD_CAPABILITIES capabilities = { .dwVersion = 1 };
	CARD_FREE_SPACE_INFO space = { .dwVersion = 1 };
	CARD_KEY_SIZES sizes = { .dwVersion = 1 };
	CARD_FILE_INFO file = { .dwVersion = 1 };
	char dir[] = "mscp", name[] = "cmapfile";
	LPSTR names = name;
	BYTE pin[] = "1234", *p = pin;
	DWORD n;

	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, c->pfnCardQueryCapabilities(c, &capabilities));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, c->pfnCardQueryFreeSpace(c, 0, &space));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, c->pfnCardQueryKeySizes(c, 1, 0, &sizes));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, c->pfnCardCreateDirectory(c, dir, 1));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, c->pfnCardDeleteDirectory(c, dir));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, c->pfnCardCreateFile(c, dir, name, 1, 1));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, c->pfnCardReadFile(c, dir, name, 0, &p, &n));
	EXPECT_NULL(p);
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, c->pfnCardWriteFile(c, dir, name, 0, pin, 4));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, c->pfnCardDeleteFile(c, dir, name, 0));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, c->pfnCardEnumFiles(c, dir, &names, &n, 0));
	EXPECT_NULL(names);
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, c->pfnCardGetFileInfo(c, dir, name, &file));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE,
		  c->pfnCardAuthenticatePin(c, wszCARD_USER_USER, pin, 4, &n));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE,
		  c->pfnCardAuthenticateEx(c, 1, 0, pin, 4, NULL, NULL, &n));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE,
		  c->pfnCardUnblockPin(c, wszCARD_USER_USER, pin, 4, pin, 4, 0, 2));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE,
		  c->pfnCardChangeAuthenticator(c, wszCARD_USER_USER, pin, 4, pin, 4, 0, 2, &n));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE,
		  c->pfnCardChangeAuthenticatorEx(c, 2, 1, pin, 4, 1, pin, 4, 0, &n));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, c->pfnCardDeauthenticate(c, wszCARD_USER_USER, 0));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, c->pfnCardDeauthenticateEx(c, 0xff, 0));
}

TEST_F(no_card, key_use_and_the_cards_half_are_refused)
{
	CARD_DATA *c = &self->card;
	CARD_SIGNING_INFO sign = { .dwVersion = 2 };
	CARD_RSA_DECRYPT_INFO decrypt = { .dwVersion = 2 };
	CARD_DH_AGREEMENT_INFO agree = { .dwVersion = 2 };
	CARD_DERIVE_KEY derive = { .dwVersion = 2, .hKey = 5 };
	CARD_KEY_HANDLE key = 5;
	BYTE data[8] = { 0 }, *p = data;
	DWORD n = 5;

	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, c->pfnCardSignData(c, &sign));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, c->pfnCardRSADecrypt(c, &decrypt));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, c->pfnCardConstructDHAgreement(c, &agree));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, c->pfnCardDeriveKey(c, &derive));
	EXPECT_EQ(0, derive.hKey);
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, c->pfnCardDestroyDHAgreement(c, 0, 0));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, c->pfnCardGetChallenge(c, &p, &n));
	EXPECT_NULL(p);
	EXPECT_EQ(0, n);
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, c->pfnCardGetChallengeEx(c, 2, &p, &n, 0));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, c->pfnCardAuthenticateChallenge(c, data, 8, &n));
	EXPECT_EQ(CARD_DATA_VALUE_UNKNOWN, n);
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE,
		  c->pfnCardImportSessionKey(c, 0, NULL, BCRYPT_OPAQUE_KEY_BLOB,
					     CARD_AES_ALGORITHM, &key, data, 8, CARD_PADDING_OAEP));
	EXPECT_EQ(0, key);
}

TEST_F(no_card, processing_has_no_card_to_go_to)
{
	CARD_DATA *c = &self->card;
	CARD_KEY_HANDLE key = no_card_import(c);
	BYTE data[8] = { 0 };
	CARD_ENCRYPTED_DATA blob = { data, sizeof(data) };

	EXPECT_EQ(SCARD_E_NO_SMARTCARD,
		  c->pfnCardProcessEncryptedData(c, key, CSF_IMPORT_KEYPAIR, &blob, 1, NULL, 0,
						 NULL, 0));
	expect_told(c);
}

TEST_F(no_card, two_contexts_do_not_know_each_others_keys)
{
	CARD_DATA other;
	CARD_KEY_HANDLE key = no_card_import(&self->card);

	no_card_begin(&other);
	EXPECT_EQ(SCARD_E_INVALID_HANDLE, other.pfnCardDestroyKey(&other, key));
	no_card_end(&other);
	EXPECT_EQ(SCARD_S_SUCCESS, self->card.pfnCardDestroyKey(&self->card, key));
}
