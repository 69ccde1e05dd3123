/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/numbers.h - The numbers that only our card application knows (docs/card-application.md),
 * and the names that people and the four files use. What card, host and server share at large is
 * in keyferry/types.h.
 */
#pragma once

#include "base/bytes.h"
#include "keyferry/types.h"

/* [card-application 4.1]: unregistered RID, "keyferry", version. */
#define APP_AID { 0xf0, 0x6b, 0x65, 0x79, 0x66, 0x65, 0x72, 0x72, 0x79, 0x01 }
#define APP_AID_LEN 10
#define APP_VERSION 1

enum {
	APP_CONTAINERS = 16,
	APP_PENDING_MAX = 8,
	APP_SESSIONS_MAX = 4,
	APP_RECEIPTS_MAX = 16,
	APP_INJECTORS_MAX = 8,
	APP_TRIES = 5,			/* of one sid */
	APP_PIN_MIN = 4,
	APP_PIN_MAX = 32,
	APP_PIN_BLOCK = 12,		/* of a PIN that a keypad fills up with FF */
	APP_PIN_TRIES = 3,
	APP_PUK_TRIES = 8,
	APP_DATA_MAX = 8192,		/* longest command and response data field */
	APP_PIN_REF = 0x81,		/* P2 of VERIFY and its siblings */
	APP_PUK_REF = 0x82,
	APP_PIN_FIELD = 64,		/* a PIN in a sealed item, padded */
};

/*
 * INS of the commands that carry the PUK for a KEK are among those that no raw APDU may have, whatever
 * its class (daemon/broker/apdu.c).
 */
enum { APP_KEK_SET_DISABLE = 0, APP_KEK_SET_ENABLE = 1, APP_KEK_SET_DELETE = 2 };	/* P1 */

/* [card-application 7.4, 7.5] */
enum {
	APP_UNWRAP_FREE = 32,		/* refusals by one KEK before each UNWRAP is waited for */
	APP_UNWRAP_PAUSE_MS = 500,
	APP_WRAPPED_MAX = 2560,		/* longest C2: an RSA-4096 PrivateKeyInfo is about 2380 */
	APP_AAD_MAX = 1024,
};

/* [card-application 7.5], P1 of CIPHER */
enum app_cipher {
	APP_CBC_ENCRYPT = 1,
	APP_CBC_DECRYPT = 2,
	APP_GCM_ENCRYPT = 3,
	APP_GCM_DECRYPT = 4,
};

/* [card-application 5.3]: what each side shows that it has S1 */
enum { CONFIRMATION_SIZE = 16 };

enum { AES_BLOCK = 16, GCM_IV_SIZE = 12, GCM_TAG_SIZE = 16 };

/* [card-application 1.2]: how S1 is padded under the EXCHANGE key */
enum wrap_padding { WRAP_OAEP_SHA256 = 2 };

/* [card-application 1.2]: cipher and MAC of an item */
enum suite { SUITE_AES256_CBC_CMAC = 1 };

/* [card-application 1.2]: what MANAGE SECURITY ENVIRONMENT selects */
enum algorithm {
	ALG_NONE = 0,
	ALG_PKCS1_SHA256 = 0x11,
	ALG_PKCS1_SHA384 = 0x12,
	ALG_PKCS1_SHA512 = 0x13,
	ALG_PSS_SHA256 = 0x21,
	ALG_PSS_SHA384 = 0x22,
	ALG_PSS_SHA512 = 0x23,
	ALG_ECDSA_SHA256 = 0x31,
	ALG_ECDSA_SHA384 = 0x32,
	ALG_ECDSA_SHA512 = 0x33,
	ALG_RSAES_PKCS1 = 0x41,
	ALG_OAEP_SHA1 = 0x51,
	ALG_OAEP_SHA256 = 0x52,
	ALG_OAEP_SHA384 = 0x53,
	ALG_OAEP_SHA512 = 0x54,
	ALG_ECDH = 0x61,
};

/* [card-application 3] */
enum app_sw {
	SW_OK = 0x9000,
	SW_MORE = 0x6100,
	SW_TRIES = 0x63c0,
	SW_MEMORY = 0x6581,
	SW_LENGTH = 0x6700,
	SW_CHANNEL = 0x6881,
	SW_SECURE_MESSAGING = 0x6882,
	SW_PIN_NEEDED = 0x6982,
	SW_BLOCKED = 0x6983,
	SW_CONDITIONS = 0x6985,
	SW_REFUSED = 0x6988,		/* the uniform refusal */
	SW_DATA = 0x6a80,
	SW_NO_APPLICATION = 0x6a82,
	SW_FULL = 0x6a84,
	SW_P1P2 = 0x6a86,
	SW_NO_OBJECT = 0x6a88,
	SW_INS = 0x6d00,
	SW_CLA = 0x6e00,
	SW_INTERNAL = 0x6f00,
};

/* Instructions; the ISO ones with CLA 00, our own with CLA 80. */
enum app_ins {
	INS_VERIFY = 0x20,
	INS_MSE = 0x22,
	INS_CHANGE = 0x24,
	INS_PSO = 0x2a,
	INS_UNBLOCK = 0x2c,
	INS_GENERATE = 0x47,
	INS_GET_CHALLENGE = 0x84,
	INS_SELECT = 0xa4,
	INS_GET_RESPONSE = 0xc0,
	INS_GET_DATA = 0xca,
	INS_PUT_DATA = 0xdb,
	INS_OFFER = 0x50,
	INS_IMPORT_SESSION = 0x52,
	INS_PROCESS = 0x54,
	INS_GET_RECEIPT = 0x56,
	INS_DESTROY_SESSION = 0x58,
	INS_CONVERT = 0x5a,
	INS_LIST_PENDING = 0x5c,
	INS_CREATE_KEK = 0x26,
	INS_SET_KEK = 0x28,
	INS_ATTEST_KEK = 0x4e,
	INS_UNWRAP = 0x4a,
	INS_CIPHER = 0x4c,
	INS_DELETE = 0xe4,
};

/* Some numbers of one vocabulary. */
struct number_list {
	size_t n;
	uint8_t v[16];
};

bool number_list_has(const struct number_list *list, uint8_t number);

bool key_type_is_rsa(enum kf_key_type type);
bool key_type_is_ec(enum kf_key_type type);
bool key_type_is_aes(enum kf_key_type type);

/* Whether S1 can be agreed on with a static key of @type: P-256, P-384, X25519. */
bool key_type_agrees(enum kf_key_type type);
/* Whether an EXCHANGE key of @type, or a SHARED key, serves @method. */
bool key_type_serves(enum kf_key_type type, enum kf_method method);
/* Whether @method ends with each side showing the other that it has S1. */
bool method_confirms(enum kf_method method);

/* RSA: bits of the modulus; EC and X25519: of the field; AES: of the key; else 0. */
unsigned key_type_bits(enum kf_key_type type);

/* RSA: length of the modulus in bytes; EC: of the field and of the order; AES: of the key. */
size_t key_type_size(enum kf_key_type type);

/* OpenSSL's group name of an EC type or X25519, else NULL. */
const char *key_type_group(enum kf_key_type type);

/* Whether a key of @type may have @purpose: RSA SIGN, DECRYPT; EC SIGN, DERIVE; AES CIPHER. */
bool key_type_suits(enum kf_key_type type, enum kf_purpose purpose);

/* Whether an item of @function is about PINs, and so none of a container. */
bool function_is_about_pins(enum kf_function function);

/* Whether a statement may have @container for its target. */
bool target_is_valid(uint32_t container);

/* Whether the card generates keys of @type; these it takes from items, too. */
bool key_type_is_made(enum kf_key_type type);

/*
 * The function of an item that brings a key of @type: the pairs that are generated, and AES keys;
 * %KF_FUNCTION_NONE: none does, and the rest comes by UNWRAP alone.
 */
enum kf_function key_type_function(enum kf_key_type type);

/* Names of docs/formats.md 8; NULL for a number without one. */
const char *key_type_name(enum kf_key_type type);
const char *purpose_name(enum kf_purpose purpose);
const char *method_name(enum kf_method method);
const char *function_name(enum kf_function function);
const char *grade_name(enum kf_grade grade);
const char *hash_name(enum kf_hash hash);

/* Return: 0 and the number of @name, or -EINVAL if nothing is called that. */
int key_type_from_name(const char *name, enum kf_key_type *out);
int purpose_from_name(const char *name, enum kf_purpose *out);
int method_from_name(const char *name, enum kf_method *out);
int hash_from_name(const char *name, enum kf_hash *out);

/* Length of the hash an algorithm signs, 0 if it signs none. */
size_t algorithm_hash_size(enum algorithm algorithm);

/* Whether @algorithm works on keys of this type and purpose. */
bool algorithm_suits(enum algorithm algorithm, enum kf_key_type type, enum kf_purpose purpose);

/* Whether @serial is one: 1 to 32 characters out of A-Z a-z 0-9 . - */
bool serial_is_valid(struct bytes serial);
