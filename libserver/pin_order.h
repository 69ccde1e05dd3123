/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/pin_order.h - What a server wants done to a card's PIN: the minidriver's
 * CARD_CHANGE_AUTHENTICATOR and CARD_AUTHENTICATE. Both PINs live in locked memory.
 */
#pragma once

#include "base/cleanup.h"
#include "base/secret.h"
#include "format/pin_item.h"
#include "libserver/server.h"

struct kf_pin_order {
	enum kf_function function;
	uint32_t target;
	uint32_t authenticator;
	uint32_t least_tries;
	struct secret proof, fresh;
};

DEFINE_CLEANUP(struct kf_pin_order *, kf_pin_order_free);

/* The plaintext of its item. @out comes from SECRET_INIT. Return: 0, -EINVAL, secret_init()'s. */
int pin_order_encode(const struct kf_pin_order *order, struct secret *out);
