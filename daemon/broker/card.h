/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/card.h - Turns at the card. Before a turn, what the last client left is dropped
 * (chore.h) and the last PIN try is guarded; after it, what the card said is turned into the client's
 * terms (outcome.h). Who wants the card for itself, or has it, is seen to in hold.h.
 */
#pragma once

#include "daemon/broker/link.h"
#include "proto/packet.h"

struct reader;
struct context;

/* Starts the next thing to do, if the driver is free. Call whenever something may have changed. */
void card_kick(struct reader *reader);
/* The reply to what the driver was @asked. The link is free again when this is called. */
void card_reply(struct reader *reader, enum link_step asked, const struct packet *reply);
/* @context goes: its state must not stay in the card. */
void card_forget(struct reader *reader, struct context *context);
