/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/schsm/wrapped_file.h"
#include "format/der.h"
#include "format/numbers.h"

enum {
	TAG_EC_KEY = 0xa0,
	TAG_AES_KEY = 0xa8,
	TAG_CVC = 0x7f21,
	TAG_VOUCHER = 0x67,
	TAG_BITS = 0x03,
	TAG_TYPE_ATTRIBUTES = 0xa1,
};

static struct bytes take_one_of(struct unpacker *u, const uint16_t *tags, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (der_is_next(u, tags[i]))
			return der_take_whole(u, tags[i]);
	}
	unpack_fail(u);
	return BYTES_NONE;
}

int wrapped_file_parse(struct bytes der, struct wrapped_file *out)
{
	static const uint16_t prkd_tags[] = { DER_SEQUENCE, TAG_EC_KEY, TAG_AES_KEY };
	static const uint16_t cert_tags[] = { DER_SEQUENCE, TAG_CVC, TAG_VOUCHER };
	struct unpacker whole = unpack_begin(der);
	struct unpacker u = der_enter(&whole, DER_SEQUENCE);
	struct wrapped_file file = { 0 };

	file.blob = der_take(&u, DER_OCTETS);
	if (u.left != 0)
		file.prkd = take_one_of(&u, prkd_tags, 3);
	if (u.left != 0)
		file.cert = take_one_of(&u, cert_tags, 3);
	der_leave(&whole, &u);
	if (unpack_end(&whole) < 0 || file.blob.n == 0)
		return -EBADMSG;
	*out = file;
	return 0;
}

int wrapped_file_pack(const struct wrapped_file *file, struct packer *out)
{
	struct der_mark mark = der_begin(out, DER_SEQUENCE);

	der_put(out, DER_OCTETS, file->blob);
	pack_bytes(out, file->prkd);
	pack_bytes(out, file->cert);
	der_end(out, mark);
	return pack_end(out);
}

struct bytes wrapped_prkd_label(struct bytes prkd)
{
	struct unpacker whole = unpack_begin(prkd), u, common;
	struct bytes label;

	u = der_enter(&whole, der_is_next(&whole, TAG_EC_KEY)	? TAG_EC_KEY :
			      der_is_next(&whole, TAG_AES_KEY) ? TAG_AES_KEY : DER_SEQUENCE);
	common = der_enter(&u, DER_SEQUENCE);
	label = der_take(&common, DER_UTF8);
	if (label.n > WRAPPED_LABEL_MAX)
		return BYTES_NONE;
	for (size_t i = 0; i < label.n; i++) {
		if (label.p[i] < 0x20 || label.p[i] > 0x7e)
			return BYTES_NONE;
	}
	return label;
}

/* KeyUsageFlags [PKCS#15 6.2.6]: encrypt 0, decrypt 1, sign 2, derive 8; the first byte says how many bits are none. */
static void put_usage(struct packer *p, enum kf_purpose purpose)
{
	static const uint8_t sign[] = { 5, 0x20 }, decrypt[] = { 6, 0x40 }, derive[] = { 7, 0x00, 0x80 },
			     cipher[] = { 6, 0xc0 };

	der_put(p, TAG_BITS, purpose == KF_PURPOSE_SIGN	   ? BYTES_OF(sign) :
			     purpose == KF_PURPOSE_DECRYPT ? BYTES_OF(decrypt) :
			     purpose == KF_PURPOSE_DERIVE  ? BYTES_OF(derive) : BYTES_OF(cipher));
}

int wrapped_prkd_pack(const struct wrapped_key *key, struct packer *out)
{
	static const uint8_t sensitive[] = { 7, 0x80 };
	uint8_t tag = key_type_is_rsa(key->type) ? DER_SEQUENCE :
		      key_type_is_ec(key->type) ? TAG_EC_KEY : TAG_AES_KEY;
	struct der_mark whole = der_begin(out, tag), part = der_begin(out, DER_SEQUENCE), sequence, path;

	der_put_text(out, key->label);
	der_end(out, part);
	part = der_begin(out, DER_SEQUENCE);
	der_put(out, DER_OCTETS, BYTES(&key->id, 1));
	put_usage(out, key->purpose);
	der_put(out, TAG_BITS, BYTES_OF(sensitive));
	der_end(out, part);
	part = der_begin(out, TAG_TYPE_ATTRIBUTES);
	sequence = der_begin(out, DER_SEQUENCE);
	path = der_begin(out, DER_SEQUENCE);
	der_put(out, DER_OCTETS, BYTES_NONE);
	der_end(out, path);
	der_put_uint(out, DER_INTEGER, key_type_bits(key->type));
	der_end(out, sequence);
	der_end(out, part);
	der_end(out, whole);
	return pack_end(out);
}
