/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/receipt.c - Parser and packer stand side by side, a line a field, in the order of
 * docs/formats.md 7.
 */
#include "format/receipt.h"
#include "format/der.h"

/* There or not as the method says: receipts of other methods are as they were before there were these. */
static void take_confirmation(struct unpacker *u, struct receipt *r)
{
	r->confirms = method_confirms(r->method);
	if (r->confirms)
		der_copy(u, r->confirmation, sizeof(r->confirmation));
}

int receipt_parse(struct bytes der, struct receipt *out)
{
	struct unpacker whole = unpack_begin(der);
	struct unpacker u = der_enter(&whole, DER_SEQUENCE);
	struct receipt r = { 0 };

	der_expect_text(&u, RECEIPT_CONTEXT);
	if (der_uint(&u, 1) != 1)
		unpack_fail(&u);
	der_copy(&u, r.device, sizeof(r.device));
	take_serial(&u, r.serial);
	der_copy(&u, r.sid, sizeof(r.sid));
	r.number = (uint32_t)der_uint(&u, UINT16_MAX);
	der_copy(&u, r.item, sizeof(r.item));
	r.function = (enum kf_function)der_enum(&u);
	r.method = (enum kf_method)der_enum(&u);
	der_copy(&u, r.exchange, sizeof(r.exchange));
	take_confirmation(&u, &r);
	r.container = (uint32_t)der_uint(&u, UINT8_MAX);
	r.pin = (uint32_t)der_uint(&u, UINT8_MAX);
	r.key_type = (enum kf_key_type)der_enum(&u);
	r.purpose = (enum kf_purpose)der_enum(&u);
	take_policy(&u, &r.policy);
	take_spki_hash(&u, &r.sender);
	r.result = (enum receipt_result)der_enum(&u);
	r.counter = (uint32_t)der_uint(&u, UINT32_MAX);
	r.evidence = der_take_whole(&u, DER_SEQUENCE);
	der_leave(&whole, &u);

	if (unpack_end(&whole) < 0 || r.result != RECEIPT_INSTALLED)
		return -EBADMSG;
	*out = r;
	return 0;
}

void receipt_pack(struct packer *p, const struct receipt *r)
{
	struct der_mark mark = der_begin(p, DER_SEQUENCE);

	der_put_text(p, RECEIPT_CONTEXT);
	der_put_uint(p, DER_INTEGER, 1);
	der_put(p, DER_OCTETS, BYTES_OF(r->device));
	der_put_text(p, r->serial);
	der_put(p, DER_OCTETS, BYTES_OF(r->sid));
	der_put_uint(p, DER_INTEGER, r->number);
	der_put(p, DER_OCTETS, BYTES_OF(r->item));
	der_put_uint(p, DER_ENUMERATED, r->function);
	der_put_uint(p, DER_ENUMERATED, r->method);
	der_put(p, DER_OCTETS, BYTES_OF(r->exchange));
	if (r->confirms)
		der_put(p, DER_OCTETS, BYTES_OF(r->confirmation));
	der_put_uint(p, DER_INTEGER, r->container);
	der_put_uint(p, DER_INTEGER, r->pin);
	der_put_uint(p, DER_ENUMERATED, r->key_type);
	der_put_uint(p, DER_ENUMERATED, r->purpose);
	put_policy(p, &r->policy);
	put_spki_hash(p, &r->sender);
	der_put_uint(p, DER_ENUMERATED, r->result);
	der_put_uint(p, DER_INTEGER, r->counter);
	pack_bytes(p, r->evidence);
	der_end(p, mark);
}

int signed_receipt_parse(struct bytes der, struct signed_receipt *out)
{
	struct unpacker whole = unpack_begin(der);
	struct unpacker u = der_enter(&whole, DER_SEQUENCE);
	struct signed_receipt s = {
		.receipt = der_take_whole(&u, DER_SEQUENCE),
		.signature = der_take(&u, DER_OCTETS),
	};

	der_leave(&whole, &u);
	if (unpack_end(&whole) < 0)
		return -EBADMSG;
	*out = s;
	return 0;
}

void signed_receipt_pack(struct packer *p, const struct signed_receipt *s)
{
	struct der_mark mark = der_begin(p, DER_SEQUENCE);

	pack_bytes(p, s->receipt);
	der_put(p, DER_OCTETS, s->signature);
	der_end(p, mark);
}
