/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/nap.h - Notices that the system slept. Readers lose power then, mostly without a
 * word, so a card that was unlocked before may be another one, or locked, after.
 */
#pragma once

#include "base/sleep.h"
#include "daemon/shared/loop.h"

/**
 * struct nap - the sleep watched for
 * @woke:	it slept, and is awake
 */
struct nap {
	struct source source;
	struct loop *loop;
	struct sleep_watch watch;
	void (*woke)(struct nap *nap);
};

#define NAP_INIT ((struct nap){ .source = SOURCE_INIT })

int nap_init(struct nap *nap, struct loop *loop, void (*woke)(struct nap *nap));
void nap_deinit(struct nap *nap);
