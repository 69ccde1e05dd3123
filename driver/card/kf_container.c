/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/card/kf_container.c - Containers and the certificates in them [card-application 4.2, 4.3,
 * 4.7, 5.2, 5.7].
 */
#include "driver/card/kf.h"

#include "driver/card/fields.h"
#include "format/hash.h"
#include "format/kek_receipt.h"

#define DATA_CONTAINER	0x0110u
#define DATA_CERT	0x0120u

static bool numbers_fit(const struct kf_place *place)
{
	return key_type_bits((enum kf_key_type)place->key_type) != 0 &&
	       place->purpose >= KF_PURPOSE_EXCHANGE && place->purpose <= KF_PURPOSE_CIPHER &&
	       place->origin >= KF_ORIGIN_GENERATED && place->origin <= KF_ORIGIN_UNKNOWN;
}

/* E3 [card-application 4.2] */
static int place_parse(struct bytes data, struct kf_place *out)
{
	struct unpacker outer = unpack_begin(data);
	struct unpacker u = field_enter_last(&outer, 0xe3);
	struct kf_place place = { 0 };
	uint8_t state = (uint8_t)field_take_uint(&u, 0x80, 1);

	if (state > 1)
		return -EBADMSG;
	place.occupied = state == 1;
	if (place.occupied) {
		place.key_type = (uint8_t)field_take_uint(&u, 0x81, 1);
		place.purpose = (uint8_t)field_take_uint(&u, 0x82, 1);
		place.origin = (uint8_t)field_take_uint(&u, 0x83, 1);
		place.pin_needed = field_take_uint(&u, 0x84, 1) & POLICY_PIN;
		place.spki = field_take(&u, 0x85);
		place.used = field_take_uint(&u, 0x86, 1) != 0;
		place.cert_len = (uint32_t)field_take_uint(&u, 0x87, 2);
		place.not_after = field_take_uint(&u, 0x88, 8);
	}
	if (unpack_end(&u) < 0 || (place.occupied && (place.spki.n == 0 || !numbers_fit(&place))))
		return -EBADMSG;
	*out = place;
	return 0;
}

int kf_place_get(struct card *card, uint32_t container, struct kf_place *out)
{
	struct bytes data;
	int r;

	r = kf_number_check(card, container);
	if (r < 0)
		return r;
	r = kf_get_data(card, (uint16_t)(DATA_CONTAINER + container), &data);
	if (r < 0)
		return r;
	return place_parse(data, out);
}

int kf_place_choose(struct card *card, uint32_t container, uint32_t *out)
{
	struct kf_place place;
	int r;

	if (container != KF_CONTAINER_ANY) {
		*out = container;
		return kf_number_check(card, container);
	}
	for (uint32_t c = 0; c < kf_of(card)->info.n_containers; c++) {
		r = kf_place_get(card, c, &place);
		if (r < 0)
			return r;
		if (!place.occupied) {
			*out = c;
			return 0;
		}
	}
	return -ENOSPC;
}

static int entry_from_place(uint32_t container, const struct kf_place *place,
			    struct kf_container_entry *out)
{
	struct kf_container_entry entry = { .container = container };

	if (place->occupied) {
		entry.key_type = place->key_type;
		entry.purpose = place->purpose;
		entry.origin = place->origin;
		entry.flags = (place->cert_len ? KF_CONTAINER_CERT : 0) |
			      (place->pin_needed ? KF_CONTAINER_PIN : 0) |
			      (place->used ? KF_CONTAINER_USED : 0);
		entry.pin = place->pin_needed ? KF_PIN_USER : 0;
		if (sha256(place->spki, entry.holds) < 0)
			return -EIO;
	}
	*out = entry;
	return 0;
}

static void pack_entry(struct packer *p, const struct kf_container_entry *entry)
{
	pack_le32(p, entry->container);
	pack_le32(p, entry->key_type);
	pack_le32(p, entry->purpose);
	pack_le32(p, entry->origin);
	pack_le32(p, entry->flags);
	pack_le32(p, entry->pin);
	pack_bytes(p, BYTES_OF(entry->holds));
}

int kf_container_list(struct card *card, uint32_t *n, struct packer *entries)
{
	uint32_t n_containers = kf_of(card)->info.n_containers;
	struct kf_container_entry entry;
	struct kf_place place;
	int r;

	for (uint32_t c = 0; c < n_containers; c++) {
		r = kf_place_get(card, c, &place);
		if (r < 0)
			return r;
		r = entry_from_place(c, &place, &entry);
		if (r < 0)
			return r;
		pack_entry(entries, &entry);
	}
	*n = n_containers;
	return pack_end(entries);
}

/* What stands for the public half an AES key has not [formats 3]. */
static int check_value_from_place(const struct kf_place *place, struct kf_container_info *info)
{
	struct key_mark mark;

	if (key_mark_parse(place->spki, &mark) < 0 || mark.key_type != place->key_type)
		return -EBADMSG;
	info->check_len = sizeof(mark.check);
	memcpy(info->check_value, mark.check, sizeof(mark.check));
	return 0;
}

int kf_container_info(struct card *card, struct kf_container_info *info, struct packer *spki)
{
	struct kf_place place;
	int r;

	info->check_len = 0;
	memset(info->check_value, 0, sizeof(info->check_value));
	r = kf_place_get(card, info->entry.container, &place);
	if (r < 0)
		return r;
	r = entry_from_place(info->entry.container, &place, &info->entry);
	if (r < 0)
		return r;
	if (place.occupied && key_type_is_aes((enum kf_key_type)place.key_type))
		return check_value_from_place(&place, info);
	pack_bytes(spki, place.spki);
	return pack_end(spki);
}

static int create_check(const struct card *card, const struct kf_container_create *want)
{
	const struct kf_card_info *info = &kf_of(card)->info;
	enum kf_key_type type = (enum kf_key_type)want->key_type;
	bool exchange = want->purpose == KF_PURPOSE_EXCHANGE;
	uint32_t types = exchange ? info->exchange_types : info->key_types;

	if (want->pin != 0 && want->pin != KF_PIN_USER)
		return -EINVAL;
	if (want->key_type >= 32 || !(types & 1u << want->key_type))
		return want->key_type > KF_KEY_3DES_168 || want->key_type == 0 ? -EINVAL
									      : -EOPNOTSUPP;
	if (!exchange && !key_type_suits(type, (enum kf_purpose)want->purpose))
		return -EINVAL;
	return 0;
}

/* 7F49 [7816-8]: RSA modulus and exponent, an uncompressed point or, X25519, x alone [card-application 4.7]. */
static int public_key_check(struct bytes data, enum kf_key_type type)
{
	struct unpacker outer = unpack_begin(data);
	struct unpacker u = field_enter_last(&outer, 0x7f49);
	size_t size = key_type_size(type);

	if (key_type_is_rsa(type)) {
		struct bytes modulus = field_take(&u, 0x81), exponent = field_take(&u, 0x82);

		return unpack_end(&u) < 0 || modulus.n != size || exponent.n == 0 ? -EBADMSG : 0;
	}
	struct bytes point = field_take(&u, 0x86);

	if (type == KF_KEY_X25519)
		return unpack_end(&u) < 0 || point.n != size ? -EBADMSG : 0;
	return unpack_end(&u) < 0 || point.n != 1 + 2 * size || point.p[0] != 0x04 ? -EBADMSG : 0;
}

static int generate(struct card *card, uint32_t container, const struct kf_container_create *want)
{
	uint8_t buf[16];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct card_command command = {
		.ins = INS_GENERATE, .p1 = 0x80, .p2 = (uint8_t)container, .answers = true,
	};
	struct bytes data;
	int r;

	field_put_uint(&p, 0x80, want->key_type, 1);
	field_put_uint(&p, 0x81, want->purpose, 1);
	field_put_uint(&p, 0x82, POLICY_PIN, 1);	/* a key without a PIN is nobody's default */
	command.data = pack_done(&p);
	r = kf_call(card, &command, &data);
	if (r == -EREMOTEIO && card->said.sw == SW_CONDITIONS)
		return -EEXIST;			/* [card-application 4.7]: occupied */
	if (r < 0)
		return r;
	return public_key_check(data, (enum kf_key_type)want->key_type);
}

int kf_container_create(struct card *card, struct kf_container_create *want, struct packer *spki)
{
	struct kf_place place;
	uint32_t container;
	int r;

	r = create_check(card, want);
	if (r < 0)
		return r;
	r = kf_place_choose(card, want->container, &container);
	if (r < 0)
		return r;
	r = generate(card, container, want);
	if (r < 0)
		return r;
	r = kf_place_get(card, container, &place);
	if (r < 0)
		return r;
	if (!place.occupied || place.key_type != want->key_type ||
	    place.purpose != want->purpose)
		return -EBADMSG;
	want->container = container;
	pack_bytes(spki, place.spki);
	return pack_end(spki);
}

int kf_container_delete(struct card *card, uint32_t container)
{
	const struct card_command delete = {
		.cla = 0x80, .ins = INS_DELETE, .p2 = (uint8_t)container,
	};
	int r = kf_number_check(card, container);

	if (r == 0)
		r = kf_do(card, &delete);
	if (r == -EREMOTEIO && card->said.sw == SW_CONDITIONS)
		card->said.reason = KF_REASON_KEY_PURPOSE;	/* a KEK: the PUK deletes it */
	return r;
}

int kf_container_convert(struct card *card, uint32_t container)
{
	const struct card_command convert = {
		.cla = 0x80, .ins = INS_CONVERT, .p2 = (uint8_t)container,
	};
	int r = kf_number_check(card, container);

	if (r < 0)
		return r;
	r = kf_do(card, &convert);
	if (r == -EREMOTEIO && card->said.sw == SW_CONDITIONS)
		card->said.reason = KF_REASON_KEY_PURPOSE;
	return r;
}

int kf_cert_store(struct card *card, uint32_t container, struct bytes cert)
{
	const struct card_command put = {
		.ins = INS_PUT_DATA, .p1 = DATA_CERT >> 8,
		.p2 = (uint8_t)(DATA_CERT + container), .data = cert,
	};
	int r = kf_number_check(card, container);

	if (r < 0)
		return r;
	if (cert.n > kf_of(card)->max_cert)
		return card_say(card, -EINVAL, KF_REASON_NONE, kf_of(card)->max_cert);
	r = kf_do(card, &put);
	if (r == -EREMOTEIO && card->said.sw == SW_CONDITIONS)
		return -ENOENT;			/* [card-application 4.3]: no key there */
	if (r == -EREMOTEIO && card->said.sw == SW_DATA)
		return -EINVAL;			/* no DER SEQUENCE */
	return r;
}

int kf_cert_read(struct card *card, uint32_t container, struct packer *cert)
{
	struct bytes data;
	int r = kf_number_check(card, container);

	if (r < 0)
		return r;
	r = kf_get_data(card, (uint16_t)(DATA_CERT + container), &data);
	if (r < 0)
		return r;
	if (data.n == 0 || data.n > kf_of(card)->max_cert)
		return -EBADMSG;
	pack_bytes(cert, data);
	return pack_end(cert);
}
