/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/schsm/sm.h - Secure messaging after chip authentication [TR-03110-3 F; 7816-4 SM], both ends of
 * it: server and card. The client between them sees headers and lengths.
 *
 * A counter that nobody sends goes up before each command and before each answer, so nothing can be
 * repeated, left out or exchanged. Whatever fails, once the session is alive, ends it: its keys are
 * wiped and the agreement has to be made anew.
 */
#pragma once

#include "base/secret.h"

enum {
	SM_KEY_SIZE = 16,
	SM_DATA_MAX = 4080,		/* plain data field either way */
	SM_OVERHEAD = 64,		/* over the plain data: padding and all objects round it */
	SM_CLA = 0x0c,			/* secure messaging, header authenticated [7816-4 CLA] */
};

/**
 * struct sm - one session at one end
 * @keys:	K_ENC || K_MAC; given back when the session ends
 * @counter:	as in the last MAC
 * @answering:	a command has been protected or opened, its answer not yet
 * @odd:	its INS was odd: data fields are objects themselves, which 85 carries [7816-4 SM]
 */
struct sm {
	struct secret keys;
	uint8_t counter[16];
	bool answering, odd;
};

#define SM_INIT ((struct sm){ .keys = SECRET_INIT })

/**
 * struct sm_command - a command as both ends mean it
 * @cla:	without SM_CLA
 * @le:		bytes of answer wanted at most, up to 65536; 0: none
 */
struct sm_command {
	uint8_t cla, ins, p1, p2;
	struct bytes data;
	uint32_t le;
};

static inline bool sm_is_alive(const struct sm *sm)
{
	return sm->keys.n != 0;
}

/* Begins a session with the counter at 0; @keys has both. Return: 0, and what secret_init() says. */
int sm_begin(struct sm *sm, struct bytes keys);

/* Wipes the keys; for one that was never begun, too. */
void sm_end(struct sm *sm);

/*
 * The server's side: packs the protected data field of @plain; its header goes with SM_CLA set and its Le
 * says "all there is".
 *
 * Return: 0; -EPROTO if the session is over, or an answer is due; -EINVAL for too much data, -EMSGSIZE,
 * -EIO, -ENOMEM.
 */
int sm_protect_command(struct sm *sm, const struct sm_command *plain, struct packer *out);

/*
 * The other half: @data is the answer's data field, @sw what came outside. The plain data is packed into
 * @out, which the caller keeps in a secret if it matters.
 *
 * Return: 0 and the authenticated status word; -EBADMSG for anything else than what the card made for
 * this command, a plain answer among it; -EPROTO, -EMSGSIZE, -EIO, -ENOMEM.
 */
int sm_open_answer(struct sm *sm, struct bytes data, uint16_t sw, struct packer *out,
		   uint16_t *plain_sw);

/**
 * struct sm_turn - where the answer to one command stands
 * @counter, @odd: as when the command had been protected
 */
struct sm_turn {
	uint8_t counter[16];
	bool odd;
};

/*
 * For a server that hands over several commands at once: protects one without waiting for the answer to
 * the one before. What comes back is opened turn by turn, in their order, each once.
 *
 * Return: as sm_protect_command() and sm_open_answer().
 */
int sm_protect_ahead(struct sm *sm, const struct sm_command *plain, struct packer *out,
		     struct sm_turn *turn);
int sm_open_turn(struct sm *sm, const struct sm_turn *turn, struct bytes data, uint16_t sw,
		 struct packer *out, uint16_t *plain_sw);

/*
 * The card's side: opens a command with the header and the data field of @sealed; @plain->data is then what
 * was packed into @out.
 *
 * Return: 0; -EBADMSG; -EPROTO, -EMSGSIZE, -EIO, -ENOMEM.
 */
int sm_open_command(struct sm *sm, const struct sm_command *sealed, struct packer *out,
		    struct sm_command *plain);

/* Packs the protected data field of an answer; @sw goes outside, too. Return: likewise. */
int sm_protect_answer(struct sm *sm, struct bytes data, uint16_t sw, struct packer *out);
