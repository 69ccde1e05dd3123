/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The reader as a host sees it, message by message, with the card of echo_card.c. What the card
 * computes is run here by hand, so "meanwhile" is easy to say.
 *
 * Faces: vreader/reader/ccid_dev.c vreader/reader/ccid_xfr.c vreader/reader/ccid_speed.c
 */
#include "vreader/reader/ccid_dev.h"

#include "tests/harness.h"

enum { KEPT = 16 };

FIXTURE(dev)
{
	struct ccid_port port;
	struct ccid_dev dev;
	struct shape shape;
	struct vcard *card;
	uint8_t message[SHAPE_MESSAGE_MAX + 16];
	struct { enum ccid_port_pipe pipe; size_t n; uint8_t p[SHAPE_MESSAGE_MAX]; } out[KEPT];
	size_t n_out;
	uint8_t seq;
};

FIXTURE_VARIANT(dev) { enum shape_level level; };
FIXTURE_VARIANT_ADD(dev, extended) { SHAPE_EXTENDED };
FIXTURE_VARIANT_ADD(dev, short_apdu) { SHAPE_SHORT };
FIXTURE_VARIANT_ADD(dev, tpdu_t0) { SHAPE_TPDU_T0 };
FIXTURE_VARIANT_ADD(dev, tpdu_t1) { SHAPE_TPDU_T1 };

static void keep(struct ccid_port *port, enum ccid_port_pipe pipe, struct bytes message)
{
	struct fixture_dev *self = (struct fixture_dev *)port;

	ASSERT_LT(self->n_out, (size_t)KEPT);
	self->out[self->n_out].pipe = pipe;
	self->out[self->n_out].n = message.n;
	if (message.n != 0)
		memcpy(self->out[self->n_out].p, message.p, message.n);
	self->n_out++;
}

FIXTURE_SETUP(dev)
{
	char why[VCARD_WHY_MAX];

	self->port.send = keep;
	self->shape = SHAPE_INIT;
	shape_set_level(&self->shape, variant->level);
	ASSERT_EQ(0, vcard_open("", &self->card, why));
	ASSERT_EQ(0, ccid_dev_init(&self->dev, &self->shape, &self->port, self->card));
}

FIXTURE_TEARDOWN(dev)
{
	ccid_dev_deinit(&self->dev);
	vcard_free(self->card);
}

static enum ccid_dev_next host(struct fixture_dev *self, uint8_t type, uint8_t seq,
			       uint32_t specific, struct bytes data)
{
	struct packer p = pack_begin(self->message, sizeof(self->message));

	pack_u8(&p, type);
	pack_le32(&p, (uint32_t)data.n);
	pack_u8(&p, 0);
	pack_u8(&p, seq);
	pack_be(&p, specific, 3);
	pack_bytes(&p, data);
	self->n_out = 0;
	return ccid_dev_bulk(&self->dev, pack_done(&p));
}

static enum ccid_dev_next compute(struct fixture_dev *self)
{
	int r = vcard_process(self->card, ccid_dev_command(&self->dev),
			      ccid_dev_response(&self->dev));

	self->n_out = 0;
	return ccid_dev_ran(&self->dev, r);
}

static void expect_out(const struct fixture_dev *self, size_t at, uint8_t type, uint8_t seq,
		       uint8_t status, uint8_t error)
{
	ASSERT_LT(at, self->n_out);
	ASSERT_EQ(CCID_PORT_BULK, self->out[at].pipe);
	EXPECT_EQ(type, self->out[at].p[0]);
	EXPECT_EQ(seq, self->out[at].p[6]);
	EXPECT_EQ(status, self->out[at].p[7]);
	EXPECT_EQ(error, self->out[at].p[8]);
}

static void expect_one(const struct fixture_dev *self, uint8_t type, uint8_t seq, uint8_t status,
		       uint8_t error)
{
	ASSERT_EQ(1u, self->n_out);
	expect_out(self, 0, type, seq, status, error);
}

static struct bytes payload(const struct fixture_dev *self)
{
	return BYTES(self->out[0].p + 10, self->out[0].n - 10);
}

static void power_on(struct fixture_dev *self)
{
	EXPECT_EQ(CCID_DEV_IDLE, host(self, 0x62, 1, 0, BYTES_NONE));
	expect_one(self, 0x80, 1, 0, 0);
	EXPECT_BYTES_EQ(self->shape.level == SHAPE_TPDU_T0 ? BYTES_OF(vcard_atr_t0) :
			vcard_atr(self->card), payload(self));
}

static enum ccid_dev_next xfr(struct fixture_dev *self, uint8_t seq, const char *data, size_t n)
{
	return host(self, 0x6f, seq, 0, BYTES(data, n));
}

TEST_F(dev, the_slot_tells_the_truth_about_the_card)
{
	host(self, 0x65, 1, 0, BYTES_NONE);
	expect_one(self, 0x81, 1, 1, 0);
	power_on(self);
	host(self, 0x65, 2, 0, BYTES_NONE);
	expect_one(self, 0x81, 2, 0, 0);
	host(self, 0x63, 3, 0, BYTES_NONE);
	expect_one(self, 0x81, 3, 1, 0);
	ccid_dev_remove(&self->dev);
	host(self, 0x65, 4, 0, BYTES_NONE);
	expect_one(self, 0x81, 4, 2, 0);
	host(self, 0x62, 5, 0, BYTES_NONE);
	expect_one(self, 0x80, 5, 0x42, 0xfe);
}

TEST_F(dev, movement_is_announced_once)
{
	ccid_dev_remove(&self->dev);
	ccid_dev_remove(&self->dev);
	ccid_dev_insert(&self->dev);
	ASSERT_EQ(2u, self->n_out);
	EXPECT_EQ(CCID_PORT_INTERRUPT, self->out[0].pipe);
	EXPECT_MEMEQ("\x50\x02", self->out[0].p, 2);
	EXPECT_MEMEQ("\x50\x03", self->out[1].p, 2);
}

TEST_F(dev, a_command_needs_power)
{
	EXPECT_EQ(CCID_DEV_IDLE, xfr(self, 9, "\x00\x84\x00\x00\x04", 5));
	expect_one(self, 0x80, 9, 0x41, 0xfe);
}

TEST_F(dev, a_voltage_may_not_be_chosen)
{
	host(self, 0x62, 1, 0x010000, BYTES_NONE);
	expect_one(self, 0x80, 1, 0x41, 0x07);
}

TEST_F(dev, another_slot_does_not_exist)
{
	static const uint8_t status[] = { 0x65, 0, 0, 0, 0, 1, 7, 0, 0, 0 };

	self->n_out = 0;
	ccid_dev_bulk(&self->dev, BYTES_OF(status));
	expect_one(self, 0x81, 7, 0x42, 0x05);
	EXPECT_EQ(1, self->out[0].p[5]);
}

TEST_F(dev, what_is_not_supported_is_refused_in_its_own_answer_type)
{
	static const uint8_t types[][2] = {
		{ 0x69, 0x80 }, { 0x6a, 0x81 }, { 0x6b, 0x83 }, { 0x6e, 0x81 }, { 0x71, 0x81 },
		{ 0x73, 0x84 }, { 0x00, 0x81 }, { 0x60, 0x81 }, { 0x80, 0x81 }, { 0xff, 0x81 },
	};

	power_on(self);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		EXPECT_EQ(CCID_DEV_IDLE, host(self, types[i][0], 3, 0, BYTES_NONE));
		expect_one(self, types[i][1], 3, 0x40, 0);
	}
}

TEST_F(dev, every_truncation_and_every_lie_about_length_stalls_the_out_pipe)
{
	static const uint8_t good[] = { 0x6f, 4, 0, 0, 0, 0, 1, 0, 0, 0, 1, 2, 3, 4 };
	uint8_t lie[sizeof(good)];

	power_on(self);
	for (size_t n = 0; n < sizeof(good); n++) {
		self->n_out = 0;
		EXPECT_EQ(CCID_DEV_IDLE, ccid_dev_bulk(&self->dev, BYTES(good, n)));
		ASSERT_EQ(1u, self->n_out);
		EXPECT_EQ(CCID_PORT_STALL_OUT, self->out[0].pipe);
	}
	for (size_t i = 1; i <= 4; i++) {
		memcpy(lie, good, sizeof(lie));
		lie[i] ^= 0x80;
		self->n_out = 0;
		EXPECT_EQ(CCID_DEV_IDLE, ccid_dev_bulk(&self->dev, BYTES_OF(lie)));
		EXPECT_EQ(CCID_PORT_STALL_OUT, self->out[0].pipe);
	}
}

TEST_F_WHERE(dev, parameters_are_those_of_the_atr_and_what_the_card_cannot_do_is_named,
	     variant->level != SHAPE_TPDU_T0)
{
	static const char good[] = "\x18\x10\x00\x45\x00\x20\x00";

	power_on(self);
	host(self, 0x6c, 1, 0, BYTES_NONE);
	expect_one(self, 0x82, 1, 0, 0);
	EXPECT_EQ(1, self->out[0].p[9]);
	EXPECT_BYTES_EQ(BYTES("\x18\x10\x00\x45\x00\xfe\x00", 7), payload(self));
	host(self, 0x61, 2, 0x010000, BYTES(good, 7));
	expect_one(self, 0x82, 2, 0, 0);
	EXPECT_BYTES_EQ(BYTES(good, 7), payload(self));
	host(self, 0x61, 3, 0x000000, BYTES(good, 5));
	expect_one(self, 0x82, 3, 0x40, 0x07);
	host(self, 0x61, 4, 0x010000, BYTES(good, 6));
	expect_one(self, 0x82, 4, 0x40, 0x01);
	host(self, 0x61, 5, 0x010000, BYTES("\x18\x11\x00\x45\x00\xfe\x00", 7));
	expect_one(self, 0x82, 5, 0x40, 0x0b);
	host(self, 0x61, 6, 0x010000, BYTES("\x18\x10\x00\x45\x00\xff\x00", 7));
	expect_one(self, 0x82, 6, 0x40, 0x0f);
	host(self, 0x6d, 7, 0, BYTES_NONE);
	EXPECT_BYTES_EQ(BYTES("\x18\x10\x00\x45\x00\xfe\x00", 7), payload(self));
}

/* --- extended APDU level --- */

TEST_F_WHERE(dev, an_apdu_is_carried_out, variant->level == SHAPE_EXTENDED)
{
	power_on(self);
	EXPECT_EQ(CCID_DEV_RUN, xfr(self, 2, "\x00\x84\x00\x00\x04", 5));
	EXPECT_EQ(CCID_DEV_IDLE, compute(self));
	expect_one(self, 0x80, 2, 0, 0);
	EXPECT_BYTES_EQ(BYTES("\x00\x01\x02\x03\x90\x00", 6), payload(self));
}

TEST_F_WHERE(dev, commands_and_responses_are_chained, variant->level == SHAPE_EXTENDED)
{
	self->shape.max_message = 271;
	power_on(self);
	EXPECT_EQ(CCID_DEV_IDLE, host(self, 0x6f, 2, 0x000100, BYTES("\x00\x84", 2)));
	expect_one(self, 0x80, 2, 0, 0);
	EXPECT_EQ(0x10, self->out[0].p[9]);
	EXPECT_EQ(CCID_DEV_IDLE, host(self, 0x6f, 3, 0x000300, BYTES("\x00\x00\x00", 3)));
	EXPECT_EQ(CCID_DEV_RUN, host(self, 0x6f, 4, 0x000200, BYTES("\x02\x58", 2)));	/* Le 600 */
	compute(self);
	expect_one(self, 0x80, 4, 0, 0);
	EXPECT_EQ(0x01, self->out[0].p[9]);
	EXPECT_EQ(261u, payload(self).n);
	EXPECT_EQ(CCID_DEV_IDLE, host(self, 0x6f, 5, 0x001000, BYTES_NONE));
	EXPECT_EQ(0x03, self->out[0].p[9]);
	EXPECT_EQ(CCID_DEV_IDLE, host(self, 0x6f, 6, 0x001000, BYTES_NONE));
	EXPECT_EQ(0x02, self->out[0].p[9]);
	EXPECT_EQ(602u - 2 * 261, payload(self).n);
	EXPECT_EQ(CCID_DEV_IDLE, host(self, 0x6f, 7, 0x001000, BYTES_NONE));
	expect_one(self, 0x80, 7, 0x40, 0x08);
}

TEST_F_WHERE(dev, chain_parameters_out_of_turn_are_refused, variant->level == SHAPE_EXTENDED)
{
	static const uint32_t first[] = { 0x000200, 0x000300, 0x001000, 0x005500, 0x000001 };

	power_on(self);
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
		EXPECT_EQ(CCID_DEV_IDLE, host(self, 0x6f, 2, first[i], BYTES("\x00", 1)));
		expect_one(self, 0x80, 2, 0x40, 0x08);
	}
	EXPECT_EQ(CCID_DEV_IDLE, host(self, 0x6f, 3, 0x000100, BYTES("\x00", 1)));
	EXPECT_EQ(CCID_DEV_IDLE, host(self, 0x6f, 4, 0x000100, BYTES("\x00", 1)));
	expect_one(self, 0x80, 4, 0x40, 0x08);
}

TEST_F_WHERE(dev, a_chain_longer_than_any_apdu_is_refused, variant->level == SHAPE_EXTENDED)
{
	static uint8_t part[65000];

	power_on(self);
	EXPECT_EQ(CCID_DEV_IDLE, host(self, 0x6f, 2, 0x000100, BYTES_OF(part)));
	EXPECT_EQ(CCID_DEV_IDLE, host(self, 0x6f, 3, 0x000300, BYTES_OF(part)));
	expect_one(self, 0x80, 3, 0x40, 0x01);
}

TEST_F_WHERE(dev, time_is_asked_for_while_the_card_computes_and_others_find_the_slot_busy,
	     variant->level == SHAPE_EXTENDED)
{
	power_on(self);
	EXPECT_EQ(CCID_DEV_RUN, xfr(self, 2, "\x00\x5a\x00\x00", 4));
	self->n_out = 0;
	ccid_dev_tick(&self->dev);
	expect_one(self, 0x80, 2, 0x80, 1);
	EXPECT_EQ(CCID_DEV_IDLE, xfr(self, 3, "\x00\x84\x00\x00\x01", 5));
	expect_one(self, 0x80, 3, 0x40, 0xe0);
	EXPECT_EQ(CCID_DEV_IDLE, host(self, 0x65, 4, 0, BYTES_NONE));
	expect_one(self, 0x81, 4, 0, 0);
	compute(self);
	expect_one(self, 0x80, 2, 0, 0);
	self->n_out = 0;
	ccid_dev_tick(&self->dev);
	EXPECT_EQ(0u, self->n_out);
}

TEST_F_WHERE(dev, abort_ends_the_command_and_its_result_is_thrown_away,
	     variant->level == SHAPE_EXTENDED)
{
	power_on(self);
	EXPECT_EQ(CCID_DEV_RUN, xfr(self, 2, "\x00\x5a\x00\x00", 4));
	EXPECT_EQ(0, ccid_dev_abort(&self->dev, 0, 3));
	EXPECT_EQ(CCID_DEV_IDLE, host(self, 0x65, 9, 0, BYTES_NONE));
	expect_one(self, 0x81, 9, 0x40, 0xff);
	EXPECT_EQ(CCID_DEV_IDLE, host(self, 0x72, 3, 0, BYTES_NONE));
	ASSERT_EQ(2u, self->n_out);
	expect_out(self, 0, 0x80, 2, 0x40, 0xff);
	expect_out(self, 1, 0x81, 3, 0, 0);
	/* The next command waits until the card is free. */
	EXPECT_EQ(CCID_DEV_IDLE, xfr(self, 4, "\x00\x84\x00\x00\x01", 5));
	EXPECT_EQ(0u, self->n_out);
	ccid_dev_tick(&self->dev);
	expect_one(self, 0x80, 4, 0x80, 1);
	EXPECT_EQ(CCID_DEV_RUN, compute(self));
	EXPECT_EQ(0u, self->n_out);
	EXPECT_EQ(CCID_DEV_IDLE, compute(self));
	expect_one(self, 0x80, 4, 0, 0);
	EXPECT_BYTES_EQ(BYTES("\x00\x90\x00", 3), payload(self));
}

TEST_F(dev, abort_works_in_either_order_and_for_nothing)
{
	power_on(self);
	EXPECT_EQ(CCID_DEV_IDLE, host(self, 0x72, 5, 0, BYTES_NONE));
	EXPECT_EQ(0u, self->n_out);
	EXPECT_EQ(0, ccid_dev_abort(&self->dev, 0, 5));
	expect_one(self, 0x81, 5, 0, 0);
	EXPECT_EQ(-EINVAL, ccid_dev_abort(&self->dev, 1, 6));
}

TEST_F_WHERE(dev, a_card_pulled_in_mid_command_is_a_mute_card_and_powered_off_later,
	     variant->level == SHAPE_EXTENDED)
{
	power_on(self);
	EXPECT_EQ(CCID_DEV_RUN, xfr(self, 2, "\x00\x5a\x00\x00", 4));
	self->n_out = 0;
	ccid_dev_remove(&self->dev);
	ASSERT_EQ(2u, self->n_out);
	expect_out(self, 0, 0x80, 2, 0x42, 0xfe);
	EXPECT_EQ(CCID_PORT_INTERRUPT, self->out[1].pipe);
	EXPECT_EQ(CCID_DEV_IDLE, compute(self));
	EXPECT_EQ(0u, self->n_out);
	EXPECT_FALSE(self->dev.unpower);
}

TEST_F_WHERE(dev, power_on_waits_for_a_card_that_still_computes, variant->level == SHAPE_EXTENDED)
{
	power_on(self);
	EXPECT_EQ(CCID_DEV_RUN, xfr(self, 2, "\x00\x5a\x00\x00", 4));
	ccid_dev_remove(&self->dev);
	ccid_dev_insert(&self->dev);
	EXPECT_EQ(CCID_DEV_IDLE, host(self, 0x62, 3, 0, BYTES_NONE));
	EXPECT_EQ(0u, self->n_out);
	ccid_dev_tick(&self->dev);
	expect_one(self, 0x80, 3, 0x81, 1);
	EXPECT_EQ(CCID_DEV_IDLE, compute(self));
	expect_one(self, 0x80, 3, 0, 0);
	EXPECT_BYTES_EQ(vcard_atr(self->card), payload(self));
}

TEST_F_WHERE(dev, a_card_that_tears_is_mute_until_it_is_powered_again,
	     variant->level == SHAPE_EXTENDED)
{
	power_on(self);
	EXPECT_EQ(CCID_DEV_RUN, xfr(self, 2, "\x00\xde\x00\x00", 4));
	compute(self);
	expect_one(self, 0x80, 2, 0x41, 0xfe);
	EXPECT_EQ(CCID_DEV_IDLE, xfr(self, 3, "\x00\x84\x00\x00\x01", 5));
	expect_one(self, 0x80, 3, 0x41, 0xfe);
	power_on(self);
}

TEST_F_WHERE(dev, no_command_stays_in_a_buffer, variant->level == SHAPE_EXTENDED)
{
	power_on(self);
	EXPECT_EQ(CCID_DEV_RUN, xfr(self, 2, "\x00\xee\x00\x00\x04" "1234", 9));
	compute(self);
	EXPECT_TRUE(bytes_are_zero(BYTES(self->dev.gather.p, 9)));
	EXPECT_TRUE(bytes_are_zero(BYTES(self->dev.command.p, 9)));
	EXPECT_TRUE(bytes_are_zero(BYTES(self->dev.response.p, 6)));
	EXPECT_TRUE(bytes_are_zero(BYTES(self->dev.message, 16)));
}

/* --- short APDU level --- */

TEST_F_WHERE(dev, a_short_apdu_is_carried_out_whatever_the_level_parameter_says,
	     variant->level == SHAPE_SHORT)
{
	power_on(self);
	EXPECT_EQ(CCID_DEV_RUN, host(self, 0x6f, 2, 0x000300, BYTES("\x00\x84\x00\x00\x08", 5)));
	compute(self);
	expect_one(self, 0x80, 2, 0, 0);
	EXPECT_EQ(0, self->out[0].p[9]);
	EXPECT_EQ(10u, payload(self).n);
}

TEST_F_WHERE(dev, a_response_that_no_short_message_holds_is_an_overrun,
	     variant->level == SHAPE_SHORT)
{
	power_on(self);
	EXPECT_EQ(CCID_DEV_RUN, xfr(self, 2, "\x00\x84\x00\x00\x00\x08\x00", 7));
	compute(self);
	expect_one(self, 0x80, 2, 0x40, 0xfc);
	EXPECT_EQ(0u, payload(self).n);
}

/* --- TPDU level, T=0: the TPDUs themselves are t0_card_test's --- */

TEST_F_WHERE(dev, a_tpdu_is_carried_out_and_less_than_p3_is_asked_for_again,
	     variant->level == SHAPE_TPDU_T0)
{
	power_on(self);
	EXPECT_EQ(CCID_DEV_RUN, xfr(self, 2, "\x00\x84\x00\x00\x08", 5));
	compute(self);
	expect_one(self, 0x80, 2, 0, 0);
	EXPECT_EQ(10u, payload(self).n);
	EXPECT_EQ(CCID_DEV_IDLE, xfr(self, 3, "\x00\xd6\x00\x00\x08", 4));
	EXPECT_BYTES_EQ(BYTES("\x67\x00", 2), payload(self));
}

TEST_F_WHERE(dev, while_a_t0_card_computes_the_reader_asks_for_time,
	     variant->level == SHAPE_TPDU_T0)
{
	power_on(self);
	EXPECT_EQ(CCID_DEV_RUN, xfr(self, 2, "\x00\x84\x00\x00\x08", 5));
	self->n_out = 0;
	ccid_dev_tick(&self->dev);
	expect_one(self, 0x80, 2, 0x80, 1);
	compute(self);
}

TEST_F_WHERE(dev, parameters_of_t0_are_five_bytes, variant->level == SHAPE_TPDU_T0)
{
	static const char good[] = "\x11\x00\x00\x20\x00";

	power_on(self);
	host(self, 0x6c, 1, 0, BYTES_NONE);
	EXPECT_EQ(0, self->out[0].p[9]);
	EXPECT_BYTES_EQ(BYTES("\x18\x00\x00\x0a\x00", 5), payload(self));
	host(self, 0x61, 2, 0x000000, BYTES(good, 5));
	expect_one(self, 0x82, 2, 0, 0);
	EXPECT_BYTES_EQ(BYTES(good, 5), payload(self));
	host(self, 0x61, 3, 0x010000, BYTES(good, 5));
	expect_one(self, 0x82, 3, 0x40, 0x07);
	host(self, 0x61, 4, 0x000000, BYTES(good, 4));
	expect_one(self, 0x82, 4, 0x40, 0x01);
	host(self, 0x61, 5, 0x000000, BYTES("\x96\x00\x00\x20\x00", 5));
	expect_one(self, 0x82, 5, 0x40, 0x0a);
	host(self, 0x61, 6, 0x000000, BYTES("\x11\x01\x00\x20\x00", 5));
	expect_one(self, 0x82, 6, 0x40, 0x0b);
	host(self, 0x61, 7, 0x000000, BYTES("\x11\x00\x00\x00\x00", 5));
	expect_one(self, 0x82, 7, 0x40, 0x0d);
}

/* --- both TPDU levels: what a reader leaves to its host --- */

static bool is_tpdu(const struct variant_dev *variant)
{
	return variant->level == SHAPE_TPDU_T0 || variant->level == SHAPE_TPDU_T1;
}

static void manual_power_on(struct fixture_dev *self)
{
	self->shape.manual = true;
	host(self, 0x62, 1, 0x000000, BYTES_NONE);
	expect_one(self, 0x80, 1, 0x41, 0x07);		/* it does not choose */
	host(self, 0x62, 2, 0x010000, BYTES_NONE);
	expect_one(self, 0x80, 2, 0x41, 0xfe);		/* nor is this card one of 5 V */
	host(self, 0x62, 3, 0x020000, BYTES_NONE);
	expect_one(self, 0x80, 3, 0, 0);
}

static void set_parameters(struct fixture_dev *self, uint8_t fidi)
{
	uint8_t t0[5] = { fidi, 0, 0, 10, 0 }, t1[7] = { fidi, 0x10, 0, 0x45, 0, 0xfe, 0 };

	if (self->shape.level == SHAPE_TPDU_T0)
		host(self, 0x61, 4, 0x000000, BYTES_OF(t0));
	else
		host(self, 0x61, 4, 0x010000, BYTES_OF(t1));
	expect_one(self, 0x82, 4, 0, 0);
}

static void negotiate(struct fixture_dev *self)
{
	uint8_t pps[4] = { 0xff, self->shape.level == SHAPE_TPDU_T0 ? 0x10 : 0x11, 0x18 };

	pps[3] = (uint8_t)(pps[0] ^ pps[1] ^ pps[2]);
	EXPECT_EQ(CCID_DEV_IDLE, host(self, 0x6f, 5, 0, BYTES_OF(pps)));
	expect_one(self, 0x80, 5, 0, 0);
	EXPECT_BYTES_EQ(BYTES_OF(pps), payload(self));
}

#define RATE_FAST "\xa0\x0f\x00\x00\x08\xf8\x01\x00"

TEST_F_WHERE(dev, after_a_pps_parameters_and_rate_must_follow_or_the_card_is_not_understood,
	     is_tpdu(variant))
{
	manual_power_on(self);
	negotiate(self);
	EXPECT_EQ(CCID_DEV_IDLE, xfr(self, 6, "\x00\xc1\x01\xfe\x3e", 5));
	expect_one(self, 0x80, 6, 0x40, 0xfd);
	set_parameters(self, 0x18);
	EXPECT_EQ(CCID_DEV_IDLE, xfr(self, 7, "\x00\xc1\x01\xfe\x3e", 5));
	expect_one(self, 0x80, 7, 0x40, 0xfd);
	host(self, 0x73, 8, 0, BYTES(RATE_FAST, 8));
	expect_one(self, 0x84, 8, 0, 0);
	(void)xfr(self, 9, "\x00\xc1\x01\xfe\x3e", 5);
	if (self->dev.computing)
		compute(self);
	expect_one(self, 0x80, 9, 0, 0);
}

TEST_F_WHERE(dev, without_a_pps_a_faster_reader_is_not_understood, is_tpdu(variant))
{
	manual_power_on(self);
	set_parameters(self, 0x18);
	host(self, 0x73, 5, 0, BYTES(RATE_FAST, 8));
	EXPECT_EQ(CCID_DEV_IDLE, xfr(self, 6, "\x00\xc1\x01\xfe\x3e", 5));
	expect_one(self, 0x80, 6, 0x40, 0xfd);
}

TEST_F_WHERE(dev, a_pps_comes_first_or_not_at_all_and_a_bad_one_is_met_with_silence,
	     is_tpdu(variant))
{
	power_on(self);
	EXPECT_EQ(CCID_DEV_IDLE, xfr(self, 2, "\xff\x11\x18\xff", 4));
	expect_one(self, 0x80, 2, 0x40, 0xfe);
	power_on(self);
	(void)xfr(self, 3, "\x00\xc1\x01\xfe\x3e", 5);
	if (self->dev.computing)
		compute(self);
	(void)xfr(self, 4, "\xff\x11\x18\xf6", 4);
	expect_one(self, 0x80, 4, 0, 0);
	EXPECT_NE(0xff, self->out[0].p[10]);		/* no block and no TPDU either */
}

TEST_F_WHERE(dev, a_rate_that_the_reader_does_not_have_is_named, is_tpdu(variant))
{
	power_on(self);
	host(self, 0x73, 2, 0, BYTES(RATE_FAST, 8));
	expect_one(self, 0x84, 2, 0x40, 0x00);		/* it draws it from the parameters */
	self->shape.manual = true;
	host(self, 0x73, 3, 0, BYTES(RATE_FAST, 7));
	expect_one(self, 0x84, 3, 0x40, 0x01);
	host(self, 0x73, 4, 0, BYTES("\xa1\x0f\x00\x00\x08\xf8\x01\x00", 8));
	expect_one(self, 0x84, 4, 0x40, 0x0a);
	host(self, 0x73, 5, 0, BYTES("\xa0\x0f\x00\x00\x09\xf8\x01\x00", 8));
	expect_one(self, 0x84, 5, 0x40, 0x0e);
}

/* --- TPDU level, T=1: the blocks themselves are t1_card_test's --- */

TEST_F_WHERE(dev, a_block_is_carried_out, variant->level == SHAPE_TPDU_T1)
{
	power_on(self);
	EXPECT_EQ(CCID_DEV_RUN, xfr(self, 2, "\x00\x00\x05\x00\x84\x00\x00\x01\x80", 9));
	compute(self);
	expect_one(self, 0x80, 2, 0, 0);
	EXPECT_BYTES_EQ(BYTES("\x00\x00\x03\x00\x90\x00\x93", 7), payload(self));
}

TEST_F_WHERE(dev, at_block_level_time_is_asked_for_by_wtx, variant->level == SHAPE_TPDU_T1)
{
	power_on(self);
	EXPECT_EQ(CCID_DEV_RUN, xfr(self, 2, "\x00\x00\x05\x00\x84\x00\x00\x01\x80", 9));
	self->n_out = 0;
	ccid_dev_tick(&self->dev);
	expect_one(self, 0x80, 2, 0, 0);
	EXPECT_BYTES_EQ(BYTES("\x00\xc3\x01\x01\xc3", 5), payload(self));
	self->n_out = 0;
	ccid_dev_tick(&self->dev);			/* it is the host's turn */
	EXPECT_EQ(0u, self->n_out);
	EXPECT_EQ(CCID_DEV_IDLE, compute(self));	/* done before the host granted it */
	EXPECT_EQ(0u, self->n_out);
	EXPECT_EQ(CCID_DEV_IDLE, xfr(self, 3, "\x00\xe3\x01\x01\xe3", 5));
	expect_one(self, 0x80, 3, 0, 0);
	EXPECT_BYTES_EQ(BYTES("\x00\x00\x03\x00\x90\x00\x93", 7), payload(self));
}

/* A minute of ticks; a host bears 32 requests in a row, and each covers the ticks until the next. */
TEST_F_WHERE(dev, at_block_level_who_computes_long_asks_for_more_at_a_time,
	     variant->level == SHAPE_TPDU_T1)
{
	unsigned int asked = 0, covered = 1;

	power_on(self);
	EXPECT_EQ(CCID_DEV_RUN, xfr(self, 2, "\x00\x00\x05\x00\x84\x00\x00\x01\x80", 9));
	for (unsigned int tick = 0; tick < 120; tick++) {
		uint8_t times;

		self->n_out = 0;
		ccid_dev_tick(&self->dev);
		ASSERT_GT(covered, 0u);
		covered--;
		if (self->n_out == 0)
			continue;
		times = payload(self).p[3];
		EXPECT_EQ(asked < 4 ? 1u : 8u, times);
		covered = times;
		asked++;
		self->n_out = 0;
		EXPECT_EQ(CCID_DEV_IDLE,
			  xfr(self, 3, times == 1 ? "\x00\xe3\x01\x01\xe3" : "\x00\xe3\x01\x08\xea", 5));
		EXPECT_EQ(0u, self->n_out);
	}
	EXPECT_LE(asked, 19u);
	EXPECT_EQ(CCID_DEV_IDLE, compute(self));
}

TEST_F_WHERE(dev, a_resynch_in_mid_command_cuts_off_its_result, variant->level == SHAPE_TPDU_T1)
{
	power_on(self);
	EXPECT_EQ(CCID_DEV_RUN, xfr(self, 2, "\x00\x00\x05\x00\x84\x00\x00\x01\x80", 9));
	ccid_dev_tick(&self->dev);
	EXPECT_EQ(CCID_DEV_IDLE, xfr(self, 3, "\x00\xc0\x00\xc0", 4));
	EXPECT_BYTES_EQ(BYTES("\x00\xe0\x00\xe0", 4), payload(self));
	EXPECT_EQ(CCID_DEV_IDLE, xfr(self, 4, "\x00\x00\x05\x00\x84\x00\x00\x02\x83", 9));
	EXPECT_EQ(CCID_DEV_RUN, compute(self));
	EXPECT_EQ(CCID_DEV_IDLE, compute(self));
	expect_one(self, 0x80, 4, 0, 0);
	EXPECT_BYTES_EQ(BYTES("\x00\x00\x04\x00\x01\x90\x00\x95", 8), payload(self));
}

TEST_F_WHERE(dev, a_new_host_finds_a_cold_card_and_no_unfinished_business,
	     variant->level != SHAPE_SHORT)
{
	power_on(self);
	host(self, 0x6f, 2, 0x000100, BYTES("\x00\x84", 2));
	(void)ccid_dev_abort(&self->dev, 0, 9);
	ccid_dev_restart(&self->dev);
	host(self, 0x65, 1, 0, BYTES_NONE);
	expect_one(self, 0x81, 1, 1, 0);
	power_on(self);
}
