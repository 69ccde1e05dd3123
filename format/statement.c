/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/statement.c - Parser and packer stand side by side, a line a field, in the order of
 * docs/formats.md 4.
 */
#include "format/statement.h"
#include "format/der.h"
#include "format/hash.h"

static const uint8_t app_aid[APP_AID_LEN] = APP_AID;

void take_serial(struct unpacker *u, char out[static KF_SERIAL_MAX + 1])
{
	struct bytes b = der_take(u, DER_UTF8);

	memset(out, 0, KF_SERIAL_MAX + 1);
	if (!serial_is_valid(b))
		unpack_fail(u);
	else
		memcpy(out, b.p, b.n);
}

void take_spki_hash(struct unpacker *u, struct spki_hash *out)
{
	struct bytes b = der_take(u, DER_OCTETS);

	*out = (struct spki_hash){ .present = b.n != 0 };
	if (b.n != 0 && b.n != sizeof(out->digest))
		unpack_fail(u);
	else if (b.n != 0)
		memcpy(out->digest, b.p, b.n);
}

void put_spki_hash(struct packer *p, const struct spki_hash *hash)
{
	der_put(p, DER_OCTETS, hash->present ? BYTES_OF(hash->digest) : BYTES_NONE);
}

void take_number_list(struct unpacker *u, struct number_list *out)
{
	struct unpacker list = der_enter(u, DER_SEQUENCE);

	*out = (struct number_list){ 0 };
	while (list.left != 0 && out->n < sizeof(out->v))
		out->v[out->n++] = der_enum(&list);
	der_leave(u, &list);
}

void put_number_list(struct packer *p, const struct number_list *list)
{
	struct der_mark mark = der_begin(p, DER_SEQUENCE);

	for (size_t i = 0; i < list->n; i++)
		der_put_uint(p, DER_ENUMERATED, list->v[i]);
	der_end(p, mark);
}

static void take_limits(struct unpacker *u, struct statement *s)
{
	struct unpacker limits = der_enter(u, DER_SEQUENCE);

	s->limit_item = (uint32_t)der_uint(&limits, UINT32_MAX);
	s->limit_items = (uint32_t)der_uint(&limits, UINT32_MAX);
	s->limit_tries = (uint32_t)der_uint(&limits, UINT32_MAX);
	der_leave(u, &limits);
}

static void put_limits(struct packer *p, const struct statement *s)
{
	struct der_mark mark = der_begin(p, DER_SEQUENCE);

	der_put_uint(p, DER_INTEGER, s->limit_item);
	der_put_uint(p, DER_INTEGER, s->limit_items);
	der_put_uint(p, DER_INTEGER, s->limit_tries);
	der_end(p, mark);
}

static void take_injectors(struct unpacker *u, struct statement *s)
{
	struct unpacker list = der_enter(u, DER_SEQUENCE);

	while (list.left != 0 && s->n_injectors < APP_INJECTORS_MAX)
		der_copy(&list, s->injectors[s->n_injectors++], KF_DIGEST_SIZE);
	der_leave(u, &list);
}

static void put_injectors(struct packer *p, const struct statement *s)
{
	struct der_mark mark = der_begin(p, DER_SEQUENCE);

	for (size_t i = 0; i < s->n_injectors; i++)
		der_put(p, DER_OCTETS, BYTES_OF(s->injectors[i]));
	der_end(p, mark);
}

int statement_parse(struct bytes der, struct statement *out)
{
	struct unpacker whole = unpack_begin(der);
	struct unpacker u = der_enter(&whole, DER_SEQUENCE);
	struct statement s = { 0 };

	der_expect_text(&u, STATEMENT_CONTEXT);
	if (!bytes_equal(der_take(&u, DER_OCTETS), BYTES_OF(app_aid)))
		unpack_fail(&u);
	if (der_uint(&u, APP_VERSION) != APP_VERSION)
		unpack_fail(&u);
	s.level = (enum kf_level)der_enum(&u);
	take_serial(&u, s.serial);
	der_copy(&u, s.device, sizeof(s.device));
	der_copy(&u, s.exchange_id, sizeof(s.exchange_id));
	der_copy(&u, s.exchange, sizeof(s.exchange));
	s.exchange_type = (enum kf_key_type)der_enum(&u);
	s.purpose = (enum kf_purpose)der_enum(&u);
	s.origin = (enum kf_origin)der_enum(&u);
	s.container = (uint32_t)der_uint(&u, UINT8_MAX);
	take_spki_hash(&u, &s.holds);
	take_number_list(&u, &s.methods);
	take_number_list(&u, &s.key_types);
	take_number_list(&u, &s.paddings);
	take_number_list(&u, &s.suites);
	take_limits(&u, &s);
	take_injectors(&u, &s);
	der_copy(&u, s.sid, sizeof(s.sid));
	der_copy(&u, s.nonce, sizeof(s.nonce));
	der_leave(&whole, &u);

	if (unpack_end(&whole) < 0)
		return -EBADMSG;
	if (s.level != KF_LEVEL_CHIP && s.level != KF_LEVEL_VIRTUAL)
		return -EBADMSG;
	if (!target_is_valid(s.container))
		return -EBADMSG;
	*out = s;
	return 0;
}

void statement_pack(struct packer *p, const struct statement *s)
{
	struct der_mark mark = der_begin(p, DER_SEQUENCE);

	der_put_text(p, STATEMENT_CONTEXT);
	der_put(p, DER_OCTETS, BYTES_OF(app_aid));
	der_put_uint(p, DER_INTEGER, APP_VERSION);
	der_put_uint(p, DER_ENUMERATED, s->level);
	der_put_text(p, s->serial);
	der_put(p, DER_OCTETS, BYTES_OF(s->device));
	der_put(p, DER_OCTETS, BYTES_OF(s->exchange_id));
	der_put(p, DER_OCTETS, BYTES_OF(s->exchange));
	der_put_uint(p, DER_ENUMERATED, s->exchange_type);
	der_put_uint(p, DER_ENUMERATED, s->purpose);
	der_put_uint(p, DER_ENUMERATED, s->origin);
	der_put_uint(p, DER_INTEGER, s->container);
	put_spki_hash(p, &s->holds);
	put_number_list(p, &s->methods);
	put_number_list(p, &s->key_types);
	put_number_list(p, &s->paddings);
	put_number_list(p, &s->suites);
	put_limits(p, s);
	put_injectors(p, s);
	der_put(p, DER_OCTETS, BYTES_OF(s->sid));
	der_put(p, DER_OCTETS, BYTES_OF(s->nonce));
	der_end(p, mark);
}

int statement_hash(struct bytes der, uint8_t out[static KF_DIGEST_SIZE])
{
	return sha256(der, out);
}

int signed_statement_parse(struct bytes der, struct signed_statement *out)
{
	struct unpacker whole = unpack_begin(der);
	struct unpacker u = der_enter(&whole, DER_SEQUENCE);
	struct signed_statement s = {
		.statement = der_take_whole(&u, DER_SEQUENCE),
		.signature = der_take(&u, DER_OCTETS),
		.key = der_take_whole(&u, DER_SEQUENCE),
	};

	der_leave(&whole, &u);
	if (unpack_end(&whole) < 0)
		return -EBADMSG;
	*out = s;
	return 0;
}

void signed_statement_pack(struct packer *p, const struct signed_statement *s)
{
	struct der_mark mark = der_begin(p, DER_SEQUENCE);

	pack_bytes(p, s->statement);
	der_put(p, DER_OCTETS, s->signature);
	pack_bytes(p, s->key);
	der_end(p, mark);
}
