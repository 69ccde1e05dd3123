// SPDX-License-Identifier: LGPL-2.1-or-later
/* libcardmod/public_blob.c - The numbers come from OpenSSL, so one parser judges the card's DER. */
#include "libcardmod/public_blob.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "keyferry/cardmod.h"

#include <openssl/core_names.h>

enum { RSA_MAX = 512, POINT_MAX = 1 + 2 * 66 };

static int pack_rsa(EVP_PKEY *key, enum kf_key_type type, enum kf_purpose purpose,
		    struct packer *out)
{
	_cleanup_(BN_clear_freep) BIGNUM *n = NULL;
	_cleanup_(BN_clear_freep) BIGNUM *e = NULL;
	int size = (int)key_type_size(type);
	uint8_t *at;

	if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) != 1 ||
	    EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) != 1)
		return -EIO;
	if (BN_num_bits(e) > 32)		/* RSAPUBKEY.pubexp is a DWORD */
		return -EOPNOTSUPP;
	pack_u8(out, PUBLICKEYBLOB);
	pack_u8(out, CUR_BLOB_VERSION);
	pack_le16(out, 0);
	pack_le32(out, purpose == KF_PURPOSE_SIGN ? CALG_RSA_SIGN : CALG_RSA_KEYX);
	pack_le32(out, BCRYPT_RSAPUBLIC_MAGIC);
	pack_le32(out, key_type_bits(type));
	pack_le32(out, BN_get_word(e));
	at = pack_reserve(out, (size_t)size);
	if (at && BN_bn2lebinpad(n, at, size) != size)
		return -EIO;
	return pack_end(out);
}

/* Whatever does not sign agrees: a key that derives, and what it became when the card offered it. */
static uint32_t ec_magic(enum kf_key_type type, enum kf_purpose purpose)
{
	bool ecdh = purpose != KF_PURPOSE_SIGN;

	switch (type) {
	case KF_KEY_EC_P256:
		return ecdh ? BCRYPT_ECDH_PUBLIC_P256_MAGIC : BCRYPT_ECDSA_PUBLIC_P256_MAGIC;
	case KF_KEY_EC_P384:
		return ecdh ? BCRYPT_ECDH_PUBLIC_P384_MAGIC : BCRYPT_ECDSA_PUBLIC_P384_MAGIC;
	case KF_KEY_EC_P521:
		return ecdh ? BCRYPT_ECDH_PUBLIC_P521_MAGIC : BCRYPT_ECDSA_PUBLIC_P521_MAGIC;
	default:
		return 0;
	}
}

static int pack_point(uint32_t magic, size_t size, struct bytes point, struct packer *out)
{
	pack_le32(out, magic);
	pack_le32(out, size);
	pack_bytes(out, BYTES(point.p + 1, point.n - 1));	/* behind 04: X, Y */
	return pack_end(out);
}

static int pack_ec(EVP_PKEY *key, enum kf_key_type type, enum kf_purpose purpose,
		   struct packer *out)
{
	size_t size = key_type_size(type), n = 0;
	uint8_t point[POINT_MAX];

	if (ec_magic(type, purpose) == 0)
		return -EOPNOTSUPP;
	if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point),
					    &n) != 1 || n != 1 + 2 * size)
		return -EIO;
	return pack_point(ec_magic(type, purpose), size, BYTES(point, n), out);
}

int public_blob_pack(struct bytes spki, enum kf_purpose purpose, struct packer *out)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	enum kf_key_type type;
	int r = spki_parse(spki, &key, &type);

	if (r < 0)
		return r;
	ossl_begin();
	r = key_type_is_rsa(type) ? pack_rsa(key, type, purpose, out)
				  : pack_ec(key, type, purpose, out);
	return ossl_end(r);
}

int public_blob_pack_point(enum kf_key_type type, struct bytes point, struct packer *out)
{
	size_t size = key_type_size(type);
	uint32_t magic = ec_magic(type, KF_PURPOSE_DERIVE);

	if (magic == 0 || point.n != 1 + 2 * size)
		return -EOPNOTSUPP;
	return pack_point(magic, size, point, out);
}

int public_blob_take_point(struct bytes blob, enum kf_key_type type, struct packer *point)
{
	struct unpacker u = unpack_begin(blob);
	uint32_t magic = unpack_le32(&u), size = unpack_le32(&u);
	struct bytes numbers = unpack_rest(&u);

	if (unpack_end(&u) < 0 || magic == 0 || magic != ec_magic(type, KF_PURPOSE_DERIVE) ||
	    size != key_type_size(type) || numbers.n != (size_t)2 * size)
		return -EBADMSG;
	pack_u8(point, 4);			/* uncompressed */
	pack_bytes(point, numbers);
	return pack_end(point);
}
