// SPDX-License-Identifier: LGPL-2.1-or-later
/* libserver/byok/file.c - The .byok file for callers, and the other shapes a blob leaves in. */
#include "base/error.h"
#include "libserver/byok/format.h"
#include "libserver/json/byok.h"

#include <openssl/evp.h>

struct kf_byok {
	struct byok_file file;
};

int kf_byok_parse(const void *json, size_t len, unsigned int flags, struct kf_byok **out,
		  struct kf_error *e)
{
	struct kf_byok *byok;
	int r;

	if (flags & ~KF_BYOK_NAMED_HASHES)
		return error_what(e, -EINVAL, "cannot read the .byok file");
	byok = malloc(sizeof(*byok));
	if (!byok)
		return error_what(e, -ENOMEM, "cannot read the .byok file");
	byok->file = BYOK_FILE_INIT;
	r = byok_file_parse(BYTES(json, len), (flags & KF_BYOK_NAMED_HASHES) != 0, &byok->file, e);
	if (r < 0) {
		free(byok);
		return r;
	}
	*out = byok;
	return 0;
}

struct kf_byok *kf_byok_free(struct kf_byok *byok)
{
	if (byok)
		byok_file_deinit(&byok->file);
	free(byok);
	return NULL;
}

const char *kf_byok_kid(const struct kf_byok *byok)
{
	return byok->file.kid;
}

enum kf_hash kf_byok_hash(const struct kf_byok *byok)
{
	return byok->file.hash;
}

const char *kf_byok_generator(const struct kf_byok *byok)
{
	return byok->file.generator;
}

size_t kf_byok_ignored(const struct kf_byok *byok)
{
	return byok->file.ignored;
}

const uint8_t *kf_byok_blob(const struct kf_byok *byok, size_t *len)
{
	*len = byok->file.ciphertext.n;
	return byok->file.ciphertext.p;
}

/* --- out --- */

static int check_label(const struct kf_byok_label *label, struct kf_error *e)
{
	const char *fault = label->kid ? key_url_fault(label->kid) : "is missing";

	if (!fault)
		return 0;
	return error_why(e, -EINVAL, "docs/byok.md 2",
			 "name the KEK as its owner does: https://VAULT/keys/NAME/VERSION",
			 "the KEK's identifier %s", fault);
}

static int write_file(const struct kf_byok_label *label, struct bytes blob, uint8_t **out,
		      size_t *len, struct kf_error *e)
{
	struct byok_file file = BYOK_FILE_INIT;
	char *text = NULL;
	int r = check_label(label, e);

	if (r < 0)
		return r;
	if (blob.n < BYOK_CIPHERTEXT_MIN || blob.n > BYOK_CIPHERTEXT_MAX || blob.n % 8 != 0)
		return error_why(e, -EINVAL, "docs/byok.md 2", "check that it is the right blob",
				 "a blob of %zu bytes is none of a .byok file", blob.n);
	(void)snprintf(file.kid, sizeof(file.kid), "%s", label->kid);
	file.hash = label->hash;
	r = blob_set(&file.ciphertext, blob);
	if (r == 0 && label->generator) {
		file.generator = strdup(label->generator);
		r = file.generator ? 0 : -ENOMEM;
	}
	if (r == 0)
		r = byok_file_write(&file, &text, len, e);
	byok_file_deinit(&file);
	*out = r < 0 ? *out : (uint8_t *)text;
	return r;
}

/* [RFC 4648 4]: as receivers with a text form of their own want it. */
static int write_base64(struct bytes blob, uint8_t **out, size_t *len)
{
	size_t n = (blob.n + 2) / 3 * 4;
	uint8_t *text = malloc(n + 2);

	if (!text)
		return -ENOMEM;
	(void)EVP_EncodeBlock(text, blob.p, (int)blob.n);
	text[n] = '\n';
	text[n + 1] = '\0';
	*len = n + 1;
	*out = text;
	return 0;
}

int kf_byok_write(enum kf_byok_format format, const struct kf_byok_label *label, const void *blob,
		  size_t blob_len, uint8_t **out, size_t *len, struct kf_error *e)
{
	const struct byok_format *row = byok_format(format);
	struct blob copy = BLOB_INIT;
	int r;

	if (!row || label->size < sizeof(*label) || blob_len == 0 || blob_len > BYOK_CIPHERTEXT_MAX)
		return error_what(e, -EINVAL, "cannot write the wrapped key");
	switch (row->outer) {
	case OUTER_FILE:
		r = write_file(label, BYTES(blob, blob_len), out, len, e);
		break;
	case OUTER_BASE64:
		r = write_base64(BYTES(blob, blob_len), out, len);
		break;
	default:
		r = blob_set(&copy, BYTES(blob, blob_len));
		*out = r < 0 ? *out : copy.p;
		*len = r < 0 ? *len : copy.n;
		break;
	}
	return error_what(e, r, "cannot write the wrapped key");
}
