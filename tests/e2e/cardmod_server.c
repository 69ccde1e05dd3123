/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/cardmod_server.c - The server's rows of the 31-step use case, on keyferry/cardmod.h
 * alone, in no-card mode. Usage:
 *
 *	cardmod_server DIR CARD.pem ROOT.pem INJECTOR.pem K2.blob S1.out
 *
 * Files come and go in DIR. K2 is a PRIVATEKEYBLOB that somebody else made; S1 is left in a file for
 * whoever searches memory for it.
 */
#include "tests/e2e/cardmod_steps.h"

#include <sys/random.h>

enum { K2 = 1, K2_BITS = 2048 };

static CARD_DATA card;

static void must(int step, DWORD status)
{
	steps_must(step, status, &card);
}

static void random_bytes(void *out, size_t n)
{
	if (getrandom(out, n, 0) != (ssize_t)n)
		exit(2);
}

static void acquire(void)
{
	static WCHAR name[] = KF_CARD_NAME;

	card = steps_card();
	card.pwszCardName = name;
	steps_must(2, CardAcquireContext(&card, CARD_SECURE_KEY_INJECTION_NO_CARD_MODE), NULL);
}

/* Step 2 as this server decides it: an encryption key is archived, so the server makes it. */
static void decide(const char *dir, BYTE nonce[32])
{
	static struct steps_file request;

	steps_receive(dir, "request", &request);
	steps_report(1, request.n > 0, "certificate request: template %.*s", (int)request.n,
		     (const char *)request.data);
	random_bytes(nonce, 32);
	steps_send(dir, "nonce", nonce, 32);
	steps_report(2, request.n == 19 && memcmp(request.data, "encryption-archived", 19) == 0,
		     "the template requires key archival: a nonce starts the injection");
}

/* S1 as MDImportSessionKey wants it. */
struct key_blob {
	BCRYPT_KEY_DATA_BLOB_HEADER header;
	BYTE s1[32];
};

static CARD_KEY_HANDLE import(int step, const struct key_blob *blob)
{
	CARD_KEY_HANDLE handle = 0;

	must(step, card.pfnMDImportSessionKey(&card, BCRYPT_KEY_DATA_BLOB, CARD_AES_ALGORITHM,
					      &handle, (PBYTE)blob, sizeof(*blob)));
	return handle;
}

static void set_file(int step, CARD_KEY_HANDLE handle, LPCWSTR name, const char *path)
{
	static struct steps_file file;

	steps_read(path, &file);
	must(step, card.pfnCardSetKeyProperty(&card, handle, name, file.data, file.n, 0));
	explicit_bzero(&file, sizeof(file));
}

/* Whom we trust, what we asked, and what the card said: verified, or this ends here. */
static void verify(int step, CARD_KEY_HANDLE handle, char **argv, BYTE nonce[32])
{
	static struct steps_file offer;
	DWORD yes = 1;

	set_file(step, handle, KF_DEVICE_PROPERTY, argv[2]);
	set_file(step, handle, KF_ROOT_PROPERTY, argv[3]);
	set_file(step, handle, KF_INJECTOR_PROPERTY, argv[4]);
	must(step, card.pfnCardSetKeyProperty(&card, handle, KF_VIRTUAL_PROPERTY, (PBYTE)&yes,
					      sizeof(yes), 0));
	must(step, card.pfnCardSetKeyProperty(&card, handle, KF_NONCE_PROPERTY, nonce, 32, 0));
	steps_receive(argv[1], "offer", &offer);
	must(step, card.pfnCardSetKeyProperty(&card, handle, KF_STATEMENT_PROPERTY, offer.data,
					      offer.n, 0));
}

/* Step 16: S1 for one of the card's algorithms, wrapped with the K1 that the card attested. */
static void send_s1(char **argv, const struct key_blob *blob, BYTE nonce[32])
{
	static struct steps_file algorithms, paddings;
	BYTE wrapped[512];
	CARD_KEY_HANDLE handle;
	DWORD len = 0, mask = 0;

	steps_receive(argv[1], "algorithms", &algorithms);
	steps_receive(argv[1], "paddings", &paddings);
	memcpy(&mask, paddings.data, sizeof(mask));
	if (!steps_has(algorithms.data, algorithms.n, CARD_AES_ALGORITHM) ||
	    !(mask & CARD_PADDING_OAEP))
		steps_report(16, false, "the card has neither AES nor OAEP");
	handle = import(16, blob);
	verify(16, handle, argv, nonce);
	must(16, card.pfnCardGetKeyProperty(&card, handle, KF_SESSION_KEY_PROPERTY, wrapped,
					    sizeof(wrapped), &len, 0));
	must(16, card.pfnCardDestroyKey(&card, handle));
	steps_report(16, len == 384, "S1 for AES-256 wrapped with the attested K1 by OAEP, %u bytes",
		     len);
	steps_send(argv[1], "session_key", wrapped, len);
}

/* Steps 24 and 25. */
static void send_k2(char **argv, CARD_KEY_HANDLE handle)
{
	static const WCHAR cbc[] = CARD_CHAIN_MODE_CBC;
	static struct steps_file file;
	static BYTE input[sizeof(CARD_IMPORT_KEYPAIR) + STEPS_FILE_MAX];
	CARD_IMPORT_KEYPAIR *pair = (CARD_IMPORT_KEYPAIR *)input;
	PCARD_ENCRYPTED_DATA sealed = NULL;
	DWORD n = 0;
	BYTE iv[16];

	steps_read(argv[5], &file);
	*pair = (CARD_IMPORT_KEYPAIR){
		.dwVersion = CARD_IMPORT_KEYPAIR_CURRENT_VERSION, .bContainerIndex = K2,
		.PinId = ROLE_USER, .dwKeySpec = AT_KEYEXCHANGE, .dwKeySize = K2_BITS,
		.cbInput = file.n,
	};
	memcpy(pair->pbInput, file.data, file.n);
	random_bytes(iv, sizeof(iv));
	must(24, card.pfnCardSetKeyProperty(&card, handle, CKP_CHAINING_MODE, (PBYTE)cbc,
					    sizeof(cbc), 0));
	must(24, card.pfnCardSetKeyProperty(&card, handle, CKP_INITIALIZATION_VECTOR, iv,
					    sizeof(iv), 0));
	must(24, card.pfnMDEncryptData(&card, handle, CSF_IMPORT_KEYPAIR, input,
				       (DWORD)sizeof(*pair) + file.n, CARD_BLOCK_PADDING, &sealed,
				       &n));
	steps_report(24, true, "chaining mode and IV set, MDEncryptData of K2");
	steps_report(25, n == 1 && sealed->cbEncryptedData > 1200,
		     "K2 encrypted under S1: one CARD_ENCRYPTED_DATA of %u bytes",
		     sealed->cbEncryptedData);
	steps_pause();
	explicit_bzero(input, sizeof(input));
	explicit_bzero(&file, sizeof(file));
	steps_send(argv[1], "iv", iv, sizeof(iv));
	steps_send(argv[1], "mode", cbc, sizeof(cbc));
	steps_send(argv[1], "key", sealed->pbEncryptedData, sealed->cbEncryptedData);
	steps_report(26, true, "encrypted K2, IV and chaining mode sent");
	card.pfnCspFree(sealed->pbEncryptedData);
	card.pfnCspFree(sealed);
}

int main(int argc, char **argv)
{
	static struct steps_file file;
	struct key_blob blob = { { BCRYPT_KEY_DATA_BLOB_MAGIC, BCRYPT_KEY_DATA_BLOB_VERSION1, 32 },
				 { 0 } };
	CARD_KEY_HANDLE handle;
	DWORD block = 0, len = 0;
	BYTE nonce[32];

	if (argc != 7)
		return 2;
	acquire();
	decide(argv[1], nonce);
	random_bytes(blob.s1, sizeof(blob.s1));
	steps_write(argv[6], blob.s1, sizeof(blob.s1), 0600);
	send_s1(argv, &blob, nonce);
	steps_receive(argv[1], "ack", &file);
	steps_report(21, file.n == 0, "the client acknowledges: S1 is in the card");

	handle = import(22, &blob);
	explicit_bzero(&blob, sizeof(blob));
	steps_report(22, true, "MDImportSessionKey: S1 into the no-card context");
	must(23, card.pfnCardGetKeyProperty(&card, handle, CKP_BLOCK_LENGTH, (PBYTE)&block,
					    sizeof(block), &len, 0));
	steps_report(23, handle != 0 && block == 16, "a handle came back, of an AES key");
	verify(24, handle, argv, nonce);
	send_k2(argv, handle);

	steps_receive(argv[1], "receipt", &file);
	must(31, card.pfnCardSetKeyProperty(&card, handle, KF_RECEIPT_PROPERTY, file.data, file.n,
					    0));
	steps_report(31, true, "the client reports success, and the card's receipt proves it");
	must(31, card.pfnCardDestroyKey(&card, handle));
	must(31, card.pfnCardDeleteContext(&card));
	printf("# %ld allocations not freed\n", steps_allocated);
	return steps_allocated == 0 ? 0 : 1;
}
