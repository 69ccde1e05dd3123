/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/apdu.h - Which raw APDUs are refused whatever rights their sender has: those that
 * carry, change or spend PINs, and those another such command could hide in (SECURITY section 7). And
 * which may be relayed: what only card and server can read, and what they need to get so far.
 */
#pragma once

#include "base/bytes.h"

#define APDU_MAX 65544	/* [7816-3 extended command]: header, 3 + 65535, 3 */

/* Return: 0; -EINVAL if it is no APDU; -EACCES if it is one of those, with its INS in @ins. */
int apdu_screen(struct bytes apdu, uint8_t *ins);

/* The same for one in a relay. -EACCES: a plain command that is none of a channel's set-up. */
int apdu_screen_relay(struct bytes apdu, uint8_t *ins);
