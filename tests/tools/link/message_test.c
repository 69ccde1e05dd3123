// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/link/message.h"
#include "base/error.h"
#include "tests/harness.h"

static struct bytes text(const char *t)
{
	return BYTES(t, strlen(t));
}

static size_t pack_all(int kind, uint8_t *buf, size_t cap)
{
	struct packer p = pack_begin(buf, cap);
	struct kf_error e = { -EACCES, "what", "why", "rule", "next" };

	switch (kind) {
	case SOURCE_OPEN:
		source_open_pack(&p, &(struct source_open){ text("/m.so"), text("t"), text("l"),
							    text("\x01\x00"), text("1234") });
		break;
	case SOURCE_FOUND:
		source_found_pack(&p, &(struct source_found){ KF_KEY_EC_P256K, text("spki") });
		break;
	case SOURCE_WRAP:
		source_wrap_pack(&p, &(struct source_wrap){ text("kek"), KF_HASH_SHA384, true, false });
		break;
	case SOURCE_WRAPPED:
		source_wrapped_pack(&p, &(struct source_wrapped){ SOURCE_OUR_AES, true, text("blob") });
		break;
	case MASTER_OPEN:
		master_open_pack(&p, &(struct master_open){ { text("/m.so"), text("t"), text("l"), BYTES_NONE,
							      text("1234") }, true });
		break;
	case MASTER_READY:
		master_ready_pack(&p, true);
		break;
	case MASTER_MAC:
		master_mac_pack(&p, text("in"));
		break;
	case MASTER_MACED:
		master_maced_pack(&p, text("0123456789abcdef"));
		break;
	default:
		source_failed_pack(&p, &e);
		break;
	}
	ASSERT_EQ(0, pack_end(&p));
	return p.n;
}

static int parse_as(int kind, struct bytes b)
{
	struct source_open open;
	struct source_found found;
	struct source_wrap wrap;
	struct source_wrapped wrapped;
	struct master_open master;
	struct bytes b_out;
	struct kf_error e;
	bool extractable;

	switch (kind) {
	case SOURCE_OPEN:
		return source_open_parse(b, &open);
	case SOURCE_FOUND:
		return source_found_parse(b, &found);
	case SOURCE_WRAP:
		return source_wrap_parse(b, &wrap);
	case SOURCE_WRAPPED:
		return source_wrapped_parse(b, &wrapped);
	case MASTER_OPEN:
		return master_open_parse(b, &master);
	case MASTER_READY:
		return master_ready_parse(b, &extractable);
	case MASTER_MAC:
		return master_mac_parse(b, &b_out);
	case MASTER_MACED:
		return master_maced_parse(b, &b_out);
	default:
		return source_failed_parse(b, &e);
	}
}

TEST(a_message_is_read_as_itself_and_whole)
{
	uint8_t buf[1024];

	for (int kind = SOURCE_OPEN; kind <= MASTER_MACED; kind++) {
		size_t n = pack_all(kind, buf, sizeof(buf));

		EXPECT_EQ(kind, source_kind_of(BYTES(buf, n)));
		for (int as = SOURCE_OPEN; as <= MASTER_MACED; as++)
			EXPECT_EQ(as == kind ? 0 : -EBADMSG, parse_as(as, BYTES(buf, n)));
		for (size_t cut = 0; cut < n; cut++)
			EXPECT_EQ(-EBADMSG, parse_as(kind, BYTES(buf, cut)));
		buf[n] = 0;
		EXPECT_EQ(-EBADMSG, parse_as(kind, BYTES(buf, n + 1)));
	}
}

TEST(a_key_without_a_name_is_not_looked_for)
{
	uint8_t buf[256];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct source_open open = { text("/m.so"), text("t"), BYTES_NONE, BYTES_NONE, text("1234") };

	source_open_pack(&p, &open);
	EXPECT_EQ(-EBADMSG, source_open_parse(pack_done(&p), &open));
}

TEST(the_fields_arrive)
{
	uint8_t buf[1024];
	size_t n = pack_all(SOURCE_OPEN, buf, sizeof(buf));
	struct source_open open;
	struct source_wrap wrap;
	struct source_wrapped wrapped;

	ASSERT_EQ(0, source_open_parse(BYTES(buf, n), &open));
	EXPECT_BYTES_EQ(text("/m.so"), open.module);
	EXPECT_BYTES_EQ(text("t"), open.token);
	EXPECT_BYTES_EQ(text("l"), open.label);
	EXPECT_BYTES_EQ(text("1234"), open.pin);
	n = pack_all(SOURCE_WRAP, buf, sizeof(buf));
	ASSERT_EQ(0, source_wrap_parse(BYTES(buf, n), &wrap));
	EXPECT_BYTES_EQ(text("kek"), wrap.kek);
	EXPECT_EQ(KF_HASH_SHA384, wrap.hash);
	EXPECT_TRUE(wrap.direct);
	EXPECT_FALSE(wrap.allow_extract);
	n = pack_all(SOURCE_WRAPPED, buf, sizeof(buf));
	ASSERT_EQ(0, source_wrapped_parse(BYTES(buf, n), &wrapped));
	EXPECT_EQ(SOURCE_OUR_AES, wrapped.way);
	EXPECT_TRUE(wrapped.zeros);
	EXPECT_BYTES_EQ(text("blob"), wrapped.blob);
}

TEST(what_is_out_of_range_is_refused)
{
	uint8_t buf[1024];
	size_t n = pack_all(SOURCE_WRAP, buf, sizeof(buf));

	buf[n - 1] = 2;			/* a bool */
	EXPECT_EQ(-EBADMSG, parse_as(SOURCE_WRAP, BYTES(buf, n)));
	buf[n - 1] = 0;
	buf[n - 3] = 5;			/* the hash */
	EXPECT_EQ(-EBADMSG, parse_as(SOURCE_WRAP, BYTES(buf, n)));
	n = pack_all(SOURCE_OPEN, buf, sizeof(buf));
	buf[5] = 0;			/* in the path */
	EXPECT_EQ(-EBADMSG, parse_as(SOURCE_OPEN, BYTES(buf, n)));
	n = pack_all(SOURCE_WRAPPED, buf, sizeof(buf));
	buf[1] = 6;			/* the way */
	EXPECT_EQ(-EBADMSG, parse_as(SOURCE_WRAPPED, BYTES(buf, n)));
}

TEST(a_master_is_asked_for_as_little_as_it_takes)
{
	static uint8_t buf[1024], in[MASTER_IN_MAX + 1];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct master_open open;
	bool extractable = false;
	size_t n = pack_all(MASTER_OPEN, buf, sizeof(buf));

	ASSERT_EQ(0, master_open_parse(BYTES(buf, n), &open));
	EXPECT_BYTES_EQ(text("1234"), open.key.pin);
	EXPECT_TRUE(open.make);
	buf[n - 1] = 2;
	EXPECT_EQ(-EBADMSG, parse_as(MASTER_OPEN, BYTES(buf, n)));
	n = pack_all(MASTER_READY, buf, sizeof(buf));
	EXPECT_EQ(0, master_ready_parse(BYTES(buf, n), &extractable));
	EXPECT_TRUE(extractable);
	master_mac_pack(&p, BYTES_NONE);
	EXPECT_EQ(-EBADMSG, parse_as(MASTER_MAC, pack_done(&p)));
	p = pack_begin(buf, sizeof(buf));
	master_mac_pack(&p, BYTES(in, MASTER_IN_MAX));
	EXPECT_EQ(0, parse_as(MASTER_MAC, pack_done(&p)));
	p = pack_begin(buf, sizeof(buf));
	master_mac_pack(&p, BYTES(in, MASTER_IN_MAX + 1));
	EXPECT_EQ(-EBADMSG, parse_as(MASTER_MAC, pack_done(&p)));
	for (size_t i = 15; i <= 17; i++) {
		p = pack_begin(buf, sizeof(buf));
		master_maced_pack(&p, BYTES(in, i));
		EXPECT_EQ(i == 16 ? 0 : -EBADMSG, parse_as(MASTER_MACED, pack_done(&p)));
	}
	EXPECT_EQ(0, source_kind_of(BYTES_NONE));
}

TEST(what_is_longer_than_its_field_is_refused)
{
	static uint8_t buf[SOURCE_PACKET_MAX], long_one[SOURCE_TEXT_MAX + 1];
	struct packer p = pack_begin(buf, sizeof(buf));

	source_found_pack(&p, &(struct source_found){ KF_KEY_EC_P256, BYTES(long_one, SOURCE_SPKI_MAX) });
	EXPECT_EQ(0, parse_as(SOURCE_FOUND, pack_done(&p)));
	p = pack_begin(buf, sizeof(buf));
	source_found_pack(&p, &(struct source_found){ KF_KEY_EC_P256, BYTES(long_one, SOURCE_SPKI_MAX + 1) });
	EXPECT_EQ(-EBADMSG, parse_as(SOURCE_FOUND, pack_done(&p)));
	p = pack_begin(buf, sizeof(buf));
	source_wrapped_pack(&p, &(struct source_wrapped){ SOURCE_WHOLE, false,
							  BYTES(long_one, SOURCE_BLOB_MAX + 1) });
	EXPECT_EQ(-EBADMSG, parse_as(SOURCE_WRAPPED, pack_done(&p)));
}

/* The module's process may say what it likes; the terminal does not have to like it. */
TEST(words_are_cleaned)
{
	uint8_t buf[1024];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct kf_error e = { -EIO, "a\x1b[2J", "b\n", "c", "d" }, got = KF_ERROR_INIT;

	source_failed_pack(&p, &e);
	ASSERT_EQ(0, source_failed_parse(pack_done(&p), &got));
	EXPECT_STREQ("a?[2J", got.what);
	EXPECT_STREQ("b?", got.why);
	EXPECT_EQ(-EIO, got.code);
}
