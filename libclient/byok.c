/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libclient/byok.c - A key under a KEK, imported by the card. */
#include "libclient/blob.h"

struct kf_imported {
	struct kf_byok_import reply;
	struct kf_blob *receipt;
	struct kf_blob *public_key;	/* NULL for an AES key */
};

DEFINE_CLEANUP(struct kf_imported *, kf_imported_free);

static int result_new(struct call *call, struct kf_imported **out)
{
	_cleanup_(kf_imported_freep) struct kf_imported *result = calloc(1, sizeof(*result));
	struct bytes spki = call_get(call, kf_byok_import, spki);
	int r;

	if (!result)
		return call_no_memory(call);
	memcpy(&result->reply, call_reply(call), sizeof(result->reply));
	if (result->reply.check_len > KF_CHECK_VALUE_SIZE)
		return call_reply_broken(call, "the check value is longer than one can be");
	r = blob_new(call, call_get(call, kf_byok_import, receipt), &result->receipt);
	if (r == 0 && spki.n != 0)
		r = blob_new(call, spki, &result->public_key);
	if (r == 0)
		*out = take_ptr(result);
	return r;
}

KF_EXPORT int kf_byok_import(struct kf_context *context, const struct kf_byok_spec *spec,
			     const uint8_t *blob, size_t len, struct kf_imported **out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_byok_import *import = call_begin_card(&call, context, KF_BYOK_IMPORT);
	int r;

	if (!context || !spec || !blob || !out)
		return -EINVAL;
	import->container = spec->number;
	import->key_type = spec->key_type;
	import->purpose = spec->purpose;
	import->kek = spec->kek;
	import->hash = spec->hash;
	if (spec->replaces) {
		import->flags = KF_BYOK_REPLACE;
		memcpy(import->replaces, spec->replaces, sizeof(import->replaces));
	}
	if (spec->kid)
		call_set(&call, kf_byok_import, kid, BYTES(spec->kid, strlen(spec->kid)));
	call_set(&call, kf_byok_import, blob, BYTES(blob, len));
	r = call_run(&call, "cannot import the wrapped key");
	return r < 0 ? r : result_new(&call, out);
}

KF_EXPORT struct kf_imported *kf_imported_free(struct kf_imported *result)
{
	if (!result)
		return NULL;
	result->receipt = kf_blob_free(result->receipt);
	result->public_key = kf_blob_free(result->public_key);
	free(result);
	return NULL;
}

KF_EXPORT uint32_t kf_imported_value(const struct kf_imported *result, enum kf_imported_fact fact)
{
	switch (fact) {
	case KF_IMPORTED_NUMBER:   return result->reply.container;
	case KF_IMPORTED_TYPE:     return result->reply.key_type;
	case KF_IMPORTED_KEK:      return result->reply.kek;
	case KF_IMPORTED_HASH: return result->reply.hash;
	case KF_IMPORTED_GRADE:    return result->reply.grade;
	}
	return 0;
}

KF_EXPORT const uint8_t *kf_imported_public_key(const struct kf_imported *result, size_t *len)
{
	*len = kf_blob_size(result->public_key);
	return kf_blob_data(result->public_key);
}

KF_EXPORT const uint8_t *kf_imported_check_value(const struct kf_imported *result, size_t *len)
{
	*len = result->reply.check_len;
	return *len != 0 ? result->reply.check_value : NULL;
}

KF_EXPORT const uint8_t *kf_imported_receipt(const struct kf_imported *result, size_t *len)
{
	*len = kf_blob_size(result->receipt);
	return kf_blob_data(result->receipt);
}
