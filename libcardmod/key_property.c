// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libcardmod/key_property.c - State of the handle. With a card the broker's handle is told as well,
 * so that the item's own IV is compared with what the server sent [SECURITY section 4].
 */
#include "libcardmod/key_property.h"
#include "libcardmod/module.h"
#include "libcardmod/seal_property.h"
#include "libcardmod/session.h"
#include "libcardmod/utf16.h"
#include "libcardmod/value.h"

static DWORD enter(PCARD_DATA card, const char *call, CARD_KEY_HANDLE handle, LPCWSTR name,
		   DWORD flags, struct module **module, struct key **key)
{
	DWORD status = module_enter(card, MODULE_EITHER, call, module);

	if (status != SCARD_S_SUCCESS)
		return status;
	if (!name)
		return module_bad_argument(*module, "the name of the property is NULL");
	if (flags != 0)
		return module_bad_argument(*module, "dwFlags is not 0");
	*key = key_find(&(*module)->keys, handle);
	if (!*key)
		return module_refuse(*module, SCARD_E_INVALID_HANDLE, "handles of this context",
				     "import the session key", "there is no such key");
	return SCARD_S_SUCCESS;
}

static DWORD set_chaining(struct module *module, struct key *key, struct bytes value)
{
	static const uint8_t cbc[4] = { KF_CHAIN_CBC };
	static LPCWSTR const others[] = {
		BCRYPT_CHAIN_MODE_ECB, BCRYPT_CHAIN_MODE_CFB, BCRYPT_CHAIN_MODE_CCM,
		BCRYPT_CHAIN_MODE_GCM, BCRYPT_CHAIN_MODE_NA,
	};
	int r = 0;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (utf16_value_is(value, others[i]))
			return module_refuse(module, SCARD_E_UNSUPPORTED_FEATURE,
					     "CP_CHAINING_MODES", "set ChainingModeCBC",
					     "the card lacks this mode");
	if (!utf16_value_is(value, CARD_CHAIN_MODE_CBC))
		return module_bad_argument(module, "no such chaining mode");
	if (module->kind == MODULE_CARD)
		r = kf_key_set_property(module->context, key->in_card, KF_PROP_CHAINING_MODE, cbc,
					sizeof(cbc));
	if (r == 0)
		key->chaining_is_set = true;
	return module_card_result(module, r);
}

static DWORD set_iv(struct module *module, struct key *key, struct bytes value)
{
	int r = 0;

	if (value.n != KF_IV_SIZE)
		return module_bad_argument(module, "an IV has 16 bytes");
	if (module->kind == MODULE_CARD)
		r = kf_key_set_property(module->context, key->in_card, KF_PROP_IV, value.p,
					value.n);
	if (r < 0)
		return module_card_result(module, r);
	memcpy(key->iv, value.p, KF_IV_SIZE);
	key->iv_is_set = true;
	return SCARD_S_SUCCESS;
}

DWORD WINAPI card_set_key_property(PCARD_DATA card, CARD_KEY_HANDLE handle, LPCWSTR name,
				   PBYTE input, DWORD input_len, DWORD flags)
{
	struct bytes value = BYTES(input, input_len);
	struct module *module = NULL;
	struct key *key = NULL;
	DWORD status = enter(card, "CardSetKeyProperty", handle, name, flags, &module, &key);

	if (status != SCARD_S_SUCCESS)
		return status;
	if (!input)
		return module_bad_argument(module, "pbInput is NULL");
	if (utf16_equal(name, CKP_CHAINING_MODE))
		return set_chaining(module, key, value);
	if (utf16_equal(name, CKP_INITIALIZATION_VECTOR))
		return set_iv(module, key, value);
	if (module->kind == MODULE_SERVER && seal_has_property(name))
		return seal_set(module, key, name, value);
	return module_bad_argument(module, "no such property, or it cannot be set");
}

/* What a handle of the card's half has besides. */
static DWORD get_in_card(struct module *module, struct key *key, LPCWSTR name,
			 const struct value_out *out)
{
	DWORD status;

	if (utf16_equal(name, KF_LABEL_PROPERTY))
		return value_give(module, BYTES_OF(key->label), out);
	if (!utf16_equal(name, KF_RECEIPT_PROPERTY))
		return module_bad_argument(module, "no such property");
	status = session_find_receipt(module, key);
	return status != SCARD_S_SUCCESS ? status
					 : value_give(module, blob_bytes(&key->receipt), out);
}

DWORD WINAPI card_get_key_property(PCARD_DATA card, CARD_KEY_HANDLE handle, LPCWSTR name,
				   PBYTE data, DWORD cap, PDWORD len, DWORD flags)
{
	struct value_out out = { data, cap, len };
	struct module *module = NULL;
	struct key *key = NULL;
	DWORD status = enter(card, "CardGetKeyProperty", handle, name, flags, &module, &key);

	if (status != SCARD_S_SUCCESS)
		return status;
	if (utf16_equal(name, CKP_CHAINING_MODE))
		return value_give(module, utf16_bytes(CARD_CHAIN_MODE_CBC), &out);
	if (utf16_equal(name, CKP_INITIALIZATION_VECTOR))
		return key->iv_is_set ? value_give(module, BYTES_OF(key->iv), &out)
				      : module_bad_argument(module, "no IV is set; one serves one "
								    "call");
	if (utf16_equal(name, CKP_BLOCK_LENGTH))
		return value_give_u32(module, KEY_BLOCK, &out);
	if (utf16_equal(name, BCRYPT_KEY_LENGTH))
		return value_give_u32(module, KEY_BITS, &out);
	if (module->kind == MODULE_CARD)
		return get_in_card(module, key, name, &out);
	return seal_has_property(name) ? seal_get(module, key, name, &out)
				       : module_bad_argument(module, "no such property");
}
