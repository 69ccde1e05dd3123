/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/kek_receipt.c - Parser and packer stand side by side, a line a field, in the order of
 * docs/formats.md 12 and 3.
 */
#include "format/kek_receipt.h"
#include "format/der.h"

int kek_receipt_parse(struct bytes der, struct kek_receipt *out)
{
	struct unpacker whole = unpack_begin(der);
	struct unpacker u = der_enter(&whole, DER_SEQUENCE);
	struct kek_receipt r = { 0 };

	der_expect_text(&u, KEK_RECEIPT_CONTEXT);
	if (der_uint(&u, 1) != 1)
		unpack_fail(&u);
	der_copy(&u, r.device, sizeof(r.device));
	take_serial(&u, r.serial);
	der_copy(&u, r.kek, sizeof(r.kek));
	r.kek_origin = (enum kf_origin)der_enum(&u);
	r.hash = (enum kf_hash)der_enum(&u);
	der_copy(&u, r.blob, sizeof(r.blob));
	r.container = (uint32_t)der_uint(&u, UINT8_MAX);
	r.pin = (uint32_t)der_uint(&u, UINT8_MAX);
	r.key_type = (enum kf_key_type)der_enum(&u);
	r.purpose = (enum kf_purpose)der_enum(&u);
	take_policy(&u, &r.policy);
	r.origin = (enum kf_origin)der_enum(&u);
	r.counter = (uint32_t)der_uint(&u, UINT32_MAX);
	r.evidence = der_take_whole(&u, DER_SEQUENCE);
	der_leave(&whole, &u);

	if (unpack_end(&whole) < 0 || !key_type_suits(r.key_type, r.purpose))
		return -EBADMSG;
	*out = r;
	return 0;
}

void kek_receipt_pack(struct packer *p, const struct kek_receipt *r)
{
	struct der_mark mark = der_begin(p, DER_SEQUENCE);

	der_put_text(p, KEK_RECEIPT_CONTEXT);
	der_put_uint(p, DER_INTEGER, 1);
	der_put(p, DER_OCTETS, BYTES_OF(r->device));
	der_put_text(p, r->serial);
	der_put(p, DER_OCTETS, BYTES_OF(r->kek));
	der_put_uint(p, DER_ENUMERATED, r->kek_origin);
	der_put_uint(p, DER_ENUMERATED, r->hash);
	der_put(p, DER_OCTETS, BYTES_OF(r->blob));
	der_put_uint(p, DER_INTEGER, r->container);
	der_put_uint(p, DER_INTEGER, r->pin);
	der_put_uint(p, DER_ENUMERATED, r->key_type);
	der_put_uint(p, DER_ENUMERATED, r->purpose);
	put_policy(p, &r->policy);
	der_put_uint(p, DER_ENUMERATED, r->origin);
	der_put_uint(p, DER_INTEGER, r->counter);
	pack_bytes(p, r->evidence);
	der_end(p, mark);
}

int key_mark_parse(struct bytes der, struct key_mark *out)
{
	struct unpacker whole = unpack_begin(der);
	struct unpacker u = der_enter(&whole, DER_SEQUENCE);
	struct key_mark m = { 0 };

	m.key_type = (enum kf_key_type)der_enum(&u);
	der_copy(&u, m.check, sizeof(m.check));
	der_copy(&u, m.mark, sizeof(m.mark));
	der_leave(&whole, &u);
	if (unpack_end(&whole) < 0 || !key_type_is_aes(m.key_type))
		return -EBADMSG;
	*out = m;
	return 0;
}

void key_mark_pack(struct packer *p, const struct key_mark *m)
{
	struct der_mark mark = der_begin(p, DER_SEQUENCE);

	der_put_uint(p, DER_ENUMERATED, m->key_type);
	der_put(p, DER_OCTETS, BYTES_OF(m->check));
	der_put(p, DER_OCTETS, BYTES_OF(m->mark));
	der_end(p, mark);
}
