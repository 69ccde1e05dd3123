/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vreader/card/reply.h"

int reply_init(struct reply *reply)
{
	return secret_init(&reply->data, APP_DATA_MAX);
}

void reply_deinit(struct reply *reply)
{
	secret_deinit(&reply->data);
	*reply = REPLY_INIT;
}

void reply_drop(struct reply *reply)
{
	wipe(reply->data.p, reply->data.n);
	reply->data.n = 0;
	reply->sent = 0;
}

struct packer reply_begin(struct reply *reply)
{
	reply_drop(reply);
	return pack_begin(reply->data.p, reply->data.cap);
}

int reply_take(struct reply *reply, const struct packer *written)
{
	assert(written->p == reply->data.p);
	/* Count first: if the packer went bad, what it wrote before has to be wiped as well. */
	reply->data.n = written->n;
	if (pack_end(written) < 0) {
		reply_drop(reply);
		return -EMSGSIZE;
	}
	return 0;
}

uint16_t reply_send(struct reply *reply, size_t ne, struct packer *out)
{
	struct bytes part = bytes_slice(secret_bytes(&reply->data), reply->sent, ne);
	size_t left;

	pack_bytes(out, part);
	reply->sent += part.n;
	left = reply->data.n - reply->sent;
	if (left == 0) {
		reply_drop(reply);
		return SW_OK;
	}
	return (uint16_t)(SW_MORE | (left < 256 ? left : 0));
}
