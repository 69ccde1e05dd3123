// SPDX-License-Identifier: LGPL-2.1-or-later
/* libcardmod/seal.c - The server's half, over libkeyferry-server. */
#include "libcardmod/seal.h"
#include "base/secret.h"
#include "keyferry/server.h"
#include "libcardmod/keypair_input.h"
#include "libcardmod/module.h"
#include "libcardmod/utf16.h"
#include "libcardmod/value.h"

enum { INJECTOR_MAX = 16384 };

DEFINE_CLEANUP(struct kf_server *, kf_server_free);
DEFINE_CLEANUP(struct kf_enrolled *, kf_enrolled_free);
DEFINE_CLEANUP(struct kf_verified_offer *, kf_verified_offer_free);
DEFINE_CLEANUP(struct kf_keypair *, kf_keypair_free);
DEFINE_CLEANUP(struct kf_receipt_report *, kf_receipt_report_free);

/**
 * struct seal - S1 and what goes with it
 * @s1, @injector: until the statement is verified; then they are in @md and @server
 * @server, @offer, @md: NULL until the statement is verified
 */
struct seal {
	struct secret s1, injector;
	bool nonce_is_set, virtual_is_allowed;
	uint8_t nonce[KF_NONCE_SIZE];
	struct blob device, root, crl;
	struct kf_server *server;
	struct kf_verified_offer *offer;
	struct kf_md_key *md;
};

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
	blob_deinit(&seal->device);
	blob_deinit(&seal->root);
	blob_deinit(&seal->crl);
	free(seal);
	return NULL;
}

static int seal_new(struct bytes s1, struct seal **out)
{
	_cleanup_(seal_freep) struct seal *seal = calloc(1, sizeof(*seal));
	int r;

	if (!seal)
		return -ENOMEM;
	r = secret_init(&seal->s1, KF_S1_SIZE);
	if (r == 0)
		r = secret_set(&seal->s1, s1);
	if (r == 0)
		*out = take_ptr(seal);
	return r;
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
	_cleanup_(seal_freep) struct seal *seal = NULL;
	struct module *module;
	struct bytes s1 = BYTES_NONE;
	struct key *key;
	DWORD status;
	int r;

	if (out)
		*out = 0;
	status = module_enter(card, MODULE_SERVER, "MDImportSessionKey", &module);
	if (status != SCARD_S_SUCCESS)
		return status;
	if (!out)
		return module_bad_argument(module, "phKey is NULL");
	status = check_import(module, blob_type, algorithm, BYTES(input, input_len), &s1);
	if (status != SCARD_S_SUCCESS)
		return status;
	r = seal_new(s1, &seal);
	if (r == 0)
		r = key_new(&module->keys, &key);
	if (r == -ENOSPC)
		return module_refuse(module, SCARD_E_NO_MEMORY, "16 keys a context",
				     "destroy one", "this context has no place for another key");
	if (r < 0)
		return module_server_result(module, r);
	key->seal = take_ptr(seal);
	*out = key->handle;
	return SCARD_S_SUCCESS;
}

/* --- vendor properties --- */

bool seal_has_property(LPCWSTR name)
{
	static LPCWSTR const names[] = {
		KF_NONCE_PROPERTY, KF_STATEMENT_PROPERTY, KF_LABEL_PROPERTY, KF_DEVICE_PROPERTY,
		KF_ROOT_PROPERTY, KF_CRL_PROPERTY, KF_VIRTUAL_PROPERTY, KF_INJECTOR_PROPERTY,
		KF_SESSION_KEY_PROPERTY, KF_TICKET_PROPERTY, KF_RECEIPT_PROPERTY,
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (utf16_equal(name, names[i]))
			return true;
	return false;
}

static DWORD set_blob(struct module *module, struct blob *blob, struct bytes value)
{
	struct blob fresh = BLOB_INIT;

	if (value.n == 0 || value.n > VALUE_MAX)
		return module_bad_argument(module, "the value is empty or too long");
	if (blob_set(&fresh, value) < 0)
		return module_no_memory(module);
	blob_deinit(blob);
	*blob = fresh;
	return SCARD_S_SUCCESS;
}

static DWORD set_injector(struct module *module, struct seal *seal, struct bytes value)
{
	int r = 0;

	if (value.n == 0 || value.n > INJECTOR_MAX)
		return module_bad_argument(module, "the injector key is empty or too long");
	if (!seal->injector.p)
		r = secret_init(&seal->injector, INJECTOR_MAX);
	if (r == 0)
		r = secret_set(&seal->injector, value);
	return module_server_result(module, r);
}

/* What a check found wrong, unless it could not be made at all: that is nobody's fault. */
static DWORD distrust(struct module *module, int r)
{
	DWORD status = module_server_result(module, r);

	return status == SCARD_E_NO_MEMORY || status == SCARD_F_INTERNAL_ERROR
		       ? status : SCARD_W_SECURITY_VIOLATION;
}

/* Everything a verification needs, made anew, so that a failed one leaves nothing behind. */
static int verify(const struct seal *seal, struct bytes json, struct kf_server **server_out,
		  struct kf_verified_offer **offer_out, struct kf_error *e)
{
	_cleanup_(kf_server_freep) struct kf_server *server = NULL;
	_cleanup_(kf_enrolled_freep) struct kf_enrolled *card = NULL;
	const uint8_t methods[] = { KF_METHOD_RSA };	/* the minidriver brings its S1 */
	int r = kf_server_new(&server, e);

	if (r < 0)
		return r;
	kf_server_allow_virtual(server, seal->virtual_is_allowed);
	r = kf_server_set_methods(server, methods, sizeof(methods), e);
	if (r == 0 && seal->injector.n != 0)
		r = kf_server_set_injector(server, seal->injector.p, seal->injector.n, NULL, 0, e);
	if (r == 0)
		r = kf_enrolled_new(server, seal->device.p, seal->device.n, seal->root.p,
				    seal->root.n, seal->crl.p, seal->crl.n, &card, e);
	if (r == 0)
		r = kf_offer_verify(server, card, seal->nonce, json.p, json.n, offer_out, e);
	if (r == 0)
		*server_out = take_ptr(server);
	return r;
}

static DWORD set_statement(struct module *module, struct seal *seal, struct bytes json)
{
	_cleanup_(kf_server_freep) struct kf_server *server = NULL;
	_cleanup_(kf_verified_offer_freep) struct kf_verified_offer *offer = NULL;
	int r;

	if (!seal->nonce_is_set || !seal->device.p || !seal->root.p)
		return module_refuse(module, SCARD_W_SECURITY_VIOLATION, "SECURITY section 9",
				     "set KF Nonce, KF Device Certificate and KF Root Certificate "
				     "first", "it is not said which card, under which root, was "
				     "challenged with what");
	r = verify(seal, json, &server, &offer, &module->e);
	if (r == 0)
		r = kf_md_import_session_key(server, offer, seal->s1.p, seal->s1.n, 1, &seal->md,
					     &module->e);
	if (r < 0)
		return distrust(module, r);
	seal->server = take_ptr(server);
	seal->offer = take_ptr(offer);
	secret_deinit(&seal->s1);
	secret_deinit(&seal->injector);
	return SCARD_S_SUCCESS;
}

static DWORD set_receipt(struct module *module, const struct key *key, struct bytes json)
{
	_cleanup_(kf_receipt_report_freep) struct kf_receipt_report *report = NULL;
	_cleanup_(freep) char *ticket = NULL;
	size_t len;
	int r;

	if (!key->is_used)
		return module_refuse(module, SCARD_W_SECURITY_VIOLATION, "SECURITY section 5",
				     "call MDEncryptData first", "nothing was sealed with this key");
	r = kf_md_ticket(key->seal->md, &ticket, &len, &module->e);
	if (r == 0)
		r = kf_receipt_verify(ticket, len, json.p, json.n, &report, &module->e);
	if (r < 0)
		return distrust(module, r);
	return SCARD_S_SUCCESS;
}

static DWORD set_trust(struct module *module, struct seal *seal, LPCWSTR name, struct bytes value)
{
	DWORD number;

	if (utf16_equal(name, KF_DEVICE_PROPERTY))
		return set_blob(module, &seal->device, value);
	if (utf16_equal(name, KF_ROOT_PROPERTY))
		return set_blob(module, &seal->root, value);
	if (utf16_equal(name, KF_CRL_PROPERTY))
		return set_blob(module, &seal->crl, value);
	if (utf16_equal(name, KF_INJECTOR_PROPERTY))
		return set_injector(module, seal, value);
	if (utf16_equal(name, KF_NONCE_PROPERTY)) {
		if (value.n != KF_NONCE_SIZE)
			return module_bad_argument(module, "a nonce has 32 bytes");
		memcpy(seal->nonce, value.p, KF_NONCE_SIZE);
		seal->nonce_is_set = true;
		return SCARD_S_SUCCESS;
	}
	if (utf16_equal(name, KF_VIRTUAL_PROPERTY)) {
		if (!value_take_u32(value, &number) || number > 1)
			return module_bad_argument(module, "KF Allow Virtual is a DWORD, 0 or 1");
		seal->virtual_is_allowed = number == 1;
		return SCARD_S_SUCCESS;
	}
	return module_bad_argument(module, "this property can only be read");
}

DWORD seal_set(struct module *module, struct key *key, LPCWSTR name, struct bytes value)
{
	struct seal *seal = key->seal;

	if (utf16_equal(name, KF_RECEIPT_PROPERTY))
		return set_receipt(module, key, value);
	if (seal->md)
		return module_bad_argument(module, "the statement is verified; what it rests on "
						   "cannot be changed any more");
	if (utf16_equal(name, KF_STATEMENT_PROPERTY))
		return set_statement(module, seal, value);
	return set_trust(module, seal, name, value);
}

static DWORD unverified(struct module *module)
{
	return module_refuse(module, SCARD_W_SECURITY_VIOLATION, "SECURITY section 9",
			     "set KF Statement to the card's offer",
			     "the card's statement has not been verified for this key");
}

static DWORD give_session_key(struct module *module, const struct seal *seal,
			      const struct value_out *out)
{
	_cleanup_(freep) uint8_t *wrapped = NULL;
	size_t len;
	int r = kf_md_wrap_session_key(seal->md, &wrapped, &len, &module->e);

	return r < 0 ? module_server_result(module, r)
		     : value_give(module, BYTES(wrapped, len), out);
}

static DWORD give_ticket(struct module *module, const struct key *key,
			 const struct value_out *out)
{
	_cleanup_(freep) char *ticket = NULL;
	size_t len;
	int r = kf_md_ticket(key->seal->md, &ticket, &len, &module->e);

	return r < 0 ? module_server_result(module, r)
		     : value_give(module, BYTES(ticket, len), out);
}

DWORD seal_get(struct module *module, struct key *key, LPCWSTR name, const struct value_out *out)
{
	const struct seal *seal = key->seal;

	if (utf16_equal(name, KF_NONCE_PROPERTY))
		return seal->nonce_is_set ? value_give(module, BYTES_OF(seal->nonce), out)
					  : module_bad_argument(module, "KF Nonce was not set");
	if (utf16_equal(name, KF_VIRTUAL_PROPERTY))
		return value_give_u32(module, seal->virtual_is_allowed, out);
	if (!utf16_equal(name, KF_LABEL_PROPERTY) && !utf16_equal(name, KF_SESSION_KEY_PROPERTY) &&
	    !utf16_equal(name, KF_TICKET_PROPERTY))
		return module_bad_argument(module, "this property can only be set");
	if (!seal->md)
		return unverified(module);
	if (utf16_equal(name, KF_LABEL_PROPERTY))
		return value_give(module, BYTES(kf_verified_offer_hash(seal->offer),
						KF_DIGEST_SIZE), out);
	if (utf16_equal(name, KF_SESSION_KEY_PROPERTY))
		return give_session_key(module, seal, out);
	return give_ticket(module, key, out);
}

/* --- MDEncryptData --- */

static DWORD check_function(struct module *module, LPCWSTR function)
{
	if (utf16_equal(function, CSF_IMPORT_KEYPAIR))
		return SCARD_S_SUCCESS;
	if (utf16_equal(function, CSF_CHANGE_AUTHENTICATOR) ||
	    utf16_equal(function, CSF_AUTHENTICATE))
		return module_refuse(module, SCARD_E_UNSUPPORTED_FEATURE, "this version",
				     "import a key pair", "this version seals no PINs");
	return module_bad_argument(module, "no such secure function");
}

/*
 * An item's keys come from S1, the statement and the item's number. S1 imported twice has two handles,
 * and with one statement both would seal item 1 under the same keys.
 */
static bool is_sealed_for(const struct module *module, const struct kf_verified_offer *offer)
{
	const uint8_t *h = kf_verified_offer_hash(offer);

	for (size_t i = 0; i < module->n_sealed && i < SEALED_MAX; i++)
		if (memcmp(module->sealed[i], h, KF_DIGEST_SIZE) == 0)
			return true;
	return false;
}

static void note_sealed(struct module *module, struct key *key)
{
	memcpy(module->sealed[module->n_sealed++ % SEALED_MAX],
	       kf_verified_offer_hash(key->seal->offer), KF_DIGEST_SIZE);
	key->is_used = true;
}

static DWORD check_turn(struct module *module, const struct key *key)
{
	if (!key->seal->md)
		return unverified(module);
	if (key->is_used || is_sealed_for(module, key->seal->offer))
		return module_refuse(module, SCARD_W_SECURITY_VIOLATION,
				     "SECURITY section 9: one S1, one MDEncryptData",
				     "get a new offer from the card",
				     "something was sealed already for this statement");
	if (!key->chaining_is_set || !key->iv_is_set)
		return module_bad_argument(module, "chaining mode or IV is not set; an IV serves "
						   "one call");
	return SCARD_S_SUCCESS;
}

static int encrypt(struct module *module, struct key *key, const struct kf_keypair *pair,
		   uint8_t **item, size_t *len)
{
	struct kf_md_key *md = key->seal->md;
	struct kf_error *e = &module->e;
	int r = kf_md_set_chaining_mode(md, KF_CHAIN_CBC, e);

	if (r == 0)
		r = kf_md_set_iv(md, key->iv, sizeof(key->iv), e);
	if (r == 0)
		r = kf_md_encrypt_data(md, KF_FUNCTION_IMPORT_KEYPAIR, pair, item, len, e);
	return r;
}

/* Array and element are allocations of their own [minidriver 8.2]: a caller may free either way. */
static DWORD give_encrypted(struct module *module, struct bytes item, PCARD_ENCRYPTED_DATA *out,
			    PDWORD n_out)
{
	PCARD_ENCRYPTED_DATA array = module->csp.alloc(sizeof(*array));

	if (!array)
		return module_no_memory(module);
	array->pbEncryptedData = module_copy(module, item);
	array->cbEncryptedData = (DWORD)item.n;
	if (!array->pbEncryptedData) {
		module->csp.free(array);
		return module_no_memory(module);
	}
	*out = array;
	*n_out = 1;
	return SCARD_S_SUCCESS;
}

static DWORD seal_input(struct module *module, struct key *key, struct bytes input,
			PCARD_ENCRYPTED_DATA *out, PDWORD n_out)
{
	_cleanup_(kf_keypair_freep) struct kf_keypair *pair = NULL;
	_cleanup_(freep) uint8_t *item = NULL;
	size_t len = 0;
	DWORD status = keypair_input_take(module, input,
					  kf_verified_offer_container(key->seal->offer), &pair);
	int r;

	if (status != SCARD_S_SUCCESS)
		return status;
	key->iv_is_set = false;
	r = encrypt(module, key, pair, &item, &len);
	if (r < 0)
		return module_server_result(module, r);
	note_sealed(module, key);
	return give_encrypted(module, BYTES(item, len), out, n_out);
}

DWORD WINAPI md_encrypt_data(PCARD_DATA card, CARD_KEY_HANDLE handle, LPCWSTR function,
			     PBYTE input, DWORD input_len, DWORD flags,
			     PCARD_ENCRYPTED_DATA *out, PDWORD n_out)
{
	struct module *module;
	struct key *key;
	DWORD status;

	if (out)
		*out = NULL;
	if (n_out)
		*n_out = 0;
	status = module_enter(card, MODULE_SERVER, "MDEncryptData", &module);
	if (status != SCARD_S_SUCCESS)
		return status;
	if (!function || !input || !out || !n_out)
		return module_bad_argument(module, "an argument is NULL");
	if ((flags & ~(DWORD)CARD_BLOCK_PADDING) != 0)
		return module_bad_argument(module, "dwFlags has an unknown bit");
	if (!(flags & CARD_BLOCK_PADDING) && input_len % KEY_BLOCK != 0)
		return module_bad_argument(module, "the input fills no whole blocks and padding "
						   "was not asked for");
	key = key_find(&module->keys, handle);
	if (!key)
		return module_refuse(module, SCARD_E_INVALID_HANDLE, "handles of this context",
				     "import the session key", "there is no such key");
	status = check_function(module, function);
	if (status == SCARD_S_SUCCESS)
		status = check_turn(module, key);
	return status != SCARD_S_SUCCESS
		       ? status : seal_input(module, key, BYTES(input, input_len), out, n_out);
}
