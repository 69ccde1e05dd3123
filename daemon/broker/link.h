/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/link.h - The socket to one driver: one request at a time, the reply must be its
 * reply. Anything else, or silence beyond the deadline, costs the driver its life.
 */
#pragma once

#include "daemon/shared/loop.h"
#include "proto/packet.h"

#define LINK_GRACE_MS	2000	/* for a driver to notice its own deadline */
#define LINK_CHORE_MS	10000	/* for what the broker asks on its own account */
#define LINK_POWERING_MS 60000	/* a driver may power a card, longer than any honest one does */
#define LINK_EVENTS	32	/* of a driver, and two more for each further slot, within ... */
#define LINK_EVENTS_MS	10000

/* What the outstanding request is for. */
enum link_step {
	LINK_IDLE,
	LINK_HELLO,
	LINK_DROP,		/* before the running job, whose client is another */
	LINK_TRIES,		/* before a PIN goes: is it the last try? */
	LINK_JOB,
	LINK_CHORE_DROP,
	LINK_CHORE_DESTROY,
	LINK_CHORE_RESET,
	LINK_WATCH,		/* for the whole device, in the name of slot 0 */
};

struct device;
struct reader;

/**
 * struct link - one
 * @step:	what the outstanding request is for
 * @whose:	the slot it is for
 * @last:	the slot that was served last
 * @powering:	it powers a card and does not listen; nothing is asked until that has ended
 * @put_off:	the outstanding request had to wait for that, once
 */
struct link {
	struct source source;
	struct timer timer;
	enum link_step step;
	struct reader *whose;
	uint32_t last;
	uint32_t seq, request;	/* of the outstanding one */
	uint32_t instance, pid, uid, restarts;
	uint32_t n_events;	/* since events_ns */
	uint64_t events_ns;
	bool cancelled;		/* the outstanding one, once */
	bool powering, put_off;
	bool broken;		/* given up by us; its end is on the way through the loop */
};

#define LINK_INIT ((struct link){ .source = SOURCE_INIT })

static inline bool link_up(const struct link *link)
{
	return link->source.fd >= 0;
}

/* A request may be sent. */
static inline bool link_is_free(const struct link *link)
{
	return link_up(link) && link->step == LINK_IDLE && !link->broken && !link->powering;
}

/*
 * Sends, on behalf of @reader; the reply comes to card_reply(). On failure the link breaks, by
 * itself and later.
 */
void link_ask(struct device *device, struct reader *reader, enum link_step step,
	      struct packet *request, uint32_t deadline_ms);
/* Asks the driver, once, to give up what it is doing. */
void link_cancel(struct device *device);
/* Gives the driver up from anywhere: its contexts end when the loop sees the socket's end. */
void link_break(struct device *device);
int link_open(struct device *device, int fd);
void link_close(struct device *device);
