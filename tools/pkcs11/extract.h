/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/pkcs11/extract.h - A key out of its token, in the clear, for tokens that cannot wrap: only if
 * somebody has allowed that, and only if the token lets it go.
 */
#pragma once

#include "libserver/byok/target.h"
#include "tools/pkcs11/token.h"

/*
 * @key is of @type. Return: 0 and a target owned by the caller; -EACCES it is sensitive; -EBADMSG what the
 * token gave is no such key; -errno.
 */
int token_extract(struct token *token, CK_OBJECT_HANDLE key, enum kf_key_type type,
		  struct kf_byok_target **out, struct kf_error *e);
