/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libclient/client.h - The client: one connection to the broker, with its buffers, its last
 * failure, the contexts that hang from it and the events that wait. call.h makes requests on it.
 */
#pragma once

#include "base/bytes.h"
#include "base/cleanup.h"
#include "keyferry/keyferry.h"

#include <stdatomic.h>

#define CLIENT_EVENTS_MAX 256
/* What the broker gets on top of the deadline it enforces itself. */
#define CLIENT_GRACE_MS 1000

#define KF_EXPORT __attribute__((visibility("default")))

/**
 * struct failure - why the last call ended, kept until the next
 * @error:	for people
 * @reason:	enum kf_reason; @detail, @sw: likewise from the reply's header
 */
struct failure {
	struct kf_error error;
	uint32_t reason;
	uint32_t detail;
	uint32_t sw;
};

/**
 * struct event_queue - events that came while nobody dispatched; a ring
 * @ring:	%CLIENT_EVENTS_MAX of them, made by the first subscription
 * @lost:	some did not fit; told once
 */
struct event_queue {
	struct kf_event *ring;
	size_t first, n;
	bool lost;
	uint32_t mask;
	kf_event_fn fn;
	void *data;
	bool dispatching;
};

/**
 * struct kf_client - see keyferry.h
 * @fd:		the socket. A hang-up shuts it down but leaves it open until connect or free: kf_cancel()
 *		may be using the number in another thread
 * @connected:	greeted and not hung up
 * @epoch:	counts connections; a context of another epoch is dead
 * @path:	how to connect again; NULL if a descriptor was given
 * @seq:	last used, 1 to 0x7fffffff; numbers with the top bit are kf_cancel()'s
 * @running:	seq of the call that waits, 0 if none; read by kf_cancel()
 * @cancel_seq:	last used by kf_cancel()
 * @cancel_wanted: seq of the call that kf_cancel() was last called for: if its request was not on its
 *		way then, the broker knew of nothing to cancel, and has to be told again
 * @cancels:	requests to cancel that are not answered yet
 * @tx, @rx:	%KF_PACKET_MAX bytes each; wiped after each call
 * @rx_len:	of the last packet, as it was received; what it says of itself is not to be trusted
 * @contexts:	list of those made by this client
 */
struct kf_client {
	int fd;
	bool connected;
	uint32_t epoch;
	char *path;
	char name[KF_LABEL_MAX];
	uint32_t deadline_ms;
	uint32_t seq;
	_Atomic uint32_t running;
	_Atomic uint32_t cancel_seq;
	_Atomic uint32_t cancel_wanted;
	_Atomic uint32_t cancels;
	uint8_t *tx, *rx;
	size_t rx_len;
	struct kf_hello hello;
	struct failure failure;
	struct event_queue events;
	struct kf_context *contexts;
};

/* Ends the connection; every later call returns -ENOTCONN. */
void client_hang_up(struct kf_client *client);

/* Connects once more as the last kf_client_connect() did and subscribes again. Return: 0, -errno. */
int client_reconnect(struct kf_client *client);

/* The deadline in force, default applied. */
uint32_t client_deadline_ms(const struct kf_client *client);

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t client_now_ms(void);

/* events.c: takes in one event; hands out all that wait. */
void events_push(struct event_queue *queue, const struct kf_event *event);
void events_deinit(struct event_queue *queue);
