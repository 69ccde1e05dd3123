/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keyferry/types.h - The numbers that card, host and server share. They are the ones of
 * docs/card-application.md 1.1 and 1.2: the same value stands in a command to the card, in a
 * request to the broker and in a signed statement, so nothing ever translates them.
 */
#ifndef KEYFERRY_TYPES_H
#define KEYFERRY_TYPES_H

#ifdef __cplusplus
extern "C" {
#endif

/** enum kf_purpose - the one thing a card key does, for ever */
enum kf_purpose {
	KF_PURPOSE_DEVICE = 0,
	KF_PURPOSE_EXCHANGE = 1,
	KF_PURPOSE_KEK = 2,
	KF_PURPOSE_SHARED = 3,
	KF_PURPOSE_SESSION = 4,
	KF_PURPOSE_SIGN = 5,
	KF_PURPOSE_DECRYPT = 6,
	KF_PURPOSE_DERIVE = 7,
	KF_PURPOSE_CIPHER = 8,
};

/** enum kf_key_type - algorithm and size of a key */
enum kf_key_type {
	KF_KEY_RSA2048 = 0x01,
	KF_KEY_RSA3072 = 0x02,
	KF_KEY_RSA4096 = 0x03,
	KF_KEY_P256 = 0x11,
	KF_KEY_P384 = 0x12,
	KF_KEY_P521 = 0x13,
	KF_KEY_AES128 = 0x21,
	KF_KEY_AES192 = 0x22,
	KF_KEY_AES256 = 0x23,
};

/** enum kf_method - how server and card come to share S1 */
enum kf_method {
	KF_METHOD_SHARED = 1,
	KF_METHOD_RSA = 2,
	KF_METHOD_DERIVED = 3,
	KF_METHOD_ECDH = 4,
};

/** enum kf_function - what an item does in the card; the minidriver's CSF_* names */
enum kf_function {
	KF_FUNCTION_IMPORT_KEYPAIR = 1,
	KF_FUNCTION_CHANGE_AUTHENTICATOR = 2,
	KF_FUNCTION_AUTHENTICATE = 3,
};

/** enum kf_origin - where a private key came from */
enum kf_origin {
	KF_ORIGIN_GENERATED = 0,
	KF_ORIGIN_IMPORTED = 1,
};

/** enum kf_level - what stands behind the DEVICE key */
enum kf_level {
	KF_LEVEL_CHIP = 0,
	KF_LEVEL_VIRTUAL = 1,
};

/** enum kf_wrap_padding - how S1 is padded under the EXCHANGE key */
enum kf_wrap_padding {
	KF_WRAP_OAEP_SHA256 = 2,
};

/** enum kf_suite - cipher and MAC of an item */
enum kf_suite {
	KF_SUITE_AES256_CBC_CMAC = 1,
};

/** enum kf_chaining - the minidriver's chaining modes */
enum kf_chaining {
	KF_CHAINING_NONE = 0,
	KF_CHAINING_CBC = 1,
};

/** enum kf_algorithm - what a key operation computes */
enum kf_algorithm {
	KF_ALG_RSA_PKCS1_SHA256 = 0x11,
	KF_ALG_RSA_PKCS1_SHA384 = 0x12,
	KF_ALG_RSA_PKCS1_SHA512 = 0x13,
	KF_ALG_RSA_PSS_SHA256 = 0x21,
	KF_ALG_RSA_PSS_SHA384 = 0x22,
	KF_ALG_RSA_PSS_SHA512 = 0x23,
	KF_ALG_ECDSA_SHA256 = 0x31,
	KF_ALG_ECDSA_SHA384 = 0x32,
	KF_ALG_ECDSA_SHA512 = 0x33,
	KF_ALG_RSAES_PKCS1 = 0x41,
	KF_ALG_RSAES_OAEP_SHA1 = 0x51,
	KF_ALG_RSAES_OAEP_SHA256 = 0x52,
	KF_ALG_RSAES_OAEP_SHA384 = 0x53,
	KF_ALG_RSAES_OAEP_SHA512 = 0x54,
	KF_ALG_ECDH = 0x61,
};

/** enum kf_grade - how far a key can be trusted never to have been seen; lowest first */
enum kf_grade {
	KF_GRADE_U = 0,			/* unattested */
	KF_GRADE_C = 1,			/* opened by a process on the host */
	KF_GRADE_B = 2,			/* relayed through a channel that ends in card and server */
	KF_GRADE_A_VIRTUAL = 3,		/* as A, but the card is virtual */
	KF_GRADE_A = 4,			/* opened only inside the card */
};

#define KF_PIN_USER 0x81		/* reference of the user PIN */
#define KF_PIN_PUK 0x82			/* reference of the PUK */

#define KF_SID_LEN 16
#define KF_NONCE_LEN 32
#define KF_HASH_LEN 32			/* SHA-256 */
#define KF_IV_LEN 16
#define KF_SESSION_KEY_LEN 32		/* S1 */
#define KF_CONTAINERS_MAX 16
#define KF_SERIAL_MAX 32
#define KF_CERT_MAX 4096
#define KF_ITEM_MAX 8192
#define KF_ITEMS_MAX 64

#ifdef __cplusplus
}
#endif

#endif
