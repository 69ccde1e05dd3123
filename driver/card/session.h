/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/card/session.h - The session keys that live in the card now, as the driver numbers them.
 * A number is never used twice, so one from before a reset meets nothing. What the card cannot keep
 * for us stands here, too: the properties a client set (CardSetKeyProperty). No key material.
 */
#pragma once

#include "base/bytes.h"
#include "keyferry/proto.h"

#include <stdbool.h>
#include <stdint.h>

#define CARD_SESSIONS_MAX 16	/* of the driver; a card has fewer */

/**
 * struct card_session - one session key
 * @key:	the driver's number for it; 0: this place is free
 * @ref:	the card's own number, meant for its card driver alone
 * @method:	enum kf_method
 * @algorithm:	enum kf_key_type of S1
 * @container:	the offer's target; %KF_CONTAINER_ANY if the card does not tell
 * @next_item:	the item the card expects, from 1
 * @sid:	of the offer
 * @chaining:	KF_CHAIN_ bit that the client expects, 0 while it has not said
 * @iv_len:	of @iv, 0 while the client has not said
 * @iv:		the IV that the client expects in the next item
 */
struct card_session {
	uint64_t key;
	uint32_t ref;
	uint32_t method;
	uint32_t algorithm;
	uint32_t container;
	uint32_t next_item;
	uint8_t sid[KF_SID_SIZE];
	uint32_t chaining;
	uint32_t iv_len;
	uint8_t iv[KF_IV_SIZE];
};

/**
 * struct card_sessions - all of them
 * @last_key:	the number given out last; goes on over resets
 * @slots:	the sessions
 */
struct card_sessions {
	uint64_t last_key;
	struct card_session slots[CARD_SESSIONS_MAX];
};

#define CARD_SESSIONS_INIT ((struct card_sessions){ 0 })

/* Return: the session, or NULL: there is none of that number. */
struct card_session *card_session_find(struct card_sessions *all, uint64_t key);

/* Gives a free place its number. Return: 0, -ENOSPC. */
int card_session_new(struct card_sessions *all, struct card_session **out);
void card_session_drop(struct card_session *session);
/* The card lost power: none is left. */
void card_sessions_clear(struct card_sessions *all);

/*
 * Reads one property into @value, or sets it from @value.
 * Return: 0; -EINVAL no such property, not settable, or a value that is out of range; -EOPNOTSUPP a
 * chaining mode this algorithm is not used with; -EMSGSIZE.
 */
int card_session_get(const struct card_session *session, uint32_t prop, struct packer *value);
int card_session_set(struct card_session *session, uint32_t prop, struct bytes value);
