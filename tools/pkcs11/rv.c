// SPDX-License-Identifier: LGPL-2.1-or-later
/* tools/pkcs11/rv.c - A table; what is not in it is told by its number. */
#include "tools/pkcs11/rv.h"
#include "base/error.h"

#include <errno.h>

#define RULE "PKCS #11"

static const struct rv_row {
	CK_RV rv;
	int code;
	const char *why, *next;
} rows[] = {
	{ CKR_KEY_UNEXTRACTABLE, -EACCES, "the key may not leave its token: CKA_EXTRACTABLE is false, for ever",
	  "make a new key with CKA_EXTRACTABLE true, which may stay sensitive" },
	{ CKR_KEY_NOT_WRAPPABLE, -EACCES,
	  "the token does not let this key be wrapped, or by trusted keys alone (CKA_WRAP_WITH_TRUSTED)",
	  "have the security officer mark the KEK as CKA_TRUSTED in the token, or use another key" },
	{ CKR_KEY_FUNCTION_NOT_PERMITTED, -EACCES, "the token does not allow that with such a key",
	  "look at the key's attributes and at the token's policy" },
	{ CKR_PIN_INCORRECT, -EKEYREJECTED, "the PIN is wrong", "try again; a token counts" },
	{ CKR_PIN_INVALID, -EKEYREJECTED, "the PIN has characters a PIN cannot have", "try again" },
	{ CKR_PIN_LEN_RANGE, -EKEYREJECTED, "the PIN is too short or too long", "try again" },
	{ CKR_PIN_EXPIRED, -EKEYREJECTED, "the PIN has expired", "set a new one with the token's tools" },
	{ CKR_PIN_LOCKED, -EKEYREVOKED, "the PIN is blocked", "have the security officer set a new one" },
	{ CKR_USER_PIN_NOT_INITIALIZED, -EKEYREJECTED, "the token has no user PIN yet",
	  "set one with the token's tools" },
	{ CKR_WRAPPING_KEY_SIZE_RANGE, -EINVAL, "the token does not wrap under a KEK of this size",
	  "have the receiver make a smaller one" },
	{ CKR_WRAPPING_KEY_TYPE_INCONSISTENT, -EOPNOTSUPP, "the token does not wrap under such a key",
	  "use another way" },
	{ CKR_KEY_SIZE_RANGE, -EINVAL, "the key has a size the token does not wrap so",
	  "use another way or another key" },
	{ CKR_MECHANISM_INVALID, -EOPNOTSUPP, "the token does not know the mechanism",
	  "use another way" },
	{ CKR_MECHANISM_PARAM_INVALID, -EOPNOTSUPP, "the token refuses OAEP with this hash",
	  "choose a format or KEK with another hash" },
	{ CKR_ARGUMENTS_BAD, -EOPNOTSUPP, "the token refuses the parameters: most often OAEP with this hash",
	  "choose a format or KEK with another hash" },
	{ CKR_TEMPLATE_INCONSISTENT, -EOPNOTSUPP, "the token refuses a session key with these attributes",
	  "look at the token's policy" },
	{ CKR_ATTRIBUTE_VALUE_INVALID, -EOPNOTSUPP, "the token refuses an attribute of a session key",
	  "look at the token's policy" },
	{ CKR_ATTRIBUTE_SENSITIVE, -EACCES, "the key is sensitive: its value cannot be read",
	  "use a token that wraps inside" },
	{ CKR_USER_NOT_LOGGED_IN, -EPERM, "the token wants a login first", "give the PIN" },
	{ CKR_DEVICE_MEMORY, -ENOSPC, "the token has no room for a session key", "close other sessions" },
	{ CKR_DEVICE_REMOVED, -ENODEV, "the token has been removed", "put it back and run it again" },
	{ CKR_TOKEN_NOT_PRESENT, -ENODEV, "the token is not there", "put it in and run it again" },
	{ CKR_SESSION_HANDLE_INVALID, -ENODEV, "the token has ended our session: it was removed, or reset",
	  "put it back and run it again" },
	{ CKR_SESSION_CLOSED, -ENODEV, "the token has ended our session: it was removed, or reset",
	  "put it back and run it again" },
	{ CKR_KEY_HANDLE_INVALID, -ENOENT, "the key is no longer in the token", "look who removed it" },
	{ CKR_OBJECT_HANDLE_INVALID, -ENOENT, "the key is no longer in the token", "look who removed it" },
	{ CKR_TOKEN_WRITE_PROTECTED, -EROFS, "the token takes no keys: it is write protected",
	  "look at the token's policy" },
	{ CKR_FUNCTION_NOT_SUPPORTED, -EOPNOTSUPP, "the module has no such function", "use another one" },
	{ CKR_HOST_MEMORY, -ENOMEM, "the module ran out of memory", "free some and run it again" },
	{ CKR_DEVICE_ERROR, -EIO, "the token failed", "look at the token's log" },
};

int rv_check(CK_RV rv, const char *doing, struct kf_error *e)
{
	if (rv == CKR_OK)
		return 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].rv == rv)
			return error_what(e, error_why(e, rows[i].code, RULE, rows[i].next, "%s", rows[i].why),
					  "cannot %s", doing);
	return error_what(e, error_why(e, -EIO, RULE, "look the number up in the module's manual",
				       "the module answered 0x%lx", rv), "cannot %s", doing);
}

bool rv_is_refused_mechanism(CK_RV rv)
{
	return rv == CKR_MECHANISM_INVALID || rv == CKR_MECHANISM_PARAM_INVALID ||
	       rv == CKR_ARGUMENTS_BAD || rv == CKR_FUNCTION_NOT_SUPPORTED ||
	       rv == CKR_WRAPPING_KEY_TYPE_INCONSISTENT || rv == CKR_KEY_TYPE_INCONSISTENT;
}
