/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/card/codec.h - The card's state as one blob for the store. The format is the virtual
 * card's own business and has a version; no other program reads it.
 */
#pragma once

#include "vreader/card/state.h"

/* Longest state: 16 RSA-4096 containers with certificates, 8 offers, 16 receipts. */
#define CODEC_MAX (240 * 1024)

/* Return: 0, or -EMSGSIZE. */
int state_encode(const struct state *state, struct packer *out);
/* Return: 0, -EBADMSG not a state, -EPROTONOSUPPORT a version we do not know, -ENOMEM. */
int state_decode(struct bytes blob, struct state **out);
