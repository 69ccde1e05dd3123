// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libserver/json/byok_shape.h"
#include "tests/harness.h"

#include <stdlib.h>

static enum byok_shape shape(const char *text)
{
	return byok_shape(BYTES(text, strlen(text)));
}

TEST(byok_18_the_usual_mistakes_are_told_apart)
{
	static const struct { const char *text; enum byok_shape shape; } rows[] = {
		{ "", BYOK_SHAPE_EMPTY },
		{ " \r\n\t", BYOK_SHAPE_EMPTY },
		{ "{}", BYOK_SHAPE_OBJECT },
		{ "\n {\"a\":1}", BYOK_SHAPE_OBJECT },
		{ "{\x01", BYOK_SHAPE_OBJECT },
		{ "[{}]", BYOK_SHAPE_ARRAY },
		{ "\"{}\"", BYOK_SHAPE_STRING },
		{ "\xef\xbb\xbf{}", BYOK_SHAPE_MARKED },
		{ "\xff\xfe{", BYOK_SHAPE_UTF16 },
		{ "\xfe\xff", BYOK_SHAPE_UTF16 },
		{ "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", BYOK_SHAPE_PEM },
		{ "eyJhbGciOiJkaXIifQ..AAAA.BBBB.CCCC", BYOK_SHAPE_JWE },
		{ "eyJhbGciOiJkaXIifQ.a.b.c", BYOK_SHAPE_TEXT },
		{ "eyJzY2hlbWFfdmVyc2lvbiI6IjEuMC4wIn0=", BYOK_SHAPE_CODED_FILE },
		{ "eyJzY2hlbWFf\ndmVyc2lvbiI6IjEuMC4wIn0\n", BYOK_SHAPE_CODED_FILE },
		{ "ew0KICAic2NoZW1hX3ZlcnNpb24iOiAiMS4wLjAifQ", BYOK_SHAPE_CODED_FILE },
		{ "bcVixaGgfmoFOOSOX0ViEDPg8I_kKgFW-iOr", BYOK_SHAPE_BASE64 },
		{ "bcVixaGgfmoFOOSOX0ViEDPg8I/kKgFW+iOr==", BYOK_SHAPE_BASE64 },
		{ "6dc562c5a1a07e6a0538e48e5f456210", BYOK_SHAPE_HEX },
		{ "6D:C5:62", BYOK_SHAPE_HEX },
		{ "error: no such key", BYOK_SHAPE_TEXT },
		{ "'{}'", BYOK_SHAPE_TEXT },
		{ "\x6d\xc5\x62\x01\x02", BYOK_SHAPE_BINARY },
		{ "\x30\x82\x01\x02", BYOK_SHAPE_BINARY },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (shape(rows[i].text) != rows[i].shape)
			TEST_FAIL("row %zu, %s: %s", i, rows[i].text,
				  byok_shape_words(shape(rows[i].text)));
}

TEST(a_nul_is_in_no_alphabet)
{
	EXPECT_EQ(BYOK_SHAPE_BINARY, byok_shape(BYTES("AAAA\0AAAA", 9)));
}

TEST(every_shape_has_words_of_its_own)
{
	for (int a = BYOK_SHAPE_OBJECT; a <= BYOK_SHAPE_BINARY; a++)
		for (int b = BYOK_SHAPE_OBJECT; b < a; b++)
			EXPECT_STRNE(byok_shape_words((enum byok_shape)a),
				     byok_shape_words((enum byok_shape)b));
}

TEST(the_lenient_decoder_takes_what_people_have)
{
	static const char *const good[] = {
		"-_8", "+/8=", "+/8", "-_8=", "+ /\n8\r\n=",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uint8_t buf[8];
		struct packer p = pack_begin(buf, sizeof(buf));

		EXPECT_EQ(0, base64_lenient_decode(BYTES(good[i], strlen(good[i])), &p));
		EXPECT_BYTES_EQ(BYTES("\xfb\xff", 2), pack_done(&p));
	}
}

TEST(the_lenient_decoder_is_no_guesser)
{
	uint8_t buf[3];
	struct packer p = pack_begin(buf, sizeof(buf));

	EXPECT_EQ(-EBADMSG, base64_lenient_decode(BYTES("AAAAA", 5), &p));
	p = pack_begin(buf, sizeof(buf));
	EXPECT_EQ(-EBADMSG, base64_lenient_decode(BYTES("A!A", 3), &p));
	p = pack_begin(buf, sizeof(buf));
	EXPECT_EQ(-EMSGSIZE, base64_lenient_decode(BYTES("AAAAAA", 6), &p));
}
