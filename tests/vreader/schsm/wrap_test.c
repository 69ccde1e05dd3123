/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Blobs: the published ones, those that are wrong in each field, and what is never changed by them.
 */
#include "format/keys.h"
#include "format/ossl.h"
#include "format/schsm/dkek_blob.h"
#include "tests/harness.h"
#include "tests/vreader/schsm/rig.h"

#include <openssl/sha.h>

FIXTURE(card)
{
	struct rig rig;
	uint8_t blob[DKEK_BLOB_MAX + 64];
	size_t n;
};

FIXTURE_SETUP(card)
{
	rig_init_ready(&self->rig);
	ASSERT_EQ(SW_OK, rig_generate_ec(&self->rig, 1, "prime256v1", ""));
	ASSERT_EQ(SW_OK, rig_send(&self->rig, 0x80, HSM_WRAP, 0x0192, BYTES_NONE));
	self->n = self->rig.n;
	memcpy(self->blob, self->rig.data, self->n);
}

FIXTURE_TEARDOWN(card)
{
	rig_deinit(&self->rig);
}

static uint16_t unwrap(struct rig *rig, unsigned int id, struct bytes blob)
{
	return rig_send(rig, 0x80, HSM_UNWRAP, id << 8 | ALG_UNWRAP, blob);
}

/* [card dossier 11.2] */
static const char aes_blob[] =
	"630DCD2966C433660F0008608648016503040100041011189900000000AAE179FD7BFBC0CD2ACC2E9929672E4B"
	"49D49326E7178045D788BCC17A8651A3C34EC3FDC9A71FF726D627742AC06AD3BCE4EA0288E443F726FC1F55CB"
	"34B42D";

TEST_F(card, the_published_aes_blob_is_unwrapped_and_its_key_encrypts)
{
	struct rig *rig = &self->rig;
	static const uint8_t want[] = { 0x66, 0xe4, 0xd3, 0x82, 0xe0, 0x03, 0x25, 0xdb,
					0x4a, 0x74, 0x89, 0x0c, 0x51, 0x98, 0xbc, 0x15 };

	ASSERT_EQ(SW_OK, rig_send_hex(rig, 0x80, HSM_UNWRAP, 0x0593, aes_blob));
	EXPECT_EQ(SW_OK, rig_send_hex(rig, 0x80, HSM_CIPHER, 0x0510, "00000000000000000000000000000000"));
	EXPECT_BYTES_EQ(BYTES_OF(want), rig_data(rig));
	EXPECT_EQ(SW_CONDITIONS, rig_send(rig, 0x80, HSM_WRAP, 0x0592, BYTES_NONE));
}

/* Made of its numbers; the hash of it is published. */
TEST_F(card, the_published_ec_key_wraps_to_the_published_blob)
{
	static const uint8_t random[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	static const uint8_t want[] = {
		0x5f, 0x4b, 0x9d, 0x85, 0xf7, 0x4a, 0x33, 0x19, 0xcc, 0xc5, 0xfb, 0x69, 0xb6, 0x4c, 0xff, 0x94,
		0x8f, 0xe5, 0x8a, 0x61, 0x18, 0x81, 0x28, 0xc0, 0xdb, 0xea, 0x1f, 0xf2, 0xe7, 0x33, 0xec, 0xef,
	};
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *pair = NULL;
	struct hsm_record record = { .id = 2 };
	struct rig *rig = &self->rig;
	uint8_t d[32], hash[32];

	memset(d, 0x01, sizeof(d));
	ASSERT_EQ(0, key_from_scalar_on(BYTES_OF(d), "prime256v1", &pair));
	ASSERT_EQ(0, hsm_key_new(pair, &record.key));
	ASSERT_EQ(0, hsm_put_key(rig->hsm->state, &record));
	rig_set_random(BYTES_OF(random));
	ASSERT_EQ(SW_OK, rig_send(rig, 0x80, HSM_WRAP, 0x0292, BYTES_NONE));
	EXPECT_EQ(363u, rig->n);
	SHA256(rig->data, rig->n, hash);
	EXPECT_MEMEQ(want, hash, sizeof(want));
}

static void expect_unchanged(struct fixture_card *self, unsigned int commits)
{
	EXPECT_EQ(commits, self->rig.commits);
	EXPECT_EQ(0u, rig_lists(&self->rig, 0xcc07));
	EXPECT_EQ(SW_OK, rig_send(&self->rig, 0x80, HSM_SIGN, 0x0173, BYTES("text", 4)));
}

TEST_F(card, a_blob_that_is_changed_anywhere_is_refused_with_one_word)
{
	unsigned int commits = self->rig.commits;

	for (size_t i = 0; i < self->n; i++) {
		self->blob[i] ^= 0x10;
		EXPECT_EQ(SW_DATA, unwrap(&self->rig, 7, BYTES(self->blob, self->n)));
		EXPECT_EQ(SW_DATA, unwrap(&self->rig, 1, BYTES(self->blob, self->n)));
		self->blob[i] ^= 0x10;
	}
	expect_unchanged(self, commits);
}

TEST_F(card, a_blob_that_is_short_or_long_is_refused_with_one_word)
{
	unsigned int commits = self->rig.commits;

	for (size_t n = 1; n < self->n + 40; n++) {
		if (n != self->n)
			EXPECT_EQ(SW_DATA, unwrap(&self->rig, 7, BYTES(self->blob, n)));
	}
	EXPECT_EQ(SW_DATA, unwrap(&self->rig, 7, BYTES_NONE));
	expect_unchanged(self, commits);
	EXPECT_EQ(SW_OK, unwrap(&self->rig, 7, BYTES(self->blob, self->n)));
}

/* The scratch file is how hosts send more than a short command takes. */
TEST_F(card, a_blob_in_the_scratch_file_is_as_good_as_one_in_the_command)
{
	struct rig *rig = &self->rig;

	ASSERT_EQ(SW_OK, rig_write(rig, FILE_SCRATCH, BYTES(self->blob, self->n)));
	EXPECT_EQ(SW_OK, unwrap(rig, 7, BYTES_NONE));
	EXPECT_EQ(1u, rig_lists(rig, 0xcc07));
	ASSERT_EQ(SW_OK, rig_write(rig, FILE_SCRATCH, BYTES("x", 1)));
	EXPECT_EQ(SW_DATA, unwrap(rig, 8, BYTES_NONE));
	EXPECT_EQ(0u, rig_lists(rig, 0xcc08));
}

TEST_F(card, a_blob_of_another_domain_is_refused)
{
	struct rig *rig = &self->rig;
	uint8_t other[32] = { 1 };

	ASSERT_EQ(SW_OK, rig_initialize(rig, "92 01 01"));
	ASSERT_EQ(SW_OK, rig_verify(rig, RIG_PIN));
	EXPECT_EQ(SW_DATA, unwrap(rig, 7, BYTES(self->blob, self->n)));	/* its share is not there yet */
	ASSERT_EQ(SW_OK, rig_send(rig, 0x80, HSM_DOMAIN, 0x0000, BYTES_OF(other)));
	EXPECT_EQ(SW_DATA, unwrap(rig, 7, BYTES(self->blob, self->n)));
	EXPECT_EQ(0u, rig_lists(rig, 0xcc07));
}

TEST_F(card, a_key_goes_to_the_domain_whose_check_value_its_blob_has)
{
	struct rig *rig = &self->rig;
	uint8_t other[32] = { 1 };

	ASSERT_EQ(SW_OK, rig_initialize(rig, "92 01 01 97 01 03"));
	ASSERT_EQ(SW_OK, rig_verify(rig, RIG_PIN));
	ASSERT_EQ(SW_OK, rig_send(rig, 0x80, HSM_DOMAIN, 0x0000, BYTES_OF(other)));
	ASSERT_EQ(SW_OK, rig_send(rig, 0x80, HSM_DOMAIN, 0x0102, BYTES("\x01", 1)));
	ASSERT_EQ(SW_OK, rig_send(rig, 0x80, HSM_DOMAIN, 0x0002, rig_share()));
	ASSERT_EQ(SW_OK, unwrap(rig, 7, BYTES(self->blob, self->n)));
	EXPECT_EQ(2, hsm_find_key(rig->hsm->state, 7)->domain);
	EXPECT_EQ(SW_OK, rig_send(rig, 0x80, HSM_WRAP, 0x0792, BYTES_NONE));
	EXPECT_MEMEQ(self->blob, rig->data, DKEK_KCV_SIZE);
}

TEST_F(card, a_card_without_a_dkek_wraps_and_unwraps_nothing)
{
	struct rig *rig = &self->rig;

	ASSERT_EQ(SW_OK, rig_initialize(rig, ""));
	ASSERT_EQ(SW_OK, rig_verify(rig, RIG_PIN));
	ASSERT_EQ(SW_OK, rig_generate_ec(rig, 1, "prime256v1", ""));
	EXPECT_EQ(SW_INS, rig_send(rig, 0x80, HSM_WRAP, 0x0192, BYTES_NONE));
	EXPECT_EQ(SW_INS, unwrap(rig, 7, BYTES(self->blob, self->n)));
	ASSERT_EQ(SW_OK, rig_initialize(rig, "92 01 01"));
	ASSERT_EQ(SW_OK, rig_verify(rig, RIG_PIN));
	ASSERT_EQ(SW_OK, rig_generate_ec(rig, 1, "prime256v1", ""));
	EXPECT_EQ(SW_CONDITIONS, rig_send(rig, 0x80, HSM_WRAP, 0x0192, BYTES_NONE));
}

TEST_F(card, a_list_without_wrap_keeps_the_key_in_and_travels_with_it)
{
	struct rig *rig = &self->rig;

	ASSERT_EQ(SW_OK, rig_generate_ec(rig, 2, "prime256v1", "91 02 7073"));
	EXPECT_EQ(SW_CONDITIONS, rig_send(rig, 0x80, HSM_WRAP, 0x0292, BYTES_NONE));
	ASSERT_EQ(SW_OK, rig_generate_ec(rig, 2, "prime256v1", "91 02 7392"));
	ASSERT_EQ(SW_OK, rig_send(rig, 0x80, HSM_WRAP, 0x0292, BYTES_NONE));
	memcpy(self->blob, rig->data, rig->n);
	ASSERT_EQ(SW_OK, unwrap(rig, 7, BYTES(self->blob, rig->n)));
	EXPECT_EQ(SW_OK, rig_send(rig, 0x80, HSM_SIGN, 0x0773, BYTES("text", 4)));
	EXPECT_EQ(SW_CONDITIONS, rig_send(rig, 0x80, HSM_SIGN, 0x0770, BYTES("text", 4)));
	EXPECT_EQ(SW_NO_OBJECT, rig_send(rig, 0x80, HSM_WRAP, 0x0992, BYTES_NONE));
}

TEST_F(card, keys_of_all_kinds_go_out_and_come_in)
{
	struct rig *rig = &self->rig;
	static const struct { unsigned int bits; uint16_t n; } rsa[] = {
		{ 1024, 0 }, { 2048, 971 }, { 3072, 0 }, { 4096, 0 },
	};

	for (size_t i = 0; i < 4; i++) {
		ASSERT_EQ(SW_OK, rig_generate_rsa(rig, 2, rsa[i].bits, ""));
		ASSERT_EQ(SW_OK, rig_send(rig, 0x80, HSM_WRAP, 0x0292, BYTES_NONE));
		if (rsa[i].n != 0)
			EXPECT_EQ(rsa[i].n, rig->n);
		memcpy(self->blob, rig->data, rig->n);
		ASSERT_EQ(SW_OK, unwrap(rig, 3, BYTES(self->blob, rig->n)));
		EXPECT_EQ(SW_OK, rig_send(rig, 0x80, HSM_SIGN, 0x0333, BYTES("text", 4)));
		EXPECT_EQ(rsa[i].bits / 8, rig->n);
	}
	ASSERT_EQ(SW_OK, rig_send(rig, 0x00, INS_GENERATE_SECRET, 0x02b2, BYTES_NONE));
	ASSERT_EQ(SW_OK, rig_send(rig, 0x80, HSM_WRAP, 0x0292, BYTES_NONE));
	memcpy(self->blob, rig->data, rig->n);
	ASSERT_EQ(SW_OK, unwrap(rig, 3, BYTES(self->blob, rig->n)));
	EXPECT_BYTES_EQ(hsm_key_private(hsm_find_key(rig->hsm->state, 2)->key),
			hsm_key_private(hsm_find_key(rig->hsm->state, 3)->key));
}
