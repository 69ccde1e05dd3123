/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/card/apdu.h - A command APDU as the card reads it. Pure.
 */
#pragma once

#include "base/bytes.h"

enum {
	CLA_CHAIN = 0x10,		/* not the last part of a command chain */
};

/**
 * struct apdu - one command, short or extended [7816-4 command-response pairs]
 * @data:	borrowed from the command; empty in cases 1 and 2
 * @ne:		most response bytes wanted, 0 without an Le field, up to 65536
 */
struct apdu {
	uint8_t cla, ins, p1, p2;
	struct bytes data;
	size_t ne;
};

/* Return: 0, or -EBADMSG if the lengths do not add up. */
int apdu_parse(struct bytes command, struct apdu *out);
