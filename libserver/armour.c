// SPDX-License-Identifier: LGPL-2.1-or-later
/* libserver/armour.c - Line by line; of the rest of the text nothing is asked. */
#include "libserver/armour.h"
#include "base/cleanup.h"

#define BEGIN "-----BEGIN "
#define END "-----END "
#define DASHES "-----"

/* Up to the line end, which goes as well; a carriage return before it is no part of the line. */
static struct bytes take_line(struct bytes *text)
{
	size_t n = 0, skip;

	while (n < text->n && text->p[n] != '\n')
		n++;
	skip = n < text->n ? n + 1 : n;
	struct bytes line = BYTES(text->p, n > 0 && text->p[n - 1] == '\r' ? n - 1 : n);
	*text = bytes_slice(*text, skip, text->n);
	return line;
}

/* What stands between @begin and the dashes at the end of @line; empty: nothing does. */
static struct bytes label_of(struct bytes line, const char *begin)
{
	size_t before = strlen(begin), after = strlen(DASHES);

	while (line.n > 0 && (line.p[line.n - 1] == ' ' || line.p[line.n - 1] == '\t'))
		line.n--;
	if (line.n <= before + after || !bytes_have_prefix(line, BYTES(begin, before)) ||
	    !bytes_equal(bytes_slice(line, line.n - after, after), BYTES(DASHES, after)))
		return BYTES_NONE;
	return bytes_slice(line, before, line.n - before - after);
}

/* [RFC 1421 4.4]: headers have a colon, base64 has none, and an empty line ends them. */
static void split_headers(struct armour *armour)
{
	struct bytes rest = armour->base64, line = take_line(&rest);

	if (line.n == 0 || !memchr(line.p, ':', line.n))
		return;
	while (rest.n > 0 && take_line(&rest).n > 0)
		;
	armour->headers = BYTES(armour->base64.p, armour->base64.n - rest.n);
	armour->base64 = rest;
}

bool armour_next(struct bytes *text, struct armour *out)
{
	struct armour armour = { 0 };

	while (text->n > 0 && armour.label.n == 0)
		armour.label = label_of(take_line(text), BEGIN);
	armour.base64 = BYTES(text->p, 0);
	while (text->n > 0) {
		const uint8_t *at = text->p;
		struct bytes end = label_of(take_line(text), END);

		if (end.n == 0)
			continue;
		if (!bytes_equal(end, armour.label))
			return false;
		armour.base64.n = (size_t)(at - armour.base64.p);
		split_headers(&armour);
		*out = armour;
		return true;
	}
	return false;
}

bool armour_is(const struct armour *armour, const char *label)
{
	return bytes_equal(armour->label, BYTES(label, strlen(label)));
}

/* All ones if @c is in it, else zero. */
static uint32_t in_range(uint32_t c, uint32_t from, uint32_t to)
{
	return 0u - (((from - 1 - c) & (c - to - 1)) >> 31);
}

/* The six bits of a digit in the low bits, and 64 if it is one: no table, no branch by a secret. */
static uint32_t digit(uint32_t c)
{
	uint32_t upper = in_range(c, 'A', 'Z'), lower = in_range(c, 'a', 'z');
	uint32_t number = in_range(c, '0', '9');
	uint32_t plus = in_range(c, '+', '+'), slash = in_range(c, '/', '/');

	return (upper & (c - 'A' + 64)) | (lower & (c - 'a' + 26 + 64)) |
	       (number & (c - '0' + 52 + 64)) | (plus & (62 + 64)) | (slash & (63 + 64));
}

static bool is_space(uint8_t c)
{
	return c == '\n' || c == '\r' || c == ' ' || c == '\t';
}

/* [RFC 4648 4], whole quads, nothing behind the padding and nothing hidden in it. */
static int decode(struct bytes text, struct packer *p)
{
	uint32_t bits = 0, good = 64;
	size_t n = 0, pads = 0;

	for (size_t i = 0; i < text.n; i++) {
		uint32_t six;

		if (is_space(text.p[i]))
			continue;
		if (text.p[i] == '=') {
			pads++;
			continue;
		}
		if (pads > 0)
			return -EBADMSG;
		six = digit(text.p[i]);
		good &= six;
		bits = bits << 6 | (six & 63);
		if (++n % 4 == 0)
			pack_be(p, bits & 0xffffff, 3);
	}
	if (good == 0 || pads > 2 || (n + pads) % 4 != 0 || n % 4 == 1)
		return -EBADMSG;
	if (pads > 0 && (bits & ((1u << 2 * pads) - 1)) != 0)
		return -EBADMSG;
	if (pads == 1)
		pack_be(p, (bits >> 2) & 0xffff, 2);
	else if (pads == 2)
		pack_be(p, (bits >> 4) & 0xff, 1);
	return pack_end(p);
}

int armour_decode(const struct armour *armour, struct secret *out)
{
	_cleanup_(secret_deinit) struct secret s = SECRET_INIT;
	struct packer p;
	int r;

	r = secret_init(&s, armour->base64.n / 4 * 3 + 3);
	if (r < 0)
		return r == -EINVAL ? -EBADMSG : r;
	p = pack_begin(s.p, s.cap);
	r = decode(armour->base64, &p);
	if (r < 0)
		return -EBADMSG;
	s.n = p.n;
	*out = secret_take(&s);
	return 0;
}
