/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/card/card.h - The inside of struct card, for the commands: what is in force, what is
 * volatile, and how a change becomes permanent.
 */
#pragma once

#include "vreader/app.h"
#include "vreader/card/chain.h"
#include "vreader/card/codec.h"
#include "vreader/card/reply.h"
#include "vreader/card/state.h"

/**
 * struct card_memory - the non-volatile memory a card is built on, and its key generator; both
 * replaceable so that a test can cut the power at each commit and need not wait for primes
 * @owner:	first argument of @load and @commit
 * @load:	disk_load()
 * @commit:	disk_commit()
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
 * struct card - the card
 * @state:	what is committed; never changed in place
 * @disk:	behind @memory when the card lives in a directory, else NULL
 * @powered:	contacts are up
 * @mute:	a commit ended in doubt: nothing is answered until power on reads the memory again
 * @selected:	our application is; all below is volatile as well
 */
struct card {
	struct vcard base;
	struct card_memory memory;
	struct state *state;
	struct disk *disk;
	struct chain chain;
	struct reply reply;
	struct session sessions[APP_SESSIONS_MAX];
	struct selection selection;
	bool powered;
	bool mute;
	bool selected;
	bool pin_verified;
};

/* Of the application in vreader/app.h. */
int card_personalise(const struct vcard_personalisation *want, char why[static VCARD_WHY_MAX]);

/* Reads the state out of @memory. Return: 0, what load() says, -EBADMSG, -EPROTONOSUPPORT. */
int card_new(const struct card_memory *memory, struct card **out);
struct card *card_free(struct card *card);
DEFINE_CLEANUP(struct card *, card_free);

/* As in vcard.h; power on is a reset as well. */
void card_power_on(struct card *card);
void card_power_off(struct card *card);
int card_process(struct card *card, struct bytes command, struct packer *response);

/*
 * A change: begin with a copy, alter it, commit it. Both return 0 or what the command has to
 * return: a status word, or a negative errno. After a commit that did not return 0 the state in
 * force is the old one, and *next is still the caller's.
 */
int card_begin(const struct card *card, struct state **next);
int card_commit(struct card *card, struct state **next);

/* Whoever changes what a container holds says so: a selection of it must not outlive that. */
void card_forget_selection(struct card *card, unsigned int container);

/* Random bytes of the card. Return: 0, -EIO. */
int card_random(uint8_t *out, size_t n);
