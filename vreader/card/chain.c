/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A command without the chaining bit is a chain of one part, so that every handler finds its data
 * in the same place and every data field is wiped by the same call.
 */
#include "vreader/card/chain.h"

int chain_init(struct chain *chain)
{
	return secret_init(&chain->data, APP_DATA_MAX);
}

void chain_deinit(struct chain *chain)
{
	secret_deinit(&chain->data);
	*chain = CHAIN_INIT;
}

void chain_drop(struct chain *chain)
{
	wipe(chain->data.p, chain->data.n);
	chain->data.n = 0;
	chain->open = false;
}

static bool chain_continues(const struct chain *chain, const struct apdu *apdu)
{
	return chain->open && chain->cla == (apdu->cla & ~CLA_CHAIN) && chain->ins == apdu->ins &&
	       chain->p1 == apdu->p1 && chain->p2 == apdu->p2;
}

int chain_add(struct chain *chain, const struct apdu *apdu)
{
	struct packer p;

	if (!chain_continues(chain, apdu))
		chain_drop(chain);
	p = (struct packer){ .p = chain->data.p, .cap = chain->data.cap, .n = chain->data.n };
	pack_bytes(&p, apdu->data);
	if (pack_end(&p) < 0) {
		chain_drop(chain);
		return -EMSGSIZE;
	}
	chain->data.n = p.n;
	chain->cla = (uint8_t)(apdu->cla & ~CLA_CHAIN);
	chain->ins = apdu->ins;
	chain->p1 = apdu->p1;
	chain->p2 = apdu->p2;
	chain->open = (apdu->cla & CLA_CHAIN) != 0;
	return 0;
}
