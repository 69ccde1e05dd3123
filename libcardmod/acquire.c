// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libcardmod/acquire.c - The checks stand in the order in which shipping minidrivers make them
 * [minidriver 7.1]. Of the structure only what the granted version has is written: a caller of
 * version 4 may have no room for the rest.
 */
#include "libcardmod/acquire.h"
#include "libcardmod/absent.h"
#include "libcardmod/agreement.h"
#include "libcardmod/algorithm.h"
#include "libcardmod/container.h"
#include "libcardmod/encrypt.h"
#include "libcardmod/file.h"
#include "libcardmod/key_property.h"
#include "libcardmod/module.h"
#include "libcardmod/pin.h"
#include "libcardmod/property.h"
#include "libcardmod/seal.h"
#include "libcardmod/session.h"
#include "libcardmod/shared_key.h"
#include "libcardmod/status.h"
#include "libcardmod/utf16.h"

enum { ATR_MIN = 2, ATR_MAX = 33 };

/* A failed CardAcquireContext() leaves no context that could keep the words for its thread. */
static _Thread_local struct kf_error acquire_error = KF_ERROR_INIT;

DEFINE_CLEANUP(struct kf_card *, kf_card_free);

/* --- the table --- */

static void install_version_4(PCARD_DATA card)
{
	card->pfnCardDeleteContext = card_delete_context;
	card->pfnCardQueryCapabilities = card_query_capabilities;
	card->pfnCardDeleteContainer = card_delete_container;
	card->pfnCardCreateContainer = card_create_container;
	card->pfnCardGetContainerInfo = card_get_container_info;
	card->pfnCardAuthenticatePin = card_authenticate_pin;
	card->pfnCardGetChallenge = card_get_challenge;
	card->pfnCardAuthenticateChallenge = card_authenticate_challenge;
	card->pfnCardUnblockPin = card_unblock_pin;
	card->pfnCardChangeAuthenticator = card_change_authenticator;
	card->pfnCardDeauthenticate = card_deauthenticate;
	card->pfnCardCreateDirectory = card_create_directory;
	card->pfnCardDeleteDirectory = card_delete_directory;
	card->pvUnused3 = NULL;
	card->pvUnused4 = NULL;
	card->pfnCardCreateFile = card_create_file;
	card->pfnCardReadFile = card_read_file;
	card->pfnCardWriteFile = card_write_file;
	card->pfnCardDeleteFile = card_delete_file;
	card->pfnCardEnumFiles = card_enum_files;
	card->pfnCardGetFileInfo = card_get_file_info;
	card->pfnCardQueryFreeSpace = card_query_free_space;
	card->pfnCardQueryKeySizes = card_query_key_sizes;
	card->pfnCardSignData = card_sign_data;
	card->pfnCardRSADecrypt = card_rsa_decrypt;
	card->pfnCardConstructDHAgreement = card_construct_dh_agreement;
}

static void install_version_5(PCARD_DATA card)
{
	card->pfnCardDeriveKey = card_derive_key;
	card->pfnCardDestroyDHAgreement = card_destroy_dh_agreement;
}

static void install_version_6(PCARD_DATA card)
{
	card->pfnCardGetChallengeEx = card_get_challenge_ex;
	card->pfnCardAuthenticateEx = card_authenticate_ex;
	card->pfnCardChangeAuthenticatorEx = card_change_authenticator_ex;
	card->pfnCardDeauthenticateEx = card_deauthenticate_ex;
	card->pfnCardGetContainerProperty = card_get_container_property;
	card->pfnCardSetContainerProperty = card_set_container_property;
	card->pfnCardGetProperty = card_get_property;
	card->pfnCardSetProperty = card_set_property;
}

static void install_version_7(PCARD_DATA card)
{
	card->pfnMDImportSessionKey = md_import_session_key;
	card->pfnMDEncryptData = md_encrypt_data;
	card->pfnCardImportSessionKey = card_import_session_key;
	card->pfnCardGetSharedKeyHandle = card_get_shared_key_handle;
	card->pfnCardGetAlgorithmProperty = card_get_algorithm_property;
	card->pfnCardGetKeyProperty = card_get_key_property;
	card->pfnCardSetKeyProperty = card_set_key_property;
	card->pfnCardDestroyKey = card_destroy_key;
	card->pfnCardProcessEncryptedData = card_process_encrypted_data;
	card->pfnCardCreateContainerEx = card_create_container_ex;
}

static void install(PCARD_DATA card, struct module *module)
{
	if (card->dwVersion > CARD_DATA_CURRENT_VERSION)
		card->dwVersion = CARD_DATA_CURRENT_VERSION;
	card->pvVendorSpecific = module;
	install_version_4(card);
	if (card->dwVersion >= CARD_DATA_VERSION_FIVE)
		install_version_5(card);
	if (card->dwVersion >= CARD_DATA_VERSION_SIX)
		install_version_6(card);
	if (card->dwVersion >= CARD_DATA_VERSION_SEVEN)
		install_version_7(card);
}

/* --- checks --- */

__attribute__((format(printf, 3, 4)))
static DWORD refuse(DWORD status, const char *next, const char *why, ...)
{
	struct kf_error *e = &acquire_error;
	char text[KF_ERROR_TEXT_MAX];
	va_list args;

	va_start(args, why);
	error_text_vset(text, why, args);
	va_end(args);
	(void)error_why(e, status_to_errno(status), "keyferry/cardmod.h", next, "%s", text);
	(void)error_what(e, e->code, "CardAcquireContext failed");
	return status;
}

static DWORD check_allocator(const CARD_DATA *card)
{
	if (card->pfnCspAlloc && card->pfnCspReAlloc && card->pfnCspFree)
		return SCARD_S_SUCCESS;
	return refuse(SCARD_E_INVALID_PARAMETER, "set pfnCspAlloc, pfnCspReAlloc and pfnCspFree",
		      "there is no allocator");
}

static DWORD check_card(const CARD_DATA *card)
{
	DWORD status;

	if (!card->pbAtr || card->cbAtr < ATR_MIN || card->cbAtr > ATR_MAX || !card->pwszCardName)
		return refuse(SCARD_E_INVALID_PARAMETER, "set pbAtr, cbAtr and pwszCardName",
			      "there is no ATR of 2 to 33 bytes, or no name");
	status = check_allocator(card);
	if (status == SCARD_S_SUCCESS && (card->hSCardCtx == 0 || card->hScard == 0))
		return refuse(SCARD_E_INVALID_HANDLE, "set both to anything else",
			      "hSCardCtx or hScard is 0");
	return status;
}

static DWORD check_no_card(const CARD_DATA *card)
{
	if (card->dwVersion < CARD_DATA_VERSION_SEVEN)
		return refuse(SCARD_E_INVALID_PARAMETER, "set dwVersion to 7",
			      "version %u has no no-card mode", card->dwVersion);
	if (!utf16_equal(card->pwszCardName, KF_CARD_NAME))
		return refuse(SCARD_E_UNKNOWN_CARD, "set pwszCardName to KF_CARD_NAME",
			      "without a card its name says what is to be sealed for");
	if (card->hSCardCtx != 0 || card->hScard != 0)
		return refuse(SCARD_E_INVALID_PARAMETER, "set both to 0",
			      "hSCardCtx or hScard is not 0 in no-card mode");
	return check_allocator(card);
}

/* --- with a card --- */

static DWORD client_failed(const struct kf_client *client, int r)
{
	acquire_error = *kf_client_error(client);
	(void)error_what(&acquire_error, r, "CardAcquireContext failed");
	return status_from_errno(r, kf_client_reason(client));
}

static DWORD open_context(struct module *module, const char *reader)
{
	int r = kf_context_open(module->client, reader, 0, &module->context);
	DWORD status;

	if (r == 0)
		return SCARD_S_SUCCESS;
	status = client_failed(module->client, r);
	return r == -ENOENT ? SCARD_E_UNKNOWN_READER : status;
}

/* The caller says which card it means by the ATR it saw; another one now is not it. */
static DWORD compare_atr(const struct module *module, const CARD_DATA *card)
{
	_cleanup_(kf_card_freep) struct kf_card *there = NULL;
	const uint8_t *atr;
	DWORD status;
	size_t len;
	int r = kf_card_read(module->context, &there);

	if (r < 0) {
		status = client_failed(module->client, r);
		return r == -EOPNOTSUPP ? SCARD_E_UNKNOWN_CARD : status;
	}
	atr = kf_card_atr(there, &len);
	if (bytes_equal(BYTES(atr, len), BYTES(card->pbAtr, card->cbAtr)))
		return SCARD_S_SUCCESS;
	return refuse(SCARD_E_UNKNOWN_CARD, "name the reader in KEYFERRY_READER, or look again",
		      "the card in the reader has another ATR");
}

DWORD acquire_card(PCARD_DATA card, struct kf_client *client, const char *reader)
{
	_cleanup_(module_freep) struct module *module = NULL;
	DWORD status;

	if (module_new(MODULE_CARD, card, &module) < 0) {
		(void)kf_client_free(client);
		return refuse(SCARD_E_NO_MEMORY, "free some", "there is no memory left");
	}
	module->client = client;
	status = open_context(module, reader);
	if (status == SCARD_S_SUCCESS)
		status = compare_atr(module, card);
	if (status == SCARD_S_SUCCESS)
		install(card, take_ptr(module));
	return status;
}

static DWORD acquire_connected(PCARD_DATA card)
{
	struct kf_client *client = NULL;
	DWORD status;
	int r = kf_client_new(NULL, &client);

	if (r < 0)
		return refuse(SCARD_E_NO_MEMORY, "free some", "there is no memory left");
	r = kf_client_connect(client, NULL);
	if (r == 0)
		return acquire_card(card, client, secure_getenv("KEYFERRY_READER"));
	status = client_failed(client, r);
	(void)kf_client_free(client);
	return r == -ENOENT || r == -ENOTCONN ? SCARD_E_NO_SERVICE : status;
}

/* --- the entry points --- */

static DWORD acquire_server(PCARD_DATA card)
{
	struct module *module = NULL;

	if (module_new(MODULE_SERVER, card, &module) < 0)
		return refuse(SCARD_E_NO_MEMORY, "free some", "there is no memory left");
	install(card, module);
	return SCARD_S_SUCCESS;
}

CARDMOD_EXPORT DWORD WINAPI CardAcquireContext(PCARD_DATA card, DWORD flags)
{
	bool no_card = flags == CARD_SECURE_KEY_INJECTION_NO_CARD_MODE;
	DWORD status;

	acquire_error = (struct kf_error)KF_ERROR_INIT;
	if (!card)
		return refuse(SCARD_E_INVALID_PARAMETER, "correct the program",
			      "pCardData is NULL");
	card->pvVendorSpecific = NULL;		/* kf_cardmod_error() follows it */
	if (flags != 0 && !no_card)
		return refuse(SCARD_E_INVALID_PARAMETER, "correct the program",
			      "dwFlags has an unknown bit: 0x%x", flags);
	if (card->dwVersion < CARD_DATA_VERSION_FOUR)
		return refuse(ERROR_REVISION_MISMATCH, "set dwVersion to 4 or more",
			      "version %u of CARD_DATA", card->dwVersion);
	status = no_card ? check_no_card(card) : check_card(card);
	if (status != SCARD_S_SUCCESS)
		return status;
	return no_card ? acquire_server(card) : acquire_connected(card);
}

DWORD WINAPI card_delete_context(PCARD_DATA card)
{
	struct module *module;
	DWORD status = module_enter(card, MODULE_EITHER, "CardDeleteContext", &module);

	if (status != SCARD_S_SUCCESS)
		return status;
	card->pvVendorSpecific = module_free(module);
	return SCARD_S_SUCCESS;
}

CARDMOD_EXPORT const struct kf_error *kf_cardmod_error(const CARD_DATA *card)
{
	const struct module *module = card ? card->pvVendorSpecific : NULL;

	return module ? &module->e : &acquire_error;
}
