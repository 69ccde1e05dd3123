/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* format/secret_mark.c - In the order of docs/formats.md 7.1. */
#include "format/secret_mark.h"
#include "format/der.h"

int secret_mark_parse(struct bytes der, struct secret_mark *out)
{
	struct unpacker whole = unpack_begin(der);
	struct unpacker u = der_enter(&whole, DER_SEQUENCE);
	struct secret_mark mark = { .key = der_take_whole(&u, DER_SEQUENCE) };

	der_copy(&u, mark.proof, sizeof(mark.proof));
	der_leave(&whole, &u);
	if (unpack_end(&whole) < 0)
		return -EBADMSG;
	*out = mark;
	return 0;
}

void secret_mark_pack(struct packer *p, const struct secret_mark *mark)
{
	struct der_mark sequence = der_begin(p, DER_SEQUENCE);

	pack_bytes(p, mark->key);
	der_put(p, DER_OCTETS, BYTES_OF(mark->proof));
	der_end(p, sequence);
}
