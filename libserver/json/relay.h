/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/json/relay.h - The two files of a relay (docs/formats.md 14), a pair for each round: a
 * server's list of APDUs, and what the card answered.
 */
#pragma once

#include "libserver/json/object.h"

enum {
	RELAY_ID_SIZE = 16,
	RELAY_ROUNDS_MAX = 64,
	RELAY_LIST_MAX = 256,		/* APDUs in one list */
	RELAY_NUMBERS_MAX = 1024,	/* APDUs in all rounds */
	RELAY_SECONDS_MAX = 300,
};

/**
 * struct relay_step - one APDU
 * @expect, @mask: the status word it has to end with, and the bits of it that matter
 */
struct relay_step {
	uint32_t number;
	uint16_t expect, mask;
	struct blob command;
};

/**
 * struct relay_list - one round's
 * @any_card:	the server did not name one; else @serial
 * @id:		of the relay, the same in all rounds
 * @more:	another list follows, to which these answers lead
 * @seconds:	how long all rounds may take together; the first list's counts
 * @steps:	@n of them, numbered on from the round before, owned
 */
struct relay_list {
	bool any_card;
	char serial[KF_SERIAL_MAX + 1];
	uint8_t id[RELAY_ID_SIZE];
	uint32_t round;
	bool more;
	uint32_t seconds;
	size_t n;
	struct relay_step *steps;
};

#define RELAY_LIST_INIT ((struct relay_list){ 0 })

/* A text owned by the caller. Return: 0, -ENOMEM. */
int relay_list_write(const struct relay_list *list, char **text, size_t *len, struct kf_error *e);
/* Fills @out, which is RELAY_LIST_INIT. Return: 0, -EBADMSG, -ENOMEM. */
int relay_list_parse(struct bytes text, struct relay_list *out, struct kf_error *e);
void relay_list_deinit(struct relay_list *list);

/* What came back for one APDU: data without the status word. */
struct relay_answer {
	uint32_t number;
	uint16_t sw;
	struct blob data;
};

/**
 * struct relay_answers - one round's
 * @ended:	the relay is over; by an APDU that failed if there are fewer answers than APDUs, or the
 *		last of them is not as expected
 * @answers:	@n of them, owned
 */
struct relay_answers {
	uint8_t id[RELAY_ID_SIZE];
	uint32_t round;
	bool ended;
	size_t n;
	struct relay_answer answers[RELAY_LIST_MAX];
};

#define RELAY_ANSWERS_INIT ((struct relay_answers){ 0 })

/* Fills @out, which is RELAY_ANSWERS_INIT. Return: 0, -EBADMSG, -ENOMEM. */
int relay_answers_parse(struct bytes text, struct relay_answers *out, struct kf_error *e);
int relay_answers_write(const struct relay_answers *answers, char **text, size_t *len,
			struct kf_error *e);
void relay_answers_deinit(struct relay_answers *answers);
