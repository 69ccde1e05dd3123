/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* There is one way to write each object: what parses packs again to the same bytes. */
#include "driver/iso7816/tlv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(struct bytes raw, unsigned int depth)
{
	struct unpacker u = unpack_begin(raw);
	struct tlv tlv;

	while (tlv_next(&u, &tlv) > 0) {
		size_t n = tlv_size(tlv.tag, tlv.value.n);
		uint8_t *buf = malloc(n);
		struct packer p = pack_begin(buf, n);

		if (!buf)
			return;
		tlv_pack(&p, tlv.tag, tlv.value);
		if (pack_end(&p) < 0 || p.n != n ||
		    !bytes_equal(pack_done(&p), BYTES(tlv.value.p + tlv.value.n - n, n)))
			abort();
		free(buf);
		if (tlv_is_constructed(tlv.tag) && depth < 8)
			walk(tlv.value, depth + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes out;

	if (size > 70000)
		return 0;
	walk(BYTES(data, size), 0);
	(void)tlv_find(BYTES(data, size), 0x80, &out);
	(void)tlv_only(BYTES(data, size), 0x7f49, &out);
	return 0;
}
