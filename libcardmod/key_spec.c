// SPDX-License-Identifier: LGPL-2.1-or-later
/* libcardmod/key_spec.c - The table. A key-exchange key becomes EXCHANGE when the card offers it. */
#include "libcardmod/key_spec.h"

static const struct key_spec specs[] = {
	{ AT_KEYEXCHANGE, KF_KEY_RSA_2048, KF_KEY_RSA_4096, KF_PURPOSE_DECRYPT },
	{ AT_SIGNATURE, KF_KEY_RSA_2048, KF_KEY_RSA_4096, KF_PURPOSE_SIGN },
	{ AT_ECDSA_P256, KF_KEY_EC_P256, KF_KEY_EC_P256, KF_PURPOSE_SIGN },
	{ AT_ECDSA_P384, KF_KEY_EC_P384, KF_KEY_EC_P384, KF_PURPOSE_SIGN },
	{ AT_ECDSA_P521, KF_KEY_EC_P521, KF_KEY_EC_P521, KF_PURPOSE_SIGN },
	{ AT_ECDHE_P256, KF_KEY_EC_P256, KF_KEY_EC_P256, KF_PURPOSE_DERIVE },
	{ AT_ECDHE_P384, KF_KEY_EC_P384, KF_KEY_EC_P384, KF_PURPOSE_DERIVE },
	{ AT_ECDHE_P521, KF_KEY_EC_P521, KF_KEY_EC_P521, KF_PURPOSE_DERIVE },
};

const struct key_spec *key_spec_find(DWORD spec)
{
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
		if (specs[i].spec == spec)
			return &specs[i];
	return NULL;
}

bool key_spec_has(const struct key_spec *spec, enum kf_key_type type)
{
	return type >= spec->first && type <= spec->last;
}
