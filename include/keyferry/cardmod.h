/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keyferry/cardmod.h - The smart card minidriver interface, version 7.07, source compatible: the
 * same names, numbers, layouts and argument orders, over the keyferry broker and server library.
 * What each call does here, and where it differs, is in docs/cardmod.md.
 *
 *	CARD_DATA card = { .dwVersion = CARD_DATA_CURRENT_VERSION, ... };
 *
 *	r = CardAcquireContext(&card, 0);
 *	if (r == SCARD_S_SUCCESS)
 *		r = card.pfnCardAuthenticateEx(&card, ROLE_USER, 0, pin, pin_len, NULL, NULL, NULL);
 *	...
 *	if (r != SCARD_S_SUCCESS)
 *		fprintf(stderr, "%s\n", kf_cardmod_error(&card)->why);
 *	card.pfnCardDeleteContext(&card);
 *
 * Rules that hold for all of it:
 *
 * - Every entry point returns a DWORD: 0, an SCARD_ code, or one of the few ERROR_ codes that the
 *   interface has. Results are written on success; handles, pointers and counts are zeroed first.
 * - Lengths named cb are bytes, also of UTF-16; counts named c are elements.
 * - What the library allocates comes from pfnCspAlloc and goes back, by the caller, to pfnCspFree.
 * - Strings are UTF-16: WCHAR is char16_t and literals are u"...". A wchar_t has 32 bits here, so
 *   programs that say L"..." have to be adapted, or built with -fshort-wchar.
 * - One CARD_DATA belongs to one thread at a time; two know nothing of each other.
 *
 * pcsc-lite's wintypes.h has a DWORD of 64 bits and another number for SCARD_E_UNSUPPORTED_FEATURE:
 * the two headers do not go into one source file.
 */
#ifndef KEYFERRY_CARDMOD_H
#define KEYFERRY_CARDMOD_H

#if defined(__wintypes_h__) || defined(__pcsclite_h__)
#error "keyferry/cardmod.h and pcsc-lite's headers disagree about DWORD and SCARD_ codes"
#endif

#include <keyferry/error.h>

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#ifndef __cplusplus
#include <uchar.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------- types */

typedef uint8_t BYTE, UCHAR, *PBYTE;
typedef uint16_t WORD;
typedef uint32_t DWORD, ULONG, ALG_ID, *PDWORD;
typedef int32_t LONG, BOOL;
typedef char16_t WCHAR, *LPWSTR, *PWSTR;
typedef const char16_t *LPCWSTR;
typedef char *LPSTR;
typedef const char *LPCSTR;
typedef void *PVOID, *LPVOID;
typedef uintptr_t ULONG_PTR;
typedef size_t SIZE_T;
typedef ULONG_PTR SCARDCONTEXT, SCARDHANDLE;
typedef ULONG_PTR CARD_KEY_HANDLE, *PCARD_KEY_HANDLE;	/* a symmetric key; 0 is never one */
typedef DWORD PIN_ID, *PPIN_ID;
typedef DWORD PIN_SET, *PPIN_SET;

#define WINAPI

#ifndef TRUE
#define TRUE 1
#define FALSE 0
#endif

static_assert(sizeof(DWORD) == 4, "DWORD");
static_assert(sizeof(WCHAR) == 2, "WCHAR");

/* ---------------------------------------------------------------- return codes */

#define SCARD_S_SUCCESS			((DWORD)0x00000000)
#define SCARD_F_INTERNAL_ERROR		((DWORD)0x80100001)
#define SCARD_E_CANCELLED		((DWORD)0x80100002)
#define SCARD_E_INVALID_HANDLE		((DWORD)0x80100003)
#define SCARD_E_INVALID_PARAMETER	((DWORD)0x80100004)
#define SCARD_E_INVALID_TARGET		((DWORD)0x80100005)
#define SCARD_E_NO_MEMORY		((DWORD)0x80100006)
#define SCARD_F_WAITED_TOO_LONG		((DWORD)0x80100007)
#define SCARD_E_INSUFFICIENT_BUFFER	((DWORD)0x80100008)
#define SCARD_E_UNKNOWN_READER		((DWORD)0x80100009)
#define SCARD_E_TIMEOUT			((DWORD)0x8010000A)
#define SCARD_E_SHARING_VIOLATION	((DWORD)0x8010000B)
#define SCARD_E_NO_SMARTCARD		((DWORD)0x8010000C)
#define SCARD_E_UNKNOWN_CARD		((DWORD)0x8010000D)
#define SCARD_E_CANT_DISPOSE		((DWORD)0x8010000E)
#define SCARD_E_PROTO_MISMATCH		((DWORD)0x8010000F)
#define SCARD_E_NOT_READY		((DWORD)0x80100010)
#define SCARD_E_INVALID_VALUE		((DWORD)0x80100011)
#define SCARD_E_SYSTEM_CANCELLED	((DWORD)0x80100012)
#define SCARD_F_COMM_ERROR		((DWORD)0x80100013)
#define SCARD_F_UNKNOWN_ERROR		((DWORD)0x80100014)
#define SCARD_E_INVALID_ATR		((DWORD)0x80100015)
#define SCARD_E_NOT_TRANSACTED		((DWORD)0x80100016)
#define SCARD_E_READER_UNAVAILABLE	((DWORD)0x80100017)
#define SCARD_P_SHUTDOWN		((DWORD)0x80100018)
#define SCARD_E_PCI_TOO_SMALL		((DWORD)0x80100019)
#define SCARD_E_READER_UNSUPPORTED	((DWORD)0x8010001A)
#define SCARD_E_DUPLICATE_READER	((DWORD)0x8010001B)
#define SCARD_E_CARD_UNSUPPORTED	((DWORD)0x8010001C)
#define SCARD_E_NO_SERVICE		((DWORD)0x8010001D)
#define SCARD_E_SERVICE_STOPPED		((DWORD)0x8010001E)
#define SCARD_E_UNEXPECTED		((DWORD)0x8010001F)
#define SCARD_E_ICC_INSTALLATION	((DWORD)0x80100020)
#define SCARD_E_ICC_CREATEORDER		((DWORD)0x80100021)
#define SCARD_E_UNSUPPORTED_FEATURE	((DWORD)0x80100022)
#define SCARD_E_DIR_NOT_FOUND		((DWORD)0x80100023)
#define SCARD_E_FILE_NOT_FOUND		((DWORD)0x80100024)
#define SCARD_E_NO_DIR			((DWORD)0x80100025)
#define SCARD_E_NO_FILE			((DWORD)0x80100026)
#define SCARD_E_NO_ACCESS		((DWORD)0x80100027)
#define SCARD_E_WRITE_TOO_MANY		((DWORD)0x80100028)
#define SCARD_E_BAD_SEEK		((DWORD)0x80100029)
#define SCARD_E_INVALID_CHV		((DWORD)0x8010002A)
#define SCARD_E_UNKNOWN_RES_MNG		((DWORD)0x8010002B)
#define SCARD_E_NO_SUCH_CERTIFICATE	((DWORD)0x8010002C)
#define SCARD_E_CERTIFICATE_UNAVAILABLE	((DWORD)0x8010002D)
#define SCARD_E_NO_READERS_AVAILABLE	((DWORD)0x8010002E)
#define SCARD_E_COMM_DATA_LOST		((DWORD)0x8010002F)
#define SCARD_E_NO_KEY_CONTAINER	((DWORD)0x80100030)
#define SCARD_E_SERVER_TOO_BUSY		((DWORD)0x80100031)
#define SCARD_E_PIN_CACHE_EXPIRED	((DWORD)0x80100032)
#define SCARD_E_NO_PIN_CACHE		((DWORD)0x80100033)
#define SCARD_E_READ_ONLY_CARD		((DWORD)0x80100034)
#define SCARD_W_UNSUPPORTED_CARD	((DWORD)0x80100065)
#define SCARD_W_UNRESPONSIVE_CARD	((DWORD)0x80100066)
#define SCARD_W_UNPOWERED_CARD		((DWORD)0x80100067)
#define SCARD_W_RESET_CARD		((DWORD)0x80100068)
#define SCARD_W_REMOVED_CARD		((DWORD)0x80100069)
#define SCARD_W_SECURITY_VIOLATION	((DWORD)0x8010006A)
#define SCARD_W_WRONG_CHV		((DWORD)0x8010006B)
#define SCARD_W_CHV_BLOCKED		((DWORD)0x8010006C)
#define SCARD_W_EOF			((DWORD)0x8010006D)
#define SCARD_W_CANCELLED_BY_USER	((DWORD)0x8010006E)
#define SCARD_W_CARD_NOT_AUTHENTICATED	((DWORD)0x8010006F)
#define SCARD_W_CACHE_ITEM_NOT_FOUND	((DWORD)0x80100070)
#define SCARD_W_CACHE_ITEM_STALE	((DWORD)0x80100071)
#define SCARD_W_CACHE_ITEM_TOO_BIG	((DWORD)0x80100072)

#define ERROR_NOT_ENOUGH_MEMORY		((DWORD)8)
#define ERROR_FILE_EXISTS		((DWORD)80)
#define ERROR_INVALID_PARAMETER		((DWORD)87)
#define ERROR_INSUFFICIENT_BUFFER	((DWORD)122)
#define ERROR_DIR_NOT_EMPTY		((DWORD)145)
#define ERROR_REVISION_MISMATCH		((DWORD)1306)

/* ---------------------------------------------------------------- versions */

#define CARD_DATA_VERSION_FOUR		4
#define CARD_DATA_VERSION_FIVE		5
#define CARD_DATA_VERSION_SIX		6
#define CARD_DATA_VERSION_SEVEN		7
#define CARD_DATA_CURRENT_VERSION	CARD_DATA_VERSION_SEVEN

#define CARD_CAPABILITIES_CURRENT_VERSION	1
#define CONTAINER_INFO_CURRENT_VERSION		1
#define CARD_FILE_INFO_CURRENT_VERSION		1
#define CARD_FREE_SPACE_INFO_CURRENT_VERSION	1
#define CARD_KEY_SIZES_CURRENT_VERSION		1
#define CARD_CACHE_FILE_CURRENT_VERSION		1
#define CARD_RSA_KEY_DECRYPT_INFO_VERSION_ONE	1
#define CARD_RSA_KEY_DECRYPT_INFO_VERSION_TWO	2
#define CARD_RSA_KEY_DECRYPT_INFO_CURRENT_VERSION CARD_RSA_KEY_DECRYPT_INFO_VERSION_TWO
#define CARD_SIGNING_INFO_BASIC_VERSION		1
#define CARD_SIGNING_INFO_CURRENT_VERSION	2
#define CARD_DH_AGREEMENT_INFO_VERSION		2
#define CARD_DERIVE_KEY_VERSION			1
#define CARD_DERIVE_KEY_VERSION_TWO		2
#define CARD_DERIVE_KEY_CURRENT_VERSION		CARD_DERIVE_KEY_VERSION_TWO
#define PIN_INFO_CURRENT_VERSION		6
#define PIN_CACHE_POLICY_CURRENT_VERSION	6
#define CARD_IMPORT_KEYPAIR_VERSION_SEVEN	7
#define CARD_IMPORT_KEYPAIR_CURRENT_VERSION	CARD_IMPORT_KEYPAIR_VERSION_SEVEN
#define CARD_CHANGE_AUTHENTICATOR_VERSION_SEVEN	7
#define CARD_CHANGE_AUTHENTICATOR_CURRENT_VERSION CARD_CHANGE_AUTHENTICATOR_VERSION_SEVEN
#define CARD_CHANGE_AUTHENTICATOR_RESPONSE_VERSION_SEVEN 7
#define CARD_CHANGE_AUTHENTICATOR_RESPONSE_CURRENT_VERSION \
	CARD_CHANGE_AUTHENTICATOR_RESPONSE_VERSION_SEVEN
#define CARD_AUTHENTICATE_VERSION_SEVEN		7
#define CARD_AUTHENTICATE_CURRENT_VERSION	CARD_AUTHENTICATE_VERSION_SEVEN
#define CARD_AUTHENTICATE_RESPONSE_VERSION_SEVEN 7
#define CARD_AUTHENTICATE_RESPONSE_CURRENT_VERSION CARD_AUTHENTICATE_RESPONSE_VERSION_SEVEN

/* ---------------------------------------------------------------- flags and numbers */

#define CARD_SECURE_KEY_INJECTION_NO_CARD_MODE	0x1	/* CardAcquireContext */

#define CARD_KEY_IMPORT_PLAIN_TEXT		0x1	/* bits of CP_KEY_IMPORT_SUPPORT */
#define CARD_KEY_IMPORT_RSA_KEYEST		0x2
#define CARD_KEY_IMPORT_ECC_KEYEST		0x4
#define CARD_KEY_IMPORT_SHARED_SYMMETRIC	0x8

#define CARD_CIPHER_OPERATION			0x1	/* CardGetProperty */
#define CARD_ASYMMETRIC_OPERATION		0x2

#define BCRYPT_BLOCK_PADDING			0x1
#define CARD_BLOCK_PADDING			BCRYPT_BLOCK_PADDING
#define CARD_RETURN_KEY_HANDLE			0x01000000
#define CARD_BUFFER_SIZE_ONLY			0x20000000
#define CARD_PADDING_INFO_PRESENT		0x40000000

/* Two families of which PSS and OAEP are swapped; this interface takes the first. */
#define CARD_PADDING_NONE			0x1
#define CARD_PADDING_PKCS1			0x2
#define CARD_PADDING_PSS			0x4
#define CARD_PADDING_OAEP			0x8
#define BCRYPT_PAD_NONE				0x1
#define BCRYPT_PAD_PKCS1			0x2
#define BCRYPT_PAD_OAEP				0x4
#define BCRYPT_PAD_PSS				0x8
#define BCRYPT_PAD_PKCS1_OPTIONAL_HASH_OID	0x10

#define ROLE_EVERYONE				0
#define ROLE_USER				1
#define ROLE_ADMIN				2
#define MAX_PINS				8
#define PIN_SET_NONE				0x00
#define PIN_SET_ALL_ROLES			0xFF
#define CREATE_PIN_SET(id)			((PIN_SET)1 << (id))
#define SET_PIN(set, id)			((set) |= CREATE_PIN_SET(id))
#define IS_PIN_SET(set, id)			(((set) & CREATE_PIN_SET(id)) != 0)
#define CLEAR_PIN(set, id)			((set) &= ~CREATE_PIN_SET(id))
#define PIN_CHANGE_FLAG_UNBLOCK			0x01
#define PIN_CHANGE_FLAG_CHANGEPIN		0x02
#define CARD_AUTHENTICATE_GENERATE_SESSION_PIN	0x10000000
#define CARD_AUTHENTICATE_SESSION_PIN		0x20000000
#define CARD_PIN_SILENT_CONTEXT			0x00000040
#define CARD_PIN_STRENGTH_PLAINTEXT		0x1
#define CARD_PIN_STRENGTH_SESSION_PIN		0x2
#define CARD_AUTHENTICATE_PIN_CHALLENGE_RESPONSE 1
#define CARD_AUTHENTICATE_PIN_PIN		2
#define CP_CACHE_MODE_GLOBAL_CACHE		1
#define CP_CACHE_MODE_SESSION_ONLY		2
#define CP_CACHE_MODE_NO_CACHE			3
#define PIN_INFO_REQUIRE_SECURE_ENTRY		1

#define AT_KEYEXCHANGE				1
#define AT_SIGNATURE				2
#define AT_ECDSA_P256				3
#define AT_ECDSA_P384				4
#define AT_ECDSA_P521				5
#define AT_ECDHE_P256				6
#define AT_ECDHE_P384				7
#define AT_ECDHE_P521				8
#define CARD_CREATE_CONTAINER_KEY_GEN		1
#define CARD_CREATE_CONTAINER_KEY_IMPORT	2
#define CONTAINER_MAP_VALID_CONTAINER		1
#define CONTAINER_MAP_DEFAULT_CONTAINER		2
#define MAX_CONTAINER_NAME_LEN			39	/* characters, without the NUL */
#define CARD_DATA_VALUE_UNKNOWN			((DWORD)0xFFFFFFFF)
#define SCARD_PROVIDER_CARD_MODULE		0x80000001

#define CALG_RSA_SIGN				0x2400
#define CALG_RSA_KEYX				0xA400

#define KDF_HASH_ALGORITHM			0
#define KDF_SECRET_PREPEND			1
#define KDF_SECRET_APPEND			2

typedef enum {
	InvalidDirAc = 0,
	UserCreateDeleteDirAc = 1,
	AdminCreateDeleteDirAc = 2,
} CARD_DIRECTORY_ACCESS_CONDITION;

typedef enum {
	InvalidAc = 0,
	EveryoneReadUserWriteAc = 1,
	UserWriteExecuteAc = 2,
	EveryoneReadAdminWriteAc = 3,
	UnknownAc = 4,
	UserReadWriteAc = 5,
	AdminReadWriteAc = 6,
} CARD_FILE_ACCESS_CONDITION;

typedef enum {
	AlphaNumericPinType = 0,
	ExternalPinType = 1,
	ChallengeResponsePinType = 2,
	EmptyPinType = 3,
} SECRET_TYPE;

typedef enum {
	AuthenticationPin = 0,
	DigitalSignaturePin = 1,
	EncryptionPin = 2,
	NonRepudiationPin = 3,
	AdministratorPin = 4,
	PrimaryCardPin = 5,
	UnblockOnlyPin = 6,
} SECRET_PURPOSE;

typedef enum {
	PinCacheNormal = 0,
	PinCacheTimed = 1,
	PinCacheNone = 2,
	PinCacheAlwaysPrompt = 3,
} PIN_CACHE_POLICY_TYPE;

/* ---------------------------------------------------------------- names */

/* CardGetProperty, CardSetProperty */
#define CP_KEY_IMPORT_SUPPORT		u"Key Import Support"
#define CP_ENUM_ALGORITHMS		u"Algorithms"
#define CP_PADDING_SCHEMES		u"Padding Schemes"
#define CP_CHAINING_MODES		u"Chaining Modes"
#define CP_CARD_FREE_SPACE		u"Free Space"
#define CP_CARD_CAPABILITIES		u"Capabilities"
#define CP_CARD_KEYSIZES		u"Key Sizes"
#define CP_CARD_READ_ONLY		u"Read Only Mode"
#define CP_CARD_CACHE_MODE		u"Cache Mode"
#define CP_SUPPORTS_WIN_X509_ENROLLMENT	u"Supports Windows x.509 Enrollment"
#define CP_CARD_GUID			u"Card Identifier"
#define CP_CARD_SERIAL_NO		u"Card Serial Number"
#define CP_CARD_PIN_INFO		u"PIN Information"
#define CP_CARD_LIST_PINS		u"PIN List"
#define CP_CARD_AUTHENTICATED_STATE	u"Authenticated State"
#define CP_CARD_PIN_STRENGTH_VERIFY	u"PIN Strength Verify"
#define CP_CARD_PIN_STRENGTH_CHANGE	u"PIN Strength Change"
#define CP_CARD_PIN_STRENGTH_UNBLOCK	u"PIN Strength Unblock"
#define CP_PARENT_WINDOW		u"Parent Window"
#define CP_PIN_CONTEXT_STRING		u"PIN Context String"

/* CardGetContainerProperty, CardSetContainerProperty */
#define CCP_CONTAINER_INFO		u"Container Info"
#define CCP_PIN_IDENTIFIER		u"PIN Identifier"
#define CCP_ASSOCIATED_ECDH_KEY		u"Associated ECDH Key"

/* CardGetKeyProperty, CardSetKeyProperty */
#define CKP_CHAINING_MODE		u"ChainingMode"
#define CKP_INITIALIZATION_VECTOR	u"IV"
#define CKP_BLOCK_LENGTH		u"BlockLength"

/* MDEncryptData, CardProcessEncryptedData */
#define CSF_IMPORT_KEYPAIR		u"Import Key Pair"
#define CSF_CHANGE_AUTHENTICATOR	u"Change Authenticator"
#define CSF_AUTHENTICATE		u"Authenticate"

#define BCRYPT_3DES_112_ALGORITHM	u"3DES_112"
#define BCRYPT_3DES_ALGORITHM		u"3DES"
#define BCRYPT_AES_ALGORITHM		u"AES"
#define BCRYPT_RSA_ALGORITHM		u"RSA"
#define BCRYPT_ECDH_P256_ALGORITHM	u"ECDH_P256"
#define BCRYPT_ECDH_P384_ALGORITHM	u"ECDH_P384"
#define BCRYPT_ECDSA_P256_ALGORITHM	u"ECDSA_P256"
#define BCRYPT_ECDSA_P384_ALGORITHM	u"ECDSA_P384"
#define BCRYPT_ECDSA_P521_ALGORITHM	u"ECDSA_P521"
#define BCRYPT_SHA1_ALGORITHM		u"SHA1"
#define BCRYPT_SHA256_ALGORITHM		u"SHA256"
#define BCRYPT_SHA384_ALGORITHM		u"SHA384"
#define BCRYPT_SHA512_ALGORITHM		u"SHA512"
#define CARD_3DES_112_ALGORITHM		BCRYPT_3DES_112_ALGORITHM
#define CARD_3DES_ALGORITHM		BCRYPT_3DES_ALGORITHM
#define CARD_AES_ALGORITHM		BCRYPT_AES_ALGORITHM

#define BCRYPT_CHAIN_MODE_CBC		u"ChainingModeCBC"
#define BCRYPT_CHAIN_MODE_ECB		u"ChainingModeECB"
#define BCRYPT_CHAIN_MODE_CFB		u"ChainingModeCFB"
#define BCRYPT_CHAIN_MODE_CCM		u"ChainingModeCCM"
#define BCRYPT_CHAIN_MODE_GCM		u"ChainingModeGCM"
#define BCRYPT_CHAIN_MODE_NA		u"ChainingModeN/A"
#define CARD_CHAIN_MODE_CBC		BCRYPT_CHAIN_MODE_CBC

#define BCRYPT_KEY_DATA_BLOB		u"KeyDataBlob"
#define BCRYPT_OPAQUE_KEY_BLOB		u"OpaqueKeyBlob"
#define BCRYPT_AES_WRAP_KEY_BLOB	u"Rfc3565KeyWrapBlob"
#define BCRYPT_RSAPUBLIC_BLOB		u"RSAPUBLICBLOB"
#define BCRYPT_RSAPRIVATE_BLOB		u"RSAPRIVATEBLOB"
#define BCRYPT_RSAFULLPRIVATE_BLOB	u"RSAFULLPRIVATEBLOB"
#define BCRYPT_ECCPUBLIC_BLOB		u"ECCPUBLICBLOB"
#define BCRYPT_ECCPRIVATE_BLOB		u"ECCPRIVATEBLOB"
#define LEGACY_RSAPUBLIC_BLOB		u"CAPIPUBLICBLOB"
#define LEGACY_RSAPRIVATE_BLOB		u"CAPIPRIVATEBLOB"

#define BCRYPT_CHAINING_MODE		u"ChainingMode"
#define BCRYPT_BLOCK_LENGTH		u"BlockLength"
#define BCRYPT_KEY_LENGTH		u"KeyLength"
#define BCRYPT_KEY_LENGTHS		u"KeyLengths"

#define BCRYPT_KDF_HASH			u"HASH"
#define BCRYPT_KDF_HMAC			u"HMAC"
#define BCRYPT_KDF_TLS_PRF		u"TLS_PRF"
#define BCRYPT_KDF_SP80056A_CONCAT	u"SP800_56A_CONCAT"
#define BCRYPT_KDF_RAW_SECRET		u"TRUNCATE"

#define wszCARD_USER_EVERYONE		u"anonymous"
#define wszCARD_USER_USER		u"user"
#define wszCARD_USER_ADMIN		u"admin"

#define szBASE_CSP_DIR			"mscp"
#define szINTERMEDIATE_CERTS_DIR	"mscerts"
#define szCACHE_FILE			"cardcf"
#define szCARD_IDENTIFIER_FILE		"cardid"
#define szCARD_APPLICATIONS_FILE	"cardapps"
#define szCONTAINER_MAP_FILE		"cmapfile"
#define szROOT_STORE_FILE		"msroots"
#define szUSER_SIGNATURE_CERT_PREFIX	"ksc"
#define szUSER_SIGNATURE_PRIVATE_KEY_PREFIX	"kss"
#define szUSER_SIGNATURE_PUBLIC_KEY_PREFIX	"ksp"
#define szUSER_KEYEXCHANGE_CERT_PREFIX	"kxc"
#define szUSER_KEYEXCHANGE_PRIVATE_KEY_PREFIX	"kxs"
#define szUSER_KEYEXCHANGE_PUBLIC_KEY_PREFIX	"kxp"

/* ---------------------------------------------------------------- names of our own */

/*
 * What the interface cannot carry by itself: that the session key is wrapped for a key inside the
 * very card the server means, and that what the card installed is what the server sealed. Files
 * are those of docs/formats.md 8; docs/cardmod.md says who sets and gets what, and when.
 */

/*
 * Of a container: the offer is by the key in it. Of the card: by a fresh key that ends with the offer,
 * or by a key that the maker loaded; then CardGetSharedKeyHandle takes what comes back.
 */
/* Container and card property, set and get: the server's challenge, 32 bytes. Key property in no-card
 * mode, set and get. */
#define KF_NONCE_PROPERTY		u"KF Nonce"
/* Container and card property, set and get: DWORD, the container the sealed key shall go to, or
 * KF_TARGET_PINS. */
#define KF_TARGET_PROPERTY		u"KF Target"
#define KF_TARGET_PINS			255	/* none: what comes is an order about a PIN */
/* Card property and key property in no-card mode, set and get: DWORD, how S1 is established. */
#define KF_METHOD_PROPERTY		u"KF Method"
#define KF_METHOD_PROPERTY_SHARED	1	/* from a key that card and server share */
#define KF_METHOD_PROPERTY_RSA		2	/* wrapped for the card's RSA key */
#define KF_METHOD_PROPERTY_DERIVED	3	/* from such a shared key and challenges of both */
#define KF_METHOD_PROPERTY_ECDH		4	/* by Diffie-Hellman with the card's EC key */
/* Container and card property, get: the offer file. Key property in no-card mode, set: verifies one. */
#define KF_STATEMENT_PROPERTY		u"KF Statement"
/* Container, card and key property, get: the OAEP label, SHA-256 of the statement, 32 bytes. */
#define KF_LABEL_PROPERTY		u"KF Label"
/* Key properties in no-card mode, set before KF Statement; certificates and list DER or PEM. */
#define KF_DEVICE_PROPERTY		u"KF Device Certificate"
#define KF_ROOT_PROPERTY		u"KF Root Certificate"
#define KF_CRL_PROPERTY			u"KF Revocation List"
#define KF_VIRTUAL_PROPERTY		u"KF Allow Virtual"	/* DWORD, 0 or 1 */
#define KF_INJECTOR_PROPERTY		u"KF Injector Key"	/* PEM, not encrypted */
#define KF_MASTER_PROPERTY		u"KF Master Key"	/* of shared keys, 32 bytes */
/* Key property in no-card mode, set and get, before an order about a PIN is sealed: DWORD, 1 to 127. */
#define KF_LEAST_TRIES_PROPERTY		u"KF Least Tries"
/* Key property in no-card mode, get, once the statement is verified: what the card needs to have S1
 * too, for CardImportSessionKey (method 2: S1 wrapped) or CardGetSharedKeyHandle. */
#define KF_SESSION_KEY_PROPERTY		u"KF Session Key"
/* Key properties in no-card mode, get, of method 4: the same in two pieces, for CardConstructDHAgreement
 * (an ECCPUBLICBLOB) and CardDeriveKey (16 bytes). */
#define KF_PUBLIC_KEY_PROPERTY		u"KF Public Key"
#define KF_CONFIRMATION_PROPERTY	u"KF Confirmation"
/* Key property in no-card mode, get, after MDEncryptData: the ticket; never given away. */
#define KF_TICKET_PROPERTY		u"KF Ticket"
/* Key property, get after CardProcessEncryptedData: the receipt file; in no-card mode, set:
 * verifies one against the ticket. */
#define KF_RECEIPT_PROPERTY		u"KF Receipt"

/* pwszKDF of CardDeriveKey with CARD_RETURN_KEY_HANDLE, and its one parameter: the server's KF
 * Confirmation. */
#define KF_KDF_ECDH			u"KF ECDH"
#define KF_KDF_CONFIRMATION		0x4B46

/* pwszCardName in no-card mode, where no card says which driver is meant. */
#define KF_CARD_NAME			u"keyferry"

/* ---------------------------------------------------------------- structures */

/* Natural alignment, no packing; with 64-bit pointers these are the offsets of 64-bit Windows. */
#if UINTPTR_MAX == 0xffffffffffffffff
#define KF_LAYOUT(type, member, offset) \
	static_assert(offsetof(type, member) == (offset), #type "." #member)
#define KF_SIZE(type, size) static_assert(sizeof(type) == (size), #type)
#else
#define KF_LAYOUT(type, member, offset) static_assert(1, "64-bit layout")
#define KF_SIZE(type, size) static_assert(1, "64-bit layout")
#endif

typedef struct {
	PBYTE pbEncryptedData;
	DWORD cbEncryptedData;
} CARD_ENCRYPTED_DATA, *PCARD_ENCRYPTED_DATA;

KF_LAYOUT(CARD_ENCRYPTED_DATA, cbEncryptedData, 8);
KF_SIZE(CARD_ENCRYPTED_DATA, 16);

__extension__ typedef struct {
	DWORD dwVersion;
	BYTE bContainerIndex;
	PIN_ID PinId;
	DWORD dwKeySpec;
	DWORD dwKeySize;		/* bits */
	DWORD cbInput;
	BYTE pbInput[];	/* key blob, as for CardCreateContainerEx */
} CARD_IMPORT_KEYPAIR, *PCARD_IMPORT_KEYPAIR;

KF_LAYOUT(CARD_IMPORT_KEYPAIR, bContainerIndex, 4);
KF_LAYOUT(CARD_IMPORT_KEYPAIR, PinId, 8);
KF_LAYOUT(CARD_IMPORT_KEYPAIR, dwKeySpec, 12);
KF_LAYOUT(CARD_IMPORT_KEYPAIR, dwKeySize, 16);
KF_LAYOUT(CARD_IMPORT_KEYPAIR, cbInput, 20);
KF_LAYOUT(CARD_IMPORT_KEYPAIR, pbInput, 24);
KF_SIZE(CARD_IMPORT_KEYPAIR, 24);

__extension__ typedef struct {
	DWORD dwVersion;
	DWORD dwFlags;
	PIN_ID dwAuthenticatingPinId;
	DWORD cbAuthenticatingPinData;
	PIN_ID dwTargetPinId;
	DWORD cbTargetData;
	DWORD cRetryCount;
	BYTE pbData[];	/* authenticating PIN, then target data */
} CARD_CHANGE_AUTHENTICATOR, *PCARD_CHANGE_AUTHENTICATOR;

KF_LAYOUT(CARD_CHANGE_AUTHENTICATOR, dwFlags, 4);
KF_LAYOUT(CARD_CHANGE_AUTHENTICATOR, dwAuthenticatingPinId, 8);
KF_LAYOUT(CARD_CHANGE_AUTHENTICATOR, cbAuthenticatingPinData, 12);
KF_LAYOUT(CARD_CHANGE_AUTHENTICATOR, dwTargetPinId, 16);
KF_LAYOUT(CARD_CHANGE_AUTHENTICATOR, cbTargetData, 20);
KF_LAYOUT(CARD_CHANGE_AUTHENTICATOR, cRetryCount, 24);
KF_LAYOUT(CARD_CHANGE_AUTHENTICATOR, pbData, 28);
KF_SIZE(CARD_CHANGE_AUTHENTICATOR, 28);

typedef struct {
	DWORD dwVersion;
	DWORD cAttemptsRemaining;
} CARD_CHANGE_AUTHENTICATOR_RESPONSE, *PCARD_CHANGE_AUTHENTICATOR_RESPONSE;

KF_LAYOUT(CARD_CHANGE_AUTHENTICATOR_RESPONSE, cAttemptsRemaining, 4);
KF_SIZE(CARD_CHANGE_AUTHENTICATOR_RESPONSE, 8);

__extension__ typedef struct {
	DWORD dwVersion;
	DWORD dwFlags;
	PIN_ID PinId;
	DWORD cbPinData;
	BYTE pbPinData[];
} CARD_AUTHENTICATE, *PCARD_AUTHENTICATE;

KF_LAYOUT(CARD_AUTHENTICATE, dwFlags, 4);
KF_LAYOUT(CARD_AUTHENTICATE, PinId, 8);
KF_LAYOUT(CARD_AUTHENTICATE, cbPinData, 12);
KF_LAYOUT(CARD_AUTHENTICATE, pbPinData, 16);
KF_SIZE(CARD_AUTHENTICATE, 16);

__extension__ typedef struct {
	DWORD dwVersion;
	DWORD cbSessionPin;
	DWORD cAttemptsRemaining;
	BYTE pbSessionPin[];
} CARD_AUTHENTICATE_RESPONSE, *PCARD_AUTHENTICATE_RESPONSE;

KF_LAYOUT(CARD_AUTHENTICATE_RESPONSE, cbSessionPin, 4);
KF_LAYOUT(CARD_AUTHENTICATE_RESPONSE, cAttemptsRemaining, 8);
KF_LAYOUT(CARD_AUTHENTICATE_RESPONSE, pbSessionPin, 12);
KF_SIZE(CARD_AUTHENTICATE_RESPONSE, 12);

typedef struct {
	DWORD dwVersion;
	DWORD dwReserved;
	DWORD cbSigPublicKey;
	PBYTE pbSigPublicKey;		/* to pfnCspFree */
	DWORD cbKeyExPublicKey;
	PBYTE pbKeyExPublicKey;		/* to pfnCspFree */
} CONTAINER_INFO, *PCONTAINER_INFO;

KF_LAYOUT(CONTAINER_INFO, dwReserved, 4);
KF_LAYOUT(CONTAINER_INFO, cbSigPublicKey, 8);
KF_LAYOUT(CONTAINER_INFO, pbSigPublicKey, 16);
KF_LAYOUT(CONTAINER_INFO, cbKeyExPublicKey, 24);
KF_LAYOUT(CONTAINER_INFO, pbKeyExPublicKey, 32);
KF_SIZE(CONTAINER_INFO, 40);

typedef struct {
	DWORD dwVersion;
	BOOL fCertificateCompression;
	BOOL fKeyGen;
} CARD_CAPABILITIES, *PCARD_CAPABILITIES;

KF_LAYOUT(CARD_CAPABILITIES, fCertificateCompression, 4);
KF_LAYOUT(CARD_CAPABILITIES, fKeyGen, 8);
KF_SIZE(CARD_CAPABILITIES, 12);

typedef struct {
	DWORD dwVersion;
	DWORD dwBytesAvailable;
	DWORD dwKeyContainersAvailable;
	DWORD dwMaxKeyContainers;
} CARD_FREE_SPACE_INFO, *PCARD_FREE_SPACE_INFO;

KF_LAYOUT(CARD_FREE_SPACE_INFO, dwBytesAvailable, 4);
KF_LAYOUT(CARD_FREE_SPACE_INFO, dwKeyContainersAvailable, 8);
KF_LAYOUT(CARD_FREE_SPACE_INFO, dwMaxKeyContainers, 12);
KF_SIZE(CARD_FREE_SPACE_INFO, 16);

typedef struct {
	DWORD dwVersion;
	DWORD dwMinimumBitlen;
	DWORD dwDefaultBitlen;
	DWORD dwMaximumBitlen;
	DWORD dwIncrementalBitlen;
} CARD_KEY_SIZES, *PCARD_KEY_SIZES;

KF_LAYOUT(CARD_KEY_SIZES, dwMinimumBitlen, 4);
KF_LAYOUT(CARD_KEY_SIZES, dwDefaultBitlen, 8);
KF_LAYOUT(CARD_KEY_SIZES, dwMaximumBitlen, 12);
KF_LAYOUT(CARD_KEY_SIZES, dwIncrementalBitlen, 16);
KF_SIZE(CARD_KEY_SIZES, 20);

typedef struct {
	DWORD dwVersion;
	DWORD cbFileSize;
	CARD_FILE_ACCESS_CONDITION AccessCondition;
} CARD_FILE_INFO, *PCARD_FILE_INFO;

KF_LAYOUT(CARD_FILE_INFO, cbFileSize, 4);
KF_LAYOUT(CARD_FILE_INFO, AccessCondition, 8);
KF_SIZE(CARD_FILE_INFO, 12);

typedef struct {
	DWORD dwVersion;
	PIN_CACHE_POLICY_TYPE PinCachePolicyType;
	DWORD dwPinCachePolicyInfo;	/* seconds, for PinCacheTimed */
} PIN_CACHE_POLICY, *PPIN_CACHE_POLICY;

KF_LAYOUT(PIN_CACHE_POLICY, PinCachePolicyType, 4);
KF_LAYOUT(PIN_CACHE_POLICY, dwPinCachePolicyInfo, 8);
KF_SIZE(PIN_CACHE_POLICY, 12);

typedef struct {
	DWORD dwVersion;
	SECRET_TYPE PinType;
	SECRET_PURPOSE PinPurpose;
	PIN_SET dwChangePermission;
	PIN_SET dwUnblockPermission;
	PIN_CACHE_POLICY PinCachePolicy;
	DWORD dwFlags;
} PIN_INFO, *PPIN_INFO;

KF_LAYOUT(PIN_INFO, PinType, 4);
KF_LAYOUT(PIN_INFO, PinPurpose, 8);
KF_LAYOUT(PIN_INFO, dwChangePermission, 12);
KF_LAYOUT(PIN_INFO, dwUnblockPermission, 16);
KF_LAYOUT(PIN_INFO, PinCachePolicy, 20);
KF_LAYOUT(PIN_INFO, dwFlags, 32);
KF_SIZE(PIN_INFO, 36);

typedef struct {
	DWORD dwVersion;
	BYTE bContainerIndex;
	DWORD dwKeySpec;
	PBYTE pbData;
	DWORD cbData;
	LPVOID pPaddingInfo;		/* from here on version 2 */
	DWORD dwPaddingType;
} CARD_RSA_DECRYPT_INFO, *PCARD_RSA_DECRYPT_INFO;

KF_LAYOUT(CARD_RSA_DECRYPT_INFO, bContainerIndex, 4);
KF_LAYOUT(CARD_RSA_DECRYPT_INFO, dwKeySpec, 8);
KF_LAYOUT(CARD_RSA_DECRYPT_INFO, pbData, 16);
KF_LAYOUT(CARD_RSA_DECRYPT_INFO, cbData, 24);
KF_LAYOUT(CARD_RSA_DECRYPT_INFO, pPaddingInfo, 32);
KF_LAYOUT(CARD_RSA_DECRYPT_INFO, dwPaddingType, 40);
KF_SIZE(CARD_RSA_DECRYPT_INFO, 48);

typedef struct {
	DWORD dwVersion;
	BYTE bContainerIndex;
	DWORD dwKeySpec;
	DWORD dwSigningFlags;
	ALG_ID aiHashAlg;
	PBYTE pbData;
	DWORD cbData;
	PBYTE pbSignedData;
	DWORD cbSignedData;
	LPVOID pPaddingInfo;		/* from here on version 2 */
	DWORD dwPaddingType;
} CARD_SIGNING_INFO, *PCARD_SIGNING_INFO;

KF_LAYOUT(CARD_SIGNING_INFO, bContainerIndex, 4);
KF_LAYOUT(CARD_SIGNING_INFO, dwKeySpec, 8);
KF_LAYOUT(CARD_SIGNING_INFO, dwSigningFlags, 12);
KF_LAYOUT(CARD_SIGNING_INFO, aiHashAlg, 16);
KF_LAYOUT(CARD_SIGNING_INFO, pbData, 24);
KF_LAYOUT(CARD_SIGNING_INFO, cbData, 32);
KF_LAYOUT(CARD_SIGNING_INFO, pbSignedData, 40);
KF_LAYOUT(CARD_SIGNING_INFO, cbSignedData, 48);
KF_LAYOUT(CARD_SIGNING_INFO, pPaddingInfo, 56);
KF_LAYOUT(CARD_SIGNING_INFO, dwPaddingType, 64);
KF_SIZE(CARD_SIGNING_INFO, 72);

typedef struct {
	DWORD dwVersion;
	BYTE bContainerIndex;
	DWORD dwFlags;
	DWORD dwPublicKey;		/* length of the next */
	PBYTE pbPublicKey;
	PBYTE pbReserved;
	DWORD cbReserved;
	BYTE bSecretAgreementIndex;	/* out */
} CARD_DH_AGREEMENT_INFO, *PCARD_DH_AGREEMENT_INFO;

KF_LAYOUT(CARD_DH_AGREEMENT_INFO, bContainerIndex, 4);
KF_LAYOUT(CARD_DH_AGREEMENT_INFO, dwFlags, 8);
KF_LAYOUT(CARD_DH_AGREEMENT_INFO, dwPublicKey, 12);
KF_LAYOUT(CARD_DH_AGREEMENT_INFO, pbPublicKey, 16);
KF_LAYOUT(CARD_DH_AGREEMENT_INFO, pbReserved, 24);
KF_LAYOUT(CARD_DH_AGREEMENT_INFO, cbReserved, 32);
KF_LAYOUT(CARD_DH_AGREEMENT_INFO, bSecretAgreementIndex, 36);
KF_SIZE(CARD_DH_AGREEMENT_INFO, 40);

typedef struct {
	DWORD dwVersion;
	DWORD dwFlags;
	LPWSTR pwszKDF;
	BYTE bSecretAgreementIndex;
	PVOID pParameterList;
	PBYTE pbDerivedKey;
	DWORD cbDerivedKey;
	LPWSTR pwszAlgId;		/* from here on version 2 */
	DWORD dwKeyLen;			/* bits */
	CARD_KEY_HANDLE hKey;
} CARD_DERIVE_KEY, *PCARD_DERIVE_KEY;

KF_LAYOUT(CARD_DERIVE_KEY, dwFlags, 4);
KF_LAYOUT(CARD_DERIVE_KEY, pwszKDF, 8);
KF_LAYOUT(CARD_DERIVE_KEY, bSecretAgreementIndex, 16);
KF_LAYOUT(CARD_DERIVE_KEY, pParameterList, 24);
KF_LAYOUT(CARD_DERIVE_KEY, pbDerivedKey, 32);
KF_LAYOUT(CARD_DERIVE_KEY, cbDerivedKey, 40);
KF_LAYOUT(CARD_DERIVE_KEY, pwszAlgId, 48);
KF_LAYOUT(CARD_DERIVE_KEY, dwKeyLen, 56);
KF_LAYOUT(CARD_DERIVE_KEY, hKey, 64);
KF_SIZE(CARD_DERIVE_KEY, 72);

/* What pParameterList points to. */
typedef struct {
	ULONG cbBuffer;
	ULONG BufferType;		/* a KDF_ number, or KF_KDF_CONFIRMATION */
	PVOID pvBuffer;
} BCryptBuffer, *PBCryptBuffer;

KF_LAYOUT(BCryptBuffer, BufferType, 4);
KF_LAYOUT(BCryptBuffer, pvBuffer, 8);
KF_SIZE(BCryptBuffer, 16);

#define BCRYPTBUFFER_VERSION		0

typedef struct {
	ULONG ulVersion;
	ULONG cBuffers;
	PBCryptBuffer pBuffers;
} BCryptBufferDesc, *PBCryptBufferDesc;

KF_LAYOUT(BCryptBufferDesc, cBuffers, 4);
KF_LAYOUT(BCryptBufferDesc, pBuffers, 8);
KF_SIZE(BCryptBufferDesc, 16);

typedef struct {
	LPCWSTR pszAlgId;
} BCRYPT_PKCS1_PADDING_INFO;

KF_SIZE(BCRYPT_PKCS1_PADDING_INFO, 8);

typedef struct {
	LPCWSTR pszAlgId;
	PBYTE pbLabel;
	ULONG cbLabel;
} BCRYPT_OAEP_PADDING_INFO;

KF_LAYOUT(BCRYPT_OAEP_PADDING_INFO, pbLabel, 8);
KF_LAYOUT(BCRYPT_OAEP_PADDING_INFO, cbLabel, 16);
KF_SIZE(BCRYPT_OAEP_PADDING_INFO, 24);

typedef struct {
	LPCWSTR pszAlgId;
	ULONG cbSalt;
} BCRYPT_PSS_PADDING_INFO;

KF_LAYOUT(BCRYPT_PSS_PADDING_INFO, cbSalt, 8);
KF_SIZE(BCRYPT_PSS_PADDING_INFO, 16);

/* Key blobs: these headers, then the numbers. */
#define BCRYPT_KEY_DATA_BLOB_MAGIC	0x4D42444B	/* KDBM */
#define BCRYPT_KEY_DATA_BLOB_VERSION1	1
#define BCRYPT_RSAPUBLIC_MAGIC		0x31415352	/* RSA1 */
#define BCRYPT_RSAPRIVATE_MAGIC		0x32415352	/* RSA2 */
#define BCRYPT_RSAFULLPRIVATE_MAGIC	0x33415352	/* RSA3 */
#define BCRYPT_ECDSA_PUBLIC_P256_MAGIC	0x31534345	/* ECS1 */
#define BCRYPT_ECDSA_PRIVATE_P256_MAGIC	0x32534345
#define BCRYPT_ECDSA_PUBLIC_P384_MAGIC	0x33534345
#define BCRYPT_ECDSA_PRIVATE_P384_MAGIC	0x34534345
#define BCRYPT_ECDSA_PUBLIC_P521_MAGIC	0x35534345
#define BCRYPT_ECDSA_PRIVATE_P521_MAGIC	0x36534345
#define BCRYPT_ECDH_PUBLIC_P256_MAGIC	0x314B4345	/* ECK1 */
#define BCRYPT_ECDH_PRIVATE_P256_MAGIC	0x324B4345
#define BCRYPT_ECDH_PUBLIC_P384_MAGIC	0x334B4345
#define BCRYPT_ECDH_PRIVATE_P384_MAGIC	0x344B4345
#define BCRYPT_ECDH_PUBLIC_P521_MAGIC	0x354B4345
#define BCRYPT_ECDH_PRIVATE_P521_MAGIC	0x364B4345
#define SIMPLEBLOB			0x01
#define PUBLICKEYBLOB			0x06
#define PRIVATEKEYBLOB			0x07
#define PLAINTEXTKEYBLOB		0x08
#define CUR_BLOB_VERSION		0x02

typedef struct {
	ULONG dwMagic;
	ULONG dwVersion;
	ULONG cbKeyData;
} BCRYPT_KEY_DATA_BLOB_HEADER;

KF_LAYOUT(BCRYPT_KEY_DATA_BLOB_HEADER, dwVersion, 4);
KF_LAYOUT(BCRYPT_KEY_DATA_BLOB_HEADER, cbKeyData, 8);
KF_SIZE(BCRYPT_KEY_DATA_BLOB_HEADER, 12);

typedef struct {
	ULONG Magic;
	ULONG BitLength;
	ULONG cbPublicExp;
	ULONG cbModulus;
	ULONG cbPrime1;
	ULONG cbPrime2;
} BCRYPT_RSAKEY_BLOB;

KF_LAYOUT(BCRYPT_RSAKEY_BLOB, BitLength, 4);
KF_LAYOUT(BCRYPT_RSAKEY_BLOB, cbPublicExp, 8);
KF_LAYOUT(BCRYPT_RSAKEY_BLOB, cbModulus, 12);
KF_LAYOUT(BCRYPT_RSAKEY_BLOB, cbPrime1, 16);
KF_LAYOUT(BCRYPT_RSAKEY_BLOB, cbPrime2, 20);
KF_SIZE(BCRYPT_RSAKEY_BLOB, 24);

typedef struct {
	ULONG dwMagic;
	ULONG cbKey;			/* bytes of one coordinate */
} BCRYPT_ECCKEY_BLOB;

KF_LAYOUT(BCRYPT_ECCKEY_BLOB, cbKey, 4);
KF_SIZE(BCRYPT_ECCKEY_BLOB, 8);

typedef struct {
	BYTE bType;
	BYTE bVersion;
	WORD reserved;
	ALG_ID aiKeyAlg;
} BLOBHEADER, PUBLICKEYSTRUC;

KF_LAYOUT(BLOBHEADER, bVersion, 1);
KF_LAYOUT(BLOBHEADER, reserved, 2);
KF_LAYOUT(BLOBHEADER, aiKeyAlg, 4);
KF_SIZE(BLOBHEADER, 8);

typedef struct {
	DWORD magic;
	DWORD bitlen;
	DWORD pubexp;
} RSAPUBKEY;

KF_LAYOUT(RSAPUBKEY, bitlen, 4);
KF_LAYOUT(RSAPUBKEY, pubexp, 8);
KF_SIZE(RSAPUBKEY, 12);

/* KeyLengths of CardGetAlgorithmProperty; bits. */
typedef struct {
	ULONG dwMinLength;
	ULONG dwMaxLength;
	ULONG dwIncrement;
} BCRYPT_KEY_LENGTHS_STRUCT;

KF_LAYOUT(BCRYPT_KEY_LENGTHS_STRUCT, dwMaxLength, 4);
KF_LAYOUT(BCRYPT_KEY_LENGTHS_STRUCT, dwIncrement, 8);
KF_SIZE(BCRYPT_KEY_LENGTHS_STRUCT, 12);

/* Files on the card */
typedef struct {
	WCHAR wszGuid[MAX_CONTAINER_NAME_LEN + 1];
	BYTE bFlags;			/* CONTAINER_MAP_ bits */
	BYTE bReserved;
	WORD wSigKeySizeBits;
	WORD wKeyExchangeKeySizeBits;
} CONTAINER_MAP_RECORD, *PCONTAINER_MAP_RECORD;

KF_LAYOUT(CONTAINER_MAP_RECORD, bFlags, 80);
KF_LAYOUT(CONTAINER_MAP_RECORD, bReserved, 81);
KF_LAYOUT(CONTAINER_MAP_RECORD, wSigKeySizeBits, 82);
KF_LAYOUT(CONTAINER_MAP_RECORD, wKeyExchangeKeySizeBits, 84);
KF_SIZE(CONTAINER_MAP_RECORD, 86);

typedef struct {
	BYTE bVersion;
	BYTE bPinsFreshness;
	WORD wContainersFreshness;
	WORD wFilesFreshness;
} CARD_CACHE_FILE_FORMAT, *PCARD_CACHE_FILE_FORMAT;

KF_LAYOUT(CARD_CACHE_FILE_FORMAT, bPinsFreshness, 1);
KF_LAYOUT(CARD_CACHE_FILE_FORMAT, wContainersFreshness, 2);
KF_LAYOUT(CARD_CACHE_FILE_FORMAT, wFilesFreshness, 4);
KF_SIZE(CARD_CACHE_FILE_FORMAT, 6);

/* ---------------------------------------------------------------- entry points */

typedef struct CARD_DATA CARD_DATA, *PCARD_DATA;

/* The caller's callbacks. */
typedef LPVOID (WINAPI *PFN_CSP_ALLOC)(SIZE_T Size);
typedef LPVOID (WINAPI *PFN_CSP_REALLOC)(LPVOID Address, SIZE_T Size);
typedef void (WINAPI *PFN_CSP_FREE)(LPVOID Address);
typedef DWORD (WINAPI *PFN_CSP_CACHE_ADD_FILE)(PVOID pvCacheContext, LPWSTR wszTag, DWORD dwFlags,
					       PBYTE pbData, DWORD cbData);
typedef DWORD (WINAPI *PFN_CSP_CACHE_LOOKUP_FILE)(PVOID pvCacheContext, LPWSTR wszTag,
						  DWORD dwFlags, PBYTE *ppbData, PDWORD pcbData);
typedef DWORD (WINAPI *PFN_CSP_CACHE_DELETE_FILE)(PVOID pvCacheContext, LPWSTR wszTag,
						  DWORD dwFlags);
typedef DWORD (WINAPI *PFN_CSP_PAD_DATA)(PCARD_SIGNING_INFO pSigningInfo, DWORD cbMaxWidth,
					 DWORD *pcbPaddedBuffer, PBYTE *ppbPaddedBuffer);
typedef DWORD (WINAPI *PFN_CSP_UNPAD_DATA)(PCARD_RSA_DECRYPT_INFO pRSADecryptInfo,
					   DWORD *pcbUnpaddedData, PBYTE *ppbUnpaddedData);
typedef DWORD (WINAPI *PFN_CSP_GET_DH_AGREEMENT)(PCARD_DATA pCardData, PVOID hSecretAgreement,
						 BYTE *pbSecretAgreementIndex, DWORD dwFlags);

/* Contexts and what a card is. */
typedef DWORD (WINAPI *PFN_CARD_ACQUIRE_CONTEXT)(PCARD_DATA pCardData, DWORD dwFlags);
typedef DWORD (WINAPI *PFN_CARD_DELETE_CONTEXT)(PCARD_DATA pCardData);
typedef DWORD (WINAPI *PFN_CARD_QUERY_CAPABILITIES)(PCARD_DATA pCardData,
						    PCARD_CAPABILITIES pCardCapabilities);
typedef DWORD (WINAPI *PFN_CARD_QUERY_FREE_SPACE)(PCARD_DATA pCardData, DWORD dwFlags,
						  PCARD_FREE_SPACE_INFO pCardFreeSpaceInfo);
typedef DWORD (WINAPI *PFN_CARD_QUERY_KEY_SIZES)(PCARD_DATA pCardData, DWORD dwKeySpec,
						 DWORD dwFlags, PCARD_KEY_SIZES pKeySizes);
typedef DWORD (WINAPI *PFN_CARD_GET_PROPERTY)(PCARD_DATA pCardData, LPCWSTR wszProperty,
					      PBYTE pbData, DWORD cbData, PDWORD pdwDataLen,
					      DWORD dwFlags);
typedef DWORD (WINAPI *PFN_CARD_SET_PROPERTY)(PCARD_DATA pCardData, LPCWSTR wszProperty,
					      PBYTE pbData, DWORD cbDataLen, DWORD dwFlags);

/* Containers. */
typedef DWORD (WINAPI *PFN_CARD_DELETE_CONTAINER)(PCARD_DATA pCardData, BYTE bContainerIndex,
						  DWORD dwReserved);
typedef DWORD (WINAPI *PFN_CARD_CREATE_CONTAINER)(PCARD_DATA pCardData, BYTE bContainerIndex,
						  DWORD dwFlags, DWORD dwKeySpec, DWORD dwKeySize,
						  PBYTE pbKeyData);
typedef DWORD (WINAPI *PFN_CARD_CREATE_CONTAINER_EX)(PCARD_DATA pCardData, BYTE bContainerIndex,
						     DWORD dwFlags, DWORD dwKeySpec,
						     DWORD dwKeySize, PBYTE pbKeyData,
						     PIN_ID PinId);
typedef DWORD (WINAPI *PFN_CARD_GET_CONTAINER_INFO)(PCARD_DATA pCardData, BYTE bContainerIndex,
						    DWORD dwFlags, PCONTAINER_INFO pContainerInfo);
typedef DWORD (WINAPI *PFN_CARD_GET_CONTAINER_PROPERTY)(PCARD_DATA pCardData, BYTE bContainerIndex,
							LPCWSTR wszProperty, PBYTE pbData,
							DWORD cbData, PDWORD pdwDataLen,
							DWORD dwFlags);
typedef DWORD (WINAPI *PFN_CARD_SET_CONTAINER_PROPERTY)(PCARD_DATA pCardData, BYTE bContainerIndex,
							LPCWSTR wszProperty, PBYTE pbData,
							DWORD cbDataLen, DWORD dwFlags);

/* PINs. */
typedef DWORD (WINAPI *PFN_CARD_AUTHENTICATE_PIN)(PCARD_DATA pCardData, LPCWSTR pwszUserId,
						  PBYTE pbPin, DWORD cbPin,
						  PDWORD pcAttemptsRemaining);
typedef DWORD (WINAPI *PFN_CARD_GET_CHALLENGE)(PCARD_DATA pCardData, PBYTE *ppbChallengeData,
					       PDWORD pcbChallengeData);
typedef DWORD (WINAPI *PFN_CARD_AUTHENTICATE_CHALLENGE)(PCARD_DATA pCardData, PBYTE pbResponseData,
							DWORD cbResponseData,
							PDWORD pcAttemptsRemaining);
typedef DWORD (WINAPI *PFN_CARD_UNBLOCK_PIN)(PCARD_DATA pCardData, LPCWSTR pwszUserId,
					     PBYTE pbAuthenticationData,
					     DWORD cbAuthenticationData, PBYTE pbNewPinData,
					     DWORD cbNewPinData, DWORD cRetryCount, DWORD dwFlags);
typedef DWORD (WINAPI *PFN_CARD_CHANGE_AUTHENTICATOR)(PCARD_DATA pCardData, LPCWSTR pwszUserId,
						      PBYTE pbCurrentAuthenticator,
						      DWORD cbCurrentAuthenticator,
						      PBYTE pbNewAuthenticator,
						      DWORD cbNewAuthenticator, DWORD cRetryCount,
						      DWORD dwFlags, PDWORD pcAttemptsRemaining);
typedef DWORD (WINAPI *PFN_CARD_DEAUTHENTICATE)(PCARD_DATA pCardData, LPCWSTR pwszUserId,
						DWORD dwFlags);
typedef DWORD (WINAPI *PFN_CARD_GET_CHALLENGE_EX)(PCARD_DATA pCardData, PIN_ID PinId,
						  PBYTE *ppbChallengeData, PDWORD pcbChallengeData,
						  DWORD dwFlags);
typedef DWORD (WINAPI *PFN_CARD_AUTHENTICATE_EX)(PCARD_DATA pCardData, PIN_ID PinId, DWORD dwFlags,
						 PBYTE pbPinData, DWORD cbPinData,
						 PBYTE *ppbSessionPin, PDWORD pcbSessionPin,
						 PDWORD pcAttemptsRemaining);
typedef DWORD (WINAPI *PFN_CARD_CHANGE_AUTHENTICATOR_EX)(PCARD_DATA pCardData, DWORD dwFlags,
							 PIN_ID dwAuthenticatingPinId,
							 PBYTE pbAuthenticatingPinData,
							 DWORD cbAuthenticatingPinData,
							 PIN_ID dwTargetPinId, PBYTE pbTargetData,
							 DWORD cbTargetData, DWORD cRetryCount,
							 PDWORD pcAttemptsRemaining);
typedef DWORD (WINAPI *PFN_CARD_DEAUTHENTICATE_EX)(PCARD_DATA pCardData, PIN_SET PinId,
						   DWORD dwFlags);

/* Files. */
typedef DWORD (WINAPI *PFN_CARD_CREATE_DIRECTORY)(PCARD_DATA pCardData, LPSTR pszDirectoryName,
						  CARD_DIRECTORY_ACCESS_CONDITION AccessCondition);
typedef DWORD (WINAPI *PFN_CARD_DELETE_DIRECTORY)(PCARD_DATA pCardData, LPSTR pszDirectoryName);
typedef DWORD (WINAPI *PFN_CARD_CREATE_FILE)(PCARD_DATA pCardData, LPSTR pszDirectoryName,
					     LPSTR pszFileName, DWORD cbInitialCreationSize,
					     CARD_FILE_ACCESS_CONDITION AccessCondition);
typedef DWORD (WINAPI *PFN_CARD_READ_FILE)(PCARD_DATA pCardData, LPSTR pszDirectoryName,
					   LPSTR pszFileName, DWORD dwFlags, PBYTE *ppbData,
					   PDWORD pcbData);
typedef DWORD (WINAPI *PFN_CARD_WRITE_FILE)(PCARD_DATA pCardData, LPSTR pszDirectoryName,
					    LPSTR pszFileName, DWORD dwFlags, PBYTE pbData,
					    DWORD cbData);
typedef DWORD (WINAPI *PFN_CARD_DELETE_FILE)(PCARD_DATA pCardData, LPSTR pszDirectoryName,
					     LPSTR pszFileName, DWORD dwFlags);
typedef DWORD (WINAPI *PFN_CARD_ENUM_FILES)(PCARD_DATA pCardData, LPSTR pszDirectoryName,
					    LPSTR *pmszFileNames, PDWORD pdwcbFileName,
					    DWORD dwFlags);
typedef DWORD (WINAPI *PFN_CARD_GET_FILE_INFO)(PCARD_DATA pCardData, LPSTR pszDirectoryName,
					       LPSTR pszFileName, PCARD_FILE_INFO pCardFileInfo);

/* Key use. */
typedef DWORD (WINAPI *PFN_CARD_SIGN_DATA)(PCARD_DATA pCardData, PCARD_SIGNING_INFO pInfo);
typedef DWORD (WINAPI *PFN_CARD_RSA_DECRYPT)(PCARD_DATA pCardData, PCARD_RSA_DECRYPT_INFO pInfo);
typedef DWORD (WINAPI *PFN_CARD_CONSTRUCT_DH_AGREEMENT)(PCARD_DATA pCardData,
							PCARD_DH_AGREEMENT_INFO pAgreementInfo);
typedef DWORD (WINAPI *PFN_CARD_DERIVE_KEY)(PCARD_DATA pCardData, PCARD_DERIVE_KEY pAgreementInfo);
typedef DWORD (WINAPI *PFN_CARD_DESTROY_DH_AGREEMENT)(PCARD_DATA pCardData,
						      BYTE bSecretAgreementIndex, DWORD dwFlags);

/* Secure key injection. */
typedef DWORD (WINAPI *PFN_MD_IMPORT_SESSION_KEY)(PCARD_DATA pCardData, LPCWSTR pwszBlobType,
						  LPCWSTR pwszAlgId, PCARD_KEY_HANDLE phKey,
						  PBYTE pbInput, DWORD cbInput);
typedef DWORD (WINAPI *PFN_MD_ENCRYPT_DATA)(PCARD_DATA pCardData, CARD_KEY_HANDLE hKey,
					    LPCWSTR pwszSecureFunction, PBYTE pbInput,
					    DWORD cbInput, DWORD dwFlags,
					    PCARD_ENCRYPTED_DATA *ppEncryptedData,
					    PDWORD pcEncryptedData);
typedef DWORD (WINAPI *PFN_CARD_IMPORT_SESSION_KEY)(PCARD_DATA pCardData, BYTE bContainerIndex,
						    LPVOID pPaddingInfo, LPCWSTR pwszBlobType,
						    LPCWSTR pwszAlgId, PCARD_KEY_HANDLE phKey,
						    PBYTE pbInput, DWORD cbInput, DWORD dwFlags);
typedef DWORD (WINAPI *PFN_CARD_GET_SHARED_KEY_HANDLE)(PCARD_DATA pCardData, PBYTE pbInput,
						       DWORD cbInput, PBYTE *ppbOutput,
						       PDWORD pcbOutput, PCARD_KEY_HANDLE phKey);
typedef DWORD (WINAPI *PFN_CARD_GET_ALGORITHM_PROPERTY)(PCARD_DATA pCardData, LPCWSTR pwszAlgId,
							LPCWSTR pwszProperty, PBYTE pbData,
							DWORD cbData, PDWORD pdwDataLen,
							DWORD dwFlags);
typedef DWORD (WINAPI *PFN_CARD_GET_KEY_PROPERTY)(PCARD_DATA pCardData, CARD_KEY_HANDLE hKey,
						  LPCWSTR pwszProperty, PBYTE pbData, DWORD cbData,
						  PDWORD pdwDataLen, DWORD dwFlags);
typedef DWORD (WINAPI *PFN_CARD_SET_KEY_PROPERTY)(PCARD_DATA pCardData, CARD_KEY_HANDLE hKey,
						  LPCWSTR pwszProperty, PBYTE pbInput,
						  DWORD cbInput, DWORD dwFlags);
typedef DWORD (WINAPI *PFN_CARD_DESTROY_KEY)(PCARD_DATA pCardData, CARD_KEY_HANDLE hKey);
typedef DWORD (WINAPI *PFN_CARD_PROCESS_ENCRYPTED_DATA)(PCARD_DATA pCardData, CARD_KEY_HANDLE hKey,
							LPCWSTR pwszSecureFunction,
							PCARD_ENCRYPTED_DATA pEncryptedData,
							DWORD cEncryptedData, PBYTE pbOutput,
							DWORD cbOutput, PDWORD pdwOutputLen,
							DWORD dwFlags);

/**
 * struct CARD_DATA - one context: the caller's half, ours, and the functions
 * @dwVersion:		wanted, 4 to 7 or more; afterwards granted. Members behind those of the
 *			version granted are not touched
 * @pbAtr:		of the card, @cbAtr bytes; not looked at in no-card mode
 * @pwszCardName:	any; in no-card mode %KF_CARD_NAME
 * @pfnCspAlloc:	with the next two: where everything given out comes from and goes back to
 * @pfnCspCacheAddFile:	with the others down to @pfnCspPadData, @pfnCspGetDHAgreement and
 *			@pfnCspUnpadData: may be NULL, this library caches and pads nothing
 * @hSCardCtx:		with @hScard: not 0 (in no-card mode 0), otherwise not looked at: the way to
 *			the card is the broker's
 * @pvVendorSpecific:	ours
 */
struct CARD_DATA {
	DWORD dwVersion;
	PBYTE pbAtr;
	DWORD cbAtr;
	LPWSTR pwszCardName;
	PFN_CSP_ALLOC pfnCspAlloc;
	PFN_CSP_REALLOC pfnCspReAlloc;
	PFN_CSP_FREE pfnCspFree;
	PFN_CSP_CACHE_ADD_FILE pfnCspCacheAddFile;
	PFN_CSP_CACHE_LOOKUP_FILE pfnCspCacheLookupFile;
	PFN_CSP_CACHE_DELETE_FILE pfnCspCacheDeleteFile;
	PVOID pvCacheContext;
	PFN_CSP_PAD_DATA pfnCspPadData;
	SCARDCONTEXT hSCardCtx;
	SCARDHANDLE hScard;
	PVOID pvVendorSpecific;
	PFN_CARD_DELETE_CONTEXT pfnCardDeleteContext;
	PFN_CARD_QUERY_CAPABILITIES pfnCardQueryCapabilities;
	PFN_CARD_DELETE_CONTAINER pfnCardDeleteContainer;
	PFN_CARD_CREATE_CONTAINER pfnCardCreateContainer;
	PFN_CARD_GET_CONTAINER_INFO pfnCardGetContainerInfo;
	PFN_CARD_AUTHENTICATE_PIN pfnCardAuthenticatePin;
	PFN_CARD_GET_CHALLENGE pfnCardGetChallenge;
	PFN_CARD_AUTHENTICATE_CHALLENGE pfnCardAuthenticateChallenge;
	PFN_CARD_UNBLOCK_PIN pfnCardUnblockPin;
	PFN_CARD_CHANGE_AUTHENTICATOR pfnCardChangeAuthenticator;
	PFN_CARD_DEAUTHENTICATE pfnCardDeauthenticate;
	PFN_CARD_CREATE_DIRECTORY pfnCardCreateDirectory;
	PFN_CARD_DELETE_DIRECTORY pfnCardDeleteDirectory;
	LPVOID pvUnused3;
	LPVOID pvUnused4;
	PFN_CARD_CREATE_FILE pfnCardCreateFile;
	PFN_CARD_READ_FILE pfnCardReadFile;
	PFN_CARD_WRITE_FILE pfnCardWriteFile;
	PFN_CARD_DELETE_FILE pfnCardDeleteFile;
	PFN_CARD_ENUM_FILES pfnCardEnumFiles;
	PFN_CARD_GET_FILE_INFO pfnCardGetFileInfo;
	PFN_CARD_QUERY_FREE_SPACE pfnCardQueryFreeSpace;
	PFN_CARD_QUERY_KEY_SIZES pfnCardQueryKeySizes;
	PFN_CARD_SIGN_DATA pfnCardSignData;
	PFN_CARD_RSA_DECRYPT pfnCardRSADecrypt;
	PFN_CARD_CONSTRUCT_DH_AGREEMENT pfnCardConstructDHAgreement;
	/* version 5 */
	PFN_CARD_DERIVE_KEY pfnCardDeriveKey;
	PFN_CARD_DESTROY_DH_AGREEMENT pfnCardDestroyDHAgreement;
	PFN_CSP_GET_DH_AGREEMENT pfnCspGetDHAgreement;
	/* version 6 */
	PFN_CARD_GET_CHALLENGE_EX pfnCardGetChallengeEx;
	PFN_CARD_AUTHENTICATE_EX pfnCardAuthenticateEx;
	PFN_CARD_CHANGE_AUTHENTICATOR_EX pfnCardChangeAuthenticatorEx;
	PFN_CARD_DEAUTHENTICATE_EX pfnCardDeauthenticateEx;
	PFN_CARD_GET_CONTAINER_PROPERTY pfnCardGetContainerProperty;
	PFN_CARD_SET_CONTAINER_PROPERTY pfnCardSetContainerProperty;
	PFN_CARD_GET_PROPERTY pfnCardGetProperty;
	PFN_CARD_SET_PROPERTY pfnCardSetProperty;
	/* version 7 */
	PFN_CSP_UNPAD_DATA pfnCspUnpadData;
	PFN_MD_IMPORT_SESSION_KEY pfnMDImportSessionKey;
	PFN_MD_ENCRYPT_DATA pfnMDEncryptData;
	PFN_CARD_IMPORT_SESSION_KEY pfnCardImportSessionKey;
	PFN_CARD_GET_SHARED_KEY_HANDLE pfnCardGetSharedKeyHandle;
	PFN_CARD_GET_ALGORITHM_PROPERTY pfnCardGetAlgorithmProperty;
	PFN_CARD_GET_KEY_PROPERTY pfnCardGetKeyProperty;
	PFN_CARD_SET_KEY_PROPERTY pfnCardSetKeyProperty;
	PFN_CARD_DESTROY_KEY pfnCardDestroyKey;
	PFN_CARD_PROCESS_ENCRYPTED_DATA pfnCardProcessEncryptedData;
	PFN_CARD_CREATE_CONTAINER_EX pfnCardCreateContainerEx;
};

/* Every member has 8 bytes: its place is its number in the table [minidriver 4.1]. */
KF_LAYOUT(CARD_DATA, dwVersion, 0 * 8);
KF_LAYOUT(CARD_DATA, pbAtr, 1 * 8);
KF_LAYOUT(CARD_DATA, cbAtr, 2 * 8);
KF_LAYOUT(CARD_DATA, pwszCardName, 3 * 8);
KF_LAYOUT(CARD_DATA, pfnCspAlloc, 4 * 8);
KF_LAYOUT(CARD_DATA, pfnCspReAlloc, 5 * 8);
KF_LAYOUT(CARD_DATA, pfnCspFree, 6 * 8);
KF_LAYOUT(CARD_DATA, pfnCspCacheAddFile, 7 * 8);
KF_LAYOUT(CARD_DATA, pfnCspCacheLookupFile, 8 * 8);
KF_LAYOUT(CARD_DATA, pfnCspCacheDeleteFile, 9 * 8);
KF_LAYOUT(CARD_DATA, pvCacheContext, 10 * 8);
KF_LAYOUT(CARD_DATA, pfnCspPadData, 11 * 8);
KF_LAYOUT(CARD_DATA, hSCardCtx, 12 * 8);
KF_LAYOUT(CARD_DATA, hScard, 13 * 8);
KF_LAYOUT(CARD_DATA, pvVendorSpecific, 14 * 8);
KF_LAYOUT(CARD_DATA, pfnCardDeleteContext, 15 * 8);
KF_LAYOUT(CARD_DATA, pfnCardQueryCapabilities, 16 * 8);
KF_LAYOUT(CARD_DATA, pfnCardDeleteContainer, 17 * 8);
KF_LAYOUT(CARD_DATA, pfnCardCreateContainer, 18 * 8);
KF_LAYOUT(CARD_DATA, pfnCardGetContainerInfo, 19 * 8);
KF_LAYOUT(CARD_DATA, pfnCardAuthenticatePin, 20 * 8);
KF_LAYOUT(CARD_DATA, pfnCardGetChallenge, 21 * 8);
KF_LAYOUT(CARD_DATA, pfnCardAuthenticateChallenge, 22 * 8);
KF_LAYOUT(CARD_DATA, pfnCardUnblockPin, 23 * 8);
KF_LAYOUT(CARD_DATA, pfnCardChangeAuthenticator, 24 * 8);
KF_LAYOUT(CARD_DATA, pfnCardDeauthenticate, 25 * 8);
KF_LAYOUT(CARD_DATA, pfnCardCreateDirectory, 26 * 8);
KF_LAYOUT(CARD_DATA, pfnCardDeleteDirectory, 27 * 8);
KF_LAYOUT(CARD_DATA, pvUnused3, 28 * 8);
KF_LAYOUT(CARD_DATA, pvUnused4, 29 * 8);
KF_LAYOUT(CARD_DATA, pfnCardCreateFile, 30 * 8);
KF_LAYOUT(CARD_DATA, pfnCardReadFile, 31 * 8);
KF_LAYOUT(CARD_DATA, pfnCardWriteFile, 32 * 8);
KF_LAYOUT(CARD_DATA, pfnCardDeleteFile, 33 * 8);
KF_LAYOUT(CARD_DATA, pfnCardEnumFiles, 34 * 8);
KF_LAYOUT(CARD_DATA, pfnCardGetFileInfo, 35 * 8);
KF_LAYOUT(CARD_DATA, pfnCardQueryFreeSpace, 36 * 8);
KF_LAYOUT(CARD_DATA, pfnCardQueryKeySizes, 37 * 8);
KF_LAYOUT(CARD_DATA, pfnCardSignData, 38 * 8);
KF_LAYOUT(CARD_DATA, pfnCardRSADecrypt, 39 * 8);
KF_LAYOUT(CARD_DATA, pfnCardConstructDHAgreement, 40 * 8);
KF_LAYOUT(CARD_DATA, pfnCardDeriveKey, 41 * 8);
KF_LAYOUT(CARD_DATA, pfnCardDestroyDHAgreement, 42 * 8);
KF_LAYOUT(CARD_DATA, pfnCspGetDHAgreement, 43 * 8);
KF_LAYOUT(CARD_DATA, pfnCardGetChallengeEx, 44 * 8);
KF_LAYOUT(CARD_DATA, pfnCardAuthenticateEx, 45 * 8);
KF_LAYOUT(CARD_DATA, pfnCardChangeAuthenticatorEx, 46 * 8);
KF_LAYOUT(CARD_DATA, pfnCardDeauthenticateEx, 47 * 8);
KF_LAYOUT(CARD_DATA, pfnCardGetContainerProperty, 48 * 8);
KF_LAYOUT(CARD_DATA, pfnCardSetContainerProperty, 49 * 8);
KF_LAYOUT(CARD_DATA, pfnCardGetProperty, 50 * 8);
KF_LAYOUT(CARD_DATA, pfnCardSetProperty, 51 * 8);
KF_LAYOUT(CARD_DATA, pfnCspUnpadData, 52 * 8);
KF_LAYOUT(CARD_DATA, pfnMDImportSessionKey, 53 * 8);
KF_LAYOUT(CARD_DATA, pfnMDEncryptData, 54 * 8);
KF_LAYOUT(CARD_DATA, pfnCardImportSessionKey, 55 * 8);
KF_LAYOUT(CARD_DATA, pfnCardGetSharedKeyHandle, 56 * 8);
KF_LAYOUT(CARD_DATA, pfnCardGetAlgorithmProperty, 57 * 8);
KF_LAYOUT(CARD_DATA, pfnCardGetKeyProperty, 58 * 8);
KF_LAYOUT(CARD_DATA, pfnCardSetKeyProperty, 59 * 8);
KF_LAYOUT(CARD_DATA, pfnCardDestroyKey, 60 * 8);
KF_LAYOUT(CARD_DATA, pfnCardProcessEncryptedData, 61 * 8);
KF_LAYOUT(CARD_DATA, pfnCardCreateContainerEx, 62 * 8);
KF_SIZE(CARD_DATA, 63 * 8);

/**
 * CardAcquireContext() - makes a context; all other entry points come with it, in @pCardData
 * @pCardData:	with the caller's members filled; has to stay where it is until
 *		pfnCardDeleteContext
 * @dwFlags:	0: with the card that is in the reader $KEYFERRY_READER, or in the only reader,
 *		through the broker at $KEYFERRY_SOCKET (neither is looked at in set-id programs).
 *		%CARD_SECURE_KEY_INJECTION_NO_CARD_MODE: the server's half, without card and broker
 *
 * Return: %SCARD_S_SUCCESS; %ERROR_REVISION_MISMATCH: a version below 4;
 * %SCARD_E_INVALID_PARAMETER; %SCARD_E_INVALID_HANDLE: hSCardCtx or hScard is 0;
 * %SCARD_E_UNKNOWN_CARD: pbAtr is not the ATR of the card there, or nobody knows that card;
 * %SCARD_E_NO_SMARTCARD, %SCARD_E_UNKNOWN_READER, %SCARD_E_NO_SERVICE.
 */
DWORD WINAPI CardAcquireContext(PCARD_DATA pCardData, DWORD dwFlags);

/**
 * I_CardConvertFileNameToAnsi() - a file's UTF-16 name as the single bytes that files are called by
 * @pCardData:	for its pfnCspAlloc
 * @wszUnicodeName: ASCII
 * @ppszAnsiName: the name, to pfnCspFree
 *
 * Return: %SCARD_S_SUCCESS; %SCARD_E_INVALID_PARAMETER: a NULL, or a name that no file can have;
 * %SCARD_E_NO_MEMORY.
 */
static inline DWORD WINAPI I_CardConvertFileNameToAnsi(PCARD_DATA pCardData, LPWSTR wszUnicodeName,
						       LPSTR *ppszAnsiName)
{
	SIZE_T n = 0, i;

	if (ppszAnsiName)
		*ppszAnsiName = NULL;
	if (!pCardData || !pCardData->pfnCspAlloc || !wszUnicodeName || !ppszAnsiName)
		return SCARD_E_INVALID_PARAMETER;
	while (wszUnicodeName[n] != 0)
		if (wszUnicodeName[n++] > 0x7f)
			return SCARD_E_INVALID_PARAMETER;
	*ppszAnsiName = (LPSTR)pCardData->pfnCspAlloc(n + 1);
	if (!*ppszAnsiName)
		return SCARD_E_NO_MEMORY;
	for (i = 0; i <= n; i++)
		(*ppszAnsiName)[i] = (char)wszUnicodeName[i];
	return SCARD_S_SUCCESS;
}

/**
 * kf_cardmod_error() - the last failure of a context, for people
 * @pCardData:	a context; NULL: the last CardAcquireContext() of this thread
 *
 * Return: what failed, why, who or which rule, what to do next, and the negative errno behind it;
 * never NULL; good until the next call on @pCardData.
 */
const struct kf_error *kf_cardmod_error(const CARD_DATA *pCardData);

#ifdef __cplusplus
}
#endif

#endif /* KEYFERRY_CARDMOD_H */
