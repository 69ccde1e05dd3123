/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/reader/ccid_own.h - What the parts of one slot share, and nobody else sees: ccid_dev.c is
 * the slot itself (power, abort, keypad, which command goes where), ccid_xfr.c carries commands to
 * the card at each level of exchange, ccid_speed.c is what reader and card have agreed on.
 */
#pragma once

#include "vreader/reader/ccid_dev.h"

enum {
	HEADER_LEN = 10,
	STATUS_FAILED = 0x40,		/* bmCommandStatus [CCID bStatus] */
	STATUS_MORE_TIME = 0x80,
	ICC_ACTIVE = 0,
	ICC_INACTIVE = 1,
	ICC_ABSENT = 2,
	ERROR_UNSUPPORTED = 0x00,	/* bError */
	ERROR_LENGTH = 0x01,		/* or: index of the byte that was wrong */
	ERROR_SLOT = 0x05,
	ERROR_SPECIFIC = 0x07,
	ERROR_LEVEL = 0x08,
	ERROR_SLOT_BUSY = 0xe0,
	ERROR_PIN_CANCELLED = 0xef,
	ERROR_PIN_TIMEOUT = 0xf0,
	ERROR_OVERRUN = 0xfc,
	ERROR_PARITY = 0xfd,
	ERROR_MUTE = 0xfe,
	ERROR_ABORTED = 0xff,
	REPLY_DATA = 0x80,
	REPLY_STATUS = 0x81,
	REPLY_PARAMETERS = 0x82,
	REPLY_ESCAPE = 0x83,
	REPLY_RATE = 0x84,
	CHAIN_WHOLE = 0x00,		/* wLevelParameter, bChainParameter at extended level */
	CHAIN_BEGIN = 0x01,
	CHAIN_END = 0x02,
	CHAIN_MIDDLE = 0x03,
	CHAIN_NEXT = 0x10,
	POWER_3V = 2,			/* bPowerSelect */
	BPS_DEFAULT = 10752,		/* 4 MHz / 372 */
	BPS_FAST = 129032,		/* the same with D = 12 */
	FIDI_FAST = 0x18,
	WTX_MULTIPLIER = 1,
	WTX_SOON = 4,			/* ticks before a T=1 card asks for */
	WTX_LONGER = 8,			/* so many at a time */
};

/**
 * struct ccid_command - one parsed bulk-OUT message
 * @type:	bMessageType
 * @to:		whom to answer
 * @specific:	bytes 7 to 9
 * @data:	payload
 */
struct ccid_command {
	uint8_t type;
	struct ccid_dev_addr to;
	uint8_t specific[3];
	struct bytes data;
};

static inline bool ccid_is_t0(const struct ccid_dev *dev)
{
	return dev->shape->level == SHAPE_TPDU_T0;
}

/* --- ccid_dev.c --- */

/* @outcome: bmCommandStatus; @detail: bError; @extra: byte 9, by message type. */
void ccid_send(struct ccid_dev *dev, uint8_t type, struct ccid_dev_addr to, uint8_t outcome,
	       uint8_t detail, uint8_t extra, struct bytes data);
void ccid_send_ok(struct ccid_dev *dev, uint8_t type, struct ccid_dev_addr to, uint8_t extra,
		  struct bytes data);
void ccid_send_failed(struct ccid_dev *dev, uint8_t type, struct ccid_dev_addr to, uint8_t error);

/* Wiped and empty. */
void ccid_buffer_clear(struct packer *p);

/* Pays the debt to XfrBlock with a failure. */
void ccid_fail_waiting(struct ccid_dev *dev, uint8_t error);

/* Forgets what the host had begun; a running computation goes on, for nobody. */
void ccid_drop_exchange(struct ccid_dev *dev);

/* The same, and the card is without power as soon as it does not compute. */
void ccid_unpower(struct ccid_dev *dev);

/* --- ccid_speed.c --- */

/* What holds after a reset of the card. */
void ccid_speed_reset(struct ccid_dev *dev);

/* Card and reader understand each other. */
bool ccid_speeds_agree(const struct ccid_dev *dev);

uint32_t ccid_bps_of(uint8_t fidi);

enum ccid_dev_next ccid_on_get_parameters(struct ccid_dev *dev, const struct ccid_command *c);
enum ccid_dev_next ccid_on_reset_parameters(struct ccid_dev *dev, const struct ccid_command *c);
enum ccid_dev_next ccid_on_set_parameters(struct ccid_dev *dev, const struct ccid_command *c);
enum ccid_dev_next ccid_on_set_rate(struct ccid_dev *dev, const struct ccid_command *c);

/* --- ccid_xfr.c --- */

/* The command that came in whole: T=0 and T=1 gather in the same buffer, by their own cursors. */
struct bytes ccid_gathered(const struct ccid_dev *dev);

/* Moves the gathered command to the card's buffer, or leaves it there until the card is free. */
enum ccid_dev_next ccid_start_run(struct ccid_dev *dev);

/* The host's data at the level of the reader; the answer is owed already. */
enum ccid_dev_next ccid_xfr(struct ccid_dev *dev, const struct ccid_command *c);
enum ccid_dev_next ccid_on_xfr(struct ccid_dev *dev, const struct ccid_command *c);

/* What the card computed; @r < 0: it tore, and is mute until the next power on. */
void ccid_deliver(struct ccid_dev *dev, int r);

/* Keeps the host patient while the card computes. */
void ccid_ask_time(struct ccid_dev *dev);
