/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/keypair_input.h - CARD_IMPORT_KEYPAIR as the caller gave it [minidriver 4.2]: where the
 * key goes, what for, and the key itself.
 */
#pragma once

#include "libcardmod/module.h"

struct kf_keypair;

/*
 * @container:	the one the card attested as target; the structure has to name the same.
 *
 * Return: 0 and the key, for kf_keypair_free(); %ERROR_REVISION_MISMATCH,
 * %SCARD_E_INVALID_PARAMETER, %SCARD_E_UNSUPPORTED_FEATURE, %SCARD_E_NO_MEMORY.
 */
DWORD keypair_input_take(struct module *module, struct bytes input, unsigned int container,
			 struct kf_keypair **out);
