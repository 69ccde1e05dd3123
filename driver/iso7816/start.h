/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/iso7816/start.h - What has to be done between the ATR and the first APDU, decided from
 * what the reader and the card say about themselves. Pure: card_io.c carries it out.
 */
#pragma once

#include "driver/ccid/desc.h"
#include "driver/ccid/msg.h"
#include "driver/iso7816/atr.h"

/**
 * struct start_plan - the decision
 * @protocol:	0 or 1
 * @fidi:	speed to run at, FIDI_DEFAULT or one that both can do
 * @pps:	the host negotiates @protocol and @fidi itself, as the first exchange
 * @set_parameters: SetParameters is sent, with start_parameters()
 * @set_rate:	and then SetDataRateAndClockFrequency, unless the speed is the default
 * @ifsd:	T=1: what to ask for with S(IFS); T1_IFS_DEFAULT: nothing
 * @reader_ifs:	T=1: the reader does the S(IFS) exchange
 */
struct start_plan {
	uint8_t protocol;
	uint8_t fidi;
	bool pps;
	bool set_parameters;
	bool set_rate;
	uint8_t ifsd;
	bool reader_ifs;
};

/**
 * start_plan_make - decides
 * @careful:	a first try failed: no PPS, default speed
 *
 * Return: 0; -EOPNOTSUPP no protocol that the card, the reader and we speak.
 */
int start_plan_make(const struct ccid_desc *desc, const struct atr *atr, bool careful,
		    struct start_plan *out);

/* SetParameters' block for a plan; @fidi is what was agreed on. */
struct ccid_parameters start_parameters(const struct start_plan *plan, const struct atr *atr,
					uint8_t fidi);
