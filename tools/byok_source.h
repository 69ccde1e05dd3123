/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/byok_source.h - A key in a PKCS #11 token, wrapped there. The module is somebody else's code, so
 * it runs in a process of its own (tools/pkcs11); what this one gets from it is the wrapped key.
 */
#pragma once

#include "base/secret.h"
#include "keyferry/server.h"
#include "tools/helper.h"

/**
 * struct byok_source - a running helper and what it has found
 * @spki:	of @spki_len bytes; 0: not known, or a secret key
 */
struct byok_source {
	struct helper helper;
	enum kf_key_type type;
	uint8_t spki[SOURCE_SPKI_MAX];
	size_t spki_len;
};

#define BYOK_SOURCE_INIT ((struct byok_source){ .helper = HELPER_INIT })

/* Starts the helper and has it find the key. Return: 0, -errno. */
int byok_source_open(struct byok_source *source, const struct key_name *name,
		     const struct secret *pin, struct kf_error *e);

/* Has it wrap; @blob has room for SOURCE_BLOB_MAX. Return: 0, -errno. */
int byok_source_wrap(struct byok_source *source, const struct source_wrap *want, struct packer *blob,
		     enum source_way *way, bool *zeros, struct kf_error *e);

/* Ends the helper, whatever it is at. */
void byok_source_close(struct byok_source *source);

/* "inside the token, in one step" */
const char *byok_way_words(enum source_way way);
