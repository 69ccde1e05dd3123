/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/reader.h - One reader with its card and the driver process that serves it. The
 * reader outlives its drivers: a driver that ends is followed by a fresh one, and the reader is
 * STARTING in between.
 */
#pragma once

#include "daemon/broker/context.h"
#include "daemon/broker/link.h"
#include "daemon/shared/loop.h"
#include "daemon/broker/queue.h"
#include "daemon/broker/txn.h"
#include "proto/packet.h"

struct broker;
struct job;
struct spawn_msg;

/**
 * struct reader - one reader
 * @key:	the monitor's number
 * @entry:	what clients are told; number, state, generation, ATR live here
 * @link:	to the driver
 * @queue:	jobs for the card
 * @waiters:	jobs that wait for a card to come
 * @running:	the job whose turn it is; NULL between turns
 * @owner:	whose security state is in the card; NULL: nobody's
 * @dirty:	there may be some in it
 * @drop_due:	the security state must go before anything else
 * @reset_due:	the card must be reset before anything else
 * @dead_keys:	session objects nobody can reach any more, to be destroyed in the card
 * @kick:	calls card_kick() from the loop, for those who must not do it themselves
 * @sessions_stay: they survive a drop; else the card is held for their owner
 */
struct reader {
	struct list link_broker;
	struct broker *broker;
	uint32_t key;
	struct kf_reader_entry entry;
	struct kf_drv_hello hello;
	struct link link;
	struct list contexts;
	struct queue queue;
	struct list waiters;
	struct job *running;
	struct context *owner;
	struct txn txn;
	struct list dead_keys;
	struct timer kick;
	bool dirty, drop_due, reset_due, sessions_stay;
};

int reader_new(struct broker *broker, uint32_t key, const char *name, struct reader **out);
struct reader *reader_free(struct reader *reader);

struct reader *reader_by_key(struct broker *broker, uint32_t key);
struct reader *reader_by_number(struct broker *broker, uint32_t number);
struct reader *reader_by_name(struct broker *broker, const char *name);

/* The monitor says it is gone: ends all contexts, announces, frees. */
void reader_gone(struct reader *reader);
/* A fresh driver. Takes over @fd. */
int reader_driver(struct reader *reader, int fd, const struct spawn_msg *msg);
/*
 * The driver is gone, or must be: @why for the log; @tell is what the monitor hears, %SPAWN_KILL,
 * %SPAWN_HUNG_UP, or 0 where it knows.
 */
void reader_driver_lost(struct reader *reader, const char *why, uint32_t tell);
/* An event of the driver. Return: 0, or -EPROTO for one that cannot be. */
int reader_event(struct reader *reader, const struct kf_drv_event *event);
/* The card was reset by us. */
void reader_was_reset(struct reader *reader, struct bytes atr);

void reader_announce(struct reader *reader, enum kf_change change);
