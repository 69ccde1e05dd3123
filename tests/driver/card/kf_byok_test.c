/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/card/kf.h"
#include "format/hash.h"
#include "format/kek_receipt.h"
#include "tests/driver/card/kek_script.h"

#define VERSION	"051928341be67dcba03f0e04104d9047"
#define NAME	"https://card.example/keys/kek/" VERSION
#define KEK_AT	15

FIXTURE(byok) { struct script s; uint8_t out[8192], blob[256 + 152]; struct packer p; struct bytes spki; struct kf_byok_import want; };
FIXTURE_SETUP(byok)
{
	script_open(&self->s, SCRIPT_KEKS);
	self->p = pack_begin(self->out, sizeof(self->out));
	memset(self->blob, 0x5a, sizeof(self->blob));
	self->want = (struct kf_byok_import){
		.container = 2, .key_type = KF_KEY_EC_P256, .purpose = KF_PURPOSE_SIGN, .kek = KEK_AT,
	};
}
FIXTURE_TEARDOWN(byok)
{
	script_done(&self->s);
	script_close(&self->s);
}

static int import(struct fixture_byok *self, const char *kid, size_t n)
{
	return kf_card_driver.byok_import(script_begin(&self->s), &self->want, BYTES(kid, strlen(kid)),
					  BYTES(self->blob, n), &self->p, &self->spki);
}

static void expect_kek(struct fixture_byok *self, uint8_t purpose, bool enabled)
{
	script_kek(&self->s, KEK_AT, NAME, KF_HASH_SHA1, enabled);
	script_place(&self->s, KEK_AT, KF_KEY_RSA_2048, purpose, BYTES("kek", 3));
}

static void want_refused(struct fixture_byok *self, int error, enum kf_byok_field field, int got)
{
	if (got != error || self->s.card->said.reason != KF_REASON_BYOK ||
	    self->s.card->said.detail != (uint32_t)field)
		TEST_FAIL("%d, reason %u, detail %u; not %d, %d", got, self->s.card->said.reason,
			  self->s.card->said.detail, error, field);
	EXPECT_EQ(0u, self->p.n);
}

/* A receipt in form for @blob; what a test spoils is in @r. */
static void put_receipt(struct packer *p, const struct kek_receipt *r)
{
	uint8_t buf[RECEIPT_MAX];
	struct packer inner = pack_begin(buf, sizeof(buf));

	kek_receipt_pack(&inner, r);
	signed_receipt_pack(p, &(struct signed_receipt){ pack_done(&inner), BYTES("sig", 3) });
}

static struct kek_receipt receipt_of(struct fixture_byok *self)
{
	struct kek_receipt r = {
		.serial = SCRIPT_SERIAL, .kek_origin = KF_ORIGIN_GENERATED, .hash = KF_HASH_SHA1,
		.container = 2, .pin = 1, .key_type = KF_KEY_EC_P256, .purpose = KF_PURPOSE_SIGN,
		.policy = { true, 0 }, .origin = KF_ORIGIN_INJECTED_OPEN, .counter = 1,
		.evidence = BYTES("\x30\x00", 2),
	};

	ASSERT_EQ(0, sha256(BYTES_OF(self->blob), r.blob));
	return r;
}

/* UNWRAP itself, extended: 80 4A 00 kek, target, type, purpose, policy, blob. */
static void expect_unwrap(struct fixture_byok *self, struct bytes answer)
{
	uint8_t data[512], buf[600];
	struct packer d = pack_begin(data, sizeof(data)), c = pack_begin(buf, sizeof(buf));
	const uint8_t head[] = {
		0x80, 1, 2, 0x81, 1, (uint8_t)self->want.key_type, 0x82, 1, (uint8_t)self->want.purpose,
		0x83, 1, 1,
	};

	pack_bytes(&d, BYTES_OF(head));
	tlv_pack(&d, 0x85, BYTES_OF(self->blob));
	pack_be(&c, 0x804a0000 | KEK_AT, 4);
	pack_be(&c, d.n, 3);
	pack_bytes(&c, pack_done(&d));
	pack_be16(&c, 0);
	script_add(&self->s, pack_done(&c), answer);
}

static void expect_way(struct fixture_byok *self)
{
	expect_kek(self, KF_PURPOSE_KEK, true);
	script_place_empty(&self->s, 2);
}

TEST_F(byok, a_blob_is_unwrapped_into_an_empty_container)
{
	struct kek_receipt r = receipt_of(self);
	uint8_t answer[RECEIPT_MAX];
	struct packer a = pack_begin(answer, sizeof(answer));

	put_receipt(&a, &r);
	pack_be16(&a, 0x9000);
	expect_way(self);
	expect_unwrap(self, pack_done(&a));
	ASSERT_EQ(0, import(self, "", sizeof(self->blob)));
	EXPECT_BYTES_EQ(BYTES(answer, a.n - 2), pack_done(&self->p));
	EXPECT_EQ(2u, self->want.container);
	EXPECT_EQ((uint32_t)KEK_AT, self->want.kek);
	EXPECT_EQ((uint32_t)KF_HASH_SHA1, self->want.hash);
	EXPECT_EQ((uint32_t)KF_GRADE_A_VIRTUAL, self->want.grade);
	EXPECT_BYTES_EQ(r.evidence, self->spki);
	EXPECT_EQ(0u, self->want.check_len);
}

TEST_F(byok, what_nobody_calls_by_its_type_is_what_its_length_says)
{
	struct kek_receipt r = receipt_of(self);
	uint8_t answer[RECEIPT_MAX];
	struct packer a = pack_begin(answer, sizeof(answer));

	put_receipt(&a, &r);
	pack_be16(&a, 0x9000);
	expect_way(self);
	expect_unwrap(self, pack_done(&a));
	self->want.key_type = KF_KEY_NONE;
	ASSERT_EQ(0, import(self, "", sizeof(self->blob)));
	EXPECT_EQ((uint32_t)KF_KEY_EC_P256, self->want.key_type);
}

/* Whatever the card does afterwards: the script has no command behind UNWRAP. */
TEST_F(byok, what_became_of_a_secret_key_stands_in_the_receipt)
{
	struct key_mark mark = { .check = { 1, 2, 3 } };

	self->want.key_type = KF_KEY_AES_256;
	self->want.purpose = KF_PURPOSE_CIPHER;
	for (int what = 0; what < 3; what++) {
		struct kek_receipt r = receipt_of(self);
		uint8_t answer[RECEIPT_MAX], der[KEY_MARK_MAX];
		struct packer a = pack_begin(answer, sizeof(answer)), m = pack_begin(der, sizeof(der));

		mark.key_type = what == 1 ? KF_KEY_AES_128 : KF_KEY_AES_256;
		key_mark_pack(&m, &mark);
		r.key_type = KF_KEY_AES_256;
		r.purpose = KF_PURPOSE_CIPHER;
		r.evidence = what == 2 ? BYTES("\x30\x00", 2) : pack_done(&m);
		put_receipt(&a, &r);
		pack_be16(&a, 0x9000);
		expect_way(self);
		expect_unwrap(self, pack_done(&a));
		EXPECT_EQ(what == 0 ? 0 : -EBADMSG, import(self, "", sizeof(self->blob)));
		EXPECT_EQ(0u, self->spki.n);
		if (what != 0)
			continue;
		EXPECT_EQ(3u, self->want.check_len);
		EXPECT_MEMEQ("\1\2\3", self->want.check_value, 3);
		self->p.n = 0;
	}
}

/* GET RECEIPT for the sid @which names, answered by the receipt of the fixture's blob. */
static int fetch(struct fixture_byok *self, const struct kf_receipt_get *which, const struct kek_receipt *r)
{
	uint8_t answer[RECEIPT_MAX], buf[64];
	struct packer a = pack_begin(answer, sizeof(answer)), c = pack_begin(buf, sizeof(buf));

	put_receipt(&a, r);
	pack_be16(&a, 0x9000);
	pack_be(&c, 0x80560000, 4);
	pack_be(&c, 22, 3);
	tlv_pack(&c, 0x80, BYTES_OF(which->sid));
	tlv_pack(&c, 0x81, BYTES("\0\0", 2));
	pack_be16(&c, 0);
	script_add(&self->s, pack_done(&c), pack_done(&a));
	return kf_card_driver.receipt_get(script_begin(&self->s), which, &self->p);
}

TEST_F(byok, a_receipt_that_got_lost_is_fetched_by_the_blobs_hash)
{
	struct kek_receipt r = receipt_of(self);
	struct kf_receipt_get which = { .item_no = 0 };

	memcpy(which.sid, r.blob, sizeof(which.sid));
	ASSERT_EQ(0, fetch(self, &which, &r));
	EXPECT_GT(self->p.n, sizeof(r.blob));
	self->p.n = 0;
	for (size_t i = 0; i < sizeof(which.sid); i++) {
		which.sid[i] ^= 1;
		EXPECT_EQ(-EBADMSG, fetch(self, &which, &r));
		which.sid[i] ^= 1;
	}
	EXPECT_EQ(0u, self->p.n);
}

TEST_F(byok, a_receipt_of_another_import_is_none)
{
	for (int what = 0; what < 4; what++) {
		struct kek_receipt r = receipt_of(self);
		uint8_t answer[RECEIPT_MAX];
		struct packer a = pack_begin(answer, sizeof(answer));

		r.blob[0] ^= what == 0;
		r.container += what == 1;
		if (what == 2)
			r.key_type = KF_KEY_EC_P384;
		put_receipt(&a, &r);
		answer[7] ^= what == 3;
		pack_be16(&a, 0x9000);
		expect_way(self);
		expect_unwrap(self, pack_done(&a));
		EXPECT_EQ(-EBADMSG, import(self, "", sizeof(self->blob)));
		EXPECT_EQ(0u, self->p.n);
	}
}

TEST_F(byok, each_refusal_has_its_errno)
{
	static const struct { uint16_t sw; int error; uint16_t reason; } rows[] = {
		{ 0x6988, -EREMOTEIO, KF_REASON_BYOK_REFUSED }, { 0x6982, -EPERM, KF_REASON_PIN_NEEDED },
		{ 0x6985, -EREMOTEIO, KF_REASON_KEY_PURPOSE }, { 0x6a80, -EINVAL, KF_REASON_BYOK },
		{ 0x6581, -EREMOTEIO, KF_REASON_NONE }, { 0x9000, -EBADMSG, KF_REASON_NONE },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const uint8_t sw[] = { (uint8_t)(rows[i].sw >> 8), (uint8_t)rows[i].sw };

		expect_way(self);
		expect_unwrap(self, BYTES_OF(sw));
		EXPECT_EQ(rows[i].error, import(self, "", sizeof(self->blob)));
		EXPECT_EQ(rows[i].reason, self->s.card->said.reason);
	}
}

/* --- which KEK --- */

static void expect_keks(struct fixture_byok *self, const char *at3, const char *at9, uint8_t last)
{
	for (uint8_t c = 0; c <= last; c++) {
		if (c == 3 && at3)
			script_kek(&self->s, c, at3, KF_HASH_SHA1, true);
		else if (c == 9 && at9)
			script_kek(&self->s, c, at9, KF_HASH_SHA1, true);
		else
			script_kek_none(&self->s, c);
	}
}

TEST_F(byok, a_kid_is_found_in_any_case_and_without_version)
{
	static const char *const kids[] = {
		NAME, "HTTPS://card.EXAMPLE/keys/kek/051928341BE67DCBA03F0E04104D9047", "https://card.example/keys/KEK",
	};

	for (size_t i = 0; i < 3; i++) {
		self->want.kek = KF_CONTAINER_ANY;
		expect_keks(self, "other", NAME, i < 2 ? 9 : 15);
		script_place(&self->s, 9, KF_KEY_RSA_2048, KF_PURPOSE_KEK, BYTES("kek", 3));
		script_place_empty(&self->s, 2);
		self->want.purpose = KF_PURPOSE_SIGN;
		/* found: it goes on to what the blob can be */
		self->want.hash = KF_HASH_NONE;
		self->want.flags = KF_BYOK_REPLACE;
		want_refused(self, -EEXIST, KF_BYOK_REPLACES, import(self, kids[i], sizeof(self->blob)));
	}
}

TEST_F(byok, a_foreign_kid_is_unknown_and_an_ambiguous_one_named_so)
{
	static const char *const foreign[] = {
		"https://other.example/keys/kek/" VERSION, "http://card.example/keys/kek/" VERSION, "../../keys/kek",
		"kek",
	};

	self->want.kek = KF_CONTAINER_ANY;
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		expect_keks(self, NULL, NAME, 15);
		want_refused(self, -ENOENT, KF_BYOK_KEK_UNKNOWN, import(self, foreign[i], sizeof(self->blob)));
		EXPECT_EQ(0, self->s.card->said.sw);
	}
	expect_keks(self, "https://card.example/keys/kek/00000000000000000000000000000000", NAME, 15);
	want_refused(self, -EINVAL, KF_BYOK_KEK_AMBIGUOUS, import(self, "https://card.example/keys/kek",
								 sizeof(self->blob)));
	EXPECT_EQ(-EINVAL, import(self, "", sizeof(self->blob)));
}

TEST_F(byok, a_container_that_holds_no_kek_is_none)
{
	script_kek_none(&self->s, KEK_AT);
	want_refused(self, -EINVAL, KF_BYOK_KEK_PURPOSE, import(self, "", sizeof(self->blob)));
	expect_kek(self, KF_PURPOSE_SIGN, true);
	want_refused(self, -EINVAL, KF_BYOK_KEK_PURPOSE, import(self, "", sizeof(self->blob)));
	script_kek(&self->s, KEK_AT, NAME, KF_HASH_SHA1, true);
	want_refused(self, -ENOENT, KF_BYOK_KEK_UNKNOWN, import(self, "other", sizeof(self->blob)));
	self->want.kek = 16;
	EXPECT_EQ(-EINVAL, import(self, "", sizeof(self->blob)));
}

/* --- what the KEK allows, and what the blob can be --- */

TEST_F(byok, what_the_kek_does_not_allow_is_not_sent)
{
	expect_kek(self, KF_PURPOSE_KEK, false);
	want_refused(self, -EINVAL, KF_BYOK_KEK_DISABLED, import(self, "", sizeof(self->blob)));
	self->want.hash = KF_HASH_SHA256;
	expect_kek(self, KF_PURPOSE_KEK, true);
	want_refused(self, -EINVAL, KF_BYOK_HASH, import(self, "", sizeof(self->blob)));
	self->want.hash = KF_HASH_SHA1;
	self->want.key_type = KF_KEY_EC_P384;
	expect_kek(self, KF_PURPOSE_KEK, true);
	want_refused(self, -EINVAL, KF_BYOK_KEY_TYPE, import(self, "", sizeof(self->blob)));
	self->want.key_type = KF_KEY_NONE;		/* no key is as long */
	expect_kek(self, KF_PURPOSE_KEK, true);
	want_refused(self, -EINVAL, KF_BYOK_KEY_TYPE, import(self, "", sizeof(self->blob) - 16));
	self->want.key_type = KF_KEY_EC_P256;
	self->want.purpose = KF_PURPOSE_DERIVE;		/* not of this KEK */
	expect_kek(self, KF_PURPOSE_KEK, true);
	want_refused(self, -EINVAL, KF_BYOK_PURPOSE, import(self, "", sizeof(self->blob)));
	self->want.purpose = KF_PURPOSE_DECRYPT;	/* not of this type */
	expect_kek(self, KF_PURPOSE_KEK, true);
	want_refused(self, -EINVAL, KF_BYOK_PURPOSE, import(self, "", sizeof(self->blob)));
}

TEST_F(byok, a_length_that_cannot_be_is_not_sent)
{
	static const size_t lengths[] = { 0, 1, 255, 256, 264, 271, 273, 407 };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		expect_kek(self, KF_PURPOSE_KEK, true);
		want_refused(self, -EINVAL, KF_BYOK_BLOB, import(self, "", lengths[i]));
	}
}

TEST_F(byok, an_occupied_container_is_replaced_by_name_alone)
{
	expect_kek(self, KF_PURPOSE_KEK, true);
	script_place(&self->s, 2, KF_KEY_EC_P256, KF_PURPOSE_SIGN, BYTES("old", 3));
	want_refused(self, -EEXIST, KF_BYOK_CONTAINER, import(self, "", sizeof(self->blob)));
	self->want.flags = KF_BYOK_REPLACE;
	expect_kek(self, KF_PURPOSE_KEK, true);
	script_place(&self->s, 2, KF_KEY_EC_P256, KF_PURPOSE_SIGN, BYTES("old", 3));
	want_refused(self, -EEXIST, KF_BYOK_REPLACES, import(self, "", sizeof(self->blob)));
	ASSERT_EQ(0, sha256(BYTES("old", 3), self->want.replaces));
	expect_kek(self, KF_PURPOSE_KEK, true);
	script_place(&self->s, 2, KF_KEY_RSA_2048, KF_PURPOSE_EXCHANGE, BYTES("old", 3));
	want_refused(self, -EEXIST, KF_BYOK_CONTAINER, import(self, "", sizeof(self->blob)));
	self->want.container = KF_CONTAINER_ANY;
	expect_kek(self, KF_PURPOSE_KEK, true);
	EXPECT_EQ(-EINVAL, import(self, "", sizeof(self->blob)));
}

TEST_F(byok, a_kek_that_others_know_makes_grade_c)
{
	struct kek_receipt r = receipt_of(self);
	uint8_t answer[RECEIPT_MAX], e3[] = { 0xe3, 38, 0x80, 1, 1, 0x81, 1, KF_KEY_RSA_2048, 0x82, 1,
		KF_PURPOSE_KEK, 0x83, 1, KF_ORIGIN_FACTORY, 0x84, 1, 0, 0x85, 3, 'k', 'e', 'k', 0x86, 1, 0, 0x87, 2,
		0, 0, 0x88, 8, 0, 0, 0, 0, 0, 0, 0, 0 };
	struct packer a = pack_begin(answer, sizeof(answer));

	e3[1] = sizeof(e3) - 2;
	put_receipt(&a, &r);
	pack_be16(&a, 0x9000);
	script_kek(&self->s, KEK_AT, NAME, KF_HASH_SHA1, true);
	script_get_data(&self->s, 0x0110 + KEK_AT, BYTES_OF(e3), 0x9000);
	script_place_empty(&self->s, 2);
	expect_unwrap(self, pack_done(&a));
	ASSERT_EQ(0, import(self, "", sizeof(self->blob)));
	EXPECT_EQ((uint32_t)KF_GRADE_C, self->want.grade);
}
