/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/pkcs11/wrapping.h - A key of a token under a KEK, by the best way the token has. Unless somebody
 * allows it, neither the key nor the AES key that protects it is ever in our memory.
 */
#pragma once

#include "tools/pkcs11/token.h"

/* @blob has room for SOURCE_BLOB_MAX. Return: 0 and @out, whose blob is in @blob; -errno. */
int source_wrap_key(struct token *token, CK_OBJECT_HANDLE key, enum kf_key_type type,
		    const struct source_wrap *want, struct packer *blob, struct source_wrapped *out,
		    struct kf_error *e);
