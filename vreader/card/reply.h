/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/card/reply.h - The response data of the last command, handed out as the host asks for it
 * (61xx and GET RESPONSE). It may be decrypted data, so it is kept as a secret.
 */
#pragma once

#include "base/secret.h"
#include "format/numbers.h"
#include "vreader/card/apdu.h"

/**
 * struct reply - response data
 * @data:	all of it
 * @sent:	bytes that have left
 */
struct reply {
	struct secret data;
	size_t sent;
};

#define REPLY_INIT ((struct reply){ .data = SECRET_INIT })

int reply_init(struct reply *reply);
void reply_deinit(struct reply *reply);

/* Forgets the data; wiped. */
void reply_drop(struct reply *reply);

static inline bool reply_is_pending(const struct reply *reply)
{
	return reply->sent < reply->data.n;
}

/* For a handler to fill; what it wrote becomes the reply by reply_take(). */
struct packer reply_begin(struct reply *reply);
/* Return: 0, or -EMSGSIZE if the handler wrote over the edge (the reply is then empty). */
int reply_take(struct reply *reply, const struct packer *written);

/* Packs the next @ne bytes at most. Return: the status word that goes with them. */
uint16_t reply_send(struct reply *reply, size_t ne, struct packer *out);
