/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/link/call.h - One request on its way through the driver, and the rows that say what each needs
 * before its handler runs. A handler turns one request into one verb of the card driver. It reads a
 * parsed request, fills the reply's struct and lays parts into the service's buffer; whatever goes
 * with an error was said by the card and is added behind it, in one place (request.c). A row names the
 * verb that it needs, so a card that lacks one says -EOPNOTSUPP by itself.
 */
#pragma once

#include "driver/link/service.h"

#include <stddef.h>

/* What a row needs besides the request itself. */
enum call_needs {
	NEEDS_NOTHING,
	NEEDS_SLOT,
	NEEDS_CARD,		/* a card that answered to reset */
};

#define NO_VERB		SIZE_MAX
#define VERB(name)	offsetof(struct card_driver, name)

/**
 * struct call - one request on its way through
 * @s:		the service
 * @seat:	the slot it is about; NULL: about none, or one that is not there
 * @request:	parsed
 * @reply:	to be filled; starts as a copy of the request's struct
 * @out:	where parts are laid
 * @deadline:	of the request
 */
struct call {
	struct service *s;
	struct seat *seat;
	const struct packet *request;
	struct packet *reply;
	struct packer out;
	struct deadline deadline;
};

/**
 * struct call_rule - one row
 * @verb:	offset in struct card_driver, or NO_VERB
 */
struct call_rule {
	uint32_t request;
	enum call_needs needs;
	size_t verb;
	int (*handle)(struct call *call);
};

/* A table for each file of handlers, with a row of zeros at its end. */
extern const struct call_rule serve_reader_rules[];
extern const struct call_rule serve_card_rules[];
extern const struct call_rule serve_container_rules[];
extern const struct call_rule serve_kek_rules[];
extern const struct call_rule serve_session_rules[];

#define IN(call, type)		((const struct type *)packet_read((call)->request))
#define OUT(call, type)		((struct type *)packet_body((call)->reply))
#define PART(call, type, field)	packet_get((call)->request, type, field)

static inline const struct card_driver *driver_of(const struct call *call)
{
	return call->seat->card->driver;
}

/* The part that was laid since @start; set even if empty. */
static inline struct bytes laid_since(const struct call *call, size_t start)
{
	return bytes_slice(pack_done(&call->out), start, SIZE_MAX);
}

#define SET_PART(call, type, field, start) \
	packet_set((call)->reply, type, field, laid_since(call, start))
