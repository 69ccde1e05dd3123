// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libcardmod/seal_property.c - Whom the server trusts goes in, the statement is verified by it, and
 * what came of that goes out.
 */
#include "libcardmod/seal_property.h"
#include "format/agree.h"
#include "keyferry/server.h"
#include "libcardmod/module.h"
#include "libcardmod/public_blob.h"
#include "libcardmod/seal.h"
#include "libcardmod/utf16.h"
#include "libcardmod/value.h"

enum { INJECTOR_MAX = 16384, TRIES_MAX = 127 };

DEFINE_CLEANUP(struct kf_server *, kf_server_free);
DEFINE_CLEANUP(struct kf_enrolled *, kf_enrolled_free);
DEFINE_CLEANUP(struct kf_verified_offer *, kf_verified_offer_free);
DEFINE_CLEANUP(struct kf_receipt_report *, kf_receipt_report_free);

bool seal_has_property(LPCWSTR name)
{
	static LPCWSTR const names[] = {
		KF_NONCE_PROPERTY, KF_STATEMENT_PROPERTY, KF_LABEL_PROPERTY, KF_DEVICE_PROPERTY,
		KF_ROOT_PROPERTY, KF_CRL_PROPERTY, KF_VIRTUAL_PROPERTY, KF_INJECTOR_PROPERTY,
		KF_SESSION_KEY_PROPERTY, KF_TICKET_PROPERTY, KF_RECEIPT_PROPERTY,
		KF_METHOD_PROPERTY, KF_MASTER_PROPERTY, KF_LEAST_TRIES_PROPERTY,
		KF_PUBLIC_KEY_PROPERTY, KF_CONFIRMATION_PROPERTY,
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

static DWORD set_secret(struct module *module, struct secret *secret, size_t cap,
			struct bytes value)
{
	int r = 0;

	if (!secret->p)
		r = secret_init(secret, cap);
	if (r == 0)
		r = secret_set(secret, value);
	return module_server_result(module, r);
}

static DWORD set_injector(struct module *module, struct seal *seal, struct bytes value)
{
	if (value.n == 0 || value.n > INJECTOR_MAX)
		return module_bad_argument(module, "the injector key is empty or too long");
	return set_secret(module, &seal->injector, INJECTOR_MAX, value);
}

static DWORD set_master(struct module *module, struct seal *seal, struct bytes value)
{
	if (value.n != KF_S1_SIZE)
		return module_bad_argument(module, "the master of shared keys has 32 bytes");
	return set_secret(module, &seal->master, KF_S1_SIZE, value);
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
	const uint8_t methods[] = { (uint8_t)seal->method };
	int r = kf_server_new(&server, e);

	if (r < 0)
		return r;
	kf_server_allow_virtual(server, seal->virtual_is_allowed);
	r = kf_server_set_methods(server, methods, sizeof(methods), e);
	if (r == 0 && seal->injector.n != 0)
		r = kf_server_set_injector(server, seal->injector.p, seal->injector.n, NULL, 0, e);
	if (r == 0 && seal->master.n != 0)
		r = kf_server_set_master(server, seal->master.p, seal->master.n, e);
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
	secret_deinit(&seal->master);
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

/* A session key that was brought is wrapped for the card; any other is what the server's rule says. */
static DWORD set_method(struct module *module, struct seal *seal, DWORD number)
{
	if (number < KF_METHOD_SHARED || number > KF_METHOD_ECDH)
		return module_bad_argument(module, "KF Method is 1 to 4");
	if (seal->s1.p && number != KF_METHOD_RSA)
		return module_refuse(module, SCARD_E_INVALID_PARAMETER, "docs/methods.md",
				     "get a handle from CardGetSharedKeyHandle",
				     "a session key that was brought is wrapped for the card: 2");
	seal->method = (enum kf_method)number;
	return SCARD_S_SUCCESS;
}

static DWORD set_number(struct module *module, struct seal *seal, LPCWSTR name, struct bytes value)
{
	DWORD number = 0;
	bool is_one = value_take_u32(value, &number);

	if (utf16_equal(name, KF_VIRTUAL_PROPERTY)) {
		if (!is_one || number > 1)
			return module_bad_argument(module, "KF Allow Virtual is a DWORD, 0 or 1");
		seal->virtual_is_allowed = number == 1;
		return SCARD_S_SUCCESS;
	}
	if (utf16_equal(name, KF_METHOD_PROPERTY))
		return set_method(module, seal, is_one ? number : 0);
	return module_bad_argument(module, "this property can only be read");
}

/* How many tries of the PIN that proves an order must be left: said with each order, not before it. */
static DWORD set_least_tries(struct module *module, struct seal *seal, struct bytes value)
{
	DWORD number;

	if (!value_take_u32(value, &number) || number < 1 || number > TRIES_MAX)
		return module_bad_argument(module, "KF Least Tries is a DWORD, 1 to 127");
	seal->least_tries = number;
	return SCARD_S_SUCCESS;
}

static DWORD set_trust(struct module *module, struct seal *seal, LPCWSTR name, struct bytes value)
{
	if (utf16_equal(name, KF_DEVICE_PROPERTY))
		return set_blob(module, &seal->device, value);
	if (utf16_equal(name, KF_ROOT_PROPERTY))
		return set_blob(module, &seal->root, value);
	if (utf16_equal(name, KF_CRL_PROPERTY))
		return set_blob(module, &seal->crl, value);
	if (utf16_equal(name, KF_INJECTOR_PROPERTY))
		return set_injector(module, seal, value);
	if (utf16_equal(name, KF_MASTER_PROPERTY))
		return set_master(module, seal, value);
	if (utf16_equal(name, KF_NONCE_PROPERTY)) {
		if (value.n != KF_NONCE_SIZE)
			return module_bad_argument(module, "a nonce has 32 bytes");
		memcpy(seal->nonce, value.p, KF_NONCE_SIZE);
		seal->nonce_is_set = true;
		return SCARD_S_SUCCESS;
	}
	return set_number(module, seal, name, value);
}

DWORD seal_set(struct module *module, struct key *key, LPCWSTR name, struct bytes value)
{
	struct seal *seal = key->seal;

	if (utf16_equal(name, KF_RECEIPT_PROPERTY))
		return set_receipt(module, key, value);
	if (utf16_equal(name, KF_LEAST_TRIES_PROPERTY))
		return set_least_tries(module, seal, value);
	if (seal->md)
		return module_bad_argument(module, "the statement is verified; what it rests on "
						   "cannot be changed any more");
	if (utf16_equal(name, KF_STATEMENT_PROPERTY))
		return set_statement(module, seal, value);
	return set_trust(module, seal, name, value);
}

DWORD seal_unverified(struct module *module)
{
	return module_refuse(module, SCARD_W_SECURITY_VIOLATION, "SECURITY section 9",
			     "set KF Statement to the card's offer",
			     "the card's statement has not been verified for this key");
}

static DWORD give_session_key(struct module *module, const struct seal *seal,
			      const struct value_out *out)
{
	_cleanup_(freep) uint8_t *input = NULL;
	size_t len;
	int r = kf_md_session_input(seal->md, &input, &len, &module->e);

	return r < 0 ? module_server_result(module, r) : value_give(module, BYTES(input, len), out);
}

/* The server's half of method ecdh: point, then confirmation [card-application 5.3]. */
static DWORD give_agreement(struct module *module, const struct seal *seal, bool confirmation,
			    const struct value_out *out)
{
	enum kf_key_type type = kf_verified_offer_exchange_type(seal->offer);
	_cleanup_(freep) uint8_t *input = NULL;
	uint8_t blob[PUBLIC_BLOB_MAX];
	struct packer p = pack_begin(blob, sizeof(blob));
	struct unpacker u;
	size_t len;
	int r;

	if (seal->method != KF_METHOD_ECDH)
		return module_bad_argument(module, "the key is not established by method 4");
	r = kf_md_session_input(seal->md, &input, &len, &module->e);
	if (r < 0)
		return module_server_result(module, r);
	u = unpack_begin(BYTES(input, len));
	r = public_blob_pack_point(type, unpack_bytes(&u, agree_point_size(type)), &p);
	if (confirmation)
		return value_give(module, unpack_rest(&u), out);
	return r == 0 ? value_give(module, pack_done(&p), out)
		      : module_refuse(module, SCARD_E_UNSUPPORTED_FEATURE, "minidriver key blobs",
				      "hand KF Session Key to CardGetSharedKeyHandle",
				      "the interface has no form for a key of this curve");
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

/* What is there once the statement is verified. */
static DWORD get_verified(struct module *module, struct key *key, LPCWSTR name,
			  const struct value_out *out)
{
	const struct seal *seal = key->seal;

	if (utf16_equal(name, KF_LABEL_PROPERTY))
		return value_give(module, BYTES(kf_verified_offer_hash(seal->offer),
						KF_DIGEST_SIZE), out);
	if (utf16_equal(name, KF_SESSION_KEY_PROPERTY))
		return give_session_key(module, seal, out);
	if (utf16_equal(name, KF_PUBLIC_KEY_PROPERTY))
		return give_agreement(module, seal, false, out);
	if (utf16_equal(name, KF_CONFIRMATION_PROPERTY))
		return give_agreement(module, seal, true, out);
	return give_ticket(module, key, out);
}

DWORD seal_get(struct module *module, struct key *key, LPCWSTR name, const struct value_out *out)
{
	static LPCWSTR const verified[] = {
		KF_LABEL_PROPERTY, KF_SESSION_KEY_PROPERTY, KF_PUBLIC_KEY_PROPERTY,
		KF_CONFIRMATION_PROPERTY, KF_TICKET_PROPERTY,
	};
	const struct seal *seal = key->seal;

	if (utf16_equal(name, KF_NONCE_PROPERTY))
		return seal->nonce_is_set ? value_give(module, BYTES_OF(seal->nonce), out)
					  : module_bad_argument(module, "KF Nonce was not set");
	if (utf16_equal(name, KF_VIRTUAL_PROPERTY))
		return value_give_u32(module, seal->virtual_is_allowed, out);
	if (utf16_equal(name, KF_METHOD_PROPERTY))
		return value_give_u32(module, seal->method, out);
	if (utf16_equal(name, KF_LEAST_TRIES_PROPERTY))
		return value_give_u32(module, seal->least_tries, out);
	for (size_t i = 0; i < sizeof(verified) / sizeof(verified[0]); i++)
		if (utf16_equal(name, verified[i]))
			return seal->md ? get_verified(module, key, name, out)
					: seal_unverified(module);
	return module_bad_argument(module, "this property can only be set");
}
