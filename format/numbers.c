/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/numbers.c - One table a vocabulary; everything asked about a number is a look at its row.
 */
#include "format/numbers.h"

enum key_kind { KIND_RSA, KIND_EC, KIND_X, KIND_AES };

static const struct key_row {
	enum kf_key_type type;
	enum key_kind kind;
	unsigned bits;
	const char *name, *group;
} key_rows[] = {
	{ KF_KEY_RSA_2048, KIND_RSA, 2048, "rsa2048", NULL },
	{ KF_KEY_RSA_3072, KIND_RSA, 3072, "rsa3072", NULL },
	{ KF_KEY_RSA_4096, KIND_RSA, 4096, "rsa4096", NULL },
	{ KF_KEY_EC_P256, KIND_EC, 256, "p256", "P-256" },
	{ KF_KEY_EC_P384, KIND_EC, 384, "p384", "P-384" },
	{ KF_KEY_EC_P521, KIND_EC, 521, "p521", "P-521" },
	{ KF_KEY_X25519, KIND_X, 255, "x25519", "X25519" },
	{ KF_KEY_AES_128, KIND_AES, 128, "aes128", NULL },
	{ KF_KEY_AES_192, KIND_AES, 192, "aes192", NULL },
	{ KF_KEY_AES_256, KIND_AES, 256, "aes256", NULL },
	{ KF_KEY_EC_P256K, KIND_EC, 256, "p256k", "secp256k1" },
};

struct name_row {
	int number;
	const char *name;
};

static const struct name_row purpose_rows[] = {
	{ KF_PURPOSE_DEVICE, "device" }, { KF_PURPOSE_EXCHANGE, "exchange" },
	{ KF_PURPOSE_KEK, "kek" },	 { KF_PURPOSE_SHARED, "shared" },
	{ KF_PURPOSE_SESSION, "session" }, { KF_PURPOSE_SIGN, "sign" },
	{ KF_PURPOSE_DECRYPT, "decrypt" }, { KF_PURPOSE_DERIVE, "derive" },
	{ KF_PURPOSE_CIPHER, "cipher" }, { 0, NULL },
};

static const struct name_row method_rows[] = {
	{ KF_METHOD_SHARED, "shared" },
	{ KF_METHOD_RSA, "rsa" },
	{ KF_METHOD_DERIVED, "derived" },
	{ KF_METHOD_ECDH, "ecdh" },
	{ 0, NULL },
};

static const struct name_row function_rows[] = {
	{ KF_FUNCTION_IMPORT_KEYPAIR, "import-keypair" },
	{ KF_FUNCTION_CHANGE_AUTHENTICATOR, "change-authenticator" },
	{ KF_FUNCTION_AUTHENTICATE, "authenticate" },
	{ KF_FUNCTION_IMPORT_SECRET, "import-secret" },
	{ 0, NULL },
};

static const struct name_row hash_rows[] = {
	{ KF_HASH_SHA1, "sha1" },
	{ KF_HASH_SHA256, "sha256" },
	{ KF_HASH_SHA384, "sha384" },
	{ KF_HASH_SHA512, "sha512" },
	{ 0, NULL },
};

static const struct name_row grade_rows[] = {
	{ KF_GRADE_U, "U" },
	{ KF_GRADE_C, "C" },
	{ KF_GRADE_B, "B" },
	{ KF_GRADE_A_VIRTUAL, "A-virtual" },
	{ KF_GRADE_A, "A" },
	{ KF_GRADE_B_VIRTUAL, "B-virtual" },
	{ 0, NULL },
};

static const struct algorithm_row {
	enum algorithm algorithm;
	enum kf_purpose purpose;
	bool rsa;
	size_t hash_size;
} algorithm_rows[] = {
	{ ALG_PKCS1_SHA256, KF_PURPOSE_SIGN, true, 32 },
	{ ALG_PKCS1_SHA384, KF_PURPOSE_SIGN, true, 48 },
	{ ALG_PKCS1_SHA512, KF_PURPOSE_SIGN, true, 64 },
	{ ALG_PSS_SHA256, KF_PURPOSE_SIGN, true, 32 },
	{ ALG_PSS_SHA384, KF_PURPOSE_SIGN, true, 48 },
	{ ALG_PSS_SHA512, KF_PURPOSE_SIGN, true, 64 },
	{ ALG_ECDSA_SHA256, KF_PURPOSE_SIGN, false, 32 },
	{ ALG_ECDSA_SHA384, KF_PURPOSE_SIGN, false, 48 },
	{ ALG_ECDSA_SHA512, KF_PURPOSE_SIGN, false, 64 },
	{ ALG_RSAES_PKCS1, KF_PURPOSE_DECRYPT, true, 0 },
	{ ALG_OAEP_SHA1, KF_PURPOSE_DECRYPT, true, 0 },
	{ ALG_OAEP_SHA256, KF_PURPOSE_DECRYPT, true, 0 },
	{ ALG_OAEP_SHA384, KF_PURPOSE_DECRYPT, true, 0 },
	{ ALG_OAEP_SHA512, KF_PURPOSE_DECRYPT, true, 0 },
	{ ALG_ECDH, KF_PURPOSE_DERIVE, false, 0 },
};

#define N_ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

static const struct key_row *key_row(enum kf_key_type type)
{
	for (size_t i = 0; i < N_ROWS(key_rows); i++) {
		if (key_rows[i].type == type)
			return &key_rows[i];
	}
	return NULL;
}

static const struct algorithm_row *algorithm_row(enum algorithm algorithm)
{
	for (size_t i = 0; i < N_ROWS(algorithm_rows); i++) {
		if (algorithm_rows[i].algorithm == algorithm)
			return &algorithm_rows[i];
	}
	return NULL;
}

static const char *number_name(const struct name_row *rows, int number)
{
	for (; rows->name; rows++) {
		if (rows->number == number)
			return rows->name;
	}
	return NULL;
}

static int number_from_name(const struct name_row *rows, const char *name)
{
	for (; rows->name; rows++) {
		if (strcmp(rows->name, name) == 0)
			return rows->number;
	}
	return -EINVAL;
}

bool number_list_has(const struct number_list *list, uint8_t number)
{
	return memchr(list->v, number, list->n) != NULL;
}

static bool key_type_is(enum kf_key_type type, enum key_kind kind)
{
	const struct key_row *row = key_row(type);

	return row && row->kind == kind;
}

bool key_type_is_rsa(enum kf_key_type type)
{
	return key_type_is(type, KIND_RSA);
}

bool key_type_is_ec(enum kf_key_type type)
{
	return key_type_is(type, KIND_EC);
}

bool key_type_is_aes(enum kf_key_type type)
{
	return key_type_is(type, KIND_AES);
}

bool key_type_agrees(enum kf_key_type type)
{
	return type == KF_KEY_EC_P256 || type == KF_KEY_EC_P384 || type == KF_KEY_X25519;
}

bool key_type_serves(enum kf_key_type type, enum kf_method method)
{
	if (method == KF_METHOD_RSA)
		return key_type_is_rsa(type);
	if (method == KF_METHOD_ECDH)
		return key_type_agrees(type);
	return (method == KF_METHOD_SHARED || method == KF_METHOD_DERIVED) && type == KF_KEY_AES_256;
}

bool method_confirms(enum kf_method method)
{
	return method == KF_METHOD_ECDH || method == KF_METHOD_DERIVED;
}

unsigned key_type_bits(enum kf_key_type type)
{
	const struct key_row *row = key_row(type);

	return row ? row->bits : 0;
}

size_t key_type_size(enum kf_key_type type)
{
	return (key_type_bits(type) + 7) / 8;
}

const char *key_type_group(enum kf_key_type type)
{
	const struct key_row *row = key_row(type);

	return row ? row->group : NULL;
}

bool key_type_suits(enum kf_key_type type, enum kf_purpose purpose)
{
	if (purpose == KF_PURPOSE_SIGN)
		return key_type_is_rsa(type) || key_type_is_ec(type);
	if (purpose == KF_PURPOSE_DECRYPT)
		return key_type_is_rsa(type);
	if (purpose == KF_PURPOSE_CIPHER)
		return key_type_is_aes(type);
	return purpose == KF_PURPOSE_DERIVE && key_type_is_ec(type);
}

bool key_type_is_made(enum kf_key_type type)
{
	return type >= KF_KEY_RSA_2048 && type <= KF_KEY_EC_P521;
}

enum kf_function key_type_function(enum kf_key_type type)
{
	if (key_type_is_made(type))
		return KF_FUNCTION_IMPORT_KEYPAIR;
	return key_type_is_aes(type) ? KF_FUNCTION_IMPORT_SECRET : KF_FUNCTION_NONE;
}

const char *key_type_name(enum kf_key_type type)
{
	const struct key_row *row = key_row(type);

	return row ? row->name : NULL;
}

const char *purpose_name(enum kf_purpose purpose)
{
	return number_name(purpose_rows, (int)purpose);
}

bool function_is_about_pins(enum kf_function function)
{
	return function == KF_FUNCTION_CHANGE_AUTHENTICATOR ||
	       function == KF_FUNCTION_AUTHENTICATE;
}

bool target_is_valid(uint32_t container)
{
	return container < APP_CONTAINERS || container == KF_CONTAINER_PINS ||
	       container == KF_CONTAINER_BATCH || container == KF_CONTAINER_SHARED;
}

const char *method_name(enum kf_method method)
{
	return number_name(method_rows, (int)method);
}

const char *function_name(enum kf_function function)
{
	return number_name(function_rows, (int)function);
}

const char *grade_name(enum kf_grade grade)
{
	return number_name(grade_rows, (int)grade);
}

const char *hash_name(enum kf_hash hash)
{
	return number_name(hash_rows, (int)hash);
}

int key_type_from_name(const char *name, enum kf_key_type *out)
{
	for (size_t i = 0; i < N_ROWS(key_rows); i++) {
		if (strcmp(key_rows[i].name, name) == 0) {
			*out = key_rows[i].type;
			return 0;
		}
	}
	return -EINVAL;
}

int purpose_from_name(const char *name, enum kf_purpose *out)
{
	int r = number_from_name(purpose_rows, name);

	if (r < 0)
		return r;
	*out = (enum kf_purpose)r;
	return 0;
}

int method_from_name(const char *name, enum kf_method *out)
{
	int r = number_from_name(method_rows, name);

	if (r < 0)
		return r;
	*out = (enum kf_method)r;
	return 0;
}

int hash_from_name(const char *name, enum kf_hash *out)
{
	int r = number_from_name(hash_rows, name);

	if (r < 0)
		return r;
	*out = (enum kf_hash)r;
	return 0;
}

size_t algorithm_hash_size(enum algorithm algorithm)
{
	const struct algorithm_row *row = algorithm_row(algorithm);

	return row ? row->hash_size : 0;
}

bool algorithm_suits(enum algorithm algorithm, enum kf_key_type type, enum kf_purpose purpose)
{
	const struct algorithm_row *row = algorithm_row(algorithm);

	return row && row->purpose == purpose && row->rsa == key_type_is_rsa(type) &&
	       key_type_suits(type, purpose);
}

bool serial_is_valid(struct bytes serial)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-";

	if (serial.n == 0 || serial.n > KF_SERIAL_MAX)
		return false;
	for (size_t i = 0; i < serial.n; i++) {
		if (serial.p[i] == 0 || !strchr(allowed, serial.p[i]))
			return false;
	}
	return true;
}
