// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libcardmod/exchange.c - The card is asked for one offer a nonce, however often the property is
 * read: it remembers eight, and each costs it a signature.
 */
#include "libcardmod/exchange.h"
#include "format/der.h"
#include "format/hash.h"
#include "format/statement.h"
#include "libcardmod/utf16.h"
#include "libcardmod/value.h"
#include "libserver/json/offer.h"

DEFINE_CLEANUP(struct kf_signed_offer *, kf_signed_offer_free);
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

/* Another nonce or target is another offer. */
static void forget_offer(struct exchange *exchange)
{
	blob_deinit(&exchange->offer);
	exchange->offer = BLOB_INIT;
}

static DWORD no_such_container(struct module *module, BYTE index)
{
	return module_refuse(module, SCARD_E_NO_KEY_CONTAINER, "numbers of containers",
			     "name one that the card has", "the card has no container %u", index);
}

DWORD exchange_set(struct module *module, BYTE index, LPCWSTR name, struct bytes value)
{
	struct exchange *exchange;
	DWORD target;

	if (index >= EXCHANGES_MAX)
		return no_such_container(module, index);
	exchange = &module->exchanges[index];
	if (utf16_equal(name, KF_NONCE_PROPERTY)) {
		if (value.n != KF_NONCE_SIZE)
			return module_bad_argument(module, "a nonce has 32 bytes");
		memcpy(exchange->nonce, value.p, KF_NONCE_SIZE);
		exchange->nonce_is_set = true;
	} else if (utf16_equal(name, KF_TARGET_PROPERTY)) {
		if (!value_take_u32(value, &target) || target >= EXCHANGES_MAX || target == index)
			return module_bad_argument(module, "a target is a DWORD, the number of "
							   "another container");
		exchange->target = target;
		exchange->target_is_set = true;
	} else {
		return module_refuse(module, SCARD_E_UNSUPPORTED_FEATURE, "keyferry/cardmod.h",
				     "set KF Nonce and read it", "the card makes this by itself");
	}
	forget_offer(exchange);
	return SCARD_S_SUCCESS;
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
static int fill_file(const struct kf_signed_offer *offer, struct signed_statement *parts,
		     struct offer_file *file)
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
	file->method = KF_METHOD_RSA;
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
	int r = fill_file(offer, &parts, &file);

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

static DWORD ask_card(struct module *module, BYTE index)
{
	_cleanup_(kf_signed_offer_freep) struct kf_signed_offer *offer = NULL;
	struct exchange *exchange = &module->exchanges[index];
	uint32_t target = exchange->target;
	int r = 0;

	if (!exchange->nonce_is_set)
		return module_refuse(module, SCARD_W_SECURITY_VIOLATION, "SECURITY section 9",
				     "set KF Nonce to what the server sent",
				     "there is no nonce to answer");
	if (!exchange->target_is_set)
		r = first_free(module, &target);
	if (r == 0)
		r = kf_offer_existing(module->context, index, target, KF_METHOD_RSA, 1,
				      exchange->nonce, &offer);
	if (r < 0)
		return r == -ENOSPC && kf_client_error(module->client)->code != r
			       ? module_refuse(module, SCARD_E_WRITE_TOO_MANY, "the card",
					       "delete a key, or set KF Target",
					       "no container is free")
			       : module_card_result(module, r);
	return module_server_result(module, keep_offer(exchange, offer, &module->e));
}

DWORD exchange_get(struct module *module, BYTE index, LPCWSTR name, const struct value_out *out)
{
	struct exchange *exchange;
	DWORD status;

	if (index >= EXCHANGES_MAX)
		return no_such_container(module, index);
	exchange = &module->exchanges[index];
	if (utf16_equal(name, KF_TARGET_PROPERTY))
		return exchange->target_is_set
			       ? value_give_u32(module, exchange->target, out)
			       : module_bad_argument(module, "KF Target was not set");
	if (utf16_equal(name, KF_NONCE_PROPERTY))
		return exchange->nonce_is_set ? value_give(module, BYTES_OF(exchange->nonce), out)
					      : module_bad_argument(module, "KF Nonce was not set");
	if (!exchange->offer.p) {
		status = ask_card(module, index);
		if (status != SCARD_S_SUCCESS)
			return status;
	}
	if (utf16_equal(name, KF_LABEL_PROPERTY))
		return value_give(module, BYTES_OF(exchange->label), out);
	return value_give(module, blob_bytes(&exchange->offer), out);
}

const struct exchange *exchange_offered(const struct module *module, BYTE index)
{
	return index < EXCHANGES_MAX && module->exchanges[index].offer.p
		       ? &module->exchanges[index] : NULL;
}
