/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What every row of the table demands, row by row, whatever the command does.
 */
#include "vreader/schsm/command.h"

#include "tests/harness.h"
#include "tests/vreader/schsm/rig.h"

FIXTURE(table)
{
	struct rig rig;
	const struct hsm_rule *rules;
	size_t n;
};

FIXTURE_SETUP(table)
{
	rig_init(&self->rig);
	ASSERT_EQ(SW_OK, rig_initialize(&self->rig, "92 01 01"));
	self->rules = hsm_rules(&self->n);
}

FIXTURE_TEARDOWN(table)
{
	rig_deinit(&self->rig);
}

static uint16_t send(struct rig *rig, const struct hsm_rule *rule, bool data)
{
	return rig_send(rig, rule->cla, rule->ins, (unsigned int)rule->p1 << 8 | rule->p2,
			data ? BYTES("\x01\x02\x03", 3) : BYTES_NONE);
}

static bool covers(const struct hsm_rule *rule, uint8_t p1, uint8_t p2)
{
	return rule->p1 <= p1 && p1 <= rule->p1_last && rule->p2 <= p2 && p2 <= rule->p2_last;
}

/* Whether a row of the same instruction takes P1 P2. */
static bool is_taken(const struct fixture_table *self, const struct hsm_rule *of, uint8_t p1, uint8_t p2)
{
	for (size_t i = 0; i < self->n; i++) {
		const struct hsm_rule *rule = &self->rules[i];

		if (rule->cla == of->cla && rule->ins == of->ins && covers(rule, p1, p2))
			return true;
	}
	return false;
}

TEST_F(table, no_two_rows_take_the_same_command)
{
	for (size_t i = 0; i < self->n; i++) {
		const struct hsm_rule *a = &self->rules[i];

		for (size_t j = i + 1; j < self->n; j++) {
			const struct hsm_rule *b = &self->rules[j];

			EXPECT_FALSE(a->cla == b->cla && a->ins == b->ins && covers(a, b->p1, b->p2));
		}
	}
}

TEST_F(table, a_row_that_takes_no_data_gets_none_and_one_that_wants_some_gets_some)
{
	for (size_t i = 0; i < self->n; i++) {
		const struct hsm_rule *rule = &self->rules[i];

		if (rule->data == HSM_DATA_NONE)
			EXPECT_EQ(SW_LENGTH, send(&self->rig, rule, true));
		if (rule->data == HSM_DATA_SOME)
			EXPECT_EQ(SW_LENGTH, send(&self->rig, rule, false));
	}
}

TEST_F(table, a_row_that_wants_the_user_pin_says_so_and_changes_nothing)
{
	unsigned int commits = self->rig.commits, n = 0;

	for (size_t i = 0; i < self->n; i++) {
		const struct hsm_rule *rule = &self->rules[i];

		if (rule->auth != HSM_AUTH_USER)
			continue;
		EXPECT_EQ(SW_PIN_NEEDED, send(&self->rig, rule, rule->data != HSM_DATA_NONE));
		n++;
	}
	EXPECT_LT(15u, n);
	EXPECT_EQ(commits, self->rig.commits);
}

TEST_F(table, p1_and_p2_that_no_row_takes_are_refused)
{
	for (size_t i = 0; i < self->n; i++) {
		const struct hsm_rule *rule = &self->rules[i];

		for (unsigned int p = 0; p <= 0xff; p++) {
			if (!is_taken(self, rule, (uint8_t)p, rule->p2))
				EXPECT_EQ(SW_P1P2, rig_send(&self->rig, rule->cla, rule->ins,
							    p << 8 | rule->p2, BYTES("\x01", 1)));
			if (!is_taken(self, rule, rule->p1, (uint8_t)p))
				EXPECT_EQ(SW_P1P2, rig_send(&self->rig, rule->cla, rule->ins,
							    (unsigned int)rule->p1 << 8 | p,
							    BYTES("\x01", 1)));
		}
	}
}

TEST_F(table, classes_instructions_and_lengths_that_are_none_are_refused)
{
	static const uint8_t classes[] = { 0x01, 0x04, 0x08, 0x10, 0x20, 0x40, 0x81, 0x90, 0xa0, 0xff };
	static const uint8_t cut[] = { 0x00, 0xb1, 0x00, 0x00, 0x04, 0x54 };
	static uint8_t long_data[HSM_DATA_MAX + 1];

	for (size_t i = 0; i < sizeof(classes); i++)
		EXPECT_EQ((classes[i] & 0x0c) == 0x0c ? SW_SECURE_MESSAGING : SW_CLA,
			  rig_send(&self->rig, classes[i], INS_SELECT, 0x0400, BYTES("\x01", 1)));
	EXPECT_EQ(SW_INS, rig_send(&self->rig, 0x00, HSM_SIGN, 0x0173, BYTES("\x01", 1)));
	EXPECT_EQ(SW_INS, rig_send(&self->rig, 0x80, INS_VERIFY, 0x0081, BYTES("\x01", 1)));
	EXPECT_EQ(SW_LENGTH, rig_raw(&self->rig, BYTES_OF(cut)));
	EXPECT_EQ(SW_LENGTH, rig_raw(&self->rig, BYTES("\x00\xa4\x04", 3)));
	EXPECT_EQ(SW_LENGTH, rig_send(&self->rig, 0x00, INS_READ_BINARY, 0x2f02, BYTES_OF(long_data)));
	EXPECT_EQ(SW_SECURE_MESSAGING, rig_send(&self->rig, 0x0c, INS_VERIFY, 0x0081, BYTES_NONE));
	EXPECT_EQ(SW_SECURE_MESSAGING, rig_send(&self->rig, 0x8c, HSM_ENUMERATE, 0x0000, BYTES_NONE));
}

TEST_F(table, before_it_is_selected_the_card_knows_nothing_but_select)
{
	hsm_power_on(self->rig.hsm);
	for (size_t i = 0; i < self->n; i++) {
		const struct hsm_rule *rule = &self->rules[i];
		bool data = rule->data != HSM_DATA_NONE;

		EXPECT_EQ(rule->ins == INS_SELECT ? SW_NO_APPLICATION : SW_INS,
			  send(&self->rig, rule, data));
	}
	EXPECT_EQ(SW_OK, rig_select(&self->rig));
}

TEST_F(table, a_long_answer_to_a_short_command_comes_piece_by_piece)
{
	static const uint8_t read[] = { 0x00, 0xa4, 0x00, 0x00, 0x02, 0x2f, 0x02 };	/* no Le */
	static const uint8_t rest[] = { 0x00, 0xc0, 0x00, 0x00, 0x05 };
	static uint8_t buf[VCARD_RESPONSE_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	ASSERT_EQ(0, hsm_process(self->rig.hsm, BYTES_OF(read), &p));
	EXPECT_BYTES_EQ(BYTES("\x61\x10", 2), pack_done(&p));
	p.n = 0;
	ASSERT_EQ(0, hsm_process(self->rig.hsm, BYTES_OF(rest), &p));
	EXPECT_BYTES_EQ(BYTES("\x62\x0e\x81\x02", 4), BYTES(buf, 4));
	EXPECT_BYTES_EQ(BYTES("\x61\x0b", 2), BYTES(buf + 5, 2));
	EXPECT_EQ(SW_OK, rig_send(&self->rig, 0x80, HSM_ENUMERATE, 0x0000, BYTES_NONE));
	EXPECT_EQ(SW_CONDITIONS, rig_raw(&self->rig, BYTES_OF(rest)));
}
