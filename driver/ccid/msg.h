/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/ccid/msg.h - CCID's messages as typed values: Bulk-OUT commands, Bulk-IN replies, interrupt
 * messages, and the parameter block that two of them carry. Pure: no I/O, no allocation, no
 * clock. A reply that leaves ccid_reply_parse() is in range in every field.
 */
#pragma once

#include "base/bytes.h"

#include <stdbool.h>

#define CCID_ATR_MAX	33

/* The reader echoes both; together they say which command an answer is for. */
struct ccid_addr {
	uint8_t slot, seq;
};

/* [CCID bMessageType] */
enum ccid_type {
	CCID_SET_PARAMETERS = 0x61,
	CCID_POWER_ON = 0x62,
	CCID_POWER_OFF = 0x63,
	CCID_GET_SLOT_STATUS = 0x65,
	CCID_SECURE = 0x69,
	CCID_ESCAPE = 0x6b,
	CCID_GET_PARAMETERS = 0x6c,
	CCID_RESET_PARAMETERS = 0x6d,
	CCID_XFR_BLOCK = 0x6f,
	CCID_ABORT = 0x72,
	CCID_SET_RATE = 0x73,	/* and clock frequency */
	CCID_DATA_BLOCK = 0x80,
	CCID_SLOT_STATUS = 0x81,
	CCID_PARAMETERS = 0x82,
	CCID_ESCAPE_REPLY = 0x83,
	CCID_RATE_REPLY = 0x84,
};

enum ccid_power { CCID_POWER_AUTO, CCID_POWER_5V, CCID_POWER_3V, CCID_POWER_1V8 };
enum ccid_icc { CCID_ICC_ACTIVE, CCID_ICC_INACTIVE, CCID_ICC_ABSENT };
enum ccid_outcome { CCID_DONE, CCID_FAILED, CCID_MORE_TIME };

/* [CCID bError], those that something depends on. */
enum ccid_error {
	CCID_ERROR_ABORTED = 0xff,
	CCID_ERROR_MUTE = 0xfe,
	CCID_ERROR_PARITY = 0xfd,
	CCID_ERROR_OVERRUN = 0xfc,
	CCID_ERROR_BUSY_AUTO = 0xf2,
	CCID_ERROR_PIN_TIMEOUT = 0xf0,
	CCID_ERROR_PIN_CANCELLED = 0xef,
	CCID_ERROR_SLOT_BUSY = 0xe0,
	CCID_ERROR_LAST_INDEX = 0x7f,
	CCID_ERROR_UNSUPPORTED = 0x00,
};

/* [CCID wLevelParameter, bChainParameter] at extended APDU level. */
enum ccid_chain {
	CCID_CHAIN_WHOLE = 0x00,
	CCID_CHAIN_BEGINS = 0x01,
	CCID_CHAIN_ENDS = 0x02,
	CCID_CHAIN_CONTINUES = 0x03,
	CCID_CHAIN_NEXT = 0x10,		/* empty message: send me the next part */
};

/**
 * struct ccid_command - one Bulk-OUT message before it has an address
 * @type:	enum ccid_type
 * @param:	bytes 7 to 9, by type
 * @data:	payload, borrowed
 */
struct ccid_command {
	uint8_t type;
	uint8_t param[3];
	struct bytes data;
};

/**
 * struct ccid_reply - one Bulk-IN message
 * @to:		the command this answers
 * @type:	CCID_DATA_BLOCK to CCID_RATE_REPLY
 * @icc:	what the reader sees in the slot, whatever @outcome is
 * @outcome:	CCID_MORE_TIME: keep waiting, the real reply follows
 * @detail:	bError when it failed; the multiplier when more time is wanted; else meaningless
 * @extra:	bChainParameter, bClockStatus or bProtocolNum, by @type
 * @data:	payload, borrowed from the frame
 * @surplus:	bytes behind the payload; some readers pad, so they are counted and not judged
 */
struct ccid_reply {
	struct ccid_addr to;
	uint8_t type;
	enum ccid_icc icc;
	enum ccid_outcome outcome;
	uint8_t detail;
	uint8_t extra;
	struct bytes data;
	size_t surplus;
};

/**
 * struct ccid_parameters - the payload of SetParameters and Parameters
 * @protocol:	bProtocolNum, 0 or 1
 * @fidi:	bmFindexDindex, as TA1
 * @inverse:	inverse convention
 * @crc:	T=1: CRC instead of LRC
 * @guard:	bGuardTime, as TC1
 * @waiting:	T=0: WI; T=1: BWI in the high, CWI in the low half
 * @clock_stop:	bClockStop
 * @ifsc:	T=1: bIFSC
 * @nad:	T=1: bNadValue
 */
struct ccid_parameters {
	uint8_t protocol;
	uint8_t fidi;
	bool inverse, crc;
	uint8_t guard, waiting, clock_stop, ifsc, nad;
};

/* An interrupt message; bit n of @present and @changed is slot n. */
struct ccid_notice {
	enum { CCID_NOTICE_SLOTS = 0x50, CCID_NOTICE_HARDWARE = 0x51 } type;
	uint32_t present, changed;
	struct ccid_addr hardware;	/* CCID_NOTICE_HARDWARE: the command it hit */
	uint8_t hardware_code;
};

struct ccid_command ccid_power_on(enum ccid_power power);
struct ccid_command ccid_power_off(void);
struct ccid_command ccid_get_slot_status(void);
struct ccid_command ccid_get_parameters(void);
struct ccid_command ccid_reset_parameters(void);
struct ccid_command ccid_abort(void);
/* @bwi: multiplier of the block waiting time, 0 for none; @level: enum ccid_chain at APDU level. */
struct ccid_command ccid_xfr_block(uint8_t bwi, uint16_t level, struct bytes block);
struct ccid_command ccid_escape(struct bytes data);
/* @structure: bPINOperation and what follows it [CCID PC_to_RDR_Secure]. */
struct ccid_command ccid_secure(uint8_t bwi, uint16_t level, struct bytes structure);
/* @payload: ccid_parameters_pack()'s work, borrowed by the command. */
struct ccid_command ccid_set_parameters(uint8_t protocol, struct bytes payload);

/* @payload: dwClockFrequency in kHz and dwDataRate in bit/s, borrowed by the command. */
struct ccid_command ccid_set_rate(struct bytes payload);

void ccid_command_pack(struct packer *p, struct ccid_addr to, const struct ccid_command *command);

/* Return: the enum ccid_type that answers command @type. */
uint8_t ccid_answer_to(uint8_t type);

/* Return: 0, or -EBADMSG if @frame is shorter than it claims or uses a reserved value. */
int ccid_reply_parse(struct bytes frame, struct ccid_reply *out);

void ccid_parameters_pack(struct packer *p, const struct ccid_parameters *parameters);
/* Return: 0, or -EBADMSG for an unknown protocol or a length that is not the protocol's. */
int ccid_parameters_parse(const struct ccid_reply *reply, struct ccid_parameters *out);

/*
 * Takes the next of several glued interrupt messages off @u. Bits of slots from @n_slots on are
 * dropped. Return: 1 one was taken; 0 none left; -EBADMSG the rest makes no sense.
 */
int ccid_notice_next(struct unpacker *u, unsigned int n_slots, struct ccid_notice *out);

/*
 * A failed reply as an errno: -ENOMEDIUM no card; -EOPNOTSUPP command or value not supported;
 * -ECANCELED aborted; -ETIMEDOUT nobody typed a PIN; -EBUSY; else -EIO.
 */
int ccid_reply_errno(const struct ccid_reply *reply);
/* bError in words, for a trace. */
const char *ccid_error_words(uint8_t error);
