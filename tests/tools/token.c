// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/tools/token.c - What pkcs11-tool cannot do for the tests of keyferry byok and keyferry server master:
 *
 *	token trusted MODULE TOKEN PIN LABEL		makes an AES key that wants CKA_TRUSTED wrapping keys
 *	token open MODULE TOKEN PIN LABEL KIND		makes a key pair that may be read, KIND rsa, p256, p521
 *	token unwrap MODULE TOKEN PIN KEK KIND BLOB	opens a blob by C_UnwrapKey in two steps, KIND ec or
 *							aes, and prints the value in hexadecimal
 *	token secret MODULE TOKEN PIN LABEL FLAGS	stores the AES key on stdin, in hexadecimal; FLAGS of
 *							g sign, s sensitive, e extractable
 */
#include "base/cleanup.h"
#include "tools/pkcs11/rv.h"
#include "tools/pkcs11/token.h"

#include <stdio.h>

enum { BLOB_MAX = 4096 };

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static int told(int r, const struct kf_error *e)
{
	if (r < 0)
		fprintf(stderr, "token: %s: %s\n", e->what, e->why);
	return r < 0 ? 1 : 0;
}

static int make_trusted(struct token *token, const char *label, struct kf_error *e)
{
	CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ULONG size = 32;
	CK_ATTRIBUTE attributes[] = {
		{ CKA_VALUE_LEN, &size, sizeof(size) }, { CKA_TOKEN, &yes, 1 }, { CKA_PRIVATE, &yes, 1 },
		{ CKA_SENSITIVE, &yes, 1 }, { CKA_EXTRACTABLE, &yes, 1 }, { CKA_WRAP_WITH_TRUSTED, &yes, 1 },
		{ CKA_LABEL, (void *)(uintptr_t)label, strlen(label) },
	};
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE key;
	CK_RV rv = token->f->C_OpenSession(token->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
					   &session);

	if (rv == CKR_OK)
		rv = token->f->C_GenerateKey(session, &mechanism, attributes, 7, &key);
	return rv_check(rv, "make the key", e);
}

/* CKA_SENSITIVE false, which SoftHSM's default is not. */
static int make_open(struct token *token, const char *label, const char *kind, struct kf_error *e)
{
	static uint8_t p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
	static uint8_t p521[] = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23 };
	bool rsa = strcmp(kind, "rsa") == 0, small = strcmp(kind, "p256") == 0;
	CK_MECHANISM mechanism = { rsa ? CKM_RSA_PKCS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	CK_ULONG bits = 2048;
	void *name = (void *)(uintptr_t)label;
	CK_ATTRIBUTE public[] = {
		{ CKA_TOKEN, &yes, 1 }, { CKA_LABEL, name, strlen(label) }, { CKA_ID, name, strlen(label) },
		{ CKA_EC_PARAMS, small ? p256 : p521, small ? sizeof(p256) : sizeof(p521) },
	};
	CK_ATTRIBUTE private[] = {
		{ CKA_TOKEN, &yes, 1 }, { CKA_LABEL, name, strlen(label) }, { CKA_ID, name, strlen(label) },
		{ CKA_PRIVATE, &yes, 1 }, { CKA_SENSITIVE, &no, 1 }, { CKA_EXTRACTABLE, &yes, 1 },
	};
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE keys[2];
	CK_RV rv = token->f->C_OpenSession(token->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
					   &session);

	if (rsa)
		public[3] = (CK_ATTRIBUTE){ CKA_MODULUS_BITS, &bits, sizeof(bits) };
	if (rv == CKR_OK)
		rv = token->f->C_GenerateKeyPair(session, &mechanism, public, 4, private, 6, &keys[0], &keys[1]);
	return rv_check(rv, "make the key", e);
}

static CK_RV open_aes(struct token *token, CK_OBJECT_HANDLE kek, uint8_t *c1, CK_ULONG n,
		      CK_OBJECT_HANDLE *out)
{
	struct ck_rsa_pkcs_oaep_params params = { CKM_SHA_1, 1, CKZ_DATA_SPECIFIED, NULL, 0 };
	CK_MECHANISM mechanism = { CKM_RSA_PKCS_OAEP, &params, sizeof(params) };
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_ATTRIBUTE attributes[] = {
		{ CKA_CLASS, &class, sizeof(class) }, { CKA_KEY_TYPE, &type, sizeof(type) },
		{ CKA_TOKEN, &no, 1 }, { CKA_UNWRAP, &yes, 1 },
	};

	return token->f->C_UnwrapKey(token->session, &mechanism, kek, c1, n, attributes, 4, out);
}

static CK_RV open_key(struct token *token, CK_OBJECT_HANDLE aes, bool ec, uint8_t *c2, CK_ULONG n,
		      CK_OBJECT_HANDLE *out)
{
	CK_MECHANISM mechanism = { CKM_AES_KEY_WRAP_PAD, NULL, 0 };
	CK_OBJECT_CLASS class = ec ? CKO_PRIVATE_KEY : CKO_SECRET_KEY;
	CK_KEY_TYPE type = ec ? CKK_EC : CKK_AES;
	CK_ATTRIBUTE attributes[] = {
		{ CKA_CLASS, &class, sizeof(class) }, { CKA_KEY_TYPE, &type, sizeof(type) },
		{ CKA_TOKEN, &no, 1 }, { CKA_SENSITIVE, &no, 1 }, { CKA_EXTRACTABLE, &yes, 1 },
	};

	return token->f->C_UnwrapKey(token->session, &mechanism, aes, c2, n, attributes, 5, out);
}

static int unwrap(struct token *token, char **argv, const struct source_open *kek, struct kf_error *e)
{
	_cleanup_(fclosep) FILE *f = fopen(argv[7], "re");
	uint8_t blob[BLOB_MAX], value[128];
	size_t n = f ? fread(blob, 1, sizeof(blob), f) : 0, value_n = 0;
	CK_OBJECT_HANDLE private, aes, key;
	int r = n > 256 ? token_find_key(token, kek, &private, e) : -EINVAL;

	if (r == 0)
		r = rv_check(open_aes(token, private, blob, 256, &aes), "open the AES key", e);
	if (r == 0)
		r = rv_check(open_key(token, aes, strcmp(argv[6], "ec") == 0, blob + 256, n - 256, &key),
			     "open the key", e);
	if (r == 0)
		r = rv_check(token_get(token, key, CKA_VALUE, value, sizeof(value), &value_n),
			     "read the key", e);
	for (size_t i = 0; r == 0 && i < value_n; i++)
		printf("%02x", value[i]);
	return r;
}

static size_t read_key(uint8_t key[static 32])
{
	size_t n = 0;
	unsigned int byte;

	while (n < 32 && scanf("%2x", &byte) == 1)	/* NOLINT(cert-err34-c) */
		key[n++] = (uint8_t)byte;
	return n;
}

/* CKA_SIGN, which SoftHSM's default is not and pkcs11-tool of OpenSC 0.23 cannot set. */
static int store(struct token *token, const char *label, const char *flags, struct kf_error *e)
{
	uint8_t key[32];
	size_t n = read_key(key);
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_ATTRIBUTE attributes[] = {
		{ CKA_CLASS, &class, sizeof(class) }, { CKA_KEY_TYPE, &type, sizeof(type) },
		{ CKA_TOKEN, &yes, 1 }, { CKA_PRIVATE, &yes, 1 }, { CKA_VALUE, key, n },
		{ CKA_LABEL, (void *)(uintptr_t)label, strlen(label) },
		{ CKA_SIGN, strchr(flags, 'g') ? &yes : &no, 1 },
		{ CKA_SENSITIVE, strchr(flags, 's') ? &yes : &no, 1 },
		{ CKA_EXTRACTABLE, strchr(flags, 'e') ? &yes : &no, 1 },
	};
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE object;
	CK_RV rv = token->f->C_OpenSession(token->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
					   &session);

	if (rv == CKR_OK)
		rv = token->f->C_CreateObject(session, attributes, 9, &object);
	return rv_check(rv, "store the key", e);
}

static struct bytes text_of(const char *text)
{
	return BYTES(text, strlen(text));
}

int main(int argc, char **argv)
{
	struct token token = TOKEN_INIT;
	struct kf_error e = KF_ERROR_INIT;
	struct source_open open;
	int r;

	if (argc < 6)
		return 2;
	open = (struct source_open){
		.module = text_of(argv[2]), .token = text_of(argv[3]), .pin = text_of(argv[4]),
		.label = text_of(argv[5]),
	};
	r = token_open(&token, &open, &e);
	if (r == 0 && strcmp(argv[1], "unwrap") == 0 && argc == 8)
		r = unwrap(&token, argv, &open, &e);
	else if (r == 0 && strcmp(argv[1], "open") == 0 && argc == 7)
		r = make_open(&token, argv[5], argv[6], &e);
	else if (r == 0 && strcmp(argv[1], "secret") == 0 && argc == 7)
		r = store(&token, argv[5], argv[6], &e);
	else if (r == 0)
		r = make_trusted(&token, argv[5], &e);
	r = told(r, &e);
	token_close(&token);
	return r;
}
