/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/establish.h - How a handle gets its session key S1, by the method of its offer
 * (docs/methods.md): the server's half of what a card does at IMPORT SESSION KEY.
 */
#pragma once

#include "libserver/md.h"

/*
 * Makes S1 of @key, or takes @s1, if it is not empty, by the method that wraps one. Return: 0, -EACCES the
 * card's EXCHANGE key is none, -EIO, -ENOMEM.
 */
int establish(struct kf_md_key *key, struct bytes s1, struct kf_error *e);

/* Whether the offer is by the method that wraps a session key. Return: 0, -EOPNOTSUPP. */
int establish_check_wraps(const struct kf_verified_offer *offer, struct kf_error *e);
