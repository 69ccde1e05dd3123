/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/reader.h - One reader as clients see it: a slot of a device, and the card in it. The
 * reader outlives its drivers: a driver that ends is followed by a fresh one, and the reader is
 * STARTING in between.
 */
#pragma once

#include "daemon/broker/context.h"
#include "daemon/broker/device.h"
#include "daemon/broker/link.h"
#include "daemon/shared/loop.h"
#include "daemon/broker/queue.h"
#include "daemon/broker/security.h"
#include "daemon/broker/txn.h"
#include "proto/packet.h"

struct broker;
struct job;

/**
 * struct reader - one reader
 * @device:	whose slot @slot it is
 * @entry:	what clients are told; number, state, generation, ATR live here
 * @queue:	jobs for the card
 * @waiters:	jobs that wait for a card to come
 * @running:	the job whose turn it is; NULL between turns
 * @security:	whose security status is in the card
 * @reset_due:	the card must be reset before anything else
 * @dead_keys:	session objects nobody can reach any more, to be destroyed in the card
 * @kick:	calls card_kick() from the loop, for those who must not do it themselves
 * @sessions_stay: they survive a drop; else the card is held for their owner
 */
struct reader {
	struct list link_broker, in_device;
	struct broker *broker;
	struct device *device;
	uint32_t slot;
	struct kf_reader_entry entry;
	struct list contexts;
	struct queue queue;
	struct list waiters;
	struct job *running;
	struct security security;
	struct txn txn;
	struct list dead_keys;
	struct timer kick;
	bool reset_due, sessions_stay;
};

/* Return: 0, -ENOMEM, -EDQUOT. */
int reader_new(struct device *device, uint32_t slot, const char *name, struct reader **out);
struct reader *reader_free(struct reader *reader);

struct reader *reader_by_number(struct broker *broker, uint32_t number);
struct reader *reader_by_name(struct broker *broker, const char *name);

/* It is gone: ends all contexts, announces, frees. Its running job was failed before. */
void reader_gone(struct reader *reader);
/* The driver goes: what the client whose turn it was is told, while the link still says where it was. */
void reader_fail_running(struct reader *reader);
/* The driver went. */
void reader_lost_driver(struct reader *reader);
/* There is none, and @state says why; or there is one again. */
void reader_unserved(struct reader *reader, uint32_t state);
void reader_served(struct reader *reader);
/* An event of the driver. Return: 0, or -EPROTO for one that cannot be. */
int reader_event(struct reader *reader, const struct kf_drv_event *event);
/* The card was reset by us. */
void reader_was_reset(struct reader *reader, struct bytes atr);

/* Whether the monitor has given up finding a driver for it for now. */
static inline bool reader_is_unserved(const struct reader *reader)
{
	return reader->entry.state >= KF_READER_BUSY;
}

void reader_announce(struct reader *reader, enum kf_change change);
