/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keyferry/types.h - The vocabulary that card, host and server share. The same value stands in a
 * command to our card application, in a request to the broker and in a signed statement
 * (docs/card-application.md 1.2), so nothing on the way translates it.
 */
#ifndef KEYFERRY_TYPES_H
#define KEYFERRY_TYPES_H

#ifdef __cplusplus
extern "C" {
#endif

#define KF_SERIAL_MAX		32
#define KF_NONCE_SIZE		32
#define KF_SID_SIZE		16	/* names one establishment, made by the card with its offer */
#define KF_DIGEST_SIZE		32	/* SHA-256 */
#define KF_IV_SIZE		16
#define KF_S1_SIZE		32	/* the session key S1 */
#define KF_CERT_MAX		4096	/* certificate kept on a card */
#define KF_ITEM_MAX		8192	/* one sealed item */
#define KF_ITEMS_MAX		64	/* items under one sid */
#define KF_KID_MAX		255	/* name of a key-encryption key */
#define KF_CHECK_VALUE_SIZE	3	/* of a secret key, CKA_CHECK_VALUE [PKCS#11] */
#define KF_BLOB_MAX		4096	/* one wrapped key; RSA-4096 under RSA-4096 is 2.9 kB */
#define KF_KEY_ID_MAX		32	/* [PKCS#15 CommonObjectAttributes, iD], PKCS#11's CKA_ID */
#define KF_KEY_LABEL_MAX	64	/* bytes of UTF-8, as in PKCS#11's CKA_LABEL */
#define KF_GCM_IV_SIZE		12
#define KF_GCM_TAG_SIZE		16
#define KF_CIPHER_MAX		4096	/* text of one AES operation */
#define KF_CMAC_SIZE		16	/* not cut */
#define KF_CONTAINER_PINS	255	/* in place of a container: what is sealed is about PINs */
#define KF_CONTAINER_SHARED	253	/* in place of a container: the card's SHARED keys */
#define KF_CONTAINER_BATCH	254	/* in place of an offer's: each item names its own */

enum kf_key_type {		/* also bit numbers in kf_card_info.key_types */
	KF_KEY_NONE = 0,
	KF_KEY_RSA_2048 = 1,
	KF_KEY_RSA_3072 = 2,
	KF_KEY_RSA_4096 = 3,
	KF_KEY_EC_P256 = 4,
	KF_KEY_EC_P384 = 5,
	KF_KEY_EC_P521 = 6,
	KF_KEY_X25519 = 7,
	KF_KEY_AES_128 = 8,
	KF_KEY_AES_192 = 9,
	KF_KEY_AES_256 = 10,
	KF_KEY_3DES_112 = 11,
	KF_KEY_3DES_168 = 12,
	KF_KEY_EC_P256K = 13,		/* secp256k1 */
	KF_KEY_OTHER = 31,		/* a key pair that others made, on a curve or of a size not named here */
};

enum kf_purpose {		/* one for the life of a key (SECURITY section 2); also bit numbers */
	KF_PURPOSE_NONE = 0,
	KF_PURPOSE_DEVICE = 1,
	KF_PURPOSE_EXCHANGE = 2,
	KF_PURPOSE_KEK = 3,
	KF_PURPOSE_SHARED = 4,
	KF_PURPOSE_SESSION = 5,
	KF_PURPOSE_SIGN = 6,
	KF_PURPOSE_DECRYPT = 7,
	KF_PURPOSE_DERIVE = 8,
	KF_PURPOSE_CIPHER = 9,
};

enum kf_origin {
	KF_ORIGIN_NONE = 0,
	KF_ORIGIN_GENERATED = 1,	/* on this card, never outside */
	KF_ORIGIN_INJECTED = 2,		/* opened only inside the card, from a known sender */
	KF_ORIGIN_INJECTED_OPEN = 3,	/* opened only inside the card, sender unauthenticated */
	KF_ORIGIN_FACTORY = 4,		/* known outside: loaded by the maker, or under such a key */
	KF_ORIGIN_UNKNOWN = 5,		/* the card cannot tell */
};

enum kf_method {		/* how S1 is established (SECURITY section 9); also bit numbers */
	KF_METHOD_NONE = 0,
	KF_METHOD_SHARED = 1,
	KF_METHOD_RSA = 2,
	KF_METHOD_DERIVED = 3,
	KF_METHOD_ECDH = 4,
};

enum kf_function {		/* what an item is for; also bit numbers */
	KF_FUNCTION_NONE = 0,
	KF_FUNCTION_IMPORT_KEYPAIR = 1,		/* CSF_IMPORT_KEYPAIR */
	KF_FUNCTION_CHANGE_AUTHENTICATOR = 2,	/* CSF_CHANGE_AUTHENTICATOR */
	KF_FUNCTION_AUTHENTICATE = 3,		/* CSF_AUTHENTICATE */
	KF_FUNCTION_IMPORT_SECRET = 4,		/* an AES key */
};

enum kf_hash {			/* also bit numbers */
	KF_HASH_NONE = 0,
	KF_HASH_SHA1 = 1,
	KF_HASH_SHA256 = 2,
	KF_HASH_SHA384 = 3,
	KF_HASH_SHA512 = 4,
};

/* Values and mask bits at once, as in CP_PADDING_SCHEMES (CARD_PADDING_*, not BCRYPT_PAD_*). */
#define KF_PADDING_NONE		0x1u	/* ECDSA, ECDH, CBC without padding; never RSA */
#define KF_PADDING_PKCS1	0x2u
#define KF_PADDING_PSS		0x4u
#define KF_PADDING_OAEP		0x8u
#define KF_PADDING_BLOCK	0x10u	/* block cipher padding, 80 00.. */

/* CP_KEY_IMPORT_SUPPORT, same values. */
#define KF_IMPORT_PLAIN		0x1u
#define KF_IMPORT_RSA		0x2u
#define KF_IMPORT_ECC		0x4u
#define KF_IMPORT_SHARED	0x8u

/* CP_CHAINING_MODES as a mask; one bit is the value of KF_PROP_CHAINING_MODE. */
#define KF_CHAIN_CBC		0x1u
#define KF_CHAIN_ECB		0x2u
#define KF_CHAIN_GCM		0x4u

enum kf_level {			/* the card's attested security level */
	KF_LEVEL_UNKNOWN = 0,
	KF_LEVEL_CHIP = 1,
	KF_LEVEL_VIRTUAL = 2,
};

/* PIN ids are the minidriver's roles. */
#define KF_PIN_USER		1u	/* ROLE_USER */
#define KF_PIN_PUK		2u	/* ROLE_ADMIN; unblocks, never logs in */
#define KF_TRIES_UNKNOWN	0xffu

/*
 * How far a key can be trusted never to have been seen outside (SECURITY section 5): lowest first, but for the last,
 * which came later and stands between C and B.
 */
enum kf_grade {
	KF_GRADE_NONE = 0,
	KF_GRADE_U = 1,			/* unattested */
	KF_GRADE_C = 2,			/* opened by a process on the host */
	KF_GRADE_B = 3,			/* through a channel that ends in card and server */
	KF_GRADE_A_VIRTUAL = 4,		/* as A, by a virtual card */
	KF_GRADE_A = 5,			/* opened only inside the card */
	KF_GRADE_B_VIRTUAL = 6,		/* as B, by a virtual card */
};

#ifdef __cplusplus
}
#endif

#endif
