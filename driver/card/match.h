/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/card/match.h - Which card drivers there are, and whose claim on a card is the strongest.
 */
#pragma once

#include "driver/card/card.h"

extern const struct card_driver kf_card_driver;
extern const struct card_driver schsm_card_driver;

/* All of this build, NULL at the end. */
extern const struct card_driver *const card_drivers[];

/* Return: 0; -EEXIST two claims are equally strong: the program must not start. */
int card_match_check(const struct card_driver *const *drivers);

/*
 * The strongest claim on @atr that is weaker than @below, and whose it is; AID claims fit any ATR,
 * the card itself is asked by open(). Return: its strength, 0 if there is none.
 */
unsigned int card_match_next(const struct card_driver *const *drivers, struct bytes atr,
			     unsigned int below, const struct card_driver **out);
