/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opens blobs that are broken in different ways, for wrapped_count.sh to count the instructions of each
 * call [SECURITY section 6], and prints the kind of each, a line each. The last kind does open: by what
 * it costs more, the counting can be seen to see anything. Not a test of the harness, which valgrind
 * cannot run.
 */
#include "format/ossl.h"
#include "format/wrapped.h"
#include "tests/keys/keys.h"

#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>

enum kind { FIRST_BYTE, LABEL_HASH, PADDING, NO_ONE, AES_LENGTH, KWP_128, KWP_256, GOOD, KINDS };

#define MUST(claim) do { if (!(claim)) abort(); } while (0)

enum { CALLS = 64, MODULUS = 256, HASH = 20, DB = MODULUS - 1 - HASH, C2 = 152 };

static const char *const names[KINDS] = {
	"first-byte", "label-hash", "padding", "no-one", "aes-length", "kwp-128", "kwp-256", "good",
};

static void mgf1(const uint8_t *seed, size_t n, uint8_t *out, size_t len)
{
	for (uint8_t counter = 0; len != 0; counter++) {
		uint8_t in[MODULUS], digest[HASH];
		size_t take = len < HASH ? len : HASH;

		memcpy(in, seed, n);
		memset(in + n, 0, 4);
		in[n + 3] = counter;
		MUST(EVP_Digest(in, n + 4, digest, NULL, EVP_sha1(), NULL) == 1);
		for (size_t i = 0; i < take; i++)
			out[i] ^= digest[i];
		out += take;
		len -= take;
	}
}

/* [RFC 8017 7.1.1]: 00, masked seed, masked (lHash, zeros, 01, message); @kind says what is wrong. */
static void oaep_encode(enum kind kind, const uint8_t *aes, size_t len, uint8_t em[static MODULUS])
{
	uint8_t *seed = em + 1, *db = em + 1 + HASH;

	MUST(RAND_bytes(em, MODULUS) == 1);
	em[0] = kind == FIRST_BYTE ? 0x01 : 0;
	memset(db, 0, DB);
	memcpy(db + DB - len, aes, len);
	MUST(EVP_Digest("", 0, db, NULL, EVP_sha1(), NULL) == 1);
	if (kind == LABEL_HASH)
		db[7] ^= 1;
	if (kind == PADDING)
		db[HASH + 50] = 0x5a;
	if (kind == NO_ONE)
		memset(db + DB - len, 0, len);
	else
		db[DB - len - 1] = 0x01;
	mgf1(seed, HASH, db, DB);
	mgf1(db, DB, seed, HASH);
}

/* C1 of a whole encoded message. */
static void put_em(EVP_PKEY *kek, const uint8_t em[static MODULUS], uint8_t *out)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, kek, NULL);
	size_t n = MODULUS;

	MUST(EVP_PKEY_encrypt_init(ctx) == 1);
	MUST(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) == 1);
	MUST(EVP_PKEY_encrypt(ctx, out, &n, em, MODULUS) == 1);
}

/* C2: some text under the AES key that ends the encoded message. */
static void put_text(const uint8_t *aes, size_t len, uint8_t *out)
{
	_cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	static const uint8_t plain[C2 - 8 - 6] = { 0x30 };
	int n = 0;

	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	MUST(EVP_EncryptInit_ex2(ctx, len == 16 ? EVP_aes_128_wrap_pad() : EVP_aes_256_wrap_pad(), aes,
				 NULL, NULL) == 1);
	MUST(EVP_EncryptUpdate(ctx, out, &n, plain, sizeof(plain)) == 1 && n == C2);
}

static void make(EVP_PKEY *kek, enum kind kind, uint8_t blob[static MODULUS + C2])
{
	size_t len = kind == AES_LENGTH ? 31 : kind == KWP_128 ? 16 : 32;
	uint8_t em[MODULUS], aes[32];

	MUST(RAND_bytes(aes, sizeof(aes)) == 1);
	oaep_encode(kind, aes, len, em);
	put_em(kek, em, blob);
	put_text(aes, len == 31 ? 32 : len, blob + MODULUS);
	if (kind == KWP_128 || kind == KWP_256)
		blob[MODULUS + C2 - 1] ^= 1;
}

int measured(EVP_PKEY *kek, struct bytes blob, struct secret *plain);

/* Counting is switched on and off by this name. */
__attribute__((noinline)) int measured(EVP_PKEY *kek, struct bytes blob, struct secret *plain)
{
	return wrapped_open(kek, KF_HASH_SHA1, blob, plain);
}

static void call(EVP_PKEY *kek, enum kind kind, struct secret *plain)
{
	uint8_t blob[MODULUS + C2];

	make(kek, kind, blob);
	MUST(measured(kek, BYTES_OF(blob), plain) == (kind == GOOD ? 0 : -EBADMSG));
}

int main(void)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *kek = prepared_rsa(MODULUS * 8, 0);
	_cleanup_(secret_deinit) struct secret plain = SECRET_INIT;

	MUST(kek && secret_init(&plain, APP_WRAPPED_MAX) == 0);
	for (int kind = 0; kind < KINDS; kind++) {	/* the first call of all is dearer */
		call(kek, (enum kind)kind, &plain);
		(void)puts("warm-up");
	}
	for (int i = 0; i < CALLS; i++) {
		for (int kind = 0; kind < KINDS; kind++) {
			call(kek, (enum kind)kind, &plain);
			(void)puts(names[kind]);
		}
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
