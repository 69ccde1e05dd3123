/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/driver/card/script.h - A card that plays a script: each command has to be, to the byte, the
 * next one expected, and gets the answer that stands beside it. Whatever is left unplayed fails
 * the test, and so does a command more.
 */
#pragma once

#include "driver/card/card.h"
#include "driver/card/match.h"
#include "driver/iso7816/card_io.h"
#include "driver/iso7816/tlv.h"
#include "tests/harness.h"

#define SCRIPT_STEPS	128

struct script_step {
	uint8_t *want;
	size_t want_n;
	uint8_t *answer;
	size_t answer_n;
	int error;
	bool ran;
};

struct script {
	struct script_step steps[SCRIPT_STEPS];
	size_t n, at;
	struct card_io *io;
	struct card *card;
};

/* Hexadecimal with spaces, as the card page writes it; asserts that it is. */
size_t script_hex(const char *text, uint8_t *out, size_t cap);

/* Raw bytes; the answer includes the status word. */
void script_add(struct script *s, struct bytes want, struct bytes answer);
/* The same in hexadecimal. */
void script_expect(struct script *s, const char *want, const char *answer);
/* A command, and a transport error in place of an answer. */
void script_break(struct script *s, const char *want, int error, bool ran);

/* GET DATA of @what answers @data, whatever its length. */
void script_get_data(struct script *s, uint16_t what, struct bytes data, uint16_t sw);
/* E2: tries left of PIN and PUK, PIN verified or not. */
void script_pin_state(struct script *s, uint8_t pin, uint8_t puk, bool verified);
/* E3 of an empty or a full container. */
void script_place_empty(struct script *s, uint8_t container);
void script_place(struct script *s, uint8_t container, uint8_t type, uint8_t purpose,
		  struct bytes spki);

/* What the card information of script_open() says. */
#define SCRIPT_SERIAL	"KF-TEST.1"
#define SCRIPT_INJECTOR	0x77	/* each byte of the one injector's hash */

/* A card of ours, opened; @injectors: 0 or 1, and %SCRIPT_KEKS if it knows KEKs. */
#define SCRIPT_KEKS	2u
void script_open(struct script *s, unsigned int injectors);
/* A card nobody has asked anything yet. */
void script_blank(struct script *s);
/* What such a card of ours is asked at first. */
void script_meeting(struct script *s, unsigned int injectors);
/* Starts a verb: what was said before is forgotten. */
struct card *script_begin(struct script *s);
/* All of it was played. */
void script_done(const struct script *s);
void script_close(struct script *s);
