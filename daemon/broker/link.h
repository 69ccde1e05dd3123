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
#define LINK_EVENTS	32	/* of a driver, within ... */
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
};

struct link {
	struct source source;
	struct timer timer;
	enum link_step step;
	uint32_t seq, request;	/* of the outstanding one */
	uint32_t instance, pid, uid, restarts;
	uint32_t n_events;	/* since events_ns */
	uint64_t events_ns;
	bool cancelled;		/* the outstanding one, once */
	bool broken;		/* given up by us; its end is on the way through the loop */
};

#define LINK_INIT ((struct link){ .source = SOURCE_INIT })

static inline bool link_up(const struct link *link)
{
	return link->source.fd >= 0;
}

struct reader;

/* Sends; the reply comes to card_reply(). On failure the link breaks, by itself and later. */
void link_ask(struct reader *reader, enum link_step step, struct packet *request,
	      uint32_t deadline_ms);
/* Asks the driver, once, to give up what it is doing. */
void link_cancel(struct reader *reader);
/* Gives the driver up from anywhere: its contexts end when the loop sees the socket's end. */
void link_break(struct reader *reader);
int link_open(struct reader *reader, int fd);
void link_close(struct reader *reader);
