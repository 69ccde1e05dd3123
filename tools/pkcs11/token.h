/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/pkcs11/token.h - A PKCS #11 module with one of its tokens open, and the one key that is to be
 * wrapped. The session is read-only: nothing of ours stays behind in the token.
 */
#pragma once

#include "format/numbers.h"
#include "tools/link/message.h"

#include <p11-kit-1/p11-kit/pkcs11.h>

/* Newer than Debian 12's header. */
#define CKM_AES_KEY_WRAP_KWP 0x210bUL

/* What vendors call the same, or nearly; their numbers are theirs, and may be another vendor's, too. */
#define CKM_LUNA_AES_KWP 0x80000171UL			/* Thales Luna */
#define CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD 0x8000216fUL	/* AWS CloudHSM */
#define CKM_NSS_AES_KEY_WRAP_PAD 0xce534352UL

struct ck_rsa_aes_key_wrap_params {
	unsigned long aes_key_bits;
	struct ck_rsa_pkcs_oaep_params *oaep;	/* a pointer, in spite of what one expects */
};

enum { TOKEN_MECHANISMS_MAX = 1024 };

/**
 * struct token - one session
 * @f:		the module's functions
 * @mechanisms:	@n_mechanisms of them that wrap
 */
struct token {
	void *module;
	CK_FUNCTION_LIST *f;
	bool initialized;
	CK_SLOT_ID slot;
	CK_SESSION_HANDLE session;
	CK_MECHANISM_TYPE mechanisms[TOKEN_MECHANISMS_MAX];
	size_t n_mechanisms;
};

#define TOKEN_INIT ((struct token){ 0 })

/* @token comes from TOKEN_INIT and is given to token_close() whatever comes. Return: 0, -errno. */
int token_open(struct token *token, const struct source_open *want, struct kf_error *e);
void token_close(struct token *token);

/* Whether the token lists @mechanism for wrapping. */
bool token_wraps(const struct token *token, CK_MECHANISM_TYPE mechanism);

/* The one private or secret key of that label and id. Return: 0, -ENOENT, -ENOTUNIQ. */
int token_find_key(struct token *token, const struct source_open *want, CK_OBJECT_HANDLE *out,
		   struct kf_error *e);

/*
 * Its type, and what the token says its public half is; @spki stays empty where it does not.
 * Return: 0, -EOPNOTSUPP.
 */
int token_describe(struct token *token, CK_OBJECT_HANDLE key, enum kf_key_type *type,
		   struct packer *spki, struct kf_error *e);

/* An attribute of at most @cap bytes. Return: what the module returned. */
CK_RV token_get(struct token *token, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, uint8_t *buf,
		size_t cap, size_t *n);

/* A session object of ours, CKA_TOKEN false. Return: what the module returned. */
CK_RV token_create(struct token *token, const CK_ATTRIBUTE *attributes, size_t n,
		   CK_OBJECT_HANDLE *out);
/* Takes CK_INVALID_HANDLE too. */
void token_destroy(struct token *token, CK_OBJECT_HANDLE object);
