// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libcardmod/exchange.c - The card is asked for one offer a nonce, however often the property is
 * read: it remembers eight, and each costs it a signature.
 */
#include "libcardmod/exchange.h"
#include "format/der.h"
#include "format/hash.h"
#include "format/statement.h"
#include "libcardmod/module.h"
#include "libcardmod/utf16.h"
#include "libcardmod/value.h"
#include "libserver/json/offer.h"

DEFINE_CLEANUP(struct kf_signed_offer *, kf_signed_offer_free);
DEFINE_CLEANUP(struct kf_container *, kf_container_free);
DEFINE_CLEANUP(struct kf_containers *, kf_containers_free);

void exchange_deinit(struct exchange *exchange)
{
	blob_deinit(&exchange->offer);
	*exchange = (struct exchange){ 0 };
}

bool exchange_has_property(LPCWSTR name)
{
	return utf16_equal(name, KF_NONCE_PROPERTY) || utf16_equal(name, KF_TARGET_PROPERTY) ||
	       utf16_equal(name, KF_STATEMENT_PROPERTY) || utf16_equal(name, KF_LABEL_PROPERTY);
}

bool exchange_has_card_property(LPCWSTR name)
{
	return exchange_has_property(name) || utf16_equal(name, KF_METHOD_PROPERTY);
}

struct exchange *exchange_of_container(struct module *module, BYTE index)
{
	return index < EXCHANGES_MAX ? &module->exchanges[index] : NULL;
}

DWORD exchange_no_container(struct module *module, BYTE index)
{
	return module_refuse(module, SCARD_E_NO_KEY_CONTAINER, "numbers of containers",
			     "name one that the card has", "the card has no container %u", index);
}

static bool is_of_card(const struct module *module, const struct exchange *exchange)
{
	return exchange == &module->card_exchange;
}

static uint32_t container_of(const struct module *module, const struct exchange *exchange)
{
	return is_of_card(module, exchange) ? KF_CONTAINER_ANY
					    : (uint32_t)(exchange - module->exchanges);
}

/* Another nonce or target is another offer. */
static void forget_offer(struct exchange *exchange)
{
	blob_deinit(&exchange->offer);
	exchange->offer = BLOB_INIT;
}

static DWORD set_nonce(struct module *module, struct exchange *exchange, struct bytes value)
{
	if (value.n != KF_NONCE_SIZE)
		return module_bad_argument(module, "a nonce has 32 bytes");
	memcpy(exchange->nonce, value.p, KF_NONCE_SIZE);
	exchange->nonce_is_set = true;
	return SCARD_S_SUCCESS;
}

static DWORD set_target(struct module *module, struct exchange *exchange, struct bytes value)
{
	DWORD target;

	if (!value_take_u32(value, &target) ||
	    (target >= EXCHANGES_MAX && target != KF_TARGET_PINS) ||
	    target == container_of(module, exchange))
		return module_bad_argument(module, "a target is a DWORD, the number of another "
						   "container or KF_TARGET_PINS");
	exchange->target = target;
	exchange->target_is_set = true;
	return SCARD_S_SUCCESS;
}

static DWORD set_method(struct module *module, struct exchange *exchange, struct bytes value)
{
	DWORD method;

	if (!value_take_u32(value, &method) || method < KF_METHOD_SHARED || method > KF_METHOD_ECDH)
		return module_bad_argument(module, "KF Method is a DWORD, 1 to 4");
	exchange->method = (enum kf_method)method;
	return SCARD_S_SUCCESS;
}

DWORD exchange_set(struct module *module, struct exchange *exchange, LPCWSTR name,
		   struct bytes value)
{
	DWORD status;

	if (utf16_equal(name, KF_NONCE_PROPERTY))
		status = set_nonce(module, exchange, value);
	else if (utf16_equal(name, KF_TARGET_PROPERTY))
		status = set_target(module, exchange, value);
	else if (utf16_equal(name, KF_METHOD_PROPERTY))
		status = set_method(module, exchange, value);
	else
		status = module_refuse(module, SCARD_E_UNSUPPORTED_FEATURE, "keyferry/cardmod.h",
				       "set KF Nonce and read it",
				       "the card makes this by itself");
	if (status == SCARD_S_SUCCESS)
		forget_offer(exchange);
	return status;
}

/* --- asking the card --- */

static int first_free(struct module *module, uint32_t *out)
{
	_cleanup_(kf_containers_freep) struct kf_containers *all = NULL;
	int r = kf_container_list(module->context, &all);

	for (size_t i = 0; r == 0 && i < kf_containers_count(all); i++) {
		const struct kf_container *c = kf_containers_at(all, i);

		if (kf_container_key_type(c) == KF_KEY_NONE) {
			*out = kf_container_number(c);
			return 0;
		}
	}
	return r < 0 ? r : -ENOSPC;
}

static struct bytes first_certificate(const struct kf_signed_offer *offer)
{
	struct unpacker u;
	size_t len;
	const uint8_t *chain = kf_signed_offer_chain(offer, &len);

	u = unpack_begin(BYTES(chain, len));
	return der_take_whole(&u, DER_SEQUENCE);
}

/* The statement is believed by nobody here; its parts only go to their places. */
static int fill_file(const struct kf_signed_offer *offer, enum kf_method method,
		     struct signed_statement *parts, struct offer_file *file)
{
	struct statement statement;
	size_t len;
	const uint8_t *p = kf_signed_offer_statement(offer, &len);
	int r;

	if (signed_statement_parse(BYTES(p, len), parts) < 0 ||
	    statement_parse(parts->statement, &statement) < 0)
		return -EBADMSG;
	memcpy(file->serial, statement.serial, sizeof(file->serial));
	memcpy(file->sid, statement.sid, sizeof(file->sid));
	memcpy(file->nonce, statement.nonce, sizeof(file->nonce));
	file->container = statement.container;
	file->method = method;
	r = blob_set(&file->exchange_key, parts->key);
	if (r == 0)
		r = blob_set(&file->statement, parts->statement);
	if (r == 0)
		r = blob_set(&file->signature, parts->signature);
	if (r == 0)
		r = blob_set(&file->device_certificate, first_certificate(offer));
	return r;
}

static int keep_offer(struct exchange *exchange, const struct kf_signed_offer *offer,
		      struct kf_error *e)
{
	_cleanup_(offer_file_deinit) struct offer_file file = OFFER_FILE_INIT;
	_cleanup_(freep) char *text = NULL;
	struct signed_statement parts;
	size_t len = 0;
	int r = fill_file(offer, exchange->method, &parts, &file);

	if (r == 0)
		r = offer_file_write(&file, &text, &len, e);
	if (r == 0)
		r = sha256(parts.statement, exchange->label);
	if (r < 0)
		return r;
	memcpy(exchange->sid, file.sid, sizeof(exchange->sid));
	memcpy(exchange->serial, file.serial, sizeof(exchange->serial));
	exchange->offer = (struct blob){ (uint8_t *)take_ptr(text), len };
	return 0;
}

/* What the key in a container is good for. */
static DWORD method_of_key(struct module *module, uint32_t index, enum kf_method *out)
{
	_cleanup_(kf_container_freep) struct kf_container *container = NULL;
	enum kf_key_type type;
	int r = kf_container_read(module->context, index, &container);

	if (r < 0)
		return module_card_result(module, r);
	type = (enum kf_key_type)kf_container_key_type(container);
	if (type == KF_KEY_NONE)
		return module_refuse(module, SCARD_E_NO_KEY_CONTAINER, "the card",
				     "create the key first", "container %u is empty", index);
	*out = key_type_is_rsa(type) ? KF_METHOD_RSA : KF_METHOD_ECDH;
	return SCARD_S_SUCCESS;
}

static int ask_for_offer(struct module *module, const struct exchange *exchange,
			 struct kf_signed_offer **out)
{
	uint32_t target = exchange->target;
	int r = exchange->target_is_set ? 0 : first_free(module, &target);

	if (r < 0)
		return r;
	if (is_of_card(module, exchange))
		return kf_offer(module->context, target, exchange->method, KF_KEY_NONE, 1,
				exchange->nonce, out);
	return kf_offer_existing(module->context, container_of(module, exchange), target,
				 exchange->method, 1, exchange->nonce, out);
}

static DWORD ask_card(struct module *module, struct exchange *exchange)
{
	_cleanup_(kf_signed_offer_freep) struct kf_signed_offer *offer = NULL;
	DWORD status = SCARD_S_SUCCESS;
	int r;

	if (!exchange->nonce_is_set)
		return module_refuse(module, SCARD_W_SECURITY_VIOLATION, "SECURITY section 9",
				     "set KF Nonce to what the server sent",
				     "there is no nonce to answer");
	if (!is_of_card(module, exchange))
		status = method_of_key(module, container_of(module, exchange), &exchange->method);
	else if (exchange->method == KF_METHOD_NONE)
		exchange->method = KF_METHOD_ECDH;
	if (status != SCARD_S_SUCCESS)
		return status;
	r = ask_for_offer(module, exchange, &offer);
	if (r < 0)
		return r == -ENOSPC && kf_client_error(module->client)->code != r
			       ? module_refuse(module, SCARD_E_WRITE_TOO_MANY, "the card",
					       "delete a key, or set KF Target",
					       "no container is free")
			       : module_card_result(module, r);
	return module_server_result(module, keep_offer(exchange, offer, &module->e));
}

/* What the caller set itself. */
static DWORD get_set(struct module *module, const struct exchange *exchange, LPCWSTR name,
		     const struct value_out *out)
{
	if (utf16_equal(name, KF_TARGET_PROPERTY))
		return exchange->target_is_set
			       ? value_give_u32(module, exchange->target, out)
			       : module_bad_argument(module, "KF Target was not set");
	if (utf16_equal(name, KF_METHOD_PROPERTY))
		return exchange->method != KF_METHOD_NONE
			       ? value_give_u32(module, exchange->method, out)
			       : module_bad_argument(module, "KF Method was not set");
	return exchange->nonce_is_set ? value_give(module, BYTES_OF(exchange->nonce), out)
				      : module_bad_argument(module, "KF Nonce was not set");
}

DWORD exchange_get(struct module *module, struct exchange *exchange, LPCWSTR name,
		   const struct value_out *out)
{
	bool label = utf16_equal(name, KF_LABEL_PROPERTY);
	DWORD status;

	if (!label && !utf16_equal(name, KF_STATEMENT_PROPERTY))
		return get_set(module, exchange, name, out);
	if (!exchange->offer.p) {
		status = ask_card(module, exchange);
		if (status != SCARD_S_SUCCESS)
			return status;
	}
	return value_give(module, label ? BYTES_OF(exchange->label) : blob_bytes(&exchange->offer),
			  out);
}

const struct exchange *exchange_offered(const struct module *module, BYTE index)
{
	return index < EXCHANGES_MAX && module->exchanges[index].offer.p
		       ? &module->exchanges[index] : NULL;
}
