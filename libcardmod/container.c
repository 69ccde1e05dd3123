// SPDX-License-Identifier: LGPL-2.1-or-later
/* libcardmod/container.c - Index is number: the caller assigns it, as the interface has it. */
#include "libcardmod/container.h"
#include "libcardmod/key_spec.h"
#include "libcardmod/module.h"
#include "libcardmod/public_blob.h"
#include "libcardmod/utf16.h"
#include "libcardmod/value.h"

DEFINE_CLEANUP(struct kf_container *, kf_container_free);

/* --- making and deleting --- */

static DWORD choose_type(struct module *module, DWORD spec_number, DWORD bits,
			 enum kf_key_type *out, enum kf_purpose *purpose)
{
	const struct key_spec *spec = key_spec_find(spec_number);

	if (!spec)
		return module_bad_argument(module, "no such dwKeySpec");
	*purpose = spec->purpose;
	for (int type = spec->first; type <= (int)spec->last; type++) {
		*out = (enum kf_key_type)type;
		if (bits == (key_type_is_rsa(*out) ? key_type_bits(*out) : 0))
			return SCARD_S_SUCCESS;
	}
	return module_refuse(module, SCARD_E_INVALID_PARAMETER, "CP_CARD_KEYSIZES",
			     "name 2048, 3072 or 4096 for RSA, 0 for EC",
			     "dwKeySize %u does not go with dwKeySpec %u", bits, spec_number);
}

static DWORD create(PCARD_DATA card, const char *call, BYTE index, DWORD flags, DWORD spec,
		    DWORD bits, PIN_ID pin)
{
	_cleanup_(kf_container_freep) struct kf_container *made = NULL;
	struct module *module;
	enum kf_purpose purpose = KF_PURPOSE_NONE;
	enum kf_key_type type = KF_KEY_NONE;
	DWORD status = module_enter(card, MODULE_CARD, call, &module);

	if (status != SCARD_S_SUCCESS)
		return status;
	if (flags == CARD_CREATE_CONTAINER_KEY_IMPORT)
		return module_refuse(module, SCARD_E_UNSUPPORTED_FEATURE, "CP_KEY_IMPORT_SUPPORT",
				     "have the server seal the key: MDEncryptData",
				     "keys are not imported in the clear");
	if (flags != CARD_CREATE_CONTAINER_KEY_GEN)
		return module_bad_argument(module, "dwFlags is not CARD_CREATE_CONTAINER_KEY_GEN");
	if (pin != ROLE_USER)
		return module_bad_argument(module, "keys made in the card are protected by "
						   "ROLE_USER");
	status = choose_type(module, spec, bits, &type, &purpose);
	if (status != SCARD_S_SUCCESS)
		return status;
	return module_card_result(module, kf_container_create(module->context, index, type,
							      purpose, &made));
}

DWORD WINAPI card_create_container(PCARD_DATA card, BYTE index, DWORD flags, DWORD spec,
				   DWORD bits, PBYTE key_data)
{
	(void)key_data;		/* ignored for KEY_GEN */
	return create(card, "CardCreateContainer", index, flags, spec, bits, ROLE_USER);
}

DWORD WINAPI card_create_container_ex(PCARD_DATA card, BYTE index, DWORD flags, DWORD spec,
				      DWORD bits, PBYTE key_data, PIN_ID pin)
{
	(void)key_data;
	return create(card, "CardCreateContainerEx", index, flags, spec, bits, pin);
}

DWORD WINAPI card_delete_container(PCARD_DATA card, BYTE index, DWORD reserved)
{
	struct module *module;
	DWORD status = module_enter(card, MODULE_CARD, "CardDeleteContainer", &module);

	if (status != SCARD_S_SUCCESS)
		return status;
	if (reserved != 0)
		return module_bad_argument(module, "dwReserved is not 0");
	status = module_card_result(module, kf_container_delete(module->context, index));
	if (status == SCARD_S_SUCCESS && exchange_of_container(module, index)) {
		exchange_deinit(exchange_of_container(module, index));
		agreements_forget(&module->agreements, index);
	}
	return status;
}

/* --- reading --- */

static DWORD read_key(struct module *module, BYTE index, struct kf_container **out)
{
	int r = kf_container_read(module->context, index, out);

	if (r < 0)
		return module_card_result(module, r);
	if (kf_container_key_type(*out) == KF_KEY_NONE)
		return module_refuse(module, SCARD_E_NO_KEY_CONTAINER, "the card",
				     "create a key there first", "container %u is empty", index);
	return SCARD_S_SUCCESS;
}

static DWORD public_key(struct module *module, const struct kf_container *container,
			struct packer *out)
{
	size_t len;
	const uint8_t *spki = kf_container_public_key(container, &len);
	int r = spki ? public_blob_pack(BYTES(spki, len),
					(enum kf_purpose)kf_container_purpose(container), out)
		     : -EOPNOTSUPP;

	return r == -EOPNOTSUPP ? module_refuse(module, SCARD_E_UNSUPPORTED_FEATURE,
						"minidriver key blobs", "read it with libkeyferry",
						"the interface has no form for this key")
				: module_server_result(module, r);
}

/* A signature key in the one pair of fields, any other in the other [minidriver 5.5]. */
static DWORD fill_info(struct module *module, const struct kf_container *container,
		       CONTAINER_INFO *info)
{
	uint8_t buf[PUBLIC_BLOB_MAX];
	struct packer blob = pack_begin(buf, sizeof(buf));
	DWORD status = public_key(module, container, &blob);
	PBYTE copy;

	if (status != SCARD_S_SUCCESS)
		return status;
	copy = module_copy(module, pack_done(&blob));
	if (!copy)
		return module_no_memory(module);
	if (kf_container_purpose(container) == KF_PURPOSE_SIGN) {
		info->pbSigPublicKey = copy;
		info->cbSigPublicKey = (DWORD)blob.n;
	} else {
		info->pbKeyExPublicKey = copy;
		info->cbKeyExPublicKey = (DWORD)blob.n;
	}
	return SCARD_S_SUCCESS;
}

static DWORD get_info(struct module *module, BYTE index, PCONTAINER_INFO out)
{
	_cleanup_(kf_container_freep) struct kf_container *container = NULL;
	CONTAINER_INFO info = { .dwVersion = CONTAINER_INFO_CURRENT_VERSION };
	DWORD status;

	if (out->dwVersion > CONTAINER_INFO_CURRENT_VERSION)
		return module_refuse(module, ERROR_REVISION_MISMATCH, "CONTAINER_INFO",
				     "set dwVersion to 1", "the structure has version %u",
				     out->dwVersion);
	status = read_key(module, index, &container);
	if (status == SCARD_S_SUCCESS)
		status = fill_info(module, container, &info);
	if (status == SCARD_S_SUCCESS)
		*out = info;
	return status;
}

DWORD WINAPI card_get_container_info(PCARD_DATA card, BYTE index, DWORD flags,
				     PCONTAINER_INFO out)
{
	struct module *module;
	DWORD status = module_enter(card, MODULE_CARD, "CardGetContainerInfo", &module);

	if (status != SCARD_S_SUCCESS)
		return status;
	if (!out || flags != 0)
		return module_bad_argument(module, "pContainerInfo is NULL, or dwFlags is not 0");
	return get_info(module, index, out);
}

/* --- properties --- */

static DWORD give_info(struct module *module, BYTE index, const struct value_out *out)
{
	CONTAINER_INFO info = { .dwVersion = CONTAINER_INFO_CURRENT_VERSION };
	DWORD status;

	/* The key is allocated only for a caller who gets the pointer to it. */
	if (!out->data || out->cap < sizeof(info))
		return value_give(module, BYTES(&info, sizeof(info)), out);
	status = get_info(module, index, &info);
	return status != SCARD_S_SUCCESS ? status
					 : value_give(module, BYTES(&info, sizeof(info)), out);
}

DWORD WINAPI card_get_container_property(PCARD_DATA card, BYTE index, LPCWSTR name, PBYTE data,
					 DWORD cap, PDWORD len, DWORD flags)
{
	_cleanup_(kf_container_freep) struct kf_container *container = NULL;
	struct value_out out = { data, cap, len };
	struct module *module;
	DWORD status = module_enter(card, MODULE_CARD, "CardGetContainerProperty", &module);

	if (status != SCARD_S_SUCCESS)
		return status;
	if (flags != 0 || !len)
		return module_bad_argument(module, "dwFlags is not 0, or pdwDataLen is NULL");
	if (exchange_has_property(name)) {
		struct exchange *exchange = exchange_of_container(module, index);

		return exchange ? exchange_get(module, exchange, name, &out)
				: exchange_no_container(module, index);
	}
	if (!utf16_equal(name, CCP_CONTAINER_INFO) && !utf16_equal(name, CCP_PIN_IDENTIFIER))
		return module_bad_argument(module, "no such property of containers");
	status = read_key(module, index, &container);
	if (status != SCARD_S_SUCCESS)
		return status;
	if (utf16_equal(name, CCP_CONTAINER_INFO))
		return give_info(module, index, &out);
	return value_give_u32(module, kf_container_flags(container) & KF_CONTAINER_PIN
					      ? ROLE_USER : ROLE_EVERYONE, &out);
}

DWORD WINAPI card_set_container_property(PCARD_DATA card, BYTE index, LPCWSTR name, PBYTE data,
					 DWORD len, DWORD flags)
{
	struct module *module;
	DWORD status = module_enter(card, MODULE_CARD, "CardSetContainerProperty", &module);

	if (status != SCARD_S_SUCCESS)
		return status;
	if (flags != 0 || !data)
		return module_bad_argument(module, "dwFlags is not 0, or there is no value");
	if (exchange_has_property(name)) {
		struct exchange *exchange = exchange_of_container(module, index);

		return exchange ? exchange_set(module, exchange, name, BYTES(data, len))
				: exchange_no_container(module, index);
	}
	if (utf16_equal(name, CCP_PIN_IDENTIFIER) || utf16_equal(name, CCP_ASSOCIATED_ECDH_KEY) ||
	    utf16_equal(name, CCP_CONTAINER_INFO))
		return module_refuse(module, SCARD_E_UNSUPPORTED_FEATURE, "the card",
				     "choose when the key is made or sealed",
				     "this is fixed for the life of a key");
	return module_bad_argument(module, "no such property of containers");
}
