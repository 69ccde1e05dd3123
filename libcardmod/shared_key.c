// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libcardmod/shared_key.c - There is no output: what the card has to say to the server about the key
 * stands in its signed receipt, and what the server has to say is a property of its handle.
 */
#include "libcardmod/shared_key.h"
#include "libcardmod/module.h"
#include "libcardmod/seal.h"
#include "libcardmod/session.h"

enum { INPUT_MAX = 512 };		/* S1 under RSA-4096 */

static DWORD establish(struct module *module, struct bytes input, PCARD_KEY_HANDLE out)
{
	if (!module->card_exchange.offer.p)
		return module_refuse(module, SCARD_W_SECURITY_VIOLATION, "SECURITY section 9",
				     "set KF Nonce of the card, read KF Statement, and send it to "
				     "the server",
				     "the card made no statement for this");
	if (!input.p || input.n == 0 || input.n > INPUT_MAX)
		return module_bad_argument(module, "pbInput is not what the server has in KF "
						   "Session Key");
	return session_establish(module, &module->card_exchange, input, out);
}

DWORD WINAPI card_get_shared_key_handle(PCARD_DATA card, PBYTE input, DWORD input_len,
					PBYTE *output, PDWORD output_len, PCARD_KEY_HANDLE out)
{
	struct module *module;
	DWORD status;

	if (output)
		*output = NULL;
	if (output_len)
		*output_len = 0;
	if (out)
		*out = 0;
	status = module_enter(card, MODULE_EITHER, "CardGetSharedKeyHandle", &module);
	if (status != SCARD_S_SUCCESS)
		return status;
	if (!out)
		return module_bad_argument(module, "phKey is NULL");
	if (module->kind == MODULE_CARD)
		return establish(module, BYTES(input, input_len), out);
	if (input || input_len != 0)
		return module_bad_argument(module, "nothing goes in here: the card's statement is set "
						   "as KF Statement of the handle");
	return seal_without_key(module, out);
}
