// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libcardmod/property.c - A row a property: which dwFlags it takes, and how its value comes out of
 * the broker's snapshot of the card.
 */
#include "libcardmod/property.h"
#include "libcardmod/key_spec.h"
#include "libcardmod/map.h"
#include "libcardmod/module.h"
#include "libcardmod/utf16.h"
#include "libcardmod/value.h"

enum { ROW_MAX = 1024 };

DEFINE_CLEANUP(struct kf_card *, kf_card_free);
DEFINE_CLEANUP(struct kf_containers *, kf_containers_free);

/* One property being read. */
struct query {
	struct module *module;
	const struct kf_card *card;
	DWORD flags;
	struct packer *out;
};

enum flag_rule {
	FLAGS_NONE,
	FLAGS_OPERATION,		/* CARD_CIPHER_OPERATION or CARD_ASYMMETRIC_OPERATION */
	FLAGS_NONE_OR_CIPHER,
	FLAGS_PIN,			/* a PIN_ID */
	FLAGS_KEY_SPEC,
};

static bool has(const struct kf_card *card, enum kf_card_property property, unsigned int bit)
{
	return (kf_card_value(card, property) >> bit & 1) != 0;
}

/* --- injection [minidriver 7.3] --- */

static DWORD get_key_import(struct query *q)
{
	/* Only what this library goes through with: no key comes in the clear, whatever a card takes. */
	pack_le32(q->out, kf_card_value(q->card, KF_CP_KEY_IMPORT) &
				  (CARD_KEY_IMPORT_RSA_KEYEST | CARD_KEY_IMPORT_ECC_KEYEST |
				   CARD_KEY_IMPORT_SHARED_SYMMETRIC));
	return SCARD_S_SUCCESS;
}

static const struct algorithm_name {
	enum kf_key_type type;
	DWORD operation;
	LPCWSTR name;
} algorithm_names[] = {
	{ KF_KEY_AES_256, CARD_CIPHER_OPERATION, CARD_AES_ALGORITHM },
	{ KF_KEY_RSA_2048, CARD_ASYMMETRIC_OPERATION, BCRYPT_RSA_ALGORITHM },
	{ KF_KEY_EC_P256, CARD_ASYMMETRIC_OPERATION, BCRYPT_ECDSA_P256_ALGORITHM },
	{ KF_KEY_EC_P384, CARD_ASYMMETRIC_OPERATION, BCRYPT_ECDSA_P384_ALGORITHM },
	{ KF_KEY_EC_P521, CARD_ASYMMETRIC_OPERATION, BCRYPT_ECDSA_P521_ALGORITHM },
	{ KF_KEY_EC_P256, CARD_ASYMMETRIC_OPERATION, BCRYPT_ECDH_P256_ALGORITHM },
	{ KF_KEY_EC_P384, CARD_ASYMMETRIC_OPERATION, BCRYPT_ECDH_P384_ALGORITHM },
};

static DWORD get_algorithms(struct query *q)
{
	enum kf_card_property from = q->flags == CARD_CIPHER_OPERATION ? KF_CP_CIPHERS
								       : KF_CP_KEY_TYPES;

	for (size_t i = 0; i < sizeof(algorithm_names) / sizeof(algorithm_names[0]); i++)
		if (algorithm_names[i].operation == q->flags &&
		    has(q->card, from, algorithm_names[i].type))
			utf16_multi_put(q->out, algorithm_names[i].name);
	utf16_multi_end(q->out);
	return SCARD_S_SUCCESS;
}

static DWORD get_paddings(struct query *q)
{
	uint32_t own = kf_card_value(q->card, KF_CP_CIPHER_PADDINGS);

	if (q->flags == CARD_CIPHER_OPERATION)
		pack_le32(q->out, own & KF_PADDING_BLOCK ? CARD_BLOCK_PADDING : 0);
	else
		pack_le32(q->out, kf_card_value(q->card, KF_CP_PADDINGS) &
					  (CARD_PADDING_NONE | CARD_PADDING_PKCS1 |
					   CARD_PADDING_PSS | CARD_PADDING_OAEP));
	return SCARD_S_SUCCESS;
}

static DWORD get_chaining(struct query *q)
{
	if (kf_card_value(q->card, KF_CP_CHAINING_MODES) & KF_CHAIN_CBC)
		utf16_multi_put(q->out, CARD_CHAIN_MODE_CBC);
	utf16_multi_end(q->out);
	return SCARD_S_SUCCESS;
}

/* --- the card --- */

static DWORD get_free_space(struct query *q)
{
	_cleanup_(kf_containers_freep) struct kf_containers *all = NULL;
	uint32_t n_free = 0;
	int r = kf_container_list(q->module->context, &all);

	if (r < 0)
		return module_card_result(q->module, r);
	for (size_t i = 0; i < kf_containers_count(all); i++)
		n_free += kf_container_key_type(kf_containers_at(all, i)) == KF_KEY_NONE;
	pack_le32(q->out, CARD_FREE_SPACE_INFO_CURRENT_VERSION);
	pack_le32(q->out, kf_card_value(q->card, KF_CP_FREE_BYTES));
	pack_le32(q->out, n_free);
	pack_le32(q->out, (uint32_t)kf_containers_count(all));
	return SCARD_S_SUCCESS;
}

static DWORD get_capabilities(struct query *q)
{
	pack_le32(q->out, CARD_CAPABILITIES_CURRENT_VERSION);
	pack_le32(q->out, TRUE);	/* certificates come here as they are */
	pack_le32(q->out, kf_card_value(q->card, KF_CP_KEY_TYPES) != 0);
	return SCARD_S_SUCCESS;
}

static DWORD get_key_sizes(struct query *q)
{
	const struct key_spec *spec = key_spec_find(q->flags);
	unsigned int least = 0, most = 0;

	for (int type = spec->first; type <= (int)spec->last; type++) {
		unsigned int bits = key_type_bits((enum kf_key_type)type);

		if (!has(q->card, KF_CP_KEY_TYPES, (unsigned int)type))
			continue;
		least = least == 0 ? bits : least;
		most = bits;
	}
	if (most == 0)
		return module_refuse(q->module, SCARD_E_UNSUPPORTED_FEATURE, "the card",
				     "ask for another dwKeySpec", "the card has no such keys");
	pack_le32(q->out, CARD_KEY_SIZES_CURRENT_VERSION);
	pack_le32(q->out, least);
	/* Servers want an exchange key of 3072 bits [SECURITY section 3]. */
	pack_le32(q->out, least < 3072 && most >= 3072 ? 3072 : least);
	pack_le32(q->out, most);
	pack_le32(q->out, least == most ? 0 : 1024);
	return SCARD_S_SUCCESS;
}

static DWORD get_read_only(struct query *q)
{
	pack_le32(q->out, FALSE);
	return SCARD_S_SUCCESS;
}

/* The broker asks the card; there is nothing for a caller to remember. */
static DWORD get_cache_mode(struct query *q)
{
	pack_le32(q->out, CP_CACHE_MODE_NO_CACHE);
	return SCARD_S_SUCCESS;
}

static DWORD get_enrollment(struct query *q)
{
	pack_le32(q->out, TRUE);
	return SCARD_S_SUCCESS;
}

static DWORD get_guid(struct query *q)
{
	return module_mixed_result(q->module, map_card_id(q->module, q->out));
}

static DWORD get_serial(struct query *q)
{
	const char *serial = kf_card_serial(q->card);

	pack_bytes(q->out, BYTES(serial, strlen(serial)));
	return SCARD_S_SUCCESS;
}

/* --- PINs --- */

static DWORD check_pin(struct query *q)
{
	if (q->flags < MAX_PINS && has(q->card, KF_CP_PINS, q->flags))
		return SCARD_S_SUCCESS;
	return module_bad_argument(q->module, "the card has no such PIN");
}

static DWORD get_pin_info(struct query *q)
{
	bool puk = q->flags == ROLE_ADMIN;
	DWORD status = check_pin(q);

	if (status != SCARD_S_SUCCESS)
		return status;
	pack_le32(q->out, PIN_INFO_CURRENT_VERSION);
	pack_le32(q->out, AlphaNumericPinType);
	pack_le32(q->out, puk ? UnblockOnlyPin : PrimaryCardPin);
	pack_le32(q->out, puk ? PIN_SET_NONE : CREATE_PIN_SET(ROLE_USER));
	pack_le32(q->out, puk ? PIN_SET_NONE : CREATE_PIN_SET(ROLE_ADMIN));
	pack_le32(q->out, PIN_CACHE_POLICY_CURRENT_VERSION);
	pack_le32(q->out, PinCacheNormal);
	pack_le32(q->out, 0);
	pack_le32(q->out, 0);			/* no secure entry required */
	return SCARD_S_SUCCESS;
}

static DWORD get_pins(struct query *q)
{
	pack_le32(q->out, kf_card_value(q->card, KF_CP_PINS));
	return SCARD_S_SUCCESS;
}

static DWORD get_verified(struct query *q)
{
	pack_le32(q->out, kf_card_value(q->card, KF_CP_VERIFIED));
	return SCARD_S_SUCCESS;
}

/* The PUK unblocks and never logs in. */
static DWORD get_strength(struct query *q)
{
	DWORD status = check_pin(q);

	if (status == SCARD_S_SUCCESS)
		pack_le32(q->out, q->flags == ROLE_USER ? CARD_PIN_STRENGTH_PLAINTEXT : 0);
	return status;
}

static const struct property_row {
	LPCWSTR name;
	enum flag_rule flags;
	DWORD (*get)(struct query *q);	/* NULL: can only be set */
} rows[] = {
	{ CP_KEY_IMPORT_SUPPORT, FLAGS_NONE, get_key_import },
	{ CP_ENUM_ALGORITHMS, FLAGS_OPERATION, get_algorithms },
	{ CP_PADDING_SCHEMES, FLAGS_OPERATION, get_paddings },
	{ CP_CHAINING_MODES, FLAGS_NONE_OR_CIPHER, get_chaining },
	{ CP_CARD_FREE_SPACE, FLAGS_NONE, get_free_space },
	{ CP_CARD_CAPABILITIES, FLAGS_NONE, get_capabilities },
	{ CP_CARD_KEYSIZES, FLAGS_KEY_SPEC, get_key_sizes },
	{ CP_CARD_READ_ONLY, FLAGS_NONE, get_read_only },
	{ CP_CARD_CACHE_MODE, FLAGS_NONE, get_cache_mode },
	{ CP_SUPPORTS_WIN_X509_ENROLLMENT, FLAGS_NONE, get_enrollment },
	{ CP_CARD_GUID, FLAGS_NONE, get_guid },
	{ CP_CARD_SERIAL_NO, FLAGS_NONE, get_serial },
	{ CP_CARD_PIN_INFO, FLAGS_PIN, get_pin_info },
	{ CP_CARD_LIST_PINS, FLAGS_NONE, get_pins },
	{ CP_CARD_AUTHENTICATED_STATE, FLAGS_NONE, get_verified },
	{ CP_CARD_PIN_STRENGTH_VERIFY, FLAGS_PIN, get_strength },
	{ CP_CARD_PIN_STRENGTH_CHANGE, FLAGS_PIN, get_strength },
	{ CP_CARD_PIN_STRENGTH_UNBLOCK, FLAGS_PIN, get_strength },
	{ CP_PARENT_WINDOW, FLAGS_NONE, NULL },
	{ CP_PIN_CONTEXT_STRING, FLAGS_NONE, NULL },
};

static const struct property_row *find(LPCWSTR name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (utf16_equal(rows[i].name, name))
			return &rows[i];
	return NULL;
}

static bool flags_fit(enum flag_rule rule, DWORD flags)
{
	switch (rule) {
	case FLAGS_NONE:
		return flags == 0;
	case FLAGS_OPERATION:
		return flags == CARD_CIPHER_OPERATION || flags == CARD_ASYMMETRIC_OPERATION;
	case FLAGS_NONE_OR_CIPHER:
		return flags == 0 || flags == CARD_CIPHER_OPERATION;
	case FLAGS_PIN:
		return flags < MAX_PINS;
	case FLAGS_KEY_SPEC:
		return key_spec_find(flags) != NULL;
	}
	return false;
}

static DWORD read_row(struct module *module, const struct property_row *row, DWORD flags,
		      struct packer *value)
{
	_cleanup_(kf_card_freep) struct kf_card *card = NULL;
	struct query query = { .module = module, .flags = flags, .out = value };
	DWORD status;
	int r = kf_card_read(module->context, &card);

	if (r < 0)
		return module_card_result(module, r);
	query.card = card;
	status = row->get(&query);
	if (status == SCARD_S_SUCCESS && pack_end(value) < 0)
		return module_server_result(module, -EMSGSIZE);
	return status;
}

DWORD WINAPI card_get_property(PCARD_DATA card, LPCWSTR name, PBYTE data, DWORD cap, PDWORD len,
			       DWORD flags)
{
	struct value_out out = { data, cap, len };
	uint8_t buf[ROW_MAX];
	struct packer value = pack_begin(buf, sizeof(buf));
	const struct property_row *row;
	struct module *module;
	DWORD status = module_enter(card, MODULE_CARD, "CardGetProperty", &module);

	if (status != SCARD_S_SUCCESS)
		return status;
	if (exchange_has_card_property(name))
		return flags == 0 ? exchange_get(module, &module->card_exchange, name, &out)
				  : module_bad_argument(module, "dwFlags is not 0");
	row = find(name);
	if (!row || !row->get)
		return module_bad_argument(module, "no such property, or it can only be set");
	if (!flags_fit(row->flags, flags))
		return module_bad_argument(module, "dwFlags is none that this property takes");
	if (!len)
		return module_bad_argument(module, "pdwDataLen is NULL");
	status = read_row(module, row, flags, &value);
	return status != SCARD_S_SUCCESS ? status : value_give(module, pack_done(&value), &out);
}

DWORD WINAPI card_set_property(PCARD_DATA card, LPCWSTR name, PBYTE data, DWORD len, DWORD flags)
{
	const struct property_row *row;
	struct module *module;
	DWORD status = module_enter(card, MODULE_CARD, "CardSetProperty", &module);

	if (status != SCARD_S_SUCCESS)
		return status;
	if (exchange_has_card_property(name))
		return flags == 0 && data ? exchange_set(module, &module->card_exchange, name,
							 BYTES(data, len))
					  : module_bad_argument(module, "dwFlags is not 0, or there "
									"is no value");
	row = find(name);
	if (!row)
		return module_bad_argument(module, "no such property");
	if (row->get)
		return module_refuse(module, SCARD_E_UNSUPPORTED_FEATURE, "CardSetProperty",
				     "only read it", "the property is the card's own");
	if (flags != 0 || !data || len == 0)
		return module_bad_argument(module, "dwFlags is not 0, or there is no value");
	/* A window, and what to write into it: there is none, whoever asks for the PIN is the caller. */
	return SCARD_S_SUCCESS;
}

/* --- the older queries --- */

static DWORD query(PCARD_DATA card, const char *call, LPCWSTR name, DWORD flags, void *out,
		   size_t size)
{
	uint8_t buf[ROW_MAX];
	struct packer value = pack_begin(buf, sizeof(buf));
	struct module *module;
	DWORD status = module_enter(card, MODULE_CARD, call, &module), version;

	if (status != SCARD_S_SUCCESS)
		return status;
	if (!out)
		return module_bad_argument(module, "a flag or key specification does not exist, or the structure is NULL");
	memcpy(&version, out, sizeof(version));
	if (version > 1)			/* 0 counts as 1 [minidriver 2.4] */
		return module_refuse(module, ERROR_REVISION_MISMATCH, "version 1",
				     "set dwVersion to 1", "the structure has version %u", version);
	status = read_row(module, find(name), flags, &value);
	if (status != SCARD_S_SUCCESS)
		return status;
	assert(pack_done(&value).n == size);
	memcpy(out, value.p, size);
	return SCARD_S_SUCCESS;
}

DWORD WINAPI card_query_capabilities(PCARD_DATA card, PCARD_CAPABILITIES out)
{
	return query(card, "CardQueryCapabilities", CP_CARD_CAPABILITIES, 0, out, sizeof(*out));
}

DWORD WINAPI card_query_free_space(PCARD_DATA card, DWORD flags, PCARD_FREE_SPACE_INFO out)
{
	return query(card, "CardQueryFreeSpace", CP_CARD_FREE_SPACE, 0, flags == 0 ? out : NULL,
		     sizeof(*out));
}

DWORD WINAPI card_query_key_sizes(PCARD_DATA card, DWORD spec, DWORD flags, PCARD_KEY_SIZES out)
{
	return query(card, "CardQueryKeySizes", CP_CARD_KEYSIZES, spec,
		     flags == 0 && key_spec_find(spec) ? out : NULL, sizeof(*out));
}
