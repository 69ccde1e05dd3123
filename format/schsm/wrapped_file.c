/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/schsm/wrapped_file.h"
#include "format/der.h"
#include "format/schsm/prkd.h"

enum {
	TAG_CVC = 0x7f21,
	TAG_VOUCHER = 0x67,
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
	static const uint16_t prkd_tags[] = { PRKD_RSA, PRKD_EC, PRKD_AES };
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

	u = der_enter(&whole, der_is_next(&whole, PRKD_EC)  ? PRKD_EC :
			      der_is_next(&whole, PRKD_AES) ? PRKD_AES : PRKD_RSA);
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
