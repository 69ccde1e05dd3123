/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * proto/packet.c - Parsing goes frame, struct, parts: the frame must be whole, the struct must be
 * one we can read (a longer one only if its tail is zero), the parts must lie where the only legal
 * layout puts them. One layout per content means nothing to hide in gaps and nothing to overlap.
 */
#include "proto/packet.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "proto.h is little-endian");

struct packet packet_begin(enum kf_kind kind, uint32_t request, uint32_t seq)
{
	return (struct packet){
		.header = {
			.magic = KF_MAGIC, .version = KF_PROTO_VERSION, .kind = (uint8_t)kind,
			.request = request, .seq = seq,
		},
		.shape = shape_find(request),
	};
}

static bool is_part(enum shape_kind kind)
{
	return kind == SHAPE_PART_IN || kind == SHAPE_PART_OUT;
}

static size_t part_index(const struct packet *p, size_t off)
{
	size_t i = 0;

	assert(p->shape);
	while (i < SHAPE_FIELDS && !(is_part(p->shape->fields[i].kind) &&
				     p->shape->fields[i].off == off))
		i++;
	assert(i < SHAPE_FIELDS);
	return i;
}

struct bytes packet_part_at(const struct packet *p, size_t off)
{
	return p->parts[part_index(p, off)];
}

void packet_set_part_at(struct packet *p, size_t off, struct bytes value)
{
	p->parts[part_index(p, off)] = value;
}

/* The length of the UTF-8 character at @s, 0 if it is none or a control character. */
static size_t char_len(const uint8_t *s, size_t n)
{
	static const struct { uint8_t mask, lead; uint32_t least; } form[] = {
		{ 0x80, 0x00, 0x20 }, { 0xe0, 0xc0, 0xa0 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 },
	};

	for (size_t len = 1; len <= 4 && len <= n; len++) {
		uint32_t c = s[0] & (uint8_t)~form[len - 1].mask;

		if ((s[0] & form[len - 1].mask) != form[len - 1].lead)
			continue;
		for (size_t i = 1; i < len; i++) {
			if ((s[i] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (s[i] & 0x3f);
		}
		if (c < form[len - 1].least || c == 0x7f || c > 0x10ffff ||
		    (c >= 0xd800 && c <= 0xdfff))
			return 0;
		return len;
	}
	return 0;
}

bool packet_string_valid(const char *field, size_t size)
{
	const uint8_t *s = (const uint8_t *)field;
	size_t n = strnlen(field, size);

	if (n == size || !bytes_are_zero(BYTES(s + n, size - n)))
		return false;
	for (size_t i = 0, len; i < n; i += len) {
		len = char_len(s + i, n - i);
		if (len == 0)
			return false;
	}
	return true;
}

void packet_string(char *field, size_t size, const char *text)
{
	const uint8_t *s = (const uint8_t *)text;
	size_t n = strlen(text), at = 0;

	memset(field, 0, size);
	for (size_t i = 0; i < n;) {
		size_t len = char_len(s + i, n - i);

		if (at + (len ? len : 1) >= size)
			break;
		if (len == 0)
			field[at++] = '?';
		for (size_t k = 0; k < len; k++)
			field[at++] = text[i + k];
		i += len ? len : 1;
	}
}

static int header_parse(struct bytes frame, struct kf_header *out)
{
	struct unpacker u = unpack_begin(frame);

	out->magic = unpack_le16(&u);
	out->version = unpack_u8(&u);
	out->kind = unpack_u8(&u);
	out->size = unpack_le32(&u);
	out->request = unpack_le32(&u);
	out->seq = unpack_le32(&u);
	out->result = (int32_t)unpack_le32(&u);
	out->deadline_ms = unpack_le32(&u);
	out->sw = unpack_le16(&u);
	out->reason = unpack_le16(&u);
	out->detail = unpack_le32(&u);
	if (u.bad || frame.n > KF_PACKET_MAX || out->size != frame.n)
		return -EBADMSG;
	if (out->magic != KF_MAGIC || out->version != KF_PROTO_VERSION)
		return -EBADMSG;
	switch (out->kind) {
	case KF_KIND_REQUEST:
		return out->seq == 0 || out->result != 0 || out->sw != 0 || out->reason != 0 ||
		       out->detail != 0 ? -EBADMSG : 0;
	case KF_KIND_REPLY:
		return out->seq == 0 || out->result > 0 || out->result < -4095 ||
		       out->deadline_ms != 0 ? -EBADMSG : 0;
	case KF_KIND_EVENT:
		return out->seq != 0 || out->result != 0 || out->deadline_ms != 0 ? -EBADMSG : 0;
	default:
		return -EBADMSG;
	}
}

/* Whether @field is empty by nature in this kind of packet. */
static bool field_wrong_way(enum kf_kind kind, enum shape_kind field)
{
	return kind == KF_KIND_REQUEST ? field == SHAPE_PART_OUT : field == SHAPE_PART_IN;
}

/* Parts in order, no gap, no overlap; @at is where the next one must begin. */
static int part_parse(struct packet *p, size_t i, struct bytes body, size_t *at)
{
	const struct shape_field *field = &p->shape->fields[i];
	struct unpacker u = unpack_begin(BYTES(p->body.raw + field->off, sizeof(struct kf_part)));
	uint32_t off = unpack_le32(&u), len = unpack_le32(&u);

	if (len == 0)
		return off == 0 ? 0 : -EINVAL;
	if (field_wrong_way(p->header.kind, field->kind) || off != *at || len > body.n - *at)
		return -EINVAL;
	p->parts[i] = bytes_slice(body, off, len);
	*at += len;
	return 0;
}

static int field_check(const struct packet *p, const struct shape_field *field)
{
	bool request = p->header.kind == KF_KIND_REQUEST;
	struct bytes at = BYTES(p->body.raw + field->off, field->len);
	struct unpacker u = unpack_begin(at);

	switch (field->kind) {
	case SHAPE_STRING_IN:
		return !request || packet_string_valid((const char *)at.p, at.n) ? 0 : -EINVAL;
	case SHAPE_STRING_OUT:
		return request || packet_string_valid((const char *)at.p, at.n) ? 0 : -EINVAL;
	case SHAPE_STRING_BOTH:
		return packet_string_valid((const char *)at.p, at.n) ? 0 : -EINVAL;
	case SHAPE_FLAGS_IN:
		return !request || (unpack_le32(&u) & ~field->mask) == 0 ? 0 : -EINVAL;
	case SHAPE_RESERVED:
		return bytes_are_zero(at) ? 0 : -EINVAL;
	default:
		return 0;
	}
}

static int body_parse(struct packet *p, struct bytes body)
{
	size_t wire = _IOC_SIZE(p->header.request), known = shape_size(p->shape);
	struct bytes tail = bytes_slice(body, known, wire > known ? wire - known : 0);
	size_t at = wire;
	int r;

	assert(known <= sizeof(p->body.raw));
	if (_IOC_DIR(p->header.request) != _IOC_DIR(p->shape->request))
		return -ENOTTY;
	if (wire < p->shape->min || body.n < wire)
		return -EINVAL;
	if (!bytes_are_zero(tail))
		return -E2BIG;

	struct unpacker u = unpack_begin(body);
	unpack_copy(&u, p->body.raw, wire < known ? wire : known);
	for (size_t i = 0; i < SHAPE_FIELDS && p->shape->fields[i].kind != SHAPE_NONE; i++) {
		const struct shape_field *field = &p->shape->fields[i];

		r = is_part(field->kind) ? part_parse(p, i, body, &at) : field_check(p, field);
		if (r < 0)
			return r;
	}
	return at == body.n ? 0 : -EINVAL;
}

int packet_parse(struct bytes frame, struct packet *out)
{
	struct bytes body = bytes_slice(frame, sizeof(struct kf_header), frame.n);
	int r;

	*out = (struct packet){ 0 };
	r = header_parse(frame, &out->header);
	if (r < 0)
		return r;
	out->shape = shape_find(out->header.request);
	if (out->header.kind == KF_KIND_REPLY && out->header.result < 0)
		return body.n == 0 ? 0 : -EBADMSG;
	if (!out->shape)
		return -ENOTTY;
	return body_parse(out, body);
}

static bool has_body(const struct packet *packet)
{
	return packet->shape && !(packet->header.kind == KF_KIND_REPLY && packet->header.result < 0);
}

/* A part counts if the other side's struct reaches far enough to say where it is. */
static size_t part_len(const struct packet *packet, size_t i)
{
	const struct shape_field *field = &packet->shape->fields[i];

	if (!is_part(field->kind) ||
	    field->off + sizeof(struct kf_part) > _IOC_SIZE(packet->header.request))
		return 0;
	return packet->parts[i].n;
}

size_t packet_size(const struct packet *packet)
{
	size_t n = sizeof(struct kf_header);

	if (!has_body(packet))
		return n;
	n += _IOC_SIZE(packet->header.request);
	for (size_t i = 0; i < SHAPE_FIELDS; i++)
		n += part_len(packet, i);
	return n;
}

static void header_pack(const struct packet *packet, struct packer *p)
{
	const struct kf_header *h = &packet->header;

	pack_le16(p, h->magic);
	pack_u8(p, h->version);
	pack_u8(p, h->kind);
	pack_le32(p, (uint32_t)packet_size(packet));
	pack_le32(p, h->request);
	pack_le32(p, h->seq);
	pack_le32(p, (uint32_t)h->result);
	pack_le32(p, h->deadline_ms);
	pack_le16(p, h->sw);
	pack_le16(p, h->reason);
	pack_le32(p, h->detail);
}

/* The struct at the length the other side knows, with its parts' places filled in. */
static void body_pack(const struct packet *packet, struct packer *p)
{
	size_t wire = _IOC_SIZE(packet->header.request), known = shape_size(packet->shape);
	uint8_t raw[SHAPE_BODY_MAX];
	size_t at = wire;

	memcpy(raw, packet->body.raw, sizeof(raw));
	for (size_t i = 0; i < SHAPE_FIELDS; i++) {
		const struct shape_field *field = &packet->shape->fields[i];
		size_t len = part_len(packet, i);
		struct packer q = pack_begin(raw + field->off, sizeof(struct kf_part));

		if (!is_part(field->kind))
			continue;
		pack_le32(&q, len ? (uint32_t)at : 0);
		pack_le32(&q, (uint32_t)len);
		at += len;
	}
	pack_bytes(p, BYTES(raw, wire < known ? wire : known));
	pack_zero(p, wire > known ? wire - known : 0);
	for (size_t i = 0; i < SHAPE_FIELDS; i++)
		pack_bytes(p, BYTES(packet->parts[i].p, part_len(packet, i)));
}

int packet_pack(const struct packet *packet, struct packer *p)
{
	if (packet_size(packet) > KF_PACKET_MAX) {
		pack_fail(p);
		return -EMSGSIZE;
	}
	header_pack(packet, p);
	if (has_body(packet))
		body_pack(packet, p);
	return pack_end(p);
}
