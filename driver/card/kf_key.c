/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/card/kf_key.c - Signing, decrypting, agreeing: MANAGE SECURITY ENVIRONMENT, then PERFORM
 * SECURITY OPERATION, as one verb, so a selection never outlives it in anybody's mind
 * [card-application 4.8, 4.9].
 */
#include "driver/card/kf.h"

#include "base/secret.h"
#include "driver/card/fields.h"

#define RSA_MAX		512u		/* RSA 4096 */
#define POINT_MAX	133u		/* P-521: 04 x y */
#define CIPHER_DATA_MAX	(KF_CIPHER_MAX + APP_AAD_MAX + 64)

enum crt { CRT_SIGN = 0xb6, CRT_DECRYPT = 0xb8, CRT_AGREE = 0xa6 };

static int select_key(struct card *card, enum crt crt, enum algorithm algorithm,
		      uint32_t container)
{
	uint8_t buf[8];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct card_command mse = { .ins = INS_MSE, .p1 = 0x41, .p2 = (uint8_t)crt };
	int r;

	if (container >= kf_of(card)->info.n_containers)
		return -EINVAL;
	field_put_uint(&p, 0x80, algorithm, 1);
	field_put_uint(&p, 0x84, container, 1);
	mse.data = pack_done(&p);
	r = kf_do(card, &mse);
	if (r == -EREMOTEIO && card->said.sw == SW_CONDITIONS)
		card->said.reason = KF_REASON_KEY_PURPOSE;
	if (r == -EREMOTEIO && card->said.sw == SW_DATA)
		return -EINVAL;		/* the algorithm does not fit the key's type */
	return r;
}

static int operate(struct card *card, uint16_t p1p2, struct bytes data, struct packer *out)
{
	const struct card_command pso = {
		.ins = INS_PSO, .p1 = (uint8_t)(p1p2 >> 8), .p2 = (uint8_t)p1p2, .data = data,
		.answers = true,
	};
	struct bytes answer;
	int r;

	r = kf_call(card, &pso, &answer);
	if (r == -EREMOTEIO && card->said.sw == SW_CONDITIONS)
		card->said.reason = KF_REASON_KEY_PURPOSE;
	if (r < 0)
		return r;
	if (answer.n > RSA_MAX)
		return -EBADMSG;
	pack_bytes(out, answer);
	return pack_end(out);
}

static int algorithm_find(const uint8_t by_hash[static KF_HASH_SHA512 + 1], uint32_t hash,
			  enum algorithm *out)
{
	if (hash > KF_HASH_SHA512)
		return -EINVAL;
	*out = (enum algorithm)by_hash[hash];
	return by_hash[hash] != ALG_NONE ? 0 : hash == KF_HASH_NONE ? -EINVAL : -EOPNOTSUPP;
}

static int sign_algorithm(const struct kf_sign *how, enum algorithm *out)
{
	static const uint8_t pkcs1[KF_HASH_SHA512 + 1] = {
		[KF_HASH_SHA256] = ALG_PKCS1_SHA256, [KF_HASH_SHA384] = ALG_PKCS1_SHA384,
		[KF_HASH_SHA512] = ALG_PKCS1_SHA512,
	};
	static const uint8_t pss[KF_HASH_SHA512 + 1] = {
		[KF_HASH_SHA256] = ALG_PSS_SHA256, [KF_HASH_SHA384] = ALG_PSS_SHA384,
		[KF_HASH_SHA512] = ALG_PSS_SHA512,
	};
	static const uint8_t ecdsa[KF_HASH_SHA512 + 1] = {
		[KF_HASH_SHA256] = ALG_ECDSA_SHA256, [KF_HASH_SHA384] = ALG_ECDSA_SHA384,
		[KF_HASH_SHA512] = ALG_ECDSA_SHA512,
	};

	switch (how->padding) {
	case KF_PADDING_PKCS1:
		return algorithm_find(pkcs1, how->hash, out);
	case KF_PADDING_PSS:
		return algorithm_find(pss, how->hash, out);
	case KF_PADDING_NONE:
		return algorithm_find(ecdsa, how->hash, out);
	default:
		return -EINVAL;
	}
}

int kf_sign(struct card *card, const struct kf_sign *how, struct bytes digest,
	    struct packer *signature)
{
	enum algorithm algorithm;
	size_t start = signature->n;
	int r;

	r = sign_algorithm(how, &algorithm);
	if (r < 0)
		return r;
	if (digest.n != algorithm_hash_size(algorithm))
		return -EINVAL;
	if (how->salt_len != 0 && how->padding != KF_PADDING_PSS)
		return -EINVAL;
	if (how->salt_len != 0 && how->salt_len != digest.n)
		return -EOPNOTSUPP;		/* the card's salt is as long as the hash */
	r = select_key(card, CRT_SIGN, algorithm, how->container);
	if (r < 0)
		return r;
	r = operate(card, 0x9e9a, digest, signature);
	if (r < 0)
		return r;
	return signature->n > start ? 0 : -EBADMSG;
}

static int decrypt_algorithm(const struct kf_decrypt *how, enum algorithm *out)
{
	static const uint8_t oaep[KF_HASH_SHA512 + 1] = {
		[KF_HASH_SHA1] = ALG_OAEP_SHA1, [KF_HASH_SHA256] = ALG_OAEP_SHA256,
		[KF_HASH_SHA384] = ALG_OAEP_SHA384, [KF_HASH_SHA512] = ALG_OAEP_SHA512,
	};

	switch (how->padding) {
	case KF_PADDING_PKCS1:
		*out = ALG_RSAES_PKCS1;
		return how->hash == KF_HASH_NONE ? 0 : -EINVAL;
	case KF_PADDING_OAEP:
		return algorithm_find(oaep, how->hash, out);
	default:
		return -EINVAL;
	}
}

int kf_decrypt(struct card *card, const struct kf_decrypt *how, struct bytes input,
	       struct bytes label, struct packer *output)
{
	uint8_t buf[1 + RSA_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	enum algorithm algorithm;
	int r;

	r = decrypt_algorithm(how, &algorithm);
	if (r < 0)
		return r;
	if (label.n != 0)
		return how->padding == KF_PADDING_OAEP ? -EOPNOTSUPP : -EINVAL;
	pack_u8(&p, 0x00);		/* padding indicator: none of the card's business */
	pack_bytes(&p, input);
	if (p.bad || input.n == 0)
		return -EINVAL;
	r = select_key(card, CRT_DECRYPT, algorithm, how->container);
	if (r < 0)
		return r;
	return operate(card, 0x8086, pack_done(&p), output);
}

int kf_agree(struct card *card, uint32_t container, struct bytes peer, struct packer *secret)
{
	uint8_t inner[3 + POINT_MAX], middle[4 + sizeof(inner)], outer[3 + sizeof(middle)];
	struct packer point = pack_begin(inner, sizeof(inner));
	struct packer key = pack_begin(middle, sizeof(middle));
	struct packer control = pack_begin(outer, sizeof(outer));
	size_t start = secret->n;
	int r;

	tlv_pack(&point, 0x86, peer);
	if (point.bad || peer.n < 3 || peer.p[0] != 0x04)
		return -EINVAL;
	tlv_pack(&key, 0x7f49, pack_done(&point));
	tlv_pack(&control, 0xa6, pack_done(&key));
	assert(!control.bad);
	r = select_key(card, CRT_AGREE, ALG_ECDH, container);
	if (r < 0)
		return r;
	r = operate(card, 0x8086, pack_done(&control), secret);
	if (r == -EREMOTEIO && card->said.sw == SW_DATA)
		return -EINVAL;		/* not a point of the key's curve; public data */
	if (r < 0)
		return r;
	return secret->n - start == (peer.n - 1) / 2 ? 0 : -EBADMSG;
}

/* --- AES [card-application 7.5] --- */

static int cipher_find(const struct kf_cipher *how, enum app_cipher *out)
{
	bool decrypt = how->flags & KF_CIPHER_DECRYPT;

	if (how->flags & KF_CIPHER_MAC)
		return -EOPNOTSUPP;
	if (how->mode == KF_CHAIN_CBC)
		*out = decrypt ? APP_CBC_DECRYPT : APP_CBC_ENCRYPT;
	else if (how->mode == KF_CHAIN_GCM)
		*out = decrypt ? APP_GCM_DECRYPT : APP_GCM_ENCRYPT;
	else
		return how->mode == KF_CHAIN_ECB ? -EOPNOTSUPP : -EINVAL;
	return 0;
}

static bool cipher_fits(enum app_cipher cipher, struct bytes aad, struct bytes input)
{
	bool cbc = cipher == APP_CBC_ENCRYPT || cipher == APP_CBC_DECRYPT;

	if (input.n > KF_CIPHER_MAX || aad.n > APP_AAD_MAX)
		return false;
	return !cbc || (aad.n == 0 && input.n != 0 && input.n % AES_BLOCK == 0);
}

static struct bytes cipher_data(enum app_cipher cipher, const struct kf_cipher *how,
				struct bytes aad, struct bytes input, struct packer *p)
{
	bool gcm = cipher == APP_GCM_ENCRYPT || cipher == APP_GCM_DECRYPT;

	if (cipher != APP_GCM_ENCRYPT)
		tlv_pack(p, 0x80, BYTES(how->iv, gcm ? GCM_IV_SIZE : AES_BLOCK));
	tlv_pack(p, 0x81, input);
	if (cipher == APP_GCM_DECRYPT)
		tlv_pack(p, 0x82, BYTES_OF(how->tag));
	if (gcm)
		tlv_pack(p, 0x83, aad);
	return pack_done(p);
}

/* What GCM made: nonce, text, tag. */
static int take_sealed(struct bytes answer, struct kf_cipher *how, struct bytes *text)
{
	struct unpacker u = unpack_begin(answer);
	struct bytes iv = field_take(&u, 0x80), tag;

	*text = field_take(&u, 0x81);
	tag = field_take(&u, 0x82);
	if (unpack_end(&u) < 0 || iv.n != GCM_IV_SIZE || tag.n != GCM_TAG_SIZE)
		return -EBADMSG;
	memset(how->iv, 0, sizeof(how->iv));
	memcpy(how->iv, iv.p, iv.n);
	memcpy(how->tag, tag.p, tag.n);
	return 0;
}

static int cipher_run(struct card *card, enum app_cipher cipher, struct kf_cipher *how,
		      struct bytes data, struct bytes *text)
{
	const struct card_command command = {
		.cla = 0x80, .ins = INS_CIPHER, .p1 = (uint8_t)cipher, .p2 = (uint8_t)how->container,
		.data = data, .answers = true,
	};
	struct bytes answer;
	int r = kf_call(card, &command, &answer);

	if (r == -EREMOTEIO && card->said.sw == SW_CONDITIONS)
		card->said.reason = KF_REASON_KEY_PURPOSE;
	if (r == -EREMOTEIO && card->said.sw == SW_REFUSED)
		card->said.reason = KF_REASON_TAG;
	if (r < 0)
		return r;
	*text = answer;
	return cipher == APP_GCM_ENCRYPT ? take_sealed(answer, how, text) : 0;
}

int kf_cipher(struct card *card, struct kf_cipher *how, struct bytes aad, struct bytes input,
	      struct packer *output)
{
	_cleanup_(secret_deinit) struct secret data = SECRET_INIT;
	enum app_cipher cipher;
	struct bytes text;
	struct packer p;
	int r;

	r = cipher_find(how, &cipher);
	if (r < 0)
		return r;
	if (how->container >= kf_of(card)->info.n_containers || !cipher_fits(cipher, aad, input))
		return -EINVAL;
	r = secret_init(&data, CIPHER_DATA_MAX);
	if (r < 0)
		return r;
	p = pack_begin(data.p, data.cap);
	r = cipher_run(card, cipher, how, cipher_data(cipher, how, aad, input, &p), &text);
	if (r < 0)
		return r;
	if (text.n != input.n)
		return -EBADMSG;
	pack_bytes(output, text);
	return pack_end(output);
}
