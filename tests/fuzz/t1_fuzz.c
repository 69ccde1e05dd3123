/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A dialogue: byte 0 is options (1 CRC, 2 IFSD exchange first, the rest length of the command), then each
 * block is one length byte and its bytes; the checksum is made right unless the length is odd
 * behind 0x80. The machine must end by itself within its limits.
 */
#include "driver/iso7816/t1.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int feed(struct t1 *t, struct unpacker *u)
{
	uint8_t block[T1_BLOCK_MAX + 1] = { 0 }, x = 0;
	uint8_t len = unpack_u8(u);
	struct bytes body = unpack_bytes(u, len & 0x7fu);
	size_t n = body.n;

	if (u->bad)
		return t1_silence(t, T1_FAULT_OTHER);
	for (size_t i = 0; i < n; i++)
		x ^= block[i] = body.p[i];
	if (!(len & 0x80) && !t->crc)
		block[n++] = x;
	return t1_feed(t, BYTES(block, n));
}

static int drive(struct t1 *t, struct unpacker *u)
{
	unsigned int turns = 0;
	int r;

	do {
		if (t1_block(t).n < 4 || t1_block(t).n > T1_BLOCK_MAX || ++turns > 5000)
			abort();
		r = feed(t, u);
	} while (r == T1_SEND);
	if (t->state != T1_IDLE && t->state != T1_BROKEN)
		abort();
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t command[256];
	static uint8_t response[65538];
	struct unpacker u = unpack_begin(BYTES(data, size));
	uint8_t options = unpack_u8(&u);
	struct t1 t;

	t1_init(&t, 32, options & 1, 254);
	if (options & 2) {
		t1_begin_ifs(&t);
		(void)drive(&t, &u);
	}
	for (int i = 0; i < 3 && t.state == T1_IDLE; i++) {
		t1_begin(&t, BYTES(command, 4u + (options & 0xfcu)), response, sizeof(response));
		if (drive(&t, &u) == T1_DONE && t.got > sizeof(response))
			abort();
	}
	t1_deinit(&t);
	return 0;
}
