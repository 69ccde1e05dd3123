/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * proto/packet.h - One packet of the request protocol as a typed value. Pure: no I/O, no
 * allocation. The same struct is filled by parsing and read by packing, on all three sides:
 *
 *	struct packet p = PACKET_REQUEST(KF_SIGN, seq, deadline_ms);
 *	struct kf_sign *sign = packet_body(&p);
 *
 *	sign->context = context;
 *	packet_set(&p, kf_sign, digest, digest);
 *	packet_pack(&p, &packer);
 *
 * What leaves packet_parse() is well formed: lengths, parts, strings, reserved fields and flags are
 * as the shape of its request demands. Whether the values make sense is the reader's business.
 */
#pragma once

#include "base/bytes.h"
#include "proto/shape.h"

/**
 * struct packet - a request, a reply or an event
 * @header:	in host order; size is computed by packet_pack()
 * @shape:	of header.request; NULL if unknown
 * @body:	the request's struct in full length, zero-filled; its kf_part fields mean nothing, the
 *		bytes are in @parts
 * @parts:	by index into shape->fields; borrowed
 */
struct packet {
	struct kf_header header;
	const struct shape *shape;
	union {
		uint8_t raw[SHAPE_BODY_MAX];
		uint64_t align;
	} body;
	struct bytes parts[SHAPE_FIELDS];
};

struct packet packet_begin(enum kf_kind kind, uint32_t request, uint32_t seq);

static inline struct packet packet_request(uint32_t request, uint32_t seq, uint32_t deadline_ms)
{
	struct packet p = packet_begin(KF_KIND_REQUEST, request, seq);

	p.header.deadline_ms = deadline_ms;
	return p;
}

/* The reply to @request, same number and sequence, empty body. */
static inline struct packet packet_reply(const struct packet *request, int result)
{
	struct packet p = packet_begin(KF_KIND_REPLY, request->header.request, request->header.seq);

	p.header.result = result;
	return p;
}

static inline struct packet packet_event(uint32_t request)
{
	return packet_begin(KF_KIND_EVENT, request, 0);
}

static inline void *packet_body(struct packet *p)
{
	return p->body.raw;
}

static inline const void *packet_read(const struct packet *p)
{
	return p->body.raw;
}

/* By the part's offset in its struct; the macros below compute it. Asserts that it is a part. */
struct bytes packet_part_at(const struct packet *p, size_t off);
void packet_set_part_at(struct packet *p, size_t off, struct bytes value);

#define packet_get(p, type, field)	packet_part_at((p), offsetof(struct type, field))
#define packet_set(p, type, field, value) \
	packet_set_part_at((p), offsetof(struct type, field), (value))

/*
 * Parses one whole packet. @out borrows from @frame.
 *
 * Return: 0; -EBADMSG if it is no packet of ours (whoever sends such a thing is cut off);
 * otherwise out->header is filled and a request can be answered with the error: -ENOTTY, -E2BIG,
 * -EINVAL. In a reply or an event these, too, mean that the other side is broken.
 */
int packet_parse(struct bytes frame, struct packet *out);

/* Return: 0, or -EMSGSIZE if it does not fit; then @p is bad. */
int packet_pack(const struct packet *packet, struct packer *p);

/* Bytes packet_pack() will need. */
size_t packet_size(const struct packet *packet);

/* Copies @text into a string field, cut at a character, NUL-padded; anything unprintable is '?'. */
void packet_string(char *field, size_t size, const char *text);
#define packet_set_string(field, text)	packet_string((field), sizeof(field), (text))

/* Whether a string field is as proto.h says. */
bool packet_string_valid(const char *field, size_t size);
