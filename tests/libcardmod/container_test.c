// SPDX-License-Identifier: LGPL-2.1-or-later
/* tests/libcardmod/container_test.c - What each call asks of the card, and who owns what comes back. */
#include "format/keys.h"
#include "format/ossl.h"
#include "tests/libcardmod/card_fixture.h"

FIXTURE(container)
{
	struct card_rig r;
	uint8_t spki[SPKI_MAX];
	struct packer p;
	EVP_PKEY *key;
};

FIXTURE_SETUP(container)
{
	card_begin(&self->r);
	self->p = pack_begin(self->spki, sizeof(self->spki));
	ASSERT_EQ(0, key_generate(KF_KEY_EC_P256, &self->key));
	ASSERT_EQ(0, key_spki(self->key, &self->p));
}

FIXTURE_TEARDOWN(container)
{
	EVP_PKEY_free(self->key);
	card_end(&self->r);
}

static void expect_created(struct fixture_container *self, DWORD spec, DWORD bits,
			   enum kf_key_type type, enum kf_purpose purpose)
{
	CARD_DATA *c = &self->r.card;
	const struct kf_container_create *create;
	struct packet p = fake_reply_begin(&self->r.f, KF_CONTAINER_CREATE, 0);

	((struct kf_container_create *)packet_body(&p))->container = 5;
	fake_send(&self->r.f, &p);
	card_reply_container(&self->r, card_entry(5, type, purpose, 0), pack_done(&self->p));
	EXPECT_EQ(SCARD_S_SUCCESS, c->pfnCardCreateContainer(c, 5, CARD_CREATE_CONTAINER_KEY_GEN,
							     spec, bits, NULL));
	create = card_asked(&self->r, KF_CONTAINER_CREATE, &p);
	EXPECT_EQ(5, create->container);
	EXPECT_EQ(type, create->key_type);
	EXPECT_EQ(purpose, create->purpose);
	(void)fake_asked(&self->r.f);
}

TEST_F(container, the_key_specification_is_type_and_purpose)
{
	expect_created(self, AT_KEYEXCHANGE, 3072, KF_KEY_RSA_3072, KF_PURPOSE_DECRYPT);
	expect_created(self, AT_SIGNATURE, 2048, KF_KEY_RSA_2048, KF_PURPOSE_SIGN);
	expect_created(self, AT_ECDSA_P384, 0, KF_KEY_EC_P384, KF_PURPOSE_SIGN);
	expect_created(self, AT_ECDHE_P521, 0, KF_KEY_EC_P521, KF_PURPOSE_DERIVE);
}

TEST_F(container, what_cannot_be_made_is_refused_without_asking)
{
	CARD_DATA *c = &self->r.card;
	BYTE blob[8] = { PRIVATEKEYBLOB, CUR_BLOB_VERSION };

	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE,
		  c->pfnCardCreateContainer(c, 5, CARD_CREATE_CONTAINER_KEY_IMPORT, AT_SIGNATURE,
					    2048, blob));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardCreateContainer(c, 5, 3, AT_SIGNATURE, 2048, NULL));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardCreateContainer(c, 5, CARD_CREATE_CONTAINER_KEY_GEN, 0, 2048, NULL));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardCreateContainer(c, 5, CARD_CREATE_CONTAINER_KEY_GEN, AT_SIGNATURE, 1024,
					    NULL));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardCreateContainer(c, 5, CARD_CREATE_CONTAINER_KEY_GEN, AT_ECDSA_P256, 256,
					    NULL));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardCreateContainerEx(c, 5, CARD_CREATE_CONTAINER_KEY_GEN, AT_SIGNATURE,
					      2048, NULL, ROLE_ADMIN));
	expect_told(c);
}

TEST_F(container, pin_and_occupation_are_the_cards_answers)
{
	CARD_DATA *c = &self->r.card;

	card_answer(&self->r, KF_CONTAINER_CREATE, -EPERM, KF_REASON_PIN_NEEDED, KF_PIN_USER);
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION,
		  c->pfnCardCreateContainer(c, 5, 1, AT_SIGNATURE, 2048, NULL));
	expect_told(c);
	card_answer(&self->r, KF_CONTAINER_CREATE, -EEXIST, 0, 0);
	EXPECT_EQ(ERROR_FILE_EXISTS,
		  c->pfnCardCreateContainer(c, 5, 1, AT_SIGNATURE, 2048, NULL));
	card_answer(&self->r, KF_CONTAINER_DELETE, -ENOENT, 0, 0);
	EXPECT_EQ(SCARD_E_NO_KEY_CONTAINER, c->pfnCardDeleteContainer(c, 5, 0));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, c->pfnCardDeleteContainer(c, 5, 1));
}

static DWORD info_of(struct fixture_container *self, enum kf_purpose purpose, CONTAINER_INFO *info)
{
	CARD_DATA *c = &self->r.card;

	card_reply_container(&self->r, card_entry(5, KF_KEY_EC_P256, purpose, 0),
			     pack_done(&self->p));
	return c->pfnCardGetContainerInfo(c, 5, 0, info);
}

TEST_F(container, a_signature_key_and_a_key_exchange_key_have_their_own_fields)
{
	CONTAINER_INFO info = { .dwVersion = 0 };

	ASSERT_EQ(SCARD_S_SUCCESS, info_of(self, KF_PURPOSE_SIGN, &info));
	EXPECT_EQ(1, info.dwVersion);
	EXPECT_EQ(72, info.cbSigPublicKey);
	EXPECT_NULL(info.pbKeyExPublicKey);
	EXPECT_EQ(0, info.cbKeyExPublicKey);
	EXPECT_EQ('S', info.pbSigPublicKey[2]);
	EXPECT_EQ(1, allocator_out);
	allocator_free(info.pbSigPublicKey);

	ASSERT_EQ(SCARD_S_SUCCESS, info_of(self, KF_PURPOSE_DERIVE, &info));
	EXPECT_EQ(72, info.cbKeyExPublicKey);
	EXPECT_NULL(info.pbSigPublicKey);
	EXPECT_EQ('K', info.pbKeyExPublicKey[2]);
	allocator_free(info.pbKeyExPublicKey);
}

TEST_F(container, information_of_nothing)
{
	CARD_DATA *c = &self->r.card;
	CONTAINER_INFO info = { .dwVersion = 2 };

	EXPECT_EQ(ERROR_REVISION_MISMATCH, c->pfnCardGetContainerInfo(c, 5, 0, &info));
	info.dwVersion = 1;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, c->pfnCardGetContainerInfo(c, 5, 1, &info));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, c->pfnCardGetContainerInfo(c, 5, 0, NULL));
	card_reply_container(&self->r, card_entry(5, KF_KEY_NONE, KF_PURPOSE_NONE, 0), BYTES_NONE);
	EXPECT_EQ(SCARD_E_NO_KEY_CONTAINER, c->pfnCardGetContainerInfo(c, 5, 0, &info));
	card_answer(&self->r, KF_CONTAINER_INFO, -ENOENT, 0, 0);
	EXPECT_EQ(SCARD_E_NO_KEY_CONTAINER, c->pfnCardGetContainerInfo(c, 200, 0, &info));
}

TEST_F(container, no_memory_for_the_caller_leaves_the_structure_as_it_was)
{
	CONTAINER_INFO info = { .dwVersion = 1, .dwReserved = 77 };

	allocator_fails_in = 0;
	EXPECT_EQ(SCARD_E_NO_MEMORY, info_of(self, KF_PURPOSE_SIGN, &info));
	allocator_fails_in = -1;
	EXPECT_EQ(77, info.dwReserved);
}

TEST_F(container, properties)
{
	CARD_DATA *c = &self->r.card;
	BYTE value[64];
	DWORD n = 0;

	card_reply_container(&self->r, card_entry(5, KF_KEY_EC_P256, KF_PURPOSE_SIGN,
						  KF_CONTAINER_PIN), BYTES_NONE);
	EXPECT_EQ(SCARD_S_SUCCESS,
		  c->pfnCardGetContainerProperty(c, 5, CCP_PIN_IDENTIFIER, value, 64, &n, 0));
	EXPECT_EQ(4, n);
	EXPECT_EQ(ROLE_USER, value[0]);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardGetContainerProperty(c, 5, u"Colour", value, 64, &n, 0));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardGetContainerProperty(c, 5, CCP_PIN_IDENTIFIER, value, 64, &n, 1));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardGetContainerProperty(c, 5, CCP_PIN_IDENTIFIER, value, 64, NULL, 0));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE,
		  c->pfnCardSetContainerProperty(c, 5, CCP_PIN_IDENTIFIER, value, 4, 0));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardSetContainerProperty(c, 5, u"Colour", value, 4, 0));
}

TEST_F(container, information_as_a_property_allocates_only_if_it_fits)
{
	CARD_DATA *c = &self->r.card;
	CONTAINER_INFO info = { 0 };
	DWORD n = 0;

	card_reply_container(&self->r, card_entry(5, KF_KEY_EC_P256, KF_PURPOSE_SIGN, 0),
			     pack_done(&self->p));
	EXPECT_EQ(ERROR_INSUFFICIENT_BUFFER,
		  c->pfnCardGetContainerProperty(c, 5, CCP_CONTAINER_INFO, (PBYTE)&info,
						 sizeof(info) - 1, &n, 0));
	EXPECT_EQ(sizeof(info), n);
	EXPECT_EQ(0, allocator_out);
	for (int i = 0; i < 2; i++)
		card_reply_container(&self->r, card_entry(5, KF_KEY_EC_P256, KF_PURPOSE_SIGN, 0),
				     pack_done(&self->p));
	EXPECT_EQ(SCARD_S_SUCCESS,
		  c->pfnCardGetContainerProperty(c, 5, CCP_CONTAINER_INFO, (PBYTE)&info,
						 sizeof(info), &n, 0));
	EXPECT_EQ(72, info.cbSigPublicKey);
	allocator_free(info.pbSigPublicKey);
}

/* What is behind the last one is the card's own offer, not a container's. */
TEST_F(container, a_container_the_card_has_not_makes_no_offer)
{
	CARD_DATA *c = &self->r.card;
	BYTE nonce[32] = { 1 };
	DWORD n;

	for (int index = 16; index < 256; index += 239) {
		EXPECT_EQ(SCARD_E_NO_KEY_CONTAINER,
			  c->pfnCardSetContainerProperty(c, (BYTE)index, KF_NONCE_PROPERTY, nonce,
							 sizeof(nonce), 0));
		EXPECT_EQ(SCARD_E_NO_KEY_CONTAINER,
			  c->pfnCardGetContainerProperty(c, (BYTE)index, KF_NONCE_PROPERTY, nonce,
							 sizeof(nonce), &n, 0));
	}
	expect_told(c);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardGetProperty(c, KF_NONCE_PROPERTY, nonce, sizeof(nonce), &n, 0));
}
