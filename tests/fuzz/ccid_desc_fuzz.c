/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Device descriptor (18 bytes), then configuration; wTotalLength is made right half of the time. */
#include "driver/ccid/desc.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct bytes device, struct bytes config)
{
	struct ccid_desc d;
	const char *why = NULL;

	if (ccid_desc_parse(device, config, -1, NULL, &d, &why) < 0) {
		if (!why)
			abort();
		return;
	}
	if (d.n_slots < 1 || d.n_slots > CCID_SLOTS_MAX || d.max_message < 17 ||
	    d.max_message > CCID_MESSAGE_MAX || d.in_packet == 0 || d.out_packet == 0 ||
	    ccid_desc_ifsd(&d, 2) < 1)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes all = BYTES(data, size);
	struct bytes config = bytes_slice(all, 18, size);
	uint8_t *fixed;

	check(bytes_slice(all, 0, 18), config);
	if (config.n < 4 || config.n > UINT16_MAX)
		return 0;
	fixed = malloc(config.n);
	if (!fixed)
		return 0;
	if (config.n != 0)
		memcpy(fixed, config.p, config.n);
	fixed[2] = (uint8_t)config.n;
	fixed[3] = (uint8_t)(config.n >> 8);
	check(bytes_slice(all, 0, 18), BYTES(fixed, config.n));
	free(fixed);
	return 0;
}
