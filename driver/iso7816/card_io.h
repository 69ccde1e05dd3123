/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/iso7816/card_io.h - The way to one card: power, protocol, and one APDU at a time, whatever
 * level the reader works at. Card drivers see this and nothing below it.
 *
 *	struct apdu select = { 0x00, 0xA4, 0x04, 0x00, BYTES_OF(aid), 256 };
 *	struct apdu_response response;
 *
 *	r = apdu_exchange(io, &select, deadline, &response);
 *	if (r < 0)			the reader, the link, the deadline; io->ran tells
 *		return r;		if the card may have carried the command out
 *	if (response.sw != APDU_OK)	data, judged by the card driver
 *		return -EREMOTEIO;
 */
#pragma once

#include "driver/ccid/slot.h"
#include "driver/iso7816/apdu.h"
#include "driver/iso7816/atr.h"
#include "driver/iso7816/t1.h"

struct card_io;

/**
 * struct card_io_ops - how one APDU travels; tests of card drivers bring their own
 * @transmit:	sends @command and writes the whole response, status word included, to @response.
 *		Return: 0, or a negative errno as card_transmit()
 */
struct card_io_ops {
	int (*transmit)(struct card_io *io, struct bytes command, uint8_t *response, size_t cap,
			size_t *n, struct deadline deadline);
};

/**
 * struct card_io - one powered card
 * @ops:	the transport
 * @slot:	borrowed; NULL in tests that bring their own @ops
 * @atr:	parsed; atr.raw is what clients are shown
 * @protocol:	T=0 or T=1
 * @fidi:	speed, as TA1
 * @extended:	extended Lc and Le may be used: the link carries them and the card's ATR says that
 *		it takes them. A card driver that knows better sets it with
 *		card_io_allow_extended()
 * @link_extended: the link carries them
 * @chaining:	command chaining may be used when a command does not fit; true unless the ATR denies
 * @max_command: longest command APDU the link carries
 * @ran:	after a failed call: the command, or its last part, may have been carried out
 * @generation:	the slot's when this was started; see card_io_is_current()
 * @t1:		the block protocol, at TPDU level
 * @command, @response: buffers, wiped after each use; apdu_exchange() answers from @response
 */
struct card_io {
	const struct card_io_ops *ops;
	struct slot *slot;
	struct atr atr;
	uint8_t protocol, fidi;
	bool extended, link_extended, chaining;
	size_t max_command;
	bool ran;
	uint32_t generation;
	struct t1 t1;
	uint8_t *command, *response;
	size_t command_used, response_used;
};

/**
 * card_io_new - switches the card in a slot on and gets it ready for its first APDU
 * @slot:	borrowed, outlives the result
 * @why:	on failure, a sentence; NULL where the errno says it all
 *
 * The card is always switched off first. Return: 0; -ENOMEDIUM; -EIO mute; -EBADMSG its ATR or PPS
 * makes no sense; -EOPNOTSUPP its protocol is not spoken here; or as exchange_run().
 */
int card_io_new(struct slot *slot, struct deadline deadline, struct card_io **out,
		const char **why);
/* For tests and other transports: no slot, no ATR, extended and chaining allowed. */
int card_io_new_with(const struct card_io_ops *ops, struct card_io **out);
/* Does not switch the card off; slot_power_off() does. */
struct card_io *card_io_free(struct card_io *io);

/*
 * Switches the card off and on: security state, sessions and selections are gone. Needed after
 * a call that left the slot in SLOT_NEEDS_RESET. Return: as card_io_new().
 */
int card_io_reset(struct card_io *io, struct deadline deadline, const char **why);

/* False once the card was removed, reset or lost; every call then fails until card_io_reset(). */
bool card_io_is_current(const struct card_io *io);

/* The card was seen to take extended length by other means than its ATR (EF.ATR, its profile). */
void card_io_allow_extended(struct card_io *io);

/**
 * card_transmit - one APDU as it stands, nothing added: no GET RESPONSE, no chaining
 * @command:	a well-formed APDU
 * @response:	room for the answer, at most APDU_RESPONSE_MAX is needed
 * @n:		bytes written, status word included; at least 2
 *
 * Return: 0; -EINVAL malformed APDU; -EOPNOTSUPP too long for this link, or not allowed towards a
 * card; -ENOMEDIUM; -ESTALE reset the card first; -ETIMEDOUT; -ECANCELED; -EBADMSG; -EIO; -ENODEV.
 * After any of the last five io->ran is true if the card may have acted.
 */
int card_transmit(struct card_io *io, struct bytes command, uint8_t *response, size_t cap,
		  size_t *n, struct deadline deadline);

/**
 * apdu_exchange - one command with all that belongs to it
 *
 * Uses the extended form, or command chaining where the card or the reader cannot take it; answers
 * 6Cxx by asking again, 61xx by GET RESPONSE until all is there. Both are bounded. The command
 * buffer is wiped before this returns; @out->data lies in io->response and is good until the next
 * call or card_io_wipe(): what goes into the next command must be copied out first.
 *
 * Return: 0 with the final status word, whatever it is; -EINVAL a field is out of range; else as
 * card_transmit().
 */
int apdu_exchange(struct card_io *io, const struct apdu *apdu, struct deadline deadline,
		  struct apdu_response *out);

/* Wipes the last response, for those who do not want to wait for the next call. */
void card_io_wipe(struct card_io *io);
