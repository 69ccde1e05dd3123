/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys out of and into a card, under its DKEK. The blob is the published one of [cards 11.2]. */
#include "tests/driver/card/schsm_script.h"

#define BLOB_AES \
	"630DCD2966C433660F0008608648016503040100041011189900000000AAE179FD7BFBC0CD2ACC2E9929672E4B" \
	"49D49326E7178045D788BCC17A8651A3C34EC3FDC9A71FF726D627742AC06AD3BCE4EA0288E443F726FC1F55CB34B42D"
#define BLOB_MARK 0xc4, 0xb5, 0xd8, 0x31, 0xde, 0x38, 0xb7, 0x2d, 0x43, 0x16, 0xf6, 0x54
#define READY	"0100630DCD2966C43366"
#define UNWRAP	"80740193 5D" BLOB_AES

FIXTURE(blob) {
	struct script s;
	uint8_t out[2048], raw[256];
	struct packer p;
	struct card_blob given;
	struct kf_blob_unwrap want;
};
FIXTURE_SETUP(blob)
{
	schsm_script_open(&self->s);
	self->p = pack_begin(self->out, sizeof(self->out));
	self->given = (struct card_blob){ .blob = BYTES(self->raw, script_hex(BLOB_AES, self->raw, sizeof(self->raw))),
					  .label = BYTES("published", 9), .id = BYTES("\x45", 1) };
	self->want = (struct kf_blob_unwrap){ .container = KF_CONTAINER_ANY, .key_type = KF_KEY_AES_256 };
	/* One domain, so that nothing is asked about others. */
	schsm_of(self->s.card)->version = 0x0206;
}
FIXTURE_TEARDOWN(blob)
{
	script_done(&self->s);
	script_close(&self->s);
}

static int unwrap(struct fixture_blob *self)
{
	return schsm_card_driver.blob_unwrap(script_begin(&self->s), &self->want, &self->given);
}

static void expect_described(struct fixture_blob *self, uint16_t fid, uint16_t sw)
{
	/* The end of the blob's SHA-256. */
	struct prkd prkd = { .kind = PRKD_AES, .usage = 0xe200, .bits = 256, .label = "published", .id = { 0x45 },
			     .id_len = 1, .marked = true, .mark = { BLOB_MARK } };
	uint8_t der[PRKD_MAX];
	struct packer d = pack_begin(der, sizeof(der));

	ASSERT_EQ(0, prkd_pack(&prkd, &d));
	schsm_script_write(&self->s, fid, pack_done(&d), sw);
}

TEST_F(blob, one_that_fits_goes_in_the_command_and_is_described)
{
	schsm_script_files(&self->s, "CC00");
	schsm_script_dkek(&self->s, 0, READY, 0x9000);
	script_expect(&self->s, UNWRAP, "9000");
	expect_described(self, 0xc401, 0x9000);
	schsm_script_delete(&self->s, 0xce01, 0x9000);	/* what was left of another key */
	EXPECT_EQ(0, unwrap(self));
	EXPECT_EQ(1u, self->want.container);
}

/* Short-APDU readers carry no more, and chaining is none of this card's. */
TEST_F(blob, over_a_short_reader_it_goes_by_the_scratch_file)
{
	script_expect(&self->s, "80580000 00", "CC00 9000");
	script_expect(&self->s, "80520000 00", READY "9000");
	schsm_script_write(&self->s, 0x2f10, self->given.blob, 0x9000);
	script_expect(&self->s, "80740193", "9000");
	expect_described(self, 0xc401, 0x9000);
	schsm_script_delete(&self->s, 0xce01, 0x6a82);
	self->s.io->extended = false;
	EXPECT_EQ(0, unwrap(self));
	self->s.io->extended = true;
}

TEST_F(blob, what_does_not_fit_is_told_before_the_card_opens_anything)
{
	struct bytes whole = self->given.blob;

	self->given.blob = bytes_slice(whole, 0, whole.n - 1);
	EXPECT_EQ(-EINVAL, unwrap(self));
	EXPECT_EQ(KF_BLOB_FORM, self->s.card->said.detail);
	self->given.blob = whole;
	self->want.key_type = KF_KEY_RSA_2048;
	EXPECT_EQ(-EINVAL, unwrap(self));
	EXPECT_EQ(KF_BLOB_KEY_TYPE, self->s.card->said.detail);
	self->want.key_type = KF_KEY_NONE;
	EXPECT_EQ(-EINVAL, unwrap(self));
	EXPECT_EQ(KF_BLOB_KEY_TYPE, self->s.card->said.detail);
	self->want.key_type = KF_KEY_AES_256;
	self->given.cert = BYTES("\x30\0", 2);
	EXPECT_EQ(-EINVAL, unwrap(self));
	EXPECT_EQ(KF_BLOB_CERT, self->s.card->said.detail);
	self->given.cert = BYTES_NONE;
	self->want.container = 5;
	schsm_script_files(&self->s, "CC05");
	EXPECT_EQ(-EEXIST, unwrap(self));
	EXPECT_EQ(KF_BLOB_CONTAINER, self->s.card->said.detail);
	self->want.container = 0;
	schsm_script_files(&self->s, "CC05");
	EXPECT_EQ(-EINVAL, unwrap(self));
	self->want.container = 6;
	self->want.purposes = 1u << KF_PURPOSE_SIGN;
	schsm_script_files(&self->s, "CC05");
	EXPECT_EQ(-EINVAL, unwrap(self));
	EXPECT_EQ(KF_BLOB_PURPOSE, self->s.card->said.detail);
	EXPECT_EQ(KF_REASON_BLOB, self->s.card->said.reason);
}

TEST_F(blob, the_cards_dkek_is_compared_first)
{
	static const struct { const char *answer; int r; uint16_t reason; uint32_t detail; } rows[] = {
		{ "0100630DCD2966C43367", -ENOENT, KF_REASON_BLOB, KF_BLOB_DKEK },
		{ "01010000000000000000", -EPROTO, KF_REASON_DKEK, KF_DKEK_INCOMPLETE },
		{ "00000000000000000000", -ENOENT, KF_REASON_DKEK, KF_DKEK_NONE },
	};

	for (size_t i = 0; i < 3; i++) {
		schsm_script_files(&self->s, "");
		schsm_script_dkek(&self->s, 0, rows[i].answer, 0x9000);
		EXPECT_EQ(rows[i].r, unwrap(self));
		EXPECT_EQ(rows[i].reason, self->s.card->said.reason);
		EXPECT_EQ(rows[i].detail, self->s.card->said.detail);
	}
	/* [cards 10]: one that does not tell before the PIN is simply asked. */
	schsm_script_files(&self->s, "");
	schsm_script_dkek(&self->s, 0, "01000000000000000000", 0x9000);
	script_expect(&self->s, UNWRAP, "6982");
	EXPECT_EQ(-EPERM, unwrap(self));
}

/* SECURITY section 8. */
TEST_F(blob, a_key_that_may_leave_again_is_taken_only_by_who_agrees)
{
	static const char open_list[] =
		"630DCD2966C433660F00086086480165030401000000000000"
		"AAE179FD7BFBC0CD2ACC2E9929672E4B49D49326E7178045D788BCC17A8651A3C34EC3FDC9A71FF726D627742AC06AD3"
		"BCE4EA0288E443F726FC1F55CB34B42D";

	self->given.blob = BYTES(self->raw, script_hex(open_list, self->raw, sizeof(self->raw)));
	EXPECT_EQ(-EINVAL, unwrap(self));
	EXPECT_EQ(KF_BLOB_ALGORITHMS, self->s.card->said.detail);
	self->want.flags = KF_BLOB_REWRAP;
	schsm_script_files(&self->s, "");
	schsm_script_dkek(&self->s, 0, "0100630DCD2966C43367", 0x9000);
	EXPECT_EQ(-ENOENT, unwrap(self));
}

/* [cards 2.6 Errors]: whatever word it is, it is one refusal. */
TEST_F(blob, a_refusal_is_one_whatever_its_word)
{
	static const char *const words[] = { "6A80", "6400", "6D00", "6985", "6A88", "6700" };

	for (size_t i = 0; i < 6; i++) {
		schsm_script_files(&self->s, "");
		schsm_script_dkek(&self->s, 0, READY, 0x9000);
		script_expect(&self->s, UNWRAP, words[i]);
		EXPECT_EQ(-EREMOTEIO, unwrap(self));
		EXPECT_EQ(KF_REASON_BLOB_REFUSED, self->s.card->said.reason);
		EXPECT_NE(0, self->s.card->said.sw);
	}
}

TEST_F(blob, an_outcome_that_is_unknown_is_not_tried_again)
{
	schsm_script_files(&self->s, "");
	schsm_script_dkek(&self->s, 0, READY, 0x9000);
	script_break(&self->s, UNWRAP, -EIO, true);
	EXPECT_EQ(-EIO, unwrap(self));
	EXPECT_EQ(KF_REASON_ON_CARD, self->s.card->said.reason);
}

TEST_F(blob, a_key_that_cannot_be_described_is_deleted_again)
{
	schsm_script_files(&self->s, "");
	schsm_script_dkek(&self->s, 0, READY, 0x9000);
	script_expect(&self->s, UNWRAP, "9000");
	expect_described(self, 0xc401, 0x6a84);
	schsm_script_delete(&self->s, 0xcc01, 0x9000);
	schsm_script_delete(&self->s, 0xc401, 0x6a82);
	schsm_script_delete(&self->s, 0xce01, 0x6a82);
	EXPECT_EQ(-ENOSPC, unwrap(self));
	EXPECT_EQ(0x6a84, self->s.card->said.sw);
}

/* SHA-256 of an empty description: nothing lies beside the key that is there. */
static const uint8_t holds_nothing[] = {
	0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
	0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
};

TEST_F(blob, a_key_is_given_up_only_for_a_blob_that_opened)
{
	self->want.container = 1;
	self->want.flags = KF_BLOB_REPLACE;
	memcpy(self->want.replaces, holds_nothing, sizeof(holds_nothing));
	/* Refused beside it: the old key stays. */
	schsm_script_files(&self->s, "CC01");
	schsm_script_dkek(&self->s, 0, READY, 0x9000);
	script_expect(&self->s, "80740293 5D" BLOB_AES, "6A80");
	EXPECT_EQ(-EREMOTEIO, unwrap(self));
	schsm_script_files(&self->s, "CC01");
	schsm_script_dkek(&self->s, 0, READY, 0x9000);
	script_expect(&self->s, "80740293 5D" BLOB_AES, "9000");
	schsm_script_delete(&self->s, 0xcc02, 0x9000);
	schsm_script_delete(&self->s, 0xcc01, 0x9000);
	schsm_script_delete(&self->s, 0xc401, 0x6a82);
	schsm_script_delete(&self->s, 0xce01, 0x6a82);
	script_expect(&self->s, UNWRAP, "9000");
	expect_described(self, 0xc401, 0x9000);
	schsm_script_delete(&self->s, 0xce01, 0x6a82);
	EXPECT_EQ(0, unwrap(self));
}

TEST_F(blob, a_copy_that_stays_beside_is_named_and_the_old_key_stays)
{
	self->want.container = 1;
	self->want.flags = KF_BLOB_REPLACE;
	memcpy(self->want.replaces, holds_nothing, sizeof(holds_nothing));
	schsm_script_files(&self->s, "CC01 CC02");
	schsm_script_dkek(&self->s, 0, READY, 0x9000);
	script_expect(&self->s, "80740393 5D" BLOB_AES, "9000");
	schsm_script_delete(&self->s, 0xcc03, 0x6581);
	EXPECT_EQ(-EREMOTEIO, unwrap(self));
	EXPECT_EQ(KF_REASON_BLOB_SPARE, self->s.card->said.reason);
	EXPECT_EQ(3u, self->s.card->said.detail);
}

TEST_F(blob, what_is_replaced_is_named)
{
	self->want.flags = KF_BLOB_REPLACE;
	schsm_script_files(&self->s, "");
	EXPECT_EQ(-EINVAL, unwrap(self));
	EXPECT_EQ(KF_BLOB_REPLACES, self->s.card->said.detail);
	self->want.container = 1;
	schsm_script_files(&self->s, "");
	EXPECT_EQ(-EEXIST, unwrap(self));
	EXPECT_EQ(KF_BLOB_REPLACES, self->s.card->said.detail);
	schsm_script_files(&self->s, "CC01");
	EXPECT_EQ(-EEXIST, unwrap(self));
	EXPECT_EQ(KF_BLOB_REPLACES, self->s.card->said.detail);
}

TEST_F(blob, a_key_leaves_only_as_a_blob)
{
	schsm_script_dkek(&self->s, 0, READY, 0x9000);
	script_expect(&self->s, "80720592 000000", BLOB_AES "9000");
	EXPECT_EQ(0, schsm_card_driver.blob_wrap(script_begin(&self->s), 5, &self->p));
	EXPECT_BYTES_EQ(self->given.blob, pack_done(&self->p));
	schsm_script_dkek(&self->s, 0, READY, 0x9000);
	script_expect(&self->s, "80720592 000000", "AABBCC 9000");
	EXPECT_EQ(-EBADMSG, schsm_card_driver.blob_wrap(script_begin(&self->s), 5, &self->p));
	schsm_script_dkek(&self->s, 0, READY, 0x9000);
	script_expect(&self->s, "80720592 000000", "6985");
	EXPECT_EQ(-EREMOTEIO, schsm_card_driver.blob_wrap(script_begin(&self->s), 5, &self->p));
	EXPECT_EQ(KF_REASON_KEY_PURPOSE, self->s.card->said.reason);
	schsm_script_dkek(&self->s, 0, "02010000000000000000", 0x9000);
	EXPECT_EQ(-EPROTO, schsm_card_driver.blob_wrap(script_begin(&self->s), 5, &self->p));
	schsm_script_dkek(&self->s, 0, NULL, 0x6d00);
	EXPECT_EQ(-ENOENT, schsm_card_driver.blob_wrap(script_begin(&self->s), 5, &self->p));
	EXPECT_EQ(KF_REASON_DKEK, self->s.card->said.reason);
}
