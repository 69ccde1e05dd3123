/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/card/session.h"
#include "tests/harness.h"

TEST(a_number_is_never_used_twice)
{
	struct card_sessions all = CARD_SESSIONS_INIT;
	struct card_session *first, *second;

	ASSERT_EQ(0, card_session_new(&all, &first));
	uint64_t key = first->key;
	EXPECT_TRUE(card_session_find(&all, key) == first);
	card_sessions_clear(&all);
	EXPECT_NULL(card_session_find(&all, key));
	ASSERT_EQ(0, card_session_new(&all, &second));
	EXPECT_NE(key, second->key);
}

TEST(zero_is_no_session_and_the_table_has_an_end)
{
	struct card_sessions all = CARD_SESSIONS_INIT;
	struct card_session *session;

	EXPECT_NULL(card_session_find(&all, 0));
	for (size_t i = 0; i < CARD_SESSIONS_MAX; i++)
		ASSERT_EQ(0, card_session_new(&all, &session));
	EXPECT_EQ(-ENOSPC, card_session_new(&all, &session));
}

static int set_u32(struct card_session *session, uint32_t prop, uint32_t value)
{
	uint8_t raw[4];
	struct packer p = pack_begin(raw, sizeof(raw));

	pack_le32(&p, value);
	return card_session_set(session, prop, pack_done(&p));
}

static struct bytes get(const struct card_session *session, uint32_t prop)
{
	static uint8_t raw[64];
	struct packer p = pack_begin(raw, sizeof(raw));

	ASSERT_EQ(0, card_session_get(session, prop, &p));
	return pack_done(&p);
}

TEST(properties_are_checked_when_they_are_set)
{
	struct card_session session = { .key = 1 };
	uint8_t iv[17] = { 1, 2, 3 };

	EXPECT_EQ(0, set_u32(&session, KF_PROP_CHAINING_MODE, KF_CHAIN_CBC));
	EXPECT_EQ(-EOPNOTSUPP, set_u32(&session, KF_PROP_CHAINING_MODE, KF_CHAIN_ECB));
	EXPECT_EQ(-EOPNOTSUPP, set_u32(&session, KF_PROP_CHAINING_MODE, KF_CHAIN_GCM));
	EXPECT_EQ(-EINVAL, set_u32(&session, KF_PROP_CHAINING_MODE, 0x80));
	EXPECT_EQ(-EINVAL, card_session_set(&session, KF_PROP_CHAINING_MODE, BYTES(iv, 3)));
	EXPECT_EQ(-EINVAL, card_session_set(&session, KF_PROP_IV, BYTES(iv, 15)));
	EXPECT_EQ(-EINVAL, card_session_set(&session, KF_PROP_IV, BYTES(iv, 17)));
	EXPECT_EQ(0, card_session_set(&session, KF_PROP_IV, BYTES(iv, 16)));
	EXPECT_EQ(-EINVAL, set_u32(&session, KF_PROP_SID, 1));
	EXPECT_EQ(-EINVAL, set_u32(&session, 99, 1));
	EXPECT_BYTES_EQ(BYTES(iv, 16), get(&session, KF_PROP_IV));
}

TEST(properties_read_back_as_the_protocol_says)
{
	struct card_session session = {
		.key = 1, .algorithm = KF_KEY_AES_256, .next_item = 3, .sid = { 9, 8, 7 },
	};
	static const uint8_t block[] = { 16, 0, 0, 0 }, item[] = { 3, 0, 0, 0 };
	uint8_t raw[2];
	struct packer small = pack_begin(raw, sizeof(raw)), p = pack_begin(raw, sizeof(raw));

	EXPECT_BYTES_EQ(BYTES_OF(block), get(&session, KF_PROP_BLOCK_LENGTH));
	EXPECT_BYTES_EQ(BYTES_OF(item), get(&session, KF_PROP_NEXT_ITEM));
	EXPECT_BYTES_EQ(BYTES_OF(session.sid), get(&session, KF_PROP_SID));
	EXPECT_EQ((size_t)0, get(&session, KF_PROP_IV).n);
	EXPECT_EQ(-EMSGSIZE, card_session_get(&session, KF_PROP_SID, &small));
	EXPECT_EQ(-EINVAL, card_session_get(&session, 99, &p));
}
