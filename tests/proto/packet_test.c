/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto/packet.h"
#include "tests/harness.h"

static const uint8_t digest[4] = { 0xd1, 0xd2, 0xd3, 0xd4 };

/* A packet with every part of its direction filled. */
static struct packet full_packet(const struct shape *shape, enum kf_kind kind)
{
	struct packet p = packet_begin(kind, shape->request, kind == KF_KIND_EVENT ? 0 : 7);

	for (size_t i = 0; i < SHAPE_FIELDS; i++)
		if (shape->fields[i].kind ==
		    (kind == KF_KIND_REQUEST ? SHAPE_PART_IN : SHAPE_PART_OUT))
			p.parts[i] = BYTES(digest, 1 + i % 4);
	return p;
}

static struct bytes pack(const struct packet *packet, uint8_t *buf, size_t cap)
{
	struct packer p = pack_begin(buf, cap);

	EXPECT_EQ(0, packet_pack(packet, &p));
	EXPECT_EQ(packet_size(packet), p.n);
	return pack_done(&p);
}

static struct bytes sign_frame(uint8_t *buf, size_t cap)
{
	struct packet p = packet_request(KF_SIGN, 7, 1000);
	struct kf_sign *sign = packet_body(&p);

	sign->container = 3;
	packet_set(&p, kf_sign, digest, BYTES_OF(digest));
	return pack(&p, buf, cap);
}

/* Changes a header or body number in place. */
static void poke(uint8_t *frame, size_t off, uint32_t value)
{
	struct packer p = pack_begin(frame + off, 4);

	pack_le32(&p, value);
}

#define HEAD sizeof(struct kf_header)
#define SIZE_AT offsetof(struct kf_header, size)
#define REQUEST_AT offsetof(struct kf_header, request)

TEST(every_shape_comes_back_as_it_went)
{
	static const enum kf_kind kinds[] = { KF_KIND_REQUEST, KF_KIND_REPLY };
	uint8_t buf[1024];
	struct packet back;

	for (size_t i = 0; shape_at(i); i++)
		for (size_t k = 0; k < 2; k++) {
			struct packet p = full_packet(shape_at(i), kinds[k]);

			EXPECT_EQ(0, packet_parse(pack(&p, buf, sizeof(buf)), &back));
			EXPECT_EQ(p.shape, back.shape);
			for (size_t f = 0; f < SHAPE_FIELDS; f++)
				EXPECT_BYTES_EQ(p.parts[f], back.parts[f]);
		}
}

TEST(values_and_parts_are_where_they_were_put)
{
	uint8_t buf[256];
	struct packet p = { 0 };
	const struct kf_sign *sign = packet_read(&p);

	ASSERT_EQ(0, packet_parse(sign_frame(buf, sizeof(buf)), &p));
	EXPECT_EQ(3u, sign->container);
	EXPECT_EQ(1000u, p.header.deadline_ms);
	EXPECT_BYTES_EQ(BYTES_OF(digest), packet_get(&p, kf_sign, digest));
	EXPECT_EQ(0u, packet_get(&p, kf_sign, signature).n);
}

TEST(every_truncation_is_refused)
{
	uint8_t buf[256];
	struct bytes frame = sign_frame(buf, sizeof(buf));
	struct packet p;

	for (size_t n = 0; n < frame.n; n++) {
		EXPECT_EQ(-EBADMSG, packet_parse(BYTES(buf, n), &p));
		if (n < HEAD)
			continue;
		poke(buf, SIZE_AT, (uint32_t)n);	/* and if the header tells the same lie */
		EXPECT_EQ(-EINVAL, packet_parse(BYTES(buf, n), &p));
		poke(buf, SIZE_AT, (uint32_t)frame.n);
	}
}

TEST(no_single_byte_change_gets_a_part_outside_the_frame)
{
	uint8_t buf[256];
	struct bytes frame = sign_frame(buf, sizeof(buf));

	for (size_t i = 0; i < frame.n; i++)
		for (unsigned int v = 1; v < 256; v++) {
			struct packet p;

			buf[i] ^= (uint8_t)v;
			if (packet_parse(frame, &p) == 0)
				for (size_t f = 0; f < SHAPE_FIELDS; f++)
					EXPECT_TRUE(p.parts[f].n == 0 ||
						    (p.parts[f].p >= buf + HEAD &&
						     p.parts[f].p + p.parts[f].n <= buf + frame.n));
			buf[i] ^= (uint8_t)v;
		}
}

/* Every request at every struct length from 0 to beyond what we know. */
TEST(a_struct_may_be_long_if_the_rest_is_zero_and_never_too_short)
{
	uint8_t buf[1024];
	struct packet p;

	for (size_t i = 0; shape_at(i); i++) {
		const struct shape *shape = shape_at(i);
		size_t known = shape_size(shape);

		for (size_t n = 0; n <= known + 8; n++) {
			uint32_t nr = _IOC(_IOC_DIR(shape->request), KF_TYPE,
					   _IOC_NR(shape->request), (uint32_t)n);
			struct packet req = packet_request(nr, 1, 0);
			struct bytes frame = pack(&req, buf, sizeof(buf));

			EXPECT_EQ(n < shape->min ? -EINVAL : 0, packet_parse(frame, &p));
			if (n <= known)
				continue;
			buf[HEAD + n - 1] = 1;
			EXPECT_EQ(-E2BIG, packet_parse(frame, &p));
		}
	}
}

TEST(an_old_client_gets_a_reply_of_the_size_it_knows)
{
	uint32_t old = _IOC(_IOC_READ | _IOC_WRITE, KF_TYPE, 0x50,
			    offsetof(struct kf_sign, signature));
	struct packet p = packet_begin(KF_KIND_REPLY, old, 9), back;
	uint8_t buf[256];
	struct bytes frame;

	packet_set(&p, kf_sign, signature, BYTES_OF(digest));
	frame = pack(&p, buf, sizeof(buf));
	EXPECT_EQ(HEAD + offsetof(struct kf_sign, signature), frame.n);
	EXPECT_EQ(-EINVAL, packet_parse(frame, &back));	/* we know it needs more than that */
}

TEST(parts_have_one_legal_place)
{
	size_t at = HEAD + offsetof(struct kf_sign, digest);
	uint8_t buf[256];
	struct bytes frame = sign_frame(buf, sizeof(buf));
	struct packet p;

	poke(buf, at, sizeof(struct kf_sign) - 1);		/* overlaps the struct */
	EXPECT_EQ(-EINVAL, packet_parse(frame, &p));
	poke(buf, at, sizeof(struct kf_sign) + 1);		/* leaves a gap */
	EXPECT_EQ(-EINVAL, packet_parse(frame, &p));
	poke(buf, at, sizeof(struct kf_sign));
	poke(buf, at + 4, sizeof(digest) - 1);			/* leaves bytes over */
	EXPECT_EQ(-EINVAL, packet_parse(frame, &p));
	poke(buf, at + 4, 0xffffffff);
	EXPECT_EQ(-EINVAL, packet_parse(frame, &p));
	poke(buf, at + 4, 0);					/* an offset without a length */
	EXPECT_EQ(-EINVAL, packet_parse(frame, &p));
	poke(buf, at + 4, sizeof(digest));
	EXPECT_EQ(0, packet_parse(frame, &p));
}

TEST(a_part_of_the_other_direction_is_refused)
{
	struct packet p = packet_request(KF_SIGN, 7, 0), back;
	uint8_t buf[256];

	packet_set(&p, kf_sign, signature, BYTES_OF(digest));
	EXPECT_EQ(-EINVAL, packet_parse(pack(&p, buf, sizeof(buf)), &back));
	p.header.kind = KF_KIND_REPLY;
	EXPECT_EQ(0, packet_parse(pack(&p, buf, sizeof(buf)), &back));
	packet_set(&p, kf_sign, digest, BYTES_OF(digest));
	EXPECT_EQ(-EINVAL, packet_parse(pack(&p, buf, sizeof(buf)), &back));
}

TEST(unknown_flags_and_reserved_values_are_refused)
{
	struct packet p = packet_request(KF_SIGN, 7, 0), back;
	struct kf_sign *sign = packet_body(&p);
	uint8_t buf[256];

	sign->flags = 1;
	EXPECT_EQ(-EINVAL, packet_parse(pack(&p, buf, sizeof(buf)), &back));
	sign->flags = 0;
	sign->reserved = 1;
	EXPECT_EQ(-EINVAL, packet_parse(pack(&p, buf, sizeof(buf)), &back));
}

TEST(a_failed_reply_ends_after_its_header)
{
	struct packet req = packet_request(KF_SIGN, 7, 0), p = packet_reply(&req, -EACCES), back;
	uint8_t buf[256];
	struct bytes frame;

	packet_set(&p, kf_sign, signature, BYTES_OF(digest));
	frame = pack(&p, buf, sizeof(buf));
	EXPECT_EQ(HEAD, frame.n);
	EXPECT_EQ(0, packet_parse(frame, &back));
	EXPECT_EQ(-EACCES, back.header.result);
}

TEST(an_unknown_request_can_still_be_answered)
{
	struct packet p = packet_request(_IOWR(KF_TYPE, 0x7f, struct kf_sign), 7, 0), back;
	uint8_t buf[256];

	EXPECT_EQ(-ENOTTY, packet_parse(pack(&p, buf, sizeof(buf)), &back));
	EXPECT_EQ(7u, back.header.seq);
}

TEST(what_is_no_packet_is_told_apart_from_a_bad_request)
{
	static const struct { size_t off; uint8_t value; } lies[] = {
		{ 0, 'X' }, { 2, 2 }, { 3, 0 }, { 3, 4 }, { 12, 0 }, { 16, 1 }, { 24, 1 }, { 28, 1 },
	};
	struct packet p;

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		uint8_t buf[256];
		struct bytes frame = sign_frame(buf, sizeof(buf));

		buf[lies[i].off] = lies[i].value;
		EXPECT_EQ(-EBADMSG, packet_parse(frame, &p));
	}
}

TEST(a_packet_that_would_be_too_large_is_not_packed)
{
	static uint8_t big[KF_PACKET_MAX], buf[KF_PACKET_MAX + 64];
	struct packet p = packet_request(KF_APDU, 1, 0);
	struct packer packer = pack_begin(buf, sizeof(buf));

	packet_set(&p, kf_apdu, command, BYTES_OF(big));
	EXPECT_EQ(-EMSGSIZE, packet_pack(&p, &packer));
}

TEST(strings_end_are_padded_and_have_no_control_characters)
{
	char good[8] = "Käse", open[4] = { 'a', 'b', 'c', 'd' }, tail[8] = "a\0b", bell[8] = "a\a";
	char c1[8] = "\xc2\x9b", overlong[8] = "\xc0\xaf", surrogate[8] = "\xed\xa0\x80", out[6];

	EXPECT_TRUE(packet_string_valid(good, sizeof(good)));
	EXPECT_FALSE(packet_string_valid(open, sizeof(open)));
	EXPECT_FALSE(packet_string_valid(tail, sizeof(tail)));
	EXPECT_FALSE(packet_string_valid(bell, sizeof(bell)));
	EXPECT_FALSE(packet_string_valid(c1, sizeof(c1)));
	EXPECT_FALSE(packet_string_valid(overlong, sizeof(overlong)));
	EXPECT_FALSE(packet_string_valid(surrogate, sizeof(surrogate)));
	packet_set_string(out, "abc\nä");
	EXPECT_STREQ("abc?", out);	/* the ä would not fit with its NUL */
	EXPECT_TRUE(packet_string_valid(out, sizeof(out)));
}
