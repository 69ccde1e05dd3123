/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/hold.h - Requests to have the card for oneself, when their turn has come, and what a
 * relay that has it keeps away from the card.
 */
#pragma once

#include <stdbool.h>

struct context;
struct job;
struct reader;

/* The next client's drop would take its keys along. */
void hold_for_keys(struct reader *reader, struct context *context);
/* What the broker answers itself, refusals included. Return: whether that is all there is to it. */
bool hold_serve(struct reader *reader, struct job *job);
/* The first failure ends it [DESIGN section 6], and the card is reset before anybody's turn. */
void hold_end_relay(struct reader *reader, const struct job *job);
