/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/key.h - Session key handles of one context [minidriver 10]: random numbers, so that a
 * guessed or stale one is nobody's. With a card the key itself is in the card, under the broker's
 * handle; in no-card mode it is a struct seal.
 */
#pragma once

#include "base/cleanup.h"
#include "keyferry/cardmod.h"
#include "keyferry/keyferry.h"
#include "libserver/json/object.h"

struct module;
struct seal;

enum { KEYS_MAX = 16, KEY_BLOCK = 16, KEY_BITS = 256 };	/* AES-256 is all the card speaks */

/**
 * struct key - one handle
 * @handle:	0: this place is free
 * @chaining_is_set, @iv_is_set: an IV serves one call
 * @is_used:	one handle, one item [SECURITY section 9]
 * @is_processed: with a card: an item was sent there, and was not refused as far as is known
 * @in_card:	with a card: the broker's handle
 * @sid, @serial, @label: with a card: of the offer it answers
 * @item:	with a card: SHA-256 of the item that was processed last
 * @receipt:	with a card: the receipt file, once there is one
 * @seal:	in no-card mode
 */
struct key {
	CARD_KEY_HANDLE handle;
	bool chaining_is_set, iv_is_set, is_used, is_processed;
	uint8_t iv[KF_IV_SIZE];
	kf_key_handle in_card;
	uint8_t sid[KF_SID_SIZE];
	char serial[KF_SERIAL_MAX + 1];
	uint8_t label[KF_DIGEST_SIZE];
	uint8_t item[KF_DIGEST_SIZE];
	struct blob receipt;
	struct seal *seal;
};

struct keys {
	struct key slots[KEYS_MAX];
};

/* A free place with a fresh handle. Return: 0, -ENOSPC, -EIO no randomness. */
int key_new(struct keys *keys, struct key **out);
/* What became of that, in words. Return: %SCARD_E_NO_MEMORY, %SCARD_F_INTERNAL_ERROR. */
DWORD key_new_failed(struct module *module, int r);
/* NULL: no such handle. */
struct key *key_find(struct keys *keys, CARD_KEY_HANDLE handle);
/* Wipes; the place is free again. */
void key_deinit(struct key *key);
void keys_deinit(struct keys *keys);

/* CardDestroyKey [minidriver 8.5] */
DWORD WINAPI card_destroy_key(PCARD_DATA card, CARD_KEY_HANDLE handle);
