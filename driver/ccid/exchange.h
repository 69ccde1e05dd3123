/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/ccid/exchange.h - One command, one reply: sequence numbers, stale frames, time extensions,
 * transfers that do not match messages, and the way back to a pipe both sides agree about.
 *
 * Whatever the reader does, exchange_run() ends by its deadline with a reply or one errno. When it
 * ends without a usable reply the pipe may be out of step; the ladder that brings it back
 * (exchange_settle()) then runs with what is left of the deadline, and goes on before the next
 * command if that was not enough. The slot it happened in is not to be trusted until its card was
 * power-cycled; struct slot sees to that.
 */
#pragma once

#include "base/deadline.h"
#include "base/sleep.h"
#include "driver/ccid/desc.h"
#include "driver/ccid/limits.h"
#include "driver/ccid/msg.h"
#include "driver/pipe.h"

/* Malformed messages within limits.malformed_ms that end a reader; the size of a ring. */
enum { EXCHANGE_MALFORMED_MAX = 8 };

/* What a reader did that a good one does not; for `status` and traces. */
struct exchange_counts {
	uint32_t stale, zero_length, surplus, malformed, extensions, busy, stalls, settled, resets;
};

/**
 * struct exchange - the bulk pipes of one reader
 * @pipe:	borrowed
 * @desc:	borrowed
 * @seq:	the next sequence number; one space for all slots
 * @frame:	the message going out, then the one that came in; wiped after use
 * @frame_cap:	its size: the longest message and room for padding
 * @used:	bytes of @frame to wipe
 * @lost:	the pipe is out of step; @lost_slot and @lost_seq are of the command it happened to
 * @unsettled:	climbs in a row that a deadline cut short
 * @dead:	given up for good: every call says -ENODEV
 * @reset_due:	all else failed: the next exchange_settle() resets the device
 * @no_zero_packets: the reader leaves out the empty packet behind a full one
 * @reset_at:	the last reset, in ms of CLOCK_MONOTONIC; 0 for none
 * @sleep, @sleeps: of the machine, see exchange_power_losses()
 * @sent:	the last command was handed to the reader: it may have been carried out
 * @malformed_at: when the last malformed messages came, a ring
 * @counts:	see there
 */
struct exchange {
	struct pipe *pipe;
	const struct ccid_desc *desc;
	uint8_t seq;
	uint8_t *frame;
	size_t frame_cap, used;
	bool lost, dead, sent, reset_due, no_zero_packets;
	uint64_t reset_at;
	uint8_t lost_slot, lost_seq;
	struct sleep_watch sleep;
	unsigned int sleeps;
	uint64_t malformed_at[EXCHANGE_MALFORMED_MAX];
	unsigned int n_malformed, unsettled;
	struct exchange_counts counts;
};

#define EXCHANGE_INIT ((struct exchange){ 0 })

/* Return: 0 or -ENOMEM. */
int exchange_init(struct exchange *x, struct pipe *pipe, const struct ccid_desc *desc);
void exchange_deinit(struct exchange *x);

/**
 * exchange_run - sends a command and waits for its reply
 * @slot:	less than desc->n_slots
 * @answer_ms:	how long the reader may be silent, clamped to 3 to 30 s; 0 for the command's own
 * @deadline:	the end of the operation
 * @out:	the reply, done or failed; its data is good until the next call
 *
 * Return: 0 with a reply whose outcome is CCID_DONE or CCID_FAILED. -EMSGSIZE: the command is longer
 * than the reader takes, nothing was sent. Else no reply: -ETIMEDOUT, -EBADMSG, -EIO (the
 * reader stalled), -ENODEV, or what pipe.wake said. x->sent tells whether the command went out.
 */
int exchange_run(struct exchange *x, uint8_t slot, const struct ccid_command *command,
		 uint32_t answer_ms, struct deadline deadline, struct ccid_reply *out);

/*
 * How often cards may have lost their power without a word from the reader: the machine slept, the
 * device was reset. A card that was powered on at another count has to be powered on again.
 */
unsigned int exchange_power_losses(struct exchange *x);

/* Drops what a previous owner of the reader left in the pipe. */
void exchange_drain(struct exchange *x);

/*
 * Brings a pipe that is out of step back: drain, ABORT pair, clear both halts, GetSlotStatus,
 * IccPowerOff; in a call of its own a reset of the device, where the transport has one and the last
 * was not within a minute; after that the reader is given up. Return: 0 in step; -ETIMEDOUT not yet; -ENODEV.
 */
int exchange_settle(struct exchange *x, struct deadline deadline);

/* To be called when a reply is well formed as a message but makes no sense to its user. */
int exchange_malformed(struct exchange *x, uint8_t slot, struct deadline deadline);

/* Wipes the last reply; called when its data has been used. */
void exchange_wipe(struct exchange *x);
