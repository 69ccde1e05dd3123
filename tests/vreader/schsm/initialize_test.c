/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/harness.h"
#include "tests/vreader/schsm/rig.h"

#define PINS "81 06 363438323139 82 08 3537363231383830 "

FIXTURE(blank)
{
	struct rig rig;
};

FIXTURE_SETUP(blank)
{
	rig_init(&self->rig);
}

FIXTURE_TEARDOWN(blank)
{
	rig_deinit(&self->rig);
}

static uint16_t initialize(struct rig *rig, const char *hex)
{
	return rig_send_hex(rig, 0x80, HSM_INITIALIZE, 0x0000, hex);
}

/* Each would be taken but for one thing. */
static const char *const refused[] = {
	"80 02 0001 81 06 363438323139",			/* no SO-PIN */
	"80 02 0001 82 08 3537363231383830",			/* no way to log in */
	"80 02 0001 81 05 3634383231 82 08 3537363231383830",	/* PINs too short, too long */
	"80 02 0001 81 10 36343832313936343832313936343832 82 08 3537363231383830",
	"80 02 0001 81 06 363438323139 82 07 35373632313838",
	"80 02 0001 81 06 363438323139 82 09 353736323138383030",
	"80 01 01 " PINS,					/* options of another length */
	"80 03 000001 " PINS,
	"80 02 0001 " PINS "91 01 00",				/* tries */
	"80 02 0001 " PINS "91 01 0B",
	"80 02 0001 " PINS "91 02 0003",
	"80 02 0001 " PINS "92 00",				/* shares */
	"80 02 0001 " PINS "92 02 0001",
	"80 02 0001 " PINS "93 01 01",				/* public keys: none needed, more than there are */
	"80 02 0001 " PINS "93 02 0100",
	"80 02 0001 " PINS "93 02 0102",
	"80 02 0001 " PINS "93 02 5B01",
	"80 02 0001 " PINS "97 01 11",				/* domains */
	"80 02 0001 " PINS "97 00",
	"80 02 0001 " PINS "94 01 00",				/* what nobody knows */
	"80 02 0001 " PINS "7F49 01 00",
	"80 02 0001 80 02 0001 " PINS,				/* twice */
	"80 02 0001 " PINS "92 01",				/* cut */
	"80 02 0001 " PINS "92",
};

TEST_F(blank, a_wish_that_cannot_be_makes_nothing)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		EXPECT_EQ(SW_DATA, initialize(&self->rig, refused[i]));
	EXPECT_EQ(SW_NO_FUNCTION, initialize(&self->rig, "80 02 0001 " PINS "95 01 00"));
	EXPECT_EQ(SW_NO_FUNCTION, initialize(&self->rig, "80 02 0001 " PINS "96 01 00"));
	EXPECT_EQ(0u, self->rig.commits);
	EXPECT_FALSE(self->rig.hsm->state->initialised);
}

TEST_F(blank, objects_may_come_in_any_order)
{
	EXPECT_EQ(SW_OK, initialize(&self->rig, "97 01 02 82 08 3537363231383830 91 01 05 "
						"81 06 363438323139 80 02 0001 92 01 02"));
	EXPECT_EQ(SW_TRIES | 5, rig_send(&self->rig, 0x00, INS_VERIFY, HSM_USER_PIN, BYTES_NONE));
	EXPECT_EQ(2, self->rig.hsm->state->n_domains);
	EXPECT_EQ(2, self->rig.hsm->state->domains[0].shares);
	EXPECT_FALSE(self->rig.hsm->state->domains[1].made);
}

TEST_F(blank, it_takes_one_commit_and_without_it_nothing_is_changed)
{
	struct rig *rig = &self->rig;

	rig_fail_at(rig, 1, -ENOSPC);
	EXPECT_EQ(SW_MEMORY, rig_initialize(rig, "92 01 01"));
	EXPECT_EQ(SW_NO_OBJECT, rig_verify(rig, RIG_PIN));
	rig_fail_at(rig, 1, -EIO);
	EXPECT_EQ(0u, rig_initialize(rig, "92 01 01"));
	rig_restart(rig);
	EXPECT_EQ(SW_NO_OBJECT, rig_verify(rig, RIG_PIN));
	rig->commits = 0;
	EXPECT_EQ(SW_OK, rig_initialize(rig, "92 01 01"));
	EXPECT_EQ(1u, rig->commits);
	rig_restart(rig);
	EXPECT_EQ(SW_OK, rig_verify(rig, RIG_PIN));
}

TEST(everything_of_the_owners_goes_and_the_device_stays)
{
	uint8_t cert[HSM_FILE_MAX];
	struct rig rig;
	size_t n;

	rig_init_ready(&rig);
	ASSERT_EQ(SW_OK, rig_generate_ec(&rig, 1, "prime256v1", ""));
	ASSERT_EQ(SW_OK, rig_write(&rig, 0xcf01, BYTES("x", 1)));
	ASSERT_EQ(SW_OK, rig_write(&rig, FILE_TOKEN_INFO, BYTES("x", 1)));
	ASSERT_EQ(SW_OK, rig_write(&rig, FILE_SCRATCH, BYTES("x", 1)));
	ASSERT_EQ(SW_END_OF_FILE, rig_read(&rig, FILE_DEVICE_CERT));
	n = rig.n;
	memcpy(cert, rig.data, n);
	EXPECT_EQ(SW_OK, rig_initialize(&rig, ""));
	EXPECT_EQ(SW_PIN_NEEDED, rig_write(&rig, 0xcf01, BYTES("x", 1)));	/* logged out */
	EXPECT_EQ(1u, rig_lists(&rig, 0xcc00));
	EXPECT_EQ(2u, rig.n);
	EXPECT_EQ(SW_NO_FILE, rig_read(&rig, FILE_TOKEN_INFO));
	EXPECT_EQ(SW_NO_FILE, rig_read(&rig, FILE_SCRATCH));
	EXPECT_EQ(SW_INS, rig_send(&rig, 0x80, HSM_DOMAIN, 0x0000, BYTES_NONE));
	EXPECT_EQ(SW_END_OF_FILE, rig_read(&rig, FILE_DEVICE_CERT));
	EXPECT_BYTES_EQ(BYTES(cert, n), rig_data(&rig));
	rig_deinit(&rig);
}

TEST(who_has_not_the_so_pin_erases_nothing)
{
	struct rig rig;

	rig_init_ready(&rig);
	ASSERT_EQ(SW_OK, rig_write(&rig, 0xcf01, BYTES("x", 1)));
	EXPECT_EQ(SW_TRIES | 14, initialize(&rig, "80 02 0001 81 06 363438323139 "
						 "82 08 3537363231383831"));
	EXPECT_EQ(SW_DATA, initialize(&rig, "80 02 0001 81 06 363438323139"));
	EXPECT_EQ(1u, rig_lists(&rig, 0xcf01));
	EXPECT_EQ(SW_TRIES | 14, rig_send(&rig, 0x00, INS_VERIFY, HSM_SO_PIN, BYTES_NONE));
	EXPECT_EQ(SW_OK, rig_initialize(&rig, ""));
	EXPECT_EQ(SW_TRIES | 15, rig_send(&rig, 0x00, INS_VERIFY, HSM_SO_PIN, BYTES_NONE));
	rig_deinit(&rig);
}

TEST_F(blank, without_data_it_tells_memory_and_version)
{
	struct rig *rig = &self->rig;

	EXPECT_EQ(SW_OK, initialize(rig, ""));
	EXPECT_BYTES_EQ(BYTES("\x00\x03\x00\x00\x00\x04\x00", 7), rig_data(rig));
	ASSERT_EQ(SW_OK, rig_initialize(rig, ""));
	ASSERT_EQ(SW_OK, rig_verify(rig, RIG_PIN));
	ASSERT_EQ(SW_OK, rig_write(rig, 0xcf01, BYTES("abc", 3)));
	EXPECT_EQ(SW_OK, initialize(rig, ""));
	EXPECT_BYTES_EQ(BYTES("\x00\x02\xff\xfd\x00\x04\x00", 7), rig_data(rig));
}

TEST_F(blank, a_challenge_is_as_long_as_was_asked_and_never_the_same)
{
	static const uint8_t ask[] = { 0x00, 0x84, 0x00, 0x00, 0x08 };
	static const uint8_t most[] = { 0x00, 0x84, 0x00, 0x00, 0x00, 0x04, 0x00 };
	static const uint8_t more[] = { 0x00, 0x84, 0x00, 0x00, 0x00, 0x04, 0x01 };
	static const uint8_t none[] = { 0x00, 0x84, 0x00, 0x00 };
	struct rig *rig = &self->rig;
	uint8_t first[8];

	EXPECT_EQ(SW_OK, rig_raw(rig, BYTES_OF(ask)));
	ASSERT_EQ(8u, rig->n);
	memcpy(first, rig->data, 8);
	EXPECT_EQ(SW_OK, rig_raw(rig, BYTES_OF(ask)));
	EXPECT_BYTES_NE(BYTES_OF(first), rig_data(rig));
	EXPECT_EQ(SW_OK, rig_raw(rig, BYTES_OF(most)));
	EXPECT_EQ(1024u, rig->n);
	EXPECT_EQ(SW_LENGTH, rig_raw(rig, BYTES_OF(more)));
	EXPECT_EQ(SW_LENGTH, rig_raw(rig, BYTES_OF(none)));
}

TEST_F(blank, public_key_authentication_is_unknown_unless_the_card_was_initialised_for_it)
{
	struct rig *rig = &self->rig;

	EXPECT_EQ(SW_INS, rig_send(rig, 0x80, HSM_PKA, 0x0000, BYTES_NONE));
	ASSERT_EQ(SW_OK, rig_initialize(rig, ""));
	EXPECT_EQ(SW_INS, rig_send(rig, 0x80, HSM_PKA, 0x0000, BYTES_NONE));
	ASSERT_EQ(SW_OK, rig_initialize(rig, "93 02 0302"));
	EXPECT_EQ(SW_OK, rig_send(rig, 0x80, HSM_PKA, 0x0000, BYTES_NONE));
	EXPECT_BYTES_EQ(BYTES("\x03\x03\x02\x00", 4), rig_data(rig));
	EXPECT_EQ(SW_NO_FUNCTION, rig_send(rig, 0x80, HSM_PKA, 0x0000, BYTES("\x67", 1)));
}

TEST_F(blank, a_card_for_public_keys_alone_has_no_user_pin)
{
	struct rig *rig = &self->rig;

	ASSERT_EQ(SW_OK, initialize(rig, "80 02 0001 82 08 3537363231383830 93 02 0101"));
	EXPECT_EQ(SW_NO_OBJECT, rig_verify(rig, RIG_PIN));
	EXPECT_EQ(SW_NO_OBJECT, rig_send(rig, 0x00, INS_UNBLOCK, 0x0081,
					 BYTES(RIG_SO_PIN "123456", 14)));
	EXPECT_EQ(SW_TRIES | 15, rig_send(rig, 0x00, INS_VERIFY, HSM_SO_PIN, BYTES_NONE));
}
