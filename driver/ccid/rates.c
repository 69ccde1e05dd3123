/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/ccid/rates.c - More numbers than announced are cut by the request's own length; fewer, and
 * zeros among them, are skipped over.
 */
#include "driver/ccid/rates.h"

#include "driver/ccid/limits.h"

#include <errno.h>

int rates_parse(struct bytes list, struct rates *out)
{
	struct unpacker u = unpack_begin(list);

	out->n = 0;
	if (list.n % 4 != 0)
		return -EBADMSG;
	while (u.left != 0 && out->n < RATES_MAX) {
		uint32_t bps = unpack_le32(&u);

		if (bps != 0)
			out->bps[out->n++] = bps;
	}
	return out->n != 0 ? 0 : -EBADMSG;
}

void rates_read(struct pipe *pipe, uint8_t interface, unsigned int n, struct deadline deadline,
		struct rates *out)
{
	uint8_t list[4 * RATES_MAX];
	size_t got = 0;

	out->n = 0;
	if (n == 0 || n > RATES_MAX)
		return;
	const struct usb_setup setup = {
		.type = 0xa1, .request = 0x03, .index = interface, .length = (uint16_t)(4 * n),
	};
	if (pipe_control(pipe, &setup, BYTES_NONE, list, sizeof(list),
			 deadline_sooner(deadline, deadline_in(limits.control_ms)), &got) == 0)
		(void)rates_parse(BYTES(list, got), out);
}

bool rates_have(const struct rates *rates, uint32_t bps)
{
	for (unsigned int i = 0; i < rates->n; i++) {
		uint64_t has = rates->bps[i], off = has > bps ? has - bps : bps - has;

		if (off * 50 <= has)
			return true;
	}
	return false;
}
