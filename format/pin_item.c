/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/pin_item.c - Parser and packer stand side by side, a line a field, in the order of
 * docs/formats.md 13. A PIN is padded like the plaintext of any item, 80 and then 00.
 */
#include "format/pin_item.h"
#include "format/der.h"

#include <errno.h>

enum { SMALL_MAX = 127 };		/* one byte as INTEGER: the length of all is fixed */

bool pin_item_makes_sense(enum kf_function function, uint32_t target, uint32_t authenticator)
{
	if (function == KF_FUNCTION_AUTHENTICATE)
		return target == KF_PIN_USER && authenticator == KF_PIN_USER;
	return function == KF_FUNCTION_CHANGE_AUTHENTICATOR &&
	       ((target == KF_PIN_USER && authenticator == KF_PIN_USER) ||
		(target == KF_PIN_USER && authenticator == KF_PIN_PUK) ||
		(target == KF_PIN_PUK && authenticator == KF_PIN_PUK));
}

static void put_value(struct packer *p, struct bytes value)
{
	uint8_t field[APP_PIN_FIELD] = { 0 };
	struct packer f = pack_begin(field, sizeof(field));

	pack_bytes(&f, value);
	pack_u8(&f, 0x80);
	if (f.bad)
		pack_fail(p);
	der_put(p, DER_OCTETS, BYTES_OF(field));
	wipe(field, sizeof(field));
}

int pin_item_encode(const struct pin_item *order, struct secret *out)
{
	struct packer p = pack_begin(out->p, out->cap);
	struct der_mark mark = der_begin(&p, DER_SEQUENCE);

	if (order->authenticator > SMALL_MAX || order->least_tries > SMALL_MAX)
		return -EINVAL;
	der_put_uint(&p, DER_INTEGER, order->authenticator);
	der_put_uint(&p, DER_INTEGER, order->least_tries);
	der_put_uint(&p, DER_INTEGER, 0);	/* flags: a session PIN is never asked for */
	put_value(&p, order->proof);
	put_value(&p, order->fresh);
	der_end(&p, mark);
	if (pack_end(&p) < 0)
		return -EINVAL;
	out->n = p.n;
	return 0;
}

static struct bytes take_value(struct unpacker *u)
{
	struct bytes field = der_take(u, DER_OCTETS);
	size_t n = field.n;

	if (field.n != APP_PIN_FIELD) {
		unpack_fail(u);
		return BYTES_NONE;
	}
	while (n > 0 && field.p[n - 1] == 0)
		n--;
	if (n == 0 || field.p[n - 1] != 0x80) {
		unpack_fail(u);
		return BYTES_NONE;
	}
	return BYTES(field.p, n - 1);
}

int pin_item_decode(struct bytes plain, struct pin_item *out)
{
	struct unpacker whole = unpack_begin(plain);
	struct unpacker u = der_enter(&whole, DER_SEQUENCE);
	struct pin_item order = { 0 };

	order.authenticator = (uint32_t)der_uint(&u, SMALL_MAX);
	order.least_tries = (uint32_t)der_uint(&u, SMALL_MAX);
	(void)der_uint(&u, 0);
	order.proof = take_value(&u);
	order.fresh = take_value(&u);
	der_leave(&whole, &u);

	if (unpack_end(&whole) < 0 || order.least_tries == 0)
		return -EBADMSG;
	*out = order;
	return 0;
}

int pin_mark_parse(struct bytes der, struct pin_mark *out)
{
	struct unpacker whole = unpack_begin(der);
	struct unpacker u = der_enter(&whole, DER_SEQUENCE);
	struct pin_mark mark = {
		.pin = (uint32_t)der_uint(&u, UINT8_MAX),
		.tries = (uint32_t)der_uint(&u, UINT8_MAX),
	};

	der_leave(&whole, &u);
	if (unpack_end(&whole) < 0)
		return -EBADMSG;
	*out = mark;
	return 0;
}

void pin_mark_pack(struct packer *p, const struct pin_mark *mark)
{
	struct der_mark sequence = der_begin(p, DER_SEQUENCE);

	der_put_uint(p, DER_INTEGER, mark->pin);
	der_put_uint(p, DER_INTEGER, mark->tries);
	der_end(p, sequence);
}
