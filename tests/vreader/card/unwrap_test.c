/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers in the names are those of the list of cases for BYOK. */
#include "format/aes.h"
#include "format/hash.h"
#include "format/kek_receipt.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "tests/format/wrapping.h"
#include "tests/harness.h"
#include "tests/vreader/card/tray.h"
#include "vreader/card/command.h"
#include "vreader/card/tlv.h"

#include <openssl/rand.h>
#include <openssl/rsa.h>

enum { KEK_AT = 15, TARGET = 2 };

/**
 * struct asked - data of UNWRAP
 * @replaces:	32 bytes, or NULL
 */
struct asked {
	uint8_t kek, target, type, purpose, policy;
	const uint8_t *replaces;
	struct bytes blob;
};

FIXTURE(card)
{
	struct tray tray;
	struct wrapping wrapping;
	struct asked asked;
	uint8_t plain[WRAPPING_MAX], blob[WRAPPING_MAX];
	size_t plain_len;
};

FIXTURE_SETUP(card)
{
	tray_init(&self->tray, 1);
	tray_put_kek(&self->tray, KEK_AT, TRAY_RSA, KF_HASH_SHA1, "kek2048");
	self->wrapping = (struct wrapping){ .kek = tray_key(TRAY_RSA) };
	self->asked = (struct asked){ KEK_AT, TARGET, KF_KEY_EC_P256, KF_PURPOSE_SIGN, 0, NULL, BYTES_NONE };
	self->plain_len = wrapping_pkcs8(tray_key(TRAY_P256), self->plain);
	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
}

FIXTURE_TEARDOWN(card)
{
	tray_deinit(&self->tray);
}

static uint16_t send_blob(struct fixture_card *self, struct bytes blob)
{
	static uint8_t buf[8192];
	struct packer p = pack_begin(buf, sizeof(buf));
	const struct asked *a = &self->asked;

	tlv_put_number(&p, 0x80, a->target, 1);
	tlv_put_number(&p, 0x81, a->type, 1);
	tlv_put_number(&p, 0x82, a->purpose, 1);
	tlv_put_number(&p, 0x83, a->policy, 1);
	if (a->replaces)
		tlv_put(&p, 0x84, BYTES(a->replaces, KF_DIGEST_SIZE));
	tlv_put(&p, 0x85, blob);
	return tray_send(&self->tray, 0x80, INS_UNWRAP, a->kek, pack_done(&p));
}

static struct bytes wrap(struct fixture_card *self, struct bytes plain)
{
	return BYTES(self->blob, wrapping_make(&self->wrapping, plain, self->blob));
}

static uint16_t unwrap(struct fixture_card *self, struct bytes plain)
{
	return send_blob(self, wrap(self, plain));
}

static struct bytes good(struct fixture_card *self)
{
	return BYTES(self->plain, self->plain_len);
}

static void take(struct fixture_card *self, enum tray_key which, enum kf_key_type type)
{
	self->plain_len = wrapping_pkcs8(tray_key(which), self->plain);
	self->asked.type = (uint8_t)type;
}

static const struct container *at(struct fixture_card *self, unsigned int container)
{
	return &self->tray.card->state->containers[container];
}

static void empty(struct fixture_card *self, unsigned int container)
{
	state_empty_container(self->tray.card->state, container);
}

/* Refused by the one word, and nothing is left behind. */
static void want_refused(struct fixture_card *self, uint16_t sw, const char *what)
{
	if (sw != SW_REFUSED || self->tray.n != 0 || at(self, self->asked.target)->key)
		TEST_FAIL("%s: %04x, %zu bytes%s", what, sw, self->tray.n,
			  at(self, self->asked.target)->key ? ", installed" : "");
	empty(self, self->asked.target);
}

/* --- good --- */

static void sign_with(struct fixture_card *self, enum tray_key which, enum algorithm alg)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(tray_key(which), NULL);
	const uint8_t mse[] = { 0x80, 1, (uint8_t)alg, 0x84, 1, TARGET }, hash[32] = { 0x5a };

	ASSERT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_MSE, 0x41b6, BYTES_OF(mse)));
	ASSERT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_PSO, 0x9e9a, BYTES_OF(hash)));
	ASSERT_EQ(1, EVP_PKEY_verify_init(ctx));
	ASSERT_EQ(1, EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()));
	EXPECT_EQ(1, EVP_PKEY_verify(ctx, self->tray.data, self->tray.n, hash, sizeof(hash)));
}

static struct kek_receipt believed(struct fixture_card *self, struct bytes blob)
{
	static uint8_t der[RECEIPT_MAX];
	struct signed_receipt outer;
	struct kek_receipt r = { 0 };
	uint8_t hash[KF_DIGEST_SIZE];
	size_t n = self->tray.n;

	ASSERT_LE(n, sizeof(der));
	memcpy(der, self->tray.data, n);
	ASSERT_EQ(0, signed_receipt_parse(BYTES(der, n), &outer));
	ASSERT_EQ(0, ecdsa_verify(tray_key(TRAY_DEVICE), outer.receipt, BYTES_NONE, outer.signature));
	ASSERT_EQ(0, kek_receipt_parse(outer.receipt, &r));
	ASSERT_EQ(0, sha256(blob, hash));
	EXPECT_BYTES_EQ(BYTES_OF(hash), BYTES_OF(r.blob));
	EXPECT_BYTES_EQ(BYTES(card_key_hash(at(self, KEK_AT)->key), KF_DIGEST_SIZE), BYTES_OF(r.kek));
	return r;
}

TEST_F(card, c1_c2_c4_a_pair_is_imported_and_signs)
{
	static const struct {
		enum tray_key kek, target;
		enum kf_key_type type;
		enum algorithm alg;
		size_t aes_len;
	} rows[] = {
		{ TRAY_RSA, TRAY_RSA_OTHER, KF_KEY_RSA_2048, ALG_PKCS1_SHA256, 32 },
		{ TRAY_RSA, TRAY_RSA3072, KF_KEY_RSA_3072, ALG_PKCS1_SHA256, 32 },
		{ TRAY_RSA, TRAY_RSA4096, KF_KEY_RSA_4096, ALG_PKCS1_SHA256, 32 },
		{ TRAY_RSA3072, TRAY_RSA, KF_KEY_RSA_2048, ALG_PKCS1_SHA256, 32 },
		{ TRAY_RSA3072, TRAY_RSA3072, KF_KEY_RSA_3072, ALG_PKCS1_SHA256, 32 },
		{ TRAY_RSA3072, TRAY_RSA4096, KF_KEY_RSA_4096, ALG_PKCS1_SHA256, 32 },
		{ TRAY_RSA4096, TRAY_RSA, KF_KEY_RSA_2048, ALG_PKCS1_SHA256, 32 },
		{ TRAY_RSA4096, TRAY_RSA3072, KF_KEY_RSA_3072, ALG_PKCS1_SHA256, 32 },
		{ TRAY_RSA4096, TRAY_RSA4096, KF_KEY_RSA_4096, ALG_PKCS1_SHA256, 32 },
		{ TRAY_RSA, TRAY_P256, KF_KEY_EC_P256, ALG_ECDSA_SHA256, 32 },
		{ TRAY_RSA, TRAY_P384, KF_KEY_EC_P384, ALG_ECDSA_SHA256, 32 },
		{ TRAY_RSA, TRAY_P521, KF_KEY_EC_P521, ALG_ECDSA_SHA256, 32 },
		{ TRAY_RSA, TRAY_P256K, KF_KEY_EC_P256K, ALG_ECDSA_SHA256, 32 },
		{ TRAY_RSA, TRAY_P256, KF_KEY_EC_P256, ALG_ECDSA_SHA256, 16 },
		{ TRAY_RSA, TRAY_P256, KF_KEY_EC_P256, ALG_ECDSA_SHA256, 24 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kek_receipt r;
		struct bytes blob;

		empty(self, TARGET);
		tray_put_kek(&self->tray, KEK_AT, rows[i].kek, KF_HASH_SHA1, "kek");
		self->wrapping = (struct wrapping){ .kek = tray_key(rows[i].kek), .aes_len = rows[i].aes_len };
		take(self, rows[i].target, rows[i].type);
		blob = wrap(self, good(self));
		if (send_blob(self, blob) != SW_OK) {
			TEST_FAIL("row %zu: %04x", i, self->tray.sw);
			continue;
		}
		r = believed(self, blob);
		EXPECT_EQ(rows[i].type, r.key_type);
		EXPECT_EQ(i + 1, r.counter);
		EXPECT_BYTES_EQ(tray_spki(rows[i].target), r.evidence);
		sign_with(self, rows[i].target, rows[i].alg);
	}
}

TEST_F(card, c3_an_aes_key_is_imported_and_says_its_check_value)
{
	static const uint8_t key[32] = { 0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6 };

	for (size_t len = 16; len <= 32; len += 8) {
		struct kek_receipt r;
		struct key_mark mark, wanted;
		struct bytes blob = wrap(self, BYTES(key, len));

		empty(self, TARGET);
		self->asked.type = (uint8_t)(KF_KEY_AES_128 + (len - 16) / 8);
		self->asked.purpose = KF_PURPOSE_CIPHER;
		ASSERT_EQ(SW_OK, send_blob(self, blob));
		r = believed(self, blob);
		ASSERT_EQ(0, key_mark_parse(r.evidence, &mark));
		ASSERT_EQ(0, aes_mark(BYTES(key, len), &wanted));
		EXPECT_BYTES_EQ(BYTES_OF(wanted.check), BYTES_OF(mark.check));
		EXPECT_BYTES_EQ(BYTES_OF(wanted.mark), BYTES_OF(mark.mark));
		EXPECT_BYTES_EQ(BYTES(key, len), card_key_private(at(self, TARGET)->key));
		tray_restart(&self->tray);
		EXPECT_BYTES_EQ(BYTES(key, len), card_key_private(at(self, TARGET)->key));
		ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	}
}

TEST_F(card, c5_c38_up_to_7_zero_bytes_may_follow_and_8_may_not)
{
	for (size_t zeros = 1; zeros <= 8; zeros++) {
		memset(self->plain + self->plain_len, 0, 8);
		if (unwrap(self, BYTES(self->plain, self->plain_len + zeros)) != (zeros < 8 ? SW_OK : SW_REFUSED))
			TEST_FAIL("%zu zero bytes: %04x", zeros, self->tray.sw);
		empty(self, TARGET);
	}
	self->plain[self->plain_len] = 1;
	want_refused(self, unwrap(self, BYTES(self->plain, self->plain_len + 1)), "a byte that is not zero");
}

TEST_F(card, c10_a_kek_works_a_hundred_times_and_nothing_stays)
{
	for (int i = 0; i < 100; i++) {
		empty(self, TARGET);
		ASSERT_EQ(SW_OK, unwrap(self, good(self)));
	}
	EXPECT_EQ(100u, self->tray.card->state->counter);
	EXPECT_EQ(0u, at(self, KEK_AT)->kek.refusals);
	EXPECT_TRUE(bytes_are_zero(BYTES(self->tray.card->chain.data.p, APP_DATA_MAX)));
}

/* 7 bytes at a time, as a reader of short APDUs would, up to the longest blob there is. */
TEST_F(card, a_blob_comes_in_parts)
{
	static uint8_t data[8192];
	struct packer p = pack_begin(data, sizeof(data));
	struct bytes blob;
	size_t at_byte = 0;

	tray_put_kek(&self->tray, KEK_AT, TRAY_RSA4096, KF_HASH_SHA1, "kek");
	self->wrapping.kek = tray_key(TRAY_RSA4096);
	take(self, TRAY_RSA4096, KF_KEY_RSA_4096);
	blob = wrap(self, good(self));
	tlv_put_number(&p, 0x80, TARGET, 1);
	tlv_put_number(&p, 0x81, KF_KEY_RSA_4096, 1);
	tlv_put_number(&p, 0x82, KF_PURPOSE_SIGN, 1);
	tlv_put_number(&p, 0x83, 0, 1);
	tlv_put(&p, 0x85, blob);
	while (at_byte < p.n) {
		uint8_t apdu[5 + 255 + 1];
		struct packer a = pack_begin(apdu, sizeof(apdu));
		size_t n = p.n - at_byte < 255 ? p.n - at_byte : 255;
		bool last = at_byte + n == p.n;

		pack_u8(&a, last ? 0x80 : 0x90);
		pack_u8(&a, INS_UNWRAP);
		pack_be16(&a, KEK_AT);
		pack_u8(&a, (uint8_t)n);
		pack_bytes(&a, BYTES(data + at_byte, n));
		if (last)
			pack_u8(&a, 0);
		ASSERT_EQ(SW_OK, tray_raw(&self->tray, pack_done(&a)));
		at_byte += n;
	}
	EXPECT_EQ(KF_KEY_RSA_4096, believed(self, blob).key_type);
}

/* --- c29 to c33: the RSA part --- */

static void refuse_wrapping(struct fixture_card *self, const char *what, struct wrapping w)
{
	w.kek = w.kek ? w.kek : tray_key(TRAY_RSA);
	self->wrapping = w;
	want_refused(self, unwrap(self, good(self)), what);
}

TEST_F(card, c29_another_label_hash_or_padding_is_refused)
{
	refuse_wrapping(self, "label", (struct wrapping){ .label = "x" });
	refuse_wrapping(self, "sha256", (struct wrapping){ .md = EVP_sha256() });
	refuse_wrapping(self, "sha384", (struct wrapping){ .md = EVP_sha384() });
	refuse_wrapping(self, "sha512", (struct wrapping){ .md = EVP_sha512() });
	refuse_wrapping(self, "mgf1 sha256", (struct wrapping){ .mgf = EVP_sha256() });
	refuse_wrapping(self, "sha256, mgf1 sha1", (struct wrapping){ .md = EVP_sha256(), .mgf = EVP_sha1() });
	refuse_wrapping(self, "pkcs1", (struct wrapping){ .pkcs1 = true });
	refuse_wrapping(self, "another kek", (struct wrapping){ .kek = tray_key(TRAY_RSA_OTHER) });
}

TEST_F(card, a_kek_of_another_hash_takes_that_and_no_other)
{
	static const EVP_MD *(*const mds[])(void) = { EVP_sha1, EVP_sha256, EVP_sha384, EVP_sha512 };

	for (size_t kek = 0; kek < 4; kek++) {
		tray_put_kek(&self->tray, KEK_AT, TRAY_RSA, (enum kf_hash)(KF_HASH_SHA1 + kek), "kek");
		for (size_t blob = 0; blob < 4; blob++) {
			self->wrapping.md = mds[blob]();
			if (unwrap(self, good(self)) != (blob == kek ? SW_OK : SW_REFUSED))
				TEST_FAIL("kek %zu, blob %zu: %04x", kek, blob, self->tray.sw);
			empty(self, TARGET);
		}
	}
}

TEST_F(card, c30_odd_numbers_in_place_of_c1_are_refused)
{
	_cleanup_(BN_clear_freep) BIGNUM *n = NULL, *c = BN_new();
	struct bytes blob = wrap(self, good(self));
	uint8_t *c1 = self->blob;
	uint8_t kept[256];

	memcpy(kept, c1, sizeof(kept));
	ASSERT_EQ(1, EVP_PKEY_get_bn_param(tray_key(TRAY_RSA), "n", &n));
	memset(c1, 0, 256);
	want_refused(self, send_blob(self, blob), "0");
	c1[255] = 1;
	want_refused(self, send_blob(self, blob), "1");
	ASSERT_EQ(1, BN_sub_word(n, 1));
	BN_bn2binpad(n, c1, 256);
	want_refused(self, send_blob(self, blob), "n - 1");
	ASSERT_EQ(1, BN_add_word(n, 1));
	BN_bn2binpad(n, c1, 256);
	EXPECT_EQ(SW_DATA, send_blob(self, blob));	/* public, and told early */
	memcpy(c1, kept, sizeof(kept));
	BN_bin2bn(c1, 256, c);
	ASSERT_EQ(1, BN_add(c, c, n));
	if (BN_num_bytes(c) == 256) {
		BN_bn2binpad(c, c1, 256);
		EXPECT_EQ(SW_DATA, send_blob(self, blob));
	}
	memcpy(c1, kept, sizeof(kept));
	c1[100] ^= 0x10;
	want_refused(self, send_blob(self, blob), "one bit");
	EXPECT_EQ(4u, at(self, KEK_AT)->kek.refusals);	/* what is told early is no refusal */
}

TEST_F(card, c31_an_aes_key_of_another_length_is_refused)
{
	static const size_t lengths[] = { 1, 15, 17, 20, 23, 25, 31, 33, 48, 64 };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		refuse_wrapping(self, "length", (struct wrapping){ .aes_len = lengths[i] });
	refuse_wrapping(self, "none", (struct wrapping){ .no_aes = true });
}

TEST_F(card, c32_whatever_the_first_byte_under_oaep_the_answer_is_the_same)
{
	uint8_t em[256];

	ASSERT_EQ(1, RAND_bytes(em, sizeof(em)));
	em[0] = 0x01;
	want_refused(self, send_blob(self, BYTES(self->blob, wrapping_of_em(tray_key(TRAY_RSA),
		     BYTES_OF(em), 152, self->blob))), "first byte not 0");
	em[0] = 0x00;
	want_refused(self, send_blob(self, BYTES(self->blob, wrapping_of_em(tray_key(TRAY_RSA),
		     BYTES_OF(em), 152, self->blob))), "first byte 0");
}

/* --- c34 to c36: the AES part --- */

TEST_F_TIMEOUT(card, c34_each_byte_of_c2_counts, 60)
{
	struct bytes blob = wrap(self, good(self));

	for (size_t i = 256; i < blob.n; i++) {
		self->blob[i] ^= 0x80;
		want_refused(self, send_blob(self, blob), "a flipped byte of C2");
		self->blob[i] ^= 0x80;
	}
	EXPECT_EQ(SW_OK, send_blob(self, blob));
}

TEST_F(card, c35_a_blob_of_another_length_is_refused)
{
	struct bytes blob = wrap(self, good(self));

	for (size_t n = 0; n < blob.n; n++) {
		bool possible = n >= 256 + 16 && n % 8 == 0;

		if (send_blob(self, BYTES(self->blob, n)) != (possible ? SW_REFUSED : SW_DATA))
			TEST_FAIL("%zu bytes: %04x", n, self->tray.sw);
	}
	memset(self->blob + blob.n, 0, 16);
	EXPECT_EQ(SW_DATA, send_blob(self, BYTES(self->blob, blob.n + 1)));
	want_refused(self, send_blob(self, BYTES(self->blob, blob.n + 8)), "8 bytes more");
	EXPECT_EQ(SW_DATA, send_blob(self, BYTES(self->blob, 256 + APP_WRAPPED_MAX + 8)));
}

TEST_F(card, c36_another_start_of_kwp_is_refused)
{
	uint8_t padded[144] = { 0 }, aiv[8] = { 0xa6, 0x59, 0x59, 0xa6, 0, 0, 0, 0 };
	static const uint8_t rfc3394[8] = { 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6 };
	static const uint32_t mli[] = { 0, 127, 128, 129, 135, 145, 152, 0x80000000, 0xffffffff };

	ASSERT_LE(self->plain_len, sizeof(padded));
	ASSERT_GT(self->plain_len, sizeof(padded) - 8);
	memcpy(padded, self->plain, self->plain_len);
	self->wrapping.aiv = aiv;
	aiv[7] = (uint8_t)self->plain_len;
	ASSERT_EQ(SW_OK, unwrap(self, BYTES_OF(padded)));	/* this is how it is made right */
	empty(self, TARGET);
	for (size_t i = 0; i < sizeof(mli) / sizeof(mli[0]); i++) {
		for (size_t b = 0; b < 4; b++)
			aiv[4 + b] = (uint8_t)(mli[i] >> (24 - 8 * b));
		want_refused(self, unwrap(self, BYTES_OF(padded)), "a length that is not");
	}
	memset(aiv + 4, 0, 4);
	aiv[7] = (uint8_t)self->plain_len;
	for (size_t b = 0; b < 4; b++) {
		aiv[b] ^= 1;
		want_refused(self, unwrap(self, BYTES_OF(padded)), "another constant");
		aiv[b] ^= 1;
	}
	padded[143] = 1;
	want_refused(self, unwrap(self, BYTES_OF(padded)), "padding that is not zero");
	self->wrapping.aiv = rfc3394;
	padded[143] = 0;
	want_refused(self, unwrap(self, BYTES_OF(padded)), "RFC 3394");
	memset(padded + self->plain_len, (int)(144 - self->plain_len), 144 - self->plain_len);
	want_refused(self, unwrap(self, BYTES_OF(padded)), "PKCS#7 and RFC 3394");
}

/* --- c38 to c43: what is inside (format/pkcs8.c has the details) --- */

TEST_F(card, c38_c39_what_is_no_key_of_the_type_asked_for_is_refused)
{
	uint8_t *der = NULL;
	int n = i2d_PrivateKey(tray_key(TRAY_P256), &der);
	static const uint8_t raw[32] = { 7 };

	want_refused(self, unwrap(self, BYTES(der, (size_t)n)), "SEC1");
	OPENSSL_free(der);
	want_refused(self, unwrap(self, tray_spki(TRAY_P256)), "a public key");
	want_refused(self, unwrap(self, BYTES_OF(raw)), "raw bytes for EC");
	self->asked.type = KF_KEY_RSA_2048;
	want_refused(self, unwrap(self, good(self)), "EC for RSA");
	want_refused(self, unwrap(self, BYTES_OF(raw)), "raw bytes for RSA");
	self->asked.type = KF_KEY_EC_P384;
	want_refused(self, unwrap(self, good(self)), "P-256 for P-384");
	self->asked.type = KF_KEY_EC_P256K;
	want_refused(self, unwrap(self, good(self)), "P-256 for P-256K");
	self->asked.type = KF_KEY_AES_256;
	self->asked.purpose = KF_PURPOSE_CIPHER;
	want_refused(self, unwrap(self, good(self)), "PKCS#8 for AES");
	take(self, TRAY_P256K, KF_KEY_EC_P256);
	self->asked.purpose = KF_PURPOSE_SIGN;
	want_refused(self, unwrap(self, good(self)), "P-256K for P-256");
	take(self, TRAY_RSA_OTHER, KF_KEY_RSA_3072);
	want_refused(self, unwrap(self, good(self)), "RSA 2048 for 3072");
}

TEST_F(card, c43_an_aes_key_has_16_24_or_32_bytes_and_the_length_asked_for)
{
	uint8_t key[64] = { 9 };

	self->asked.purpose = KF_PURPOSE_CIPHER;
	for (size_t n = 1; n <= sizeof(key); n++) {
		for (unsigned int type = KF_KEY_AES_128; type <= KF_KEY_AES_256; type++) {
			bool fits = n == key_type_size((enum kf_key_type)type);

			self->asked.type = (uint8_t)type;
			if (unwrap(self, BYTES(key, n)) != (fits ? SW_OK : SW_REFUSED))
				TEST_FAIL("%zu bytes as type %u: %04x", n, type, self->tray.sw);
			empty(self, TARGET);
		}
	}
}

/* --- what is judged before --- */

TEST_F(card, what_the_kek_does_not_allow_is_refused_before_it_works)
{
	struct kek_rule *rule = &self->tray.card->state->containers[KEK_AT].kek;

	rule->key_types = (struct number_list){ 1, { KF_KEY_EC_P256 } };
	rule->purposes = (struct number_list){ 1, { KF_PURPOSE_DERIVE } };
	EXPECT_EQ(SW_CONDITIONS, unwrap(self, good(self)));
	self->asked.purpose = KF_PURPOSE_DERIVE;
	self->asked.type = KF_KEY_EC_P384;
	EXPECT_EQ(SW_CONDITIONS, unwrap(self, good(self)));
	self->asked.type = KF_KEY_EC_P256;
	rule->disabled = true;
	EXPECT_EQ(SW_CONDITIONS, unwrap(self, good(self)));
	EXPECT_EQ(0u, rule->refusals);
	rule->disabled = false;
	EXPECT_EQ(SW_OK, unwrap(self, good(self)));
}

TEST_F(card, an_occupied_container_is_replaced_by_name_alone)
{
	uint8_t hash[KF_DIGEST_SIZE];

	ASSERT_EQ(SW_OK, unwrap(self, good(self)));
	EXPECT_EQ(SW_CONDITIONS, unwrap(self, good(self)));
	memcpy(hash, card_key_hash(at(self, TARGET)->key), sizeof(hash));
	take(self, TRAY_P384, KF_KEY_EC_P384);
	self->asked.replaces = hash;
	hash[31] ^= 1;
	EXPECT_EQ(SW_CONDITIONS, unwrap(self, good(self)));
	hash[31] ^= 1;
	EXPECT_EQ(SW_OK, unwrap(self, good(self)));
	EXPECT_EQ(KF_KEY_EC_P384, card_key_type(at(self, TARGET)->key));
	self->asked.target = TARGET + 1;
	EXPECT_EQ(SW_CONDITIONS, unwrap(self, good(self)));	/* names a key where none is */
	memcpy(hash, card_key_hash(at(self, KEK_AT)->key), sizeof(hash));
	self->asked.target = KEK_AT;
	EXPECT_EQ(SW_CONDITIONS, unwrap(self, good(self)));
	tray_put_key(&self->tray, TARGET, TRAY_RSA_OTHER, KF_PURPOSE_EXCHANGE, KF_ORIGIN_GENERATED, 0);
	memcpy(hash, card_key_hash(at(self, TARGET)->key), sizeof(hash));
	self->asked.target = TARGET;
	EXPECT_EQ(SW_CONDITIONS, unwrap(self, good(self)));
}

TEST_F(card, numbers_that_make_no_sense_are_malformed)
{
	self->asked.purpose = KF_PURPOSE_DECRYPT;
	EXPECT_EQ(SW_DATA, unwrap(self, good(self)));
	self->asked.purpose = KF_PURPOSE_KEK;
	EXPECT_EQ(SW_DATA, unwrap(self, good(self)));
	self->asked.purpose = KF_PURPOSE_SIGN;
	self->asked.policy = 2;
	EXPECT_EQ(SW_DATA, unwrap(self, good(self)));
	self->asked.policy = 1;
	self->asked.kek = TARGET;
	EXPECT_EQ(SW_NO_OBJECT, unwrap(self, good(self)));
	self->asked.kek = KEK_AT;
	self->asked.target = APP_CONTAINERS;
	EXPECT_EQ(SW_NO_OBJECT, unwrap(self, good(self)));
	self->asked.target = TARGET;
	ASSERT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_VERIFY, 0xff81, BYTES_NONE));
	EXPECT_EQ(SW_PIN_NEEDED, unwrap(self, good(self)));
	EXPECT_EQ(0u, at(self, KEK_AT)->kek.refusals);
	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	EXPECT_EQ(SW_OK, unwrap(self, good(self)));
	EXPECT_EQ(1, at(self, TARGET)->policy);
}

/* --- c44, c47 --- */

TEST_F(card, c47_refusals_are_waited_for_and_never_lock)
{
	struct bytes blob = wrap(self, good(self));

	self->blob[300] ^= 1;
	for (int i = 0; i < APP_UNWRAP_FREE; i++)
		ASSERT_EQ(SW_REFUSED, send_blob(self, blob));
	EXPECT_EQ(0u, self->tray.paused_ms);
	tray_restart(&self->tray);			/* does not help */
	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	for (int i = 1; i <= 300; i++) {
		ASSERT_EQ(SW_REFUSED, send_blob(self, blob));
		ASSERT_EQ((unsigned int)i * APP_UNWRAP_PAUSE_MS, self->tray.paused_ms);
	}
	self->blob[300] ^= 1;
	self->tray.paused_ms = 0;
	EXPECT_EQ(SW_OK, send_blob(self, blob));
	EXPECT_EQ(APP_UNWRAP_PAUSE_MS, self->tray.paused_ms);
	empty(self, TARGET);
	EXPECT_EQ(SW_OK, send_blob(self, blob));
	EXPECT_EQ(2 * APP_UNWRAP_PAUSE_MS, self->tray.paused_ms);	/* a good one is no pardon */
}

/* Whoever has the public half can make good blobs, as many as there are bad ones to be tried. */
TEST_F(card, c47_good_blobs_in_between_do_not_switch_the_pause_off)
{
	struct bytes blob = wrap(self, good(self));

	for (int i = 1; i <= 2 * APP_UNWRAP_FREE; i++) {
		self->blob[300] ^= 1;
		ASSERT_EQ(SW_REFUSED, send_blob(self, blob));
		self->blob[300] ^= 1;
		ASSERT_EQ(SW_OK, send_blob(self, blob));
		empty(self, TARGET);
		ASSERT_EQ(i, at(self, KEK_AT)->kek.refusals);
	}
	/* The good one behind the 32nd, too; then two a turn. */
	EXPECT_EQ((2 * APP_UNWRAP_FREE + 1) * APP_UNWRAP_PAUSE_MS, self->tray.paused_ms);
}

TEST_F(card, a_refusal_is_counted_before_the_kek_works)
{
	struct bytes blob = wrap(self, good(self));

	tray_fail_at(&self->tray, 1, -ENOSPC);
	EXPECT_EQ(SW_MEMORY, send_blob(self, blob));
	EXPECT_TRUE(at(self, TARGET)->key == NULL);
	EXPECT_EQ(0u, at(self, KEK_AT)->kek.refusals);
}

TEST_F(card, c44_a_cut_of_the_power_leaves_no_half_key)
{
	struct bytes blob = wrap(self, good(self));

	tray_fail_at(&self->tray, 2, -EIO);
	EXPECT_EQ(0, send_blob(self, blob));		/* mute */
	tray_restart(&self->tray);
	EXPECT_TRUE(at(self, TARGET)->key == NULL);
	EXPECT_EQ(0u, self->tray.card->state->counter);
	EXPECT_EQ(0u, self->tray.card->state->n_receipts);
	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	EXPECT_EQ(SW_OK, send_blob(self, blob));
}

TEST_F(card, the_receipt_is_found_again_by_the_blob)
{
	struct bytes blob = wrap(self, good(self));
	uint8_t hash[KF_DIGEST_SIZE], first[RECEIPT_MAX], buf[32];
	struct packer p = pack_begin(buf, sizeof(buf));
	size_t n;

	ASSERT_EQ(SW_OK, send_blob(self, blob));
	n = self->tray.n;
	memcpy(first, self->tray.data, n);
	ASSERT_EQ(0, sha256(blob, hash));
	tlv_put(&p, 0x80, BYTES(hash, KF_SID_SIZE));
	tlv_put_number(&p, 0x81, 0, 2);
	tray_restart(&self->tray);
	ASSERT_EQ(SW_OK, tray_send(&self->tray, 0x80, INS_GET_RECEIPT, 0, pack_done(&p)));
	EXPECT_BYTES_EQ(BYTES(first, n), tray_data(&self->tray));
}

/* A key is no better kept than what protected it on its way. */
TEST_F(card, a_key_under_a_known_kek_is_called_known)
{
	struct bytes blob = wrap(self, good(self));

	ASSERT_EQ(SW_OK, send_blob(self, blob));
	EXPECT_EQ(KF_ORIGIN_INJECTED_OPEN, at(self, TARGET)->origin);
	EXPECT_EQ(KF_ORIGIN_INJECTED_OPEN, believed(self, blob).origin);
	empty(self, TARGET);
	self->tray.card->state->containers[KEK_AT].origin = KF_ORIGIN_FACTORY;
	blob = wrap(self, good(self));
	ASSERT_EQ(SW_OK, send_blob(self, blob));
	EXPECT_EQ(KF_ORIGIN_FACTORY, at(self, TARGET)->origin);
	EXPECT_EQ(KF_ORIGIN_FACTORY, believed(self, blob).kek_origin);
}
