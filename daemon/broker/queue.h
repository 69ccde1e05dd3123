/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/queue.h - Who is next at one card: a lane for each client that waits. Users take
 * turns, and of one user the lanes. A client with a hundred requests, or with several contexts,
 * gets no more turns than one with a single request, and a user with sixty clients no more than
 * one with a single client.
 */
#pragma once

#include "base/list.h"

struct lane;

struct queued {
	struct list link;
	struct lane *lane;	/* NULL: not queued */
};

struct queue {
	struct list lanes;
	size_t n_items;
};

#define QUEUED_INIT(q) { LIST_INIT((q).link), NULL }

void queue_init(struct queue *queue);
void queue_deinit(struct queue *queue);	/* asserts that it is empty */

/* @who: the client; @user: whose client it is. Return: 0 or -ENOMEM. */
int queue_push(struct queue *queue, const void *user, const void *who, struct queued *item);
void queue_remove(struct queue *queue, struct queued *item);

/*
 * Takes the next item that @may lets pass: the lanes in turn, each lane in its order. A lane that
 * had its turn goes to the back, behind the other lanes of its user, which go there with it. NULL
 * if there is none.
 */
struct queued *queue_take(struct queue *queue, bool (*may)(const struct queued *, const void *),
			  const void *arg);

/* How many of @who's items wait. */
size_t queue_count(const struct queue *queue, const void *who);
