/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/item.c - Parser and packer stand side by side, a line a field, in the order of
 * docs/formats.md 5. Numbers are only bounded here; their meaning is judged after the MAC.
 */
#include "format/item.h"
#include "format/der.h"

void take_policy(struct unpacker *u, struct key_policy *out)
{
	struct unpacker policy = der_enter(u, DER_SEQUENCE);

	out->pin_needed = der_bool(&policy);
	out->not_after = der_uint(&policy, INT64_MAX);
	der_leave(u, &policy);
}

void put_policy(struct packer *p, const struct key_policy *policy)
{
	struct der_mark mark = der_begin(p, DER_SEQUENCE);

	der_put_bool(p, policy->pin_needed);
	der_put_uint(p, DER_INTEGER, policy->not_after);
	der_end(p, mark);
}

static void take_body(struct unpacker *item, struct item_body *b)
{
	struct unpacker u = der_enter(item, DER_SEQUENCE);
	uint32_t length;

	der_expect_text(&u, ITEM_CONTEXT);
	if (der_uint(&u, 1) != 1)
		unpack_fail(&u);
	b->suite = (enum suite)der_enum(&u);
	b->method = (enum kf_method)der_enum(&u);
	b->function = (enum kf_function)der_enum(&u);
	der_copy(&u, b->sid, sizeof(b->sid));
	b->number = (uint32_t)der_uint(&u, UINT16_MAX);
	b->count = (uint32_t)der_uint(&u, UINT16_MAX);
	take_serial(&u, b->serial);
	der_copy(&u, b->exchange, sizeof(b->exchange));
	b->container = (uint32_t)der_uint(&u, UINT8_MAX);
	take_spki_hash(&u, &b->replaces);
	b->pin = (uint32_t)der_uint(&u, UINT8_MAX);
	b->key_type = (enum kf_key_type)der_enum(&u);
	b->purpose = (enum kf_purpose)der_enum(&u);
	take_policy(&u, &b->policy);
	take_spki_hash(&u, &b->sender);
	der_copy(&u, b->iv, sizeof(b->iv));
	length = (uint32_t)der_uint(&u, UINT16_MAX);
	b->ciphertext = der_take(&u, DER_OCTETS);
	if (length != b->ciphertext.n)
		unpack_fail(&u);
	der_leave(item, &u);
}

int item_parse(struct bytes der, struct item *out)
{
	struct unpacker whole = unpack_begin(der);
	struct unpacker u = der_enter(&whole, DER_SEQUENCE);
	const uint8_t *start = u.p;
	struct unpacker body;
	struct item item = { 0 };

	if (der.n > KF_ITEM_MAX)
		return -EBADMSG;
	item.body_der = der_take_whole(&u, DER_SEQUENCE);
	item.mac = der_take(&u, DER_OCTETS);
	if (u.bad || item.mac.n != ITEM_MAC_SIZE)
		return -EBADMSG;
	item.signed_der = BYTES(start, (size_t)(u.p - start));
	item.signature = der_take(&u, DER_OCTETS);
	der_leave(&whole, &u);

	body = unpack_begin(item.body_der);
	take_body(&body, &item.body);
	if (unpack_end(&whole) < 0 || unpack_end(&body) < 0)
		return -EBADMSG;
	*out = item;
	return 0;
}

void item_body_pack(struct packer *p, const struct item_body *b)
{
	struct der_mark mark = der_begin(p, DER_SEQUENCE);

	der_put_text(p, ITEM_CONTEXT);
	der_put_uint(p, DER_INTEGER, 1);
	der_put_uint(p, DER_ENUMERATED, b->suite);
	der_put_uint(p, DER_ENUMERATED, b->method);
	der_put_uint(p, DER_ENUMERATED, b->function);
	der_put(p, DER_OCTETS, BYTES_OF(b->sid));
	der_put_uint(p, DER_INTEGER, b->number);
	der_put_uint(p, DER_INTEGER, b->count);
	der_put_text(p, b->serial);
	der_put(p, DER_OCTETS, BYTES_OF(b->exchange));
	der_put_uint(p, DER_INTEGER, b->container);
	put_spki_hash(p, &b->replaces);
	der_put_uint(p, DER_INTEGER, b->pin);
	der_put_uint(p, DER_ENUMERATED, b->key_type);
	der_put_uint(p, DER_ENUMERATED, b->purpose);
	put_policy(p, &b->policy);
	put_spki_hash(p, &b->sender);
	der_put(p, DER_OCTETS, BYTES_OF(b->iv));
	der_put_uint(p, DER_INTEGER, b->ciphertext.n);
	der_put(p, DER_OCTETS, b->ciphertext);
	der_end(p, mark);
}

void item_pack(struct packer *p, struct bytes body_der, const uint8_t mac[static ITEM_MAC_SIZE],
	       struct bytes signature)
{
	struct der_mark mark = der_begin(p, DER_SEQUENCE);

	pack_bytes(p, body_der);
	der_put(p, DER_OCTETS, BYTES(mac, ITEM_MAC_SIZE));
	der_put(p, DER_OCTETS, signature);
	der_end(p, mark);
}
