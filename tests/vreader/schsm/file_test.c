/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/harness.h"
#include "tests/vreader/schsm/rig.h"

FIXTURE(card)
{
	struct rig rig;
};

FIXTURE_SETUP(card)
{
	rig_init_ready(&self->rig);
}

FIXTURE_TEARDOWN(card)
{
	rig_deinit(&self->rig);
}

/* Log out as hosts do. */
static void log_out(struct rig *rig)
{
	ASSERT_EQ(SW_OK, rig_select(rig));
}

TEST_F(card, select_answers_with_options_platform_and_version)
{
	static const uint8_t want[] = {
		0x62, 0x22, 0x81, 0x02, 0x00, 0x00, 0x82, 0x01, 0x01, 0x83, 0x02, 0x00, 0x00, 0x84, 0x0b,
		0xe8, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x81, 0xc3, 0x1f, 0x02, 0x01,
		0x8a, 0x01, 0x05, 0x85, 0x05, 0x00, 0x01, 0xff, 0x04, 0x00,
	};
	static const uint8_t aid[] = HSM_AID;

	EXPECT_EQ(SW_OK, rig_select(&self->rig));
	EXPECT_BYTES_EQ(BYTES_OF(want), rig_data(&self->rig));
	EXPECT_EQ(SW_OK, rig_send(&self->rig, 0x00, INS_SELECT, 0x040c, BYTES_OF(aid)));
	EXPECT_EQ(0u, self->rig.n);
	EXPECT_EQ(SW_NO_FILE, rig_send(&self->rig, 0x00, INS_SELECT, 0x0400, BYTES(aid, 10)));
	EXPECT_EQ(SW_NO_FILE, rig_send(&self->rig, 0x00, INS_SELECT, 0x0000, BYTES("\xcf\x01", 2)));
	EXPECT_EQ(SW_LENGTH, rig_send(&self->rig, 0x00, INS_SELECT, 0x0000, BYTES("\x2f\x02\x00", 3)));
	EXPECT_EQ(SW_OK, rig_send(&self->rig, 0x00, INS_SELECT, 0x000c, BYTES("\x2f\x02", 2)));
	EXPECT_EQ(0u, self->rig.n);
}

TEST_F(card, selecting_the_application_logs_out)
{
	EXPECT_EQ(SW_OK, rig_verify(&self->rig, RIG_PIN));
	EXPECT_EQ(SW_OK, rig_send(&self->rig, 0x00, INS_VERIFY, 0x0081, BYTES_NONE));
	EXPECT_EQ(SW_OK, rig_write(&self->rig, FILE_SCRATCH, BYTES("blob", 4)));
	log_out(&self->rig);
	EXPECT_EQ(SW_TRIES | 3, rig_send(&self->rig, 0x00, INS_VERIFY, 0x0081, BYTES_NONE));
	EXPECT_EQ(SW_OK, rig_verify(&self->rig, RIG_PIN));
	EXPECT_EQ(SW_NO_FILE, rig_read(&self->rig, FILE_SCRATCH));
}

/* What a kind of file allows: without the PIN and with it. */
static const struct access_row {
	uint16_t fid;
	bool exists;			/* without anybody writing it */
	uint16_t read, write, delete;	/* with the PIN */
	uint16_t read_out;		/* without */
} rows[] = {
	{ 0x2f02, true, SW_END_OF_FILE, SW_PIN_NEEDED, SW_PIN_NEEDED, SW_END_OF_FILE },
	{ 0x2f03, false, SW_END_OF_FILE, SW_OK, SW_OK, SW_END_OF_FILE },
	{ 0x2f10, false, SW_END_OF_FILE, SW_OK, SW_OK, SW_NO_FILE },
	{ 0xcc00, true, SW_PIN_NEEDED, SW_PIN_NEEDED, SW_PIN_NEEDED, SW_PIN_NEEDED },
	{ 0xcc01, true, SW_PIN_NEEDED, SW_PIN_NEEDED, SW_OK, SW_PIN_NEEDED },
	{ 0xcd01, false, SW_END_OF_FILE, SW_OK, SW_OK, SW_PIN_NEEDED },
	{ 0xc401, false, SW_END_OF_FILE, SW_OK, SW_OK, SW_END_OF_FILE },
	{ 0xc801, false, SW_END_OF_FILE, SW_OK, SW_OK, SW_END_OF_FILE },
	{ 0xc901, false, SW_END_OF_FILE, SW_OK, SW_OK, SW_END_OF_FILE },
	{ 0xca01, false, SW_END_OF_FILE, SW_OK, SW_OK, SW_END_OF_FILE },
	{ 0xce01, false, SW_END_OF_FILE, SW_OK, SW_OK, SW_END_OF_FILE },
	{ 0xcf01, false, SW_END_OF_FILE, SW_OK, SW_OK, SW_END_OF_FILE },
	{ 0x1234, false, SW_NO_FILE, SW_NO_FILE, SW_NO_FILE, SW_NO_FILE },
};

TEST_F(card, each_kind_of_file_is_for_whom_it_is_for)
{
	struct rig *rig = &self->rig;

	ASSERT_EQ(SW_OK, rig_generate_ec(rig, 1, "prime256v1", ""));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct access_row *row = &rows[i];

		ASSERT_EQ(SW_OK, rig_verify(rig, RIG_PIN));
		EXPECT_EQ(row->exists ? row->read : SW_NO_FILE, rig_read(rig, row->fid));
		EXPECT_EQ(row->write, rig_write(rig, row->fid, BYTES("text", 4)));
		EXPECT_EQ(row->read, rig_read(rig, row->fid));
		log_out(rig);
		EXPECT_EQ(row->read_out, rig_read(rig, row->fid));
		EXPECT_EQ(SW_PIN_NEEDED, rig_write(rig, row->fid, BYTES("more", 4)));
		EXPECT_EQ(SW_PIN_NEEDED, rig_delete(rig, row->fid));
		ASSERT_EQ(SW_OK, rig_verify(rig, RIG_PIN));
		if (row->fid != FILE_SCRATCH)		/* it went with the login */
			EXPECT_EQ(row->delete, rig_delete(rig, row->fid));
		if (row->delete == SW_OK)
			EXPECT_EQ(SW_NO_FILE, rig_read(rig, row->fid));
	}
}

TEST_F(card, enumerate_lists_keys_and_files_and_nothing_of_the_cards_own)
{
	struct rig *rig = &self->rig;

	EXPECT_EQ(1u, rig_lists(rig, 0xcc00));
	EXPECT_EQ(2u, rig->n);
	ASSERT_EQ(SW_OK, rig_generate_ec(rig, 9, "prime256v1", ""));
	ASSERT_EQ(SW_OK, rig_write(rig, 0xce09, BYTES("cert", 4)));
	ASSERT_EQ(SW_OK, rig_write(rig, 0x2f03, BYTES("info", 4)));
	ASSERT_EQ(SW_OK, rig_write(rig, FILE_SCRATCH, BYTES("blob", 4)));
	EXPECT_EQ(1u, rig_lists(rig, 0xcc09));
	EXPECT_EQ(1u, rig_lists(rig, 0xce09));
	EXPECT_EQ(6u, rig->n);
	ASSERT_EQ(SW_OK, rig_delete(rig, 0xcc09));
	EXPECT_EQ(0u, rig_lists(rig, 0xcc09));
	EXPECT_EQ(1u, rig_lists(rig, 0xce09));
}

static void expect_read(struct rig *rig, const uint8_t *apdu, size_t n, uint16_t sw, const char *want)
{
	EXPECT_EQ(sw, rig_raw(rig, BYTES(apdu, n)));
	EXPECT_BYTES_EQ(BYTES(want, strlen(want)), rig_data(rig));
}

TEST_F(card, reading_stops_at_the_end_and_says_so)
{
	struct rig *rig = &self->rig;
	uint8_t read[] = { 0x00, 0xb1, 0xcf, 0x01, 0x04, 0x54, 0x02, 0x00, 0x02, 0x03 };
	static const uint8_t one_byte[] = { 0x00, 0xb1, 0xcf, 0x01, 0x03, 0x54, 0x01, 0x04, 0x02 };
	static const uint8_t no_le[] = { 0x00, 0xb1, 0xcf, 0x01, 0x04, 0x54, 0x02, 0x00, 0x00 };

	ASSERT_EQ(SW_OK, rig_write(rig, 0xcf01, BYTES("abcdef", 6)));
	expect_read(rig, read, sizeof(read), SW_OK, "cde");
	expect_read(rig, one_byte, sizeof(one_byte), SW_OK, "ef");
	read[9] = 4;
	expect_read(rig, read, sizeof(read), SW_OK, "cdef");
	read[9] = 5;
	expect_read(rig, read, sizeof(read), SW_END_OF_FILE, "cdef");
	read[8] = 6;
	expect_read(rig, read, sizeof(read), SW_END_OF_FILE, "");
	read[8] = 7;
	expect_read(rig, read, sizeof(read), SW_OFFSET, "");
	expect_read(rig, no_le, sizeof(no_le), SW_LENGTH, "");
	EXPECT_EQ(SW_DATA, rig_send_hex(rig, 0x00, INS_READ_BINARY, 0xcf01, "54 03 000000"));
	EXPECT_EQ(SW_DATA, rig_send_hex(rig, 0x00, INS_READ_BINARY, 0xcf01, "54 00"));
	EXPECT_EQ(SW_DATA, rig_send_hex(rig, 0x00, INS_READ_BINARY, 0xcf01, "55 02 0000"));
	EXPECT_EQ(SW_DATA, rig_send_hex(rig, 0x00, INS_READ_BINARY, 0xcf01, "54 02 0000 00"));
}

TEST_F(card, writing_lays_over_appends_and_leaves_no_gap)
{
	struct rig *rig = &self->rig;

	ASSERT_EQ(SW_OK, rig_send_hex(rig, 0x00, INS_UPDATE_BINARY, 0xcf01, "54 02 0000 53 04 61626364"));
	ASSERT_EQ(SW_OK, rig_send_hex(rig, 0x00, INS_UPDATE_BINARY, 0xcf01, "54 02 0001 53 81 01 58"));
	ASSERT_EQ(SW_OK, rig_send_hex(rig, 0x00, INS_UPDATE_BINARY, 0xcf01, "54 02 0004 53 82 0001 59"));
	EXPECT_EQ(SW_OFFSET, rig_send_hex(rig, 0x00, INS_UPDATE_BINARY, 0xcf01, "54 02 0006 53 01 5a"));
	EXPECT_EQ(SW_DATA, rig_send_hex(rig, 0x00, INS_UPDATE_BINARY, 0xcf01, "54 02 0000 53 02 5a"));
	EXPECT_EQ(SW_DATA, rig_send_hex(rig, 0x00, INS_UPDATE_BINARY, 0xcf01, "54 02 0000 53 80 5a"));
	EXPECT_EQ(SW_DATA, rig_send_hex(rig, 0x00, INS_UPDATE_BINARY, 0xcf01, "54 02 0000 53 83 000001 5a"));
	EXPECT_EQ(SW_DATA, rig_send_hex(rig, 0x00, INS_UPDATE_BINARY, 0xcf01, "54 02 0000 54 01 5a"));
	EXPECT_EQ(SW_DATA, rig_send_hex(rig, 0x00, INS_UPDATE_BINARY, 0xcf01, "53 01 5a"));
	EXPECT_EQ(SW_END_OF_FILE, rig_read(rig, 0xcf01));
	EXPECT_BYTES_EQ(BYTES("aXcdY", 5), rig_data(rig));
}

TEST_F(card, a_file_that_was_named_is_the_selected_one)
{
	struct rig *rig = &self->rig;

	EXPECT_EQ(SW_CONDITIONS, rig_read(rig, 0x0000));
	ASSERT_EQ(SW_OK, rig_send_hex(rig, 0x00, INS_UPDATE_BINARY, 0xcf01, "54 02 0000 53 00"));
	ASSERT_EQ(SW_OK, rig_write(rig, 0x0000, BYTES("one", 3)));
	ASSERT_EQ(SW_OK, rig_write(rig, 0xcf02, BYTES("two", 3)));
	EXPECT_EQ(SW_END_OF_FILE, rig_read(rig, 0x0000));
	EXPECT_BYTES_EQ(BYTES("two", 3), rig_data(rig));
	ASSERT_EQ(SW_OK, rig_send(rig, 0x00, INS_SELECT, 0x0000, BYTES("\xcf\x01", 2)));
	EXPECT_EQ(SW_END_OF_FILE, rig_read(rig, 0x0000));
	EXPECT_BYTES_EQ(BYTES("one", 3), rig_data(rig));
	ASSERT_EQ(SW_OK, rig_delete(rig, 0xcf01));
	EXPECT_EQ(SW_CONDITIONS, rig_read(rig, 0x0000));
}

TEST_F(card, a_full_card_says_so_and_works_on)
{
	static uint8_t big[HSM_FILE_MAX - 100], over[HSM_FILE_MAX + 1];
	struct rig *rig = &self->rig;
	unsigned int n = 0;

	EXPECT_EQ(SW_LENGTH, rig_write(rig, 0xcf00, BYTES_OF(over)));
	while (rig_write(rig, (uint16_t)(0xcf00 + n), BYTES_OF(big)) == SW_OK)
		n++;
	EXPECT_EQ(SW_FULL, rig->sw);
	EXPECT_EQ((unsigned int)(HSM_MEMORY / sizeof(big)), n);
	EXPECT_EQ(SW_OK, rig_write(rig, 0xcf00, BYTES_OF(big)));	/* in its own place */
	ASSERT_EQ(SW_OK, rig_delete(rig, 0xcf00));
	EXPECT_EQ(SW_OK, rig_write(rig, 0xcff0, BYTES_OF(big)));
	rig_restart(rig);
	EXPECT_EQ(SW_END_OF_FILE, rig_read(rig, 0xcff0));
}

TEST_F(card, more_files_than_its_table_has_do_not_fit)
{
	struct rig *rig = &self->rig;

	for (unsigned int i = 0; i < HSM_FILES_MAX; i++)
		ASSERT_EQ(SW_OK, rig_write(rig, (uint16_t)(0xcf00 + i), BYTES("x", 1)));
	EXPECT_EQ(SW_FULL, rig_write(rig, 0xce01, BYTES("x", 1)));
	EXPECT_EQ(SW_OK, rig_write(rig, 0xcf00, BYTES("y", 1)));
}

TEST_F(card, delete_takes_a_whole_identifier_of_something_that_is_there)
{
	struct rig *rig = &self->rig;

	EXPECT_EQ(SW_LENGTH, rig_send(rig, 0x00, INS_DELETE_FILE, 0x0200, BYTES("\xcf", 1)));
	EXPECT_EQ(SW_LENGTH, rig_send(rig, 0x00, INS_DELETE_FILE, 0x0200, BYTES("\xcf\x01\x00", 3)));
	EXPECT_EQ(SW_NO_FILE, rig_delete(rig, 0xcf01));
	EXPECT_EQ(SW_NO_FILE, rig_delete(rig, 0xcc05));
}
