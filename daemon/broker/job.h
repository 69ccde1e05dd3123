/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/job.h - A request that cannot be answered at once: it waits for its turn at the
 * card, or for a card to come. It keeps its own copy of the packet, wiped when it goes.
 *
 *	          its turn          asked              answer
 *	QUEUED -----------> TAKEN ---------> AT_CARD -----------> DONE
 *	   |                  | deadline, cancel, key ended,       ^ ^
 *	   |                  v context ended, client left         | |
 *	   |               GIVEN_UP -------------------------------' |
 *	   | deadline, cancel, key ended, context ended, client left |
 *	   '---------------------------------------------------------+
 *	PARKED (waits for a card) -----------------------------------'
 *	LOOKS (waits for readers, watch.h) ---> DONE, its packet served anew
 *
 * Whose turn it is stays until that turn is over, so from TAKEN on an end is only taken note of.
 */
#pragma once

#include "daemon/shared/loop.h"
#include "daemon/broker/queue.h"
#include "proto/packet.h"

struct broker;
struct client;
struct context;
struct key;
struct reader;
struct request_rule;

enum job_state {
	JOB_NEW, JOB_QUEUED, JOB_TAKEN, JOB_GIVEN_UP, JOB_AT_CARD, JOB_PARKED, JOB_LOOKS, JOB_DONE,
	JOB_STATES
};
enum job_event {
	JOB_QUEUE, JOB_PARK, JOB_LOOK, JOB_TURN, JOB_ASK, JOB_ANSWER, JOB_SERVED, JOB_DEADLINE,
	JOB_CANCEL, JOB_KEY_ENDED, JOB_CONTEXT_ENDED, JOB_CLIENT_LEFT, JOB_EVENTS
};
enum job_do {
	JOB_DO_NOTHING,
	JOB_DO_FAIL,		/* answers and frees it */
	JOB_DO_CLOSE,		/* the same; the context that it was to open is closed with it */
	JOB_DO_DROP,		/* frees it, there is nobody to answer */
	JOB_DO_GIVE_UP,		/* remembers what to say at the end of its turn */
	JOB_DO_ABORT,		/* the same, and asks the driver to make that soon */
	JOB_DO_ORPHAN,		/* goes on without its client */
	JOB_DO_LATE		/* watch_late() */
};

struct job_step {
	enum job_state from;
	enum job_event event;
	enum job_state to;
	enum job_do action;
};

/* Pure. Return: the row, or NULL: out of turn. */
const struct job_step *job_step(enum job_state state, enum job_event event);

/**
 * struct job - one
 * @client:	to answer; NULL once it left, then the outcome only matters to the card
 * @reader:	NULL in %JOB_LOOKS
 * @look_at:	%JOB_LOOKS: key of the device, 0 for all
 * @context:	NULL once it ended, and in %JOB_LOOKS
 * @key:	session key it names; NULL if none, or once that ended
 * @give_up:	from TAKEN on: what it ends with if the card is not asked or does not answer; or 0
 * @pin_charged: a try was taken from the uid's budget
 */
struct job {
	struct list in_client;
	struct queued queued;		/* in reader->queue, reader->waiters or broker->looks */
	struct broker *broker;
	struct reader *reader;
	struct client *client;
	struct context *context;
	struct key *key;
	uint32_t look_at;
	enum job_state state;
	struct timer timer;
	int give_up;
	bool pin_charged;
	uint32_t charged;		/* bytes */
	struct packet request;		/* borrows from frame */
	size_t frame_len;
	uint8_t frame[];
};

/* @context may be NULL. Copies @frame, charges it, arms the deadline. Return: 0, -ENOMEM, -EDQUOT with its @reason. */
int job_new(struct client *client, struct context *context, struct bytes frame,
	    struct job **out, uint16_t *reason);
/* Of one that was not begun, or is done. */
struct job *job_free(struct job *job);

int job_queue(struct job *job);
void job_park(struct job *job);
void job_look(struct job *job);

/* Its turn has come; the card is being asked. */
void job_take(struct job *job);
void job_ask(struct job *job);

/* Answers and frees. */
void job_fail(struct job *job, int result, uint16_t reason, uint32_t detail);
void job_answer(struct job *job, struct packet *reply);

/* The look it waited for is over: its packet is served anew, and answered by that. */
void job_served(struct job *job);

void job_cancel(struct job *job);
/* Takes it from its client, who owes nothing for it any more. */
void job_detach(struct job *job);
/* The client left: one whose turn it is goes on without it, all others go. */
void job_orphan(struct job *job);
/* Its context or its key ended while it was there. */
void job_context_ended(struct job *job, int result, enum kf_reason reason);
void job_key_ended(struct job *job, enum kf_reason reason);
struct job *job_find(struct client *client, uint32_t seq);

static inline uint32_t job_nr(const struct job *job)
{
	return job->request.shape->request;
}
