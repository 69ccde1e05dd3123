/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * proto/shape.h - What each request of keyferry/proto.h looks like, as data: how long its struct
 * is, which of its fields are parts, strings, flags or reserved. One table serves client, broker
 * and driver, so the three cannot disagree about what is well formed.
 */
#pragma once

#include "keyferry/proto.h"

#include <stddef.h>
#include <stdint.h>

#define SHAPE_FIELDS	8
#define SHAPE_BODY_MAX	384

enum shape_kind {
	SHAPE_NONE,		/* ends the list */
	SHAPE_PART_IN,		/* struct kf_part: set in requests, empty in replies */
	SHAPE_PART_OUT,		/* the other way round */
	SHAPE_STRING_IN,	/* char[]: NUL-padded, NUL-terminated, UTF-8, no control characters */
	SHAPE_STRING_OUT,
	SHAPE_STRING_BOTH,
	SHAPE_FLAGS_IN,		/* __u32: no bit outside mask in a request */
	SHAPE_RESERVED,		/* zero in both directions */
};

struct shape_field {
	uint16_t off;
	uint16_t len;
	uint32_t mask;
	enum shape_kind kind;
};

/**
 * struct shape - one request or event
 * @request:	its number, with the size we know
 * @min:	shortest struct accepted: up to and with the last required field
 * @name:	as in proto.h, for logs and tests
 * @fields:	what needs looking at; parts in the order of the struct
 */
struct shape {
	uint32_t request;
	uint16_t min;
	const char *name;
	struct shape_field fields[SHAPE_FIELDS];
};

/* The shape of @request, by its type and number alone; NULL if there is none. */
const struct shape *shape_find(uint32_t request);
/* All of them, in the order of their numbers; NULL past the end. */
const struct shape *shape_at(size_t i);

static inline size_t shape_size(const struct shape *shape)
{
	return _IOC_SIZE(shape->request);
}
