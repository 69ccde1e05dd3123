/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/card/offer.h - What the card can take, as GET DATA and the statement both say it, and the
 * tries of an offer.
 */
#pragma once

#include "vreader/card/card.h"

/* Key types for generation and import, a byte each. */
struct bytes offer_key_types(void);
/* How S1 can be established: by shared keys only where there are some; and what an EXCHANGE key can be. */
struct number_list offer_methods(const struct state *state);
struct bytes offer_exchange_types(void);

/*
 * Takes one try from an offer, in non-volatile memory, before anything is judged. Return: 0 with the try
 * spent, a status word (%SW_REFUSED: there is no such offer, or not any more), or a negative errno.
 */
int offer_spend_try(struct card *card, const uint8_t sid[static KF_SID_SIZE]);
