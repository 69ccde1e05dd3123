/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/gadget/function.h - What FunctionFS is told about a reader before it shows it to a host:
 * the descriptors of docs/vreader.md, section 3, once for full and once for high speed. Pure.
 */
#pragma once

#include "base/bytes.h"

/* Endpoint files are numbered from 1 in the order of the descriptors. */
enum { FUNCTION_ENDPOINTS_MAX = 3, FUNCTION_BLOB_MAX = 512 };

/**
 * struct function - one CCID interface
 * @interface:	interface and class descriptor, borrowed
 * @endpoints:	endpoint descriptors, borrowed
 * @addresses:	their addresses, as the reader itself calls them
 * @n_endpoints: bulk OUT, bulk IN, perhaps interrupt IN
 */
struct function {
	struct bytes interface;
	struct bytes class;
	struct bytes endpoints[FUNCTION_ENDPOINTS_MAX];
	uint8_t addresses[FUNCTION_ENDPOINTS_MAX];
	size_t n_endpoints;
};

/* @descriptors: device and configuration. Return: 0, or -EBADMSG: not one CCID interface. */
int function_parse(struct bytes descriptors, struct function *out);

/* What is written to ep0 first, and second. */
void function_pack_descriptors(const struct function *f, struct packer *p);
void function_pack_strings(struct packer *p);
