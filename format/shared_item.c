/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* format/shared_item.c - In the order of docs/formats.md 6.1 and 7.1. */
#include "format/shared_item.h"
#include "format/der.h"

int shared_item_encode(const struct shared_item *item, struct secret *out)
{
	struct packer p = pack_begin(out->p, out->cap);
	struct der_mark mark = der_begin(&p, DER_SEQUENCE);

	der_put_uint(&p, DER_ENUMERATED, item->method);
	der_put(&p, DER_OCTETS, item->key);
	der_end(&p, mark);
	if (pack_end(&p) < 0)
		return -EMSGSIZE;
	out->n = p.n;
	return 0;
}

int shared_item_decode(struct bytes plain, struct shared_item *out)
{
	struct unpacker whole = unpack_begin(plain);
	struct unpacker u = der_enter(&whole, DER_SEQUENCE);
	struct shared_item item = {
		.method = (enum kf_method)der_enum(&u),
		.key = der_take(&u, DER_OCTETS),
	};

	der_leave(&whole, &u);
	if (unpack_end(&whole) < 0 || !method_is_shared(item.method) || item.key.n != SHARED_KEY_SIZE)
		return -EBADMSG;
	*out = item;
	return 0;
}

void shared_mark_pack(struct packer *p, const struct shared_info *info)
{
	struct der_mark mark = der_begin(p, DER_SEQUENCE);

	der_put_uint(p, DER_ENUMERATED, info->method);
	der_put(p, DER_OCTETS, BYTES_OF(info->mark));
	der_end(p, mark);
}
