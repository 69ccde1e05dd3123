/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/schsm/proof.h - What a key of the fleet is asked, and whether it answered.
 */
#pragma once

#include "format/schsm/dkek_key.h"
#include "libserver/schsm/ticket.h"

/*
 * Makes the challenge of @ticket->operation for @key: what the ticket keeps, and what the cargo says the
 * key is to work on.
 *
 * Return: 0, -EIO, -ENOMEM.
 */
int fleet_challenge(struct fleet_ticket *ticket, const struct dkek_key *key, struct blob *input,
		    struct kf_error *e);

/* Return: 0; -EACCES it is no answer of the key in @ticket; -ENODATA none could prove anything. */
int fleet_answer_check(const struct fleet_ticket *ticket, struct bytes answer, struct kf_error *e);
