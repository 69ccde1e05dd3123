/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/nap.h - Notices that the system slept. Readers lose power then, mostly without a
 * word, so a card that was unlocked before may be another one, or locked, after.
 */
#pragma once

#include "daemon/shared/loop.h"

#define NAP_LEAST_NS 100000000	/* the clocks are read one after the other, so they differ a bit */

/**
 * struct nap - the sleep watched for
 * @asleep_ns:	how long the system has slept since it started: CLOCK_BOOTTIME goes on meanwhile,
 *		CLOCK_MONOTONIC does not
 * @woke:	it slept, and is awake
 */
struct nap {
	struct source source;
	struct loop *loop;
	uint64_t asleep_ns;
	void (*woke)(struct nap *nap);
};

#define NAP_INIT ((struct nap){ .source = SOURCE_INIT })

int nap_init(struct nap *nap, struct loop *loop, void (*woke)(struct nap *nap));
/* Whether it slept since the last time this was asked; @asleep: as ->asleep_ns, but now. */
bool nap_was(struct nap *nap, uint64_t asleep);
void nap_deinit(struct nap *nap);
