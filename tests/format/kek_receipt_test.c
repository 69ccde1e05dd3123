/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/kek_receipt.h"
#include "tests/format/mutate.h"
#include "tests/harness.h"

static const uint8_t evidence[] = { 0x30, 0x03, 0x02, 0x01, 0x05 };

static struct kek_receipt sample(void)
{
	struct kek_receipt r = {
		.serial = "KF-0001",
		.kek_origin = KF_ORIGIN_GENERATED,
		.hash = KF_HASH_SHA256,
		.container = 4,
		.pin = KF_PIN_USER,
		.key_type = KF_KEY_AES_256,
		.purpose = KF_PURPOSE_CIPHER,
		.policy = { true, 0 },
		.origin = KF_ORIGIN_INJECTED_OPEN,
		.counter = 70000,
		.evidence = BYTES_OF(evidence),
	};

	memset(r.kek, 0x33, sizeof(r.kek));
	memset(r.blob, 0x5a, sizeof(r.blob));
	return r;
}

static int reencode(struct bytes der, struct packer *again)
{
	struct kek_receipt r;
	int e = kek_receipt_parse(der, &r);

	if (e == 0)
		kek_receipt_pack(again, &r);
	return e;
}

static int reencode_mark(struct bytes der, struct packer *again)
{
	struct key_mark m;
	int e = key_mark_parse(der, &m);

	if (e == 0)
		key_mark_pack(again, &m);
	return e;
}

TEST(a_kek_receipt_comes_back_as_it_went)
{
	struct kek_receipt r = sample(), again;
	uint8_t buf[RECEIPT_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	kek_receipt_pack(&p, &r);
	ASSERT_EQ(0, kek_receipt_parse(pack_done(&p), &again));
	EXPECT_EQ(70000u, again.counter);
	EXPECT_EQ(KF_PURPOSE_CIPHER, again.purpose);
	EXPECT_EQ(KF_HASH_SHA256, again.hash);
	EXPECT_EQ(KF_ORIGIN_INJECTED_OPEN, again.origin);
	EXPECT_TRUE(bytes_equal(BYTES_OF(evidence), again.evidence));
	EXPECT_TRUE(bytes_equal(BYTES_OF(r.blob), BYTES_OF(again.blob)));
}

TEST_TIMEOUT(a_kek_receipt_has_one_form, 30)
{
	struct kek_receipt r = sample();
	uint8_t buf[RECEIPT_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	kek_receipt_pack(&p, &r);
	expect_strict(pack_done(&p), reencode);
}

/* The one receipt must never pass for the other, both being signed by the DEVICE key. */
TEST(contexts_keep_receipts_apart)
{
	struct kek_receipt r = sample();
	struct receipt other;
	uint8_t buf[RECEIPT_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	kek_receipt_pack(&p, &r);
	EXPECT_EQ(-EBADMSG, receipt_parse(pack_done(&p), &other));
	r.purpose = KF_PURPOSE_SIGN;	/* an AES key */
	p = pack_begin(buf, sizeof(buf));
	kek_receipt_pack(&p, &r);
	EXPECT_EQ(-EBADMSG, kek_receipt_parse(pack_done(&p), &r));
}

TEST(a_mark_has_one_form_and_is_of_a_secret_key)
{
	struct key_mark m = { KF_KEY_AES_128, { 1, 2, 3 }, { 4 } }, again;
	uint8_t buf[KEY_MARK_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	key_mark_pack(&p, &m);
	ASSERT_EQ(0, pack_end(&p));
	ASSERT_EQ(0, key_mark_parse(pack_done(&p), &again));
	EXPECT_EQ(3, again.check[2]);
	expect_strict(pack_done(&p), reencode_mark);
	m.key_type = KF_KEY_EC_P256;
	p = pack_begin(buf, sizeof(buf));
	key_mark_pack(&p, &m);
	EXPECT_EQ(-EBADMSG, key_mark_parse(pack_done(&p), &again));
}
