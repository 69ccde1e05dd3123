/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tests/libserver/schsm/inside.h - What a test has to know of a channel that its users must not. */
#pragma once

#include "keyferry/server.h"

#include <openssl/types.h>

/* The server's ephemeral pair, in place of a fresh one; the channel owns it. */
void inside_give_pair(struct kf_channel *channel, EVP_PKEY *pair);
/* Both session keys. */
const uint8_t *inside_keys(const struct kf_channel *channel);
/* How many secrets are still in memory: values of PINs, shares, session keys. */
unsigned int inside_secrets(const struct kf_channel *channel);
