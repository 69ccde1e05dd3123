/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A card behind vreader/vcard.h that has no secrets and answers at once: for tests of the reader
 * half, of hosts, and for the bench. Commands, all of class 00 or 10:
 *
 *	EE xx xx data	the data comes back
 *	84 00 00 Le	Le bytes: 00 01 02 ...
 *	5A hi lo	takes P1 P2 milliseconds
 *	C9 00 00	how many commands were carried out since the power came: four bytes
 *	DE 00 00	dies: -EIO, as when the state cannot be stored
 */
#include "vreader/vcard.h"

#include <stdlib.h>
#include <time.h>

struct vcard {
	bool powered;
	uint32_t n_commands;
};

int vcard_open(const char *state_dir, struct vcard **out, char why[static VCARD_WHY_MAX])
{
	(void)state_dir;
	(void)why;
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

struct vcard *vcard_free(struct vcard *card)
{
	free(card);
	return NULL;
}

struct bytes vcard_atr(const struct vcard *card)
{
	(void)card;
	return BYTES_OF(vcard_atr_default);
}

struct bytes vcard_atr_of_t0(const struct vcard *card)
{
	(void)card;
	return BYTES_OF(vcard_atr_t0);
}

void vcard_power_on(struct vcard *card)
{
	card->powered = true;
	card->n_commands = 0;
}

void vcard_reset(struct vcard *card)
{
	vcard_power_on(card);
}

void vcard_power_off(struct vcard *card)
{
	card->powered = false;
}

/* Data and Ne of all seven forms [7816-3 12.1.3]. Return: 0, or -EBADMSG. */
static int parse_body(struct unpacker *u, struct bytes *data, size_t *ne)
{
	size_t left = u->left;
	bool extended = left > 1 && unpack_peek(u) == 0;
	size_t lc;

	*data = BYTES_NONE;
	*ne = 0;
	if (left == 0)
		return 0;
	if (left == 1) {
		*ne = unpack_u8(u);
		*ne = *ne ? *ne : 256;
		return 0;
	}
	unpack_skip(u, extended ? 1 : 0);
	if (extended && left == 3) {
		*ne = unpack_be16(u);
		*ne = *ne ? *ne : 65536;
		return 0;
	}
	lc = extended ? unpack_be16(u) : unpack_u8(u);
	*data = unpack_bytes(u, lc);
	if (u->left != 0) {
		*ne = extended ? unpack_be16(u) : unpack_u8(u);
		*ne = *ne ? *ne : extended ? 65536 : 256;
	}
	return unpack_end(u);
}

static void sleep_ms(unsigned int ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	(void)nanosleep(&t, NULL);
}

int vcard_process(struct vcard *card, struct bytes command, struct packer *response)
{
	struct unpacker u = unpack_begin(command);
	uint8_t cla = unpack_u8(&u);
	uint8_t ins = unpack_u8(&u);
	uint16_t p1p2 = unpack_be16(&u);
	struct bytes data;
	size_t ne;

	assert(card->powered);
	card->n_commands++;
	if (u.bad || parse_body(&u, &data, &ne) < 0) {
		pack_be16(response, 0x6700);
		return 0;
	}
	if ((cla & 0xef) != 0) {
		pack_be16(response, 0x6e00);
		return 0;
	}
	switch (ins) {
	case 0xee:
		pack_bytes(response, data);
		break;
	case 0x84:
		for (size_t i = 0; i < ne; i++)
			pack_u8(response, (uint8_t)i);
		break;
	case 0x5a:
		sleep_ms(p1p2);
		break;
	case 0xc9:
		pack_be32(response, card->n_commands);
		break;
	case 0xde:
		return -EIO;
	default:
		pack_be16(response, 0x6d00);
		return 0;
	}
	pack_be16(response, 0x9000);
	return 0;
}

int vcard_personalise(const struct vcard_personalisation *want, char why[static VCARD_WHY_MAX])
{
	(void)want;
	(void)why;
	return 0;
}
