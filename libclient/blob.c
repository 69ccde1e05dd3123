/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libclient/blob.h"
#include "libclient/explain.h"

struct kf_blob *blob_copy(struct bytes bytes)
{
	struct kf_blob *blob = calloc(1, sizeof(*blob) + bytes.n + 1);

	if (!blob)
		return NULL;
	blob->n = bytes.n;
	if (bytes.n != 0)
		memcpy(blob->data, bytes.p, bytes.n);
	return blob;
}

int blob_new(struct call *call, struct bytes bytes, struct kf_blob **out)
{
	struct kf_blob *blob = blob_copy(bytes);

	if (!blob)
		return call_no_memory(call);
	*out = blob;
	return 0;
}

int blob_new_secret(struct call *call, struct bytes bytes, struct kf_blob **out)
{
	struct kf_blob *blob = calloc(1, sizeof(*blob));
	int r;

	if (!blob)
		return call_no_memory(call);
	r = secret_init(&blob->secret, bytes.n + 1);
	if (r < 0) {
		free(blob);
		(void)error_why(&call->client->failure.error, r, "this machine",
				"raise the limit of locked memory (ulimit -l)",
				"no memory can be locked for the result");
		return error_what(&call->client->failure.error, r,
				  "cannot keep the broker's answer");
	}
	(void)secret_set(&blob->secret, bytes);
	*out = blob;
	return 0;
}

KF_EXPORT const uint8_t *kf_blob_data(const struct kf_blob *blob)
{
	return !blob ? NULL : blob->secret.p ? blob->secret.p : blob->data;
}

KF_EXPORT size_t kf_blob_size(const struct kf_blob *blob)
{
	return !blob ? 0 : blob->secret.p ? blob->secret.n : blob->n;
}

KF_EXPORT struct kf_blob *kf_blob_free(struct kf_blob *blob)
{
	if (!blob)
		return NULL;
	secret_deinit(&blob->secret);
	wipe(blob->data, blob->n);
	free(blob);
	return NULL;
}
