/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/pin_item.h - What is sealed in an item about PINs (docs/formats.md 13): which PIN proves
 * that it may be done, how many tries of it must be left, its value and the new one. All of these are
 * of one length, so that the item does not tell how long a PIN is. And what the receipt shows
 * of such an item in place of a key. Pure.
 */
#pragma once

#include "base/secret.h"
#include "format/numbers.h"

#define PIN_ITEM_SIZE 144

/**
 * struct pin_item - one order about PINs
 * @authenticator: KF_PIN_ number of the PIN whose value is @proof
 * @least_tries: of it that must be left, or the card refuses and compares nothing; from 1
 * @proof:	up to APP_PIN_FIELD - 1 bytes, borrowed
 * @fresh:	the new value of the PIN the item is about; empty to authenticate
 */
struct pin_item {
	uint32_t authenticator;
	uint32_t least_tries;
	struct bytes proof;
	struct bytes fresh;
};

/*
 * Whether the PIN @authenticator may do @function to the PIN @target: either changes itself, the PUK
 * unblocks the user PIN, the user PIN authenticates.
 */
bool pin_item_makes_sense(enum kf_function function, uint32_t target, uint32_t authenticator);

/* Writes PIN_ITEM_SIZE bytes. Return: 0, -EINVAL if something does not fit. */
int pin_item_encode(const struct pin_item *order, struct secret *out);

/*
 * Reads the plaintext of an item; @out borrows from it. Whether the values are what they must be is
 * left to the caller. Return: 0, or -EBADMSG if @plain is anything but one order in form, or asks for
 * a session PIN.
 */
int pin_item_decode(struct bytes plain, struct pin_item *out);

/* In the place of the key in a receipt: the PIN the item was about, and its tries afterwards. */
struct pin_mark {
	uint32_t pin;
	uint32_t tries;
};

/* Return: 0, -EBADMSG. */
int pin_mark_parse(struct bytes der, struct pin_mark *out);
void pin_mark_pack(struct packer *p, const struct pin_mark *mark);
