/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files were made by Python's hashlib and cryptography after the text of the card dossier, 2.4. A
 * derivation of the format's is 30 million rounds of MD5, so there is one; the others have 3000.
 */
#include "format/schsm/dkek_share_own.h"
#include "base/cleanup.h"
#include "tests/format/schsm/hex.h"

static const char vector[] =
	"53616C7465645F5F01020304050607088A3D1D6CF15D9809030FA5FB06D07B22F6B0B9446FDDCC25CC4D3DC8F10A4C1D62950929AC72999ED44C5043D608D7EA";

static const char vector_few[] =
	"53616C7465645F5F0102030405060708070E938117E68182657CB5A7FE2BAC2B9EDC6AFE36867D7B7DC555AB0E7EF9CCC5B9E4ACF9E25195A61114FCA7095997";

static const char password[] = "correct horse";

FIXTURE(share)
{
	struct secret share;
	uint8_t file[DKEK_SHARE_FILE_SIZE];
	unsigned int told, last;
};

FIXTURE_SETUP(share)
{
	self->share = SECRET_INIT;
	ASSERT_EQ(0, secret_init(&self->share, DKEK_SIZE));
	(void)unhex(vector, self->file, sizeof(self->file));
}

FIXTURE_TEARDOWN(share)
{
	secret_deinit(&self->share);
}

static void count(void *context, unsigned int percent)
{
	struct fixture_share *self = context;

	EXPECT_EQ(self->last + 1, percent);
	self->last = percent;
	self->told++;
}

TEST_F_TIMEOUT(share, the_file_opens_and_progress_is_told, 120)
{
	struct dkek_progress progress = { count, self };

	if (HARNESS_SANITIZED)
		SKIP("30 million rounds of OpenSSL's tell the sanitizers no more than 3000");
	ASSERT_EQ(0, dkek_share_open(BYTES_OF(self->file), BYTES(password, strlen(password)), progress,
				     &self->share));
	EXPECT_HEX("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F",
		   secret_bytes(&self->share));
	EXPECT_EQ(100u, self->told);
}

/* --- with fewer rounds --- */

enum { FEW = 1000 };

static int open_few(struct fixture_share *self, const char *with)
{
	struct dkek_progress progress = { count, self };

	self->last = 0;
	return share_open(BYTES_OF(self->file), BYTES(with, strlen(with)), FEW, progress, &self->share);
}

TEST_F(share, of_fewer_rounds_it_is_another_file_and_opens_alike)
{
	EXPECT_EQ(-EKEYREJECTED, open_few(self, password));
	(void)unhex(vector_few, self->file, sizeof(self->file));
	EXPECT_EQ(-EKEYREJECTED, open_few(self, "incorrect horse"));
	EXPECT_EQ(0u, self->share.n);
	self->told = 0;
	ASSERT_EQ(0, open_few(self, password));
	EXPECT_HEX("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F",
		   secret_bytes(&self->share));
	EXPECT_EQ(100u, self->told);
}

TEST_F(share, what_is_written_is_that_file)
{
	static const uint8_t salt[DKEK_SALT_SIZE] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	uint8_t value[DKEK_SIZE], file[DKEK_SHARE_FILE_SIZE];
	struct packer p = pack_begin(file, sizeof(file));

	for (uint8_t i = 0; i < DKEK_SIZE; i++)
		value[i] = i;
	ASSERT_EQ(0, share_seal(BYTES_OF(value), salt, BYTES(password, strlen(password)), FEW,
				(struct dkek_progress){ 0 }, &p));
	EXPECT_EQ(DKEK_SHARE_FILE_SIZE, p.n);
	EXPECT_HEX(vector_few, BYTES_OF(file));
}

TEST_F(share, what_is_no_share_file_is_refused_at_once)
{
	uint8_t longer[DKEK_SHARE_FILE_SIZE + 1] = { 0 };
	struct bytes pw = BYTES(password, strlen(password));
	struct dkek_progress none = { 0 };

	memcpy(longer, self->file, sizeof(self->file));
	EXPECT_EQ(-EBADMSG, dkek_share_open(BYTES(longer, 65), pw, none, &self->share));
	for (size_t n = 0; n < DKEK_SHARE_FILE_SIZE; n++)
		EXPECT_EQ(-EBADMSG, dkek_share_open(BYTES(longer, n), pw, none, &self->share));
	for (size_t i = 0; i < 8; i++) {
		longer[i] ^= 0x20;
		EXPECT_EQ(-EBADMSG, dkek_share_open(BYTES(longer, 64), pw, none, &self->share));
		longer[i] ^= 0x20;
	}
}

TEST_F(share, a_share_of_another_length_is_not_written)
{
	static const uint8_t salt[DKEK_SALT_SIZE], value[DKEK_SIZE + 1];
	uint8_t buf[DKEK_SHARE_FILE_SIZE];
	struct packer p = pack_begin(buf, sizeof(buf));

	EXPECT_EQ(-EINVAL, dkek_share_seal(BYTES(value, 31), salt, BYTES("x", 1),
					   (struct dkek_progress){ 0 }, &p));
	EXPECT_EQ(-EINVAL, dkek_share_seal(BYTES(value, 33), salt, BYTES("x", 1),
					   (struct dkek_progress){ 0 }, &p));
}
