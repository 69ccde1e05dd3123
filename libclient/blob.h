/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libclient/blob.h - Bytes handed to the caller; secret ones in locked pages of their own. */
#pragma once

#include "base/secret.h"
#include "libclient/call.h"

/**
 * struct kf_blob - see keyferry.h
 * @secret:	holds them if they are secret
 * @n:		bytes in @data otherwise
 */
struct kf_blob {
	struct secret secret;
	size_t n;
	uint8_t data[];
};

/* A copy of @bytes; NULL: no memory. */
struct kf_blob *blob_copy(struct bytes bytes);
/* Copies @bytes. On failure fills in the failure of @call. Return: 0, -ENOMEM. */
int blob_new(struct call *call, struct bytes bytes, struct kf_blob **out);
int blob_new_secret(struct call *call, struct bytes bytes, struct kf_blob **out);
