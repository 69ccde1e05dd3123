// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/tools/shim.c - A PKCS #11 module in front of another one ($KF_SHIM_MODULE) that makes a token of
 * the kind $KF_SHIM names: the field has them, and a test machine has not.
 *
 *	whole	CKM_RSA_AES_KEY_WRAP, as its users are told to call it
 *	pkcs7	CKM_AES_KEY_WRAP_PAD is RFC 3394 behind PKCS #7 padding
 *	luna, cloudhsm, nss	CKM_AES_KEY_WRAP_PAD under the number of that vendor, and no other
 *	vendor7	pkcs7, under Luna's number
 *	nowrap	no AES key wrap with padding
 *	crash	ends the process at the first search
 *	short	nowrap, and of each value it gives a half
 *	other	nowrap, and beside each EC key the public half of the key whose number is 1
 *	stuck	wraps no key at all once its own is there
 *	nocmac	no CMAC with AES
 *	gone	is removed before the CMAC whose number is in $KF_SHIM_AT
 *	hold	stops the process before each CMAC
 *
 * What is made and destroyed goes to $KF_SHIM_LOG, a line each.
 */
#include <dlfcn.h>
#include <openssl/evp.h>
#include <p11-kit-1/p11-kit/pkcs11.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KWP_BLOCK = 8, AES_SIZE = 32, PLAIN_MAX = 4096 };

struct whole_params {
	unsigned long aes_key_bits;
	struct ck_rsa_pkcs_oaep_params *oaep;
};

static CK_FUNCTION_LIST real, ours;

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);

static int is(const char *kind)
{
	const char *wanted = getenv("KF_SHIM");

	return wanted && strcmp(wanted, kind) == 0;
}

static void note(const char *what, unsigned long a, unsigned long b)
{
	const char *path = getenv("KF_SHIM_LOG");
	FILE *log = path ? fopen(path, "ae") : NULL;

	if (!log)
		return;
	fprintf(log, "%s %lx %lx\n", what, a, b);
	(void)fclose(log);
}

/* --- mechanisms --- */

/* What stands for CKM_AES_KEY_WRAP_PAD. */
static CK_MECHANISM_TYPE pad(void)
{
	if (is("luna") || is("vendor7"))
		return 0x80000171;
	if (is("cloudhsm"))
		return 0x8000216f;
	if (is("nss"))
		return 0xce534352;
	return is("nowrap") || is("short") || is("other") ? CKM_VENDOR_DEFINED | 1 : CKM_AES_KEY_WRAP_PAD;
}

static CK_RV list(CK_SLOT_ID slot, CK_MECHANISM_TYPE *out, CK_ULONG *n)
{
	CK_ULONG room = *n;
	CK_RV rv = real.C_GetMechanismList(slot, out, n);

	for (CK_ULONG i = 0; rv == CKR_OK && out && i < *n && i < room; i++)
		if (out[i] == CKM_AES_KEY_WRAP_PAD)
			out[i] = pad();
	if (rv == CKR_OK && is("whole")) {
		if (out && *n < room)
			out[*n] = CKM_RSA_AES_KEY_WRAP;
		(*n)++;
	}
	return rv;
}

static CK_RV info(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *out)
{
	if (type == CKM_AES_CMAC && is("nocmac"))
		return CKR_MECHANISM_INVALID;
	if (type != CKM_RSA_AES_KEY_WRAP)
		return real.C_GetMechanismInfo(slot, type == pad() ? CKM_AES_KEY_WRAP_PAD : type, out);
	*out = (CK_MECHANISM_INFO){ 2048, 4096, CKF_WRAP | CKF_UNWRAP };
	return CKR_OK;
}

/* --- objects --- */

static unsigned long flag(const CK_ATTRIBUTE *attributes, CK_ULONG n, CK_ATTRIBUTE_TYPE type)
{
	for (CK_ULONG i = 0; i < n; i++)
		if (attributes[i].type == type && attributes[i].ulValueLen == 1)
			return *(const unsigned char *)attributes[i].pValue;
	return 9;
}

/* Sensitive, wrap, token, and then what it must not do: nine where nothing is said. */
static unsigned long flags(const CK_ATTRIBUTE *attributes, CK_ULONG n)
{
	static const CK_ATTRIBUTE_TYPE types[] = {
		CKA_SENSITIVE, CKA_WRAP, CKA_TOKEN, CKA_ENCRYPT, CKA_DECRYPT, CKA_UNWRAP,
	};
	unsigned long all = 0;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		all = all << 4 | flag(attributes, n, types[i]);
	return all;
}

static CK_RV generate(CK_SESSION_HANDLE s, CK_MECHANISM *mechanism, CK_ATTRIBUTE *attributes, CK_ULONG n,
		      CK_OBJECT_HANDLE *out)
{
	CK_RV rv = real.C_GenerateKey(s, mechanism, attributes, n, out);

	if (rv == CKR_OK)
		note("generated", *out, flags(attributes, n));
	return rv;
}

static CK_RV create(CK_SESSION_HANDLE s, CK_ATTRIBUTE *attributes, CK_ULONG n, CK_OBJECT_HANDLE *out)
{
	CK_RV rv = real.C_CreateObject(s, attributes, n, out);

	if (rv == CKR_OK)
		note("created", *out, flags(attributes, n));
	return rv;
}

static CK_RV destroy(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE object)
{
	CK_RV rv = real.C_DestroyObject(s, object);

	if (rv == CKR_OK)
		note("destroyed", object, 0);
	return rv;
}

static CK_RV find(CK_SESSION_HANDLE s, CK_ATTRIBUTE *attributes, CK_ULONG n)
{
	if (is("crash"))
		abort();
	return real.C_FindObjectsInit(s, attributes, n);
}

/* --- signing --- */

static CK_RV sign(CK_SESSION_HANDLE s, unsigned char *data, CK_ULONG n, unsigned char *out, CK_ULONG *out_n)
{
	static long calls;
	const char *at = getenv("KF_SHIM_AT");

	if (is("gone") && ++calls >= (at ? strtol(at, NULL, 10) : 1))
		return CKR_DEVICE_REMOVED;
	if (is("hold")) {
		note("held", (unsigned long)getpid(), 0);
		(void)raise(SIGSTOP);
	}
	note("signed", n, 0);
	return real.C_Sign(s, data, n, out, out_n);
}

/* --- wrapping --- */

static CK_RV whole(CK_SESSION_HANDLE s, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE with,
		   CK_OBJECT_HANDLE what, unsigned char *out, CK_ULONG *n)
{
	const struct whole_params *params = mechanism->pParameter;
	CK_MECHANISM oaep = { CKM_RSA_PKCS_OAEP, NULL, sizeof(*params->oaep) };
	CK_MECHANISM kwp = { CKM_AES_KEY_WRAP_PAD, NULL, 0 };
	CK_MECHANISM make = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_ULONG size = AES_SIZE, c1 = *n, c2;
	CK_ATTRIBUTE attributes[] = {
		{ CKA_VALUE_LEN, &size, sizeof(size) }, { CKA_TOKEN, &no, 1 },
		{ CKA_EXTRACTABLE, &yes, 1 }, { CKA_WRAP, &yes, 1 },
	};
	CK_OBJECT_HANDLE aes;
	CK_RV rv;

	if (mechanism->ulParameterLen != sizeof(*params) || params->aes_key_bits != 256 ||
	    params->oaep->source != CKZ_DATA_SPECIFIED || params->oaep->ulSourceDataLen != 0)
		return CKR_MECHANISM_PARAM_INVALID;
	note("whole", params->oaep->hashAlg, params->oaep->mgf);
	oaep.pParameter = params->oaep;
	rv = real.C_GenerateKey(s, &make, attributes, 4, &aes);
	if (rv == CKR_OK)
		rv = real.C_WrapKey(s, &oaep, with, aes, out, &c1);
	c2 = *n - c1;
	if (rv == CKR_OK)
		rv = real.C_WrapKey(s, &kwp, aes, what, out + c1, &c2);
	*n = c1 + c2;
	return rv;
}

/* As some read the page: padded to eight, then the key wrap that knows no padding. */
static CK_RV pkcs7(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE with, unsigned char *out, CK_ULONG *n)
{
	unsigned char aes[AES_SIZE], plain[PLAIN_MAX];
	CK_ATTRIBUTE value = { CKA_VALUE, aes, sizeof(aes) };
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int len = 0, pad, ok;

	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	ok = real.C_GetAttributeValue(s, with, &value, 1) == CKR_OK &&
	     EVP_DecryptInit_ex(ctx, EVP_aes_256_wrap_pad(), NULL, aes, NULL) == 1 &&
	     EVP_DecryptUpdate(ctx, plain, &len, out, (int)*n) == 1;
	pad = KWP_BLOCK - len % KWP_BLOCK;
	memset(plain + len, pad, (size_t)pad);
	ok = ok && EVP_EncryptInit_ex(ctx, EVP_aes_256_wrap(), NULL, aes, NULL) == 1 &&
	     EVP_EncryptUpdate(ctx, out, &len, plain, len + pad) == 1;
	EVP_CIPHER_CTX_free(ctx);
	*n = (CK_ULONG)len;
	return ok ? CKR_OK : CKR_KEY_NOT_WRAPPABLE;
}

static CK_RV wrap(CK_SESSION_HANDLE s, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE with,
		  CK_OBJECT_HANDLE what, unsigned char *out, CK_ULONG *n)
{
	CK_BBOOL sensitive = CK_FALSE;
	CK_ATTRIBUTE query = { CKA_SENSITIVE, &sensitive, 1 };
	CK_MECHANISM theirs = *mechanism;
	CK_RV rv;

	if (mechanism->mechanism == CKM_RSA_AES_KEY_WRAP && is("whole"))
		return whole(s, mechanism, with, what, out, n);
	if (mechanism->mechanism == pad()) {
		note("wrap", mechanism->mechanism, 0);
		theirs.mechanism = CKM_AES_KEY_WRAP_PAD;
	} else if (mechanism->mechanism == CKM_AES_KEY_WRAP_PAD) {
		return CKR_MECHANISM_INVALID;
	}
	(void)real.C_GetAttributeValue(s, with, &query, 1);
	if (is("stuck") && mechanism->mechanism == CKM_AES_KEY_WRAP_PAD && sensitive)
		return CKR_DEVICE_ERROR;
	rv = real.C_WrapKey(s, &theirs, with, what, out, n);
	if (rv == CKR_OK && theirs.mechanism == CKM_AES_KEY_WRAP_PAD && (is("pkcs7") || is("vendor7")))
		rv = pkcs7(s, with, out, n);
	return rv;
}

/* The generator of P-256 [SEC 2 2.4.2], in its OCTET STRING. */
static void show_other(CK_ATTRIBUTE *point)
{
	static const unsigned char generator[] = {
		0x04, 0x41, 0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63,
		0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8,
		0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c,
		0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37,
		0xbf, 0x51, 0xf5,
	};

	if (point->pValue && point->ulValueLen == sizeof(generator))
		memcpy(point->pValue, generator, sizeof(generator));
}

static CK_RV attributes(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template, CK_ULONG n)
{
	CK_RV rv = real.C_GetAttributeValue(s, object, template, n);

	for (CK_ULONG i = 0; rv == CKR_OK && i < n; i++)
		if (template[i].type == CKA_VALUE && is("short"))
			template[i].ulValueLen /= 2;
		else if (template[i].type == CKA_EC_POINT && is("other"))
			show_other(&template[i]);
	return rv;
}

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **out)
{
	const char *path = getenv("KF_SHIM_MODULE");
	void *module = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
	CK_FUNCTION_LIST *theirs;
	CK_C_GetFunctionList get;

	if (!module)
		return CKR_GENERAL_ERROR;
	*(void **)(&get) = dlsym(module, "C_GetFunctionList");
	if (!get || get(&theirs) != CKR_OK)
		return CKR_GENERAL_ERROR;
	real = *theirs;
	ours = real;
	ours.C_GetMechanismList = list;
	ours.C_GetMechanismInfo = info;
	ours.C_GenerateKey = generate;
	ours.C_CreateObject = create;
	ours.C_DestroyObject = destroy;
	ours.C_FindObjectsInit = find;
	ours.C_WrapKey = wrap;
	ours.C_Sign = sign;
	ours.C_GetAttributeValue = attributes;
	*out = &ours;
	return CKR_OK;
}
