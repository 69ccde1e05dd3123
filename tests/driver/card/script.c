/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/driver/card/script.h"

#include <stdlib.h>

static struct script *playing;

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

size_t script_hex(const char *text, uint8_t *out, size_t cap)
{
	size_t n = 0;

	while (*text) {
		if (*text == ' ') {
			text++;
			continue;
		}
		ASSERT_TRUE(nibble(text[0]) >= 0 && nibble(text[1]) >= 0 && n < cap);
		out[n++] = (uint8_t)(nibble(text[0]) << 4 | nibble(text[1]));
		text += 2;
	}
	return n;
}

static uint8_t *copy(struct bytes b)
{
	uint8_t *p = malloc(b.n + 1);

	ASSERT_NOT_NULL(p);
	if (b.n)
		memcpy(p, b.p, b.n);
	return p;
}

static struct script_step *step_new(struct script *s)
{
	ASSERT_LT(s->n, (size_t)SCRIPT_STEPS);
	return &s->steps[s->n++];
}

void script_add(struct script *s, struct bytes want, struct bytes answer)
{
	*step_new(s) = (struct script_step){
		.want = copy(want), .want_n = want.n, .answer = copy(answer), .answer_n = answer.n,
	};
}

void script_expect(struct script *s, const char *want, const char *answer)
{
	uint8_t w[2048], a[2048];
	size_t want_n = script_hex(want, w, sizeof(w));

	script_add(s, BYTES(w, want_n), BYTES(a, script_hex(answer, a, sizeof(a))));
}

void script_break(struct script *s, const char *want, int error, bool ran)
{
	uint8_t w[2048];
	size_t n = script_hex(want, w, sizeof(w));

	*step_new(s) = (struct script_step){
		.want = copy(BYTES(w, n)), .want_n = n, .error = error, .ran = ran,
	};
}

static int play(struct card_io *io, struct bytes command, uint8_t *response, size_t cap,
		size_t *n, struct deadline deadline)
{
	const struct script_step *step = &playing->steps[playing->at];

	(void)deadline;
	if (playing->at == playing->n) {
		TEST_FAIL("a command the script does not have");
		EXPECT_BYTES_EQ(BYTES_NONE, command);
		return -EIO;
	}
	EXPECT_BYTES_EQ(BYTES(step->want, step->want_n), command);
	playing->at++;
	io->ran = step->error == 0 || step->ran;
	if (step->error < 0)
		return step->error;
	ASSERT_LE(step->answer_n, cap);
	memcpy(response, step->answer, step->answer_n);
	*n = step->answer_n;
	return 0;
}

static const struct card_io_ops play_ops = { .transmit = play };

void script_get_data(struct script *s, uint16_t what, struct bytes data, uint16_t sw)
{
	uint8_t want[] = { 0x00, 0xca, (uint8_t)(what >> 8), (uint8_t)what, 0, 0, 0 };
	uint8_t buf[8192];
	struct packer p = pack_begin(buf, sizeof(buf));

	pack_bytes(&p, data);
	pack_be16(&p, sw);
	ASSERT_FALSE(p.bad);
	script_add(s, BYTES_OF(want), pack_done(&p));
}

void script_pin_state(struct script *s, uint8_t pin, uint8_t puk, bool verified)
{
	const uint8_t state[] = {
		0xe2, 0x0a, 0x81, 0x03, pin, 3, verified, 0x82, 0x03, puk, 8, 0,
	};

	script_get_data(s, 0x0102, BYTES_OF(state), 0x9000);
}

void script_place_empty(struct script *s, uint8_t container)
{
	static const uint8_t empty[] = { 0xe3, 0x03, 0x80, 0x01, 0x00 };

	script_get_data(s, (uint16_t)(0x0110 + container), BYTES_OF(empty), 0x9000);
}

void script_place(struct script *s, uint8_t container, uint8_t type, uint8_t purpose,
		  struct bytes spki)
{
	const uint8_t front[] = {
		0x80, 1, 1, 0x81, 1, type, 0x82, 1, purpose, 0x83, 1, 1, 0x84, 1, 1,
	};
	static const uint8_t back[] = {
		0x86, 1, 0, 0x87, 2, 0, 0, 0x88, 8, 0, 0, 0, 0, 0, 0, 0, 0,
	};
	uint8_t buf[2048];
	struct packer p = pack_begin(buf, sizeof(buf));

	tlv_pack_head(&p, 0xe3, sizeof(front) + tlv_size(0x85, spki.n) + sizeof(back));
	pack_bytes(&p, BYTES_OF(front));
	tlv_pack(&p, 0x85, spki);
	pack_bytes(&p, BYTES_OF(back));
	script_get_data(s, (uint16_t)(0x0110 + container), pack_done(&p), 0x9000);
}

void script_meeting(struct script *s, unsigned int injectors)
{
	static const uint8_t facts[] = {
		0x80, 1, 1, 0x81, 9, 'K', 'F', '-', 'T', 'E', 'S', 'T', '.', '1', 0x82, 1, 2,
		0x83, 1, 2, 0x84, 6, 1, 2, 3, 4, 5, 6,
		0x85, 15, 0x11, 0x12, 0x13, 0x21, 0x22, 0x23, 0x31, 0x32, 0x33, 0x41, 0x51, 0x52,
		0x53, 0x54, 0x61, 0x86, 1, 2, 0x87, 1, 1, 0x88, 1, 16, 0x89, 2, 0x10, 0x00,
		0x8a, 2, 0x20, 0x00, 0x8b, 2, 0x20, 0x00, 0x8c, 1, 8, 0x8d, 1, 4,
	};
	uint8_t hash[KF_DIGEST_SIZE], inner[256], outer[300];
	struct packer p = pack_begin(inner, sizeof(inner)), q = pack_begin(outer, sizeof(outer));

	memset(hash, SCRIPT_INJECTOR, sizeof(hash));
	pack_bytes(&p, BYTES_OF(facts));
	if (injectors & 1)
		tlv_pack(&p, 0x8e, BYTES_OF(hash));
	if (injectors & SCRIPT_KEKS) {
		tlv_pack(&p, 0x8f, BYTES("\1\2\3\4\5\6\x08\x09\x0a\x0d", 10));
		tlv_pack(&p, 0x90, BYTES("\1\2\3\4", 4));
	}
	tlv_pack(&p, 0x92, BYTES("\1\2\3\4", 4));
	tlv_pack(&q, 0xe1, pack_done(&p));
	script_expect(s, "00A40400 00000A F06B657966657272 7901 0000",
		      "6F0C 840A F06B657966657272 7901 9000");
	script_get_data(s, 0x0100, pack_done(&q), 0x9000);
}

void script_blank(struct script *s)
{
	playing = s;
	ASSERT_EQ(0, card_io_new_with(&play_ops, &s->io));
	ASSERT_EQ(0, card_new(s->io, &s->card));
}

void script_open(struct script *s, unsigned int injectors)
{
	script_blank(s);
	script_meeting(s, injectors);
	ASSERT_EQ(0, card_identify(s->card, card_drivers));
	ASSERT_TRUE(s->card->driver == &kf_card_driver);
}

struct card *script_begin(struct script *s)
{
	ASSERT_EQ(0, card_begin(s->card, deadline_in(10000)));
	return s->card;
}

void script_done(const struct script *s)
{
	EXPECT_EQ(s->n, s->at);
}

void script_close(struct script *s)
{
	s->card = card_free(s->card);
	s->io = card_io_free(s->io);
	for (size_t i = 0; i < s->n; i++) {
		free(s->steps[i].want);
		free(s->steps[i].answer);
	}
	memset(s, 0, sizeof(*s));
}
