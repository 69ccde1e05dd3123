/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file was made by Python's hashlib and cryptography after the text of the card dossier, 2.4. Each
 * derivation is 30 million rounds of MD5, so there is one.
 */
#include "format/schsm/dkek_share.h"
#include "base/cleanup.h"
#include "tests/format/schsm/hex.h"

#include <openssl/evp.h>

static const char vector[] =
	"53616C7465645F5F01020304050607088A3D1D6CF15D9809030FA5FB06D07B22F6B0B9446FDDCC25CC4D3DC8F10A4C1D62950929AC72999ED44C5043D608D7EA";

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

static int open_with(struct fixture_share *self, const char *with)
{
	struct dkek_progress progress = { count, self };

	return dkek_share_open(BYTES_OF(self->file), BYTES(with, strlen(with)), progress, &self->share);
}

TEST_F_TIMEOUT(share, the_file_opens_and_progress_is_told, 120)
{
	ASSERT_EQ(0, open_with(self, password));
	EXPECT_HEX("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F",
		   secret_bytes(&self->share));
	EXPECT_EQ(100u, self->told);
}

/* --- with a digest that costs next to nothing in place of MD5 --- */

static bool cheap;
static uint64_t mixed[2];

int __real_EVP_DigestInit_ex2(EVP_MD_CTX *ctx, const EVP_MD *type, const OSSL_PARAM params[]);
int __real_EVP_DigestUpdate(EVP_MD_CTX *ctx, const void *data, size_t n);
int __real_EVP_DigestFinal_ex(EVP_MD_CTX *ctx, unsigned char *out, unsigned int *n);
int __wrap_EVP_DigestInit_ex2(EVP_MD_CTX *ctx, const EVP_MD *type, const OSSL_PARAM params[]);
int __wrap_EVP_DigestUpdate(EVP_MD_CTX *ctx, const void *data, size_t n);
int __wrap_EVP_DigestFinal_ex(EVP_MD_CTX *ctx, unsigned char *out, unsigned int *n);

int __wrap_EVP_DigestInit_ex2(EVP_MD_CTX *ctx, const EVP_MD *type, const OSSL_PARAM params[])
{
	mixed[0] = mixed[1] = 0;
	return cheap ? 1 : __real_EVP_DigestInit_ex2(ctx, type, params);
}

/* Another input of the same length is another digest; more is not asked of it. */
int __wrap_EVP_DigestUpdate(EVP_MD_CTX *ctx, const void *data, size_t n)
{
	const uint64_t odd = 0x9e3779b97f4a7c15;

	if (!cheap)
		return __real_EVP_DigestUpdate(ctx, data, n);
	for (size_t at = 0; at < n; at += sizeof(mixed)) {
		uint64_t next[2] = { 0, 0 };

		memcpy(next, (const uint8_t *)data + at, n - at < sizeof(next) ? n - at : sizeof(next));
		mixed[0] = (mixed[0] ^ next[0]) * odd + n;
		mixed[1] = (mixed[1] ^ next[1]) * odd + mixed[0];
	}
	return 1;
}

int __wrap_EVP_DigestFinal_ex(EVP_MD_CTX *ctx, unsigned char *out, unsigned int *n)
{
	if (!cheap)
		return __real_EVP_DigestFinal_ex(ctx, out, n);
	memcpy(out, mixed, sizeof(mixed));
	return 1;
}

/* What opens in the one way is written in the other: with the vector above, that is the same file. */
TEST_F_TIMEOUT(share, what_is_written_opens_with_its_own_password_alone, 120)
{
	static const uint8_t salt[DKEK_SALT_SIZE] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	uint8_t value[DKEK_SIZE], kept[DKEK_SHARE_FILE_SIZE];
	struct packer p = pack_begin(self->file, sizeof(self->file));

#ifdef KF_SAN
	SKIP("one password is enough for the sanitizers: each is 30 million digests in one loop");
#endif
	cheap = true;
	memcpy(kept, self->file, sizeof(kept));
	for (uint8_t i = 0; i < DKEK_SIZE; i++)
		value[i] = (uint8_t)(0x55 ^ i);
	ASSERT_EQ(0, dkek_share_seal(BYTES_OF(value), salt, BYTES(password, strlen(password)),
				     (struct dkek_progress){ 0 }, &p));
	EXPECT_EQ(DKEK_SHARE_FILE_SIZE, p.n);
	EXPECT_MEMEQ(kept, self->file, 16);
	EXPECT_EQ(-EKEYREJECTED, open_with(self, "incorrect horse"));
	EXPECT_EQ(0u, self->share.n);
	self->last = 0;
	ASSERT_EQ(0, open_with(self, password));
	EXPECT_BYTES_EQ(BYTES_OF(value), secret_bytes(&self->share));
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
