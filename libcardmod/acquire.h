/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/acquire.h - Contexts and the table of functions [minidriver 7.1, 7.2].
 */
#pragma once

#include "keyferry/cardmod.h"

struct kf_client;

#define CARDMOD_EXPORT __attribute__((visibility("default")))

/*
 * CardAcquireContext() for a card, over @client (given; also on failure) and the reader @reader
 * (NULL: the only one).
 */
DWORD acquire_card(PCARD_DATA card, struct kf_client *client, const char *reader);

DWORD WINAPI card_delete_context(PCARD_DATA card);
