/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vreader/card/chain.h"
#include "tests/harness.h"

static struct apdu part(uint8_t cla, uint8_t p2, const char *text)
{
	return (struct apdu){ .cla = cla, .ins = 0x20, .p2 = p2, .data = BYTES(text, strlen(text)) };
}

static int add(struct chain *chain, uint8_t cla, uint8_t p2, const char *text)
{
	struct apdu apdu = part(cla, p2, text);

	return chain_add(chain, &apdu);
}

TEST(parts_come_together_in_order)
{
	struct chain chain = CHAIN_INIT;

	ASSERT_EQ(0, chain_init(&chain));
	EXPECT_EQ(0, add(&chain, 0x10, 1, "ab"));
	EXPECT_TRUE(chain.open);
	EXPECT_EQ(0, add(&chain, 0x00, 1, "cd"));
	EXPECT_FALSE(chain.open);
	EXPECT_BYTES_EQ(BYTES("abcd", 4), secret_bytes(&chain.data));
	chain_deinit(&chain);
}

TEST(a_part_of_another_command_begins_anew)
{
	struct chain chain = CHAIN_INIT;

	ASSERT_EQ(0, chain_init(&chain));
	EXPECT_EQ(0, add(&chain, 0x10, 1, "ab"));
	EXPECT_EQ(0, add(&chain, 0x10, 2, "cd"));
	EXPECT_EQ(0, add(&chain, 0x90, 2, "ef"));
	EXPECT_BYTES_EQ(BYTES("ef", 2), secret_bytes(&chain.data));
	EXPECT_EQ(0, add(&chain, 0x80, 2, ""));
	EXPECT_EQ(0, add(&chain, 0x80, 2, "gh"));	/* the chain had ended */
	EXPECT_BYTES_EQ(BYTES("gh", 2), secret_bytes(&chain.data));
	chain_deinit(&chain);
}

TEST(what_does_not_fit_is_dropped_and_wiped)
{
	static const uint8_t big[APP_DATA_MAX] = { [0 ... APP_DATA_MAX - 1] = 0x55 };
	struct chain chain = CHAIN_INIT;
	struct apdu apdu = { .cla = 0x10, .data = BYTES_OF(big) };

	ASSERT_EQ(0, chain_init(&chain));
	EXPECT_EQ(0, chain_add(&chain, &apdu));
	apdu.data.n = 1;
	EXPECT_EQ(-EMSGSIZE, chain_add(&chain, &apdu));
	EXPECT_FALSE(chain.open);
	EXPECT_TRUE(bytes_are_zero(BYTES(chain.data.p, chain.data.cap)));
	chain_deinit(&chain);
}
