/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libclient/session.c - Session keys in the card, what is done with them, and receipts. */
#include "libclient/blob.h"

KF_EXPORT int kf_session_import(struct kf_context *context, const uint8_t sid[KF_SID_SIZE],
				enum kf_method method, const uint8_t *wrapped, size_t len,
				kf_key_handle *out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_session_import *import = call_begin_card(&call, context, KF_SESSION_IMPORT);
	const struct kf_session_import *reply;
	int r;

	if (!context || !sid || !wrapped || !out)
		return -EINVAL;
	import->method = method;
	import->padding = method == KF_METHOD_RSA ? KF_PADDING_OAEP : KF_PADDING_NONE;
	import->hash = method == KF_METHOD_RSA ? KF_HASH_SHA256 : KF_HASH_NONE;
	import->container = KF_CONTAINER_ANY;
	memcpy(import->sid, sid, KF_SID_SIZE);
	call_set(&call, kf_session_import, input, BYTES(wrapped, len));
	r = call_run(&call, "cannot import the session key");
	if (r < 0)
		return r;
	reply = call_reply(&call);
	if (reply->key == 0)
		return call_reply_broken(&call, "the broker gave no handle");
	*out = reply->key;
	return 0;
}

/* Requests about a key name it in their first field, where others have the context. */
static void *call_begin_key(struct call *call, struct kf_context *context, uint32_t request,
			    kf_key_handle key)
{
	uint64_t *first = call_begin_card(call, context, request);

	*first = key;
	return first;
}

KF_EXPORT int kf_key_set_property(struct kf_context *context, kf_key_handle key,
				  enum kf_prop property, const uint8_t *value, size_t len)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_key_prop *prop = call_begin_key(&call, context, KF_KEY_PROP_SET, key);

	if (!context || !value)
		return -EINVAL;
	prop->prop = property;
	call_set(&call, kf_key_prop, value, BYTES(value, len));
	return call_run(&call, "cannot set property %d of the session key", (int)property);
}

KF_EXPORT int kf_key_get_property(struct kf_context *context, kf_key_handle key,
				  enum kf_prop property, struct kf_blob **out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_key_prop *prop = call_begin_key(&call, context, KF_KEY_PROP_GET, key);
	int r;

	if (!context || !out)
		return -EINVAL;
	prop->prop = property;
	r = call_run(&call, "cannot read property %d of the session key", (int)property);
	if (r < 0)
		return r;
	return blob_new(&call, call_get(&call, kf_key_prop, value), out);
}

KF_EXPORT int kf_process(struct kf_context *context, kf_key_handle key, enum kf_function function,
			 const uint8_t *item, size_t len, struct kf_blob **out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_process *process = call_begin_key(&call, context, KF_PROCESS, key);
	int r;

	if (!context || !item || !out)
		return -EINVAL;
	process->function = function;
	call_set(&call, kf_process, item, BYTES(item, len));
	r = call_run(&call, "cannot install the sealed item");
	if (r < 0)
		return r;
	return blob_new(&call, call_get(&call, kf_process, receipt), out);
}

KF_EXPORT int kf_key_destroy(struct kf_context *context, kf_key_handle key)
{
	_cleanup_(call_end) struct call call = CALL_INIT;

	(void)call_begin_key(&call, context, KF_KEY_DESTROY, key);
	if (!context)
		return -EINVAL;
	return call_run(&call, "cannot destroy the session key");
}

KF_EXPORT int kf_receipt_read(struct kf_context *context, const uint8_t sid[KF_SID_SIZE],
			      uint32_t number, struct kf_blob **out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_receipt_get *get = call_begin_card(&call, context, KF_RECEIPT_GET);
	int r;

	if (!context || !sid || !out)
		return -EINVAL;
	get->item_no = number;
	memcpy(get->sid, sid, KF_SID_SIZE);
	r = call_run(&call, "cannot read the receipt of item %u", number);
	if (r < 0)
		return r;
	return blob_new(&call, call_get(&call, kf_receipt_get, receipt), out);
}
