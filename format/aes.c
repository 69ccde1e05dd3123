/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* format/aes.c - OpenSSL's ciphers; a text that is not the right one never reaches the caller. */
#include "format/aes.h"
#include "format/kdf.h"
#include "format/ossl.h"

#include <openssl/core_names.h>

static const EVP_CIPHER *cipher_of(size_t key_len, bool gcm)
{
	switch (key_len) {
	case 16: return gcm ? EVP_aes_128_gcm() : EVP_aes_128_cbc();
	case 24: return gcm ? EVP_aes_192_gcm() : EVP_aes_192_cbc();
	case 32: return gcm ? EVP_aes_256_gcm() : EVP_aes_256_cbc();
	default: return NULL;
	}
}

int aes_cbc(struct bytes key, bool encrypt, struct bytes iv, struct bytes text, struct packer *out)
{
	_cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = NULL;
	const EVP_CIPHER *cipher = cipher_of(key.n, false);
	uint8_t *at;
	int n = 0, rest = 0;

	if (!cipher || iv.n != AES_BLOCK || text.n == 0 || text.n % AES_BLOCK != 0 ||
	    text.n > KF_CIPHER_MAX)
		return -EINVAL;
	at = pack_reserve(out, text.n);
	if (!at)
		return -EMSGSIZE;
	ossl_begin();
	ctx = EVP_CIPHER_CTX_new();
	if (!ctx || EVP_CipherInit_ex2(ctx, cipher, key.p, iv.p, encrypt, NULL) != 1 ||
	    EVP_CIPHER_CTX_set_padding(ctx, 0) != 1 ||
	    EVP_CipherUpdate(ctx, at, &n, text.p, (int)text.n) != 1 ||
	    EVP_CipherFinal_ex(ctx, at + n, &rest) != 1 || (size_t)(n + rest) != text.n)
		return ossl_end(-EIO);
	return 0;
}

/* [PKCS#11 CKA_CHECK_VALUE]: of 16 zero bytes, which CBC under a zero IV encrypts as they are. */
static int check_value(struct bytes key, uint8_t out[static KF_CHECK_VALUE_SIZE])
{
	static const uint8_t zero[AES_BLOCK];
	uint8_t block[AES_BLOCK];
	struct packer p = pack_begin(block, sizeof(block));
	int r = aes_cbc(key, true, BYTES_OF(zero), BYTES_OF(zero), &p);

	if (r == 0)
		memcpy(out, block, KF_CHECK_VALUE_SIZE);
	wipe(block, sizeof(block));	/* the whole block is GCM's hash key */
	return r;
}

static int cmac(struct bytes key, struct bytes text, uint8_t out[static AES_BLOCK])
{
	_cleanup_(EVP_MAC_freep) EVP_MAC *mac = EVP_MAC_fetch(NULL, "CMAC", NULL);
	_cleanup_(EVP_MAC_CTX_freep) EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
	char name[16] = "";
	size_t len = 0;

	(void)snprintf(name, sizeof(name), "AES-%zu-CBC", key.n * 8);

	OSSL_PARAM params[] = {
		param_text(OSSL_MAC_PARAM_CIPHER, name),
		OSSL_PARAM_construct_end(),
	};

	if (!ctx || EVP_MAC_init(ctx, key.p, key.n, params) != 1 ||
	    EVP_MAC_update(ctx, text.p, text.n) != 1 ||
	    EVP_MAC_final(ctx, out, &len, AES_BLOCK) != 1 || len != AES_BLOCK)
		return -EIO;
	return 0;
}

int aes_cmac(struct bytes key, struct bytes text, uint8_t out[static AES_BLOCK])
{
	if (!cipher_of(key.n, false))
		return -EINVAL;
	ossl_begin();
	return ossl_end(cmac(key, text, out));
}

static enum kf_key_type type_of(size_t key_len)
{
	for (int type = KF_KEY_AES_128; type <= KF_KEY_AES_256; type++) {
		if (key_type_size((enum kf_key_type)type) == key_len)
			return (enum kf_key_type)type;
	}
	return KF_KEY_NONE;
}

int aes_mark(struct bytes key, struct key_mark *out)
{
	struct key_mark mark = { .key_type = type_of(key.n) };
	int r;

	if (mark.key_type == KF_KEY_NONE)
		return -EINVAL;
	r = check_value(key, mark.check);
	if (r < 0)
		return r;
	r = aes_cmac(key, BYTES(KEY_MARK_TEXT, strlen(KEY_MARK_TEXT)), mark.mark);
	if (r == 0)
		*out = mark;
	return r;
}

static EVP_CIPHER_CTX *gcm_begin(struct bytes key, bool encrypt, struct bytes iv, struct bytes aad)
{
	_cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n;

	if (!ctx || EVP_CipherInit_ex2(ctx, cipher_of(key.n, true), key.p, iv.p, encrypt, NULL) != 1)
		return NULL;
	if (aad.n != 0 && EVP_CipherUpdate(ctx, NULL, &n, aad.p, (int)aad.n) != 1)
		return NULL;
	return take_ptr(ctx);
}

static bool gcm_makes_sense(struct bytes key, struct bytes iv, struct bytes aad, struct bytes text)
{
	return cipher_of(key.n, true) && iv.n == GCM_IV_SIZE && text.n <= KF_CIPHER_MAX &&
	       aad.n <= APP_AAD_MAX;
}

int aes_gcm_encrypt(struct bytes key, struct bytes iv, struct bytes aad, struct bytes text,
		    struct packer *out, uint8_t tag[static GCM_TAG_SIZE])
{
	_cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = NULL;
	uint8_t *at = pack_reserve(out, text.n), none[AES_BLOCK];
	int n = 0;

	if (!gcm_makes_sense(key, iv, aad, text))
		return -EINVAL;
	if (out->bad)
		return -EMSGSIZE;
	ossl_begin();
	ctx = gcm_begin(key, true, iv, aad);
	if (!ctx || (text.n != 0 && EVP_EncryptUpdate(ctx, at, &n, text.p, (int)text.n) != 1) ||
	    EVP_EncryptFinal_ex(ctx, none, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_SIZE, tag) != 1)
		return ossl_end(-EIO);
	return 0;
}

int aes_gcm_decrypt(struct bytes key, struct bytes iv, struct bytes aad, struct bytes text,
		    struct bytes tag, struct packer *out)
{
	_cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = NULL;
	_cleanup_(secret_deinit) struct secret plain = SECRET_INIT;
	uint8_t expected[GCM_TAG_SIZE], none[AES_BLOCK];
	int n = 0, r;

	if (!gcm_makes_sense(key, iv, aad, text) || tag.n != GCM_TAG_SIZE)
		return -EINVAL;
	r = secret_init(&plain, text.n + 1);
	if (r < 0)
		return r;
	memcpy(expected, tag.p, sizeof(expected));
	ossl_begin();
	ctx = gcm_begin(key, false, iv, aad);
	if (!ctx || (text.n != 0 && EVP_DecryptUpdate(ctx, plain.p, &n, text.p, (int)text.n) != 1) ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_SIZE, expected) != 1)
		return ossl_end(-EIO);
	if (EVP_DecryptFinal_ex(ctx, none, &n) != 1)
		return ossl_end(-EBADMSG);
	pack_bytes(out, BYTES(plain.p, text.n));
	return pack_end(out);
}
