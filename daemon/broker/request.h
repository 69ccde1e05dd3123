/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/request.h - The request table, which is the security policy: what each request
 * needs before any code of ours runs for it.
 */
#pragma once

#include "daemon/broker/handle.h"
#include "proto/packet.h"

struct broker;
struct client;
struct context;
struct key;
struct call;

/* Requests that are answered later return this instead of 0. */
#define CALL_LATER 1

/**
 * struct request_rule - one row
 * @handle:	what its first field must be: a handle of this client, of this kind
 * @right:	what the client's uid must have, at the reader and container in question
 * @pin_right:	what it must have instead where it is about PINs and not about a container; 0: it never is
 * @container:	where in the struct the container stands; 0 if it names none
 * @handler:	called with all of it in order
 */
struct request_rule {
	uint32_t request;
	enum handle_kind handle;
	uint32_t right;
	uint32_t pin_right;
	size_t container;
	int (*handler)(struct call *call);
};

/**
 * struct call - a request on its way through its handler
 * @request:	parsed
 * @frame:	the same as it came, for who has to keep it
 * @context:	looked up, for %HANDLE_CONTEXT and %HANDLE_KEY
 * @key:	looked up, for %HANDLE_KEY
 * @looked:	it has waited long enough for readers to be looked at
 * @deadline_ns: when its wait ends, if it waited before; else 0
 * @reply:	prepared with the request's number; sent if the handler returns 0
 * @reason:	sent with a negative result
 * @detail:	likewise
 */
struct call {
	struct broker *broker;
	struct client *client;
	const struct packet *request;
	struct bytes frame;
	struct context *context;
	struct key *key;
	bool looked;
	uint64_t deadline_ns;
	struct packet reply;
	uint16_t reason;
	uint32_t detail;
};

/* NULL: not a request clients can make. */
const struct request_rule *request_find(uint32_t request);
const struct request_rule *request_at(size_t i);

/* Return: 0, or -EPROTO: the client broke the framing and must be cut off. */
int request_serve(struct client *client, struct bytes frame);
/* The same for one that was taken and had to wait, until @deadline_ns; @looked as in the call. */
void request_again(struct client *client, struct bytes frame, uint64_t deadline_ns, bool looked);

/* Says that @right is missing. Return: -EACCES. */
int call_refuse(struct call *call, enum kf_reason reason, uint32_t right);
/* Which right it takes to have a session key for @target. */
uint32_t request_right_to_inject(uint32_t target);
/* Whether the client has @right at the context's reader and this container. */
bool call_may(const struct call *call, uint32_t right, uint32_t container);

/* Handlers: serve_broker.c, serve_reader.c, serve_card.c */
int on_hello(struct call *call);
int on_status(struct call *call);
int on_clients(struct call *call);
int on_events(struct call *call);
int on_cancel(struct call *call);
int on_policy(struct call *call);
int on_reader_list(struct call *call);
int on_reader_info(struct call *call);
int on_context_open(struct call *call);
int on_context_close(struct call *call);
int on_card(struct call *call);
int on_pin(struct call *call);
int on_pin_pad(struct call *call);
int on_puk(struct call *call);
int on_byok(struct call *call);
int on_offer(struct call *call);
int on_card_init(struct call *call);
int on_dkek_share(struct call *call);
int on_blob_unwrap(struct call *call);
int on_apdu(struct call *call);
int on_relay_begin(struct call *call);
int on_relay_apdu(struct call *call);
