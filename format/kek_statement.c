/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/kek_statement.c - Parser and packer stand side by side, a line a field, in the order of
 * docs/formats.md 10.
 */
#include "format/kek_statement.h"
#include "format/der.h"
#include "format/kid.h"

static const uint8_t app_aid[APP_AID_LEN] = APP_AID;

static void take_name(struct unpacker *u, char out[static KF_KID_MAX + 1])
{
	struct bytes b = der_take(u, DER_UTF8);

	memset(out, 0, KF_KID_MAX + 1);
	if (!kid_is_valid(b))
		unpack_fail(u);
	else
		memcpy(out, b.p, b.n);
}

static bool ascends(const struct number_list *list)
{
	for (size_t i = 1; i < list->n; i++) {
		if (list->v[i - 1] >= list->v[i])
			return false;
	}
	return list->n != 0;
}

static bool has_purpose(uint8_t type, const struct number_list *purposes)
{
	for (size_t i = 0; i < purposes->n; i++) {
		if (key_type_suits((enum kf_key_type)type, (enum kf_purpose)purposes->v[i]))
			return true;
	}
	return false;
}

static bool has_type(uint8_t purpose, const struct number_list *key_types)
{
	for (size_t i = 0; i < key_types->n; i++) {
		if (key_type_suits((enum kf_key_type)key_types->v[i], (enum kf_purpose)purpose))
			return true;
	}
	return false;
}

bool kek_allows_sense(const struct number_list *key_types, const struct number_list *purposes)
{
	bool sense = ascends(key_types) && ascends(purposes);

	for (size_t i = 0; i < key_types->n; i++)
		sense = sense && has_purpose(key_types->v[i], purposes);
	for (size_t i = 0; i < purposes->n; i++)
		sense = sense && has_type(purposes->v[i], key_types);
	return sense;
}

static bool is_of_a_kek(const struct kek_statement *s)
{
	return (s->level == KF_LEVEL_CHIP || s->level == KF_LEVEL_VIRTUAL) &&
	       (s->origin == KF_ORIGIN_GENERATED || s->origin == KF_ORIGIN_FACTORY) &&
	       key_type_is_rsa(s->kek_type) && hash_name(s->hash) &&
	       kek_allows_sense(&s->key_types, &s->purposes);
}

int kek_statement_parse(struct bytes der, struct kek_statement *out)
{
	struct unpacker whole = unpack_begin(der);
	struct unpacker u = der_enter(&whole, DER_SEQUENCE);
	struct kek_statement s = { 0 };

	der_expect_text(&u, KEK_STATEMENT_CONTEXT);
	if (!bytes_equal(der_take(&u, DER_OCTETS), BYTES_OF(app_aid)))
		unpack_fail(&u);
	if (der_uint(&u, APP_VERSION) != APP_VERSION)
		unpack_fail(&u);
	s.level = (enum kf_level)der_enum(&u);
	take_serial(&u, s.serial);
	der_copy(&u, s.device, sizeof(s.device));
	der_copy(&u, s.kek, sizeof(s.kek));
	s.kek_type = (enum kf_key_type)der_enum(&u);
	if (der_enum(&u) != KF_PURPOSE_KEK)
		unpack_fail(&u);
	s.origin = (enum kf_origin)der_enum(&u);
	s.container = (uint32_t)der_uint(&u, APP_CONTAINERS - 1);
	take_name(&u, s.name);
	s.hash = (enum kf_hash)der_enum(&u);
	take_number_list(&u, &s.key_types);
	take_number_list(&u, &s.purposes);
	der_leave(&whole, &u);

	if (unpack_end(&whole) < 0 || !is_of_a_kek(&s))
		return -EBADMSG;
	*out = s;
	return 0;
}

void kek_statement_pack(struct packer *p, const struct kek_statement *s)
{
	struct der_mark mark = der_begin(p, DER_SEQUENCE);

	der_put_text(p, KEK_STATEMENT_CONTEXT);
	der_put(p, DER_OCTETS, BYTES_OF(app_aid));
	der_put_uint(p, DER_INTEGER, APP_VERSION);
	der_put_uint(p, DER_ENUMERATED, s->level);
	der_put_text(p, s->serial);
	der_put(p, DER_OCTETS, BYTES_OF(s->device));
	der_put(p, DER_OCTETS, BYTES_OF(s->kek));
	der_put_uint(p, DER_ENUMERATED, s->kek_type);
	der_put_uint(p, DER_ENUMERATED, KF_PURPOSE_KEK);
	der_put_uint(p, DER_ENUMERATED, s->origin);
	der_put_uint(p, DER_INTEGER, s->container);
	der_put_text(p, s->name);
	der_put_uint(p, DER_ENUMERATED, s->hash);
	put_number_list(p, &s->key_types);
	put_number_list(p, &s->purposes);
	der_end(p, mark);
}
