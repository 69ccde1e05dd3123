/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/receipt.h"
#include "tests/format/mutate.h"
#include "tests/harness.h"

static const uint8_t evidence[] = { 0x30, 0x03, 0x02, 0x01, 0x05 };

static struct receipt sample(void)
{
	struct receipt r = {
		.serial = "KF-0001",
		.number = 1,
		.function = KF_FUNCTION_IMPORT_KEYPAIR,
		.method = KF_METHOD_RSA,
		.container = 4,
		.pin = KF_PIN_USER,
		.key_type = KF_KEY_RSA_3072,
		.purpose = KF_PURPOSE_DECRYPT,
		.policy = { true, 0 },
		.sender = { .present = true, .digest = { 7 } },
		.result = RECEIPT_INSTALLED,
		.counter = 70000,
		.evidence = BYTES_OF(evidence),
	};

	memset(r.item, 0x5a, sizeof(r.item));
	return r;
}

static int reencode(struct bytes der, struct packer *again)
{
	struct receipt r;
	int e = receipt_parse(der, &r);

	if (e == 0)
		receipt_pack(again, &r);
	return e;
}

TEST(a_receipt_comes_back_as_it_went)
{
	struct receipt r = sample(), again;
	uint8_t buf[RECEIPT_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	receipt_pack(&p, &r);
	ASSERT_EQ(0, receipt_parse(pack_done(&p), &again));
	EXPECT_EQ(70000u, again.counter);
	EXPECT_EQ(KF_PURPOSE_DECRYPT, again.purpose);
	EXPECT_TRUE(bytes_equal(BYTES_OF(evidence), again.evidence));
	EXPECT_TRUE(bytes_equal(BYTES_OF(r.item), BYTES_OF(again.item)));
}

/* Of method rsa the bytes are what version 1 always had: after the exchange hash comes the container. */
TEST(only_methods_that_confirm_have_the_field)
{
	static const uint8_t no_field[] = { 0, 0, 0x02, 0x01, 0x04, 0x02, 0x01 };
	static const uint8_t field[] = { 0, 0, 0x04, 0x10, 0xc0, 0xc0 };
	struct receipt r = sample(), again;
	uint8_t buf[RECEIPT_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	receipt_pack(&p, &r);
	EXPECT_NOT_NULL(memmem(buf, p.n, no_field, sizeof(no_field)));
	for (int i = 0; i < 2; i++) {
		p = pack_begin(buf, sizeof(buf));
		r.method = i == 0 ? KF_METHOD_ECDH : KF_METHOD_DERIVED;
		r.confirms = true;
		memset(r.confirmation, 0xc0, sizeof(r.confirmation));
		receipt_pack(&p, &r);
		EXPECT_NOT_NULL(memmem(buf, p.n, field, sizeof(field)));
		ASSERT_EQ(0, receipt_parse(pack_done(&p), &again));
		EXPECT_TRUE(again.confirms);
		EXPECT_MEMEQ(r.confirmation, again.confirmation, sizeof(r.confirmation));
		p = pack_begin(buf, sizeof(buf));
		r.confirms = false;
		receipt_pack(&p, &r);
		EXPECT_EQ(-EBADMSG, receipt_parse(pack_done(&p), &again));
	}
}

TEST_TIMEOUT(a_receipt_has_one_form, 30)
{
	struct receipt r = sample();
	uint8_t buf[RECEIPT_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	receipt_pack(&p, &r);
	expect_strict(pack_done(&p), reencode);
}

TEST(a_result_other_than_installed_is_refused)
{
	struct receipt r = sample();
	uint8_t buf[RECEIPT_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	r.result = (enum receipt_result)1;
	receipt_pack(&p, &r);
	EXPECT_EQ(-EBADMSG, receipt_parse(pack_done(&p), &r));
}
