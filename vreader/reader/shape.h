/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/reader/shape.h - What kind of reader we are: the facts that the descriptors announce and
 * that the CCID device then has to keep. Pure: descriptors are packed from it, nothing else.
 */
#pragma once

#include "base/bytes.h"

enum shape_level {
	SHAPE_EXTENDED,		/* extended APDU level: whole APDUs, possibly chained */
	SHAPE_SHORT,		/* short APDU level: whole APDUs of up to 261 bytes */
	SHAPE_TPDU_T0,		/* TPDU level: the host makes T=0 TPDUs */
	SHAPE_TPDU_T1,		/* TPDU level: the host makes T=1 blocks */
};

enum {
	SHAPE_MESSAGE_MAX = 65554,	/* 10 of header, 65544 of APDU */
	SHAPE_MESSAGE_MIN = 271,	/* 261 + 10: less is illegal at this level [CCID 5.1] */
	SHAPE_APDU_MAX = 261,		/* short: 5 of header, 255 of data, Le */
	SHAPE_PACKET_LEN = 64,		/* wMaxPacketSize of the bulk pipes */
	SHAPE_EP_OUT = 0x01,
	SHAPE_EP_IN = 0x82,
	SHAPE_EP_INTERRUPT = 0x83,
	SHAPE_SERIAL_MAX = 32,
	SHAPE_SLOTS_MAX = 4,		/* as many as one byte of an interrupt message tells of */
};

/**
 * struct shape - one reader
 * @level:	exchange level announced in dwFeatures
 * @keypad:	has one, for PIN verification and modification
 * @n_slots:	slots, 1 to SHAPE_SLOTS_MAX; one of them works at a time
 * @manual:	at TPDU level: voltage, PPS, parameters and data rate are left to the host
 * @interrupt:	has an interrupt endpoint and announces card movement
 * @max_message: dwMaxCCIDMessageLength
 * @vendor:	idVendor
 * @product:	idProduct
 * @serial:	the reader's serial number string
 */
struct shape {
	enum shape_level level;
	bool keypad;
	uint8_t n_slots;
	bool manual;
	bool interrupt;
	uint32_t max_message;
	uint16_t vendor;
	uint16_t product;
	char serial[SHAPE_SERIAL_MAX + 1];
};

#define SHAPE_INIT ((struct shape){ \
	.level = SHAPE_EXTENDED, .interrupt = true, .n_slots = 1, .max_message = SHAPE_MESSAGE_MAX, \
	.vendor = 0x1209, .product = 0x0001, .serial = "0" })

static inline bool shape_is_tpdu(const struct shape *shape)
{
	return shape->level == SHAPE_TPDU_T0 || shape->level == SHAPE_TPDU_T1;
}

/* Only extended APDUs need more than the legal minimum: a block has 3 + 254 + 1 bytes at most. */
static inline void shape_set_level(struct shape *shape, enum shape_level level)
{
	shape->level = level;
	shape->max_message = level == SHAPE_EXTENDED ? SHAPE_MESSAGE_MAX : SHAPE_MESSAGE_MIN;
}

/* Device descriptor and the whole configuration descriptor, as USB would return them. */
void shape_pack_descriptors(const struct shape *shape, struct packer *p);

/* What GET_DATA_RATES answers [CCID 5.3.3]; nothing if the descriptor announces no list. */
void shape_pack_rates(const struct shape *shape, struct packer *p);

/*
 * String descriptor @index: 0 languages, 1 maker, 2 product, 3 serial. Return: 0, or -ENOENT.
 */
int shape_pack_string(const struct shape *shape, uint8_t index, struct packer *p);
