/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/iso7816/apdu.h - Command and response APDUs as typed values. Pure.
 */
#pragma once

#include "base/bytes.h"

#include <stdbool.h>

#define APDU_COMMAND_MAX	65544	/* header, 3 + 65535, 2 */
#define APDU_RESPONSE_MAX	65538	/* 65536 and the status word */
#define APDU_SHORT_DATA		255
#define APDU_SHORT_LE		256
#define APDU_LE_MAX		65536
#define CLA_CHAIN		0x10	/* more of this command follows [7816-4 command chaining] */
#define APDU_OK			0x9000

/**
 * struct apdu - a command
 * @data:	the data field, up to 65535 bytes, borrowed
 * @le:		response bytes expected at most, up to APDU_LE_MAX; 0: none, the field is left out
 */
struct apdu {
	uint8_t cla, ins, p1, p2;
	struct bytes data;
	uint32_t le;
};

/* A response; @data is borrowed. */
struct apdu_response {
	struct bytes data;
	uint16_t sw;
};

/* True if short Lc and Le fields can carry it. */
static inline bool apdu_is_short(const struct apdu *apdu)
{
	return apdu->data.n <= APDU_SHORT_DATA && apdu->le <= APDU_SHORT_LE;
}

/* In short form if it fits, else extended. Fails the packer if a field is over its limit. */
void apdu_pack(struct packer *p, const struct apdu *apdu);

/*
 * Exactly the seven cases [7816-3 APDU]. Return: 0, -EBADMSG if the lengths disagree. @extended
 * tells which form it came in and may be NULL.
 */
int apdu_parse(struct bytes raw, struct apdu *out, bool *extended);

/*
 * CLA 0xFF is a reader's pseudo APDU and never reaches a card. INS 6X and 9X look like status bytes where
 * one follows the other on the wire, so @t0 never carries them; cards of T=1 have such commands
 * (SmartCard-HSM signs by 68), though the standard has none.
 */
static inline bool apdu_is_legal(const struct apdu *apdu, bool t0)
{
	if (apdu->cla == 0xff)
		return false;
	return !t0 || ((apdu->ins & 0xf0) != 0x60 && (apdu->ins & 0xf0) != 0x90);
}

/*
 * The class of GET RESPONSE and ENVELOPE for a command of class @cla [7816-4]: they are interindustry
 * commands whatever they fetch or carry, so a proprietary class gives way to 00. The channel stays,
 * secure messaging and chaining do not.
 */
static inline uint8_t apdu_interindustry(uint8_t cla)
{
	if (cla & 0x80)
		return 0x00;
	return cla & 0x40 ? cla & 0x4f : cla & 0x03;
}

/* Return: 0, or -EBADMSG if @raw is shorter than a status word or longer than a response. */
int apdu_response_parse(struct bytes raw, struct apdu_response *out);
