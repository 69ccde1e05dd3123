/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/cardmod_bad.c - What the minidriver interface refuses, on keyferry/cardmod.h alone: a
 * line a case, "ok NAME" or "not ok NAME". Both halves are in this one program, which may hold the
 * injector key for once. Usage:
 *
 *	cardmod_bad ATR PIN-FD CARD.pem ROOT.pem INJECTOR.pem K2.blob
 *
 * Containers 2 to 4 are empty at first: an EC key, K1, and the target of K2.
 */
#include "tests/e2e/cardmod_steps.h"

enum { EC = 2, K1 = 3, K2 = 4, K2_BITS = 2048 };

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static CARD_DATA card, server;
static BYTE atr[33];
static DWORD atr_len;
static int failed;

static void check(const char *name, bool ok)
{
	printf("%s %s\n", ok ? "ok" : "not ok", name);
	fflush(stdout);
	failed |= !ok;
}

/* @got is what it should be; else the program says what it was. */
static bool is(DWORD want, DWORD got)
{
	if (want != got)
		printf("# 0x%08x, where 0x%08x was wanted\n", got, want);
	return want == got;
}

static void must(const CARD_DATA *data, DWORD status)
{
	const struct kf_error *e = kf_cardmod_error(data);

	if (status == SCARD_S_SUCCESS)
		return;
	printf("# 0x%08x: %s: %s (%s)\n", status, e->what, e->why, e->rule);
	exit(1);
}

static CARD_DATA with_card(DWORD version)
{
	static WCHAR name[] = u"a card";
	CARD_DATA data = steps_card();

	data.dwVersion = version;
	data.pbAtr = atr;
	data.cbAtr = atr_len;
	data.pwszCardName = name;
	data.hSCardCtx = data.hScard = 1;
	return data;
}

static CARD_DATA without_card(void)
{
	static WCHAR name[] = KF_CARD_NAME;
	CARD_DATA data = steps_card();

	data.pwszCardName = name;
	return data;
}

/* --- 17.3.1 --- */

static void check_versions(void)
{
	CARD_DATA data = with_card(3);
	bool ok;

	check("version_3_is_refused", is(ERROR_REVISION_MISMATCH, CardAcquireContext(&data, 0)));

	/* What lies behind version 5 may not be the structure's: it keeps its bytes. */
	data = with_card(5);
	memset((BYTE *)&data + offsetof(CARD_DATA, pfnCardGetChallengeEx), 0x5a,
	       sizeof(data) - offsetof(CARD_DATA, pfnCardGetChallengeEx));
	ok = is(SCARD_S_SUCCESS, CardAcquireContext(&data, 0)) && data.dwVersion == 5 &&
	     data.pfnCardDeriveKey != NULL;
	for (size_t at = offsetof(CARD_DATA, pfnCardGetChallengeEx); at < sizeof(data); at++)
		ok &= ((BYTE *)&data)[at] == 0x5a;
	check("version_5_stays_5_and_gets_nothing_of_later_ones", ok);
	must(&data, data.pfnCardDeleteContext(&data));

	data = with_card(9);
	check("version_9_becomes_7", is(SCARD_S_SUCCESS, CardAcquireContext(&data, 0)) &&
	      data.dwVersion == 7 && data.pfnCardCreateContainerEx != NULL);
	must(&data, data.pfnCardDeleteContext(&data));
}

static void check_acquire(void)
{
	CARD_DATA data = with_card(7);

	check("an_unknown_flag_is_refused",
	      is(SCARD_E_INVALID_PARAMETER, CardAcquireContext(&data, 2)));
	data.hScard = 0;
	check("a_handle_of_0_is_refused",
	      is(SCARD_E_INVALID_HANDLE, CardAcquireContext(&data, 0)));
	data = with_card(7);
	data.pfnCspReAlloc = NULL;
	check("no_allocator_is_refused",
	      is(SCARD_E_INVALID_PARAMETER, CardAcquireContext(&data, 0)));
	data = with_card(7);
	data.cbAtr--;
	check("another_atr_is_an_unknown_card",
	      is(SCARD_E_UNKNOWN_CARD, CardAcquireContext(&data, 0)));
}

/* --- 17.3.2: exactly the listed calls --- */

static bool refuses_old_calls(void)
{
	CARD_CAPABILITIES capabilities = { .dwVersion = 1 };
	CARD_FREE_SPACE_INFO space = { .dwVersion = 1 };
	CARD_KEY_SIZES sizes = { .dwVersion = 1 };
	CONTAINER_INFO info = { .dwVersion = 1 };
	CARD_FILE_INFO file = { .dwVersion = 1 };
	CARD_SIGNING_INFO sign = { .dwVersion = 2 };
	CARD_RSA_DECRYPT_INFO decrypt = { .dwVersion = 2 };
	CARD_DH_AGREEMENT_INFO agree = { .dwVersion = 2 };
	CARD_DERIVE_KEY derive = { .dwVersion = 2 };
	BYTE pin[] = "1234", *p;
	char dir[] = "mscp", name[] = "cmapfile";
	LPSTR names;
	DWORD n;
	const DWORD got[] = {
		server.pfnCardQueryCapabilities(&server, &capabilities),
		server.pfnCardDeleteContainer(&server, 0, 0),
		server.pfnCardCreateContainer(&server, 0, 1, AT_KEYEXCHANGE, 3072, NULL),
		server.pfnCardGetContainerInfo(&server, 0, 0, &info),
		server.pfnCardAuthenticatePin(&server, wszCARD_USER_USER, pin, 4, &n),
		server.pfnCardGetChallenge(&server, &p, &n),
		server.pfnCardAuthenticateChallenge(&server, pin, 4, &n),
		server.pfnCardUnblockPin(&server, wszCARD_USER_USER, pin, 4, pin, 4, 0, 2),
		server.pfnCardChangeAuthenticator(&server, wszCARD_USER_USER, pin, 4, pin, 4, 0, 2,
						  &n),
		server.pfnCardDeauthenticate(&server, wszCARD_USER_USER, 0),
		server.pfnCardCreateDirectory(&server, dir, UserCreateDeleteDirAc),
		server.pfnCardDeleteDirectory(&server, dir),
		server.pfnCardCreateFile(&server, dir, name, 1, EveryoneReadUserWriteAc),
		server.pfnCardReadFile(&server, dir, name, 0, &p, &n),
		server.pfnCardWriteFile(&server, dir, name, 0, pin, 4),
		server.pfnCardDeleteFile(&server, dir, name, 0),
		server.pfnCardEnumFiles(&server, dir, &names, &n, 0),
		server.pfnCardGetFileInfo(&server, dir, name, &file),
		server.pfnCardQueryFreeSpace(&server, 0, &space),
		server.pfnCardQueryKeySizes(&server, AT_KEYEXCHANGE, 0, &sizes),
		server.pfnCardSignData(&server, &sign),
		server.pfnCardRSADecrypt(&server, &decrypt),
		server.pfnCardConstructDHAgreement(&server, &agree),
		server.pfnCardDeriveKey(&server, &derive),
		server.pfnCardDestroyDHAgreement(&server, 0, 0),
	};
	bool ok = true;

	for (size_t i = 0; i < N_OF(got); i++)
		ok &= is(SCARD_E_UNSUPPORTED_FEATURE, got[i]);
	return ok;
}

static bool refuses_new_calls(void)
{
	CARD_KEY_HANDLE key;
	BYTE data[64] = { 0 }, *p;
	DWORD n;
	const DWORD got[] = {
		server.pfnCardGetChallengeEx(&server, ROLE_ADMIN, &p, &n, 0),
		server.pfnCardAuthenticateEx(&server, ROLE_USER, 0, data, 4, NULL, NULL, &n),
		server.pfnCardChangeAuthenticatorEx(&server, 2, ROLE_USER, data, 4, ROLE_USER, data,
						    4, 0, &n),
		server.pfnCardDeauthenticateEx(&server, PIN_SET_ALL_ROLES, 0),
		server.pfnCardGetContainerProperty(&server, 0, CCP_CONTAINER_INFO, data, 64, &n, 0),
		server.pfnCardSetContainerProperty(&server, 0, KF_NONCE_PROPERTY, data, 32, 0),
		server.pfnCardGetProperty(&server, CP_KEY_IMPORT_SUPPORT, data, 64, &n, 0),
		server.pfnCardSetProperty(&server, CP_PARENT_WINDOW, data, 4, 0),
		server.pfnCardImportSessionKey(&server, 0, NULL, BCRYPT_OPAQUE_KEY_BLOB,
					       CARD_AES_ALGORITHM, &key, data, 64,
					       CARD_PADDING_OAEP),
		server.pfnCardCreateContainerEx(&server, 0, 1, AT_KEYEXCHANGE, 3072, NULL,
						ROLE_USER),
	};
	bool ok = true;

	for (size_t i = 0; i < N_OF(got); i++)
		ok &= is(SCARD_E_UNSUPPORTED_FEATURE, got[i]);
	return ok;
}

static CARD_KEY_HANDLE import_server(void)
{
	struct {
		BCRYPT_KEY_DATA_BLOB_HEADER header;
		BYTE s1[32];
	} blob = { { BCRYPT_KEY_DATA_BLOB_MAGIC, 1, 32 }, { 1, 2, 3 } };
	CARD_KEY_HANDLE key = 0;

	must(&server, server.pfnMDImportSessionKey(&server, BCRYPT_KEY_DATA_BLOB,
						   CARD_AES_ALGORITHM, &key, (PBYTE)&blob,
						   sizeof(blob)));
	return key;
}

static void check_no_card(void)
{
	static const WCHAR cbc[] = CARD_CHAIN_MODE_CBC;
	CARD_KEY_HANDLE key, shared = 0;
	PCARD_ENCRYPTED_DATA out;
	BYTE data[64] = { 0 };
	CARD_ENCRYPTED_DATA blob = { data, sizeof(data) };
	DWORD n;

	server = without_card();
	must(NULL, CardAcquireContext(&server, CARD_SECURE_KEY_INJECTION_NO_CARD_MODE));
	key = import_server();
	check("no_card_mode_takes_the_listed_calls",
	      is(SCARD_S_SUCCESS, server.pfnCardSetKeyProperty(&server, key, CKP_CHAINING_MODE,
							       (PBYTE)cbc, sizeof(cbc), 0)) &&
	      is(SCARD_S_SUCCESS, server.pfnCardGetKeyProperty(&server, key, CKP_CHAINING_MODE, data,
							       sizeof(data), &n, 0)) &&
	      is(SCARD_S_SUCCESS, server.pfnCardGetAlgorithmProperty(&server, CARD_AES_ALGORITHM,
								     BCRYPT_BLOCK_LENGTH, data, 64,
								     &n, 0)) &&
	      is(SCARD_S_SUCCESS, server.pfnCardGetSharedKeyHandle(&server, NULL, 0, NULL, NULL,
								   &shared)) &&
	      is(SCARD_S_SUCCESS, server.pfnCardDestroyKey(&server, shared)) &&
	      is(SCARD_E_NO_SMARTCARD,
		 server.pfnCardProcessEncryptedData(&server, key, CSF_IMPORT_KEYPAIR, &blob, 1,
						    NULL, 0, NULL, 0)));
	check("no_card_mode_takes_no_others", refuses_old_calls() && refuses_new_calls());
	check("nothing_is_sealed_before_the_statement_is_verified",
	      is(SCARD_W_SECURITY_VIOLATION,
		 server.pfnMDEncryptData(&server, key, CSF_IMPORT_KEYPAIR, data, sizeof(data), 0,
					 &out, &n)));
	check("a_key_is_destroyed_once",
	      is(SCARD_S_SUCCESS, server.pfnCardDestroyKey(&server, key)) &&
	      is(SCARD_E_INVALID_HANDLE, server.pfnCardDestroyKey(&server, key)));
}

/* --- 17.3.4 to 6 --- */

static void check_key_properties(void)
{
	static const WCHAR gcm[] = BCRYPT_CHAIN_MODE_GCM;
	CARD_KEY_HANDLE key = import_server();
	BYTE iv[16] = { 0 };

	check("flags_of_a_key_property_are_0",
	      is(SCARD_E_INVALID_PARAMETER,
		 server.pfnCardSetKeyProperty(&server, key, CKP_INITIALIZATION_VECTOR, iv, 16, 1)));
	check("an_unknown_key_property_is_refused",
	      is(SCARD_E_INVALID_PARAMETER,
		 server.pfnCardSetKeyProperty(&server, key, u"Iv", iv, 16, 0)));
	check("a_mode_the_card_lacks_is_refused",
	      is(SCARD_E_UNSUPPORTED_FEATURE,
		 server.pfnCardSetKeyProperty(&server, key, CKP_CHAINING_MODE, (PBYTE)gcm,
					      sizeof(gcm), 0)));
	must(&server, server.pfnCardDestroyKey(&server, key));
}

static const struct {
	LPCWSTR name;
	DWORD flags;
} properties[] = {
	{ CP_KEY_IMPORT_SUPPORT, 0 },
	{ CP_ENUM_ALGORITHMS, CARD_CIPHER_OPERATION },
	{ CP_PADDING_SCHEMES, CARD_ASYMMETRIC_OPERATION },
	{ CP_CHAINING_MODES, 0 },
	{ CP_CARD_FREE_SPACE, 0 },
	{ CP_CARD_CAPABILITIES, 0 },
	{ CP_CARD_KEYSIZES, AT_KEYEXCHANGE },
	{ CP_CARD_READ_ONLY, 0 },
	{ CP_CARD_CACHE_MODE, 0 },
	{ CP_SUPPORTS_WIN_X509_ENROLLMENT, 0 },
	{ CP_CARD_GUID, 0 },
	{ CP_CARD_SERIAL_NO, 0 },
	{ CP_CARD_PIN_INFO, ROLE_USER },
	{ CP_CARD_LIST_PINS, 0 },
	{ CP_CARD_AUTHENTICATED_STATE, 0 },
	{ CP_CARD_PIN_STRENGTH_VERIFY, ROLE_USER },
	{ CP_CARD_PIN_STRENGTH_CHANGE, ROLE_USER },
	{ CP_CARD_PIN_STRENGTH_UNBLOCK, ROLE_USER },
};

static void check_properties(void)
{
	bool exact = true, set = true;
	BYTE data[1024];
	DWORD n, again;

	for (size_t i = 0; i < N_OF(properties); i++) {
		LPCWSTR name = properties[i].name;
		DWORD flags = properties[i].flags;

		n = again = 0;
		exact &= is(SCARD_S_SUCCESS,
			    card.pfnCardGetProperty(&card, name, NULL, 0, &n, flags)) &&
			 is(ERROR_INSUFFICIENT_BUFFER,
			    card.pfnCardGetProperty(&card, name, data, n - 1, &again, flags)) &&
			 n == again &&
			 is(SCARD_S_SUCCESS,
			    card.pfnCardGetProperty(&card, name, data, n, &again, flags)) &&
			 is(SCARD_E_INVALID_PARAMETER,
			    card.pfnCardGetProperty(&card, name, data, n, &again, 0x80000000));
		if (i < 4)
			set &= is(SCARD_E_UNSUPPORTED_FEATURE,
				  card.pfnCardSetProperty(&card, name, data, n, 0));
	}
	check("a_buffer_one_byte_short_is_refused_with_the_length", exact);
	check("injection_properties_cannot_be_set", set);
}

/* --- the card's half --- */

static void check_card_half(void)
{
	CARD_KEY_HANDLE key = 1;
	BYTE data[384] = { 0 };
	DWORD n;

	check("without_the_pin_no_key_is_made",
	      is(SCARD_W_SECURITY_VIOLATION,
		 card.pfnCardCreateContainer(&card, K1, CARD_CREATE_CONTAINER_KEY_GEN,
					     AT_KEYEXCHANGE, 3072, NULL)));
	check("a_session_key_in_the_clear_stays_away_from_the_card",
	      is(SCARD_E_UNSUPPORTED_FEATURE,
		 card.pfnMDImportSessionKey(&card, BCRYPT_KEY_DATA_BLOB, CARD_AES_ALGORITHM, &key,
					    data, 44)) && (key == 0));
	check("an_empty_container_has_no_information",
	      is(SCARD_E_NO_KEY_CONTAINER,
		 card.pfnCardGetContainerProperty(&card, K1, CCP_PIN_IDENTIFIER, data, 4, &n, 0)));
}

static void authenticate(int fd)
{
	BYTE pin[64] = { 0 }, wrong[] = "00000000";
	DWORD left = 0;
	ssize_t n = read(fd, pin, sizeof(pin));

	if (n <= 0)
		exit(2);
	check("a_wrong_pin_says_how_many_tries_are_left",
	      is(SCARD_W_WRONG_CHV, card.pfnCardAuthenticatePin(&card, wszCARD_USER_USER, wrong, 8,
								&left)) && (left == 2));
	must(&card, card.pfnCardAuthenticatePin(&card, wszCARD_USER_USER, pin, (DWORD)n, &left));
	explicit_bzero(pin, sizeof(pin));
}

static void make_keys(void)
{
	BYTE blob[512] = { PRIVATEKEYBLOB, CUR_BLOB_VERSION };

	must(&card, card.pfnCardCreateContainer(&card, EC, CARD_CREATE_CONTAINER_KEY_GEN,
						AT_ECDSA_P256, 0, NULL));
	must(&card, card.pfnCardCreateContainerEx(&card, K1, CARD_CREATE_CONTAINER_KEY_GEN,
						  AT_KEYEXCHANGE, 3072, NULL, ROLE_USER));
	check("keys_in_the_clear_are_not_imported",
	      is(SCARD_E_UNSUPPORTED_FEATURE,
		 card.pfnCardCreateContainer(&card, K2, CARD_CREATE_CONTAINER_KEY_IMPORT,
					     AT_KEYEXCHANGE, 2048, blob)));
	check("an_occupied_container_is_not_overwritten",
	      is(ERROR_FILE_EXISTS,
		 card.pfnCardCreateContainer(&card, EC, CARD_CREATE_CONTAINER_KEY_GEN,
					     AT_ECDSA_P256, 0, NULL)));
}

static DWORD import_card(BYTE index, BCRYPT_OAEP_PADDING_INFO *oaep, LPCWSTR type, PBYTE wrapped,
			 DWORD padding, CARD_KEY_HANDLE *key)
{
	return card.pfnCardImportSessionKey(&card, index, oaep, type, CARD_AES_ALGORITHM, key,
					    wrapped, 384, padding);
}

static void check_imports_without_offer(void)
{
	BYTE wrapped[384] = { 0 };
	CARD_KEY_HANDLE key = 1;

	check("an_ec_container_takes_no_session_key",
	      is(SCARD_E_INVALID_PARAMETER, import_card(EC, NULL, BCRYPT_OPAQUE_KEY_BLOB, wrapped,
							CARD_PADDING_OAEP, &key)) && (key == 0));
	check("an_empty_container_takes_no_session_key",
	      is(SCARD_E_NO_KEY_CONTAINER, import_card(K2, NULL, BCRYPT_OPAQUE_KEY_BLOB, wrapped,
						       CARD_PADDING_OAEP, &key)));
	check("without_a_statement_there_is_no_session",
	      is(SCARD_W_SECURITY_VIOLATION, import_card(K1, NULL, BCRYPT_OPAQUE_KEY_BLOB, wrapped,
							 CARD_PADDING_OAEP, &key)));
}

/* --- a whole voyage, broken in one place after the other --- */

static void set_file(CARD_KEY_HANDLE key, LPCWSTR name, const char *path)
{
	static struct steps_file file;

	steps_read(path, &file);
	must(&server, server.pfnCardSetKeyProperty(&server, key, name, file.data, file.n, 0));
}

static void make_offer(BYTE nonce[32], struct steps_file *offer)
{
	DWORD target = K2;

	must(&card, card.pfnCardSetContainerProperty(&card, K1, KF_NONCE_PROPERTY, nonce, 32, 0));
	must(&card, card.pfnCardSetContainerProperty(&card, K1, KF_TARGET_PROPERTY,
						     (PBYTE)&target, sizeof(target), 0));
	must(&card, card.pfnCardGetContainerProperty(&card, K1, KF_STATEMENT_PROPERTY,
						     offer->data, sizeof(offer->data), &offer->n,
						     0));
}

static CARD_KEY_HANDLE verified_key(char **argv, BYTE nonce[32], struct steps_file *offer)
{
	CARD_KEY_HANDLE key = import_server();
	DWORD yes = 1;

	set_file(key, KF_DEVICE_PROPERTY, argv[3]);
	set_file(key, KF_ROOT_PROPERTY, argv[4]);
	set_file(key, KF_INJECTOR_PROPERTY, argv[5]);
	must(&server, server.pfnCardSetKeyProperty(&server, key, KF_NONCE_PROPERTY, nonce, 32, 0));
	check("a_virtual_card_is_refused_unless_it_is_allowed",
	      is(SCARD_W_SECURITY_VIOLATION,
		 server.pfnCardSetKeyProperty(&server, key, KF_STATEMENT_PROPERTY, offer->data,
					      offer->n, 0)));
	must(&server, server.pfnCardSetKeyProperty(&server, key, KF_VIRTUAL_PROPERTY,
						   (PBYTE)&yes, sizeof(yes), 0));
	nonce[0] ^= 1;
	must(&server, server.pfnCardSetKeyProperty(&server, key, KF_NONCE_PROPERTY, nonce, 32, 0));
	check("a_statement_over_another_nonce_is_refused",
	      is(SCARD_W_SECURITY_VIOLATION,
		 server.pfnCardSetKeyProperty(&server, key, KF_STATEMENT_PROPERTY, offer->data,
					      offer->n, 0)));
	nonce[0] ^= 1;
	must(&server, server.pfnCardSetKeyProperty(&server, key, KF_NONCE_PROPERTY, nonce, 32, 0));
	must(&server, server.pfnCardSetKeyProperty(&server, key, KF_STATEMENT_PROPERTY, offer->data,
						   offer->n, 0));
	return key;
}

static BYTE input[sizeof(CARD_IMPORT_KEYPAIR) + STEPS_FILE_MAX];

static DWORD read_k2(const char *path)
{
	static struct steps_file file;
	CARD_IMPORT_KEYPAIR *pair = (CARD_IMPORT_KEYPAIR *)input;

	steps_read(path, &file);
	*pair = (CARD_IMPORT_KEYPAIR){
		.dwVersion = CARD_IMPORT_KEYPAIR_CURRENT_VERSION, .bContainerIndex = K2,
		.PinId = ROLE_USER, .dwKeySpec = AT_KEYEXCHANGE, .dwKeySize = K2_BITS,
		.cbInput = file.n,
	};
	memcpy(pair->pbInput, file.data, file.n);
	return (DWORD)sizeof(*pair) + file.n;
}

static DWORD encrypt(CARD_KEY_HANDLE key, DWORD n, DWORD flags, PCARD_ENCRYPTED_DATA *out)
{
	DWORD n_out;

	return server.pfnMDEncryptData(&server, key, CSF_IMPORT_KEYPAIR, input, n, flags, out,
				       &n_out);
}

static void set_mode_and_iv(CARD_DATA *data, CARD_KEY_HANDLE key)
{
	static const WCHAR cbc[] = CARD_CHAIN_MODE_CBC;
	BYTE iv[16] = { 9, 8, 7 };

	must(data, data->pfnCardSetKeyProperty(data, key, CKP_CHAINING_MODE, (PBYTE)cbc,
					       sizeof(cbc), 0));
	must(data, data->pfnCardSetKeyProperty(data, key, CKP_INITIALIZATION_VECTOR, iv, 16, 0));
}

static PCARD_ENCRYPTED_DATA seal(CARD_KEY_HANDLE key, const char *k2)
{
	CARD_IMPORT_KEYPAIR *pair = (CARD_IMPORT_KEYPAIR *)input;
	PCARD_ENCRYPTED_DATA sealed = NULL, again = NULL;
	DWORD n = read_k2(k2);

	check("without_mode_and_iv_nothing_is_sealed",
	      is(SCARD_E_INVALID_PARAMETER, encrypt(key, n, CARD_BLOCK_PADDING, &sealed)));
	set_mode_and_iv(&server, key);
	check("without_padding_only_whole_blocks_are_sealed",
	      n % 16 != 0 && is(SCARD_E_INVALID_PARAMETER, encrypt(key, n, 0, &sealed)));
	pair->bContainerIndex = EC;
	check("a_container_the_card_did_not_attest_is_refused",
	      is(SCARD_E_INVALID_PARAMETER, encrypt(key, n, CARD_BLOCK_PADDING, &sealed)));
	pair->bContainerIndex = K2;
	must(&server, encrypt(key, n, CARD_BLOCK_PADDING, &sealed));
	set_mode_and_iv(&server, key);
	check("one_handle_seals_once",
	      is(SCARD_W_SECURITY_VIOLATION, encrypt(key, n, CARD_BLOCK_PADDING, &again)) &&
	      (again == NULL));
	return sealed;
}

static void check_imports(BYTE *wrapped)
{
	static WCHAR sha256[] = BCRYPT_SHA256_ALGORITHM, sha1[] = BCRYPT_SHA1_ALGORITHM;
	BYTE label[32] = { 0 };
	BCRYPT_OAEP_PADDING_INFO oaep = { sha256, label, sizeof(label) };
	CARD_KEY_HANDLE key;

	check("the_label_of_another_statement_is_refused",
	      is(SCARD_E_INVALID_PARAMETER, import_card(K1, &oaep, BCRYPT_OPAQUE_KEY_BLOB, wrapped,
							CARD_PADDING_OAEP, &key)));
	oaep = (BCRYPT_OAEP_PADDING_INFO){ sha1, NULL, 0 };
	check("another_hash_is_refused",
	      is(SCARD_E_INVALID_PARAMETER, import_card(K1, &oaep, BCRYPT_OPAQUE_KEY_BLOB, wrapped,
							CARD_PADDING_OAEP, &key)));
	check("paddings_of_the_other_family_are_refused",
	      is(SCARD_E_INVALID_PARAMETER, import_card(K1, NULL, BCRYPT_OPAQUE_KEY_BLOB, wrapped,
							BCRYPT_PAD_OAEP, &key)));
	check("a_header_inside_the_wrapped_key_is_not_known",
	      is(SCARD_E_UNSUPPORTED_FEATURE, import_card(K1, NULL, BCRYPT_KEY_DATA_BLOB, wrapped,
							  CARD_PADDING_OAEP, &key)));
}

static DWORD process(CARD_KEY_HANDLE key, const CARD_ENCRYPTED_DATA *blob)
{
	return card.pfnCardProcessEncryptedData(&card, key, CSF_IMPORT_KEYPAIR,
						(PCARD_ENCRYPTED_DATA)blob, 1, NULL, 0, NULL,
						CARD_BLOCK_PADDING);
}

static bool target_is_empty(void)
{
	BYTE pin[4];
	DWORD n;

	return card.pfnCardGetContainerProperty(&card, K2, CCP_PIN_IDENTIFIER, pin, sizeof(pin), &n,
						0) == SCARD_E_NO_KEY_CONTAINER;
}

static void check_process(CARD_KEY_HANDLE key, const CARD_ENCRYPTED_DATA *sealed)
{
	CARD_ENCRYPTED_DATA cut = { sealed->pbEncryptedData, sealed->cbEncryptedData - 16 };
	static const WCHAR ecb[] = BCRYPT_CHAIN_MODE_ECB;
	BYTE *last = &sealed->pbEncryptedData[sealed->cbEncryptedData - 1], data[4096];
	DWORD n;

	check("a_mode_the_card_lacks_is_refused_there_too",
	      is(SCARD_E_UNSUPPORTED_FEATURE,
		 card.pfnCardSetKeyProperty(&card, key, CKP_CHAINING_MODE, (PBYTE)(uintptr_t)ecb,
					    sizeof(ecb), 0)) &&
	      is(SCARD_E_INVALID_PARAMETER, process(key, sealed)));
	set_mode_and_iv(&card, key);
	check("a_blob_whose_end_is_cut_changes_nothing",
	      is(SCARD_E_INVALID_PARAMETER, process(key, &cut)) && target_is_empty());
	check("an_iv_serves_one_call", is(SCARD_E_INVALID_PARAMETER, process(key, sealed)));
	set_mode_and_iv(&card, key);
	*last ^= 1;
	check("a_blob_with_another_bit_changes_nothing",
	      is(SCARD_E_UNEXPECTED, process(key, sealed)) && target_is_empty());
	*last ^= 1;
	check("there_is_no_receipt_before_the_key_is_in",
	      is(SCARD_E_INVALID_PARAMETER,
		 card.pfnCardGetKeyProperty(&card, key, KF_RECEIPT_PROPERTY, data, sizeof(data), &n,
					    0)));
	set_mode_and_iv(&card, key);
	check("the_whole_blob_is_taken_all_the_same",
	      is(SCARD_S_SUCCESS, process(key, sealed)) && !target_is_empty());
	set_mode_and_iv(&card, key);
	check("and_taken_once", is(SCARD_W_SECURITY_VIOLATION, process(key, sealed)));
}

static void check_receipt(CARD_KEY_HANDLE in_card, CARD_KEY_HANDLE sealed_with)
{
	static struct steps_file receipt;

	must(&card, card.pfnCardGetKeyProperty(&card, in_card, KF_RECEIPT_PROPERTY, receipt.data,
					       sizeof(receipt.data), &receipt.n, 0));
	must(&server, server.pfnCardSetKeyProperty(&server, sealed_with, KF_RECEIPT_PROPERTY,
						   receipt.data, receipt.n, 0));
	receipt.data[receipt.n / 2] ^= 1;
	check("a_receipt_with_another_bit_proves_nothing",
	      is(SCARD_W_SECURITY_VIOLATION,
		 server.pfnCardSetKeyProperty(&server, sealed_with, KF_RECEIPT_PROPERTY,
					      receipt.data, receipt.n, 0)));
}

static void check_voyage(char **argv)
{
	static struct steps_file offer;
	BYTE nonce[32] = { 4, 5, 6 }, wrapped[512];
	PCARD_ENCRYPTED_DATA sealed;
	CARD_KEY_HANDLE s1, in_card = 0;
	DWORD n;

	make_offer(nonce, &offer);
	s1 = verified_key(argv, nonce, &offer);
	must(&server, server.pfnCardGetKeyProperty(&server, s1, KF_SESSION_KEY_PROPERTY, wrapped,
						   sizeof(wrapped), &n, 0));
	sealed = seal(s1, argv[6]);
	check_imports(wrapped);
	must(&card, import_card(K1, NULL, BCRYPT_OPAQUE_KEY_BLOB, wrapped, CARD_PADDING_OAEP,
				&in_card));
	check_process(in_card, sealed);
	check_receipt(in_card, s1);
	check("a_key_in_the_card_is_destroyed_once",
	      is(SCARD_S_SUCCESS, card.pfnCardDestroyKey(&card, in_card)) &&
	      is(SCARD_E_INVALID_HANDLE, card.pfnCardDestroyKey(&card, in_card)));
	server.pfnCspFree(sealed->pbEncryptedData);
	server.pfnCspFree(sealed);
}

int main(int argc, char **argv)
{
	if (argc != 7)
		return 2;
	atr_len = steps_hex(argv[1], atr, sizeof(atr));
	check_versions();
	check_acquire();
	check_no_card();
	check_key_properties();

	card = with_card(7);
	must(NULL, CardAcquireContext(&card, 0));
	check_properties();
	check_card_half();
	authenticate(atoi(argv[2]));
	make_keys();
	check_imports_without_offer();
	check_voyage(argv);
	must(&card, card.pfnCardDeleteContext(&card));
	must(&server, server.pfnCardDeleteContext(&server));
	check("all_that_was_allocated_was_freed", steps_allocated == 0);
	return failed;
}
