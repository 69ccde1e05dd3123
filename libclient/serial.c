/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libclient/serial.h"

#include "base/hex.h"

#include <stdio.h>

static bool is_printable(struct bytes b)
{
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] <= 0x20 || b.p[i] >= 0x7f)
			return false;
	return b.n > 0;
}

void serial_text(struct bytes serial, char out[static SERIAL_TEXT_SIZE])
{
	bool printable = is_printable(serial);

	assert(serial.n <= KF_SERIAL_MAX);
	memset(out, 0, SERIAL_TEXT_SIZE);
	if (!printable)
		hex_write(serial, out);
	else if (serial.n > 0)
		memcpy(out, serial.p, serial.n);
}

/* Return: 0 to 15, -1. */
static int nibble(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void serial_text_from_hex(const char *hex, char out[static SERIAL_TEXT_SIZE])
{
	uint8_t serial[KF_SERIAL_MAX];
	size_t n = strlen(hex), i;

	for (i = 0; n % 2 == 0 && n <= 2 * KF_SERIAL_MAX && i < n / 2; i++) {
		int high = nibble(hex[2 * i]), low = nibble(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			break;
		serial[i] = (uint8_t)(high << 4 | low);
	}
	if (n % 2 == 0 && n <= 2 * KF_SERIAL_MAX && i == n / 2)
		serial_text(BYTES(serial, i), out);
	else
		(void)snprintf(out, SERIAL_TEXT_SIZE, "%.*s", SERIAL_TEXT_SIZE - 1, hex);
}
