// SPDX-License-Identifier: LGPL-2.1-or-later
/* libcardmod/seal.c - The server's half, over libkeyferry-server. */
#include "libcardmod/seal.h"
#include "keyferry/server.h"
#include "libcardmod/module.h"
#include "libcardmod/utf16.h"

enum { LEAST_TRIES = 2 };	/* what kf_pin_order_set_least_tries() has: a wrong value cannot block */

DEFINE_CLEANUP(struct seal *, seal_free);

struct seal *seal_free(struct seal *seal)
{
	if (!seal)
		return NULL;
	seal->md = kf_md_destroy_key(seal->md);
	seal->offer = kf_verified_offer_free(seal->offer);
	seal->server = kf_server_free(seal->server);
	secret_deinit(&seal->s1);
	secret_deinit(&seal->injector);
	secret_deinit(&seal->master);
	blob_deinit(&seal->device);
	blob_deinit(&seal->root);
	blob_deinit(&seal->crl);
	free(seal);
	return NULL;
}

static int seal_new(enum kf_method method, struct bytes s1, struct seal **out)
{
	_cleanup_(seal_freep) struct seal *seal = calloc(1, sizeof(*seal));
	int r = 0;

	if (!seal)
		return -ENOMEM;
	seal->method = method;
	seal->least_tries = LEAST_TRIES;
	if (s1.p)
		r = secret_init(&seal->s1, KF_S1_SIZE);
	if (r == 0 && s1.p)
		r = secret_set(&seal->s1, s1);
	if (r == 0)
		*out = take_ptr(seal);
	return r;
}

static DWORD seal_handle(struct module *module, enum kf_method method, struct bytes s1,
			 PCARD_KEY_HANDLE out)
{
	_cleanup_(seal_freep) struct seal *seal = NULL;
	struct key *key;
	int r = seal_new(method, s1, &seal);

	if (r == 0)
		r = key_new(&module->keys, &key);
	if (r < 0)
		return key_new_failed(module, r);
	key->seal = take_ptr(seal);
	*out = key->handle;
	return SCARD_S_SUCCESS;
}

DWORD seal_without_key(struct module *module, PCARD_KEY_HANDLE out)
{
	return seal_handle(module, KF_METHOD_ECDH, BYTES_NONE, out);
}

/* --- import --- */

/* [minidriver 5.1]: magic, version, length, then so many bytes and no more. */
static bool take_key_data(struct bytes blob, struct bytes *s1)
{
	struct unpacker u = unpack_begin(blob);
	uint32_t magic = unpack_le32(&u), version = unpack_le32(&u), n = unpack_le32(&u);

	*s1 = unpack_bytes(&u, n);
	return unpack_end(&u) == 0 && magic == BCRYPT_KEY_DATA_BLOB_MAGIC &&
	       version == BCRYPT_KEY_DATA_BLOB_VERSION1;
}

static DWORD check_import(struct module *module, LPCWSTR blob_type, LPCWSTR algorithm,
			  struct bytes input, struct bytes *s1)
{
	if (!utf16_equal(blob_type, BCRYPT_KEY_DATA_BLOB))
		return module_bad_argument(module, "the blob type is not KeyDataBlob");
	if (utf16_equal(algorithm, CARD_3DES_ALGORITHM) ||
	    utf16_equal(algorithm, CARD_3DES_112_ALGORITHM))
		return module_refuse(module, SCARD_E_UNSUPPORTED_FEATURE, "CP_ENUM_ALGORITHMS",
				     "use AES with 256 bits", "no card of ours speaks 3DES");
	if (!utf16_equal(algorithm, CARD_AES_ALGORITHM))
		return module_bad_argument(module, "the algorithm is not AES");
	if (!input.p || !take_key_data(input, s1))
		return module_bad_argument(module, "the key blob is not whole");
	if (s1->n != KF_S1_SIZE)
		return module_bad_argument(module, "the session key has not 256 bits");
	return SCARD_S_SUCCESS;
}

DWORD WINAPI md_import_session_key(PCARD_DATA card, LPCWSTR blob_type, LPCWSTR algorithm,
				   PCARD_KEY_HANDLE out, PBYTE input, DWORD input_len)
{
	struct module *module;
	struct bytes s1 = BYTES_NONE;
	DWORD status;

	if (out)
		*out = 0;
	status = module_enter(card, MODULE_SERVER, "MDImportSessionKey", &module);
	if (status != SCARD_S_SUCCESS)
		return status;
	if (!out)
		return module_bad_argument(module, "phKey is NULL");
	status = check_import(module, blob_type, algorithm, BYTES(input, input_len), &s1);
	return status != SCARD_S_SUCCESS ? status : seal_handle(module, KF_METHOD_RSA, s1, out);
}
