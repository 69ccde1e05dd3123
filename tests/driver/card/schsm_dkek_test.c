/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/driver/card/schsm_script.h"

FIXTURE(dkek) {
	struct script s;
	uint8_t out[2048];
	struct packer p;
};
FIXTURE_SETUP(dkek)
{
	schsm_script_open(&self->s);
	self->p = pack_begin(self->out, sizeof(self->out));
}
FIXTURE_TEARDOWN(dkek)
{
	script_done(&self->s);
	script_close(&self->s);
}

#define SO	BYTES("3537363231383830", 16)
#define PIN	BYTES("648219", 6)
#define SHARE	"000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"

TEST_F(dkek, initialize_says_what_was_asked_for_and_no_more)
{
	static const struct { struct kf_card_init want; const char *command; } rows[] = {
		{ { .flags = KF_INIT_DKEK | KF_INIT_UNBLOCKS, .n_shares = 2 },
		  "80500000 1C 80020001 8106363438323139 82083537363231383830 910103 920102" },
		{ { .flags = KF_INIT_DKEK, .n_shares = 0, .tries = 10 },
		  "80500000 1C 80020000 8106363438323139 82083537363231383830 91010A 920100" },
		{ { .flags = KF_INIT_TRANSPORT | KF_INIT_UNBLOCKS },
		  "80500000 19 80020003 8106363438323139 82083537363231383830 910103" },
		{ { .n_domains = 4 },
		  "80500000 1C 80020000 8106363438323139 82083537363231383830 910103 970104" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		schsm_script_tries(&self->s, 0x88, 0x63cf);
		script_expect(&self->s, rows[i].command, "9000");
		EXPECT_EQ(0, schsm_card_driver.init(script_begin(&self->s), &rows[i].want, SO, PIN, BYTES_NONE));
	}
}

TEST_F(dkek, what_makes_no_sense_erases_nothing)
{
	static const struct kf_card_init wrong[] = {
		{ .n_shares = 1 }, { .flags = KF_INIT_DKEK, .n_shares = 256 }, { .tries = 11 },
		{ .flags = KF_INIT_DKEK, .n_domains = 1 }, { .n_domains = 65 },
	};
	const struct kf_card_init fine = { 0 };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		EXPECT_EQ(-EINVAL, schsm_card_driver.init(script_begin(&self->s), &wrong[i], SO, PIN, BYTES_NONE));
	EXPECT_EQ(-EINVAL, schsm_card_driver.init(script_begin(&self->s), &fine, BYTES("1", 1), PIN, BYTES_NONE));
	EXPECT_EQ(-EINVAL, schsm_card_driver.init(script_begin(&self->s), &fine, SO, BYTES("12345", 5), BYTES_NONE));
	schsm_script_tries(&self->s, 0x88, 0x63c1);
	EXPECT_EQ(-EPERM, schsm_card_driver.init(script_begin(&self->s), &fine, SO, PIN, BYTES_NONE));
	EXPECT_EQ(KF_REASON_PIN_LAST_TRY, self->s.card->said.reason);
}

TEST_F(dkek, a_label_is_written_by_who_may_write)
{
	const struct kf_card_init want = { 0 };

	schsm_script_tries(&self->s, 0x88, 0x6a88);
	script_expect(&self->s, "80500000 19 80020000 8106363438323139 82083537363231383830 910103", "9000");
	script_expect(&self->s, "00200081 06 363438323139", "9000");
	schsm_script_write(&self->s, 0x2f03, BYTES("\x30\x0d\2\1\0\4\0\x80\2hi\3\2\4\x30", 15), 0x6a84);
	/* The card is new all the same, and that must show. */
	EXPECT_EQ(-EREMOTEIO, schsm_card_driver.init(script_begin(&self->s), &want, SO, PIN, BYTES("hi", 2)));
}

/* [cards 2.5], and what a card that was never asked may say. */
TEST_F(dkek, a_domains_answer_is_a_state)
{
	static const struct { const char *answer; uint16_t sw; int r; uint32_t state; } rows[] = {
		{ "02020000000000000000", 0x9000, 0, KF_DKEK_INCOMPLETE },
		{ "0201AABBCCDDEEFF0011", 0x9000, 0, KF_DKEK_INCOMPLETE },
		{ "0200630DCD2966C43366", 0x9000, 0, KF_DKEK_READY },
		{ "02000000000000000000", 0x9000, 0, KF_DKEK_READY },	/* [cards 10]: PIN first */
		{ "0000630DCD2966C43366", 0x9000, 0, KF_DKEK_READY },	/* a random one */
		{ "00000000000000000000", 0x9000, 0, KF_DKEK_NONE },
		{ "00000000000000000000 AABB", 0x9000, 0, KF_DKEK_XKEK },
		{ NULL, 0x6a88, 0, KF_DKEK_NONE }, { NULL, 0x6a86, -ENOENT, 0 }, { NULL, 0x6b00, -ENOENT, 0 },
		{ NULL, 0x6d00, -ENOENT, 0 }, { NULL, 0x6f00, -EREMOTEIO, 0 },
		{ "0203 0000000000000000", 0x9000, -EBADMSG, 0 }, { "020000", 0x9000, -EBADMSG, 0 },
		{ "", 0x9000, -EBADMSG, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kf_dkek_entry entry = { 0 };

		schsm_script_dkek(&self->s, 0, rows[i].answer, rows[i].sw);
		EXPECT_EQ(rows[i].r, schsm_dkek_read(script_begin(&self->s), 0, &entry));
		EXPECT_EQ(rows[i].state, entry.state);
		if (rows[i].r != -EREMOTEIO)
			EXPECT_EQ(0, self->s.card->said.sw);
	}
}

TEST_F(dkek, every_domain_is_asked_for_until_there_is_none)
{
	uint32_t n = 0;

	schsm_script_dkek(&self->s, 0, "0200630DCD2966C43366", 0x9000);
	schsm_script_dkek(&self->s, 1, NULL, 0x6a88);
	schsm_script_dkek(&self->s, 2, NULL, 0x6a86);
	EXPECT_EQ(0, schsm_card_driver.dkek_status(script_begin(&self->s), &n, &self->p));
	EXPECT_EQ(2u, n);
	EXPECT_EQ(2 * sizeof(struct kf_dkek_entry), self->p.n);
	/* Cards before key domains answer the same whatever P2 says. */
	schsm_of(self->s.card)->version = 0x0206;
	schsm_script_dkek(&self->s, 0, "0200630DCD2966C43366", 0x9000);
	EXPECT_EQ(0, schsm_card_driver.dkek_status(script_begin(&self->s), &n, &self->p));
	EXPECT_EQ(1u, n);
}

TEST_F(dkek, a_share_goes_only_to_who_waits_for_one_and_only_once)
{
	struct kf_dkek_entry entry = { .domain = 1 };
	uint8_t share[32];

	script_hex(SHARE, share, sizeof(share));
	schsm_script_dkek(&self->s, 1, "02010000000000000000", 0x9000);
	script_expect(&self->s, "80520001 000020" SHARE "0000", "0200630DCD2966C43366 9000");
	EXPECT_EQ(0, schsm_card_driver.dkek_share(script_begin(&self->s), &entry, BYTES_OF(share)));
	EXPECT_EQ((uint32_t)KF_DKEK_READY, entry.state);
	schsm_script_dkek(&self->s, 1, "0200630DCD2966C43366", 0x9000);
	EXPECT_EQ(-EEXIST, schsm_card_driver.dkek_share(script_begin(&self->s), &entry, BYTES_OF(share)));
	EXPECT_EQ(KF_REASON_DKEK, self->s.card->said.reason);
	schsm_script_dkek(&self->s, 1, NULL, 0x6a88);
	EXPECT_EQ(-ENOENT, schsm_card_driver.dkek_share(script_begin(&self->s), &entry, BYTES_OF(share)));
	EXPECT_EQ(-EINVAL, schsm_card_driver.dkek_share(script_begin(&self->s), &entry, BYTES(share, 31)));
	entry.domain = 64;
	EXPECT_EQ(-EINVAL, schsm_card_driver.dkek_share(script_begin(&self->s), &entry, BYTES_OF(share)));
}

/* Whether it took effect is unknown, and a second one would undo it. */
TEST_F(dkek, a_share_that_got_lost_on_the_way_is_not_sent_again)
{
	struct kf_dkek_entry entry = { 0 };
	uint8_t share[32];

	script_hex(SHARE, share, sizeof(share));
	schsm_script_dkek(&self->s, 0, "02010000000000000000", 0x9000);
	script_break(&self->s, "80520000 000020" SHARE "0000", -EIO, true);
	EXPECT_EQ(-EIO, schsm_card_driver.dkek_share(script_begin(&self->s), &entry, BYTES_OF(share)));
	EXPECT_EQ(KF_REASON_ON_CARD, self->s.card->said.reason);
	EXPECT_TRUE(self->s.card->lost);
	EXPECT_EQ(-EIO, schsm_card_driver.dkek_share(self->s.card, &entry, BYTES_OF(share)));
}

TEST_F(dkek, domains_are_made_and_ended)
{
	struct kf_dkek_domain what = { .domain = 2, .action = KF_DOMAIN_CREATE, .n_shares = 3 };

	script_expect(&self->s, "80520102 000001 03 0000", "03030000000000000000 9000");
	EXPECT_EQ(0, schsm_card_driver.dkek_domain(script_begin(&self->s), &what));
	what = (struct kf_dkek_domain){ .domain = 2, .action = KF_DOMAIN_DELETE };
	script_expect(&self->s, "80520302 000000", "6A89");
	EXPECT_EQ(-EEXIST, schsm_card_driver.dkek_domain(script_begin(&self->s), &what));
	what.action = KF_DOMAIN_CLEAR;
	script_expect(&self->s, "80520402 000000", "6A86");
	EXPECT_EQ(-ENOENT, schsm_card_driver.dkek_domain(script_begin(&self->s), &what));
	what.n_shares = 1;
	EXPECT_EQ(-EINVAL, schsm_card_driver.dkek_domain(script_begin(&self->s), &what));
	what = (struct kf_dkek_domain){ .action = 9 };
	EXPECT_EQ(-EINVAL, schsm_card_driver.dkek_domain(script_begin(&self->s), &what));
	what = (struct kf_dkek_domain){ .action = KF_DOMAIN_CREATE };
	EXPECT_EQ(-EINVAL, schsm_card_driver.dkek_domain(script_begin(&self->s), &what));
}
