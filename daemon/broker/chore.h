/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/chore.h - What the broker asks of a driver for its own sake, so that nothing stays in
 * the card that must not: a reset, a drop of who is logged in, the end of a session key that nobody
 * has any more.
 */
#pragma once

#include "daemon/broker/link.h"
#include "proto/packet.h"

struct reader;

/* A drop that is due now, whatever else is; its answer is one to @step. */
void chore_drop(struct reader *reader, enum link_step step);
/* Return: whether the driver is busy with one now. */
bool chore_start(struct reader *reader);

/* The card holds nobody's state any more. */
void chore_dropped(struct reader *reader, const struct packet *reply);
/*
 * A card that was taken out meanwhile was not reset, whatever its driver says. Return: 0, -EIO: the
 * driver is given up.
 */
int chore_was_reset(struct reader *reader, const struct packet *reply);

/* A session key that the card shall be rid of, when there is nobody it could belong to. */
void chore_bury(struct reader *reader, uint64_t ref);
/* The first of them is gone. None: a reset came in between. */
void chore_buried(struct reader *reader);
