/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/pkcs11/master.h - The master of SHARED keys in a token: an AES-256 key that does CMACs and is never
 * read. Cards' keys are CMACs under it (docs/card-application.md 6.2).
 */
#pragma once

#include "tools/pkcs11/token.h"

/**
 * struct master - the key in its token
 * @extractable: it may be wrapped out of there
 */
struct master {
	CK_OBJECT_HANDLE key;
	bool extractable;
};

/*
 * Finds it, or generates it, and judges it: AES of 32 bytes, sensitive, allowed to sign, in a token that does
 * CMAC. Return: 0, -ENOENT, -ENOTUNIQ, -EEXIST, -EACCES, -EINVAL, -EOPNOTSUPP.
 */
int master_find(struct token *token, const struct master_open *want, struct master *out,
		struct kf_error *e);

/* Return: 0, -ENODEV the token is gone, -errno. */
int master_mac(struct token *token, const struct master *master, struct bytes in,
	       uint8_t out[static MASTER_MAC_SIZE], struct kf_error *e);
