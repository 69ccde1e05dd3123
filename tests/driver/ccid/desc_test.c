/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names like D5 are rows of the catalogue of hostile readers, part "descriptors". */
#include "driver/ccid/desc.h"
#include "tests/harness.h"

#include <stdlib.h>

static const uint8_t device[18] = {
	0x12, 0x01, 0x00, 0x02, 0x00, 0x00, 0x00, 0x40, 0x09, 0x12, 0x01, 0x00, 0x34, 0x12, 0x01,
	0x02, 0x03, 0x01,
};
static const uint8_t interface[9] = { 0x09, 0x04, 0x00, 0x00, 0x03, 0x0b, 0x00, 0x00, 0x00 };
static const uint8_t class[54] = {
	0x36, 0x21, 0x10, 0x01, 0x00, 0x07, 0x03, 0x00, 0x00, 0x00,
	0xa0, 0x0f, 0x00, 0x00, 0xa0, 0x0f, 0x00, 0x00, 0x00,
	0x00, 0x2a, 0x00, 0x00, 0x00, 0x2a, 0x00, 0x00, 0x00,
	0xfe, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0xba, 0x04, 0x04, 0x00, 0x12, 0x00, 0x01, 0x00,
	0xff, 0xff, 0x00, 0x00, 0x03, 0x01,
};
static const uint8_t ep_out[7] = { 0x07, 0x05, 0x01, 0x02, 0x40, 0x00, 0x00 };
static const uint8_t ep_in[7] = { 0x07, 0x05, 0x82, 0x02, 0x40, 0x00, 0x00 };
static const uint8_t ep_int[7] = { 0x07, 0x05, 0x83, 0x03, 0x08, 0x00, 0x10 };

enum { SLOTS = 4, VOLTAGE = 5, CLOCK = 10, RATE = 19, IFSD = 28, FEATURES = 40, MESSAGE = 44 };

/* A configuration in the making, with its own copies of the parts. */
struct making {
	uint8_t buf[1024];
	struct packer p;
	uint8_t interface[9], class[54], out[7], in[7], interrupt[7];
};

static void begin(struct making *m)
{
	static const uint8_t config[9] = { 0x09, 0x02, 0, 0, 0x01, 0x01, 0x00, 0x80, 0x32 };

	m->p = pack_begin(m->buf, sizeof(m->buf));
	pack_bytes(&m->p, BYTES_OF(config));
	memcpy(m->interface, interface, 9);
	memcpy(m->class, class, 54);
	memcpy(m->out, ep_out, 7);
	memcpy(m->in, ep_in, 7);
	memcpy(m->interrupt, ep_int, 7);
}

static void add(struct making *m, const uint8_t *p, size_t n)
{
	pack_bytes(&m->p, BYTES(p, n));
}

static struct bytes finish(struct making *m)
{
	m->buf[2] = (uint8_t)m->p.n;
	m->buf[3] = (uint8_t)(m->p.n >> 8);
	return pack_done(&m->p);
}

static struct bytes usual(struct making *m)
{
	add(m, m->interface, 9);
	add(m, m->class, 54);
	add(m, m->out, 7);
	add(m, m->in, 7);
	add(m, m->interrupt, 7);
	return finish(m);
}

static int parse(struct bytes config, struct ccid_desc *out)
{
	const char *why = "";

	return ccid_desc_parse(BYTES_OF(device), config, -1, NULL, out, &why);
}

static void set32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

TEST(d1_an_ordinary_descriptor_is_read_exactly)
{
	struct making m;
	struct ccid_desc d;

	begin(&m);
	ASSERT_EQ(0, parse(usual(&m), &d));
	EXPECT_EQ(0x1209, d.vendor);
	EXPECT_EQ(0x0001, d.product);
	EXPECT_EQ(0x1234, d.release);
	EXPECT_EQ(3, d.serial_string);
	EXPECT_EQ(0x01, d.ep_out);
	EXPECT_EQ(0x82, d.ep_in);
	EXPECT_EQ(0x83, d.ep_interrupt);
	EXPECT_EQ(64, d.in_packet);
	EXPECT_EQ(1, d.n_slots);
	EXPECT_EQ(7, d.voltages);
	EXPECT_EQ(3, d.protocols);
	EXPECT_EQ(4000, d.clock_khz);
	EXPECT_EQ(10752, d.max_rate);
	EXPECT_EQ(254, d.max_ifsd);
	EXPECT_EQ(0x4ba, d.features);
	EXPECT_EQ(CCID_LEVEL_EXTENDED_APDU, d.level);
	EXPECT_EQ(65554, d.max_message);
	EXPECT_EQ(3, d.pin_support);
	EXPECT_EQ(0, d.warnings);
}

TEST(d2_behind_the_last_endpoint_it_is_found_too)
{
	struct making m;
	struct ccid_desc d;

	begin(&m);
	add(&m, m.interface, 9);
	add(&m, m.out, 7);
	add(&m, m.in, 7);
	add(&m, m.interrupt, 7);
	add(&m, m.class, 54);
	ASSERT_EQ(0, parse(finish(&m), &d));
	EXPECT_EQ(65554, d.max_message);
}

TEST(d3_a_class_descriptor_of_the_wrong_length_is_refused_but_for_a_longer_one)
{
	static const struct { uint8_t len, bytes; int r; } rows[] = {
		{ 53, 53, -EBADMSG }, { 55, 55, 0 }, { 0, 54, -EBADMSG }, { 1, 54, -EBADMSG },
		{ 10, 10, -EBADMSG }, { 54, 53, -EBADMSG },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t longer[55] = { 0 };
		struct making m;
		struct ccid_desc d = { 0 };

		begin(&m);
		memcpy(longer, class, 54);
		longer[0] = rows[i].len;
		add(&m, m.interface, 9);
		add(&m, m.out, 7);
		add(&m, m.in, 7);
		add(&m, longer, rows[i].bytes);
		EXPECT_EQ(rows[i].r, parse(finish(&m), &d));
		if (rows[i].r == 0)
			EXPECT_EQ(CCID_WARN_LENGTH, d.warnings & CCID_WARN_LENGTH);
	}
}

TEST(d4_the_first_good_of_two_class_descriptors_wins)
{
	struct making m;
	struct ccid_desc d;

	begin(&m);
	add(&m, m.interface, 9);
	add(&m, m.class, 54);
	m.class[SLOTS] = 5;
	add(&m, m.class, 54);
	add(&m, m.out, 7);
	add(&m, m.in, 7);
	ASSERT_EQ(0, parse(finish(&m), &d));
	EXPECT_EQ(1, d.n_slots);
	EXPECT_EQ(CCID_WARN_SECOND, d.warnings & CCID_WARN_SECOND);
}

TEST(d5_d6_d7_message_lengths_are_refused_clamped_or_taken)
{
	static const struct { uint32_t says; int r; uint32_t is; } rows[] = {
		{ 0, -EBADMSG, 0 }, { 9, -EBADMSG, 0 }, { 10, -EBADMSG, 0 }, { 16, -EBADMSG, 0 },
		{ 17, 0, 17 }, { 261, 0, 261 }, { 271, 0, 271 }, { 65554, 0, 65554 },
		{ 524288, 0, 65554 }, { 0xffffffff, 0, 65554 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct making m;
		struct ccid_desc d = { 0 };

		begin(&m);
		set32(m.class + MESSAGE, rows[i].says);
		EXPECT_EQ(rows[i].r, parse(usual(&m), &d));
		EXPECT_EQ(rows[i].is, d.max_message);
		if (rows[i].r == 0)
			EXPECT_EQ(CCID_LEVEL_EXTENDED_APDU, d.level);
	}
}

TEST(d9_ifsd_is_clamped_to_what_t1_and_the_message_can_carry)
{
	static const struct { uint32_t says, message; uint8_t lrc, crc; } rows[] = {
		{ 0, 271, 32, 32 }, { 255, 271, 254, 254 }, { 3062, 271, 254, 254 },
		{ 254, 268, 254, 253 }, { 254, 64, 50, 49 }, { 1, 271, 1, 1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct making m;
		struct ccid_desc d;

		begin(&m);
		set32(m.class + IFSD, rows[i].says);
		set32(m.class + MESSAGE, rows[i].message);
		ASSERT_EQ(0, parse(usual(&m), &d));
		EXPECT_EQ(rows[i].lrc, ccid_desc_ifsd(&d, 1));
		EXPECT_EQ(rows[i].crc, ccid_desc_ifsd(&d, 2));
	}
}

TEST(d10_character_level_is_refused_and_of_several_the_message_length_decides)
{
	static const struct { uint32_t bits, message; int r; enum ccid_level level; } rows[] = {
		{ 0x00000000, 271, -EOPNOTSUPP, 0 },
		{ 0x00010000, 271, 0, CCID_LEVEL_TPDU },
		{ 0x00020000, 64, 0, CCID_LEVEL_SHORT_APDU },
		{ 0x00070000, 271, 0, CCID_LEVEL_EXTENDED_APDU },
		{ 0x00030000, 271, 0, CCID_LEVEL_SHORT_APDU },
		{ 0x00070000, 64, 0, CCID_LEVEL_TPDU },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct making m;
		struct ccid_desc d = { 0 };

		begin(&m);
		set32(m.class + FEATURES, rows[i].bits | 0xba);
		set32(m.class + MESSAGE, rows[i].message);
		EXPECT_EQ(rows[i].r, parse(usual(&m), &d));
		if (rows[i].r == 0)
			EXPECT_EQ(rows[i].level, d.level);
	}
}

TEST(d11_of_two_ways_to_negotiate_the_readers_own_counts)
{
	struct making m;
	struct ccid_desc d;

	begin(&m);
	set32(m.class + FEATURES, 0x000400c0);
	ASSERT_EQ(0, parse(usual(&m), &d));
	EXPECT_TRUE(ccid_desc_has(&d, CCID_AUTO_NEGOTIATION));
	EXPECT_FALSE(ccid_desc_has(&d, CCID_AUTO_PPS));
	EXPECT_EQ(CCID_WARN_PPS, d.warnings);
}

TEST(d12_slots_are_capped)
{
	struct making m;
	struct ccid_desc d;

	begin(&m);
	m.class[SLOTS] = 255;
	ASSERT_EQ(0, parse(usual(&m), &d));
	EXPECT_EQ(CCID_SLOTS_MAX, d.n_slots);
	EXPECT_EQ(CCID_WARN_SLOTS, d.warnings);
}

TEST(d13_d14_endpoints_missing_surplus_and_of_odd_sizes)
{
	static const uint8_t iso[7] = { 0x07, 0x05, 0x85, 0x01, 0x40, 0x00, 0x00 };
	struct making m;
	struct ccid_desc d;

	begin(&m);
	add(&m, m.interface, 9);
	add(&m, m.class, 54);
	add(&m, m.out, 7);
	add(&m, m.in, 7);
	ASSERT_EQ(0, parse(finish(&m), &d));
	EXPECT_EQ(0, d.ep_interrupt);		/* D13: polling */

	begin(&m);
	add(&m, m.interface, 9);
	add(&m, m.class, 54);
	add(&m, m.out, 7);
	EXPECT_EQ(-EBADMSG, parse(finish(&m), &d));

	begin(&m);
	add(&m, m.interface, 9);
	add(&m, m.class, 54);
	add(&m, m.out, 7);
	add(&m, m.in, 7);
	m.in[2] = 0x84;
	add(&m, m.in, 7);
	add(&m, iso, 7);
	ASSERT_EQ(0, parse(finish(&m), &d));
	EXPECT_EQ(0x82, d.ep_in);
	EXPECT_EQ(CCID_WARN_ENDPOINTS, d.warnings);

	begin(&m);
	m.in[4] = 0;
	EXPECT_EQ(-EBADMSG, parse(usual(&m), &d));
	begin(&m);
	m.in[4] = 8;
	ASSERT_EQ(0, parse(usual(&m), &d));
	EXPECT_EQ(8, d.in_packet);
	begin(&m);
	m.in[4] = 0xff;
	m.in[5] = 0x03;
	ASSERT_EQ(0, parse(usual(&m), &d));
	EXPECT_EQ(1023, d.in_packet);
}

TEST(d15_a_vendor_class_needs_a_quirk)
{
	static const struct quirks listed = { .flags = QUIRK_VENDOR_CLASS };
	const char *why = "";
	struct making m;
	struct ccid_desc d;
	struct bytes config;

	begin(&m);
	m.interface[5] = 0xff;
	config = usual(&m);
	EXPECT_EQ(-EOPNOTSUPP, parse(config, &d));
	EXPECT_EQ(0, ccid_desc_parse(BYTES_OF(device), config, -1, &listed, &d, &why));
}

TEST(a_level_that_is_known_to_be_another_is_that)
{
	static const struct { uint32_t flag; enum ccid_level is; } rows[] = {
		{ QUIRK_AT_TPDU, CCID_LEVEL_TPDU },
		{ QUIRK_AT_SHORT, CCID_LEVEL_SHORT_APDU },
		{ QUIRK_AT_EXTENDED, CCID_LEVEL_EXTENDED_APDU },
	};
	const char *why = "";

	for (uint8_t claimed = 0; claimed < 8; claimed++) {
		for (size_t i = 0; i < 3; i++) {
			struct quirks quirks = { .flags = rows[i].flag };
			struct making m;
			struct ccid_desc d;

			begin(&m);
			m.class[FEATURES + 2] = claimed;
			ASSERT_EQ(0, ccid_desc_parse(BYTES_OF(device), usual(&m), -1, &quirks, &d,
						     &why));
			EXPECT_EQ(rows[i].is, d.level);
		}
	}
}

TEST(d16_each_ccid_interface_can_be_chosen_and_takes_its_own_endpoints)
{
	const char *why = "";
	struct making m;
	struct ccid_desc d;
	struct bytes config;

	begin(&m);
	for (uint8_t i = 0; i < 3; i++) {
		m.interface[2] = i;
		m.out[2] = (uint8_t)(0x01 + i);
		m.in[2] = (uint8_t)(0x81 + i);
		add(&m, m.interface, 9);
		add(&m, m.class, 54);
		add(&m, m.out, 7);
		add(&m, m.in, 7);
	}
	config = finish(&m);
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, ccid_desc_parse(BYTES_OF(device), config, i, NULL, &d, &why));
		EXPECT_EQ(i, d.interface);
		EXPECT_EQ(0x81 + i, d.ep_in);
		EXPECT_EQ(0, d.warnings);
	}
	EXPECT_EQ(-EOPNOTSUPP, ccid_desc_parse(BYTES_OF(device), config, 3, NULL, &d, &why));
}

TEST(d17_iccd_is_refused_in_words_unless_it_has_all_endpoints)
{
	const char *why = "";
	struct making m;
	struct ccid_desc d;

	begin(&m);
	m.interface[7] = 1;
	ASSERT_EQ(0, parse(usual(&m), &d));
	EXPECT_EQ(CCID_WARN_PROTOCOL, d.warnings);

	begin(&m);
	m.interface[7] = 2;
	add(&m, m.interface, 9);
	add(&m, m.class, 54);
	EXPECT_EQ(-EOPNOTSUPP, ccid_desc_parse(BYTES_OF(device), finish(&m), -1, NULL, &d, &why));
	EXPECT_NOT_NULL(strstr(why, "ICCD"));
}

TEST(another_alternate_setting_and_other_interfaces_are_walked_past)
{
	static const uint8_t hid[9] = { 0x09, 0x04, 0x07, 0x00, 0x01, 0x03, 0x01, 0x01, 0x00 };
	struct making m;
	struct ccid_desc d;

	begin(&m);
	add(&m, hid, 9);
	m.in[2] = 0x8f;
	add(&m, m.in, 7);
	m.in[2] = 0x82;
	(void)usual(&m);
	m.interface[3] = 1;
	add(&m, m.interface, 9);
	m.out[2] = 0x0f;
	add(&m, m.out, 7);
	ASSERT_EQ(0, parse(finish(&m), &d));
	EXPECT_EQ(0x82, d.ep_in);
	EXPECT_EQ(0x01, d.ep_out);
	EXPECT_EQ(0, d.warnings);
}

TEST(every_truncation_is_refused)
{
	struct making m;
	struct ccid_desc d;
	struct bytes good;

	begin(&m);
	good = usual(&m);
	for (size_t n = 0; n < good.n; n++) {
		uint8_t *cut = malloc(n + 1);

		ASSERT_NOT_NULL(cut);
		memcpy(cut, good.p, n);
		EXPECT_LT(parse(BYTES(cut, n), &d), 0);
		free(cut);
	}
	for (size_t n = 0; n < sizeof(device); n++) {
		const char *why = "";

		EXPECT_EQ(-EBADMSG, ccid_desc_parse(BYTES(device, n), good, -1, NULL, &d, &why));
	}
}

TEST(every_single_byte_change_is_survived_and_leaves_values_in_range)
{
	struct making m;
	struct bytes good;

	begin(&m);
	good = usual(&m);
	for (size_t at = 0; at < good.n; at++) {
		uint8_t was = m.buf[at];

		for (unsigned int v = 0; v < 256; v++) {
			struct ccid_desc d;

			m.buf[at] = (uint8_t)v;
			if (parse(good, &d) < 0)
				continue;
			ASSERT_GE(d.max_message, 17);
			ASSERT_LE(d.max_message, CCID_MESSAGE_MAX);
			ASSERT_GE(d.n_slots, 1);
			ASSERT_LE(d.n_slots, CCID_SLOTS_MAX);
			ASSERT_GE(ccid_desc_ifsd(&d, 2), 1);
			ASSERT_NE(0, d.in_packet);
			ASSERT_NE(0, d.out_packet);
		}
		m.buf[at] = was;
	}
}
