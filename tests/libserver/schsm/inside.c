/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The card's half and the server's have a struct blob each, so this is a file of its own. */
#include "tests/libserver/schsm/inside.h"
#include "libserver/schsm/channel.h"

void inside_give_pair(struct kf_channel *channel, EVP_PKEY *pair)
{
	channel->own = pair;
}

const uint8_t *inside_keys(const struct kf_channel *channel)
{
	return channel->sm.keys.p;
}

unsigned int inside_secrets(const struct kf_channel *channel)
{
	unsigned int n = channel->sm.keys.p != NULL;

	for (size_t i = 0; i < channel->n_orders; i++)
		n += (channel->orders[i].pin.p != NULL) + (channel->orders[i].fresh.p != NULL) +
		     (channel->orders[i].shares.p != NULL) + (channel->orders[i].fleet != NULL);
	return n;
}
