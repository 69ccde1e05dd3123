// SPDX-License-Identifier: LGPL-2.1-or-later
/* libcardmod/algorithm.c - Facts of docs/card-application.md, in a table. */
#include "libcardmod/algorithm.h"
#include "libcardmod/module.h"
#include "libcardmod/utf16.h"
#include "libcardmod/value.h"

/* A session cipher has block and chaining; an exchange key has paddings alone. */
static const struct algorithm_row {
	LPCWSTR name;
	BCRYPT_KEY_LENGTHS_STRUCT lengths;
	DWORD block, paddings;
	LPCWSTR chaining;
} rows[] = {
	{ CARD_AES_ALGORITHM, { KEY_BITS, KEY_BITS, 0 }, KEY_BLOCK, CARD_BLOCK_PADDING,
	  CARD_CHAIN_MODE_CBC },
	{ BCRYPT_RSA_ALGORITHM, { 2048, 4096, 1024 }, 0, CARD_PADDING_OAEP, NULL },
	{ BCRYPT_ECDH_P256_ALGORITHM, { 256, 256, 0 }, 0, 0, NULL },
	{ BCRYPT_ECDH_P384_ALGORITHM, { 384, 384, 0 }, 0, 0, NULL },
};

static const struct algorithm_row *find(LPCWSTR name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (utf16_equal(rows[i].name, name))
			return &rows[i];
	return NULL;
}

static DWORD give_lengths(struct module *module, const BCRYPT_KEY_LENGTHS_STRUCT *lengths,
			  const struct value_out *out)
{
	return value_give(module, BYTES(lengths, sizeof(*lengths)), out);
}

static DWORD give_chaining(struct module *module, LPCWSTR mode, const struct value_out *out)
{
	uint8_t buf[64];
	struct packer p = pack_begin(buf, sizeof(buf));

	utf16_multi_put(&p, mode);
	utf16_multi_end(&p);
	return value_give(module, pack_done(&p), out);
}

DWORD WINAPI card_get_algorithm_property(PCARD_DATA card, LPCWSTR algorithm, LPCWSTR name,
					 PBYTE data, DWORD cap, PDWORD len, DWORD flags)
{
	struct value_out out = { data, cap, len };
	const struct algorithm_row *row;
	struct module *module;
	DWORD status = module_enter(card, MODULE_EITHER, "CardGetAlgorithmProperty", &module);

	if (status != SCARD_S_SUCCESS)
		return status;
	if (flags != 0)
		return module_bad_argument(module, "dwFlags is not 0");
	row = find(algorithm);
	if (!row)
		return module_bad_argument(module, "no such algorithm; see CP_ENUM_ALGORITHMS");
	if (utf16_equal(name, BCRYPT_KEY_LENGTHS))
		return give_lengths(module, &row->lengths, &out);
	if (utf16_equal(name, CP_PADDING_SCHEMES) && row->paddings != 0)
		return value_give_u32(module, row->paddings, &out);
	if (utf16_equal(name, BCRYPT_BLOCK_LENGTH) && row->block != 0)
		return value_give_u32(module, row->block, &out);
	if (utf16_equal(name, CP_CHAINING_MODES) && row->chaining)
		return give_chaining(module, row->chaining, &out);
	return module_bad_argument(module, "the algorithm has no such property");
}
