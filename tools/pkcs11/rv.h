/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/pkcs11/rv.h - What a PKCS #11 return value means to a person who wants to wrap a key.
 */
#pragma once

#include "keyferry/error.h"

#include <p11-kit-1/p11-kit/pkcs11.h>
#include <stdbool.h>

/* Nothing when @rv is CKR_OK. @doing: "wrap the key". Return: 0, or the negative errno it is told as. */
int rv_check(CK_RV rv, const char *doing, struct kf_error *e);

/* The source does not know the mechanism, or not with these parameters: another way may do. */
bool rv_is_refused_mechanism(CK_RV rv);
