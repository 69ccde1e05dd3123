/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/driver/link/rig.h - A service with one slot, in which is a card that is a struct of verbs that
 * take notes. Requests are served without a link.
 */
#pragma once

#include "driver/link/service.h"
#include "driver/ccid/reader.h"
#include "tests/harness.h"

struct note {
	unsigned int verbs;		/* called */
	int result;			/* of each */
	struct card_said said;
	struct bytes in;
	uint8_t copy[64];
	uint64_t deadline_ms;
	uint64_t key;
	uint32_t pin;
	bool last_try;
};

struct rig { struct service s; struct reader reader; struct packet reply; uint32_t seq; };

#define RIG_SEAT(rig) (&(rig)->s.seats[0])

extern struct note note;
extern const struct card_driver rig_able, rig_unable;

/* With the able card. */
void rig_init(struct rig *rig);
void rig_deinit(struct rig *rig);

/* Return: the result in @rig->reply. */
int rig_serve(struct rig *rig, struct packet *request);
