/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/schsm/cvc.c - The bytes of a certificate: read straight down in the order of [TR-03110-3 C.1],
 * and written in the same.
 */
#include "format/schsm/cvc.h"
#include "format/der.h"
#include "format/numbers.h"

enum { NAME_SEQUENCE = 5 };		/* [TR-03110-3 A.6.2.1]: what ends a name */

enum {
	TAG_CVC = 0x7f21,
	TAG_BODY = 0x7f4e,
	TAG_PROFILE = 0x5f29,
	TAG_CAR = 0x42,
	TAG_KEY = 0x7f49,
	TAG_CHR = 0x5f20,
	TAG_CHAT = 0x7f4c,
	TAG_RIGHTS = 0x53,
	TAG_FROM = 0x5f25,
	TAG_TO = 0x5f24,
	TAG_EXTENSIONS = 0x65,
	TAG_EXTENSION = 0x73,
	TAG_SIGNATURE = 0x5f37,
	TAG_VOUCHER = 0x67,
};

/* id-TA [TR-03110-3 A.6.4]; the algorithm's two bytes follow. */
static const uint8_t oid_ta[] = { 0x04, 0x00, 0x7f, 0x00, 0x07, 0x02, 0x02, 0x02 };

static bool algorithm_is_known(unsigned int number)
{
	return (number >= CVC_RSA_V15_SHA1 && number <= CVC_RSA_PSS_SHA512) ||
	       (number >= CVC_ECDSA_SHA1 && number <= CVC_ECDSA_SHA512);
}

/* [TR-03110-3 A.6.2.1]: country, mnemonic, sequence number; they are shown, so no control characters. */
static bool is_name(struct bytes name)
{
	if (name.n == 0 || name.n > CVC_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] < 0x20 || name.p[i] > 0x7e)
			return false;
	}
	return true;
}

static struct bytes take_name(struct unpacker *u, uint16_t tag)
{
	struct bytes name = der_take(u, tag);

	if (!is_name(name))
		unpack_fail(u);
	return name;
}

static bool is_date(struct bytes date)
{
	if (date.n != CVC_DATE_SIZE)
		return false;
	for (size_t i = 0; i < date.n; i++) {
		if (date.p[i] > 9)
			return false;
	}
	return true;
}

static struct bytes take_date(struct unpacker *u, uint16_t tag)
{
	struct bytes date = der_take(u, tag);

	if (!is_date(date))
		unpack_fail(u);
	return date;
}

static enum cvc_algorithm take_algorithm(struct unpacker *u)
{
	struct unpacker oid = der_enter(u, DER_OID);
	unsigned int number;

	if (!bytes_equal(unpack_bytes(&oid, sizeof(oid_ta)), BYTES_OF(oid_ta)))
		unpack_fail(&oid);
	number = unpack_be16(&oid);
	der_leave(u, &oid);
	if (!algorithm_is_known(number))
		unpack_fail(u);
	return u->bad ? CVC_NO_ALGORITHM : (enum cvc_algorithm)number;
}

static struct bytes take_filled(struct unpacker *u, uint16_t tag)
{
	struct bytes value = der_take(u, tag);

	if (value.n == 0)
		unpack_fail(u);
	return value;
}

/* [TR-03110-3 D.3.3]: the numbers of the curve are all there, or none of them. */
static void take_ec_key(struct unpacker *u, struct cvc_key *out)
{
	bool domain = der_is_next(u, 0x81);

	if (domain) {
		out->domain.p = take_filled(u, 0x81);
		out->domain.a = take_filled(u, 0x82);
		out->domain.b = take_filled(u, 0x83);
		out->domain.g = take_filled(u, 0x84);
		out->domain.n = take_filled(u, 0x85);
	}
	out->point = take_filled(u, 0x86);
	if (domain)
		out->domain.h = take_filled(u, 0x87);
}

static void take_key(struct unpacker *outer, struct cvc_key *out)
{
	struct unpacker u = der_enter(outer, TAG_KEY);

	out->algorithm = take_algorithm(&u);
	if (cvc_key_is_rsa(out)) {
		out->n = take_filled(&u, 0x81);	/* [TR-03110-3 D.3.1] */
		out->e = take_filled(&u, 0x82);
	} else {
		take_ec_key(&u, out);
	}
	der_leave(outer, &u);
}

/* [TR-03110-3 C.1.4]: role type and rights. */
static struct bytes take_chat(struct unpacker *outer)
{
	struct bytes whole = der_take(outer, TAG_CHAT);
	struct unpacker u = unpack_begin(whole);

	(void)take_filled(&u, DER_OID);
	(void)take_filled(&u, TAG_RIGHTS);
	if (unpack_end(&u) < 0)
		unpack_fail(outer);
	return whole;
}

static struct bytes take_extensions(struct unpacker *outer)
{
	struct bytes whole = take_filled(outer, TAG_EXTENSIONS);
	struct unpacker u = unpack_begin(whole);

	while (!u.bad && u.left != 0) {
		struct unpacker one = der_enter(&u, TAG_EXTENSION);

		(void)take_filled(&one, DER_OID);
		(void)unpack_rest(&one);
		der_leave(&u, &one);
	}
	if (u.bad)
		unpack_fail(outer);
	return whole;
}

static void take_body(struct unpacker *outer, struct cvc *out)
{
	struct unpacker ahead = *outer;
	struct unpacker u = der_enter(outer, TAG_BODY);
	static const uint8_t version[] = { 0 };

	out->body = der_take_whole(&ahead, TAG_BODY);
	if (!bytes_equal(der_take(&u, TAG_PROFILE), BYTES_OF(version)))
		unpack_fail(&u);
	if (der_is_next(&u, TAG_CAR))
		out->car = take_name(&u, TAG_CAR);
	take_key(&u, &out->key);
	out->chr = take_name(&u, TAG_CHR);
	if (der_is_next(&u, TAG_CHAT)) {
		out->chat = take_chat(&u);
		out->from = take_date(&u, TAG_FROM);
		out->to = take_date(&u, TAG_TO);
		if (out->car.n == 0)	/* only requests may leave it out [TR-03110-3 C.2] */
			unpack_fail(&u);
	}
	if (der_is_next(&u, TAG_EXTENSIONS))
		out->extensions = take_extensions(&u);
	der_leave(outer, &u);
}

static struct bytes take_signature(struct unpacker *u)
{
	struct bytes signature = take_filled(u, TAG_SIGNATURE);

	if (signature.n > CVC_SIGNATURE_MAX)
		unpack_fail(u);
	return signature;
}

int cvc_take(struct unpacker *outer, struct cvc *out)
{
	struct unpacker ahead = *outer;
	struct unpacker u = der_enter(outer, TAG_CVC);
	struct cvc cvc = { .whole = der_take_whole(&ahead, TAG_CVC) };

	take_body(&u, &cvc);
	cvc.signature = take_signature(&u);
	der_leave(outer, &u);
	if (outer->bad)
		return -EBADMSG;
	*out = cvc;
	return 0;
}

int cvc_parse(struct bytes der, struct cvc *out)
{
	struct unpacker u = unpack_begin(der);
	struct cvc cvc;

	if (cvc_take(&u, &cvc) < 0 || unpack_end(&u) < 0)
		return -EBADMSG;
	*out = cvc;
	return 0;
}

int cvc_voucher_parse(struct bytes der, struct cvc_voucher *out)
{
	struct unpacker whole = unpack_begin(der);
	struct unpacker u = der_enter(&whole, TAG_VOUCHER);
	struct cvc_voucher voucher = { 0 };
	const uint8_t *start = u.p;

	if (cvc_take(&u, &voucher.request) < 0 || !cvc_is_request(&voucher.request))
		return -EBADMSG;
	voucher.car = take_name(&u, TAG_CAR);
	voucher.signed_part = BYTES(start, (size_t)(u.p - start));
	voucher.signature = take_signature(&u);
	der_leave(&whole, &u);
	if (unpack_end(&whole) < 0)
		return -EBADMSG;
	*out = voucher;
	return 0;
}

/* [TR-03110-3 C.4]: the two highest bits of the rights; none of them is set where nothing is issued. */
bool cvc_may_issue(const struct cvc *cvc)
{
	struct unpacker u = unpack_begin(cvc->chat);
	struct bytes rights;

	(void)der_take(&u, DER_OID);
	rights = der_take(&u, TAG_RIGHTS);
	return rights.n != 0 && (rights.p[0] & 0xc0) != 0;
}

struct bytes cvc_serial(struct bytes chr)
{
	struct bytes serial = chr.n > NAME_SEQUENCE ? bytes_slice(chr, 0, chr.n - NAME_SEQUENCE) : chr;

	return serial_is_valid(serial) ? serial : BYTES_NONE;
}

int cvc_extension(const struct cvc *cvc, struct bytes oid, struct bytes *out)
{
	struct unpacker u = unpack_begin(cvc->extensions);
	int r = -ENOENT;

	while (!u.bad && u.left != 0) {
		struct unpacker one = der_enter(&u, TAG_EXTENSION);

		if (!bytes_equal(der_take(&one, DER_OID), oid))
			continue;
		if (r == 0)
			return -EBADMSG;
		*out = unpack_rest(&one);
		r = 0;
	}
	return r;
}

/* --- writing --- */

static void put_key(struct packer *p, const struct cvc_key *key)
{
	struct der_mark mark = der_begin(p, TAG_KEY), oid = der_begin(p, DER_OID);

	pack_bytes(p, BYTES_OF(oid_ta));
	pack_be16(p, key->algorithm);
	der_end(p, oid);
	if (cvc_key_is_rsa(key)) {
		der_put(p, 0x81, key->n);
		der_put(p, 0x82, key->e);
		der_end(p, mark);
		return;
	}
	if (cvc_key_has_domain(key)) {
		der_put(p, 0x81, key->domain.p);
		der_put(p, 0x82, key->domain.a);
		der_put(p, 0x83, key->domain.b);
		der_put(p, 0x84, key->domain.g);
		der_put(p, 0x85, key->domain.n);
	}
	der_put(p, 0x86, key->point);
	if (cvc_key_has_domain(key))
		der_put(p, 0x87, key->domain.h);
	der_end(p, mark);
}

static void put_body(struct packer *p, const struct cvc *cvc)
{
	struct der_mark mark = der_begin(p, TAG_BODY);
	static const uint8_t version[] = { 0 };

	der_put(p, TAG_PROFILE, BYTES_OF(version));
	if (cvc->car.n != 0)
		der_put(p, TAG_CAR, cvc->car);
	put_key(p, &cvc->key);
	der_put(p, TAG_CHR, cvc->chr);
	if (!cvc_is_request(cvc)) {
		der_put(p, TAG_CHAT, cvc->chat);
		der_put(p, TAG_FROM, cvc->from);
		der_put(p, TAG_TO, cvc->to);
	}
	if (cvc->extensions.n != 0)
		der_put(p, TAG_EXTENSIONS, cvc->extensions);
	der_end(p, mark);
}

static bool fields_make_sense(const struct cvc *cvc)
{
	const struct cvc_key *key = &cvc->key;

	if (!is_name(cvc->chr) || (cvc->car.n != 0 && !is_name(cvc->car)))
		return false;
	if (!cvc_is_request(cvc) && (cvc->car.n == 0 || !is_date(cvc->from) || !is_date(cvc->to)))
		return false;
	if (!algorithm_is_known(key->algorithm))
		return false;
	return cvc_key_is_rsa(key) ? key->n.n != 0 && key->e.n != 0 : key->point.n != 0;
}

/* Signs what stands in @p from @from on, and packs the signature behind it. */
static int put_signature(struct packer *p, size_t from, struct cvc_signer signer)
{
	uint8_t buf[CVC_SIGNATURE_MAX];
	struct packer signature = pack_begin(buf, sizeof(buf));
	int r;

	if (p->bad)
		return -EMSGSIZE;
	r = signer.sign(signer.context, BYTES(p->p + from, p->n - from), &signature);
	if (r == 0)
		r = pack_end(&signature);
	if (r == 0)
		der_put(p, TAG_SIGNATURE, pack_done(&signature));
	return r;
}

int cvc_build(const struct cvc *fields, struct cvc_signer signer, struct packer *out)
{
	struct der_mark mark;
	int r;

	if (!fields_make_sense(fields))
		return -EINVAL;
	mark = der_begin(out, TAG_CVC);
	put_body(out, fields);
	r = put_signature(out, mark.at, signer);
	if (r < 0)
		return r;
	der_end(out, mark);
	return pack_end(out);
}

int cvc_voucher_build(struct bytes request, struct bytes car, struct cvc_signer signer,
		      struct packer *out)
{
	struct der_mark mark;
	struct cvc cvc;
	int r;

	if (cvc_parse(request, &cvc) < 0 || !cvc_is_request(&cvc) || !is_name(car))
		return -EINVAL;
	mark = der_begin(out, TAG_VOUCHER);
	pack_bytes(out, request);
	der_put(out, TAG_CAR, car);
	r = put_signature(out, mark.at, signer);
	if (r < 0)
		return r;
	der_end(out, mark);
	return pack_end(out);
}
