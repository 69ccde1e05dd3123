/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/card/chain.h - The data field of one command, collected from the parts of a command
 * chain [7816-4 command chaining]. It may carry a PIN, so it is kept as a secret.
 */
#pragma once

#include "base/secret.h"
#include "format/numbers.h"
#include "vreader/card/apdu.h"

/**
 * struct chain - what has arrived of a data field
 * @data:	the parts so far
 * @cla, @ins, @p1, @p2: of the first part, without the chaining bit; valid while @open
 * @open:	a part with the chaining bit came last
 */
struct chain {
	struct secret data;
	uint8_t cla, ins, p1, p2;
	bool open;
};

#define CHAIN_INIT ((struct chain){ .data = SECRET_INIT })

int chain_init(struct chain *chain);
void chain_deinit(struct chain *chain);

/* Forgets what was collected; wiped. */
void chain_drop(struct chain *chain);

/*
 * Takes one command into the chain; a command that does not continue it starts a new one. When it
 * was the last part, chain->open is false and chain->data is the whole field, to be dropped by the
 * caller.
 *
 * Return: 0, or -EMSGSIZE when the field would become longer than %APP_DATA_MAX (and is dropped).
 */
int chain_add(struct chain *chain, const struct apdu *apdu);
