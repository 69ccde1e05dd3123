/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/cards.h - The folder of enrolled cards: FINGERPRINT.json each, with certificate, root,
 * revocation list and whether a virtual card was allowed.
 */
#pragma once

#include "libserver/enrolled.h"
#include "libserver/folder.h"

/* As it was written down, not checked anew. Return: 0, -ENOENT, -EBADMSG. */
int cards_load(const struct folder *cards, const char *fingerprint, struct kf_enrolled **out,
	       struct kf_error *e);
int cards_store(const struct folder *cards, const struct kf_enrolled *card, struct kf_error *e);

/* The fingerprint of the card that @name (serial or fingerprint) names. Return: 0, -ENOENT. */
int cards_find(const struct folder *cards, const char *name, char out[static HEX_DIGEST_SIZE],
	       struct kf_error *e);

/* Calls @visit for each, by fingerprint, until it does not return 0. */
int cards_each(const struct folder *cards, int (*visit)(void *arg, struct kf_enrolled *card),
	       void *arg, struct kf_error *e);
