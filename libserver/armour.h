/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/armour.h - PEM as text [RFC 7468, RFC 1421]: blocks between BEGIN and END, borrowed from
 * it, and their base64. What is in a block may be a private key, so it is decoded into locked memory
 * and by arithmetic alone.
 */
#pragma once

#include "base/secret.h"

#include <stdbool.h>

/**
 * struct armour - one block
 * @label:	between "-----BEGIN " and "-----"
 * @headers:	lines like "Proc-Type: 4,ENCRYPTED" before the empty line; empty if there are none
 * @base64:	the rest
 */
struct armour {
	struct bytes label, headers, base64;
};

/* Takes the next whole block off @text, with whatever stands before it. Return: whether there is one. */
bool armour_next(struct bytes *text, struct armour *out);

bool armour_is(const struct armour *armour, const char *label);

/* Into @out, which comes from SECRET_INIT and gets room for it. Return: 0, -EBADMSG, -ENOMEM. */
int armour_decode(const struct armour *armour, struct secret *out);
