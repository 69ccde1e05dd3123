// SPDX-License-Identifier: LGPL-2.1-or-later
/* libcardmod/value.c - One rule of buffer and length for all four Get functions. */
#include "libcardmod/value.h"

DWORD value_give(struct module *module, struct bytes value, const struct value_out *out)
{
	if (!out->len || (!out->data && out->cap != 0))
		return module_bad_argument(module, "there is no place for the value or its length");
	*out->len = (DWORD)value.n;
	if (!out->data)
		return SCARD_S_SUCCESS;
	if (out->cap < value.n)
		return module_refuse(module, ERROR_INSUFFICIENT_BUFFER, "cbData",
				     "call again with a buffer as long as pdwDataLen says",
				     "the value has %zu bytes and the buffer %u", value.n, out->cap);
	if (value.n != 0)
		memcpy(out->data, value.p, value.n);
	return SCARD_S_SUCCESS;
}

DWORD value_give_u32(struct module *module, DWORD value, const struct value_out *out)
{
	uint8_t buf[4];
	struct packer p = pack_begin(buf, sizeof(buf));

	pack_le32(&p, value);
	return value_give(module, pack_done(&p), out);
}

bool value_take_u32(struct bytes value, DWORD *out)
{
	struct unpacker u;

	if (!value.p)
		return false;
	u = unpack_begin(value);
	*out = unpack_le32(&u);
	return unpack_end(&u) == 0;
}
