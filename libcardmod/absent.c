// SPDX-License-Identifier: LGPL-2.1-or-later
/* libcardmod/absent.c - The context is looked at first, outputs are zeroed, then the one answer. */
#include "libcardmod/absent.h"
#include "libcardmod/module.h"

static DWORD absent(PCARD_DATA card, const char *call, const char *next)
{
	struct module *module;
	DWORD status = module_enter(card, MODULE_CARD, call, &module);

	return status != SCARD_S_SUCCESS
		       ? status
		       : module_refuse(module, SCARD_E_UNSUPPORTED_FEATURE, "docs/cardmod.md", next,
				       "this entry point does nothing here");
}

static DWORD no_challenge(PCARD_DATA card, const char *call, PBYTE *out, PDWORD len)
{
	if (out)
		*out = NULL;
	if (len)
		*len = 0;
	return absent(card, call, "unblock by the PUK: CardUnblockPin");
}

DWORD WINAPI card_get_challenge(PCARD_DATA card, PBYTE *out, PDWORD len)
{
	return no_challenge(card, "CardGetChallenge", out, len);
}

DWORD WINAPI card_get_challenge_ex(PCARD_DATA card, PIN_ID id, PBYTE *out, PDWORD len,
				   DWORD flags)
{
	(void)id;
	(void)flags;
	return no_challenge(card, "CardGetChallengeEx", out, len);
}

DWORD WINAPI card_authenticate_challenge(PCARD_DATA card, PBYTE response, DWORD len, PDWORD left)
{
	(void)response;
	(void)len;
	if (left)
		*left = CARD_DATA_VALUE_UNKNOWN;
	return absent(card, "CardAuthenticateChallenge", "unblock by the PUK: CardUnblockPin");
}

DWORD WINAPI card_sign_data(PCARD_DATA card, PCARD_SIGNING_INFO info)
{
	if (info) {
		info->pbSignedData = NULL;
		info->cbSignedData = 0;
	}
	return absent(card, "CardSignData", "sign with kf_sign() of libkeyferry");
}

DWORD WINAPI card_rsa_decrypt(PCARD_DATA card, PCARD_RSA_DECRYPT_INFO info)
{
	(void)info;
	return absent(card, "CardRSADecrypt", "decrypt with kf_decrypt() of libkeyferry");
}
