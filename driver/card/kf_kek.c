/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/card/kf_kek.c - Key-encryption keys [card-application 7.1 to 7.3]. What the card would refuse
 * is refused here, before a try of the PUK is spent on it.
 */
#include "driver/card/kf_kek.h"

#include "base/secret.h"
#include "driver/card/fields.h"
#include "format/hash.h"
#include "format/kek_statement.h"
#include "format/kid.h"

#define DATA_KEK	0x0130u

/* E5 [card-application 4.2] */
static int kek_parse(struct bytes data, struct kf_kek *out)
{
	struct unpacker outer = unpack_begin(data);
	struct unpacker u = field_enter_last(&outer, 0xe5);
	struct kf_kek kek = { 0 };
	struct bytes name = field_take(&u, 0x80);
	uint8_t enabled;

	kek.hash = (uint32_t)field_take_uint(&u, 0x81, 1);
	kek.key_types = kf_bits_of(field_take(&u, 0x82));
	kek.purposes = kf_bits_of(field_take(&u, 0x83));
	enabled = (uint8_t)field_take_uint(&u, 0x84, 1);
	if (unpack_end(&u) < 0 || !kid_is_valid(name) || !hash_name((enum kf_hash)kek.hash) ||
	    enabled > 1)
		return -EBADMSG;
	memcpy(kek.name, name.p, name.n);
	kek.enabled = enabled;
	*out = kek;
	return 0;
}

int kf_kek_get(struct card *card, uint32_t container, struct kf_kek *out)
{
	struct bytes data;
	int r = kf_number_check(card, container);

	if (r < 0)
		return r;
	if (kf_of(card)->info.unwrap_types == 0)
		return -ENOENT;
	r = kf_get_data(card, (uint16_t)(DATA_KEK + container), &data);
	return r < 0 ? r : kek_parse(data, out);
}

static int entry_fill(uint32_t container, const struct kf_kek *kek, const struct kf_place *place,
		      struct kf_kek_entry *out)
{
	if (!place->occupied || place->purpose != KF_PURPOSE_KEK)
		return -EBADMSG;
	*out = (struct kf_kek_entry){
		.container = container,
		.key_type = place->key_type,
		.origin = place->origin,
		.hash = kek->hash,
		.key_types = kek->key_types,
		.purposes = kek->purposes,
		.flags = kek->enabled ? 0 : KF_KEK_DISABLED,
	};
	memcpy(out->name, kek->name, sizeof(out->name));
	return sha256(place->spki, out->kek);
}

static void pack_entry(struct packer *p, const struct kf_kek_entry *entry)
{
	pack_le32(p, entry->container);
	pack_le32(p, entry->key_type);
	pack_le32(p, entry->origin);
	pack_le32(p, entry->hash);
	pack_le32(p, entry->key_types);
	pack_le32(p, entry->purposes);
	pack_le32(p, entry->flags);
	pack_le32(p, 0);
	pack_bytes(p, BYTES_OF(entry->kek));
	pack_bytes(p, BYTES(entry->name, sizeof(entry->name)));
}

int kf_kek_list(struct card *card, uint32_t *n, struct packer *entries)
{
	struct kf_kek_entry entry = { 0 };
	struct kf_place place = { 0 };
	struct kf_kek kek = { 0 };
	int r;

	*n = 0;
	for (uint32_t c = 0; c < kf_of(card)->info.n_containers; c++) {
		r = kf_kek_get(card, c, &kek);
		if (r == -ENOENT)
			continue;
		if (r == 0)
			r = kf_place_get(card, c, &place);
		if (r == 0)
			r = entry_fill(c, &kek, &place, &entry);
		if (r < 0)
			return r;
		pack_entry(entries, &entry);
		(*n)++;
	}
	return pack_end(entries);
}

/* SignedKekStatement; whether it is true is for its verifier. */
static int take_attestation(struct bytes data, struct packer *attestation)
{
	struct signed_statement outer;
	struct kek_statement s;

	if (signed_statement_parse(data, &outer) < 0 ||
	    kek_statement_parse(outer.statement, &s) < 0)
		return -EBADMSG;
	pack_bytes(attestation, data);
	return pack_end(attestation);
}

int kf_kek_attest(struct card *card, uint32_t container, struct packer *attestation)
{
	const struct card_command attest = {
		.cla = 0x80, .ins = INS_ATTEST_KEK, .p2 = (uint8_t)container, .answers = true,
	};
	struct bytes data;
	int r = kf_number_check(card, container);

	if (r == 0)
		r = kf_call(card, &attest, &data);
	return r < 0 ? r : take_attestation(data, attestation);
}

/* Numbers from 0 to 31, ascending, out of a mask. */
static struct number_list list_of(uint32_t bits)
{
	struct number_list list = { 0 };

	for (uint8_t i = 0; i < 32; i++)
		if (bits >> i & 1 && list.n < sizeof(list.v))
			list.v[list.n++] = i;
	return list;
}

static int create_check(struct card *card, const struct kf_kek_create *want, struct bytes puk,
			struct bytes name)
{
	const struct kf_card_info *info = &kf_of(card)->info;
	struct number_list types = list_of(want->key_types), purposes = list_of(want->purposes);

	if (info->unwrap_types == 0)
		return -EOPNOTSUPP;
	if (puk.n < APP_PIN_MIN || puk.n > APP_PIN_MAX)
		return -EINVAL;
	if (!kid_is_valid(name))
		return card_say(card, -EINVAL, KF_REASON_BYOK, KF_BYOK_KEK_NAME);
	if (want->hash >= 32 || !(info->unwrap_hashes & 1u << want->hash))
		return card_say(card, -EINVAL, KF_REASON_BYOK, KF_BYOK_HASH);
	if (!key_type_is_rsa((enum kf_key_type)want->key_type) ||
	    (want->key_types & ~info->unwrap_types) != 0)
		return card_say(card, -EINVAL, KF_REASON_BYOK, KF_BYOK_KEY_TYPE);
	if (!kek_allows_sense(&types, &purposes))
		return card_say(card, -EINVAL, KF_REASON_BYOK, KF_BYOK_PURPOSE);
	return 0;
}

/* Whether another KEK is called so; by our own look, the card's 6985 tells it from nothing. */
static int name_check(struct card *card, struct bytes name)
{
	struct kf_kek kek;

	for (uint32_t c = 0; c < kf_of(card)->info.n_containers; c++) {
		int r = kf_kek_get(card, c, &kek);

		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		if (kid_equal(name, BYTES(kek.name, strlen(kek.name))))
			return card_say(card, -EEXIST, KF_REASON_BYOK, KF_BYOK_KEK_NAME);
	}
	return 0;
}

static int send_create(struct card *card, uint32_t container, const struct kf_kek_create *want,
		       struct bytes puk, struct bytes name, struct packer *attestation)
{
	struct number_list types = list_of(want->key_types), purposes = list_of(want->purposes);
	uint8_t buf[APP_PIN_MAX + KF_KID_MAX + 64];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct card_command create = {
		.cla = 0x80, .ins = INS_CREATE_KEK, .p2 = (uint8_t)container, .answers = true,
	};
	struct bytes data;
	int r;

	tlv_pack(&p, 0x80, puk);
	field_put_uint(&p, 0x81, want->key_type, 1);
	tlv_pack(&p, 0x82, name);
	field_put_uint(&p, 0x83, want->hash, 1);
	tlv_pack(&p, 0x84, BYTES(types.v, types.n));
	tlv_pack(&p, 0x85, BYTES(purposes.v, purposes.n));
	assert(!p.bad);
	create.data = pack_done(&p);
	r = kf_call(card, &create, &data);
	wipe(buf, sizeof(buf));
	if (r == -EREMOTEIO && card->said.sw == SW_CONDITIONS)
		return -EEXIST;
	return r < 0 ? r : take_attestation(data, attestation);
}

int kf_kek_create(struct card *card, struct kf_kek_create *want, struct bytes puk,
		  struct bytes name, struct packer *attestation)
{
	uint32_t container;
	int r = create_check(card, want, puk, name);

	if (r == 0)
		r = kf_place_choose(card, want->container, &container);
	if (r == 0)
		r = name_check(card, name);
	if (r == 0)
		r = kf_pin_guard(card, KF_PIN_PUK, want->flags & KF_PIN_LAST_TRY);
	if (r == 0)
		r = send_create(card, container, want, puk, name, attestation);
	if (r == 0)
		want->container = container;
	return r;
}

int kf_kek_set(struct card *card, const struct kf_kek_set *what, struct bytes puk)
{
	static const uint8_t p1[] = {
		[KF_KEK_DISABLE] = APP_KEK_SET_DISABLE, [KF_KEK_ENABLE] = APP_KEK_SET_ENABLE,
		[KF_KEK_DELETE] = APP_KEK_SET_DELETE,
	};
	uint8_t buf[2 + APP_PIN_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct card_command set = { .cla = 0x80, .ins = INS_SET_KEK, .p2 = (uint8_t)what->container };
	int r = kf_number_check(card, what->container);

	if (r < 0 || what->action < KF_KEK_DISABLE || what->action > KF_KEK_DELETE ||
	    puk.n < APP_PIN_MIN || puk.n > APP_PIN_MAX)
		return -EINVAL;
	r = kf_pin_guard(card, KF_PIN_PUK, what->flags & KF_PIN_LAST_TRY);
	if (r < 0)
		return r;
	tlv_pack(&p, 0x80, puk);
	set.p1 = p1[what->action];
	set.data = pack_done(&p);
	r = kf_do(card, &set);
	wipe(buf, sizeof(buf));
	return r;
}
