// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/json/object.c - Over jansson, which refuses duplicates, bad UTF-8 and NUL characters;
 * what is missing, left over or out of range is refused here.
 */
#include "libserver/json/object.h"
#include "base/error.h"
#include "base/hex.h"
#include "format/numbers.h"
#include "libserver/json/base64url.h"
#include "libserver/json/time.h"

#define RULE "docs/formats.md 8"
#define NEXT "get the file again from where it was made"

void blob_deinit(struct blob *b)
{
	free(b->p);
	*b = BLOB_INIT;
}

int blob_set(struct blob *b, struct bytes from)
{
	uint8_t *p = malloc(from.n ? from.n : 1);

	if (!p)
		return -ENOMEM;
	if (from.n)
		memcpy(p, from.p, from.n);
	free(b->p);
	*b = (struct blob){ p, from.n };
	return 0;
}

void hex_print(struct bytes b, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < b.n; i++) {
		*out++ = digits[b.p[i] >> 4];
		*out++ = digits[b.p[i] & 15];
	}
	*out = '\0';
}

int hex_parse(const char *text, uint8_t *out, size_t n)
{
	return hex_read(BYTES(text, strlen(text)), HEX_LOWER, out, n);
}

/* --- reading --- */

void json_in_fail(struct json_in *in, const char *name, const char *why)
{
	if (in->r < 0)
		return;
	in->r = error_why(in->e, -EBADMSG, in->rule, in->next, "the %s's \"%s\" %s", in->what,
			  name, why);
}

struct json_in json_in_open(struct bytes text, const struct json_kind *kind, struct kf_error *e)
{
	struct json_in in = {
		.what = kind->what, .rule = kind->rule, .next = kind->next, .e = e,
	};
	json_error_t why;

	if (text.n > kind->max) {
		in.r = error_why(e, -EBADMSG, in.rule, in.next, "the %s is longer than %zu KiB",
				 in.what, kind->max >> 10);
		return in;
	}
	errno = 0;
	in.object = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, &why);
	if (!in.object && (errno == ENOMEM || !why.text[0]))	/* jansson says nothing, or anything */
		in.r = -ENOMEM;
	else if (!in.object)
		in.r = error_why(e, -EBADMSG, in.rule, in.next, "the %s is not JSON: line %d: %s",
				 in.what, why.line, why.text);
	else if (!json_is_object(in.object))
		in.r = error_why(e, -EBADMSG, in.rule, in.next, "the %s is not a JSON object",
				 in.what);
	return in;
}

struct json_in json_in_begin(struct bytes text, const char *format, const char *what,
			     struct kf_error *e)
{
	const struct json_kind kind = { JSON_TEXT_MAX, what, RULE, NEXT };
	struct json_in in = json_in_open(text, &kind, e);

	json_in_expect(&in, "format", format);
	if (json_in_number(&in, "version", INT32_MAX) != 1 && in.r == 0)
		in.r = error_why(e, -EBADMSG, RULE, "use a keyferry as new as the other side's",
				 "the %s is of a version this program does not know", what);
	return in;
}

/* The member, taken; NULL when the object is bad or becomes so. */
static json_t *member(struct json_in *in, const char *name)
{
	json_t *value = in->r < 0 ? NULL : json_object_get(in->object, name);

	if (value)
		in->taken++;
	else
		json_in_fail(in, name, "is missing");
	return value;
}

bool json_in_has(const struct json_in *in, const char *name)
{
	return in->r == 0 && json_object_get(in->object, name);
}

const char *json_in_text(struct json_in *in, const char *name)
{
	json_t *value = member(in, name);

	if (value && json_is_string(value))
		return json_string_value(value);
	json_in_fail(in, name, "is not a string");
	return "";
}

uint64_t json_in_number(struct json_in *in, const char *name, uint64_t max)
{
	json_t *value = member(in, name);
	json_int_t v = value && json_is_integer(value) ? json_integer_value(value) : -1;

	if (v < 0 || (uint64_t)v > max) {
		json_in_fail(in, name, "is not a number in range");
		return 0;
	}
	return (uint64_t)v;
}

bool json_in_bool(struct json_in *in, const char *name)
{
	json_t *value = member(in, name);

	if (!value || !json_is_boolean(value)) {
		json_in_fail(in, name, "is neither true nor false");
		return false;
	}
	return json_is_true(value);
}

int64_t json_in_time(struct json_in *in, const char *name)
{
	const char *text = json_in_text(in, name);
	int64_t t = 0;

	if (in->r == 0 && utc_parse(text, &t) < 0)
		json_in_fail(in, name, "is not a time in UTC");
	return t;
}

void json_in_serial(struct json_in *in, const char *name, char out[static KF_SERIAL_MAX + 1])
{
	const char *text = json_in_text(in, name);
	size_t n = strlen(text);

	memset(out, 0, KF_SERIAL_MAX + 1);
	if (in->r < 0)
		return;
	if (!serial_is_valid(BYTES(text, n)))
		json_in_fail(in, name, "is not a serial number");
	else
		memcpy(out, text, n);
}

void json_in_copy(struct json_in *in, const char *name, uint8_t *out, size_t n)
{
	const char *text = json_in_text(in, name);
	struct packer p = pack_begin(out, n);

	if (in->r == 0 && (base64url_decode(BYTES(text, strlen(text)), &p) < 0 || p.n != n))
		json_in_fail(in, name, "is not base64url of the right length");
	if (in->r < 0)
		memset(out, 0, n);
}

void json_in_blob(struct json_in *in, const char *name, size_t max, struct blob *out)
{
	const char *text = json_in_text(in, name);
	_cleanup_(freep) uint8_t *p = NULL;
	size_t n = strlen(text);
	struct packer packer;

	if (in->r < 0)
		return;
	if (n == 0 || n > base64url_size(max)) {
		json_in_fail(in, name, "is empty or too long");
		return;
	}
	p = malloc(n);
	if (!p) {
		in->r = -ENOMEM;
		return;
	}
	packer = pack_begin(p, n);
	if (base64url_decode(BYTES(text, strlen(text)), &packer) < 0) {
		json_in_fail(in, name, "is not base64url");
		return;
	}
	blob_deinit(out);
	out->n = packer.n;
	out->p = take_ptr(p);
}

void json_in_digest(struct json_in *in, const char *name, uint8_t out[static KF_DIGEST_SIZE])
{
	const char *text = json_in_text(in, name);

	if (in->r == 0 && hex_parse(text, out, KF_DIGEST_SIZE) < 0)
		json_in_fail(in, name, "is not 64 lower-case hexadecimal digits");
	if (in->r < 0)
		memset(out, 0, KF_DIGEST_SIZE);
}

void json_in_digest_or_null(struct json_in *in, const char *name,
			    uint8_t out[static KF_DIGEST_SIZE], bool *present)
{
	*present = in->r == 0 && !json_is_null(json_object_get(in->object, name));
	memset(out, 0, KF_DIGEST_SIZE);
	if (*present)
		json_in_digest(in, name, out);
	else
		(void)member(in, name);
}

json_t *json_in_array(struct json_in *in, const char *name, size_t min, size_t max)
{
	json_t *value = member(in, name);

	if (value && json_is_array(value) && json_array_size(value) >= min &&
	    json_array_size(value) <= max)
		return value;
	json_in_fail(in, name, "is not an array of the right length");
	return NULL;
}

static struct json_in nested(struct json_in *outer, json_t *value, const char *name)
{
	struct json_in in = {
		.object = value, .what = name, .rule = outer->rule, .next = outer->next,
		.e = outer->e, .r = outer->r,
	};

	if (in.r == 0 && !json_is_object(value))
		in.r = error_why(in.e, -EBADMSG, in.rule, in.next, "the %s's \"%s\" is not an object",
				 outer->what, name);
	return in;
}

struct json_in json_in_object(struct json_in *in, const char *name)
{
	return nested(in, member(in, name), name);
}

struct json_in json_in_enter(struct json_in *outer, json_t *array, size_t i)
{
	return nested(outer, json_array_get(array, i), "list element");
}

static void refuse_leftovers(struct json_in *in)
{
	if (in->r == 0 && in->taken != json_object_size(in->object))
		in->r = error_why(in->e, -EBADMSG, in->rule, in->next,
				  "the %s has members that do not belong there", in->what);
}

void json_in_leave(struct json_in *outer, struct json_in *inner)
{
	refuse_leftovers(inner);
	if (outer->r == 0)
		outer->r = inner->r;
}

size_t json_in_ignore(struct json_in *in)
{
	size_t rest = in->r < 0 ? 0 : json_object_size(in->object) - in->taken;

	in->taken += rest;
	return rest;
}

int json_in_end(struct json_in *in)
{
	refuse_leftovers(in);
	json_decref(in->object);
	in->object = NULL;
	return in->r;
}

void json_in_expect(struct json_in *in, const char *name, const char *text)
{
	const char *got = json_in_text(in, name);

	if (in->r == 0 && strcmp(got, text) != 0)
		in->r = error_why(in->e, -EBADMSG, in->rule, "check that it is the right file",
				  "the %s's \"%s\" is not \"%s\"", in->what, name, text);
}

/* --- writing --- */

json_t *json_out_begin(const char *format)
{
	json_t *object = json_object();

	json_out(&object, "format", json_string(format));
	json_out(&object, "version", json_integer(1));
	return object;
}

void json_out(json_t **object, const char *name, json_t *value)
{
	if (*object && value && json_object_set_new(*object, name, value) == 0)
		return;
	if (!*object)
		json_decref(value);	/* else json_object_set_new() has taken it */
	json_decref(*object);
	*object = NULL;
}

json_t *json_out_bytes(struct bytes b)
{
	_cleanup_(freep) char *text = malloc(base64url_size(b.n) + 1);

	if (!text)
		return NULL;
	base64url_encode(b, text);
	return json_string(text);
}

json_t *json_out_digest(const uint8_t digest[static KF_DIGEST_SIZE])
{
	char text[HEX_DIGEST_SIZE];

	hex_print(BYTES(digest, KF_DIGEST_SIZE), text);
	return json_string(text);
}

json_t *json_out_time(int64_t seconds)
{
	char text[UTC_SIZE];

	return utc_print(seconds, text) < 0 ? NULL : json_string(text);
}

int json_out_end(json_t *object, char **text, size_t *len, struct kf_error *e)
{
	_cleanup_(freep) char *dump = object ? json_dumps(object, JSON_INDENT(2)) : NULL;
	char *line;

	json_decref(object);
	if (!dump || asprintf(&line, "%s\n", dump) < 0)
		return error_what(e, -ENOMEM, "cannot write JSON");
	*len = strlen(line);
	*text = line;
	return 0;
}
