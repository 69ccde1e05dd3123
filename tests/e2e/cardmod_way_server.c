/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/cardmod_way_server.c - A server that seals a key or an order about a PIN by any of the
 * ways, on keyferry/cardmod.h alone, in no-card mode. Usage:
 *
 *	cardmod_way_server DIR WAY WHAT CARD.pem ROOT.pem INJECTOR.pem MASTER K2.blob PIN NEW TRIES
 *
 * Files come and go in DIR. MASTER has the master of shared keys in hexadecimal. PIN proves the order,
 * NEW is the value it sets, TRIES how many must be left.
 */
#include "tests/e2e/cardmod_ways.h"

#include <sys/random.h>

enum { K2_BITS = 2048 };

static CARD_DATA card;

static void must(DWORD status)
{
	steps_must(0, status, &card);
}

static void random_bytes(void *out, size_t n)
{
	if (getrandom(out, n, 0) != (ssize_t)n)
		exit(2);
}

static void set(CARD_KEY_HANDLE key, LPCWSTR name, const void *value, DWORD n)
{
	must(card.pfnCardSetKeyProperty(&card, key, name, (PBYTE)(uintptr_t)value, n, 0));
}

static void set_file(CARD_KEY_HANDLE key, LPCWSTR name, const char *path)
{
	static struct steps_file file;

	steps_read(path, &file);
	set(key, name, file.data, file.n);
	explicit_bzero(&file, sizeof(file));
}

static void set_master(CARD_KEY_HANDLE key, const char *path)
{
	static struct steps_file file;
	BYTE master[32];

	steps_read(path, &file);
	file.data[64] = 0;
	if (steps_hex((const char *)file.data, master, sizeof(master)) != sizeof(master))
		exit(2);
	set(key, KF_MASTER_PROPERTY, master, sizeof(master));
	explicit_bzero(master, sizeof(master));
	explicit_bzero(&file, sizeof(file));
}

/* S1 is brought where the interface wants that, and otherwise made by what the card says. */
static CARD_KEY_HANDLE new_key(const struct way *way)
{
	struct {
		BCRYPT_KEY_DATA_BLOB_HEADER header;
		BYTE s1[32];
	} blob = { { BCRYPT_KEY_DATA_BLOB_MAGIC, BCRYPT_KEY_DATA_BLOB_VERSION1, 32 }, { 0 } };
	CARD_KEY_HANDLE key = 0;

	if (way->standing && way->method == KF_METHOD_PROPERTY_RSA) {
		random_bytes(blob.s1, sizeof(blob.s1));
		must(card.pfnMDImportSessionKey(&card, BCRYPT_KEY_DATA_BLOB, CARD_AES_ALGORITHM,
						&key, (PBYTE)&blob, sizeof(blob)));
		explicit_bzero(&blob, sizeof(blob));
		return key;
	}
	must(card.pfnCardGetSharedKeyHandle(&card, NULL, 0, NULL, NULL, &key));
	set(key, KF_METHOD_PROPERTY, &way->method, sizeof(way->method));
	return key;
}

static void verify(CARD_KEY_HANDLE key, const struct way *way, char **argv)
{
	static struct steps_file offer;
	const DWORD yes = 1;
	BYTE nonce[32];

	random_bytes(nonce, sizeof(nonce));
	set_file(key, KF_DEVICE_PROPERTY, argv[4]);
	set_file(key, KF_ROOT_PROPERTY, argv[5]);
	set_file(key, KF_INJECTOR_PROPERTY, argv[6]);
	if (way->method == KF_METHOD_PROPERTY_SHARED || way->method == KF_METHOD_PROPERTY_DERIVED)
		set_master(key, argv[7]);
	set(key, KF_VIRTUAL_PROPERTY, &yes, sizeof(yes));
	set(key, KF_NONCE_PROPERTY, nonce, sizeof(nonce));
	steps_send(argv[1], "nonce", nonce, sizeof(nonce));
	steps_receive(argv[1], "offer", &offer);
	set(key, KF_STATEMENT_PROPERTY, offer.data, offer.n);
}

static void send_property(const char *dir, const char *file, CARD_KEY_HANDLE key, LPCWSTR name)
{
	BYTE value[600];
	DWORD n = 0;

	must(card.pfnCardGetKeyProperty(&card, key, name, value, sizeof(value), &n, 0));
	steps_send(dir, file, value, n);
}

static void send_s1(const char *dir, const struct way *way, CARD_KEY_HANDLE key)
{
	if (way->standing && way->method == KF_METHOD_PROPERTY_ECDH) {
		send_property(dir, "public_key", key, KF_PUBLIC_KEY_PROPERTY);
		send_property(dir, "confirmation", key, KF_CONFIRMATION_PROPERTY);
	} else {
		send_property(dir, "session_key", key, KF_SESSION_KEY_PROPERTY);
	}
}

/* --- what is sealed --- */

static union {
	CARD_IMPORT_KEYPAIR pair;
	CARD_CHANGE_AUTHENTICATOR change;
	CARD_AUTHENTICATE authenticate;
	BYTE bytes[STEPS_FILE_MAX];
} input;

static DWORD put_pair(const char *path)
{
	static struct steps_file file;

	steps_read(path, &file);
	input.pair = (CARD_IMPORT_KEYPAIR){
		.dwVersion = CARD_IMPORT_KEYPAIR_CURRENT_VERSION, .bContainerIndex = TARGET,
		.PinId = ROLE_USER, .dwKeySpec = AT_KEYEXCHANGE, .dwKeySize = K2_BITS,
		.cbInput = file.n,
	};
	memcpy(input.bytes + sizeof(input.pair), file.data, file.n);
	explicit_bzero(&file, sizeof(file));
	return (DWORD)sizeof(input.pair) + input.pair.cbInput;
}

static DWORD put_change(bool unblock, const char *proof, const char *fresh)
{
	input.change = (CARD_CHANGE_AUTHENTICATOR){
		.dwVersion = CARD_CHANGE_AUTHENTICATOR_CURRENT_VERSION,
		.dwFlags = unblock ? PIN_CHANGE_FLAG_UNBLOCK : PIN_CHANGE_FLAG_CHANGEPIN,
		.dwAuthenticatingPinId = unblock ? ROLE_ADMIN : ROLE_USER,
		.cbAuthenticatingPinData = (DWORD)strlen(proof), .dwTargetPinId = ROLE_USER,
		.cbTargetData = (DWORD)strlen(fresh),
	};
	memcpy(input.bytes + sizeof(input.change), proof, strlen(proof));
	memcpy(input.bytes + sizeof(input.change) + strlen(proof), fresh, strlen(fresh));
	return (DWORD)(sizeof(input.change) + strlen(proof) + strlen(fresh));
}

static DWORD put_authenticate(const char *proof)
{
	input.authenticate = (CARD_AUTHENTICATE){
		.dwVersion = CARD_AUTHENTICATE_CURRENT_VERSION, .PinId = ROLE_USER,
		.cbPinData = (DWORD)strlen(proof),
	};
	memcpy(input.bytes + sizeof(input.authenticate), proof, strlen(proof));
	return (DWORD)(sizeof(input.authenticate) + strlen(proof));
}

static DWORD put(char **argv)
{
	if (is_key(argv[3]))
		return put_pair(argv[8]);
	if (strcmp(argv[3], "authenticate") == 0)
		return put_authenticate(argv[9]);
	return put_change(strcmp(argv[3], "unblock") == 0, argv[9], argv[10]);
}

static void seal(CARD_KEY_HANDLE key, char **argv)
{
	static const WCHAR cbc[] = CARD_CHAIN_MODE_CBC;
	const DWORD tries = (DWORD)atoi(argv[11]);
	PCARD_ENCRYPTED_DATA sealed = NULL;
	DWORD n = put(argv), n_sealed = 0;
	BYTE iv[16];

	random_bytes(iv, sizeof(iv));
	set(key, KF_LEAST_TRIES_PROPERTY, &tries, sizeof(tries));
	set(key, CKP_CHAINING_MODE, cbc, sizeof(cbc));
	set(key, CKP_INITIALIZATION_VECTOR, iv, sizeof(iv));
	must(card.pfnMDEncryptData(&card, key, function_of(argv[3]), input.bytes, n,
				   CARD_BLOCK_PADDING, &sealed, &n_sealed));
	steps_pause();
	explicit_bzero(&input, sizeof(input));
	steps_send(argv[1], "iv", iv, sizeof(iv));
	steps_send(argv[1], "item", sealed->pbEncryptedData, sealed->cbEncryptedData);
	card.pfnCspFree(sealed->pbEncryptedData);
	card.pfnCspFree(sealed);
}

int main(int argc, char **argv)
{
	static struct steps_file receipt;
	static WCHAR name[] = KF_CARD_NAME;
	const struct way *way;
	CARD_KEY_HANDLE key;

	if (argc != 12)
		return 2;
	way = way_find(argv[2]);
	card = steps_card();
	card.pwszCardName = name;
	steps_must(0, CardAcquireContext(&card, CARD_SECURE_KEY_INJECTION_NO_CARD_MODE), NULL);
	key = new_key(way);
	verify(key, way, argv);
	send_s1(argv[1], way, key);
	seal(key, argv);
	steps_receive(argv[1], "receipt", &receipt);
	set(key, KF_RECEIPT_PROPERTY, receipt.data, receipt.n);
	steps_report(0, true, "the card's receipt proves it");
	must(card.pfnCardDestroyKey(&card, key));
	must(card.pfnCardDeleteContext(&card));
	return steps_allocated == 0 ? 0 : 1;
}
