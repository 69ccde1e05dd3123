// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/json/byok.c - Member by member, in the order of docs/byok.md 2. What is refused is
 * refused with the mistake that is usually behind it.
 */
#include "libserver/json/byok.h"
#include "base/error.h"
#include "libserver/json/base64url.h"
#include "libserver/json/byok_shape.h"

#include <strings.h>

enum { DEPTH_MAX = 16 };

#define RULE "docs/byok.md 2"
#define NEXT "make it anew with keyferry byok wrap, or mend it with keyferry byok convert"
#define SCHEMA "1.0.0"

static const struct json_kind kind = { BYOK_TEXT_MAX, ".byok file", RULE, NEXT };

static const struct enc_row {
	const char *name;
	enum kf_hash hash;
	bool named_hash;	/* not in the BYOK specification */
} enc_rows[] = {
	{ "CKM_RSA_AES_KEY_WRAP", KF_HASH_SHA1, false },
	{ "RSA_AES_KEY_WRAP_256", KF_HASH_SHA256, true },
	{ "RSA_AES_KEY_WRAP_384", KF_HASH_SHA384, true },
};

enum { N_ENCS = sizeof(enc_rows) / sizeof(enc_rows[0]) };

/* --- before the parser --- */

/* jansson goes 2048 deep, by recursion; nothing here is deeper than two. */
static bool is_too_deep(struct bytes text)
{
	bool in_string = false, escaped = false;
	size_t depth = 0;

	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];

		if (in_string) {
			in_string = escaped || c != '"';
			escaped = !escaped && c == '\\';
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > DEPTH_MAX)
				return true;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return false;
}

static int check_outside(struct bytes text, struct kf_error *e)
{
	enum byok_shape shape;

	if (text.n > BYOK_TEXT_MAX)
		return 0;		/* json_in_open() says so */
	shape = byok_shape(text);
	if (shape != BYOK_SHAPE_OBJECT)
		return error_why(e, -EBADMSG, RULE, NEXT, "%s", byok_shape_words(shape));
	if (is_too_deep(text))
		return error_why(e, -EBADMSG, RULE, NEXT,
				 "its brackets are nested more than %d deep", DEPTH_MAX);
	return 0;
}

/* --- members --- */

/* Another JSON object that people have at hand, by a member only it has. */
static const char *other_object(const struct json_in *in)
{
	static const struct { const char *member, *words; } others[] = {
		{ "protected", "it is a JWE in JSON serialization, not the object the BYOK "
			       "specification shows" },
		{ "recipients", "it is a JWE in JSON serialization, not the object the BYOK "
				"specification shows" },
		{ "key_hsm", "it is the key of an import request: the .byok file is what its key_hsm "
			     "carries, in base64" },
		{ "key", "it is an import request or a key bundle: the .byok file is what its key_hsm "
			 "carries, in base64" },
		{ "kty", "it is a JWK, a key itself: byok wrap takes the KEK as PEM" },
		{ "format", "it is another file of keyferry's" },
		{ "keyMaterial", "it is a key import of Oracle's vault" },
	};

	if (json_in_has(in, "schema_version"))
		return NULL;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (json_in_has(in, others[i].member))
			return others[i].words;
	return NULL;
}

static void take_schema(struct json_in *in)
{
	const char *other = other_object(in), *text;

	if (other) {
		in->r = error_why(in->e, -EBADMSG, RULE, NEXT, "%s", other);
		return;
	}
	text = json_in_text(in, "schema_version");
	if (in->r == 0 && strcmp(text, SCHEMA) != 0)
		json_in_fail(in, "schema_version", "is not \"" SCHEMA "\", the one there has ever been");
}

static void take_kid(struct json_in *in, char out[static KEY_URL_MAX + 1])
{
	const char *text = json_in_text(in, "kid");
	const char *fault = in->r == 0 ? key_url_fault(text) : NULL;

	if (fault)
		json_in_fail(in, "kid", fault);
	if (in->r == 0)
		(void)snprintf(out, KEY_URL_MAX + 1, "%s", text);
}

static void take_alg(struct json_in *in)
{
	const char *text = json_in_text(in, "alg");

	if (in->r < 0 || strcmp(text, "dir") == 0)
		return;
	if (strcasecmp(text, "dir") == 0)
		json_in_fail(in, "alg", "is \"dir\" in other letters; it has to stand as it is");
	else
		json_in_fail(in, "alg", "is not \"dir\": how the key is wrapped stands in \"enc\"");
}

enum kf_hash byok_enc_hash(const char *enc)
{
	for (size_t i = 0; i < N_ENCS; i++) {
		if (strcmp(enc, enc_rows[i].name) == 0)
			return enc_rows[i].hash;
	}
	return KF_HASH_NONE;
}

static void take_enc(struct json_in *in, bool named_hashes, enum kf_hash *out)
{
	const char *text = json_in_text(in, "enc");

	for (size_t i = 0; in->r == 0 && i < N_ENCS; i++) {
		if (strcasecmp(text, enc_rows[i].name) != 0)
			continue;
		if (strcmp(text, enc_rows[i].name) != 0)
			json_in_fail(in, "enc", "has its letters in the wrong case");
		else if (enc_rows[i].named_hash && !named_hashes)
			json_in_fail(in, "enc", "names an OAEP hash the BYOK specification does not "
				     "have; --named-hashes takes it");
		*out = enc_rows[i].hash;
		return;
	}
	if (strcmp(text, "CKM_RSA_AES_KEY_WRAP_PAD") == 0)
		json_in_fail(in, "enc", "is a mechanism that does not exist: the specification says it in "
			     "passing and means \"CKM_RSA_AES_KEY_WRAP\"");
	json_in_fail(in, "enc", "is not \"CKM_RSA_AES_KEY_WRAP\"");
}

static void take_header(struct json_in *in, bool named_hashes, struct byok_file *file)
{
	struct json_in header = json_in_object(in, "header");

	take_kid(&header, file->kid);
	take_alg(&header);
	take_enc(&header, named_hashes, &file->hash);
	file->ignored += json_in_ignore(&header);
	json_in_leave(in, &header);
}

static bool is_hex(const char *text)
{
	return *text && strspn(text, "0123456789abcdefABCDEF") == strlen(text);
}

/* Why @text, of @n characters without padding, is no base64url. */
static const char *text_fault(const char *text, size_t n)
{
	if (strstr(text, "BASE64URL(") || strchr(text, '<'))
		return "is the specification's placeholder: what belongs there is the base64url itself";
	if (strpbrk(text, "+/"))
		return "is in the standard base64 alphabet; it has to be base64url: - for +, _ for /";
	if (strpbrk(text, " \t\r\n"))
		return "has line breaks or spaces in it; base64url is one word";
	if (n % 4 == 1)
		return "has a length no base64url has: characters are missing or too many";
	if (memchr(text, '=', n))
		return "is not padded with = as base64 would be";
	return "is not base64url in its one form: a character out of place, or its last one has bits "
	       "that mean nothing";
}

/* [specification]: without padding; a reader takes it, as base64 with it is what tools write. */
static size_t length_unpadded(const char *text)
{
	size_t n = strlen(text), pads = 0;

	while (pads < 2 && n > pads && text[n - pads - 1] == '=')
		pads++;
	return n % 4 == 0 ? n - pads : n;
}

/* Public facts: C1 is as long as the modulus, and C2 is whole blocks of eight. */
static const char *length_fault(size_t n)
{
	if (n < BYOK_CIPHERTEXT_MIN)
		return "is too short for an RSA-2048 part and an AES-wrapped key";
	if (n > BYOK_CIPHERTEXT_MAX)
		return "is longer than an RSA-4096 key under an RSA-4096 KEK makes it";
	return n % 8 != 0 ? "is no multiple of eight bytes long: it was cut off or has more behind it"
			  : NULL;
}

static void take_ciphertext(struct json_in *in, struct blob *out)
{
	const char *text = json_in_text(in, "ciphertext"), *fault;
	uint8_t buf[BYOK_CIPHERTEXT_MAX + 3];
	struct packer p = pack_begin(buf, sizeof(buf));
	size_t n = in->r < 0 ? 0 : length_unpadded(text);
	int r;

	if (in->r < 0)
		return;
	r = base64url_decode(BYTES(text, n), &p);
	if (r == -EBADMSG)
		fault = text_fault(text, n);
	else if (is_hex(text) && n % 16 == 0)
		fault = "is hexadecimal; it has to be base64url";
	else
		fault = length_fault(r == -EMSGSIZE ? SIZE_MAX : p.n);
	if (fault)
		json_in_fail(in, "ciphertext", fault);
	else
		in->r = blob_set(out, pack_done(&p));
}

static void take_generator(struct json_in *in, char **out)
{
	const char *text;

	if (!json_in_has(in, "generator"))
		return;
	text = json_in_text(in, "generator");
	if (in->r < 0)
		return;
	*out = strdup(text);
	if (!*out)
		in->r = -ENOMEM;
}

int byok_file_parse(struct bytes text, bool named_hashes, struct byok_file *out,
		    struct kf_error *e)
{
	_cleanup_(byok_file_deinit) struct byok_file file = BYOK_FILE_INIT;
	struct json_in in;
	int r = check_outside(text, e);

	if (r < 0)
		return error_what(e, r, "cannot read the .byok file");
	in = json_in_open(text, &kind, e);
	take_schema(&in);
	take_header(&in, named_hashes, &file);
	take_ciphertext(&in, &file.ciphertext);
	take_generator(&in, &file.generator);
	file.ignored += json_in_ignore(&in);
	r = json_in_end(&in);
	if (r < 0)
		return error_what(e, r, "cannot read the .byok file");
	*out = file;
	file = BYOK_FILE_INIT;
	return 0;
}

/* --- writing --- */

static json_t *header_out(const struct byok_file *file, const char *enc)
{
	json_t *object = json_object();

	json_out(&object, "kid", json_string(file->kid));
	json_out(&object, "alg", json_string("dir"));
	json_out(&object, "enc", json_string(enc));
	return object;
}

int byok_file_write(const struct byok_file *file, char **text, size_t *len, struct kf_error *e)
{
	const char *enc = NULL;
	json_t *object;

	for (size_t i = 0; i < N_ENCS; i++)
		if (enc_rows[i].hash == file->hash)
			enc = enc_rows[i].name;
	if (!enc)
		return error_what(e, error_why(e, -EINVAL, RULE, "use SHA-1, which the specification "
					       "means, or SHA-256 or SHA-384",
					       "header.enc has no name for this OAEP hash"),
				  "cannot write the .byok file");
	object = json_object();
	json_out(&object, "schema_version", json_string(SCHEMA));
	json_out(&object, "header", header_out(file, enc));
	json_out(&object, "ciphertext", json_out_bytes(blob_bytes(&file->ciphertext)));
	if (file->generator)
		json_out(&object, "generator", json_string(file->generator));
	return json_out_end(object, text, len, e);
}

void byok_file_deinit(struct byok_file *file)
{
	blob_deinit(&file->ciphertext);
	free(file->generator);
	file->generator = NULL;
}
