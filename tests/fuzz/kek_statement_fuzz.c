/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tests/fuzz/kek_statement_fuzz.c - What a card says of a key-encryption key; a second form of the same facts is a finding. */
#include "format/kek_statement.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint8_t buf[65536];
	struct packer again = pack_begin(buf, sizeof(buf));
	struct signed_statement outer;
	struct kek_statement s;

	if (signed_statement_parse(BYTES(data, n), &outer) == 0) {
		signed_statement_pack(&again, &outer);
		if (!bytes_equal(pack_done(&again), BYTES(data, n)))
			abort();
		data = outer.statement.p;
		n = outer.statement.n;
	}
	if (kek_statement_parse(BYTES(data, n), &s) == 0) {
		again = pack_begin(buf, sizeof(buf));
		kek_statement_pack(&again, &s);
		if (!bytes_equal(pack_done(&again), BYTES(data, n)))
			abort();
	}
	return 0;
}
