/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/card/card.h - The inside of struct vcard, for the commands: what is in force, what is
 * volatile, and how a change becomes permanent.
 */
#pragma once

#include "vreader/card/chain.h"
#include "vreader/card/codec.h"
#include "vreader/card/reply.h"
#include "vreader/card/state.h"
#include "vreader/state/store.h"
#include "vreader/vcard.h"

/**
 * struct card_memory - the non-volatile memory a card is built on, and its key generator; both
 * replaceable so that a test can cut the power at each commit and need not wait for primes
 * @owner:	first argument of @load and @commit
 * @load:	store_load()
 * @commit:	store_commit()
 * @generate:	card_key_generate()
 * @pause:	waits, for as long as a KEK that was tried in vain too often has to
 */
struct card_memory {
	void *owner;
	int (*load)(void *owner, struct secret *out);
	int (*commit)(void *owner, struct bytes blob);
	int (*generate)(enum kf_key_type type, struct card_key **out);
	void (*pause)(void *owner, unsigned int ms);
};

/**
 * struct session - S1 of one sid
 * @s1:		in use while s1.n is not 0
 * @confirmation: the card's, of a method that has one
 */
struct session {
	uint8_t sid[KF_SID_SIZE];
	struct secret s1;
	uint8_t confirmation[CONFIRMATION_SIZE];
};

/* What MANAGE SECURITY ENVIRONMENT chose; @algorithm ALG_NONE: nothing. */
struct selection {
	enum algorithm algorithm;
	uint8_t container;
};

/**
 * struct vcard - the card
 * @state:	what is committed; never changed in place
 * @store, @dir: behind @memory when the card lives in a directory, else NULL
 * @powered:	contacts are up
 * @mute:	a commit ended in doubt: nothing is answered until power on reads the memory again
 * @selected:	our application is; all below is volatile as well
 */
struct vcard {
	struct card_memory memory;
	struct state *state;
	struct store *store;
	char *dir;
	struct chain chain;
	struct reply reply;
	struct session sessions[APP_SESSIONS_MAX];
	struct selection selection;
	bool powered;
	bool mute;
	bool selected;
	bool pin_verified;
};

/* Reads the state out of @memory. Return: 0, what load() says, -EBADMSG, -EPROTONOSUPPORT. */
int card_new(const struct card_memory *memory, struct vcard **out);

/*
 * A change: begin with a copy, alter it, commit it. Both return 0 or what the command has to
 * return: a status word, or a negative errno. After a commit that did not return 0 the state in
 * force is the old one, and *next is still the caller's.
 */
int card_begin(const struct vcard *card, struct state **next);
int card_commit(struct vcard *card, struct state **next);

/* Whoever changes what a container holds says so: a selection of it must not outlive that. */
void card_forget_selection(struct vcard *card, unsigned int container);

/* Random bytes of the card. Return: 0, -EIO. */
int card_random(uint8_t *out, size_t n);
