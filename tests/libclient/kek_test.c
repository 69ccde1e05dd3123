/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Faces: libclient/byok.c
 *
 * KEKs, imports under them and AES: what each call asks, and what it makes of the answer.
 */
#include "tests/libclient/fake.h"

FIXTURE(kek) { struct fake f; };
FIXTURE_SETUP(kek) { fake_begin(&self->f); }
FIXTURE_TEARDOWN(kek) { fake_end(&self->f); }

static const struct kf_kek_spec spec = {
	.number = KF_CONTAINER_ANY, .key_type = KF_KEY_RSA_3072, .hash = KF_HASH_SHA256, .key_types = 0x12,
	.purposes = 0x40, .name = "kek",
};

TEST_F(kek, a_kek_is_asked_for_with_the_puk)
{
	struct packet p = fake_reply_begin(&self->f, KF_KEK_CREATE, 0);
	const struct kf_kek_create *asked;
	struct kf_blob *attestation = NULL;
	uint32_t number = 0;

	((struct kf_kek_create *)packet_body(&p))->container = 4;
	packet_set(&p, kf_kek_create, attestation, BYTES("attested", 8));
	fake_send(&self->f, &p);
	ASSERT_EQ(0, kf_kek_create(self->f.context, &spec, "87654321", 8, KF_PIN_LAST_TRY, &number,
				   &attestation));
	EXPECT_EQ(4u, number);
	EXPECT_BYTES_EQ(BYTES("attested", 8), BYTES(kf_blob_data(attestation), kf_blob_size(attestation)));
	kf_blob_free(attestation);
	p = fake_asked(&self->f);
	asked = packet_read(&p);
	EXPECT_EQ((uint32_t)KF_KEY_RSA_3072, asked->key_type);
	EXPECT_EQ((uint32_t)KF_HASH_SHA256, asked->hash);
	EXPECT_EQ(0x12u, asked->key_types);
	EXPECT_EQ(0x40u, asked->purposes);
	EXPECT_EQ(KF_PIN_LAST_TRY, asked->flags);
	EXPECT_BYTES_EQ(BYTES("87654321", 8), packet_get(&p, kf_kek_create, puk));
	EXPECT_BYTES_EQ(BYTES("kek", 3), packet_get(&p, kf_kek_create, name));
}

TEST_F(kek, a_wrong_puk_is_called_that)
{
	struct packet p = fake_reply_begin(&self->f, KF_KEK_SET, -EKEYREJECTED);

	p.header.detail = 7;
	p.header.reason = KF_REASON_PIN_WRONG;
	fake_send(&self->f, &p);
	EXPECT_EQ(-EKEYREJECTED, kf_kek_set(self->f.context, 3, KF_KEK_DELETE, "nope", 4, 0));
	expect_explained(self->f.client, -EKEYREJECTED);
	EXPECT_NOT_NULL(strstr(kf_client_error(self->f.client)->why, "PUK"));
	EXPECT_STREQ("cannot delete the KEK", kf_client_error(self->f.client)->what);
}

TEST_F(kek, a_list_has_rows)
{
	struct packet p = fake_reply_begin(&self->f, KF_KEK_LIST, 0);
	struct kf_kek_entry rows[2] = {
		{ .container = 3, .key_type = KF_KEY_RSA_2048, .origin = KF_ORIGIN_FACTORY, .hash = KF_HASH_SHA1,
		  .key_types = 2, .purposes = 64, .flags = KF_KEK_DISABLED, .kek = { 9 }, .name = "one" },
	};
	struct kf_keks *keks = NULL;

	memset(rows[1].name, 'n', KF_KID_MAX);
	((struct kf_kek_list *)packet_body(&p))->n_keks = 2;
	packet_set(&p, kf_kek_list, keks, BYTES(rows, sizeof(rows)));
	fake_send(&self->f, &p);
	ASSERT_EQ(0, kf_kek_list(self->f.context, &keks));
	ASSERT_EQ(2u, kf_keks_count(keks));
	EXPECT_STREQ("one", kf_kek_name(kf_keks_at(keks, 0)));
	EXPECT_EQ(9, kf_kek_key_hash(kf_keks_at(keks, 0))[0]);
	EXPECT_EQ(3u, kf_kek_value(kf_keks_at(keks, 0), KF_KEK_NUMBER));
	EXPECT_EQ((uint32_t)KF_KEY_RSA_2048, kf_kek_value(kf_keks_at(keks, 0), KF_KEK_KEY_TYPE));
	EXPECT_EQ((uint32_t)KF_ORIGIN_FACTORY, kf_kek_value(kf_keks_at(keks, 0), KF_KEK_ORIGIN));
	EXPECT_EQ((uint32_t)KF_HASH_SHA1, kf_kek_value(kf_keks_at(keks, 0), KF_KEK_HASH));
	EXPECT_EQ(2u, kf_kek_value(kf_keks_at(keks, 0), KF_KEK_KEY_TYPES));
	EXPECT_EQ(64u, kf_kek_value(kf_keks_at(keks, 0), KF_KEK_PURPOSES));
	EXPECT_EQ(KF_KEK_DISABLED, kf_kek_value(kf_keks_at(keks, 0), KF_KEK_FLAGS));
	EXPECT_EQ(0u, kf_kek_value(kf_keks_at(keks, 0), (enum kf_kek_fact)99));
	EXPECT_EQ((size_t)KF_KID_MAX, strlen(kf_kek_name(kf_keks_at(keks, 1))));
	EXPECT_NULL(kf_keks_at(keks, 2));
	kf_keks_free(keks);

	p = fake_reply_begin(&self->f, KF_KEK_LIST, 0);
	((struct kf_kek_list *)packet_body(&p))->n_keks = 3;
	packet_set(&p, kf_kek_list, keks, BYTES(rows, sizeof(rows)));
	(void)fake_asked(&self->f);
	fake_send(&self->f, &p);
	EXPECT_EQ(-EBADMSG, kf_kek_list(self->f.context, &keks));
}

TEST_F(kek, a_name_that_has_no_end_or_paints_a_terminal_is_refused)
{
	for (int what = 0; what < 4; what++) {
		struct packet p = fake_reply_begin(&self->f, KF_KEK_LIST, 0);
		struct kf_kek_entry row = { .name = "kek" };
		struct kf_keks *keks = NULL;

		if (what == 0)
			memset(row.name, 'n', sizeof(row.name));
		else
			row.name[what == 1 ? 0 : 1] = what == 1 ? '\0' : what == 2 ? '\033' : '\xc3';
		((struct kf_kek_list *)packet_body(&p))->n_keks = 1;
		packet_set(&p, kf_kek_list, keks, BYTES(&row, sizeof(row)));
		fake_send(&self->f, &p);
		EXPECT_EQ(-EBADMSG, kf_kek_list(self->f.context, &keks));
		EXPECT_NULL(keks);
		fake_end(&self->f);
		fake_begin(&self->f);
	}
}

static const struct kf_byok_spec byok = {
	.kid = "https://card.example/keys/k", .kek = KF_CONTAINER_ANY, .hash = KF_HASH_SHA1, .number = 2,
	.key_type = KF_KEY_EC_P256, .purpose = KF_PURPOSE_SIGN,
};

static int import(struct fixture_kek *self, const struct kf_byok_spec *how, struct kf_imported **out)
{
	return kf_byok_import(self->f.context, how, (const uint8_t *)"blob", 4, out);
}

TEST_F(kek, an_import_asks_what_it_was_told)
{
	struct packet p = fake_reply_begin(&self->f, KF_BYOK_IMPORT, 0);
	const struct kf_byok_import *asked;
	struct kf_imported *imported = NULL;
	uint8_t replaces[KF_DIGEST_SIZE] = { 5 };
	struct kf_byok_spec how = byok;
	struct kf_byok_import *reply = packet_body(&p);
	size_t n;

	how.replaces = replaces;
	reply->container = 2;
	reply->key_type = KF_KEY_EC_P256;
	reply->kek = 15;
	reply->hash = KF_HASH_SHA1;
	reply->grade = KF_GRADE_A;
	packet_set(&p, kf_byok_import, receipt, BYTES("receipt", 7));
	packet_set(&p, kf_byok_import, spki, BYTES("spki", 4));
	fake_send(&self->f, &p);
	ASSERT_EQ(0, import(self, &how, &imported));
	EXPECT_EQ(2u, kf_imported_value(imported, KF_IMPORTED_NUMBER));
	EXPECT_EQ((uint32_t)KF_KEY_EC_P256, kf_imported_value(imported, KF_IMPORTED_TYPE));
	EXPECT_EQ(15u, kf_imported_value(imported, KF_IMPORTED_KEK));
	EXPECT_EQ((uint32_t)KF_HASH_SHA1, kf_imported_value(imported, KF_IMPORTED_HASH));
	EXPECT_EQ((uint32_t)KF_GRADE_A, kf_imported_value(imported, KF_IMPORTED_GRADE));
	EXPECT_MEMEQ("spki", kf_imported_public_key(imported, &n), 4);
	EXPECT_MEMEQ("receipt", kf_imported_receipt(imported, &n), 7);
	EXPECT_NULL(kf_imported_check_value(imported, &n));
	kf_imported_free(imported);
	p = fake_asked(&self->f);
	asked = packet_read(&p);
	EXPECT_EQ(2u, asked->container);
	EXPECT_EQ((uint32_t)KF_PURPOSE_SIGN, asked->purpose);
	EXPECT_EQ(KF_CONTAINER_ANY, asked->kek);
	EXPECT_EQ((uint32_t)KF_HASH_SHA1, asked->hash);
	EXPECT_EQ(KF_BYOK_REPLACE, asked->flags);
	EXPECT_EQ(5, asked->replaces[0]);
	EXPECT_BYTES_EQ(BYTES(byok.kid, strlen(byok.kid)), packet_get(&p, kf_byok_import, kid));
	EXPECT_BYTES_EQ(BYTES("blob", 4), packet_get(&p, kf_byok_import, blob));
}

TEST_F(kek, an_aes_key_has_a_check_value_of_three_bytes)
{
	struct packet p = fake_reply_begin(&self->f, KF_BYOK_IMPORT, 0);
	struct kf_byok_import *reply = packet_body(&p);
	struct kf_imported *imported = NULL;
	size_t n;

	reply->check_len = 3;
	memcpy(reply->check_value, "abc", 3);
	fake_send(&self->f, &p);
	ASSERT_EQ(0, import(self, &byok, &imported));
	EXPECT_MEMEQ("abc", kf_imported_check_value(imported, &n), 3);
	EXPECT_EQ(3u, n);
	EXPECT_NULL(kf_imported_public_key(imported, &n));
	kf_imported_free(imported);
	(void)fake_asked(&self->f);
	p = fake_reply_begin(&self->f, KF_BYOK_IMPORT, 0);
	((struct kf_byok_import *)packet_body(&p))->check_len = 4;
	fake_send(&self->f, &p);
	EXPECT_EQ(-EBADMSG, import(self, &byok, &imported));
}

TEST_F(kek, a_refused_import_is_explained)
{
	struct packet p = fake_reply_begin(&self->f, KF_BYOK_IMPORT, -ENOENT);
	struct kf_imported *imported = NULL;

	p.header.reason = KF_REASON_BYOK;
	p.header.detail = KF_BYOK_KEK_UNKNOWN;
	fake_send(&self->f, &p);
	EXPECT_EQ(-ENOENT, import(self, &byok, &imported));
	expect_explained(self->f.client, -ENOENT);
	EXPECT_NOT_NULL(strstr(kf_client_error(self->f.client)->why, "KEK"));
	(void)fake_asked(&self->f);
	p = fake_reply_begin(&self->f, KF_BYOK_IMPORT, -EREMOTEIO);
	p.header.reason = KF_REASON_BYOK_REFUSED;
	p.header.sw = 0x6988;
	fake_send(&self->f, &p);
	EXPECT_EQ(-EREMOTEIO, import(self, &byok, &imported));
	EXPECT_NOT_NULL(strstr(kf_client_error(self->f.client)->next, "byok inspect"));
	EXPECT_EQ(-EINVAL, import(self, NULL, &imported));
	EXPECT_EQ(-EINVAL, kf_byok_import(self->f.context, &byok, NULL, 4, &imported));
}

TEST_F(kek, gcm_gives_nonce_and_tag_and_takes_them)
{
	struct packet p = fake_reply_begin(&self->f, KF_CIPHER, 0);
	struct kf_cipher *reply = packet_body(&p);
	const struct kf_cipher *asked;
	uint8_t iv[KF_GCM_IV_SIZE], tag[KF_GCM_TAG_SIZE];
	struct kf_blob *out = NULL;

	memset(reply->iv, 3, KF_GCM_IV_SIZE);
	memset(reply->tag, 4, sizeof(reply->tag));
	packet_set(&p, kf_cipher, output, BYTES("sealed", 6));
	fake_send(&self->f, &p);
	ASSERT_EQ(0, kf_aes_gcm_encrypt(self->f.context, 1, (const uint8_t *)"aad", 3,
					(const uint8_t *)"secret", 6, iv, tag, &out));
	EXPECT_EQ(3, iv[11]);
	EXPECT_EQ(4, tag[15]);
	kf_blob_free(out);
	p = fake_asked(&self->f);
	asked = packet_read(&p);
	EXPECT_EQ(KF_CHAIN_GCM, asked->mode);
	EXPECT_EQ(0u, asked->flags);
	EXPECT_BYTES_EQ(BYTES("aad", 3), packet_get(&p, kf_cipher, aad));

	p = fake_reply_begin(&self->f, KF_CIPHER, 0);
	packet_set(&p, kf_cipher, output, BYTES("secret", 6));
	fake_send(&self->f, &p);
	ASSERT_EQ(0, kf_aes_gcm_decrypt(self->f.context, 1, iv, tag, NULL, 0, (const uint8_t *)"sealed", 6, &out));
	EXPECT_MEMEQ("secret", kf_blob_data(out), 6);
	kf_blob_free(out);
	p = fake_asked(&self->f);
	asked = packet_read(&p);
	EXPECT_EQ(KF_CIPHER_DECRYPT, asked->flags);
	EXPECT_MEMEQ(iv, asked->iv, KF_GCM_IV_SIZE);
	EXPECT_MEMEQ(tag, asked->tag, KF_GCM_TAG_SIZE);
}

TEST_F(kek, cbc_is_asked_for_with_its_iv)
{
	static const uint8_t iv[KF_IV_SIZE] = { 8 }, text[16] = { 9 };
	const struct kf_cipher *asked;
	struct kf_blob *out = NULL;
	struct packet p;

	fake_answer(&self->f, KF_CIPHER, 0);
	ASSERT_EQ(0, kf_aes_cbc(self->f.context, 1, KF_CIPHER_DECRYPT, iv, text, 16, &out));
	kf_blob_free(out);
	p = fake_asked(&self->f);
	asked = packet_read(&p);
	EXPECT_EQ(KF_CHAIN_CBC, asked->mode);
	EXPECT_EQ(KF_CIPHER_DECRYPT, asked->flags);
	EXPECT_MEMEQ(iv, asked->iv, KF_IV_SIZE);
	EXPECT_BYTES_EQ(BYTES_OF(text), packet_get(&p, kf_cipher, input));
}

TEST_F(kek, a_mac_is_whole_or_it_is_none)
{
	static const uint8_t text[3] = { 9 }, made[KF_CMAC_SIZE] = { 4 };
	const struct kf_cipher *asked;
	struct packet p = fake_reply_begin(&self->f, KF_CIPHER, 0);
	uint8_t mac[KF_CMAC_SIZE] = { 0 };

	packet_set(&p, kf_cipher, output, BYTES_OF(made));
	fake_send(&self->f, &p);
	ASSERT_EQ(0, kf_aes_cmac(self->f.context, 1, text, 3, mac));
	EXPECT_MEMEQ(made, mac, sizeof(mac));
	p = fake_asked(&self->f);
	asked = packet_read(&p);
	EXPECT_EQ(0u, asked->mode);
	EXPECT_EQ(KF_CIPHER_MAC, asked->flags);
	EXPECT_BYTES_EQ(BYTES_OF(text), packet_get(&p, kf_cipher, input));
	EXPECT_EQ(-EINVAL, kf_aes_cmac(self->f.context, 1, NULL, 0, mac));
	p = fake_reply_begin(&self->f, KF_CIPHER, 0);
	packet_set(&p, kf_cipher, output, BYTES(made, 15));
	fake_send(&self->f, &p);
	EXPECT_EQ(-EBADMSG, kf_aes_cmac(self->f.context, 1, text, 3, mac));
	expect_explained(self->f.client, -EBADMSG);
}

TEST_F(kek, attesting_names_the_container)
{
	struct packet p = fake_reply_begin(&self->f, KF_KEK_ATTEST, 0);
	struct kf_blob *out = NULL;

	packet_set(&p, kf_kek_attest, attestation, BYTES("attested", 8));
	fake_send(&self->f, &p);
	ASSERT_EQ(0, kf_kek_attest(self->f.context, 7, &out));
	EXPECT_EQ(8u, kf_blob_size(out));
	kf_blob_free(out);
	p = fake_asked(&self->f);
	EXPECT_EQ(7u, ((const struct kf_kek_attest *)packet_read(&p))->container);
}
