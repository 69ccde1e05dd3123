/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* apdu_exchange() over a transport of its own; names like z5 are rows of the catalogue, part T=0. */
#include "driver/iso7816/card_io.h"
#include "tests/driver/scripted.h"
#include "tests/harness.h"

#include <stdio.h>

/* What the card says in turn; the last line for ever. What it heard: headers and lengths. */
static const char *const *script;
static char heard[8192];
static size_t heard_n;
static size_t filler;		/* data bytes in front of each scripted answer */

static int transmit(struct card_io *io, struct bytes command, uint8_t *response, size_t cap,
		    size_t *n, struct deadline deadline)
{
	struct packer p = pack_begin(response, cap);
	struct apdu apdu;
	uint8_t sw[300];
	size_t sw_n;

	(void)io;
	(void)deadline;
	ASSERT_EQ(0, apdu_parse(command, &apdu, NULL));
	if (heard_n + 40 < sizeof(heard))
		heard_n += (size_t)snprintf(heard + heard_n, 40, "%02x%02x:%zu/%u ", apdu.cla,
					    apdu.ins, apdu.data.n, apdu.le);
	sw_n = unhex(*script, sw, sizeof(sw));
	if (script[1])
		script++;
	pack_zero(&p, filler);
	pack_bytes(&p, BYTES(sw, sw_n));
	if (pack_end(&p) < 0)
		return -EBADMSG;
	*n = p.n;
	return 0;
}

static int failing(struct card_io *io, struct bytes command, uint8_t *response, size_t cap,
		   size_t *n, struct deadline deadline)
{
	(void)command;
	(void)cap;
	(void)n;
	(void)deadline;
	response[0] = 0x55;
	io->ran = true;
	return -EIO;
}

FIXTURE(card) {
	struct card_io *io;
	struct apdu_response out;
};

FIXTURE_SETUP(card)
{
	static const struct card_io_ops ops = { .transmit = transmit };

	ASSERT_EQ(0, card_io_new_with(&ops, &self->io));
}

FIXTURE_TEARDOWN(card)
{
	self->io = card_io_free(self->io);
}

static uint8_t data[66000];

static int run(struct fixture_card *self, size_t data_n, uint32_t le, const char *const *says)
{
	struct apdu apdu = { 0x00, 0xda, 0x01, 0x02, BYTES(data, data_n), le };

	script = says;
	return apdu_exchange(self->io, &apdu, DEADLINE_NEVER, &self->out);
}
#define SAYS(...) ((const char *const[]){ __VA_ARGS__, NULL })

TEST_F(card, any_status_word_is_an_answer)
{
	ASSERT_EQ(0, run(self, 3, 16, SAYS("0102 9000")));
	EXPECT_EQ(0x9000, self->out.sw);
	EXPECT_EQ(2, self->out.data.n);
	ASSERT_EQ(0, run(self, 3, 0, SAYS("6a82")));
	EXPECT_EQ(0x6a82, self->out.sw);
	EXPECT_EQ(0, self->out.data.n);
	EXPECT_STREQ("00da:3/16 00da:3/0 ", heard);
}

TEST_F(card, long_commands_go_extended_where_both_can)
{
	ASSERT_EQ(0, run(self, 300, 65536, SAYS("9000")));
	EXPECT_STREQ("00da:300/65536 ", heard);
}

TEST_F(card, otherwise_they_go_in_links_with_le_on_the_last)
{
	self->io->extended = false;
	ASSERT_EQ(0, run(self, 600, 1000, SAYS("9000", "9000", "aa 9000")));
	EXPECT_STREQ("10da:255/0 10da:255/0 00da:90/256 ", heard);
	EXPECT_EQ(1, self->out.data.n);
	heard_n = 0;
	ASSERT_EQ(0, run(self, 600, 0, SAYS("9000", "6883")));	/* a link refused ends it */
	EXPECT_EQ(0x6883, self->out.sw);
	EXPECT_STREQ("10da:255/0 10da:255/0 ", heard);
}

TEST_F(card, without_chaining_a_long_command_is_not_supported)
{
	self->io->extended = self->io->chaining = false;
	EXPECT_EQ(-EOPNOTSUPP, run(self, 256, 0, SAYS("9000")));
	EXPECT_EQ(0, run(self, 255, 65536, SAYS("9000")));	/* a long answer is 61xx's business */
	EXPECT_STREQ("00da:255/256 ", heard);
}

TEST_F(card, d8_a_reader_with_short_messages_gets_short_links)
{
	self->io->extended = false;
	self->io->max_command = 54;
	ASSERT_EQ(0, run(self, 100, 0, SAYS("9000")));
	EXPECT_STREQ("10da:48/0 10da:48/0 00da:4/0 ", heard);
}

TEST_F(card, z2_a_wrong_le_is_corrected_twice_and_not_a_third_time)
{
	ASSERT_EQ(0, run(self, 0, 256, SAYS("6c10", "aa 9000")));
	EXPECT_STREQ("00da:0/256 00da:0/16 ", heard);
	EXPECT_EQ(1, self->out.data.n);
	heard_n = 0;
	ASSERT_EQ(0, run(self, 0, 256, SAYS("6c10")));
	EXPECT_EQ(0x6c10, self->out.sw);
	EXPECT_STREQ("00da:0/256 00da:0/16 00da:0/16 ", heard);
}

TEST_F(card, z3_more_data_is_fetched_and_joined)
{
	ASSERT_EQ(0, run(self, 0, 256, SAYS("01 6100", "02 6102", "03 6c05", "04 9000")));
	EXPECT_STREQ("00da:0/256 00c0:0/256 00c0:0/2 00c0:0/5 ", heard);
	EXPECT_EQ(0x9000, self->out.sw);
	EXPECT_BYTES_EQ(BYTES("\1\2\4", 3), self->out.data);
}

TEST_F(card, get_response_keeps_the_channel_and_nothing_else_of_the_class)
{
	static const struct { uint8_t cla; const char *is; } rows[] = {
		{ 0x0c, "00c0" }, { 0x02, "02c0" }, { 0x65, "45c0" }, { 0x80, "00c0" },
	};

	for (size_t i = 0; i < 4; i++) {
		struct apdu apdu = { .cla = rows[i].cla, .ins = 0xca, .le = 256 };

		heard_n = 0;
		script = SAYS("6101", "aa 9000");
		ASSERT_EQ(0, apdu_exchange(self->io, &apdu, DEADLINE_NEVER, &self->out));
		EXPECT_NOT_NULL(strstr(heard, rows[i].is));
	}
}

TEST_F(card, z4_more_data_announced_and_never_sent_ends_after_two)
{
	EXPECT_EQ(-EBADMSG, run(self, 0, 256, SAYS("6110")));
	EXPECT_STREQ("00da:0/256 00c0:0/16 00c0:0/16 ", heard);
}

TEST_F(card, z5_more_data_for_ever_ends_at_its_limits)
{
	filler = 256;
	EXPECT_EQ(-EBADMSG, run(self, 0, 256, SAYS("6100")));
	heard_n = 0;
	filler = 1;
	EXPECT_EQ(-EBADMSG, run(self, 0, 256, SAYS("6101")));
}

TEST_F(card, what_61xx_offers_beyond_le_is_left_with_the_card)
{
	ASSERT_EQ(0, run(self, 0, 4, SAYS("6110", "01020304 610c")));
	EXPECT_STREQ("00da:0/4 00c0:0/4 ", heard);
	EXPECT_EQ(0x610c, self->out.sw);
	EXPECT_EQ(4, self->out.data.n);
	heard_n = 0;
	ASSERT_EQ(0, run(self, 3, 0, SAYS("6102", "0102 9000")));	/* nobody knew of it before */
	EXPECT_EQ(2, self->out.data.n);
}

TEST_F(card, z9_an_error_of_get_response_is_the_answer)
{
	ASSERT_EQ(0, run(self, 0, 256, SAYS("aa 6110", "6700")));
	EXPECT_EQ(0x6700, self->out.sw);
}

TEST_F(card, fields_out_of_range_are_refused_before_anything_is_sent)
{
	EXPECT_EQ(-EINVAL, run(self, 65536, 0, SAYS("9000")));
	EXPECT_EQ(-EINVAL, run(self, 0, 65537, SAYS("9000")));
	EXPECT_EQ(0, heard_n);
}

TEST_F(card, the_command_is_wiped_and_the_response_when_it_failed_or_was_used)
{
	static const struct card_io_ops ops = { .transmit = failing };

	memset(data, 0x77, 300);
	ASSERT_EQ(0, run(self, 300, 16, SAYS("0102 9000")));
	EXPECT_TRUE(bytes_are_zero(BYTES(self->io->command, 309)));
	card_io_wipe(self->io);
	EXPECT_TRUE(bytes_are_zero(BYTES(self->io->response, 4)));
	self->io->ops = &ops;
	EXPECT_EQ(-EIO, run(self, 300, 16, SAYS("9000")));
	EXPECT_TRUE(self->io->ran);
	EXPECT_TRUE(bytes_are_zero(BYTES(self->io->command, 309)));
	EXPECT_TRUE(bytes_are_zero(BYTES(self->io->response, 4)));
}
