/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/card/match.c - Claims are compared by strength alone. Strengths are unique over the whole
 * program, so a table that is read in another order gives the same answer.
 */
#include "driver/card/match.h"

const struct card_driver *const card_drivers[] = {
	&kf_card_driver,
	&schsm_card_driver,
	NULL,
};

static bool atr_fits(const struct card_match *match, struct bytes atr)
{
	assert(match->atr.n == match->mask.n);
	if (atr.n != match->atr.n)
		return false;
	for (size_t i = 0; i < atr.n; i++)
		if ((atr.p[i] ^ match->atr.p[i]) & match->mask.p[i])
			return false;
	return true;
}

static bool claim_fits(const struct card_match *match, struct bytes atr)
{
	return match->aid.n != 0 || atr_fits(match, atr);
}

static unsigned int strength_of(const struct card_driver *driver, size_t i)
{
	return i < CARD_MATCHES_MAX ? driver->matches[i].strength : 0;
}

static unsigned int times_claimed(const struct card_driver *const *drivers, unsigned int strength)
{
	unsigned int n = 0;

	for (; *drivers; drivers++)
		for (size_t i = 0; strength_of(*drivers, i) != 0; i++)
			n += strength_of(*drivers, i) == strength;
	return n;
}

int card_match_check(const struct card_driver *const *drivers)
{
	for (const struct card_driver *const *d = drivers; *d; d++)
		for (size_t i = 0; strength_of(*d, i) != 0; i++)
			if (times_claimed(drivers, strength_of(*d, i)) != 1)
				return -EEXIST;
	return 0;
}

unsigned int card_match_next(const struct card_driver *const *drivers, struct bytes atr,
			     unsigned int below, const struct card_driver **out)
{
	unsigned int best = 0;

	for (; *drivers; drivers++) {
		for (size_t i = 0; strength_of(*drivers, i) != 0; i++) {
			unsigned int strength = strength_of(*drivers, i);

			if (strength <= best || strength >= below ||
			    !claim_fits(&(*drivers)->matches[i], atr))
				continue;
			best = strength;
			*out = *drivers;
		}
	}
	return best;
}
