// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libcardmod/agreement_test.c - Method 4 in the words of the interface: what is remembered of
 * an agreement, and what goes to the card when a key is derived with it.
 */
#include "format/agree.h"
#include "tests/libcardmod/session_fixture.h"

enum { POINT = 1 + 64, BLOB = 8 + 64 };

/* The server's point as an ECCPUBLICBLOB. */
static BYTE blob[BLOB];
static BYTE proof[CONFIRMATION_SIZE] = { 0xaa, 0xbb };

static void reply_ec(struct fixture_session *self, enum kf_key_type type, enum kf_purpose purpose)
{
	card_reply_container(&self->r, card_entry(K1, type, purpose, 0), BYTES_NONE);
}

/* An offer by the EC key in K1. */
static void make_ec_offer(struct fixture_session *self)
{
	static BYTE offer[16384];
	static const DWORD target = TARGET;
	struct packet p;

	fakecard_use(&self->fake, KF_KEY_EC_P256);
	ASSERT_EQ(SCARD_S_SUCCESS, set(self, KF_NONCE_PROPERTY, self->nonce, 32));
	ASSERT_EQ(SCARD_S_SUCCESS, set(self, KF_TARGET_PROPERTY, &target, sizeof(target)));
	reply_ec(self, KF_KEY_EC_P256, KF_PURPOSE_DERIVE);
	reply_offer(self);
	ASSERT_EQ(SCARD_S_SUCCESS, get(self, KF_STATEMENT_PROPERTY, offer, sizeof(offer)));
	(void)fake_asked(&self->r.f);
	const struct kf_offer *asked = card_asked(&self->r, KF_OFFER, &p);

	EXPECT_EQ(KF_OFFER_EXISTING, asked->flags);
	EXPECT_EQ(KF_METHOD_ECDH, asked->method);
}

static CARD_DH_AGREEMENT_INFO agreement_info(void)
{
	const BCRYPT_ECCKEY_BLOB head = { BCRYPT_ECDH_PUBLIC_P256_MAGIC, 32 };

	for (size_t i = 0; i < BLOB; i++)
		blob[i] = (BYTE)i;
	memcpy(blob, &head, sizeof(head));
	return (CARD_DH_AGREEMENT_INFO){
		.dwVersion = CARD_DH_AGREEMENT_INFO_VERSION, .bContainerIndex = K1,
		.dwPublicKey = BLOB, .pbPublicKey = blob, .bSecretAgreementIndex = 77,
	};
}

static DWORD construct(struct fixture_session *self, CARD_DH_AGREEMENT_INFO *info)
{
	CARD_DATA *c = &self->r.card;

	reply_ec(self, KF_KEY_EC_P256, KF_PURPOSE_EXCHANGE);
	return c->pfnCardConstructDHAgreement(c, info);
}

static BYTE agree(struct fixture_session *self)
{
	CARD_DH_AGREEMENT_INFO info = agreement_info();

	ASSERT_EQ(SCARD_S_SUCCESS, construct(self, &info));
	(void)was_asked(self, 0);
	return info.bSecretAgreementIndex;
}

static BCryptBuffer buffer = { sizeof(proof), KF_KDF_CONFIRMATION, proof };
static BCryptBufferDesc list = { BCRYPTBUFFER_VERSION, 1, &buffer };

static CARD_DERIVE_KEY derive_info(BYTE index)
{
	static WCHAR kdf[] = KF_KDF_ECDH, aes[] = CARD_AES_ALGORITHM;

	return (CARD_DERIVE_KEY){
		.dwVersion = CARD_DERIVE_KEY_CURRENT_VERSION, .dwFlags = CARD_RETURN_KEY_HANDLE,
		.pwszKDF = kdf, .bSecretAgreementIndex = index, .pParameterList = &list,
		.pwszAlgId = aes, .dwKeyLen = 256, .hKey = 5,
	};
}

static DWORD derive(struct fixture_session *self, CARD_DERIVE_KEY *info)
{
	CARD_DATA *c = &self->r.card;

	return c->pfnCardDeriveKey(c, info);
}

TEST_F(session, point_and_confirmation_go_to_the_card_and_a_handle_comes_back)
{
	CARD_DATA *c = &self->r.card;
	const struct kf_session_import *asked;
	BYTE want[POINT + CONFIRMATION_SIZE] = { 4 };
	CARD_DERIVE_KEY info;
	struct packet p;

	make_ec_offer(self);
	info = derive_info(agree(self));
	reply_import(self);
	ASSERT_EQ(SCARD_S_SUCCESS, derive(self, &info));
	EXPECT_NE(0, info.hKey);
	EXPECT_NE(FAKE_KEY, info.hKey);
	EXPECT_NULL(info.pbDerivedKey);
	asked = card_asked(&self->r, KF_SESSION_IMPORT, &p);
	EXPECT_EQ(KF_METHOD_ECDH, asked->method);
	EXPECT_MEMEQ(self->fake.statement.sid, asked->sid, KF_SID_SIZE);
	memcpy(want + 1, blob + 8, 64);
	memcpy(want + POINT, proof, sizeof(proof));
	EXPECT_BYTES_EQ(BYTES_OF(want), packet_get(&p, kf_session_import, input));
	/* The handle is one like any other. */
	card_answer(&self->r, KF_KEY_DESTROY, 0, 0, 0);
	EXPECT_EQ(SCARD_S_SUCCESS, c->pfnCardDestroyKey(c, info.hKey));
	EXPECT_EQ(SCARD_E_INVALID_HANDLE, c->pfnCardDestroyKey(c, info.hKey));
}

TEST_F(session, a_wrong_confirmation_is_one_word_and_leaves_no_handle)
{
	CARD_DERIVE_KEY info;

	make_ec_offer(self);
	info = derive_info(agree(self));
	for (int i = 0; i < 20; i++) {
		info.hKey = 5;
		card_answer(&self->r, KF_SESSION_IMPORT, -EREMOTEIO, 0, 0);
		EXPECT_EQ(SCARD_E_UNEXPECTED, derive(self, &info));
		EXPECT_EQ(0, info.hKey);
		(void)was_asked(self, 0);
	}
}

TEST_F(session, an_agreement_needs_an_ec_key_that_was_offered)
{
	CARD_DH_AGREEMENT_INFO info = agreement_info();
	CARD_DATA *c = &self->r.card;

	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, construct(self, &info));
	expect_told(c);
	(void)was_asked(self, 0);
	make_offer(self);
	reply_ec(self, KF_KEY_RSA_3072, KF_PURPOSE_EXCHANGE);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, c->pfnCardConstructDHAgreement(c, &info));
	reply_ec(self, KF_KEY_EC_P256, KF_PURPOSE_SIGN);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, c->pfnCardConstructDHAgreement(c, &info));
	reply_ec(self, KF_KEY_NONE, KF_PURPOSE_NONE);
	EXPECT_EQ(SCARD_E_NO_KEY_CONTAINER, c->pfnCardConstructDHAgreement(c, &info));
	EXPECT_EQ(77, info.bSecretAgreementIndex);
}

TEST_F(session, versions_flags_and_blobs_of_an_agreement_are_judged)
{
	CARD_DATA *c = &self->r.card;
	CARD_DH_AGREEMENT_INFO info = agreement_info();

	make_ec_offer(self);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, c->pfnCardConstructDHAgreement(c, NULL));
	info.dwVersion = 1;			/* withdrawn [minidriver 3.7] */
	EXPECT_EQ(ERROR_REVISION_MISMATCH, c->pfnCardConstructDHAgreement(c, &info));
	info = agreement_info();
	info.dwFlags = 1;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, c->pfnCardConstructDHAgreement(c, &info));
	info = agreement_info();
	info.pbPublicKey = NULL;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, c->pfnCardConstructDHAgreement(c, &info));
	for (info = agreement_info(); info.dwPublicKey > 0;) {
		info.dwPublicKey--;
		EXPECT_EQ(SCARD_E_INVALID_PARAMETER, construct(self, &info));
	}
	info = agreement_info();
	blob[3] ^= 1;				/* another magic */
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, construct(self, &info));
	info = agreement_info();
	blob[4] = 48;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, construct(self, &info));
	info = agreement_info();
	reply_ec(self, KF_KEY_EC_P384, KF_PURPOSE_EXCHANGE);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, c->pfnCardConstructDHAgreement(c, &info));
	EXPECT_EQ(77, info.bSecretAgreementIndex);
	expect_told(c);
}

TEST_F(session, an_agreement_ends_once_and_there_is_room_for_8)
{
	CARD_DH_AGREEMENT_INFO info = agreement_info();
	CARD_DATA *c = &self->r.card;
	CARD_DERIVE_KEY key;

	make_ec_offer(self);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, c->pfnCardDestroyDHAgreement(c, 0, 0));
	for (int i = 0; i < 8; i++)
		EXPECT_EQ(i, agree(self));
	EXPECT_EQ(SCARD_E_NO_MEMORY, construct(self, &info));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, c->pfnCardDestroyDHAgreement(c, 3, 1));
	EXPECT_EQ(SCARD_S_SUCCESS, c->pfnCardDestroyDHAgreement(c, 3, 0));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, c->pfnCardDestroyDHAgreement(c, 3, 0));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, c->pfnCardDestroyDHAgreement(c, 8, 0));
	key = derive_info(3);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, derive(self, &key));
	key = derive_info(8);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, derive(self, &key));
	EXPECT_EQ(3, agree(self));
}

TEST_F(session, an_agreement_goes_with_its_key_and_with_its_offer)
{
	CARD_DATA *c = &self->r.card;
	CARD_DERIVE_KEY info;

	make_ec_offer(self);
	info = derive_info(agree(self));
	self->nonce[0]++;			/* drops the offer */
	ASSERT_EQ(SCARD_S_SUCCESS, set(self, KF_NONCE_PROPERTY, self->nonce, 32));
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, derive(self, &info));
	expect_told(c);
	card_answer(&self->r, KF_CONTAINER_DELETE, 0, 0, 0);
	ASSERT_EQ(SCARD_S_SUCCESS, c->pfnCardDeleteContainer(c, K1, 0));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, derive(self, &info));
	EXPECT_EQ(0, info.hKey);
	EXPECT_FALSE(was_asked(self, KF_SESSION_IMPORT));
}

TEST_F(session, no_bytes_of_a_derived_key_come_out)
{
	CARD_DERIVE_KEY info;
	BYTE bytes[32];

	make_ec_offer(self);
	info = derive_info(agree(self));
	info.dwFlags = 0;
	info.pbDerivedKey = bytes;
	info.cbDerivedKey = sizeof(bytes);
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, derive(self, &info));
	info = derive_info(0);
	info.dwVersion = 1;			/* had no handle */
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, derive(self, &info));
	EXPECT_EQ(5, info.hKey);
	expect_told(&self->r.card);
}

TEST_F(session, what_is_derived_and_how_is_judged_before_the_card)
{
	static WCHAR hash[] = BCRYPT_KDF_HASH, none[] = u"none", tdes[] = CARD_3DES_ALGORITHM;
	CARD_DATA *c = &self->r.card;
	CARD_DERIVE_KEY info;

	make_ec_offer(self);
	(void)agree(self);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, c->pfnCardDeriveKey(c, NULL));
	info = derive_info(0);
	info.dwVersion = 3;
	EXPECT_EQ(ERROR_REVISION_MISMATCH, derive(self, &info));
	info = derive_info(0);
	info.dwFlags |= 1;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, derive(self, &info));
	info = derive_info(0);
	info.dwFlags |= CARD_BUFFER_SIZE_ONLY;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, derive(self, &info));
	info = derive_info(0);
	info.pwszKDF = hash;
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, derive(self, &info));
	info.pwszKDF = none;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, derive(self, &info));
	info.pwszKDF = NULL;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, derive(self, &info));
	info = derive_info(0);
	info.pwszAlgId = tdes;
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, derive(self, &info));
	info.pwszAlgId = NULL;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, derive(self, &info));
	info = derive_info(0);
	info.dwKeyLen = 32;			/* bits, not bytes */
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, derive(self, &info));
	EXPECT_EQ(0, info.hKey);
	EXPECT_FALSE(was_asked(self, KF_SESSION_IMPORT));
}

static DWORD derive_with(struct fixture_session *self, const BCryptBufferDesc *with)
{
	CARD_DERIVE_KEY info = derive_info(0);

	info.pParameterList = (PVOID)(uintptr_t)with;
	return derive(self, &info);
}

TEST_F(session, the_servers_confirmation_is_the_one_parameter)
{
	BCryptBuffer other = { 16, KDF_HASH_ALGORITHM, proof }, cut = { 15, KF_KDF_CONFIRMATION, proof };
	BCryptBuffer hole = { 16, KF_KDF_CONFIRMATION, NULL }, two[2] = { buffer, buffer };
	const BCryptBufferDesc bad[] = {
		{ 1, 1, &buffer }, { 0, 0, &buffer }, { 0, 1, NULL }, { 0, 1, &other }, { 0, 1, &cut },
		{ 0, 1, &hole }, { 0, 2, two },
	};

	make_ec_offer(self);
	(void)agree(self);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, derive_with(self, NULL));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT_EQ(SCARD_E_INVALID_PARAMETER, derive_with(self, &bad[i]));
	expect_told(&self->r.card);
	EXPECT_FALSE(was_asked(self, KF_SESSION_IMPORT));
}
