/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/exchange.h - The card's signed offer to take a sealed key, made through the vendor
 * properties of the container with the exchange key [SECURITY section 9]:
 *
 *	set KF Nonce (and KF Target) -> get KF Statement -> CardImportSessionKey
 */
#pragma once

#include "format/numbers.h"
#include "keyferry/cardmod.h"
#include "libserver/json/object.h"

struct module;
struct value_out;

enum { EXCHANGES_MAX = APP_CONTAINERS };

/**
 * struct exchange - one container's offer
 * @target:	where the sealed key shall go; meaningful if @target_is_set
 * @offer:	the offer file; empty: the card has not been asked
 * @sid, @label, @serial: out of it
 */
struct exchange {
	bool nonce_is_set, target_is_set;
	uint8_t nonce[KF_NONCE_SIZE];
	uint32_t target;
	struct blob offer;
	uint8_t sid[KF_SID_SIZE];
	uint8_t label[KF_DIGEST_SIZE];
	char serial[KF_SERIAL_MAX + 1];
};

void exchange_deinit(struct exchange *exchange);

/* Whether @name is a vendor property of containers. */
bool exchange_has_property(LPCWSTR name);
DWORD exchange_set(struct module *module, BYTE index, LPCWSTR name, struct bytes value);
DWORD exchange_get(struct module *module, BYTE index, LPCWSTR name, const struct value_out *out);

/* The offer of a container; NULL: none was made in this context. */
const struct exchange *exchange_offered(const struct module *module, BYTE index);
