/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/cardmod_way_client.c - A client that carries a sealed key or order into its card by any of
 * the ways, on keyferry/cardmod.h alone. Usage:
 *
 *	cardmod_way_client DIR WAY WHAT ATR [BAD] 3<PIN
 *
 * Files come and go in DIR; for a key the PIN is read from descriptor 3. BAD is one thing done wrong
 * first: "confirmation", "replay", "cut", "iv", "function", "mac"; or "race": it waits with a key in the card
 * until it is told to go. A line a fact.
 */
#include "tests/e2e/cardmod_ways.h"

enum { K1_RSA = 6, K1_EC = 7, SPARE = 9, PIN_FD = 3 };

static CARD_DATA card;
static const char *bad;

static void must(DWORD status)
{
	steps_must(0, status, &card);
}

static bool goes_bad(const char *what)
{
	return bad && strcmp(bad, what) == 0;
}

static void read_record(BYTE index, BYTE out[static 86])
{
	char dir[] = szBASE_CSP_DIR, name[] = szCONTAINER_MAP_FILE;
	PBYTE map = NULL;
	DWORD n = 0;

	must(card.pfnCardReadFile(&card, dir, name, 0, &map, &n));
	if (n < (index + 1u) * sizeof(CONTAINER_MAP_RECORD))
		exit(2);
	memcpy(out, map + index * sizeof(CONTAINER_MAP_RECORD), sizeof(CONTAINER_MAP_RECORD));
	card.pfnCspFree(map);
}

/* @got is the one clear word for it, and the target is as it was. */
static void refused(DWORD want, DWORD got, const BYTE before[static 86])
{
	BYTE after[86];

	read_record(TARGET, after);
	steps_report(0, want == got && memcmp(before, after, sizeof(after)) == 0,
		     "0x%08x, and the container is as it was", got);
}

static void acquire(const char *atr_text)
{
	static BYTE atr[33];
	static WCHAR name[] = u"a card";

	card = steps_card();
	card.pbAtr = atr;
	card.cbAtr = steps_hex(atr_text, atr, sizeof(atr));
	card.pwszCardName = name;
	card.hSCardCtx = card.hScard = 1;
	steps_must(0, CardAcquireContext(&card, 0), NULL);
}

static void authenticate(void)
{
	BYTE pin[64];
	ssize_t n = pread(PIN_FD, pin, sizeof(pin), 0);

	if (n <= 0)
		exit(2);
	must(card.pfnCardAuthenticateEx(&card, ROLE_USER, 0, pin, (DWORD)n, NULL, NULL, NULL));
	explicit_bzero(pin, sizeof(pin));
}

/* K1, made when it is needed first. */
static BYTE standing_key(const struct way *way)
{
	bool rsa = way->method == KF_METHOD_PROPERTY_RSA;
	BYTE index = rsa ? K1_RSA : K1_EC;
	DWORD status = card.pfnCardCreateContainerEx(&card, index, CARD_CREATE_CONTAINER_KEY_GEN,
						     rsa ? AT_KEYEXCHANGE : AT_ECDHE_P256,
						     rsa ? 3072 : 0, NULL, ROLE_USER);

	if (status != ERROR_FILE_EXISTS)
		must(status);
	return index;
}

/* --- the offer --- */

static void set(const struct way *way, BYTE index, LPCWSTR name, const void *value, DWORD n)
{
	PBYTE p = (PBYTE)(uintptr_t)value;

	must(way->standing ? card.pfnCardSetContainerProperty(&card, index, name, p, n, 0)
			   : card.pfnCardSetProperty(&card, name, p, n, 0));
}

static void send_offer(const char *dir, const struct way *way, BYTE index, DWORD target)
{
	static struct steps_file nonce;
	static BYTE offer[STEPS_FILE_MAX];
	DWORD n = 0;

	steps_receive(dir, "nonce", &nonce);
	set(way, index, KF_NONCE_PROPERTY, nonce.data, nonce.n);
	set(way, index, KF_TARGET_PROPERTY, &target, sizeof(target));
	if (!way->standing)
		set(way, index, KF_METHOD_PROPERTY, &way->method, sizeof(way->method));
	must(way->standing ? card.pfnCardGetContainerProperty(&card, index, KF_STATEMENT_PROPERTY,
							      offer, sizeof(offer), &n, 0)
			   : card.pfnCardGetProperty(&card, KF_STATEMENT_PROPERTY, offer,
						     sizeof(offer), &n, 0));
	steps_send(dir, "offer", offer, n);
}

/* --- S1 --- */

static DWORD derive(BYTE agreement, struct steps_file *confirmation, CARD_KEY_HANDLE *key)
{
	static WCHAR kdf[] = KF_KDF_ECDH, aes[] = CARD_AES_ALGORITHM;
	BCryptBuffer buffer = { confirmation->n, KF_KDF_CONFIRMATION, confirmation->data };
	BCryptBufferDesc list = { BCRYPTBUFFER_VERSION, 1, &buffer };
	CARD_DERIVE_KEY info = {
		.dwVersion = CARD_DERIVE_KEY_CURRENT_VERSION, .dwFlags = CARD_RETURN_KEY_HANDLE,
		.pwszKDF = kdf, .bSecretAgreementIndex = agreement, .pParameterList = &list,
		.pwszAlgId = aes, .dwKeyLen = 256,
	};
	DWORD status = card.pfnCardDeriveKey(&card, &info);

	*key = info.hKey;
	return status;
}

static CARD_KEY_HANDLE agree(const char *dir, BYTE index)
{
	static struct steps_file point, confirmation;
	CARD_DH_AGREEMENT_INFO info = {
		.dwVersion = CARD_DH_AGREEMENT_INFO_VERSION, .bContainerIndex = index,
	};
	CARD_KEY_HANDLE key = 0;
	BYTE before[86];

	steps_receive(dir, "public_key", &point);
	steps_receive(dir, "confirmation", &confirmation);
	info.pbPublicKey = point.data;
	info.dwPublicKey = point.n;
	must(card.pfnCardConstructDHAgreement(&card, &info));
	read_record(TARGET, before);
	if (goes_bad("confirmation")) {
		confirmation.data[15] ^= 1;
		refused(SCARD_E_UNEXPECTED,
			derive(info.bSecretAgreementIndex, &confirmation, &key), before);
		confirmation.data[15] ^= 1;
	}
	must(derive(info.bSecretAgreementIndex, &confirmation, &key));
	must(card.pfnCardDestroyDHAgreement(&card, info.bSecretAgreementIndex, 0));
	return key;
}

static DWORD share(struct steps_file *input, CARD_KEY_HANDLE *key)
{
	return card.pfnCardGetSharedKeyHandle(&card, input->data, input->n, NULL, NULL, key);
}

static CARD_KEY_HANDLE establish(const char *dir, const struct way *way, BYTE index)
{
	static struct steps_file input;
	CARD_KEY_HANDLE key = 0;
	BYTE before[86];

	if (way->standing && way->method == KF_METHOD_PROPERTY_ECDH)
		return agree(dir, index);
	steps_receive(dir, "session_key", &input);
	if (way->standing) {
		must(card.pfnCardImportSessionKey(&card, index, NULL, BCRYPT_OPAQUE_KEY_BLOB,
						  CARD_AES_ALGORITHM, &key, input.data, input.n,
						  CARD_PADDING_OAEP));
		return key;
	}
	read_record(TARGET, before);
	if (goes_bad("confirmation")) {
		input.data[input.n - 1] ^= 1;
		refused(SCARD_E_UNEXPECTED, share(&input, &key), before);
		input.data[input.n - 1] ^= 1;
	}
	must(share(&input, &key));
	return key;
}

/* --- what was sealed --- */

static void set_mode_and_iv(const char *dir, CARD_KEY_HANDLE key)
{
	static const WCHAR cbc[] = CARD_CHAIN_MODE_CBC;
	static struct steps_file iv;

	steps_receive(dir, "iv", &iv);
	must(card.pfnCardSetKeyProperty(&card, key, CKP_CHAINING_MODE, (PBYTE)(uintptr_t)cbc,
					sizeof(cbc), 0));
	must(card.pfnCardSetKeyProperty(&card, key, CKP_INITIALIZATION_VECTOR, iv.data, iv.n, 0));
}

static union {
	CARD_CHANGE_AUTHENTICATOR_RESPONSE change;
	CARD_AUTHENTICATE_RESPONSE authenticate;
} response;

static DWORD process(CARD_KEY_HANDLE key, LPCWSTR function, BYTE *item, DWORD n)
{
	CARD_ENCRYPTED_DATA blob = { item, n };
	DWORD len = 0;

	return card.pfnCardProcessEncryptedData(&card, key, function, &blob, 1, (PBYTE)&response,
						sizeof(response), &len, CARD_BLOCK_PADDING);
}

/*
 * One thing wrong with an item that is good. What disagrees with the item's own fields is told before
 * the card is asked; what only the card can find has its one word.
 */
static void process_badly(const char *dir, CARD_KEY_HANDLE key, LPCWSTR function,
			  struct steps_file *item)
{
	static BYTE other[16] = { 1 };
	BYTE before[86];

	read_record(TARGET, before);
	if (goes_bad("cut")) {
		refused(SCARD_E_INVALID_PARAMETER,
			process(key, function, item->data, item->n - 16), before);
	} else if (goes_bad("iv")) {
		must(card.pfnCardSetKeyProperty(&card, key, CKP_INITIALIZATION_VECTOR, other, 16, 0));
		refused(SCARD_E_INVALID_PARAMETER, process(key, function, item->data, item->n),
			before);
	} else if (goes_bad("function")) {
		refused(SCARD_E_INVALID_PARAMETER,
			process(key, CSF_AUTHENTICATE, item->data, item->n), before);
	} else if (goes_bad("mac")) {
		item->data[item->n / 2] ^= 1;		/* in the ciphertext, under the MAC */
		refused(SCARD_E_UNEXPECTED, process(key, function, item->data, item->n), before);
		item->data[item->n / 2] ^= 1;
	} else {
		return;
	}
	set_mode_and_iv(dir, key);
}

/*
 * Against another client, for the same empty container. Whoever has a turn at the card takes the other's
 * PIN away, which is given again after a while that is not the other's and grows: on a busy machine two
 * who hurry would take it from each other for ever. The container is taken once.
 */
static void race(const char *dir, CARD_KEY_HANDLE key, LPCWSTR function, struct steps_file *item)
{
	static struct steps_file go;
	DWORD status = SCARD_W_SECURITY_VIOLATION;

	steps_send(dir, "ready", "", 0);
	steps_receive(dir, "go", &go);
	for (int i = 0; status == SCARD_W_SECURITY_VIOLATION && i < 60; i++) {
		const long ms = rand() % (20 << (i < 6 ? i : 6));
		const struct timespec pause = { ms / 1000, ms % 1000 * 1000 * 1000 };

		authenticate();
		set_mode_and_iv(dir, key);
		status = process(key, function, item->data, item->n);
		(void)nanosleep(&pause, NULL);
	}
	steps_report(0, status == SCARD_S_SUCCESS || status == ERROR_FILE_EXISTS, "race: 0x%08x",
		     status);
	if (status != SCARD_S_SUCCESS)
		exit(0);
}

static void send_receipt(const char *dir, CARD_KEY_HANDLE key)
{
	static BYTE receipt[STEPS_FILE_MAX];
	DWORD n = 0;

	must(card.pfnCardGetKeyProperty(&card, key, KF_RECEIPT_PROPERTY, receipt, sizeof(receipt), &n,
					0));
	steps_send(dir, "receipt", receipt, n);
}

static void send_k2(const char *dir)
{
	CONTAINER_INFO info = { .dwVersion = CONTAINER_INFO_CURRENT_VERSION };

	must(card.pfnCardGetContainerInfo(&card, TARGET, 0, &info));
	steps_send(dir, "k2.blob", info.pbKeyExPublicKey, info.cbKeyExPublicKey);
	card.pfnCspFree(info.pbKeyExPublicKey);
}

/* Nobody has given a PIN here, and yet a key is made. */
static void check_login(void)
{
	PIN_SET verified = 0;
	DWORD n = 0;

	must(card.pfnCardGetProperty(&card, CP_CARD_AUTHENTICATED_STATE, (PBYTE)&verified,
				     sizeof(verified), &n, 0));
	steps_report(0, IS_PIN_SET(verified, ROLE_USER), "the user is logged in");
	must(card.pfnCardCreateContainer(&card, SPARE, CARD_CREATE_CONTAINER_KEY_GEN, AT_ECDSA_P256, 0,
					 NULL));
	must(card.pfnCardDeleteContainer(&card, SPARE, 0));
}

static void carry(const char *dir, const char *what, CARD_KEY_HANDLE key)
{
	static struct steps_file item;

	steps_receive(dir, "item", &item);
	set_mode_and_iv(dir, key);
	if (goes_bad("race")) {
		race(dir, key, function_of(what), &item);
	} else {
		if (bad)
			process_badly(dir, key, function_of(what), &item);
		must(process(key, function_of(what), item.data, item.n));
	}
	steps_pause();
	if (is_key(what)) {
		send_k2(dir);
	} else if (strcmp(what, "authenticate") == 0) {
		steps_report(0, response.authenticate.cbSessionPin == 0, "%u tries are left",
			     response.authenticate.cAttemptsRemaining);
		check_login();
	} else {
		steps_report(0, response.change.dwVersion == 7 &&
			     response.change.cAttemptsRemaining == CARD_DATA_VALUE_UNKNOWN,
			     "whose tries, is not for the client to know");
	}
	send_receipt(dir, key);
}

/* [SECURITY section 9]: challenge and sid are gone with the last item, so that it never opens again. */
static void replay(const char *dir)
{
	static struct steps_file input;
	CARD_KEY_HANDLE key = 1;
	BYTE before[86];

	steps_receive(dir, "session_key", &input);
	read_record(TARGET, before);
	refused(SCARD_E_UNEXPECTED, share(&input, &key), before);
	steps_report(0, key == 0, "there is no handle");
}

int main(int argc, char **argv)
{
	const struct way *way;
	CARD_KEY_HANDLE key;
	BYTE index = 0;

	if (argc != 5 && argc != 6)
		return 2;
	srand((unsigned int)getpid());
	way = way_find(argv[2]);
	bad = argv[5];
	acquire(argv[4]);
	if (is_key(argv[3]) || way->standing)
		authenticate();
	if (way->standing)
		index = standing_key(way);
	if (is_key(argv[3]))
		(void)card.pfnCardDeleteContainer(&card, TARGET, 0);
	send_offer(argv[1], way, index, is_key(argv[3]) ? TARGET : KF_TARGET_PINS);
	key = establish(argv[1], way, index);
	carry(argv[1], argv[3], key);
	if (goes_bad("replay"))
		replay(argv[1]);
	must(card.pfnCardDestroyKey(&card, key));
	must(card.pfnCardDeleteContext(&card));
	return steps_allocated == 0 ? 0 : 1;
}
