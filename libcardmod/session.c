// SPDX-License-Identifier: LGPL-2.1-or-later
/* libcardmod/session.c - Use case steps 17 to 20 and 27 to 30, over libkeyferry. */
#include "libcardmod/session.h"
#include "format/hash.h"
#include "format/pin_item.h"
#include "format/receipt.h"
#include "libcardmod/function.h"
#include "libcardmod/module.h"
#include "libcardmod/utf16.h"
#include "libclient/call.h"
#include "libserver/json/receipt.h"

DEFINE_CLEANUP(struct kf_container *, kf_container_free);
DEFINE_CLEANUP(struct kf_blob *, kf_blob_free);

/* --- CardImportSessionKey --- */

static DWORD check_padding(struct module *module, const BCRYPT_OAEP_PADDING_INFO *info,
			   DWORD flags, const struct exchange *offered)
{
	if (flags != CARD_PADDING_OAEP)
		return module_refuse(module, SCARD_E_INVALID_PARAMETER, "SECURITY section 3",
				     "wrap with OAEP and pass CARD_PADDING_OAEP, which is 8",
				     "dwFlags is 0x%x: session keys are wrapped with OAEP", flags);
	if (!info)
		return SCARD_S_SUCCESS;
	if (!utf16_equal(info->pszAlgId, BCRYPT_SHA256_ALGORITHM))
		return module_bad_argument(module, "the hash of OAEP is not SHA256");
	if (info->cbLabel != 0 && (!info->pbLabel ||
	    !bytes_equal(BYTES(info->pbLabel, info->cbLabel), BYTES_OF(offered->label))))
		return module_refuse(module, SCARD_E_INVALID_PARAMETER, "SECURITY section 4",
				     "use what KF Label says, or no label: it is implied",
				     "the label is not the hash of the card's statement");
	return SCARD_S_SUCCESS;
}

static DWORD check_blob(struct module *module, LPCWSTR blob_type, LPCWSTR algorithm)
{
	if (utf16_equal(blob_type, BCRYPT_KEY_DATA_BLOB) ||
	    utf16_equal(blob_type, BCRYPT_AES_WRAP_KEY_BLOB))
		return module_refuse(module, SCARD_E_UNSUPPORTED_FEATURE,
				     "docs/card-application.md 5.3",
				     "wrap the 32 bytes alone and say OpaqueKeyBlob",
				     "the card opens a bare session key, without a header");
	if (!utf16_equal(blob_type, BCRYPT_OPAQUE_KEY_BLOB))
		return module_bad_argument(module, "no such blob type");
	if (utf16_equal(algorithm, CARD_3DES_ALGORITHM) ||
	    utf16_equal(algorithm, CARD_3DES_112_ALGORITHM))
		return module_refuse(module, SCARD_E_UNSUPPORTED_FEATURE, "CP_ENUM_ALGORITHMS",
				     "use AES with 256 bits", "the card does not speak 3DES");
	if (!utf16_equal(algorithm, CARD_AES_ALGORITHM))
		return module_bad_argument(module, "the algorithm is not AES");
	return SCARD_S_SUCCESS;
}

/* [minidriver 8.3]: what kind of key it is comes before what was made of it. */
static DWORD check_container(struct module *module, BYTE index, DWORD input_len,
			     const struct exchange **offered)
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
	if (!key_type_is_rsa(type) || (kf_container_purpose(container) != KF_PURPOSE_EXCHANGE &&
				       kf_container_purpose(container) != KF_PURPOSE_DECRYPT))
		return module_refuse(module, SCARD_E_INVALID_PARAMETER, "CardImportSessionKey",
				     "use an RSA key-exchange container",
				     "the key in container %u cannot unwrap", index);
	*offered = exchange_offered(module, index);
	if (!*offered)
		return module_refuse(module, SCARD_W_SECURITY_VIOLATION, "SECURITY section 9",
				     "set KF Nonce, read KF Statement, and send it to the server",
				     "no statement was made for container %u in this context",
				     index);
	if (input_len != key_type_size(type))
		return module_bad_argument(module, "the wrapped key is not as long as the modulus");
	return SCARD_S_SUCCESS;
}

DWORD session_establish(struct module *module, const struct exchange *offered, struct bytes input,
			PCARD_KEY_HANDLE out)
{
	struct key *key = NULL;
	int r = key_new(&module->keys, &key);

	if (r < 0)
		return key_new_failed(module, r);
	r = kf_session_import(module->context, offered->sid, offered->method, input.p, input.n,
			      &key->in_card);
	if (r < 0) {
		key_deinit(key);
		return module_card_result(module, r);
	}
	memcpy(key->sid, offered->sid, sizeof(key->sid));
	memcpy(key->label, offered->label, sizeof(key->label));
	memcpy(key->serial, offered->serial, sizeof(key->serial));
	*out = key->handle;
	return SCARD_S_SUCCESS;
}

DWORD WINAPI card_import_session_key(PCARD_DATA card, BYTE index, LPVOID padding_info,
				     LPCWSTR blob_type, LPCWSTR algorithm, PCARD_KEY_HANDLE out,
				     PBYTE input, DWORD input_len, DWORD flags)
{
	const struct exchange *offered = NULL;
	struct module *module;
	DWORD status;

	if (out)
		*out = 0;
	status = module_enter(card, MODULE_CARD, "CardImportSessionKey", &module);
	if (status != SCARD_S_SUCCESS)
		return status;
	if (!blob_type || !algorithm || !out || !input)
		return module_bad_argument(module, "an argument is NULL");
	status = check_blob(module, blob_type, algorithm);
	if (status == SCARD_S_SUCCESS)
		status = check_container(module, index, input_len, &offered);
	if (status == SCARD_S_SUCCESS)
		status = check_padding(module, padding_info, flags, offered);
	if (status != SCARD_S_SUCCESS)
		return status;
	return session_establish(module, offered, BYTES(input, input_len), out);
}

/* --- CardProcessEncryptedData --- */

static int keep_receipt(struct key *key, const struct kf_blob *receipt, struct kf_error *e)
{
	struct receipt_entry entry = { .number = 1 };
	struct receipt_file file = { .n = 1, .receipts = &entry };
	char *text = NULL;
	size_t len = 0;
	int r;

	memcpy(file.serial, key->serial, sizeof(file.serial));
	memcpy(file.sid, key->sid, sizeof(file.sid));
	r = blob_set(&entry.receipt, BYTES(kf_blob_data(receipt), kf_blob_size(receipt)));
	if (r == 0)
		r = receipt_file_write(&file, &text, &len, e);
	blob_deinit(&entry.receipt);
	if (r < 0)
		return r;
	key->receipt = (struct blob){ (uint8_t *)text, len };
	return 0;
}

/* By its content alone: the sid may be one under which another item was installed. */
static bool is_of_item(const struct kf_blob *blob, const struct key *key)
{
	struct signed_receipt outer;
	struct receipt receipt;

	return signed_receipt_parse(BYTES(kf_blob_data(blob), kf_blob_size(blob)), &outer) == 0 &&
	       receipt_parse(outer.receipt, &receipt) == 0 && receipt.number == 1 &&
	       strcmp(receipt.serial, key->serial) == 0 &&
	       memcmp(receipt.sid, key->sid, sizeof(receipt.sid)) == 0 &&
	       memcmp(receipt.item, key->item, sizeof(receipt.item)) == 0;
}

/* Return: 0, -EKEYREJECTED: the receipt is of something else; as kf_receipt_read(). */
static int read_receipt(struct module *module, const struct key *key, struct kf_blob **out)
{
	_cleanup_(kf_blob_freep) struct kf_blob *receipt = NULL;
	int r = kf_receipt_read(module->context, key->sid, 1, &receipt);

	if (r < 0)
		return r;
	if (!is_of_item(receipt, key))
		return -EKEYREJECTED;
	*out = take_ptr(receipt);
	return 0;
}

/*
 * Of the PIN that proved an order. The card signs the tries of the PIN that the order was about: the same
 * one, but for the user's PIN when it was set, which the PUK may have proved. A key has none.
 */
static DWORD tries_of(const struct kf_blob *blob, enum kf_function function)
{
	struct signed_receipt outer;
	struct receipt receipt;
	struct pin_mark mark;

	if (signed_receipt_parse(BYTES(kf_blob_data(blob), kf_blob_size(blob)), &outer) < 0 ||
	    receipt_parse(outer.receipt, &receipt) < 0 ||
	    pin_mark_parse(receipt.evidence, &mark) < 0)
		return CARD_DATA_VALUE_UNKNOWN;
	return function == KF_FUNCTION_AUTHENTICATE || mark.pin == KF_PIN_PUK
		       ? mark.tries : CARD_DATA_VALUE_UNKNOWN;
}

/* Something is known of the tries when the value was compared, or could not be any more. */
static DWORD order_refused(struct module *module, int r, DWORD *left)
{
	DWORD status = module_card_result(module, r);
	uint32_t detail = kf_client_detail(module->client);

	if (status == SCARD_W_WRONG_CHV)
		*left = detail == KF_TRIES_UNKNOWN ? CARD_DATA_VALUE_UNKNOWN : detail;
	else if (status == SCARD_W_CHV_BLOCKED)
		*left = 0;
	/* The sender's condition, not a sealed item that is wrong. */
	else if (r < 0 && kf_client_reason(module->client) == KF_REASON_PIN_LEAST)
		status = SCARD_W_SECURITY_VIOLATION;
	return status;
}

/* @left: of the PIN that proved an order; as it was if nothing is known of it. */
static DWORD process(struct module *module, struct key *key, enum kf_function function,
		     struct bytes item, DWORD *left)
{
	_cleanup_(kf_blob_freep) struct kf_blob *receipt = NULL;
	bool in_doubt;
	DWORD status;
	int r = sha256(item, key->item);

	if (r < 0)
		return module_server_result(module, r);
	r = kf_process(module->context, key->in_card, function, item.p, item.n, &receipt);
	in_doubt = call_in_doubt(module->client, r);
	key->is_processed |= r == 0 || in_doubt;
	status = order_refused(module, r, left);
	/* The card's receipt is the only proof there is [SECURITY section 4]. */
	if (in_doubt && read_receipt(module, key, &receipt) == 0) {
		module->e = (struct kf_error)KF_ERROR_INIT;
		status = SCARD_S_SUCCESS;
	}
	if (status != SCARD_S_SUCCESS)
		return status;
	key->is_used = true;
	*left = tries_of(receipt, function);
	module->pin_changes += function == KF_FUNCTION_CHANGE_AUTHENTICATOR;
	/* The key is in the card, whatever becomes of our copy of the receipt: it can be had again. */
	(void)keep_receipt(key, receipt, NULL);
	return SCARD_S_SUCCESS;
}

DWORD session_find_receipt(struct module *module, struct key *key)
{
	_cleanup_(kf_blob_freep) struct kf_blob *receipt = NULL;
	int r;

	if (key->receipt.p)
		return SCARD_S_SUCCESS;
	if (!key->is_processed)
		return module_bad_argument(module, "there is no receipt before "
						   "CardProcessEncryptedData took a blob");
	r = read_receipt(module, key, &receipt);
	if (r == -ENOENT)
		return module_refuse(module, SCARD_E_FILE_NOT_FOUND, "the card",
				     "call CardProcessEncryptedData again",
				     "the card has no receipt: not installed, or forgotten");
	if (r == -EKEYREJECTED)
		return module_refuse(module, SCARD_W_SECURITY_VIOLATION,
				     "docs/formats.md 7: the item's hash",
				     "make a new offer, and seal the key for it",
				     "the card's receipt is of something else than was processed");
	if (r < 0)
		return module_card_result(module, r);
	key->is_used = true;
	return module_server_result(module, keep_receipt(key, receipt, &module->e));
}

/* Where the card's answer goes, in the words of CardProcessEncryptedData. */
struct process_out {
	PBYTE data;
	DWORD cap;
	PDWORD len;
};

/*
 * Before anything is sent [minidriver 8.8]: an answer that nobody can take is no reason to repeat an
 * order. Who has no place for answer or length does not want it.
 */
static DWORD check_output(struct module *module, enum kf_function function,
			  const struct process_out *out)
{
	DWORD size = function_response_size(function);

	if (size == 0 || (!out->data && !out->len))
		return SCARD_S_SUCCESS;
	if (!out->data && out->cap != 0)
		return module_bad_argument(module, "pbOutput is NULL and cbOutput is not 0");
	if (out->data && out->cap >= size)
		return SCARD_S_SUCCESS;
	if (out->len)
		*out->len = size;
	return module_refuse(module, ERROR_INSUFFICIENT_BUFFER, "cbOutput",
			     "call again with a buffer as long as pdwOutputLen says",
			     "the answer has %u bytes and the buffer %u", size, out->cap);
}

static void give_response(enum kf_function function, DWORD left, const struct process_out *out)
{
	struct packer p = pack_begin(out->data, out->data ? out->cap : 0);

	if (!out->data)
		return;
	function_response_pack(function, left, &p);
	if (out->len)
		*out->len = (DWORD)p.n;
}

static DWORD check_process(struct module *module, enum kf_function function,
			   const CARD_ENCRYPTED_DATA *data, DWORD n_data, DWORD flags)
{
	if (!data)
		return module_bad_argument(module, "an argument is NULL");
	if ((flags & ~(DWORD)CARD_BLOCK_PADDING) != 0)
		return module_bad_argument(module, "dwFlags has an unknown bit");
	if (function == KF_FUNCTION_NONE)
		return module_bad_argument(module, "no such secure function");
	if (n_data != 1 || !data->pbEncryptedData || data->cbEncryptedData == 0 ||
	    data->cbEncryptedData > KF_ITEM_MAX)
		return module_bad_argument(module, "what was sealed is one blob, of at most 8192 "
						   "bytes");
	return SCARD_S_SUCCESS;
}

static DWORD check_turn(struct module *module, const struct key *key)
{
	if (key->is_used)
		return module_refuse(module, SCARD_W_SECURITY_VIOLATION,
				     "SECURITY section 9: one S1, one item",
				     "make a new offer for the next one",
				     "this session key has installed its item already");
	if (!key->chaining_is_set || !key->iv_is_set)
		return module_bad_argument(module, "chaining mode or IV is not set; an IV serves "
						   "one call");
	return SCARD_S_SUCCESS;
}

static DWORD process_and_tell(struct module *module, struct key *key, enum kf_function function,
			      struct bytes item, const struct process_out *out)
{
	DWORD left = CARD_DATA_VALUE_UNKNOWN;
	DWORD status = check_turn(module, key);

	if (status == SCARD_S_SUCCESS)
		status = check_output(module, function, out);
	if (status != SCARD_S_SUCCESS)
		return status;
	key->iv_is_set = false;
	status = process(module, key, function, item, &left);
	if (status == SCARD_S_SUCCESS || left != CARD_DATA_VALUE_UNKNOWN)
		give_response(function, left, out);
	return status;
}

DWORD WINAPI card_process_encrypted_data(PCARD_DATA card, CARD_KEY_HANDLE handle,
					 LPCWSTR function, PCARD_ENCRYPTED_DATA data, DWORD n_data,
					 PBYTE output, DWORD output_cap, PDWORD output_len,
					 DWORD flags)
{
	const struct process_out out = { output, output_cap, output_len };
	enum kf_function number = function_find(function);
	struct module *module;
	struct key *key;
	DWORD status;

	if (output_len)
		*output_len = 0;
	status = module_enter(card, MODULE_EITHER, "CardProcessEncryptedData", &module);
	if (status == SCARD_S_SUCCESS)
		status = check_process(module, number, data, n_data, flags);
	if (status != SCARD_S_SUCCESS)
		return status;
	key = key_find(&module->keys, handle);
	if (!key)
		return module_refuse(module, SCARD_E_INVALID_HANDLE, "handles of this context",
				     "import the session key", "there is no such key");
	if (module->kind == MODULE_SERVER)
		return module_refuse(module, SCARD_E_NO_SMARTCARD, "no-card mode",
				     "send the blob to the client", "there is no card here");
	return process_and_tell(module, key, number,
				BYTES(data->pbEncryptedData, data->cbEncryptedData), &out);
}
