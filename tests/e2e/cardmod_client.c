/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/cardmod_client.c - The client's rows of the 31-step use case, on keyferry/cardmod.h
 * alone. Usage:
 *
 *	cardmod_client DIR ATR PIN-FD
 *
 * Files come and go in DIR. K1 is generated in container 0, K2 goes to container 1.
 */
#include "tests/e2e/cardmod_steps.h"

enum { K1 = 0, K2 = 1 };

static CARD_DATA card;

static void must(int step, DWORD status)
{
	steps_must(step, status, &card);
}

static void acquire(const char *atr_text)
{
	static BYTE atr[33];
	static WCHAR name[] = u"a card";

	card = steps_card();
	card.pbAtr = atr;
	card.cbAtr = steps_hex(atr_text, atr, sizeof(atr));
	card.pwszCardName = name;
	card.hSCardCtx = 1;
	card.hScard = 1;
	steps_must(1, CardAcquireContext(&card, 0), NULL);
}

static void authenticate(int fd)
{
	BYTE pin[64];
	ssize_t n = read(fd, pin, sizeof(pin));
	DWORD left = 0;

	if (n <= 0)
		exit(2);
	must(5, card.pfnCardAuthenticateEx(&card, ROLE_USER, 0, pin, (DWORD)n, NULL, NULL, &left));
	explicit_bzero(pin, sizeof(pin));
}

/* Steps 3 to 8: can the card do it, the map of containers, K1 generated. */
static void make_k1(int pin_fd)
{
	CONTAINER_MAP_RECORD record;
	PBYTE map = NULL;
	DWORD mask = 0, len = 0;

	must(3, card.pfnCardGetProperty(&card, CP_KEY_IMPORT_SUPPORT, (PBYTE)&mask, sizeof(mask),
					&len, 0));
	steps_report(3, len == sizeof(mask), "CardGetProperty(CP_KEY_IMPORT_SUPPORT)");
	steps_report(4, (mask & CARD_KEY_IMPORT_RSA_KEYEST) && !(mask & CARD_KEY_IMPORT_PLAIN_TEXT),
		     "the mask is 0x%x: CARD_KEY_IMPORT_RSA_KEYEST is in it, plain text is not", mask);

	must(5, card.pfnCardReadFile(&card, (LPSTR)szBASE_CSP_DIR, (LPSTR)szCONTAINER_MAP_FILE, 0,
				     &map, &len));
	memcpy(&record, map + K1 * sizeof(record), sizeof(record));
	steps_report(5, len % sizeof(record) == 0 && record.bFlags == 0,
		     "mscp/cmapfile has %zu records and no usable container",
		     len / sizeof(record));
	card.pfnCspFree(map);
	authenticate(pin_fd);
	must(6, card.pfnCardCreateContainer(&card, K1, CARD_CREATE_CONTAINER_KEY_GEN,
					    AT_KEYEXCHANGE, 3072, NULL));
	steps_report(6, true, "CardCreateContainer: the card generated a key pair");
	must(7, card.pfnCardReadFile(&card, (LPSTR)szBASE_CSP_DIR, (LPSTR)szCONTAINER_MAP_FILE, 0,
				     &map, &len));
	memcpy(&record, map + K1 * sizeof(record), sizeof(record));
	card.pfnCspFree(map);
	steps_report(7, record.bFlags == CONTAINER_MAP_VALID_CONTAINER &&
			record.wKeyExchangeKeySizeBits == 3072 && record.wSigKeySizeBits == 0,
		     "its record is there: a key-exchange key of %u bits",
		     record.wKeyExchangeKeySizeBits);
	steps_report(8, true, "success");
}

/* Steps 9 to 12: K1's public half. */
static void read_k1(const char *dir)
{
	CONTAINER_INFO info = { .dwVersion = CONTAINER_INFO_CURRENT_VERSION };
	RSAPUBKEY key;

	must(9, card.pfnCardGetContainerInfo(&card, K1, 0, &info));
	steps_report(9, true, "CardGetContainerInfo");
	steps_report(10, info.cbKeyExPublicKey == 8 + sizeof(key) + 3072 / 8 &&
			 !info.pbSigPublicKey && info.cbSigPublicKey == 0,
		     "the card's public key was read");
	memcpy(&key, info.pbKeyExPublicKey + 8, sizeof(key));
	steps_report(11, key.magic == BCRYPT_RSAPUBLIC_MAGIC && key.bitlen == 3072 &&
			 key.pubexp == 65537, "modulus and exponent %u", key.pubexp);
	steps_report(12, info.pbKeyExPublicKey[0] == PUBLICKEYBLOB,
		     "CONTAINER_INFO with public K1, a PUBLICKEYBLOB");
	steps_send(dir, "k1.blob", info.pbKeyExPublicKey, info.cbKeyExPublicKey);
	card.pfnCspFree(info.pbKeyExPublicKey);
}

/* Steps 13 to 15: algorithms and paddings, and the card's signature under all of it. */
static void send_offer(const char *dir)
{
	static struct steps_file nonce;
	static BYTE offer[STEPS_FILE_MAX];
	BYTE list[256], label[32];
	DWORD len = 0, paddings = 0, target = K2;

	must(13, card.pfnCardGetProperty(&card, CP_ENUM_ALGORITHMS, list, sizeof(list), &len,
					 CARD_CIPHER_OPERATION));
	steps_report(13, true, "CP_ENUM_ALGORITHMS and CP_PADDING_SCHEMES");
	must(14, card.pfnCardGetProperty(&card, CP_PADDING_SCHEMES, (PBYTE)&paddings,
					 sizeof(paddings), &target, CARD_ASYMMETRIC_OPERATION));
	steps_report(14, steps_has(list, len, CARD_AES_ALGORITHM) &&
			 (paddings & CARD_PADDING_OAEP), "AES and OAEP are among them");
	steps_send(dir, "algorithms", list, len);
	steps_send(dir, "paddings", &paddings, sizeof(paddings));

	steps_receive(dir, "nonce", &nonce);
	target = K2;
	must(15, card.pfnCardSetContainerProperty(&card, K1, KF_NONCE_PROPERTY, nonce.data,
						  nonce.n, 0));
	must(15, card.pfnCardSetContainerProperty(&card, K1, KF_TARGET_PROPERTY, (PBYTE)&target,
						  sizeof(target), 0));
	must(15, card.pfnCardGetContainerProperty(&card, K1, KF_STATEMENT_PROPERTY, NULL, 0, &len,
						  0));
	must(15, card.pfnCardGetContainerProperty(&card, K1, KF_STATEMENT_PROPERTY, offer,
						  sizeof(offer), &len, 0));
	steps_send(dir, "offer", offer, len);
	must(15, card.pfnCardGetContainerProperty(&card, K1, KF_LABEL_PROPERTY, label,
						  sizeof(label), &len, 0));
	steps_report(15, len == sizeof(label),
		     "public K1, algorithms and paddings sent, and the card's statement");
}

/* Steps 17 to 20. */
static CARD_KEY_HANDLE import_s1(const char *dir)
{
	static struct steps_file wrapped;
	static WCHAR sha256[] = BCRYPT_SHA256_ALGORITHM;
	BYTE label[32];
	BCRYPT_OAEP_PADDING_INFO oaep = { sha256, label, sizeof(label) };
	CARD_KEY_HANDLE s1 = 0;
	DWORD len, block = 0;

	must(17, card.pfnCardGetContainerProperty(&card, K1, KF_LABEL_PROPERTY, label,
						  sizeof(label), &len, 0));
	steps_receive(dir, "session_key", &wrapped);
	must(17, card.pfnCardImportSessionKey(&card, K1, &oaep, BCRYPT_OPAQUE_KEY_BLOB,
					      CARD_AES_ALGORITHM, &s1, wrapped.data, wrapped.n,
					      CARD_PADDING_OAEP));
	steps_report(17, true, "CardImportSessionKey, %u bytes wrapped", wrapped.n);
	steps_report(18, wrapped.n == 384, "the unwrap command went to the card");
	must(19, card.pfnCardGetKeyProperty(&card, s1, CKP_BLOCK_LENGTH, (PBYTE)&block,
					    sizeof(block), &len, 0));
	steps_report(19, block == 16, "S1 is in the card, and known here by reference");
	steps_report(20, s1 != 0, "a CARD_KEY_HANDLE for S1 came back");
	steps_send(dir, "ack", "", 0);
	return s1;
}

/* Steps 27 to 30. The receipt is the card's own answer, signed. */
static void process_k2(const char *dir, CARD_KEY_HANDLE s1)
{
	static struct steps_file key, iv, mode;
	static BYTE receipt[STEPS_FILE_MAX];
	CONTAINER_INFO info = { .dwVersion = CONTAINER_INFO_CURRENT_VERSION };
	CARD_ENCRYPTED_DATA blob;
	DWORD len = 1;

	steps_receive(dir, "iv", &iv);
	steps_receive(dir, "mode", &mode);
	steps_receive(dir, "key", &key);
	must(27, card.pfnCardSetKeyProperty(&card, s1, CKP_CHAINING_MODE, mode.data, mode.n, 0));
	must(27, card.pfnCardSetKeyProperty(&card, s1, CKP_INITIALIZATION_VECTOR, iv.data, iv.n, 0));
	blob = (CARD_ENCRYPTED_DATA){ key.data, key.n };
	must(27, card.pfnCardProcessEncryptedData(&card, s1, CSF_IMPORT_KEYPAIR, &blob, 1, NULL, 0,
						  &len, CARD_BLOCK_PADDING));
	steps_report(27, len == 0, "mode and IV set, CardProcessEncryptedData");
	must(28, card.pfnCardGetContainerInfo(&card, K2, 0, &info));
	steps_report(28, true, "the blob went to container %d", K2);
	steps_report(29, info.cbKeyExPublicKey == 20 + 2048 / 8,
		     "the card decrypted K2 and created the container");
	steps_send(dir, "k2.blob", info.pbKeyExPublicKey, info.cbKeyExPublicKey);
	card.pfnCspFree(info.pbKeyExPublicKey);
	must(30, card.pfnCardGetKeyProperty(&card, s1, KF_RECEIPT_PROPERTY, receipt,
					    sizeof(receipt), &len, 0));
	steps_report(30, len > 300, "success, with a receipt of %u bytes", len);
	steps_pause();
	must(31, card.pfnCardDestroyKey(&card, s1));
	steps_send(dir, "receipt", receipt, len);
}

int main(int argc, char **argv)
{
	CARD_KEY_HANDLE s1;

	if (argc != 4)
		return 2;
	acquire(argv[2]);
	steps_send(argv[1], "request", "encryption-archived", 19);
	make_k1(atoi(argv[3]));
	read_k1(argv[1]);
	send_offer(argv[1]);
	s1 = import_s1(argv[1]);
	process_k2(argv[1], s1);
	must(31, card.pfnCardDeleteContext(&card));
	printf("# %ld allocations not freed\n", steps_allocated);
	return steps_allocated == 0 ? 0 : 1;
}
