/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The structures are read straight down [CCID PIN verification, PIN modification data structure].
 * What this keypad can do is ASCII, left-justified, from byte 0; everything else is refused by the
 * index of the byte that asks for it.
 */
#include "vreader/reader/keypad.h"

#include "base/secret.h"

enum {
	FORMAT_ASCII = 0x82,
	VALIDATE_BY_KEY = 0x02,
	AT_FORMAT = 2, AT_BLOCK = 3, AT_LENGTH_FORMAT = 4,	/* in both structures */
	APDU_HEAD = 5,
};

enum { OLD_PIN, NEW_PIN, AGAIN };

/* Return: index + 1 of the byte that cannot be done, or 0. */
static unsigned int take_format(struct keypad *k, struct unpacker *u)
{
	uint8_t format, block, length;

	k->timeout_s = unpack_u8(u);
	format = unpack_u8(u);
	block = unpack_u8(u);
	length = unpack_u8(u);
	k->block = block & 0x0f;
	if (k->timeout_s == 0)
		k->timeout_s = KEYPAD_TIMEOUT_DEFAULT_S;
	if (format != FORMAT_ASCII)
		return AT_FORMAT + 1;
	if (block >> 4 != 0)
		return AT_BLOCK + 1;
	return length != 0 ? AT_LENGTH_FORMAT + 1 : 0;
}

static void take_extra(struct keypad *k, struct unpacker *u)
{
	k->max = unpack_u8(u);		/* wPINMaxExtraDigit */
	k->min = unpack_u8(u);
}

/* Return: as above, for what follows wPINMaxExtraDigit. */
static unsigned int take_verify(struct keypad *k, struct unpacker *u)
{
	take_extra(k, u);
	if (!(unpack_u8(u) & VALIDATE_BY_KEY))
		return 8;
	unpack_skip(u, 4);		/* bNumberMessage, wLangId, bMsgIndex: there is no display */
	return 0;
}

static unsigned int take_modify(struct keypad *k, struct unpacker *u)
{
	uint8_t confirm, n_messages;

	k->offset[OLD_PIN] = unpack_u8(u);
	k->offset[NEW_PIN] = unpack_u8(u);
	take_extra(k, u);
	confirm = unpack_u8(u);
	k->confirms = confirm & 1;
	k->asks_old = confirm & 2;
	if (!(unpack_u8(u) & VALIDATE_BY_KEY))
		return 11;
	n_messages = unpack_u8(u);
	unpack_skip(u, 2);
	unpack_skip(u, n_messages == 3 ? 3 : n_messages == 2 ? 2 : 1);
	return 0;
}

/* Where the PINs go, and that they have room there. */
static bool fits(const struct keypad *k)
{
	size_t data = k->apdu_n - APDU_HEAD;

	if (!k->modify)
		return k->block == 0 ? data == 0 && k->max <= KEYPAD_DIGITS_MAX :
				       data >= k->block && k->max <= k->block;
	return k->block != 0 && k->max <= k->block && data >= k->offset[OLD_PIN] + k->block &&
	       data >= (size_t)k->offset[NEW_PIN] + k->block;
}

unsigned int keypad_begin(struct keypad *k, struct bytes structure)
{
	struct unpacker u = unpack_begin(structure);
	uint8_t operation = unpack_u8(&u);
	unsigned int wrong;
	struct bytes apdu;

	keypad_end(k);
	if (operation > 1)
		return 1;
	k->modify = operation == 1;
	wrong = take_format(k, &u);
	if (wrong == 0)
		wrong = k->modify ? take_modify(k, &u) : take_verify(k, &u);
	unpack_copy(&u, k->prologue, sizeof(k->prologue));
	apdu = unpack_rest(&u);
	if (wrong == 0 && (u.bad || apdu.n < APDU_HEAD || apdu.n > sizeof(k->apdu)))
		wrong = (unsigned int)structure.n + 1;
	if (wrong != 0)
		return wrong;
	u = unpack_begin(apdu);
	k->apdu_n = apdu.n;
	unpack_copy(&u, k->apdu, apdu.n);
	/* A class 2 reader: nothing but plain PIN commands gets what is typed. */
	if (k->apdu[0] != 0x00 || (k->apdu[1] != 0x20 && k->apdu[1] != 0x24 && k->apdu[1] != 0x2c))
		return (unsigned int)(structure.n - apdu.n) + 2;
	if (k->min > k->max || !fits(k))
		return AT_BLOCK + 1;
	k->at = k->modify && !k->asks_old ? NEW_PIN : OLD_PIN;
	return 0;
}

static void put(struct keypad *k, size_t at, const struct keypad_pin *pin)
{
	struct packer p = pack_begin(k->apdu, sizeof(k->apdu));

	p.n = at;
	pack_bytes(&p, BYTES(pin->digits, pin->n));
	for (size_t i = pin->n; i < k->block; i++)
		pack_u8(&p, 0xff);
	if (k->block == 0) {
		k->apdu[4] = pin->n;	/* Lc */
		k->apdu_n = p.n;
	}
}

static enum keypad_next finish(struct keypad *k)
{
	const struct keypad_pin *again = &k->pin[AGAIN], *fresh = &k->pin[NEW_PIN];

	if (k->modify && k->confirms &&
	    !bytes_equal_ct(BYTES(again->digits, again->n), BYTES(fresh->digits, fresh->n)))
		return KEYPAD_MISMATCH;
	if (!k->modify || k->asks_old)
		put(k, APDU_HEAD + k->offset[OLD_PIN], &k->pin[OLD_PIN]);
	if (k->modify)
		put(k, APDU_HEAD + k->offset[NEW_PIN], fresh);
	return KEYPAD_DONE;
}

static enum keypad_next ok(struct keypad *k)
{
	unsigned int last = !k->modify ? OLD_PIN : k->confirms ? AGAIN : NEW_PIN;

	if (k->pin[k->at].n < k->min)
		return KEYPAD_LENGTH;
	if (k->at == last)
		return finish(k);
	k->at++;
	return KEYPAD_MORE;
}

enum keypad_next keypad_key(struct keypad *k, uint8_t key)
{
	struct keypad_pin *pin = &k->pin[k->at];

	if (key == 'c')
		return KEYPAD_CANCELLED;
	if (key == '\n')
		return ok(k);
	if (key == '<' && pin->n > 0)
		pin->n--;
	if (key < '0' || key > '9')
		return KEYPAD_MORE;
	if (pin->n >= k->max)
		return KEYPAD_LENGTH;
	pin->digits[pin->n++] = key;
	return KEYPAD_MORE;
}

void keypad_end(struct keypad *k)
{
	wipe(k, sizeof(*k));
}
