/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/ccid/msg.h"
#include "tests/harness.h"

#include <stdlib.h>

static const uint8_t atr_frame[] = {
	0x80, 0x04, 0x00, 0x00, 0x00, 0x02, 0x07, 0x00, 0x00, 0x00, 0x3b, 0x80, 0x01, 0x81,
};

static struct bytes packed(struct ccid_command command)
{
	static uint8_t buf[300];
	struct packer p = pack_begin(buf, sizeof(buf));

	ccid_command_pack(&p, (struct ccid_addr){ 2, 7 }, &command);
	EXPECT_EQ(0, pack_end(&p));
	return pack_done(&p);
}

TEST(commands_have_the_bytes_of_the_specification)
{
	static const uint8_t on[] = { 0x62, 0, 0, 0, 0, 2, 7, 1, 0, 0 };
	static const uint8_t off[] = { 0x63, 0, 0, 0, 0, 2, 7, 0, 0, 0 };
	static const uint8_t status[] = { 0x65, 0, 0, 0, 0, 2, 7, 0, 0, 0 };
	static const uint8_t get[] = { 0x6c, 0, 0, 0, 0, 2, 7, 0, 0, 0 };
	static const uint8_t reset[] = { 0x6d, 0, 0, 0, 0, 2, 7, 0, 0, 0 };
	static const uint8_t stop[] = { 0x72, 0, 0, 0, 0, 2, 7, 0, 0, 0 };
	static const uint8_t xfr[] = { 0x6f, 2, 0, 0, 0, 2, 7, 3, 0x10, 0x00, 0xaa, 0xbb };
	static const uint8_t esc[] = { 0x6b, 1, 0, 0, 0, 2, 7, 0, 0, 0, 0xaa };
	static const uint8_t secure[] = { 0x69, 1, 0, 0, 0, 2, 7, 0, 0, 0, 0xaa };
	static const uint8_t data[] = { 0xaa, 0xbb };

	EXPECT_BYTES_EQ(BYTES_OF(on), packed(ccid_power_on(CCID_POWER_5V)));
	EXPECT_BYTES_EQ(BYTES_OF(off), packed(ccid_power_off()));
	EXPECT_BYTES_EQ(BYTES_OF(status), packed(ccid_get_slot_status()));
	EXPECT_BYTES_EQ(BYTES_OF(get), packed(ccid_get_parameters()));
	EXPECT_BYTES_EQ(BYTES_OF(reset), packed(ccid_reset_parameters()));
	EXPECT_BYTES_EQ(BYTES_OF(stop), packed(ccid_abort()));
	EXPECT_BYTES_EQ(BYTES_OF(xfr), packed(ccid_xfr_block(3, CCID_CHAIN_NEXT, BYTES_OF(data))));
	EXPECT_BYTES_EQ(BYTES_OF(esc), packed(ccid_escape(BYTES(data, 1))));
	EXPECT_BYTES_EQ(BYTES_OF(secure), packed(ccid_secure(0, 0, BYTES(data, 1))));
}

TEST(a_good_reply_is_read_field_by_field)
{
	struct ccid_reply reply;

	ASSERT_EQ(0, ccid_reply_parse(BYTES_OF(atr_frame), &reply));
	EXPECT_EQ(CCID_DATA_BLOCK, reply.type);
	EXPECT_EQ(2, reply.to.slot);
	EXPECT_EQ(7, reply.to.seq);
	EXPECT_EQ(CCID_ICC_ACTIVE, reply.icc);
	EXPECT_EQ(CCID_DONE, reply.outcome);
	EXPECT_BYTES_EQ(BYTES(atr_frame + 10, 4), reply.data);
	EXPECT_EQ(0, reply.surplus);
}

TEST(f2_f3_every_truncation_is_refused)
{
	for (size_t n = 0; n < sizeof(atr_frame); n++) {
		uint8_t *cut = malloc(n + 1);
		struct ccid_reply reply;

		ASSERT_NOT_NULL(cut);
		memcpy(cut, atr_frame, n);
		EXPECT_EQ(-EBADMSG, ccid_reply_parse(BYTES(cut, n), &reply));
		free(cut);
	}
}

TEST(f4_lengths_near_the_wrap_are_refused)
{
	static const uint32_t lens[] = { 0xffffffff, 0x80000000, 0xfffffff6, 5, 100 };

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		uint8_t frame[sizeof(atr_frame)];
		struct ccid_reply reply;

		memcpy(frame, atr_frame, sizeof(frame));
		for (int b = 0; b < 4; b++)
			frame[1 + b] = (uint8_t)(lens[i] >> 8 * b);
		EXPECT_EQ(-EBADMSG, ccid_reply_parse(BYTES_OF(frame), &reply));
	}
}

TEST(f5_padding_is_counted_and_left_out)
{
	uint8_t frame[sizeof(atr_frame)];
	struct ccid_reply reply;

	memcpy(frame, atr_frame, sizeof(frame));
	frame[1] = 1;
	ASSERT_EQ(0, ccid_reply_parse(BYTES_OF(frame), &reply));
	EXPECT_EQ(1, reply.data.n);
	EXPECT_EQ(3, reply.surplus);
}

TEST(f12_reserved_states_are_refused_and_reserved_bits_ignored)
{
	uint8_t frame[sizeof(atr_frame)];
	struct ccid_reply reply;

	memcpy(frame, atr_frame, sizeof(frame));
	for (unsigned int status = 0; status < 256; status++) {
		bool good = (status & 3) != 3 && status >> 6 != 3;

		frame[7] = (uint8_t)status;
		EXPECT_EQ(good ? 0 : -EBADMSG, ccid_reply_parse(BYTES_OF(frame), &reply));
	}
}

TEST(only_reply_types_are_replies)
{
	uint8_t frame[sizeof(atr_frame)];
	struct ccid_reply reply;

	memcpy(frame, atr_frame, sizeof(frame));
	for (unsigned int type = 0; type < 256; type++) {
		frame[0] = (uint8_t)type;
		EXPECT_EQ(type >= 0x80 && type <= 0x84 ? 0 : -EBADMSG,
			  ccid_reply_parse(BYTES_OF(frame), &reply));
	}
}

TEST(parameters_survive_the_way_there_and_back)
{
	static const uint8_t t1_bytes[] = { 0x18, 0x13, 0x05, 0x4d, 0x01, 0xfe, 0x00 };
	struct ccid_parameters in = {
		.protocol = 1, .fidi = 0x18, .inverse = true, .crc = true, .guard = 5,
		.waiting = 0x4d, .clock_stop = 1, .ifsc = 254,
	}, out;
	uint8_t buf[7];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct ccid_reply reply = { .type = CCID_PARAMETERS, .extra = 1 };

	ccid_parameters_pack(&p, &in);
	ASSERT_BYTES_EQ(BYTES_OF(t1_bytes), pack_done(&p));
	reply.data = pack_done(&p);
	ASSERT_EQ(0, ccid_parameters_parse(&reply, &out));
	EXPECT_EQ(254, out.ifsc);
	EXPECT_TRUE(out.crc);
	EXPECT_TRUE(out.inverse);
}

TEST(f19_parameters_of_another_length_or_protocol_are_refused)
{
	static const uint8_t zeros[300];
	struct ccid_parameters out;

	for (unsigned int protocol = 0; protocol < 10; protocol++) {
		for (size_t n = 0; n < 20; n++) {
			struct ccid_reply reply = {
				.type = CCID_PARAMETERS, .extra = (uint8_t)protocol,
				.data = BYTES(zeros, n),
			};
			bool good = (protocol == 0 && n == 5) || (protocol == 1 && n == 7);

			EXPECT_EQ(good ? 0 : -EBADMSG, ccid_parameters_parse(&reply, &out));
		}
	}
}

TEST(i1_i4_glued_notices_come_out_in_order)
{
	static const uint8_t glued[] = { 0x50, 0x02, 0x50, 0x03, 0x51, 0x00, 0x07, 0x01 };
	struct unpacker u = unpack_begin(BYTES_OF(glued));
	struct ccid_notice notice;

	ASSERT_EQ(1, ccid_notice_next(&u, 1, &notice));
	EXPECT_EQ(0, notice.present);
	EXPECT_EQ(1, notice.changed);
	ASSERT_EQ(1, ccid_notice_next(&u, 1, &notice));
	EXPECT_EQ(1, notice.present);
	ASSERT_EQ(1, ccid_notice_next(&u, 1, &notice));
	EXPECT_EQ(CCID_NOTICE_HARDWARE, (int)notice.type);
	EXPECT_EQ(7, notice.hardware.seq);
	EXPECT_EQ(0, ccid_notice_next(&u, 1, &notice));
}

TEST(i2_i3_notices_cut_short_unknown_or_of_absent_slots_say_nothing)
{
	static const uint8_t alone[] = { 0x50 }, unknown[] = { 0x52, 0x00 };
	static const uint8_t cut[] = { 0x51 }, absent[] = { 0x50, 0xfc };
	struct ccid_notice notice;
	struct unpacker u = unpack_begin(BYTES_OF(alone));

	EXPECT_EQ(-EBADMSG, ccid_notice_next(&u, 1, &notice));
	u = unpack_begin(BYTES_OF(unknown));
	EXPECT_EQ(-EBADMSG, ccid_notice_next(&u, 1, &notice));
	u = unpack_begin(BYTES_OF(cut));
	EXPECT_EQ(-EBADMSG, ccid_notice_next(&u, 1, &notice));
	u = unpack_begin(BYTES_OF(absent));
	ASSERT_EQ(1, ccid_notice_next(&u, 1, &notice));
	EXPECT_EQ(0, notice.changed);
}

TEST(five_slots_take_two_bytes)
{
	static const uint8_t five[] = { 0x50, 0x00, 0x03 };
	struct unpacker u = unpack_begin(BYTES_OF(five));
	struct ccid_notice notice;

	ASSERT_EQ(1, ccid_notice_next(&u, 5, &notice));
	EXPECT_EQ(0x10, notice.changed);
	EXPECT_EQ(0x10, notice.present);
	u = unpack_begin(BYTES(five, 2));
	EXPECT_EQ(-EBADMSG, ccid_notice_next(&u, 5, &notice));
}

TEST(failures_become_the_errno_their_reader_can_act_on)
{
	static const struct { uint8_t error; enum ccid_icc icc; int r; } rows[] = {
		{ 0xfe, CCID_ICC_ABSENT, -ENOMEDIUM }, { 0xfe, CCID_ICC_ACTIVE, -EIO },
		{ 0xff, CCID_ICC_ACTIVE, -ECANCELED }, { 0x00, CCID_ICC_ACTIVE, -EOPNOTSUPP },
		{ 0x07, CCID_ICC_ACTIVE, -EOPNOTSUPP }, { 0x7f, CCID_ICC_ACTIVE, -EOPNOTSUPP },
		{ 0x80, CCID_ICC_ACTIVE, -EIO }, { 0xe0, CCID_ICC_ACTIVE, -EBUSY },
		{ 0xf0, CCID_ICC_ACTIVE, -ETIMEDOUT }, { 0xef, CCID_ICC_ACTIVE, -ECANCELED },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ccid_reply reply = { .icc = rows[i].icc, .detail = rows[i].error };

		EXPECT_EQ(rows[i].r, ccid_reply_errno(&reply));
	}
	for (unsigned int e = 0; e < 256; e++)
		EXPECT_NE(0, strlen(ccid_error_words((uint8_t)e)));
}
