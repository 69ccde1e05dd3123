/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/key_spec.h - dwKeySpec [minidriver 3.6]: which types of key it covers, and what they
 * are for.
 */
#pragma once

#include "format/numbers.h"
#include "keyferry/cardmod.h"

struct key_spec {
	DWORD spec;
	enum kf_key_type first, last;
	enum kf_purpose purpose;
};

/* NULL: there is no such specification. */
const struct key_spec *key_spec_find(DWORD spec);
bool key_spec_has(const struct key_spec *spec, enum kf_key_type type);
