// SPDX-License-Identifier: LGPL-2.1-or-later
/* libcardmod/function.c - A row a function. */
#include "libcardmod/function.h"
#include "libcardmod/utf16.h"

static const struct function_row {
	LPCWSTR name;
	enum kf_function function;
	DWORD response;
} rows[] = {
	{ CSF_IMPORT_KEYPAIR, KF_FUNCTION_IMPORT_KEYPAIR, 0 },
	{ CSF_CHANGE_AUTHENTICATOR, KF_FUNCTION_CHANGE_AUTHENTICATOR,
	  sizeof(CARD_CHANGE_AUTHENTICATOR_RESPONSE) },
	{ CSF_AUTHENTICATE, KF_FUNCTION_AUTHENTICATE, sizeof(CARD_AUTHENTICATE_RESPONSE) },
};

enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

enum kf_function function_find(LPCWSTR name)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if (utf16_equal(rows[i].name, name))
			return rows[i].function;
	return KF_FUNCTION_NONE;
}

DWORD function_response_size(enum kf_function function)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if (rows[i].function == function)
			return rows[i].response;
	return 0;
}

void function_response_pack(enum kf_function function, DWORD left, struct packer *out)
{
	if (function == KF_FUNCTION_CHANGE_AUTHENTICATOR) {
		pack_le32(out, CARD_CHANGE_AUTHENTICATOR_RESPONSE_CURRENT_VERSION);
		pack_le32(out, left);
	} else if (function == KF_FUNCTION_AUTHENTICATE) {
		pack_le32(out, CARD_AUTHENTICATE_RESPONSE_CURRENT_VERSION);
		pack_le32(out, 0);		/* cbSessionPin */
		pack_le32(out, left);
	}
}
