/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vreader/card/blob.h"

#include <stdlib.h>

struct blob {
	unsigned int refs;
	struct secret data;
};

int blob_new(struct bytes b, struct blob **out)
{
	struct blob *blob = calloc(1, sizeof(*blob));
	int r;

	if (!blob)
		return -ENOMEM;
	blob->refs = 1;
	r = secret_init(&blob->data, b.n);
	if (r < 0) {
		free(blob);
		return r;
	}
	(void)secret_set(&blob->data, b);	/* fits: it was made for it */
	*out = blob;
	return 0;
}

struct blob *blob_ref(struct blob *blob)
{
	if (blob)
		blob->refs++;
	return blob;
}

struct blob *blob_unref(struct blob *blob)
{
	if (!blob || --blob->refs != 0)
		return NULL;
	secret_deinit(&blob->data);
	free(blob);
	return NULL;
}

struct bytes blob_bytes(const struct blob *blob)
{
	return blob ? secret_bytes(&blob->data) : BYTES_NONE;
}
