/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/function.h - Secure functions: what is sealed by MDEncryptData and carried out by
 * CardProcessEncryptedData, and the structure the card's answer is told in [minidriver 3.2, 4.2].
 */
#pragma once

#include "base/bytes.h"
#include "keyferry/cardmod.h"
#include "keyferry/types.h"

enum { FUNCTION_RESPONSE_MAX = sizeof(CARD_AUTHENTICATE_RESPONSE) };

/* By its CSF_ name; %KF_FUNCTION_NONE: there is none of that name. */
enum kf_function function_find(LPCWSTR name);

/* Bytes of its response structure; 0: it has none. */
DWORD function_response_size(enum kf_function function);

/* @left: tries of the PIN that proved it. No session PIN ever comes back [SECURITY section 9]. */
void function_response_pack(enum kf_function function, DWORD left, struct packer *out);
