/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/pkcs11/selftest.h - What a token's key wrap really is. CKM_AES_KEY_WRAP_PAD is RFC 5649 to some,
 * RFC 3394 behind PKCS #7 padding to others, and RFC 5649 behind padding with zeros to a third; what was
 * wrapped the wrong way is refused by its receiver, weeks later and without a word. So it is tried out
 * on throw-away keys first.
 */
#pragma once

#include "tools/pkcs11/token.h"

enum key_wrap {
	WRAP_UNKNOWN,		/* the token takes no keys of ours, so nothing can be tried */
	WRAP_RFC5649,
	WRAP_RFC5649_ZEROS,	/* the plaintext has up to 7 zero bytes behind it */
	WRAP_OTHER,		/* PKCS #7 style, or something nobody has heard of */
};

/* Return: 0, -EIO, -ENOMEM. */
int key_wrap_try(struct token *token, CK_MECHANISM_TYPE mechanism, enum key_wrap *out,
		 struct kf_error *e);
