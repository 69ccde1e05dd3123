/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ATR, and what is planned from it for two kinds of readers. */
#include "driver/iso7816/start.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct quirks none;
	struct ccid_desc desc = {
		.n_slots = 1, .protocols = 3, .clock_khz = 4000, .max_rate = 500000,
		.max_ifsd = 254, .max_message = 271, .quirks = &none,
	};
	struct start_plan plan;
	struct atr atr;

	if (atr_parse(BYTES(data, size), &atr) < 0)
		return 0;
	if (atr.ifsc < 1 || atr.ifsc > 254 || atr.bwi > 9 || atr.protocols == 0 ||
	    atr.historical_n > ATR_HISTORICAL_MAX || atr.raw_n != size)
		abort();
	for (int level = CCID_LEVEL_TPDU; level <= CCID_LEVEL_EXTENDED_APDU; level++) {
		desc.level = (enum ccid_level)level;
		if (start_plan_make(&desc, &atr, false, &plan) == 0 && plan.protocol > 1)
			abort();
	}
	if (atr_bwt_ms(&atr, atr.fidi, 0) == 0)
		abort();
	return 0;
}
