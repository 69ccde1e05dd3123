/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/libcardmod/seal_fixture.h - A no-card context, a fake card that makes statements and opens
 * items, and a session key on the way between the two.
 */
#pragma once

#include "libserver/json/cargo.h"
#include "tests/libcardmod/blobs.h"
#include "tests/libcardmod/no_card.h"
#include "tests/libserver/fakecard.h"

enum { SEAL_TARGET = 3 };		/* what a fake card attests */

struct sealing {
	CARD_DATA card;
	CARD_KEY_HANDLE key;
	struct fakecard fake;
	char *offer;
	EVP_PKEY *pair;
	uint8_t input[sizeof(CARD_IMPORT_KEYPAIR) + BLOB_MAX];
	DWORD input_len;
	BYTE nonce[32];
};

static inline DWORD seal_set_key(struct sealing *s, LPCWSTR name, const void *value, size_t n)
{
	return s->card.pfnCardSetKeyProperty(&s->card, s->key, name, (PBYTE)(uintptr_t)value,
					     (DWORD)n, 0);
}

static inline DWORD seal_get_key(struct sealing *s, LPCWSTR name, void *value, size_t cap,
				 DWORD *len)
{
	return s->card.pfnCardGetKeyProperty(&s->card, s->key, name, value, (DWORD)cap, len, 0);
}

static inline void seal_begin(struct sealing *s)
{
	*s = (struct sealing){ .nonce = { 1, 2, 3 } };
	fakecard_init(&s->fake, NULL);
	s->offer = fakecard_offer(&s->fake, s->nonce, NULL);
	no_card_begin(&s->card);
	s->key = no_card_import(&s->card);
}

static inline void seal_end(struct sealing *s)
{
	no_card_end(&s->card);
	free(s->offer);
	EVP_PKEY_free(s->pair);
	fakecard_deinit(&s->fake);
}

/* One offer is sealed for once. */
static inline void seal_new_offer(struct sealing *s)
{
	free(s->offer);
	s->offer = fakecard_offer(&s->fake, s->nonce, NULL);
}

/* Everything but the statement. */
static inline void seal_trust(struct sealing *s)
{
	static const DWORD yes = 1;

	ASSERT_EQ(SCARD_S_SUCCESS, seal_set_key(s, KF_DEVICE_PROPERTY, s->fake.cert_der.p,
						s->fake.cert_der.n));
	ASSERT_EQ(SCARD_S_SUCCESS, seal_set_key(s, KF_ROOT_PROPERTY, s->fake.root_der.p,
						s->fake.root_der.n));
	ASSERT_EQ(SCARD_S_SUCCESS, seal_set_key(s, KF_VIRTUAL_PROPERTY, &yes, sizeof(yes)));
	ASSERT_EQ(SCARD_S_SUCCESS, seal_set_key(s, KF_NONCE_PROPERTY, s->nonce, 32));
}

static inline DWORD seal_verify(struct sealing *s)
{
	return seal_set_key(s, KF_STATEMENT_PROPERTY, s->offer, strlen(s->offer));
}

static inline void seal_mode_and_iv(struct sealing *s)
{
	static const WCHAR cbc[] = CARD_CHAIN_MODE_CBC;
	static const BYTE iv[16] = { 4, 5, 6 };

	ASSERT_EQ(SCARD_S_SUCCESS, seal_set_key(s, CKP_CHAINING_MODE, cbc, sizeof(cbc)));
	ASSERT_EQ(SCARD_S_SUCCESS, seal_set_key(s, CKP_INITIALIZATION_VECTOR, iv, sizeof(iv)));
}

/* A P-256 key as CARD_IMPORT_KEYPAIR. */
static inline CARD_IMPORT_KEYPAIR *seal_input(struct sealing *s)
{
	CARD_IMPORT_KEYPAIR head = {
		.dwVersion = 7, .bContainerIndex = SEAL_TARGET, .PinId = ROLE_USER,
		.dwKeySpec = AT_ECDSA_P256, .dwKeySize = 0, .cbInput = 104,
	};
	struct packer p = pack_begin(s->input, sizeof(s->input));

	if (!s->pair)
		ASSERT_EQ(0, key_generate(KF_KEY_EC_P256, &s->pair));
	pack_bytes(&p, BYTES(&head, sizeof(head)));
	blob_ec(s->pair, BCRYPT_ECDSA_PRIVATE_P256_MAGIC, 32, &p);
	ASSERT_EQ(0, pack_end(&p));
	s->input_len = (DWORD)p.n;
	return (CARD_IMPORT_KEYPAIR *)(void *)s->input;
}

static inline DWORD seal_encrypt(struct sealing *s, PCARD_ENCRYPTED_DATA *out, DWORD *n)
{
	return s->card.pfnMDEncryptData(&s->card, s->key, CSF_IMPORT_KEYPAIR, s->input,
					s->input_len, CARD_BLOCK_PADDING, out, n);
}

static inline void seal_free_encrypted(PCARD_ENCRYPTED_DATA data)
{
	allocator_free(data->pbEncryptedData);
	allocator_free(data);
}

/* What travels, as a cargo file, for the fake card to open. The caller frees. */
static inline char *seal_cargo(struct sealing *s, const CARD_ENCRYPTED_DATA *data)
{
	struct bytes der = BYTES(data->pbEncryptedData, data->cbEncryptedData);
	struct item sealed;
	struct cargo_item item;
	struct cargo_file file = { .grade = KF_GRADE_A_VIRTUAL, .n_items = 1, .items = &item };
	BYTE input[512];
	char *json = NULL;
	DWORD n = 0;
	size_t len;

	ASSERT_EQ(0, item_parse(der, &sealed));
	item = (struct cargo_item){
		.number = 1, .function = sealed.body.function, .key_type = sealed.body.key_type,
		.purpose = sealed.body.purpose, .container = sealed.body.container,
		.pin = sealed.body.key_type == KF_KEY_NONE ? sealed.body.pin : 0,
	};
	file.container = sealed.body.container;
	file.method = sealed.body.method;
	memcpy(item.iv, sealed.body.iv, sizeof(item.iv));
	memcpy(file.serial, s->fake.statement.serial, sizeof(file.serial));
	memcpy(file.sid, s->fake.statement.sid, sizeof(file.sid));
	ASSERT_EQ(SCARD_S_SUCCESS, seal_get_key(s, KF_SESSION_KEY_PROPERTY, input, sizeof(input),
						&n));
	ASSERT_EQ(0, blob_set(&file.input, BYTES(input, n)));
	ASSERT_EQ(0, blob_set(&item.item, der));
	ASSERT_EQ(0, cargo_file_write(&file, &json, &len, NULL));
	blob_deinit(&file.input);
	blob_deinit(&item.item);
	return json;
}

/* --- what is left of a secret --- */

enum { SEAL_MARK = 24 };

/* Made anew each time, so that the test's own memory holds none. */
static inline BYTE seal_mark_at(size_t i)
{
	return (BYTE)('a' + i * i % 23);
}

static inline bool seal_has_mark(const BYTE *p, const BYTE *end)
{
	size_t n = 0;

	for (; p < end; p++) {
		n = *p == seal_mark_at(n) ? n + 1 : *p == seal_mark_at(0);
		if (n == SEAL_MARK)
			return true;
	}
	return false;
}
