// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libcardmod/encrypt.c - The statement is verified, the turn is this handle's only one, the structure
 * is one: then an item is made of it, and the caller gets the item in memory of its own.
 */
#include "libcardmod/encrypt.h"
#include "keyferry/server.h"
#include "libcardmod/function.h"
#include "libcardmod/keypair_input.h"
#include "libcardmod/module.h"
#include "libcardmod/pin_input.h"
#include "libcardmod/seal.h"
#include "libcardmod/seal_property.h"

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
		return seal_unverified(module);
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

/* What is sealed: a key pair, or an order about a PIN; the other is NULL. */
struct content {
	struct kf_keypair *pair;
	struct kf_pin_order *order;
};

static void content_deinit(struct content *content)
{
	content->pair = kf_keypair_free(content->pair);
	content->order = kf_pin_order_free(content->order);
}

static DWORD content_take(struct module *module, const struct seal *seal,
			  enum kf_function function, struct bytes input, struct content *out)
{
	if (function != KF_FUNCTION_IMPORT_KEYPAIR)
		return pin_input_take(module, function, input, seal->least_tries, &out->order);
	return keypair_input_take(module, input, kf_verified_offer_container(seal->offer),
				  &out->pair);
}

static int encrypt(struct module *module, struct key *key, const struct content *content,
		   uint8_t **item, size_t *len)
{
	struct kf_md_key *md = key->seal->md;
	struct kf_error *e = &module->e;
	int r = kf_md_set_chaining_mode(md, KF_CHAIN_CBC, e);

	if (r == 0)
		r = kf_md_set_iv(md, key->iv, sizeof(key->iv), e);
	if (r < 0)
		return r;
	if (content->order)
		return kf_md_encrypt_pin(md, content->order, item, len, e);
	return kf_md_encrypt_data(md, KF_FUNCTION_IMPORT_KEYPAIR, content->pair, item, len, e);
}

/* Where it goes, in the words of MDEncryptData. */
struct sealed_out {
	PCARD_ENCRYPTED_DATA *data;
	PDWORD n;
};

/* Array and element are allocations of their own [minidriver 8.2]: a caller may free either way. */
static DWORD give_encrypted(struct module *module, struct bytes item, struct sealed_out out)
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
	*out.data = array;
	*out.n = 1;
	return SCARD_S_SUCCESS;
}

static DWORD seal_input(struct module *module, struct key *key, enum kf_function function,
			struct bytes input, struct sealed_out out)
{
	_cleanup_(content_deinit) struct content content = { 0 };
	_cleanup_(freep) uint8_t *item = NULL;
	size_t len = 0;
	DWORD status = content_take(module, key->seal, function, input, &content);
	int r;

	if (status != SCARD_S_SUCCESS)
		return status;
	key->iv_is_set = false;
	r = encrypt(module, key, &content, &item, &len);
	if (r < 0)
		return module_server_result(module, r);
	note_sealed(module, key);
	return give_encrypted(module, BYTES(item, len), out);
}

DWORD WINAPI md_encrypt_data(PCARD_DATA card, CARD_KEY_HANDLE handle, LPCWSTR function,
			     PBYTE input, DWORD input_len, DWORD flags,
			     PCARD_ENCRYPTED_DATA *out, PDWORD n_out)
{
	enum kf_function number = function_find(function);
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
	if (number == KF_FUNCTION_NONE)
		return module_bad_argument(module, "no such secure function");
	status = check_turn(module, key);
	return status != SCARD_S_SUCCESS ? status
					 : seal_input(module, key, number, BYTES(input, input_len),
						      (struct sealed_out){ out, n_out });
}
