/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Both ends against each other; that they are right, and not only of one mind, show the values of
 * the first test, which Python's cryptography made after the text of the card dossier, 2.7.
 */
#include "format/schsm/sm.h"
#include "tests/format/schsm/hex.h"

#include <stdlib.h>

static const char keys_text[] = "7B291F884F32E2DA8B6922F06EAEB1385E69C149CAF68605F3F515977B034552";

FIXTURE(sm)
{
	struct sm server, card;
	uint8_t wire[SM_DATA_MAX + SM_OVERHEAD], plain[SM_DATA_MAX + SM_OVERHEAD];
	struct packer w, p;
};

static void begin(struct fixture_sm *self)
{
	uint8_t keys[32];

	ASSERT_EQ(0, sm_begin(&self->server, unhex(keys_text, keys, sizeof(keys))));
	ASSERT_EQ(0, sm_begin(&self->card, BYTES_OF(keys)));
}

static void again(struct fixture_sm *self)
{
	sm_end(&self->server);
	sm_end(&self->card);
	begin(self);
}

FIXTURE_SETUP(sm)
{
	self->server = self->card = SM_INIT;
	begin(self);
}

FIXTURE_TEARDOWN(sm)
{
	sm_end(&self->server);
	sm_end(&self->card);
}

static struct bytes protect(struct fixture_sm *self, struct sm_command command)
{
	self->w = pack_begin(self->wire, sizeof(self->wire));
	ASSERT_EQ(0, sm_protect_command(&self->server, &command, &self->w));
	return pack_done(&self->w);
}

static int open_command(struct fixture_sm *self, struct sm_command header, struct bytes data,
			struct sm_command *out)
{
	self->p = pack_begin(self->plain, sizeof(self->plain));
	header.cla |= SM_CLA;
	header.data = data;
	return sm_open_command(&self->card, &header, &self->p, out);
}

static struct bytes answer(struct fixture_sm *self, struct bytes data, uint16_t sw)
{
	self->w = pack_begin(self->wire, sizeof(self->wire));
	ASSERT_EQ(0, sm_protect_answer(&self->card, data, sw, &self->w));
	return pack_done(&self->w);
}

static int open_answer(struct fixture_sm *self, struct bytes data, uint16_t sw, uint16_t *got)
{
	self->p = pack_begin(self->plain, sizeof(self->plain));
	return sm_open_answer(&self->server, data, sw, &self->p, got);
}

/* Command, answer, command, ... */
TEST_F(sm, the_bytes_are_those_of_another_implementation)
{
	static const char *const wire[] = {
		("87310140A450872B0A4492045DF4666FCDEB8B83BA0FDFCC53E19EDE73D7EA05A2BC8ED8C4F9171E"
		 "757A62AA139654AA2BDDD28E08881353ADC5B29A8F"),
		"871101442CBD0F75E8250C24C70C200B895713990290008E0868C01EE551A8C0E3",
		"970200008E084A1437B8929F9A2E",
		"990269828E08BA549B2AF093A67A",
		"8510D683DB04BD751DEAD74D3E7473CED4BA9701008E089175491C32CF1BA0",
	};
	uint8_t share[32];
	struct sm_command commands[] = {
		{ 0x80, 0x52, 0, 0, BYTES_OF(share), 0 },
		{ 0x80, 0x58, 0, 0, BYTES_NONE, 65536 },
		{ 0x00, 0xb1, 0xce, 0x01, BYTES("\x54\x02\0\0", 4), 256 },
	};

	for (uint8_t i = 0; i < sizeof(share); i++)
		share[i] = i;
	for (size_t i = 0; i < 3; i++) {
		struct sm_command got;
		uint16_t sw;

		EXPECT_HEX(wire[2 * i], protect(self, commands[i]));
		ASSERT_EQ(0, open_command(self, commands[i], pack_done(&self->w), &got));
		if (i == 2)
			break;
		if (i == 0)
			answer(self, BYTES("\x01\0\x63\x0d\xcd\x29\x66\xc4\x33\x66", 10), 0x9000);
		else
			answer(self, BYTES_NONE, 0x6982);
		EXPECT_HEX(wire[2 * i + 1], pack_done(&self->w));
		ASSERT_EQ(0, open_answer(self, pack_done(&self->w), i == 0 ? 0x9000 : 0x6982, &sw));
	}
}

TEST_F(sm, commands_and_answers_of_all_lengths_pass)
{
	static uint8_t data[SM_DATA_MAX];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	for (size_t n = 0; n <= SM_DATA_MAX; n = n < 100 ? n + 1 : n + 199) {
		struct sm_command command = { 0x80, 0x52, 1, 2, BYTES(data, n), 0 }, got;
		uint16_t sw;

		ASSERT_EQ(0, open_command(self, command, protect(self, command), &got));
		EXPECT_BYTES_EQ(command.data, got.data);
		EXPECT_EQ(0x80, got.cla);
		ASSERT_EQ(0, open_answer(self, answer(self, BYTES(data, n), 0x9000), 0x9000, &sw));
		EXPECT_BYTES_EQ(command.data, pack_done(&self->p));
	}
}

TEST_F(sm, le_passes_in_both_forms)
{
	static const uint32_t les[] = { 0, 1, 8, 255, 256, 257, 4096, 65535, 65536 };

	for (size_t i = 0; i < sizeof(les) / sizeof(les[0]); i++) {
		struct sm_command command = { 0, 0xb0, 0, 0, BYTES_NONE, les[i] }, got;
		uint16_t sw;

		ASSERT_EQ(0, open_command(self, command, protect(self, command), &got));
		EXPECT_EQ(les[i], got.le);
		ASSERT_EQ(0, open_answer(self, answer(self, BYTES_NONE, 0x6a82), 0x6a82, &sw));
		EXPECT_EQ(0x6a82, sw);
	}
}

TEST_F(sm, an_odd_instruction_has_its_objects_in_85)
{
	struct sm_command command = { 0, 0xd7, 0x2f, 0x10, BYTES("53", 2), 0 }, got;

	protect(self, command);
	EXPECT_EQ(0x85, self->wire[0]);
	ASSERT_EQ(0, open_command(self, command, pack_done(&self->w), &got));
	EXPECT_BYTES_EQ(command.data, got.data);
	again(self);
	command.ins = 0xd6;
	protect(self, command);
	EXPECT_EQ(0x87, self->wire[0]);
	EXPECT_EQ(1, self->wire[2]);
}

/* Every bit on the way, header and data field; each try on a session of its own, which it ends. */
TEST_F(sm, no_bit_of_a_command_can_change)
{
	struct sm_command command = { 0x80, 0x52, 1, 2, BYTES("0123456789abcdef0", 17), 9 }, got;
	size_t n = protect(self, command).n;

	for (size_t bit = 0; bit < (4 + n) * 8; bit++) {
		uint8_t header[4] = { command.cla, command.ins, command.p1, command.p2 };
		struct sm_command bent = command;

		again(self);
		protect(self, command);
		if (bit >= 32)
			self->wire[bit / 8 - 4] ^= (uint8_t)(1u << bit % 8);
		else
			header[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if ((header[0] ^ command.cla) & SM_CLA)
			continue;			/* set again on the way */
		bent.cla = header[0];
		bent.ins = header[1];
		bent.p1 = header[2];
		bent.p2 = header[3];
		EXPECT_EQ(-EBADMSG, open_command(self, bent, BYTES(self->wire, n), &got));
		EXPECT_FALSE(sm_is_alive(&self->card));
	}
}

TEST_F(sm, no_command_can_be_cut_or_be_plain)
{
	struct sm_command command = { 0x80, 0x52, 1, 2, BYTES("0123456789abcdef0", 17), 9 }, got;
	size_t n = protect(self, command).n;

	for (size_t i = 0; i < n; i++) {
		uint8_t *cut = malloc(i + 1);

		again(self);
		protect(self, command);
		memcpy(cut + 1, self->wire, i);
		EXPECT_EQ(-EBADMSG, open_command(self, command, BYTES(cut + 1, i), &got));
		free(cut);
	}
	again(self);
	command.data = protect(self, command);
	self->p = pack_begin(self->plain, sizeof(self->plain));
	EXPECT_EQ(-EBADMSG, sm_open_command(&self->card, &command, &self->p, &got));
	EXPECT_FALSE(sm_is_alive(&self->card));
}

static void pass_command(struct fixture_sm *self)
{
	struct sm_command command = { 0x80, 0x58, 0, 0, BYTES_NONE, 65536 }, got;

	ASSERT_EQ(0, open_command(self, command, protect(self, command), &got));
}

TEST_F(sm, no_bit_of_an_answer_can_change_and_none_be_cut)
{
	size_t n;
	uint16_t sw;

	pass_command(self);
	n = answer(self, BYTES("0123456789abcdef0", 17), 0x9000).n;
	for (size_t bit = 0; bit < n * 8; bit++) {
		again(self);
		pass_command(self);
		answer(self, BYTES("0123456789abcdef0", 17), 0x9000);
		self->wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
		EXPECT_EQ(-EBADMSG, open_answer(self, BYTES(self->wire, n), 0x9000, &sw));
		EXPECT_FALSE(sm_is_alive(&self->server));
	}
	for (size_t i = 0; i < n; i++) {
		again(self);
		pass_command(self);
		answer(self, BYTES("0123456789abcdef0", 17), 0x9000);
		EXPECT_EQ(-EBADMSG, open_answer(self, BYTES(self->wire, i), 0x9000, &sw));
	}
}

TEST_F(sm, another_status_word_outside_is_refused)
{
	uint16_t sw = 0;

	pass_command(self);
	EXPECT_EQ(-EBADMSG, open_answer(self, answer(self, BYTES_NONE, 0x6982), 0x9000, &sw));
	EXPECT_FALSE(sm_is_alive(&self->server));
	EXPECT_EQ(0, sw);
}

TEST_F(sm, a_command_twice_is_refused)
{
	struct sm_command command = { 0x80, 0x58, 0, 0, BYTES_NONE, 8 }, got;
	uint8_t first[64];
	size_t n = protect(self, command).n;

	memcpy(first, self->wire, n);
	ASSERT_EQ(0, open_command(self, command, BYTES(first, n), &got));
	answer(self, BYTES_NONE, 0x9000);
	EXPECT_EQ(-EBADMSG, open_command(self, command, BYTES(first, n), &got));
	EXPECT_FALSE(sm_is_alive(&self->card));
}

TEST_F(sm, an_answer_to_another_command_is_refused)
{
	uint8_t first[64];
	uint16_t sw;
	size_t n;

	pass_command(self);
	n = answer(self, BYTES_NONE, 0x9000).n;
	memcpy(first, self->wire, n);
	ASSERT_EQ(0, open_answer(self, BYTES(first, n), 0x9000, &sw));
	pass_command(self);
	EXPECT_EQ(-EBADMSG, open_answer(self, BYTES(first, n), 0x9000, &sw));
}

TEST_F(sm, turns_are_kept)
{
	struct sm_command command = { 0x80, 0x58, 0, 0, BYTES_NONE, 8 }, got;
	uint16_t sw;

	self->w = pack_begin(self->wire, sizeof(self->wire));
	EXPECT_EQ(-EPROTO, sm_protect_answer(&self->card, BYTES_NONE, 0x9000, &self->w));
	EXPECT_EQ(-EPROTO, open_answer(self, BYTES_NONE, 0x9000, &sw));
	pass_command(self);
	EXPECT_EQ(-EPROTO, sm_protect_command(&self->server, &command, &self->w));
	EXPECT_EQ(-EPROTO, open_command(self, command, BYTES_NONE, &got));
	EXPECT_EQ(0, open_answer(self, answer(self, BYTES_NONE, 0x9000), 0x9000, &sw));
}

/* Three commands at once, as the card would hear them, and its answers turn by turn. */
TEST_F(sm, commands_may_go_ahead_of_their_answers)
{
	uint8_t wires[3][64], replies[3][64], plain[64];
	struct packer w[3], a[3], p;
	struct sm_turn turns[3];
	struct sm_command got;
	uint16_t sw;

	for (uint8_t i = 0; i < 3; i++) {
		struct sm_command command = { .ins = (uint8_t)(0xd6 + i), .p2 = i, .data = BYTES(&i, 1), .le = 9 };

		w[i] = pack_begin(wires[i], sizeof(wires[i]));
		ASSERT_EQ(0, sm_protect_ahead(&self->server, &command, &w[i], &turns[i]));
	}
	for (uint8_t i = 0; i < 3; i++) {
		ASSERT_EQ(0, open_command(self, (struct sm_command){ .ins = (uint8_t)(0xd6 + i), .p2 = i },
					  pack_done(&w[i]), &got));
		EXPECT_BYTES_EQ(BYTES(&i, 1), got.data);
		a[i] = pack_begin(replies[i], sizeof(replies[i]));
		ASSERT_EQ(0, sm_protect_answer(&self->card, BYTES(&i, 1), 0x9000, &a[i]));
	}
	for (uint8_t i = 0; i < 2; i++) {
		p = pack_begin(plain, sizeof(plain));
		ASSERT_EQ(0, sm_open_turn(&self->server, &turns[i], pack_done(&a[i]), 0x9000, &p, &sw));
		EXPECT_BYTES_EQ(BYTES(&i, 1), pack_done(&p));
	}
	/* The next command fits what the card has heard so far. */
	got = (struct sm_command){ .ins = 0x20 };
	p = pack_begin(wires[0], sizeof(wires[0]));
	ASSERT_EQ(0, sm_protect_ahead(&self->server, &got, &p, &turns[0]));
	ASSERT_EQ(0, open_command(self, got, pack_done(&p), &got));
	p = pack_begin(plain, sizeof(plain));
	EXPECT_EQ(-EBADMSG, sm_open_turn(&self->server, &turns[2], pack_done(&a[1]), 0x9000, &p, &sw));
	EXPECT_EQ(-EPROTO, sm_open_turn(&self->server, &turns[2], pack_done(&a[2]), 0x9000, &p, &sw));
}

TEST_F(sm, nothing_goes_through_a_session_that_is_over)
{
	struct sm_command command = { 0x80, 0x58, 0, 0, BYTES_NONE, 8 }, got;
	uint16_t sw;

	sm_end(&self->server);
	sm_end(&self->card);
	self->w = pack_begin(self->wire, sizeof(self->wire));
	EXPECT_EQ(-EPROTO, sm_protect_command(&self->server, &command, &self->w));
	EXPECT_EQ(-EPROTO, open_command(self, command, BYTES_NONE, &got));
	EXPECT_EQ(-EPROTO, open_answer(self, BYTES_NONE, 0x9000, &sw));
	EXPECT_EQ(-EPROTO, sm_protect_answer(&self->card, BYTES_NONE, 0x9000, &self->w));
}

TEST_F(sm, too_much_is_not_begun)
{
	static uint8_t data[SM_DATA_MAX + 1];
	struct sm_command command = { 0x80, 0x58, 0, 0, BYTES_OF(data), 0 };

	self->w = pack_begin(self->wire, sizeof(self->wire));
	EXPECT_EQ(-EINVAL, sm_protect_command(&self->server, &command, &self->w));
	command.data = BYTES_NONE;
	command.le = 65537;
	EXPECT_EQ(-EINVAL, sm_protect_command(&self->server, &command, &self->w));
	EXPECT_TRUE(sm_is_alive(&self->server));
	pass_command(self);
}

TEST_F(sm, an_answer_that_finds_no_room_ends_the_session)
{
	uint16_t sw;
	uint8_t small[4];

	pass_command(self);
	answer(self, BYTES("0123456789", 10), 0x9000);
	self->p = pack_begin(small, sizeof(small));
	EXPECT_EQ(-EMSGSIZE, sm_open_answer(&self->server, pack_done(&self->w), 0x9000, &self->p, &sw));
	EXPECT_FALSE(sm_is_alive(&self->server));
}
