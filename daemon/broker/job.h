/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/job.h - A request that cannot be answered at once: it waits for its turn at the
 * card, or for a card to come. It keeps its own copy of the packet, wiped when it goes.
 *
 *	QUEUED ---------> RUNNING ---------> answered, freed
 *	   | deadline, cancel,                  ^
 *	   | context ended                      |
 *	   '------------------------------------'
 *	PARKED (waits for a card) --------------'
 *	LOOKS (waits for readers, watch.h) ---> freed, its packet served anew
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

enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_PARKED, JOB_LOOKS };

/**
 * struct job - one
 * @client:	to answer; NULL once it left, then the outcome only matters to the card
 * @reader:	NULL in %JOB_LOOKS
 * @look_at:	%JOB_LOOKS: key of the device, 0 for all
 * @context:	NULL once it ended, and in %JOB_LOOKS
 * @key:	session key it names; NULL if none, or once that ended
 * @give_up:	RUNNING: -ECANCELED or -ETIMEDOUT came before the card was asked
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
struct job *job_free(struct job *job);

int job_queue(struct job *job);
void job_park(struct job *job);

/* Answers and frees. */
void job_fail(struct job *job, int result, uint16_t reason, uint32_t detail);
void job_answer(struct job *job, struct packet *reply);

void job_cancel(struct job *job);
/* Takes it from its client, who owes nothing for it any more. */
void job_detach(struct job *job);
/* The client left: a running job goes on without it, all others go. */
void job_orphan(struct job *job);
/* The context ended while the job was there. */
void job_context_ended(struct job *job, int result, enum kf_reason reason);
struct job *job_find(struct client *client, uint32_t seq);
