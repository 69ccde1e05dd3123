/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/card/command.h - The command table and what its rows are made of. A row says what the
 * card demands before it works: P1 and P2, whether data may be there, whether the PIN must have
 * been verified. The order of checks is that of docs/card-application.md 2 and is kept by
 * command_answer() alone.
 *
 * A command is two functions. check() judges the syntax of the data field, then whether the object
 * exists, then purpose and state; it changes nothing. run() works; the PIN rule stands between.
 */
#pragma once

#include "format/item.h"
#include "vreader/card/card.h"

enum data_rule {
	DATA_NONE,			/* any data is 6700 */
	DATA_SOME,			/* check() judges it */
};

enum pin_rule {
	PIN_NEVER,
	PIN_ALWAYS,
	PIN_BY_KEY,			/* check() sets request.pin_needed, from the key's policy or the offer's target */
};

/**
 * struct request - a command on its way; check() fills the part that its run() reads
 * @data:	the whole data field, chained parts together
 * @number:	container, session or the like that P2 names, counted from its base
 */
struct request {
	uint8_t p1, p2;
	struct bytes data;
	size_t ne;
	unsigned int number;
	bool pin_needed;
	union {
		struct {
			struct bytes old, new;
		} change;
		struct {
			enum kf_key_type type;
			enum kf_purpose purpose;
			uint8_t policy;
		} generate;
		struct selection select;
		struct bytes input;
		struct {
			struct bytes nonce;
			uint8_t target, method, standing;
			enum kf_key_type type;
		} offer;
		struct {
			struct bytes sid, input;
			struct session *session;
		} import;
		struct {
			struct item item;
			const struct session *session;
		} process;
		struct session *session;
		struct bytes stored;
		struct {
			struct bytes puk, name;
			enum kf_key_type type;
			enum kf_hash hash;
			struct number_list key_types, purposes;
		} kek;
		struct {
			uint8_t target, policy;
			enum kf_key_type type;
			enum kf_purpose purpose;
			struct bytes blob;
		} unwrap;
		struct {
			struct bytes iv, text, tag, aad;
		} cipher;
	};
};

/**
 * struct command_rule - a row of the table
 * @cla:	00 or 80
 * @p2_last:	P2 may be from @p2 to this; request.number counts from @p2
 * @check:	NULL if there is nothing to check. Return: %SW_OK, a status word, or an errno
 * @run:	likewise; writes response data
 */
struct command_rule {
	const char *name;
	uint8_t cla, ins, p1, p2, p2_last;
	enum data_rule data;
	enum pin_rule pin;
	int (*check)(struct card *card, struct request *request);
	int (*run)(struct card *card, const struct request *request, struct packer *out);
};

/* The table, for tests to walk. */
const struct command_rule *command_rules(size_t *n);

/* Answers one command. Return: the status word. */
uint16_t command_answer(struct card *card, struct bytes command, struct packer *out);

/* The container that P2 names, for rows that count from it. */
static inline const struct container *named_container(const struct card *card,
						      const struct request *request)
{
	return &card->state->containers[request->number];
}

#define CHECK(name) int name(struct card *card, struct request *request)
#define RUN(name) int name(struct card *card, const struct request *request, struct packer *out)

/* info.c */
RUN(select_run);
CHECK(select_check);
RUN(card_info_run);
RUN(device_cert_run);
CHECK(challenge_check);
RUN(challenge_run);
/* pin.c */
RUN(pin_info_run);
RUN(verify_run);
RUN(unverify_run);
CHECK(change_check);
RUN(change_pin_run);
RUN(change_puk_run);
RUN(unblock_run);
/* Return: 0 and the tries given back, a status word, or a negative errno. */
int puk_prove(struct card *card, struct bytes given);
struct pin_item;
/* Whether the PIN in a sealed order is right; a try is spent that the order's own commit gives back. */
int pin_order_prove(struct card *card, const struct pin_item *order);
/* Does it to @next. Return: 0, -ENOMEM. */
int pin_order_apply(struct state *next, uint32_t target, const struct pin_item *order);
/* container.c */
RUN(container_info_run);
CHECK(get_cert_check);
RUN(get_cert_run);
CHECK(put_cert_check);
RUN(put_cert_run);
CHECK(generate_check);
RUN(generate_run);
CHECK(convert_check);
RUN(convert_run);
CHECK(delete_check);
RUN(delete_run);
/* pso.c */
CHECK(mse_check);
RUN(mse_run);
CHECK(sign_check);
RUN(sign_run);
CHECK(decipher_check);
RUN(decipher_run);
/* offer.c */
CHECK(offer_check);
RUN(offer_run);
RUN(pending_run);
/* session.c */
CHECK(import_check);
RUN(import_run);
CHECK(destroy_check);
RUN(destroy_run);
/* item.c; receipt_keep() signs @receipt into @out and keeps that in place of stored->der */
CHECK(process_check);
RUN(process_run);
int receipt_keep(struct state *next, const struct stored_receipt *stored, struct bytes receipt,
		 struct packer *out);
CHECK(get_receipt_check);
RUN(get_receipt_run);
/* kek.c */
CHECK(kek_info_check);
RUN(kek_info_run);
CHECK(create_kek_check);
RUN(create_kek_run);
RUN(attest_kek_run);
CHECK(set_kek_check);
RUN(set_kek_run);
/* unwrap.c */
CHECK(unwrap_check);
RUN(unwrap_run);
/* cipher.c */
CHECK(cipher_check);
RUN(cipher_run);
