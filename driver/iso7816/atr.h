/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/iso7816/atr.h - The answer to reset as a typed value, with the defaults filled in. Pure.
 * Lenient where the field forces it (checksum, junk behind it, values out of range), and every
 * leniency leaves a bit in @warnings.
 */
#pragma once

#include "base/bytes.h"

#include <stdbool.h>

#define ATR_MAX			33
#define ATR_HISTORICAL_MAX	15
#define FIDI_DEFAULT		0x11	/* Fi 372, Di 1 */

enum atr_warning {
	ATR_WARN_CHECKSUM = 1 << 0,	/* TCK wrong: contactless readers make ATRs up */
	ATR_WARN_NO_CHECKSUM = 1 << 1,	/* TCK due and missing */
	ATR_WARN_TRAILING = 1 << 2,	/* bytes behind the end */
	ATR_WARN_ORDER = 1 << 3,	/* protocols not in rising order, or T=15 first */
	ATR_WARN_RANGE = 1 << 4,	/* IFSC, BWI or WI out of range, replaced */
};

/**
 * struct atr - see [7816-3 Answer-to-Reset]
 * @raw, @raw_n: as received; what clients are shown
 * @inverse:	TS said inverse convention
 * @protocols:	bit n: T=n is offered
 * @first:	the protocol that runs without PPS
 * @fidi:	TA1, FIDI_DEFAULT if absent; may hold reserved indices, see iso_rate()
 * @guard:	TC1, extra guard time in etu
 * @specific:	TA2 is there: no PPS
 * @specific_protocol: TA2's
 * @implicit:	specific mode with speed not given by @fidi
 * @wi:		T=0 waiting integer
 * @ifsc:	T=1, 1 to 254
 * @bwi, @cwi:	T=1, up to 9 and 15
 * @crc:	T=1 checksum
 * @clock_stop:	0 no, 1 low, 2 high, 3 either
 * @historical, @historical_n: the historical bytes
 * @has_capabilities: the historical bytes say what follows [7816-4 card capabilities]
 * @chaining:	command chaining
 * @extended:	extended Lc and Le fields
 */
struct atr {
	uint8_t raw[ATR_MAX];
	size_t raw_n;
	bool inverse;
	uint16_t protocols;
	uint8_t first;
	uint8_t fidi, guard;
	bool specific, implicit;
	uint8_t specific_protocol;
	uint8_t wi, ifsc, bwi, cwi;
	bool crc;
	uint8_t clock_stop;
	uint8_t historical[ATR_HISTORICAL_MAX];
	size_t historical_n;
	bool has_capabilities, chaining, extended;
	uint32_t warnings;
};

/* Return: 0, or -EBADMSG: too short, too long, bad TS, or fewer bytes than announced. */
int atr_parse(struct bytes raw, struct atr *out);

static inline bool atr_offers(const struct atr *atr, unsigned int protocol)
{
	return (atr->protocols >> protocol & 1) != 0;
}

/* Bit/s of an F and D pair at a clock; 0 for reserved indices. */
uint32_t iso_rate(uint8_t fidi, uint32_t clock_khz);

/* Elementary time units to whole milliseconds, rounded up. A reserved @fidi counts as default. */
uint32_t iso_etu_ms(uint64_t etus, uint8_t fidi, uint32_t clock_khz);

/* T=0 work waiting time: the longest silence between two characters. */
uint32_t atr_wwt_ms(const struct atr *atr, uint8_t fidi, uint32_t clock_khz);

/* T=1 block waiting time: the longest silence of a card that did not ask for more. */
uint32_t atr_bwt_ms(const struct atr *atr, uint8_t fidi, uint32_t clock_khz);
