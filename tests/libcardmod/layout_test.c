/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Layouts and numbers of keyferry/cardmod.h, compared with the interface's own tables. The header
 * asserts its layouts to every compiler; here they are written down a second time, so that a wrong
 * assertion is noticed, and so are the values that no compiler can know.
 */
#include "keyferry/cardmod.h"
#include "tests/harness.h"

struct layout_row {
	const char *name;
	size_t want, got;
};

#define SIZE(type, n) { #type, n, sizeof(type) }
#define AT(type, member, n) { #type "." #member, n, offsetof(type, member) }

static const struct layout_row layout[] = {
	SIZE(BYTE, 1), SIZE(WORD, 2), SIZE(DWORD, 4), SIZE(LONG, 4), SIZE(BOOL, 4), SIZE(WCHAR, 2),
	SIZE(CARD_KEY_HANDLE, 8), SIZE(SCARDHANDLE, 8), SIZE(SECRET_TYPE, 4),
	SIZE(CARD_ENCRYPTED_DATA, 16), SIZE(CARD_IMPORT_KEYPAIR, 24),
	SIZE(CARD_CHANGE_AUTHENTICATOR, 28), SIZE(CARD_CHANGE_AUTHENTICATOR_RESPONSE, 8),
	SIZE(CARD_AUTHENTICATE, 16), SIZE(CARD_AUTHENTICATE_RESPONSE, 12),
	SIZE(CONTAINER_INFO, 40), SIZE(CARD_CAPABILITIES, 12), SIZE(CARD_FREE_SPACE_INFO, 16),
	SIZE(CARD_KEY_SIZES, 20), SIZE(CARD_FILE_INFO, 12), SIZE(PIN_CACHE_POLICY, 12),
	SIZE(PIN_INFO, 36), SIZE(CARD_RSA_DECRYPT_INFO, 48), SIZE(CARD_SIGNING_INFO, 72),
	SIZE(CARD_DH_AGREEMENT_INFO, 40), SIZE(CARD_DERIVE_KEY, 72),
	SIZE(BCRYPT_PKCS1_PADDING_INFO, 8), SIZE(BCRYPT_OAEP_PADDING_INFO, 24),
	SIZE(BCRYPT_PSS_PADDING_INFO, 16), SIZE(CONTAINER_MAP_RECORD, 86),
	SIZE(CARD_CACHE_FILE_FORMAT, 6), SIZE(BCRYPT_KEY_DATA_BLOB_HEADER, 12),
	SIZE(BCRYPT_RSAKEY_BLOB, 24), SIZE(BCRYPT_ECCKEY_BLOB, 8), SIZE(BLOBHEADER, 8),
	SIZE(RSAPUBKEY, 12), SIZE(CARD_DATA, 504),
	AT(CARD_IMPORT_KEYPAIR, pbInput, 24), AT(CARD_CHANGE_AUTHENTICATOR, pbData, 28),
	AT(CARD_AUTHENTICATE, pbPinData, 16), AT(CARD_AUTHENTICATE_RESPONSE, pbSessionPin, 12),
	AT(CARD_ENCRYPTED_DATA, cbEncryptedData, 8), AT(CARD_DATA, hScard, 104),
	AT(CARD_DATA, pvVendorSpecific, 112), AT(CARD_DATA, pfnCardProcessEncryptedData, 488),
	AT(CARD_DATA, pfnCardDestroyKey, 480), AT(CARD_DATA, pfnCardCreateContainerEx, 496),
};

TEST(every_layout_is_that_of_64_bit_windows)
{
	for (size_t i = 0; i < sizeof(layout) / sizeof(layout[0]); i++)
		if (layout[i].want != layout[i].got)
			TEST_FAIL("%s: %zu, where %zu was wanted", layout[i].name, layout[i].got,
				  layout[i].want);
}

/* The members of CARD_DATA in the order of the table, a pointer apart each. */
#define MEMBER(member) offsetof(CARD_DATA, member)
static const size_t members[] = {
	MEMBER(dwVersion), MEMBER(pbAtr), MEMBER(cbAtr), MEMBER(pwszCardName), MEMBER(pfnCspAlloc),
	MEMBER(pfnCspReAlloc), MEMBER(pfnCspFree), MEMBER(pfnCspCacheAddFile),
	MEMBER(pfnCspCacheLookupFile), MEMBER(pfnCspCacheDeleteFile), MEMBER(pvCacheContext),
	MEMBER(pfnCspPadData), MEMBER(hSCardCtx), MEMBER(hScard), MEMBER(pvVendorSpecific),
	MEMBER(pfnCardDeleteContext), MEMBER(pfnCardQueryCapabilities),
	MEMBER(pfnCardDeleteContainer), MEMBER(pfnCardCreateContainer),
	MEMBER(pfnCardGetContainerInfo), MEMBER(pfnCardAuthenticatePin), MEMBER(pfnCardGetChallenge),
	MEMBER(pfnCardAuthenticateChallenge), MEMBER(pfnCardUnblockPin),
	MEMBER(pfnCardChangeAuthenticator), MEMBER(pfnCardDeauthenticate),
	MEMBER(pfnCardCreateDirectory), MEMBER(pfnCardDeleteDirectory), MEMBER(pvUnused3),
	MEMBER(pvUnused4), MEMBER(pfnCardCreateFile), MEMBER(pfnCardReadFile),
	MEMBER(pfnCardWriteFile), MEMBER(pfnCardDeleteFile), MEMBER(pfnCardEnumFiles),
	MEMBER(pfnCardGetFileInfo), MEMBER(pfnCardQueryFreeSpace), MEMBER(pfnCardQueryKeySizes),
	MEMBER(pfnCardSignData), MEMBER(pfnCardRSADecrypt), MEMBER(pfnCardConstructDHAgreement),
	MEMBER(pfnCardDeriveKey), MEMBER(pfnCardDestroyDHAgreement), MEMBER(pfnCspGetDHAgreement),
	MEMBER(pfnCardGetChallengeEx), MEMBER(pfnCardAuthenticateEx),
	MEMBER(pfnCardChangeAuthenticatorEx), MEMBER(pfnCardDeauthenticateEx),
	MEMBER(pfnCardGetContainerProperty), MEMBER(pfnCardSetContainerProperty),
	MEMBER(pfnCardGetProperty), MEMBER(pfnCardSetProperty), MEMBER(pfnCspUnpadData),
	MEMBER(pfnMDImportSessionKey), MEMBER(pfnMDEncryptData), MEMBER(pfnCardImportSessionKey),
	MEMBER(pfnCardGetSharedKeyHandle), MEMBER(pfnCardGetAlgorithmProperty),
	MEMBER(pfnCardGetKeyProperty), MEMBER(pfnCardSetKeyProperty), MEMBER(pfnCardDestroyKey),
	MEMBER(pfnCardProcessEncryptedData), MEMBER(pfnCardCreateContainerEx),
};

TEST(the_63_members_stand_in_their_order)
{
	EXPECT_EQ(63, sizeof(members) / sizeof(members[0]));
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (members[i] != 8 * i)
			TEST_FAIL("member %zu is at %zu", i, members[i]);
}

TEST(pss_and_oaep_are_swapped_between_the_families)
{
	EXPECT_EQ(4, CARD_PADDING_PSS);
	EXPECT_EQ(8, CARD_PADDING_OAEP);
	EXPECT_EQ(8, BCRYPT_PAD_PSS);
	EXPECT_EQ(4, BCRYPT_PAD_OAEP);
}

TEST(codes_are_those_of_windows_where_pcsc_lite_differs)
{
	EXPECT_EQ(0x8010001fu, SCARD_E_UNEXPECTED);
	EXPECT_EQ(0x80100022u, SCARD_E_UNSUPPORTED_FEATURE);
	EXPECT_EQ(0x8010006au, SCARD_W_SECURITY_VIOLATION);
	EXPECT_EQ(0x80100030u, SCARD_E_NO_KEY_CONTAINER);
	EXPECT_EQ(0x80100072u, SCARD_W_CACHE_ITEM_TOO_BIG);
	EXPECT_EQ(0x80100004u, SCARD_E_INVALID_PARAMETER);
	EXPECT_EQ(1306u, ERROR_REVISION_MISMATCH);
	EXPECT_EQ(122u, ERROR_INSUFFICIENT_BUFFER);
}

static bool spelt(LPCWSTR name, const char *text)
{
	for (; *text; name++, text++)
		if (*name != (WCHAR)*text)
			return false;
	return *name == 0;
}

TEST(names_are_spelt_as_in_the_interface)
{
	static const struct {
		LPCWSTR name;
		const char *text;
	} names[] = {
		{ CP_KEY_IMPORT_SUPPORT, "Key Import Support" },
		{ CP_ENUM_ALGORITHMS, "Algorithms" },
		{ CP_PADDING_SCHEMES, "Padding Schemes" },
		{ CP_CHAINING_MODES, "Chaining Modes" },
		{ CP_SUPPORTS_WIN_X509_ENROLLMENT, "Supports Windows x.509 Enrollment" },
		{ CKP_CHAINING_MODE, "ChainingMode" },
		{ CKP_INITIALIZATION_VECTOR, "IV" },
		{ CKP_BLOCK_LENGTH, "BlockLength" },
		{ CSF_IMPORT_KEYPAIR, "Import Key Pair" },
		{ CSF_CHANGE_AUTHENTICATOR, "Change Authenticator" },
		{ CSF_AUTHENTICATE, "Authenticate" },
		{ CARD_3DES_112_ALGORITHM, "3DES_112" },
		{ CARD_AES_ALGORITHM, "AES" },
		{ CARD_CHAIN_MODE_CBC, "ChainingModeCBC" },
		{ BCRYPT_KEY_DATA_BLOB, "KeyDataBlob" },
		{ BCRYPT_OPAQUE_KEY_BLOB, "OpaqueKeyBlob" },
		{ KF_NONCE_PROPERTY, "KF Nonce" },
		{ KF_STATEMENT_PROPERTY, "KF Statement" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!spelt(names[i].name, names[i].text))
			TEST_FAIL("%s is spelt otherwise", names[i].text);
}

TEST(a_pin_set_is_a_mask_by_id)
{
	PIN_SET set = CREATE_PIN_SET(3);

	EXPECT_EQ(8u, set);		/* 0000 1000, whatever the guidelines show */
	SET_PIN(set, ROLE_USER);
	EXPECT_TRUE(IS_PIN_SET(set, ROLE_USER));
	CLEAR_PIN(set, 3);
	EXPECT_EQ(2u, set);
}
