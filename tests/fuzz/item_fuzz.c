/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tests/fuzz/item_fuzz.c - A sealed item as the card gets it; a second form of the same fields is a finding. */
#include "format/item.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint8_t buf[65536];
	struct packer again = pack_begin(buf, sizeof(buf)), whole;
	struct item item;

	if (item_parse(BYTES(data, n), &item) < 0)
		return 0;
	item_body_pack(&again, &item.body);
	if (!bytes_equal(pack_done(&again), item.body_der))
		abort();
	whole = pack_begin(buf + 32768, 32768);
	item_pack(&whole, item.body_der, item.mac.p, item.signature);
	if (!bytes_equal(pack_done(&whole), BYTES(data, n)))
		abort();
	return 0;
}
