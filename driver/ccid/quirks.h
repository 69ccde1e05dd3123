/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/ccid/quirks.h - What is known about single products. The codec and the exchange ask
 * quirk_has(); no product is named outside quirks.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum quirk {
	QUIRK_VENDOR_CLASS = 1 << 0,	/* interface class 0xFF, but CCID inside */
	QUIRK_NO_PPS = 1 << 1,		/* stays at the default speed */
	QUIRK_NO_PARAMETERS = 1 << 2,	/* SetParameters is not sent */
	QUIRK_NO_ABORT = 1 << 3,	/* the ABORT pair is skipped in the ladder */
	QUIRK_NO_IFSD = 1 << 4,		/* S(IFS) is not sent, IFSD stays 32 */
	QUIRK_REASSEMBLE = 1 << 5,	/* a message may be cut anywhere, not only at full packets */
	QUIRK_POLL = 1 << 6,		/* interrupts get lost: GetSlotStatus as well */
	QUIRK_SLOW_START = 1 << 7,	/* power-on may take 60 s */
	QUIRK_NO_PINPAD = 1 << 8,	/* bPINSupport is not to be believed */
	QUIRK_NO_ZERO_PACKET = 1 << 9,	/* no empty packet behind a message that fills its last one */
	QUIRK_AT_TPDU = 1 << 10,		/* its exchange level, whatever it claims */
	QUIRK_AT_SHORT = 1 << 11,
	QUIRK_AT_EXTENDED = 1 << 12,
};

/**
 * struct quirks - one row
 * @vendor, @product: the ids
 * @last_release: bcdDevice up to which it applies; 0xFFFF for all
 * @flags:	enum quirk
 * @max_message: overrides dwMaxCCIDMessageLength unless 0
 * @max_ifsd:	overrides dwMaxIFSD unless 0
 * @seen:	symptom, and who saw it
 */
struct quirks {
	uint16_t vendor, product, last_release;
	uint32_t flags;
	uint32_t max_message;
	uint8_t max_ifsd;
	const char *seen;
};

/* Return: the row for this device, or one without any quirk; never NULL. */
const struct quirks *quirks_find(uint16_t vendor, uint16_t product, uint16_t release);

static inline bool quirk_has(const struct quirks *quirks, enum quirk quirk)
{
	return (quirks->flags & (uint32_t)quirk) != 0;
}
