/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/iso7816/start.c - At APDU level the reader speaks the protocol, whichever it is; at TPDU
 * level we do.
 */
#include "driver/iso7816/start.h"

#include "driver/iso7816/t1.h"

#include <errno.h>

static bool speaks(const struct ccid_desc *desc, unsigned int protocol)
{
	if (protocol > 1 || (desc->protocols != 0 && !(desc->protocols >> protocol & 1)))
		return false;
	return true;
}

/*
 * Specific mode leaves no choice, and without PPS it is the first offered. Else, where the host
 * speaks, T=1 before T=0: it carries any APDU as it stands.
 */
static int choose_protocol(const struct ccid_desc *desc, const struct atr *atr, bool careful,
			   uint8_t *out)
{
	if (atr->specific || careful || quirk_has(desc->quirks, QUIRK_NO_PPS)) {
		*out = atr->specific ? atr->specific_protocol : atr->first;
		return speaks(desc, *out) ? 0 : -EOPNOTSUPP;
	}
	if (desc->level != CCID_LEVEL_TPDU && speaks(desc, atr->first))
		*out = atr->first;
	else if (atr_offers(atr, 1) && speaks(desc, 1))
		*out = 1;
	else if (atr_offers(atr, 0) && speaks(desc, 0))
		*out = 0;
	else
		return -EOPNOTSUPP;
	return 0;
}

static bool can_reach(const struct ccid_desc *desc, uint8_t fidi)
{
	return ccid_desc_reaches(desc, iso_rate(fidi, desc->clock_khz));
}

/* The card's TA1, or the same F with the best lower D that the reader can reach, or the default. */
static uint8_t choose_speed(const struct ccid_desc *desc, const struct atr *atr, bool careful)
{
	uint8_t best = FIDI_DEFAULT;

	if (atr->specific)
		return atr->implicit ? FIDI_DEFAULT : atr->fidi;
	if (careful || quirk_has(desc->quirks, QUIRK_NO_PPS))
		return FIDI_DEFAULT;
	for (uint8_t d = 1; d <= 9; d++) {
		uint8_t fidi = (uint8_t)((atr->fidi & 0xf0) | d);
		uint32_t rate = iso_rate(fidi, 1000);

		if (can_reach(desc, fidi) && rate <= iso_rate(atr->fidi, 1000) &&
		    rate > iso_rate(best, 1000))
			best = fidi;
	}
	return best;
}

int start_plan_make(const struct ccid_desc *desc, const struct atr *atr, bool careful,
		    struct start_plan *out)
{
	bool reader_negotiates = ccid_desc_has(desc, CCID_AUTO_NEGOTIATION);
	bool reader_pps = ccid_desc_has(desc, CCID_AUTO_PPS);
	struct start_plan plan = { .ifsd = T1_IFS_DEFAULT };
	int r = choose_protocol(desc, atr, careful, &plan.protocol);

	if (r < 0)
		return r;
	plan.fidi = reader_negotiates ? FIDI_DEFAULT : choose_speed(desc, atr, careful);
	/* [CCID dwFeatures]: 0x40 does it all; 0x80 does PPS on SetParameters; else it is ours. */
	plan.set_parameters = !reader_negotiates && !quirk_has(desc->quirks, QUIRK_NO_PARAMETERS);
	plan.set_rate = plan.set_parameters && desc->level == CCID_LEVEL_TPDU &&
			!ccid_desc_has(desc, CCID_AUTO_BAUD);
	plan.pps = !reader_negotiates && !reader_pps && !atr->specific && !careful &&
		   (plan.fidi != FIDI_DEFAULT || plan.protocol != atr->first);
	if (plan.protocol == 1 && desc->level == CCID_LEVEL_TPDU) {
		plan.reader_ifs = ccid_desc_has(desc, CCID_AUTO_IFSD);
		if (plan.reader_ifs || !quirk_has(desc->quirks, QUIRK_NO_IFSD))
			plan.ifsd = ccid_desc_ifsd(desc, atr->crc ? 2 : 1);
	}
	*out = plan;
	return 0;
}

struct ccid_parameters start_parameters(const struct start_plan *plan, const struct atr *atr,
					uint8_t fidi)
{
	return (struct ccid_parameters){
		.protocol = plan->protocol,
		.fidi = fidi,
		.inverse = atr->inverse,
		.crc = atr->crc,
		.guard = atr->guard,
		.waiting = plan->protocol == 1 ? (uint8_t)(atr->bwi << 4 | atr->cwi) : atr->wi,
		.clock_stop = atr->clock_stop,
		.ifsc = atr->ifsc,
	};
}
