/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/card/schsm_generate.c - GENERATE KEY PAIR and GENERATE AES KEY [cards 2.3], with a list of what
 * the card is to allow the key: one purpose, and never WRAP (SECURITY sections 2 and 8).
 */
#include "driver/card/schsm.h"

#include "format/numbers.h"
#include "format/schsm/curve.h"
#include "driver/iso7816/tlv.h"

enum { INS_GENERATE_PAIR = 0x46, INS_GENERATE_AES = 0x48 };

/* id-TA-RSA-v1-5-SHA-256, id-TA-ECDSA-SHA-256: what the request is signed with. */
static const uint8_t oid_rsa[] = { 0x04, 0x00, 0x7f, 0x00, 0x07, 0x02, 0x02, 0x02, 0x01, 0x02 };
static const uint8_t oid_ec[] = { 0x04, 0x00, 0x7f, 0x00, 0x07, 0x02, 0x02, 0x02, 0x02, 0x03 };

struct bytes schsm_algorithms(enum kf_key_type type, enum kf_purpose purpose)
{
	static const uint8_t rsa_sign[] = {
		SCHSM_RSA_PKCS1, 0x31, 0x33, 0x34, 0x35, SCHSM_RSA_PSS, 0x41, 0x43, 0x44, 0x45,
	};
	static const uint8_t rsa_decrypt[] = { SCHSM_RSA_PKCS1_DECRYPT, SCHSM_RSA_OAEP_DECRYPT };
	static const uint8_t ec_sign[] = { SCHSM_ECDSA, 0x71, 0x73, 0x74, 0x75 };
	static const uint8_t ec_derive[] = { SCHSM_ECDH };
	static const uint8_t aes[] = { SCHSM_CBC_ENCRYPT, SCHSM_CBC_DECRYPT, SCHSM_CMAC };

	if (key_type_is_aes(type))
		return purpose == KF_PURPOSE_CIPHER ? BYTES_OF(aes) : BYTES_NONE;
	if (key_type_is_rsa(type))
		return purpose == KF_PURPOSE_SIGN    ? BYTES_OF(rsa_sign) :
		       purpose == KF_PURPOSE_DECRYPT ? BYTES_OF(rsa_decrypt) : BYTES_NONE;
	if (type != KF_KEY_EC_P256 && type != KF_KEY_EC_P384 && type != KF_KEY_EC_P521 &&
	    type != KF_KEY_EC_P256K)
		return BYTES_NONE;
	return purpose == KF_PURPOSE_SIGN   ? BYTES_OF(ec_sign) :
	       purpose == KF_PURPOSE_DERIVE ? BYTES_OF(ec_derive) : BYTES_NONE;
}

static int put_curve(struct packer *p, enum kf_key_type type)
{
	static const struct { enum kf_key_type type; const char *group; } groups[] = {
		{ KF_KEY_EC_P256, "prime256v1" }, { KF_KEY_EC_P384, "secp384r1" },
		{ KF_KEY_EC_P521, "secp521r1" }, { KF_KEY_EC_P256K, "secp256k1" },
	};
	struct curve_claim claim;
	struct curve curve;
	int r = -EOPNOTSUPP;

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (groups[i].type == type)
			r = curve_from_group(groups[i].group, &curve);
	if (r < 0)
		return r;
	claim = curve_numbers(&curve);
	tlv_pack(p, 0x06, BYTES_OF(oid_ec));
	tlv_pack(p, 0x81, claim.p);
	tlv_pack(p, 0x82, claim.a);
	tlv_pack(p, 0x83, claim.b);
	tlv_pack(p, 0x84, claim.g);
	tlv_pack(p, 0x85, claim.n);
	tlv_pack(p, 0x87, BYTES("\x01", 1));
	return pack_end(p);
}

static int put_key(struct packer *p, enum kf_key_type type)
{
	uint8_t size[] = { (uint8_t)(key_type_bits(type) >> 8), (uint8_t)key_type_bits(type) };

	if (!key_type_is_rsa(type))
		return put_curve(p, type);
	tlv_pack(p, 0x06, BYTES_OF(oid_rsa));
	tlv_pack(p, 0x82, BYTES("\x01\x00\x01", 3));
	tlv_pack(p, 0x02, BYTES_OF(size));
	return pack_end(p);
}

/* The request names its holder; nobody but the card's own voucher says anything about it. */
static int generate_pair(struct card *card, uint32_t container, enum kf_key_type type,
			 struct bytes algorithms, struct bytes *answer)
{
	uint8_t buf[640], inner[512];
	struct packer p = pack_begin(buf, sizeof(buf)), key = pack_begin(inner, sizeof(inner));
	struct card_command generate = {
		.ins = INS_GENERATE_PAIR, .p1 = (uint8_t)container, .answers = true,
	};
	char holder[12];
	int r = put_key(&key, type);

	if (r < 0)
		return r;
	(void)snprintf(holder, sizeof(holder), "UTKF%05u", container);
	tlv_pack(&p, 0x5f29, BYTES("", 1));
	tlv_pack(&p, 0x42, BYTES("UTCA00001", 9));
	tlv_pack(&p, 0x7f49, pack_done(&key));
	tlv_pack(&p, 0x5f20, BYTES(holder, strlen(holder)));
	tlv_pack(&p, 0x91, algorithms);
	assert(!p.bad);
	generate.data = pack_done(&p);
	r = schsm_call(card, &generate, answer);
	return r == 0 && answer->n == 0 ? -EBADMSG : r;
}

static int generate_aes(struct card *card, uint32_t container, enum kf_key_type type,
			struct bytes algorithms)
{
	uint8_t buf[16];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct card_command generate = {
		.ins = INS_GENERATE_AES, .p1 = (uint8_t)container,
		.p2 = (uint8_t)(0xb0 + (type - KF_KEY_AES_128)),
	};

	tlv_pack(&p, 0x91, algorithms);
	assert(!p.bad);
	generate.data = pack_done(&p);
	return schsm_do(card, &generate);
}

int schsm_generate(struct card *card, uint32_t container, enum kf_key_type type,
		   enum kf_purpose purpose, struct bytes *answer)
{
	struct bytes algorithms = schsm_algorithms(type, purpose);

	*answer = BYTES_NONE;
	return key_type_is_aes(type) ? generate_aes(card, container, type, algorithms) :
				       generate_pair(card, container, type, algorithms, answer);
}
