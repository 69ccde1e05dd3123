/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/schsm/prkd.c - Reading takes the four things we want out of the places they have; an
 * over-long label or id is cut, because somebody else wrote it and the key is there all the same.
 */
#include "format/schsm/prkd.h"

#include "format/der.h"
#include "format/numbers.h"

/* CommonKeyAttributes end in "...": what follows has a tag of a class that no standard gives out. */
enum { DER_BITS = 0x03, DER_TYPE_ATTRIBUTES = 0xa1, DER_MARK = 0xc1 };

/* keyAccessFlags [PKCS#15 6.2.6]. */
enum { ACCESS_SENSITIVE = 0x80, ACCESS_LOCAL_ALL = 0xb8, ACCESS_LOCAL = 0x08 };

/* The first sixteen bits of a BIT STRING, the first on top. */
static uint16_t bits_of(struct bytes value)
{
	struct unpacker u = unpack_begin(value);
	unsigned int v;

	unpack_skip(&u, 1);		/* how many of the last byte are none */
	v = (unsigned int)unpack_u8(&u) << 8;
	if (u.left != 0)
		v |= unpack_u8(&u);
	return u.bad ? 0 : (uint16_t)v;
}

static uint32_t number_of(struct bytes value)
{
	struct unpacker u = unpack_begin(value);

	return value.n == 0 || value.n > 4 ? 0 : (uint32_t)unpack_be(&u, value.n);
}

/* What would paint a terminal is not shown. */
static void take_label(struct bytes value, char out[static KF_KEY_LABEL_MAX + 1])
{
	size_t n = value.n < KF_KEY_LABEL_MAX ? value.n : KF_KEY_LABEL_MAX;

	for (size_t i = 0; i < n; i++)
		out[i] = value.p[i] < ' ' || value.p[i] == 0x7f ? '?' : (char)value.p[i];
	out[n] = '\0';
}

/* The next value, whatever it is: its tag, or 0 at the end. */
static uint8_t take_any(struct unpacker *u, struct bytes *value)
{
	uint8_t tag = u->left != 0 ? u->p[0] : 0;

	if (tag != 0)
		*value = der_take(u, tag);
	return u->bad ? 0 : tag;
}

static int take_common(struct bytes part, struct prkd *out)
{
	struct unpacker u = unpack_begin(part);
	struct bytes value;
	uint8_t tag;

	while ((tag = take_any(&u, &value)) != 0)
		if (tag == DER_UTF8)
			take_label(value, out->label);
	return unpack_end(&u);
}

static int take_key(struct bytes part, struct prkd *out)
{
	struct unpacker u = unpack_begin(part);
	unsigned int n_bits = 0;
	struct bytes value;
	uint8_t tag;

	while ((tag = take_any(&u, &value)) != 0) {
		if (tag == DER_OCTETS && out->id_len == 0) {
			struct packer p = pack_begin(out->id, sizeof(out->id));

			pack_bytes(&p, bytes_slice(value, 0, sizeof(out->id)));
			out->id_len = (uint8_t)p.n;
		} else if (tag == DER_BITS && n_bits++ == 0) {
			out->usage = bits_of(value);
		} else if (tag == DER_BITS) {
			out->local = bits_of(value) >> 8 & ACCESS_LOCAL;
		}
	}
	return unpack_end(&u);
}

/* SEQUENCE { path, size }; the size is the only number there. */
static int take_type(struct bytes part, struct prkd *out)
{
	struct unpacker outer = unpack_begin(part), u = unpack_begin(der_take(&outer, DER_SEQUENCE));
	struct bytes value;
	uint8_t tag;

	while ((tag = take_any(&u, &value)) != 0)
		if (tag == DER_INTEGER)
			out->bits = number_of(value);
	return unpack_end(&outer) < 0 ? -EBADMSG : unpack_end(&u);
}

int prkd_parse(struct bytes der, struct prkd *out)
{
	struct unpacker u = unpack_begin(der), inner;
	struct prkd prkd = { 0 };
	unsigned int n_sequences = 0;
	struct bytes value = BYTES_NONE;
	int r = 0;

	prkd.kind = take_any(&u, &value);
	if (prkd.kind != PRKD_RSA && prkd.kind != PRKD_EC && prkd.kind != PRKD_AES)
		return -EBADMSG;
	inner = unpack_begin(value);
	for (uint8_t tag; r == 0 && (tag = take_any(&inner, &value)) != 0;) {
		if (tag == DER_SEQUENCE && n_sequences++ == 0)
			r = take_common(value, &prkd);
		else if (tag == DER_SEQUENCE && n_sequences == 2)
			r = take_key(value, &prkd);
		else if (tag == DER_TYPE_ATTRIBUTES)
			r = take_type(value, &prkd);
	}
	if (r < 0 || unpack_end(&inner) < 0 || n_sequences < 2)
		return -EBADMSG;
	*out = prkd;
	return 0;
}

uint16_t prkd_usage(enum kf_key_type type, uint32_t purposes)
{
	uint16_t usage = 0;

	if (key_type_is_aes(type))
		return PRKD_ENCRYPT | PRKD_DECRYPT | PRKD_SIGN | PRKD_VERIFY;
	if (purposes & 1u << KF_PURPOSE_SIGN)
		usage |= PRKD_SIGN;
	if (purposes & 1u << KF_PURPOSE_DECRYPT)
		usage |= PRKD_DECRYPT | PRKD_UNWRAP;
	if (purposes & 1u << KF_PURPOSE_DERIVE)
		usage |= PRKD_DERIVE;
	return usage;
}

struct prkd prkd_of(enum kf_key_type type, enum kf_purpose purpose, const char *label, uint8_t id)
{
	struct prkd prkd = {
		.kind = key_type_is_rsa(type) ? PRKD_RSA : key_type_is_ec(type) ? PRKD_EC : PRKD_AES,
		.usage = prkd_usage(type, 1u << purpose),
		.bits = key_type_bits(type),
		.id = { id },
		.id_len = 1,
	};

	memcpy(prkd.label, label, strnlen(label, KF_KEY_LABEL_MAX));
	return prkd;
}

static void put_bits(struct packer *p, uint16_t v)
{
	uint8_t buf[3] = { 0, (uint8_t)(v >> 8), (uint8_t)v };
	size_t n = (v & 0xff) != 0 ? 3 : 2;
	uint8_t last = buf[n - 1];

	for (; last != 0 && (last & 1) == 0; last >>= 1)
		buf[0]++;
	der_put(p, DER_BITS, BYTES(buf, n));
}

int prkd_pack(const struct prkd *prkd, struct packer *out)
{
	struct der_mark whole = der_begin(out, prkd->kind), part, sequence;

	part = der_begin(out, DER_SEQUENCE);
	der_put(out, DER_UTF8, BYTES(prkd->label, strlen(prkd->label)));
	der_end(out, part);
	part = der_begin(out, DER_SEQUENCE);
	der_put(out, DER_OCTETS, BYTES(prkd->id, prkd->id_len));
	put_bits(out, prkd->usage);
	put_bits(out, (prkd->local ? ACCESS_LOCAL_ALL : ACCESS_SENSITIVE) << 8);
	if (prkd->marked)
		der_put(out, DER_MARK, BYTES_OF(prkd->mark));
	der_end(out, part);
	part = der_begin(out, DER_TYPE_ATTRIBUTES);
	sequence = der_begin(out, DER_SEQUENCE);
	struct der_mark path = der_begin(out, DER_SEQUENCE);

	der_put(out, DER_OCTETS, BYTES_NONE);
	der_end(out, path);
	der_put_uint(out, DER_INTEGER, prkd->bits);
	der_end(out, sequence);
	der_end(out, part);
	der_end(out, whole);
	return pack_end(out);
}
