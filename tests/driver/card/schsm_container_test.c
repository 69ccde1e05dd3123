/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys and what lies beside them; the list a new one is given.
 *
 * Faces: driver/card/schsm_generate.c
 */
#include "format/hash.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "format/schsm/cvc.h"
#include "tests/driver/card/schsm_script.h"

FIXTURE(container) {
	struct script s;
	uint8_t out[4096], request[CVC_MAX], voucher[CVC_MAX];
	struct packer p;
};
FIXTURE_SETUP(container)
{
	schsm_script_open(&self->s);
	self->p = pack_begin(self->out, sizeof(self->out));
}
FIXTURE_TEARDOWN(container)
{
	script_done(&self->s);
	script_close(&self->s);
}

static const uint8_t prkd_rsa[] = {
	0x30, 0x21, 0x30, 0x06, 0x0c, 0x04, 'm', 'a', 'i', 'l', 0x30, 0x0b, 0x04, 0x01, 0x45, 0x03, 0x02, 0x05,
	0x20, 0x03, 0x02, 0x03, 0xb8, 0xa1, 0x0a, 0x30, 0x08, 0x30, 0x02, 0x04, 0x00, 0x02, 0x02, 0x08, 0x00,
};

static struct bytes voucher_of(struct fixture_container *self, EVP_PKEY *key)
{
	struct cvc_own_key own = { .key = key };
	struct cvc fields = { .car = BYTES("UTCA00001", 9), .chr = BYTES("UTKF00001", 9) };
	struct packer p = pack_begin(self->request, sizeof(self->request));
	struct packer v = pack_begin(self->voucher, sizeof(self->voucher));
	struct cvc_key_store store;

	ASSERT_EQ(0, cvc_key_describe(key, CVC_NO_ALGORITHM, &store, &fields.key));
	own.algorithm = fields.key.algorithm;
	ASSERT_EQ(0, cvc_build(&fields, cvc_sign_with(&own), &p));
	ASSERT_EQ(0, cvc_voucher_build(pack_done(&p), BYTES("ZZVIRTA100001", 13), cvc_sign_with(&own), &v));
	return pack_done(&v);
}

/* The device key and keys that are no containers stay out of it; so do empty places. */
TEST_F(container, a_list_has_what_is_there)
{
	uint32_t n = 0;

	schsm_script_files(&self->s, "CC00 CC03 CCFE CCFF C403 C404 CE09");
	schsm_script_file(&self->s, 0xc403, prkd_rsa, sizeof(prkd_rsa));
	ASSERT_EQ(0, schsm_card_driver.container_list(script_begin(&self->s), &n, &self->p));
	EXPECT_EQ(1u, n);
	EXPECT_EQ(sizeof(struct kf_container_entry), self->p.n);
	struct kf_container_entry entry;

	memcpy(&entry, self->out, sizeof(entry));
	EXPECT_EQ(3u, entry.container);
	EXPECT_EQ((uint32_t)KF_KEY_RSA_2048, entry.key_type);
	EXPECT_EQ((uint32_t)KF_PURPOSE_SIGN, entry.purpose);
	EXPECT_EQ((uint32_t)KF_ORIGIN_UNKNOWN, entry.origin);
	EXPECT_EQ(KF_CONTAINER_PIN, entry.flags);
}

TEST_F(container, a_key_beside_which_nothing_lies_is_there_all_the_same)
{
	static const char *const rubbish[] = { "00", "3000", "30020500", "FF" };
	struct kf_container_info info = { .entry.container = 3 };

	schsm_script_files(&self->s, "CC03");
	ASSERT_EQ(0, schsm_card_driver.container_info(script_begin(&self->s), &info, &self->p));
	EXPECT_EQ((uint32_t)KF_KEY_OTHER, info.entry.key_type);
	for (size_t i = 0; i < 4; i++) {
		uint8_t content[8];
		size_t n = script_hex(rubbish[i], content, sizeof(content));

		schsm_script_files(&self->s, "CC03 C403 CE03");
		schsm_script_file(&self->s, 0xc403, content, n);
		if (i == 0 || i == 3) {		/* no object: the file is asked for until it ends */
			script_expect(&self->s, "00B1C403 000004 54020001 0000", "6B00");
		}
		schsm_script_file(&self->s, 0xce03, content, n);
		if (i == 0 || i == 3)
			script_expect(&self->s, "00B1CE03 000004 54020001 0000", "6B00");
		info.entry.container = 3;
		ASSERT_EQ(0, schsm_card_driver.container_info(script_begin(&self->s), &info, &self->p));
		EXPECT_EQ((uint32_t)KF_KEY_OTHER, info.entry.key_type);
	}
	schsm_script_files(&self->s, "CC03");
	info.entry.container = 4;
	ASSERT_EQ(0, schsm_card_driver.container_info(script_begin(&self->s), &info, &self->p));
	EXPECT_EQ((uint32_t)KF_KEY_NONE, info.entry.key_type);
	info.entry.container = 0;
	EXPECT_EQ(-EINVAL, schsm_card_driver.container_info(script_begin(&self->s), &info, &self->p));
	info.entry.container = 254;
	EXPECT_EQ(-EINVAL, schsm_card_driver.container_info(script_begin(&self->s), &info, &self->p));
}

/* Who has the PIN has no other way to what lies under id 0, and none to files that are not keys. */
TEST_F(container, the_device_key_is_nobodys)
{
	struct kf_sign how = { .container = 0, .padding = KF_PADDING_NONE, .hash = KF_HASH_SHA256 };
	uint8_t digest[32] = { 0 };

	EXPECT_EQ(-EINVAL, schsm_card_driver.container_delete(script_begin(&self->s), 0));
	EXPECT_EQ(-EINVAL, schsm_card_driver.cert_store(script_begin(&self->s), 0, BYTES("x", 1)));
	EXPECT_EQ(-EINVAL, schsm_card_driver.sign(script_begin(&self->s), &how, BYTES_OF(digest), &self->p));
	EXPECT_EQ(-EINVAL, schsm_card_driver.blob_wrap(script_begin(&self->s), 0, &self->p));
	EXPECT_EQ(-EINVAL, schsm_card_driver.agree(script_begin(&self->s), 0, BYTES("\4\1\1", 3), &self->p));
}

static size_t template(enum kf_key_type type, struct bytes algorithms, uint8_t *out, size_t cap);

TEST_F(container, a_new_key_has_a_list_without_wrap_and_is_described)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
	struct kf_container_create want = {
		.container = KF_CONTAINER_ANY, .key_type = KF_KEY_EC_P256, .purpose = KF_PURPOSE_SIGN,
	};
	struct bytes v = voucher_of(self, key);
	uint8_t command[512], answer[CVC_MAX + 2], spki[SPKI_MAX], digest[32], der[PRKD_MAX];
	struct packer c = pack_begin(command, sizeof(command)), a = pack_begin(answer, sizeof(answer));
	struct packer s = pack_begin(spki, sizeof(spki)), d = pack_begin(der, sizeof(der));
	struct prkd prkd = { .kind = PRKD_EC, .usage = PRKD_SIGN, .bits = 256, .local = true, .label = "key 2",
			     .id_len = 20 };
	uint8_t data[512];
	size_t n = template(KF_KEY_EC_P256, schsm_algorithms(KF_KEY_EC_P256, KF_PURPOSE_SIGN), data, sizeof(data));

	schsm_script_files(&self->s, "CC00 CC01");
	pack_be(&c, 0x00460200, 4);
	pack_u8(&c, 0);
	pack_be16(&c, (uint16_t)n);
	pack_bytes(&c, BYTES(data, n));
	pack_be16(&c, 0);
	pack_bytes(&a, v);
	pack_be16(&a, 0x9000);
	script_add(&self->s, pack_done(&c), pack_done(&a));
	ASSERT_EQ(0, key_spki(key, &s));
	ASSERT_EQ(0, sha256(pack_done(&s), digest));
	memcpy(prkd.id, digest, 20);
	ASSERT_EQ(0, prkd_pack(&prkd, &d));
	schsm_script_write(&self->s, 0xc402, pack_done(&d), 0x9000);
	schsm_script_write(&self->s, 0xce02, v, 0x9000);
	ASSERT_EQ(0, schsm_card_driver.container_create(script_begin(&self->s), &want, &self->p));
	EXPECT_EQ(2u, want.container);
	EXPECT_BYTES_EQ(pack_done(&s), pack_done(&self->p));
}

/* [cards 2.3 GENERATE KEY PAIR], as the page has it. */
static size_t template(enum kf_key_type type, struct bytes algorithms, uint8_t *out, size_t cap)
{
	static const char p256[] =
		"7F4981DA 060A04007F00070202020203"
		"8120 FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF"
		"8220 FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFC"
		"8320 5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B"
		"8441 046B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296"
		"4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5"
		"8520 FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551 870101";
	static const char rsa[] = "7F4915 060A04007F00070202020102 8203010001 02020800";
	size_t n = script_hex("5F290100 4209 555443413030303031", out, cap);

	n += script_hex(type == KF_KEY_EC_P256 ? p256 : rsa, out + n, cap - n);
	n += script_hex("5F2009 55544B463030303032 91", out + n, cap - n);
	out[n++] = (uint8_t)algorithms.n;
	memcpy(out + n, algorithms.p, algorithms.n);
	return n + algorithms.n;
}

TEST(no_list_lets_a_key_leave_or_do_two_things)
{
	for (unsigned int type = 1; type < 32; type++)
		for (unsigned int purpose = 0; purpose < 12; purpose++) {
			struct bytes list = schsm_algorithms((enum kf_key_type)type, (enum kf_purpose)purpose);

			if (list.n == 0)
				continue;
			EXPECT_NULL(memchr(list.p, 0x92, list.n));
			EXPECT_NULL(memchr(list.p, 0x20, list.n));	/* raw RSA undoes padding rules */
			EXPECT_NULL(memchr(list.p, 0x21, list.n));
			EXPECT_EQ(purpose == KF_PURPOSE_DECRYPT, memchr(list.p, 0x22, list.n) != NULL);
			EXPECT_EQ(purpose == KF_PURPOSE_DERIVE, memchr(list.p, 0x80, list.n) != NULL);
		}
	EXPECT_EQ((size_t)0, schsm_algorithms(KF_KEY_X25519, KF_PURPOSE_DERIVE).n);
	EXPECT_EQ((size_t)0, schsm_algorithms(KF_KEY_EC_P256, KF_PURPOSE_DECRYPT).n);
}

static uint8_t drawn;

static int draw_the_same(uint8_t *out, size_t n)
{
	memset(out, drawn, n);
	return 0;
}

static int draw_nothing(uint8_t *out, size_t n)
{
	(void)out;
	(void)n;
	return -EIO;
}

static void expect_aes_made(struct fixture_container *self)
{
	schsm_script_files(&self->s, "CC00");
	script_expect(&self->s, "004802B2 05 9103 101118", "9000");
}

static int create_aes(struct fixture_container *self)
{
	struct kf_container_create want = {
		.container = 2, .key_type = KF_KEY_AES_256, .purpose = KF_PURPOSE_CIPHER,
	};

	return schsm_card_driver.container_create(script_begin(&self->s), &want, &self->p);
}

/* What is to be replaced is named by what lies beside it, and that is never the same twice. */
TEST_F(container, two_aes_keys_of_one_size_and_place_are_told_apart)
{
	struct prkd prkd = { .kind = PRKD_AES, .usage = 0xe200, .bits = 256, .local = true, .label = "key 2",
			     .id = "k\2", .id_len = 2, .marked = true };
	struct kf_container_info info[2] = { { .entry.container = 2 }, { .entry.container = 2 } };

	schsm_of(self->s.card)->random = draw_the_same;
	for (int i = 0; i < 2; i++) {
		uint8_t der[PRKD_MAX];
		struct packer d = pack_begin(der, sizeof(der));

		drawn = (uint8_t)(0x70 + i);
		memset(prkd.mark, drawn, sizeof(prkd.mark));
		ASSERT_EQ(0, prkd_pack(&prkd, &d));
		expect_aes_made(self);
		schsm_script_write(&self->s, 0xc402, pack_done(&d), 0x9000);
		schsm_script_delete(&self->s, 0xce02, 0x6a82);
		ASSERT_EQ(0, create_aes(self));
		schsm_script_files(&self->s, "CC02 C402");
		schsm_script_file(&self->s, 0xc402, der, d.n);
		ASSERT_EQ(0, schsm_card_driver.container_info(script_begin(&self->s), &info[i], &self->p));
		EXPECT_EQ((uint32_t)KF_KEY_AES_256, info[i].entry.key_type);
	}
	EXPECT_NE(0, memcmp(info[0].entry.holds, info[1].entry.holds, sizeof(info[0].entry.holds)));
}

TEST_F(container, a_key_that_got_no_mark_is_deleted_again)
{
	schsm_of(self->s.card)->random = draw_nothing;
	expect_aes_made(self);
	schsm_script_delete(&self->s, 0xcc02, 0x9000);
	schsm_script_delete(&self->s, 0xc402, 0x6a82);
	schsm_script_delete(&self->s, 0xce02, 0x6a82);
	EXPECT_EQ(-EIO, create_aes(self));
}

TEST_F(container, a_key_that_cannot_be_described_is_deleted_again)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *other = EVP_EC_gen("P-384");
	struct kf_container_create want = {
		.container = 2, .key_type = KF_KEY_EC_P256, .purpose = KF_PURPOSE_SIGN,
	};
	struct bytes v = voucher_of(self, other);
	uint8_t command[512], answer[CVC_MAX + 2], data[512];
	size_t n = template(KF_KEY_EC_P256, schsm_algorithms(KF_KEY_EC_P256, KF_PURPOSE_SIGN), data, sizeof(data));

	for (int what = 0; what < 2; what++) {
		struct packer c = pack_begin(command, sizeof(command)), a = pack_begin(answer, sizeof(answer));

		schsm_script_files(&self->s, "CC00");
		pack_be(&c, 0x00460200, 4);
		pack_u8(&c, 0);
		pack_be16(&c, (uint16_t)n);
		pack_bytes(&c, BYTES(data, n));
		pack_be16(&c, 0);
		pack_bytes(&a, what ? v : BYTES("rubbish", 7));
		pack_be16(&a, 0x9000);
		script_add(&self->s, pack_done(&c), pack_done(&a));
		schsm_script_delete(&self->s, 0xcc02, 0x9000);
		schsm_script_delete(&self->s, 0xc402, 0x6a82);
		schsm_script_delete(&self->s, 0xce02, 0x6a82);
		EXPECT_EQ(-EBADMSG, schsm_card_driver.container_create(script_begin(&self->s), &want, &self->p));
	}
}

TEST_F(container, an_occupied_container_is_not_overwritten)
{
	struct kf_container_create want = {
		.container = 2, .key_type = KF_KEY_EC_P256, .purpose = KF_PURPOSE_SIGN,
	};

	schsm_script_files(&self->s, "CC02");
	EXPECT_EQ(-EEXIST, schsm_card_driver.container_create(script_begin(&self->s), &want, &self->p));
	want.key_type = KF_KEY_X25519;
	want.purpose = KF_PURPOSE_EXCHANGE;
	EXPECT_EQ(-EOPNOTSUPP, schsm_card_driver.container_create(script_begin(&self->s), &want, &self->p));
	want.purpose = KF_PURPOSE_SIGN;
	EXPECT_EQ(-EINVAL, schsm_card_driver.container_create(script_begin(&self->s), &want, &self->p));
	want.key_type = 0;
	EXPECT_EQ(-EINVAL, schsm_card_driver.container_create(script_begin(&self->s), &want, &self->p));
}

TEST_F(container, a_key_goes_first_and_then_what_lies_beside_it)
{
	schsm_script_files(&self->s, "CC02 C402 CE02");
	schsm_script_delete(&self->s, 0xcc02, 0x9000);
	schsm_script_delete(&self->s, 0xc402, 0x9000);
	schsm_script_delete(&self->s, 0xce02, 0x6a82);
	EXPECT_EQ(0, schsm_card_driver.container_delete(script_begin(&self->s), 2));
	schsm_script_files(&self->s, "CC02 C402");
	EXPECT_EQ(-ENOENT, schsm_card_driver.container_delete(script_begin(&self->s), 3));
	schsm_script_files(&self->s, "CC02");
	schsm_script_delete(&self->s, 0xcc02, 0x6982);
	EXPECT_EQ(-EPERM, schsm_card_driver.container_delete(script_begin(&self->s), 2));
	EXPECT_EQ(KF_PIN_USER, self->s.card->said.detail);
}

TEST_F(container, a_voucher_is_no_certificate)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
	struct bytes v = voucher_of(self, key);

	schsm_script_file(&self->s, 0xce02, v.p, v.n);
	EXPECT_EQ(-ENOENT, schsm_card_driver.cert_read(script_begin(&self->s), 2, &self->p));
	EXPECT_EQ(-EINVAL, schsm_card_driver.cert_store(script_begin(&self->s), 2, BYTES("\x30\1\0", 3)));
	EXPECT_EQ(KF_REASON_CERT, self->s.card->said.reason);
}

TEST_F(container, a_voucher_is_read_as_it_is_and_a_certificate_is_none)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
	struct bytes v = voucher_of(self, key);
	static const uint8_t x509[] = { 0x30, 1, 0 };

	schsm_script_file(&self->s, 0xce02, v.p, v.n);
	ASSERT_EQ(0, schsm_card_driver.voucher_read(script_begin(&self->s), 2, &self->p));
	EXPECT_BYTES_EQ(v, pack_done(&self->p));
	schsm_script_file(&self->s, 0xce02, x509, sizeof(x509));
	EXPECT_EQ(-ENOENT, schsm_card_driver.voucher_read(script_begin(&self->s), 2, &self->p));
	EXPECT_EQ(-EINVAL, schsm_card_driver.voucher_read(script_begin(&self->s), 0, &self->p));
}

/* Type, origin and hash of a container come from what lies there, so nothing foreign may. */
TEST_F(container, what_is_stored_beside_a_key_is_of_that_key)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
	uint8_t own[SCHSM_FILE_MAX], foreign[SCHSM_FILE_MAX];
	struct bytes v = voucher_of(self, key);
	struct packer mine = pack_begin(own, sizeof(own)), theirs = pack_begin(foreign, sizeof(foreign));

	pack_bytes(&mine, v);
	pack_bytes(&theirs, voucher_of(self, other));
	schsm_script_files(&self->s, "CC02 CE02");
	schsm_script_file(&self->s, 0xce02, own, mine.n);
	EXPECT_EQ(-EINVAL, schsm_card_driver.cert_store(script_begin(&self->s), 2, pack_done(&theirs)));
	EXPECT_EQ(KF_REASON_CERT, self->s.card->said.reason);
	schsm_script_files(&self->s, "CC02 CE02");
	schsm_script_file(&self->s, 0xce02, own, mine.n);
	schsm_script_write(&self->s, 0xce02, pack_done(&mine), 0x9000);
	EXPECT_EQ(0, schsm_card_driver.cert_store(script_begin(&self->s), 2, pack_done(&mine)));
}
