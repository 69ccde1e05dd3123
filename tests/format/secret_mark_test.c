/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/secret_mark.h"
#include "tests/format/mutate.h"
#include "tests/harness.h"

static const uint8_t key[] = { 0x30, 0x03, 0x0a, 0x01, 0x0a };

static struct bytes sample(uint8_t *buf, size_t cap)
{
	struct packer p = pack_begin(buf, cap);
	struct secret_mark mark = { .key = BYTES_OF(key), .proof = { 1, 2, [15] = 16 } };

	secret_mark_pack(&p, &mark);
	ASSERT_EQ(0, pack_end(&p));
	return pack_done(&p);
}

TEST(what_was_packed_is_read)
{
	uint8_t buf[SECRET_MARK_MAX];
	struct secret_mark mark;

	ASSERT_EQ(0, secret_mark_parse(sample(buf, sizeof(buf)), &mark));
	EXPECT_BYTES_EQ(BYTES_OF(key), mark.key);
	EXPECT_EQ(1, mark.proof[0]);
	EXPECT_EQ(16, mark.proof[15]);
}

static int reencode(struct bytes der, struct packer *again)
{
	struct secret_mark mark;
	int r = secret_mark_parse(der, &mark);

	if (r == 0)
		secret_mark_pack(again, &mark);
	return r;
}

TEST(there_is_one_form)
{
	uint8_t buf[SECRET_MARK_MAX];

	expect_strict(sample(buf, sizeof(buf)), reencode);
}
