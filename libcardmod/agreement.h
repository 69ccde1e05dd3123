/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/agreement.h - Method 4 in the words of the interface [minidriver 7.9, 11.1]: the server's
 * ephemeral key is named, then a session key is derived with it in the card and comes back as a handle.
 *
 *	CardConstructDHAgreement -> CardDeriveKey(CARD_RETURN_KEY_HANDLE) -> CardDestroyDHAgreement
 *
 * The card does both in one command, so what is between them is only the server's public key.
 */
#pragma once

#include "format/agree.h"
#include "keyferry/cardmod.h"

#include <stdbool.h>

enum { AGREEMENTS_MAX = 8 };

/* @container: with the card's half; @point: the server's, as the card takes it. */
struct agreement {
	bool is_there;
	BYTE container;
	uint8_t point[AGREE_POINT_MAX];
	size_t n;
};

struct agreements {
	struct agreement slots[AGREEMENTS_MAX];
};

/* Those with the key of a container that is no more. */
void agreements_forget(struct agreements *agreements, BYTE container);

/* CardConstructDHAgreement, CardDeriveKey, CardDestroyDHAgreement [minidriver 7.9] */
DWORD WINAPI card_construct_dh_agreement(PCARD_DATA card, PCARD_DH_AGREEMENT_INFO info);
DWORD WINAPI card_derive_key(PCARD_DATA card, PCARD_DERIVE_KEY info);
DWORD WINAPI card_destroy_dh_agreement(PCARD_DATA card, BYTE index, DWORD flags);
