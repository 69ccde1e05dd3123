/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GENERATE KEY PAIR and GENERATE SECRET KEY. A pair's public half leaves in a certificate request that
 * the new key signs and the device key vouches for; an AES key is never seen.
 */
#include "format/ossl.h"
#include "vreader/card/tlv.h"
#include "vreader/schsm/command.h"

enum { RSA_EXPONENT_MAX = 8, DEFAULT_EXPONENT = 65537 };

/* id-TA, without the two bytes that say which [TR-03110-3 A.6.4.1]. */
static const uint8_t id_ta[] = { 0x04, 0x00, 0x7f, 0x00, 0x07, 0x02, 0x02, 0x02 };

/**
 * struct wish - the data field
 * @rest:	fields of the record: list, counter, domain
 * @bits, @e:	of an RSA key
 */
struct wish {
	struct bytes car, chr;
	enum cvc_algorithm algorithm;
	struct curve_claim claim;
	unsigned int bits;
	uint64_t e;
	struct hsm_record rest;
};

static uint64_t number_of(struct unpacker *u, struct bytes value, size_t max)
{
	struct unpacker v = unpack_begin(value);

	if (value.n == 0 || value.n > max)
		unpack_fail(u);
	return u->bad ? 0 : unpack_be(&v, value.n);
}

static enum cvc_algorithm algorithm_of(struct unpacker *u, struct bytes oid)
{
	struct unpacker v = unpack_begin(oid);

	if (!bytes_equal(unpack_bytes(&v, sizeof(id_ta)), BYTES_OF(id_ta)) || v.left != 2) {
		unpack_fail(u);
		return CVC_NO_ALGORITHM;
	}
	return (enum cvc_algorithm)unpack_be16(&v);
}

/* 7F49, in whatever order: hosts put the size of an RSA key last, and others first. */
static void take_public(struct unpacker *outer, struct bytes value, struct wish *wish)
{
	struct unpacker u = unpack_begin(value);
	struct bytes second = BYTES_NONE;	/* 82: coefficient a, or the exponent */

	while (u.left != 0) {
		unsigned int tag;
		struct bytes v = tlv_take_any(&u, &tag);

		switch (tag) {
		case 0x06: wish->algorithm = algorithm_of(&u, v); break;
		case 0x02: wish->bits = (unsigned int)number_of(&u, v, 2); break;
		case 0x81: wish->claim.p = v; break;
		case 0x82: second = v; break;
		case 0x83: wish->claim.b = v; break;
		case 0x84: wish->claim.g = v; break;
		case 0x85: wish->claim.n = v; break;
		case 0x87: wish->claim.h = v; break;
		default: unpack_fail(&u);
		}
	}
	if (wish->bits != 0)
		wish->e = second.n != 0 ? number_of(&u, second, RSA_EXPONENT_MAX) : DEFAULT_EXPONENT;
	else
		wish->claim.a = second;
	if (unpack_end(&u) < 0)
		unpack_fail(outer);
}

static void take_algorithms(struct unpacker *u, struct bytes value, struct hsm_record *record)
{
	struct packer p = pack_begin(record->algorithms, sizeof(record->algorithms));

	pack_bytes(&p, value);
	if (value.n == 0 || pack_end(&p) < 0)
		unpack_fail(u);
	record->n_algorithms = (uint8_t)p.n;
}

/* What a key of any kind may be given: a counter of uses, a list of algorithms, a domain. */
static bool take_option(struct unpacker *u, unsigned int tag, struct bytes value,
			struct hsm_record *record)
{
	switch (tag) {
	case 0x90:
		record->counted = true;
		record->uses = (uint32_t)number_of(u, value, 4);
		return value.n == 4;
	case 0x91:
		take_algorithms(u, value, record);
		return true;
	case 0x92:
		record->domain = (uint8_t)number_of(u, value, 1);
		return true;
	default:
		return false;
	}
}

/* Domain 0 is where keys are unless somebody says otherwise, even on a card that has none. */
static int domain_check(const struct hsm_state *state, const struct hsm_record *record)
{
	if (record->domain == 0)
		return SW_OK;
	if (record->domain >= state->n_domains)
		return SW_P1P2;
	return state->domains[record->domain].made ? SW_OK : SW_NO_OBJECT;
}

static int parse_wish(struct bytes data, struct wish *out)
{
	struct unpacker u = unpack_begin(data);
	struct wish wish = { 0 };
	struct bytes profile = BYTES_NONE;
	bool has_key = false;

	while (u.left != 0) {
		unsigned int tag;
		struct bytes value = tlv_take_any(&u, &tag);

		if (tag == 0x5f29) {
			profile = value;
		} else if (tag == 0x42) {
			wish.car = value;
		} else if (tag == 0x5f20) {
			wish.chr = value;
		} else if (tag == 0x7f49) {
			take_public(&u, value, &wish);
			has_key = true;
		} else if (!take_option(&u, tag, value, &wish.rest)) {
			return SW_DATA;
		}
	}
	if (unpack_end(&u) < 0 || !has_key || !bytes_are_zero(profile))
		return SW_DATA;
	*out = wish;
	return SW_OK;
}

static bool rsa_size_is_ours(unsigned int bits)
{
	return bits == 1024 || bits == 1536 || bits == 2048 || bits == 3072 || bits == 4096;
}

static int make_pair(const struct hsm *hsm, const struct wish *wish, EVP_PKEY **out)
{
	struct curve curve;
	int r;

	if (wish->bits != 0) {
		if (!rsa_size_is_ours(wish->bits) || wish->e < 3 || wish->e % 2 == 0)
			return SW_DATA;
		return hsm->memory.make_rsa(wish->bits, wish->e, out);
	}
	r = curve_from_claim(&wish->claim, false, &curve);
	if (r < 0)
		return r == -EOPNOTSUPP ? SW_DATA : r;
	*out = EVP_EC_gen(curve.group);
	return *out ? 0 : -EIO;
}

/* Self-signed by the new key, as the host's template names it and its issuer. */
static int build_request(const struct wish *wish, EVP_PKEY *pair, struct packer *out)
{
	struct cvc fields = { .car = wish->car, .chr = wish->chr };
	struct cvc_own_key own = { .key = pair };
	struct cvc_key_store store;
	int r = cvc_key_describe(pair, wish->algorithm, &store, &fields.key);

	if (r < 0)
		return r == -EINVAL ? SW_DATA : r;
	own.algorithm = fields.key.algorithm;
	r = cvc_build(&fields, cvc_sign_with(&own), out);
	return r == -EINVAL ? SW_DATA : r;
}

static int vouch(const struct hsm *hsm, struct bytes request, struct packer *out)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *device = NULL;
	struct unpacker u = unpack_begin(blob_bytes(hsm->state->device_cert));
	struct cvc_own_key own = { .algorithm = CVC_ECDSA_SHA256 };
	struct cvc cert;
	int r = cvc_take(&u, &cert);

	if (r == 0)
		r = hsm_key_open(hsm->state->device, &device);
	if (r < 0)
		return r;
	own.key = device;
	return cvc_voucher_build(request, cert.chr, cvc_sign_with(&own), out);
}

/* The answer is made before the key is kept: a card that cannot say what it made has made nothing. */
static int answer(const struct hsm *hsm, const struct wish *wish, EVP_PKEY *pair, struct packer *out)
{
	uint8_t buf[CVC_MAX];
	struct packer request = pack_begin(buf, sizeof(buf));
	int r = build_request(wish, pair, &request);

	if (r != 0)
		return r;
	return vouch(hsm, pack_done(&request), out);
}

HSM_RUN(hsm_generate_pair)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *pair = NULL;
	struct wish wish;
	int r = parse_wish(request->data, &wish);

	if (r == SW_OK)
		r = domain_check(hsm->state, &wish.rest);
	if (r != SW_OK)
		return r;
	r = make_pair(hsm, &wish, &pair);
	if (r == 0)
		r = answer(hsm, &wish, pair, out);
	if (r == 0)
		r = hsm_key_new(pair, &wish.rest.key);
	if (r != 0)
		return r;
	wish.rest.id = request->p1;
	r = hsm_keep_key(hsm, &wish.rest);
	(void)hsm_key_unref(wish.rest.key);
	return r != 0 ? r : SW_OK;
}

static int parse_options(struct bytes data, struct hsm_record *record)
{
	struct unpacker u = unpack_begin(data);

	while (u.left != 0) {
		unsigned int tag;
		struct bytes value = tlv_take_any(&u, &tag);

		if (!take_option(&u, tag, value, record))
			return SW_DATA;
	}
	return unpack_end(&u) < 0 ? SW_DATA : SW_OK;
}

static int make_secret(const struct hsm *hsm, size_t n, struct hsm_key **out)
{
	uint8_t secret[32];
	int r = hsm->memory.random(secret, n);

	if (r == 0)
		r = hsm_key_new_aes(BYTES(secret, n), out);
	wipe(secret, sizeof(secret));
	return r;
}

HSM_RUN(hsm_generate_secret)
{
	struct hsm_record record = { .id = request->p1 };
	int r = parse_options(request->data, &record);

	(void)out;
	if (r == SW_OK)
		r = domain_check(hsm->state, &record);
	if (r != SW_OK)
		return r;
	r = make_secret(hsm, 16 + 8 * (size_t)(request->p2 - ALG_AES_128), &record.key);
	if (r == 0)
		r = hsm_keep_key(hsm, &record);
	(void)hsm_key_unref(record.key);
	return r != 0 ? r : SW_OK;
}
