/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/exchange.h - The card's signed offer to take a sealed key or an order about a PIN, made
 * through vendor properties [SECURITY section 9]. Of a container: by the exchange key in it. Of the
 * card: by a fresh key, which ends with the offer, or by a key that the maker loaded.
 *
 *	set KF Nonce (and KF Target, KF Method) -> get KF Statement
 *	    -> RSA key in a container: CardImportSessionKey
 *	    -> EC key in a container:  CardConstructDHAgreement, CardDeriveKey
 *	    -> the card's own:         CardGetSharedKeyHandle
 */
#pragma once

#include "format/numbers.h"
#include "keyferry/cardmod.h"
#include "libserver/json/object.h"

struct module;
struct value_out;

enum { EXCHANGES_MAX = APP_CONTAINERS };

/**
 * struct exchange - one offer
 * @target:	where the sealed key shall go; meaningful if @target_is_set
 * @method:	how S1 will be established: of a container what its key is for, once there is @offer; of the
 *		card what was set, or %KF_METHOD_NONE
 * @offer:	the offer file; empty: the card has not been asked
 * @sid, @label, @serial: out of it
 */
struct exchange {
	bool nonce_is_set, target_is_set;
	uint8_t nonce[KF_NONCE_SIZE];
	uint32_t target;
	enum kf_method method;
	struct blob offer;
	uint8_t sid[KF_SID_SIZE];
	uint8_t label[KF_DIGEST_SIZE];
	char serial[KF_SERIAL_MAX + 1];
};

void exchange_deinit(struct exchange *exchange);

/* Whether @name is a vendor property of containers; whether it is one of the card. */
bool exchange_has_property(LPCWSTR name);
bool exchange_has_card_property(LPCWSTR name);

/* A container's; NULL: the card has no such container. */
struct exchange *exchange_of_container(struct module *module, BYTE index);
DWORD exchange_no_container(struct module *module, BYTE index);

/* @exchange: of exchange_of_container(), or the module's own. */
DWORD exchange_set(struct module *module, struct exchange *exchange, LPCWSTR name,
		   struct bytes value);
DWORD exchange_get(struct module *module, struct exchange *exchange, LPCWSTR name,
		   const struct value_out *out);

/* The offer of a container; NULL: none was made in this context. */
const struct exchange *exchange_offered(const struct module *module, BYTE index);
