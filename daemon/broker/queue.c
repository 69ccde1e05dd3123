/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/broker/queue.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

struct lane {
	struct list link;
	struct list items;
	const void *user, *who;
	size_t n_items;
};

void queue_init(struct queue *queue)
{
	list_init(&queue->lanes);
	queue->n_items = 0;
}

void queue_deinit(struct queue *queue)
{
	assert(list_empty(&queue->lanes));
	queue->n_items = 0;
}

static struct lane *lane_find(const struct queue *queue, const void *who)
{
	struct lane *lane;

	list_each(lane, &queue->lanes, link)
		if (lane->who == who)
			return lane;
	return NULL;
}

int queue_push(struct queue *queue, const void *user, const void *who, struct queued *item)
{
	struct lane *lane = lane_find(queue, who);

	assert(!item->lane);
	if (!lane) {
		lane = calloc(1, sizeof(*lane));
		if (!lane)
			return -ENOMEM;
		lane->user = user;
		lane->who = who;
		list_init(&lane->items);
		list_push(&queue->lanes, &lane->link);
	}
	list_push(&lane->items, &item->link);
	item->lane = lane;
	lane->n_items++;
	queue->n_items++;
	return 0;
}

void queue_remove(struct queue *queue, struct queued *item)
{
	struct lane *lane = item->lane;

	if (!lane)
		return;
	list_drop(&item->link);
	item->lane = NULL;
	queue->n_items--;
	if (--lane->n_items > 0)
		return;
	list_drop(&lane->link);
	free(lane);
}

static void to_back(struct queue *queue, struct lane *lane)
{
	list_drop(&lane->link);
	list_push(&queue->lanes, &lane->link);
}

/* @last is where to stop: what comes behind it went there just now. */
static void had_turn(struct queue *queue, struct lane *served)
{
	const struct list *last = queue->lanes.prev;
	struct lane *lane, *next;
	bool more = true;

	for (lane = list_first(&queue->lanes, struct lane, link); more; lane = next) {
		next = list_entry(lane->link.next, struct lane, link);
		more = &lane->link != last;
		if (lane->user == served->user && lane != served)
			to_back(queue, lane);
	}
	to_back(queue, served);
}

struct queued *queue_take(struct queue *queue, bool (*may)(const struct queued *, const void *),
			  const void *arg)
{
	struct lane *lane;
	struct queued *item;

	list_each(lane, &queue->lanes, link)
		list_each(item, &lane->items, link) {
			if (!may(item, arg))
				continue;
			had_turn(queue, lane);
			queue_remove(queue, item);
			return item;
		}
	return NULL;
}

size_t queue_count(const struct queue *queue, const void *who)
{
	const struct lane *lane = lane_find(queue, who);

	return lane ? lane->n_items : 0;
}
