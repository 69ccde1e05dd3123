/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/outcome.h - What came of the running request, said in its client's terms. Each answers
 * the job, and with that ends the turn.
 */
#pragma once

#include "proto/packet.h"

struct reader;

void outcome_failed(struct reader *reader, const struct packet *reply);
void outcome_done(struct reader *reader, const struct packet *reply);
