// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/pkcs11/master.c - What a key is good for is asked before it is used: a token that let its key be
 * read would keep nothing.
 */
#include "tools/pkcs11/master.h"
#include "base/error.h"
#include "tools/pkcs11/rv.h"

enum { MASTER_SIZE = 32 };

#define RULE "a master in a token, docs/formats.md 9"
#define MAKE "make one with keyferry server master --make"

/* --- making one --- */

/* It signs and does nothing else, for ever. */
static CK_RV generate(struct token *token, const struct source_open *name)
{
	static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ULONG size = MASTER_SIZE, n = 10;
	CK_ATTRIBUTE attributes[12] = {
		{ CKA_VALUE_LEN, &size, sizeof(size) }, { CKA_TOKEN, &yes, 1 }, { CKA_PRIVATE, &yes, 1 },
		{ CKA_SENSITIVE, &yes, 1 }, { CKA_EXTRACTABLE, &no, 1 }, { CKA_SIGN, &yes, 1 },
		{ CKA_ENCRYPT, &no, 1 }, { CKA_DECRYPT, &no, 1 }, { CKA_WRAP, &no, 1 }, { CKA_UNWRAP, &no, 1 },
	};
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE key;
	CK_RV rv = token->f->C_OpenSession(token->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
					   &session);

	if (rv != CKR_OK)
		return rv;
	if (name->label.n > 0)
		attributes[n++] = (CK_ATTRIBUTE){ CKA_LABEL, (void *)(uintptr_t)name->label.p, name->label.n };
	if (name->id.n > 0)
		attributes[n++] = (CK_ATTRIBUTE){ CKA_ID, (void *)(uintptr_t)name->id.p, name->id.n };
	rv = token->f->C_GenerateKey(session, &mechanism, attributes, n, &key);
	(void)token->f->C_CloseSession(session);
	return rv;
}

static int make(struct token *token, const struct source_open *name, struct kf_error *e)
{
	CK_OBJECT_HANDLE key;
	int r = token_find_key(token, name, &key, NULL);

	if (r == 0 || r == -ENOTUNIQ)
		return error_why(e, -EEXIST, "a name is one key", "use it without --make, or choose another name",
				 "the token has a key of that name");
	if (r != -ENOENT)
		return r;
	return rv_check(generate(token, name), "make the master in its token", e);
}

/* --- judging it --- */

static int look(struct token *token, CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type, void *out, size_t size,
		struct kf_error *e)
{
	size_t n = 0;
	int r = rv_check(token_get(token, key, type, out, size, &n), "look at the key", e);

	if (r < 0 || n == size)
		return r;
	return error_why(e, -EBADMSG, "PKCS #11", "try the module with pkcs11-tool",
			 "the module says no attribute 0x%lx in form", type);
}

static int check_type(struct token *token, CK_OBJECT_HANDLE key, struct kf_error *e)
{
	CK_KEY_TYPE type = 0;
	CK_ULONG size = 0;
	int r = look(token, key, CKA_KEY_TYPE, &type, sizeof(type), e);

	if (r == 0 && type != CKK_AES)
		return error_why(e, -EINVAL, RULE, MAKE, "the key is no AES key");
	if (r == 0)
		r = look(token, key, CKA_VALUE_LEN, &size, sizeof(size), e);
	if (r < 0 || size == MASTER_SIZE)
		return r;
	return error_why(e, -EINVAL, RULE, MAKE, "the key has %lu bytes, and a master has 32", size);
}

static int check_use(struct token *token, CK_OBJECT_HANDLE key, struct kf_error *e)
{
	CK_BBOOL sensitive = CK_FALSE, signs = CK_FALSE;
	int r = look(token, key, CKA_SENSITIVE, &sensitive, sizeof(sensitive), e);

	if (r == 0)
		r = look(token, key, CKA_SIGN, &signs, sizeof(signs), e);
	if (r == 0 && !sensitive)
		return error_why(e, -EACCES, RULE, MAKE,
				 "the key can be read out of its token: CKA_SENSITIVE is false");
	if (r == 0 && !signs)
		return error_why(e, -EACCES, RULE, "have the token's tools set CKA_SIGN, or " MAKE,
				 "the key does no CMACs: CKA_SIGN is false");
	return r;
}

static int check_mechanism(struct token *token, struct kf_error *e)
{
	CK_MECHANISM_INFO info;

	if (token->f->C_GetMechanismInfo(token->slot, CKM_AES_CMAC, &info) == CKR_OK &&
	    (info.flags & CKF_SIGN))
		return 0;
	return error_why(e, -EOPNOTSUPP, RULE, "use a token that does CKM_AES_CMAC",
			 "the token does no CMAC with AES");
}

int master_find(struct token *token, const struct master_open *want, struct master *out,
		struct kf_error *e)
{
	CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
	CK_BBOOL extractable = CK_TRUE;
	int r = check_mechanism(token, e);

	if (r == 0 && want->make)
		r = make(token, &want->key, e);
	if (r == 0)
		r = token_find_key(token, &want->key, &key, e);
	if (r == 0)
		r = check_type(token, key, e);
	if (r == 0)
		r = check_use(token, key, e);
	if (r == 0)
		r = look(token, key, CKA_EXTRACTABLE, &extractable, sizeof(extractable), e);
	if (r < 0)
		return r;
	*out = (struct master){ key, extractable };
	return 0;
}

/* --- using it --- */

int master_mac(struct token *token, const struct master *master, struct bytes in,
	       uint8_t out[static MASTER_MAC_SIZE], struct kf_error *e)
{
	CK_MECHANISM mechanism = { CKM_AES_CMAC, NULL, 0 };
	CK_ULONG n = MASTER_MAC_SIZE;
	CK_RV rv = token->f->C_SignInit(token->session, &mechanism, master->key);

	if (rv == CKR_OK)	/* the interface takes a non-const pointer and does not write through it */
		rv = token->f->C_Sign(token->session, (unsigned char *)(uintptr_t)in.p, in.n, out, &n);
	if (rv != CKR_OK || n == MASTER_MAC_SIZE)
		return rv_check(rv, "derive from the master", e);
	return error_why(e, -EBADMSG, "SP 800-38B", "try the module with pkcs11-tool",
			 "the token's CMAC has %lu bytes", n);
}
