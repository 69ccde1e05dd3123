/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/seal_property.h - Vendor properties of a key in no-card mode (docs/cardmod.md 1). Nothing
 * that is out of a statement is told before the statement was verified [SECURITY section 9].
 */
#pragma once

#include "libcardmod/key.h"

struct value_out;

/* Whether @name is a vendor property of keys in no-card mode. */
bool seal_has_property(LPCWSTR name);
DWORD seal_set(struct module *module, struct key *key, LPCWSTR name, struct bytes value);
DWORD seal_get(struct module *module, struct key *key, LPCWSTR name, const struct value_out *out);

/* The refusal of whatever needs the statement. Return: %SCARD_W_SECURITY_VIOLATION. */
DWORD seal_unverified(struct module *module);
