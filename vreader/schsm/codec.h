/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/schsm/codec.h - The card's state as one blob for the store. The format is the virtual
 * card's own business and has a version; no other program reads it.
 */
#pragma once

#include "vreader/schsm/state.h"

#define HSM_MAGIC { 'K', 'F', 'S', 'H' }

/* Longest state: a full memory, its tables, certificates and PINs. */
#define HSM_CODEC_MAX (240 * 1024)

/* Return: 0, or -EMSGSIZE. */
int hsm_state_encode(const struct hsm_state *state, struct packer *out);
/* Return: 0, -EBADMSG not a state, -EPROTONOSUPPORT a version we do not know, -ENOMEM. */
int hsm_state_decode(struct bytes blob, struct hsm_state **out);
