// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/json/byok_blob.c - The strict reader first; where it refuses, the layers people put around a .byok file
 * come off one by one, eight at most.
 */
#include "libserver/json/byok_blob.h"
#include "base/error.h"
#include "base/hex.h"
#include "libserver/json/base64url.h"
#include "libserver/json/byok.h"
#include "libserver/json/byok_shape.h"

#include <ctype.h>
#include <stdio.h>

enum { LAYERS_MAX = 8 };

#define RULE "docs/byok.md 2"

void byok_blob_deinit(struct byok_blob *blob)
{
	free(blob->p);
	free(blob->generator);
	*blob = BYOK_BLOB_INIT;
}

const char *byok_mend_words(enum byok_mend mend)
{
	static const char *const words[] = {
		"it was base64 of the file, as key_hsm carries it",
		"it began with a byte order mark",
		"it was a JSON string with the file in it",
		"it was an import request with the file in its key_hsm",
		"its ciphertext was hexadecimal or base64, and not base64url in its one form",
		"its header was not in form",
	};

	return mend < MEND_N ? words[mend] : NULL;
}

static int no_blob(struct kf_error *e, const char *why)
{
	return error_why(e, -EBADMSG, RULE, "get the wrapped key again from who made it", "%s", why);
}

/* --- bare blobs --- */

static int hex_lenient(struct bytes text, struct packer *out)
{
	uint32_t high = HEX_NONE;

	for (size_t i = 0; i < text.n; i++) {
		uint32_t digit = hex_value(text.p[i], HEX_ANY);

		if (digit == HEX_NONE)
			continue;		/* white space and colons: byok_shape() saw no others */
		if (high != HEX_NONE)
			pack_u8(out, high << 4 | digit);
		high = high != HEX_NONE ? HEX_NONE : digit;
	}
	return high != HEX_NONE ? -EBADMSG : pack_end(out);
}

bool byok_blob_fits(size_t n, size_t k)
{
	return n == k || (n >= k + 16 && n % 8 == 0);
}

static bool fits_any(size_t n)
{
	return n <= BYOK_CIPHERTEXT_MAX &&
	       (byok_blob_fits(n, 256) || byok_blob_fits(n, 384) || byok_blob_fits(n, 512));
}

static int take_blob(struct byok_blob *blob, struct bytes from)
{
	blob->p = malloc(from.n ? from.n : 1);
	if (!blob->p)
		return -ENOMEM;
	if (from.n)
		memcpy(blob->p, from.p, from.n);
	blob->n = from.n;
	return 0;
}

static int read_bare(struct bytes text, enum byok_form form, struct byok_blob *blob,
		     struct kf_error *e)
{
	uint8_t buf[BYOK_CIPHERTEXT_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	int r = 0;

	if (form == FORM_BASE64)
		r = base64_lenient_decode(text, &p);
	else if (form == FORM_HEX)
		r = hex_lenient(text, &p);
	else
		pack_bytes(&p, text);
	if (r < 0 || pack_end(&p) < 0 || !fits_any(p.n))
		return no_blob(e, form == FORM_BINARY
				  ? "it is binary and no blob under RSA 2048, 3072 or 4096; perhaps the old "
				    "nCipher KeyTransferPackage"
				  : "what is coded in it is no blob under RSA 2048, 3072 or 4096");
	blob->form = form;
	return take_blob(blob, pack_done(&p));
}

/* --- files --- */

static int take_file(const struct byok_file *file, struct byok_blob *blob)
{
	blob->form = FORM_FILE;
	blob->hash = file->hash;
	(void)snprintf(blob->kid, sizeof(blob->kid), "%s", file->kid);
	if (file->generator) {
		blob->generator = strdup(file->generator);
		if (!blob->generator)
			return -ENOMEM;
	}
	return take_blob(blob, blob_bytes(&file->ciphertext));
}

static const char *text_member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* What of the header stands as it should. */
static void take_header(const json_t *header, struct byok_blob *blob)
{
	const char *kid = text_member(header, "kid");

	if (!key_url_fault(kid))
		(void)snprintf(blob->kid, sizeof(blob->kid), "%s", kid);
	blob->hash = byok_enc_hash(text_member(header, "enc"));
	if (!*blob->kid || !blob->hash || strcmp(text_member(header, "alg"), "dir") != 0)
		blob->mended |= 1u << MEND_HEADER;
}

static bool is_hex(const char *text)
{
	return byok_shape(BYTES(text, strlen(text))) == BYOK_SHAPE_HEX;
}

/* Base64url without padding, as the file has to have it. */
static bool is_strict(const char *text)
{
	uint8_t buf[BYOK_CIPHERTEXT_MAX + 3];
	struct packer p = pack_begin(buf, sizeof(buf));

	return base64url_decode(BYTES(text, strlen(text)), &p) == 0;
}

static int mend_file(const json_t *root, struct byok_blob *blob, struct kf_error *e)
{
	const char *text = text_member(root, "ciphertext");
	const char *generator = json_string_value(json_object_get(root, "generator"));
	int r;

	if (!*text)
		return no_blob(e, "there is no \"ciphertext\" in it");
	r = read_bare(BYTES(text, strlen(text)),
		      is_hex(text) ? FORM_HEX : FORM_BASE64, blob, e);
	if (r < 0)
		return r;
	blob->form = FORM_FILE;
	if (is_hex(text) || !is_strict(text))	/* those digits are base64url's, too */
		blob->mended |= 1u << MEND_CIPHERTEXT;
	take_header(json_object_get(root, "header"), blob);
	if (generator)
		blob->generator = strdup(generator);
	return generator && !blob->generator ? -ENOMEM : 0;
}

/* --- layers --- */

/* The next text inside, owned by the caller, or NULL. */
static char *inner_text(const char *text)
{
	return *text ? strdup(text) : NULL;
}

static char *inside_request(const json_t *root)
{
	const json_t *key = json_object_get(root, "key");

	return inner_text(text_member(json_is_object(key) ? key : root, "key_hsm"));
}

static char *decoded(struct bytes text, size_t *n)
{
	uint8_t *buf = malloc(text.n + 1);
	struct packer p;

	if (!buf)
		return NULL;
	p = pack_begin(buf, text.n);
	if (base64_lenient_decode(text, &p) < 0) {
		free(buf);
		return NULL;
	}
	buf[p.n] = '\0';
	*n = p.n;
	return (char *)buf;
}

/* Bytes, not text: there may be zeros among them. */
static char *behind_mark(struct bytes text, size_t *n)
{
	char *inner;

	while (text.n > 0 && isspace(text.p[0]))	/* as byok_shape() looks */
		text = bytes_slice(text, 1, text.n);
	text = bytes_slice(text, 3, text.n);
	inner = malloc(text.n + 1);
	if (!inner)
		return NULL;
	if (text.n > 0)
		memcpy(inner, text.p, text.n);
	inner[text.n] = '\0';
	*n = text.n;
	return inner;
}

static json_t *loaded(struct bytes text)
{
	return json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
}

/* Takes one layer off @text. Return: what was inside, @n bytes, owned; NULL: there is none. */
static char *peel(struct bytes text, enum byok_shape shape, enum byok_mend *mend, size_t *n)
{
	json_t *root = NULL;
	char *inner = NULL;

	switch (shape) {
	case BYOK_SHAPE_CODED_FILE:
		*mend = MEND_BASE64_OF_FILE;
		return decoded(text, n);
	case BYOK_SHAPE_MARKED:
		*mend = MEND_MARK;
		return behind_mark(text, n);
	case BYOK_SHAPE_STRING:
		root = loaded(text);
		inner = json_is_string(root) ? inner_text(json_string_value(root)) : NULL;
		*mend = MEND_STRING;
		break;
	case BYOK_SHAPE_OBJECT:
		root = loaded(text);
		inner = inside_request(root);
		*mend = MEND_REQUEST;
		break;
	default:
		return NULL;
	}
	json_decref(root);
	*n = inner ? strlen(inner) : 0;
	return inner;
}

static int read_object(struct bytes text, struct byok_blob *blob, struct kf_error *e)
{
	struct byok_file file = BYOK_FILE_INIT;
	int r = byok_file_parse(text, true, &file, e);
	json_t *root;

	if (r == 0)
		r = take_file(&file, blob);
	byok_file_deinit(&file);
	if (r != -EBADMSG)
		return r;
	/* What cannot be mended keeps the strict reader's words. */
	root = text.n > BYOK_TEXT_MAX ? NULL : loaded(text);
	if (json_is_object(json_object_get(root, "header")))
		r = mend_file(root, blob, NULL);
	json_decref(root);
	return r;
}

static int read_innermost(struct bytes text, enum byok_shape shape, struct byok_blob *blob,
			  struct kf_error *e)
{
	switch (shape) {
	case BYOK_SHAPE_OBJECT:
		return read_object(text, blob, e);
	case BYOK_SHAPE_BASE64:
		return read_bare(text, FORM_BASE64, blob, e);
	case BYOK_SHAPE_HEX:
		return read_bare(text, FORM_HEX, blob, e);
	case BYOK_SHAPE_BINARY:
		return read_bare(text, FORM_BINARY, blob, e);
	default:
		return no_blob(e, byok_shape_words(shape));
	}
}

int byok_blob_read(struct bytes text, struct byok_blob *out, struct kf_error *e)
{
	_cleanup_(byok_blob_deinit) struct byok_blob blob = BYOK_BLOB_INIT;
	_cleanup_(freep) char *held = NULL;
	uint32_t mended = 0;
	int r;

	for (int layer = 0; layer < LAYERS_MAX; layer++) {
		enum byok_mend mend = MEND_N;
		size_t n = 0;
		char *inner = peel(text, byok_shape(text), &mend, &n);

		if (!inner)
			break;
		mended |= 1u << mend;
		free(held);
		held = inner;
		text = BYTES(held, n);
	}
	r = read_innermost(text, byok_shape(text), &blob, e);
	if (r < 0)
		return error_what(e, r, "cannot make out a wrapped key");
	blob.mended |= mended;
	*out = blob;
	blob = BYOK_BLOB_INIT;
	return 0;
}

/* --- guesses --- */

/* Lengths of a PrivateKeyInfo as tools write them: EC with and without public key and curve inside. */
static const struct guess_row {
	size_t from, to;
	const char *words;
} guess_rows[] = {
	{ 16, 16, "AES-128" },
	{ 24, 24, "AES-192" },
	{ 32, 32, "AES-256" },
	{ 67, 67, "EC P-256 without its public key" },
	{ 64, 64, "EC P-256K without its public key" },
	{ 135, 150, "EC P-256 or P-256K" },
	{ 80, 82, "EC P-384 without its public key" },
	{ 183, 195, "EC P-384" },
	{ 98, 101, "EC P-521 without its public key" },
	{ 239, 251, "EC P-521" },
	{ 1210, 1222, "RSA 2048" },
	{ 1786, 1800, "RSA 3072" },
	{ 2366, 2382, "RSA 4096" },
};

const char *byok_blob_guess(size_t n, size_t i)
{
	for (size_t row = 0; n >= 16 && row < sizeof(guess_rows) / sizeof(guess_rows[0]); row++) {
		/* KWP pads with 0 to 7 bytes, and puts eight in front. */
		if (guess_rows[row].to + 15 < n || guess_rows[row].from + 8 > n)
			continue;
		if (i-- == 0)
			return guess_rows[row].words;
	}
	return NULL;
}
