/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PIN and PUK (docs/card-application.md 4.4 to 4.6). A try is spent on the disk before the
 * comparison: whoever cuts the power after seeing the answer, or before, has spent it.
 */
#include "format/pin_item.h"
#include "vreader/card/command.h"
#include "vreader/card/tlv.h"

enum which_pin { USER_PIN, PUK };

static struct pin *pin_of(struct state *state, enum which_pin which)
{
	return which == USER_PIN ? &state->pin : &state->puk;
}

/* Return: 0 with the try spent in the state in force, a status word, or a negative errno. */
static int spend_try(struct card *card, enum which_pin which)
{
	_cleanup_(state_freep) struct state *next = NULL;
	int r = card_begin(card, &next);

	if (r < 0)
		return r;
	if (pin_of(next, which)->tries == 0)
		return SW_BLOCKED;
	pin_of(next, which)->tries--;
	return card_commit(card, &next);
}

/* Return: 0 if @given matches; the caller's own commit then gives the tries back. */
static int pin_compare(struct card *card, enum which_pin which, struct bytes given)
{
	const struct pin *pin;
	int r = spend_try(card, which);

	if (r != 0)
		return r;
	pin = pin_of(card->state, which);
	if (bytes_equal_ct(blob_bytes(pin->value), given))
		return 0;
	if (which == USER_PIN)
		card->pin_verified = false;
	return SW_TRIES | pin->tries;
}

/* Compares @old of @proof and, in one commit, gives its tries back and sets @target to @new. */
static int pin_replace(struct card *card, enum which_pin proof, enum which_pin target,
		       const struct request *request)
{
	_cleanup_(state_freep) struct state *next = NULL;
	int r = pin_compare(card, proof, request->change.old);

	if (r == 0)
		r = card_begin(card, &next);
	if (r != 0)
		return r;
	pin_of(next, proof)->tries = pin_of(next, proof)->max;
	r = pin_set(pin_of(next, target), request->change.new);
	if (r < 0)
		return r;
	return card_commit(card, &next);
}

/* An order of a known sender, opened. One that finds too few tries left is refused untried. */
int pin_order_prove(struct card *card, const struct pin_item *order)
{
	enum which_pin which = order->authenticator == KF_PIN_PUK ? PUK : USER_PIN;
	uint32_t tries = pin_of(card->state, which)->tries;

	if (tries == 0)
		return SW_BLOCKED;
	if (tries < order->least_tries)
		return SW_CONDITIONS;
	return pin_compare(card, which, order->proof);
}

int pin_order_apply(struct state *next, uint32_t target, const struct pin_item *order)
{
	struct pin *proof = order->authenticator == KF_PIN_PUK ? &next->puk : &next->pin;

	proof->tries = proof->max;
	if (order->fresh.n == 0)
		return 0;
	return pin_set(target == KF_PIN_PUK ? &next->puk : &next->pin, order->fresh);
}

int puk_prove(struct card *card, struct bytes given)
{
	_cleanup_(state_freep) struct state *next = NULL;
	int r = pin_compare(card, PUK, given);

	if (r == 0)
		r = card_begin(card, &next);
	if (r != 0)
		return r;
	next->puk.tries = next->puk.max;
	return card_commit(card, &next);
}

static void put_tries(struct packer *p, unsigned int tag, const struct pin *pin, bool verified)
{
	const uint8_t v[3] = { pin->tries, pin->max, verified };

	tlv_put(p, tag, BYTES_OF(v));
}

RUN(pin_info_run)
{
	uint8_t buf[10];
	struct packer p = pack_begin(buf, sizeof(buf));

	(void)request;
	put_tries(&p, 0x81, &card->state->pin, card->pin_verified);
	put_tries(&p, 0x82, &card->state->puk, false);
	tlv_put(out, 0xe2, pack_done(&p));
	return SW_OK;
}

static int verify_status(const struct card *card)
{
	if (card->pin_verified)
		return SW_OK;
	if (card->state->pin.tries == 0)
		return SW_BLOCKED;
	return SW_TRIES | card->state->pin.tries;
}

RUN(verify_run)
{
	_cleanup_(state_freep) struct state *next = NULL;
	int r;

	(void)out;
	if (request->data.n == 0)
		return verify_status(card);
	r = pin_compare(card, USER_PIN, request->data);
	if (r == 0)
		r = card_begin(card, &next);
	if (r != 0)
		return r;
	next->pin.tries = next->pin.max;
	r = card_commit(card, &next);
	if (r != 0)
		return r;
	card->pin_verified = true;
	return SW_OK;
}

RUN(unverify_run)
{
	(void)request;
	(void)out;
	card->pin_verified = false;
	card->selection = (struct selection){ 0 };
	return SW_OK;
}

/* What a keypad makes: digits, and FF up to the end of the block. */
static struct bytes take_block(struct unpacker *u)
{
	struct bytes block = unpack_bytes(u, APP_PIN_BLOCK);

	while (block.n > 0 && block.p[block.n - 1] == 0xff)
		block.n--;
	return block;
}

/* A new value that could never be entered is refused before a try is spent. */
CHECK(change_check)
{
	struct unpacker u = unpack_begin(request->data);

	(void)card;
	if (unpack_peek(&u) == 0x80) {
		request->change.old = tlv_take(&u, 0x80);
		request->change.new = tlv_take(&u, 0x81);
	} else {
		request->change.old = take_block(&u);
		request->change.new = take_block(&u);
	}
	if (unpack_end(&u) < 0 || request->change.new.n < APP_PIN_MIN ||
	    request->change.new.n > APP_PIN_MAX)
		return SW_DATA;
	return SW_OK;
}

RUN(change_pin_run)
{
	int r = pin_replace(card, USER_PIN, USER_PIN, request);

	(void)out;
	if (r != 0)
		return r;
	card->pin_verified = true;
	return SW_OK;
}

RUN(change_puk_run)
{
	int r = pin_replace(card, PUK, PUK, request);

	(void)out;
	return r != 0 ? r : SW_OK;
}

RUN(unblock_run)
{
	int r = pin_replace(card, PUK, USER_PIN, request);

	(void)out;
	if (r != 0)
		return r;
	card->pin_verified = false;
	return SW_OK;
}
