/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tests/fuzz/kek_receipt_fuzz.c - What a card says it unwrapped; a second form of the same facts is a finding. */
#include "format/kek_receipt.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint8_t buf[65536];
	struct packer again = pack_begin(buf, sizeof(buf));
	struct signed_receipt outer;
	struct kek_receipt r;
	struct key_mark m;

	if (signed_receipt_parse(BYTES(data, n), &outer) == 0) {
		signed_receipt_pack(&again, &outer);
		if (!bytes_equal(pack_done(&again), BYTES(data, n)))
			abort();
		data = outer.receipt.p;
		n = outer.receipt.n;
	}
	if (kek_receipt_parse(BYTES(data, n), &r) == 0) {
		again = pack_begin(buf, sizeof(buf));
		kek_receipt_pack(&again, &r);
		if (!bytes_equal(pack_done(&again), BYTES(data, n)))
			abort();
	}
	if (key_mark_parse(BYTES(data, n), &m) == 0) {
		again = pack_begin(buf, sizeof(buf));
		key_mark_pack(&again, &m);
		if (!bytes_equal(pack_done(&again), BYTES(data, n)))
			abort();
	}
	return 0;
}
