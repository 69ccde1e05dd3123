/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/cardmod_ways.h - What client and server agree on before a voyage: by which way the session
 * key gets into the card, and what is sealed. Nothing of ours but keyferry/cardmod.h is needed.
 */
#pragma once

#include "tests/e2e/cardmod_steps.h"

struct way {
	const char *name;
	DWORD method;
	bool standing;		/* by a key in a container, else by the card's own offer */
};

static const struct way ways[] = {
	{ "rsa-standing", KF_METHOD_PROPERTY_RSA, true },
	{ "ecdh-standing", KF_METHOD_PROPERTY_ECDH, true },
	{ "rsa", KF_METHOD_PROPERTY_RSA, false },
	{ "ecdh", KF_METHOD_PROPERTY_ECDH, false },
	{ "derived", KF_METHOD_PROPERTY_DERIVED, false },
	{ "shared", KF_METHOD_PROPERTY_SHARED, false },
};

/* What is sealed: a key, or what is ordered about a PIN. */
static const struct {
	const char *name;
	LPCWSTR function;
} whats[] = {
	{ "key", CSF_IMPORT_KEYPAIR },
	{ "change", CSF_CHANGE_AUTHENTICATOR },
	{ "unblock", CSF_CHANGE_AUTHENTICATOR },
	{ "authenticate", CSF_AUTHENTICATE },
};

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

enum { TARGET = 5 };		/* where a key goes */

static inline const struct way *way_find(const char *name)
{
	for (size_t i = 0; i < N_OF(ways); i++)
		if (strcmp(ways[i].name, name) == 0)
			return &ways[i];
	exit(2);
}

static inline LPCWSTR function_of(const char *what)
{
	for (size_t i = 0; i < N_OF(whats); i++)
		if (strcmp(whats[i].name, what) == 0)
			return whats[i].function;
	exit(2);
}

static inline bool is_key(const char *what)
{
	return strcmp(what, "key") == 0;
}
