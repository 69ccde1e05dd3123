/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libclient/call.h - One request and its reply:
 *
 *	_cleanup_(call_end) struct call call = CALL_INIT;
 *	struct kf_sign *sign = call_begin_card(&call, context, KF_SIGN);
 *	int r;
 *
 *	sign->container = number;
 *	call_set(&call, kf_sign, digest, BYTES(digest, len));
 *	r = call_run(&call, "cannot sign with container %u", number);
 *	if (r < 0)
 *		return r;
 *	return blob_new(call_get(&call, kf_sign, signature), out);
 *
 * The reply borrows from the client's buffer; call_end() wipes that and the packets.
 */
#pragma once

#include "libclient/client.h"
#include "libclient/context.h"
#include "proto/packet.h"

/**
 * struct call - one request under way
 * @client:	whose; NULL if the caller gave none
 * @error:	found before anything was sent: -EINVAL, -ENOTCONN
 */
struct call {
	struct kf_client *client;
	int error;
	struct packet request;
	struct packet reply;
};

#define CALL_INIT ((struct call){ 0 })

/* Return: the request's struct, zero-filled; never NULL, whatever @client or @context are. */
void *call_begin(struct call *call, struct kf_client *client, uint32_t request);
/* The same about a card: the struct's first field is the context's handle and is filled in. */
void *call_begin_card(struct call *call, struct kf_context *context, uint32_t request);

#define call_set(call, type, field, value)	packet_set(&(call)->request, type, field, value)
#define call_get(call, type, field)		packet_get(&(call)->reply, type, field)

/* Another deadline for this call alone. */
void call_set_deadline(struct call *call, uint32_t ms);

/* Notes that an argument makes no sense; call_run() then sends nothing. */
void call_refuse(struct call *call, const char *why);

/*
 * Sends and waits; on failure says in the client's failure what was tried, by @what. Return: 0;
 * the broker's errno; -ENOTCONN, -ETIMEDOUT, -EBADMSG.
 */
int call_run(struct call *call, const char *what, ...) __attribute__((format(printf, 2, 3)));

/* The reply's struct, after success. */
const void *call_reply(const struct call *call);

void call_end(struct call *call);

/* A reply that parsed but cannot be: hangs up. Return: -EBADMSG, with the failure filled in. */
int call_reply_broken(struct call *call, const char *why);

/*
 * Whether the call that just ended with @r may have been carried out all the same, its answer being
 * lost: an item may be in the card.
 */
bool call_in_doubt(const struct kf_client *client, int r);

/* Memory ran out after the reply. Return: -ENOMEM. */
int call_no_memory(struct call *call);

/* Takes in what is there, without waiting. Return: 0 nothing left, -ENOTCONN, -EBADMSG. */
int client_take_events(struct kf_client *client);
