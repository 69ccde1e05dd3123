/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/json/object.h - One JSON object read member by member, and written so. Reading is
 * strict and sticky, like base/bytes.h: a member that is missing, of the wrong kind or out of
 * range marks the object bad and yields nothing; the reader asks once, at json_in_end(), which also
 * refuses members nobody took.
 */
#pragma once

#include "base/bytes.h"
#include "base/cleanup.h"
#include "keyferry/error.h"
#include "keyferry/types.h"

#include <jansson.h>
#include <stdbool.h>

#define JSON_TEXT_MAX ((size_t)1 << 20)	/* [formats 8] */
#define HEX_DIGEST_SIZE (2 * KF_DIGEST_SIZE + 1)

/* Bytes with an owner, as long as the file said. */
struct blob {
	uint8_t *p;
	size_t n;
};

#define BLOB_INIT ((struct blob){ NULL, 0 })

static inline struct bytes blob_bytes(const struct blob *b)
{
	return BYTES(b->p, b->n);
}

void blob_deinit(struct blob *b);
/* Return: 0, -ENOMEM. */
int blob_set(struct blob *b, struct bytes from);

/**
 * struct json_in - an object being read
 * @object:	borrowed, or owned by the outermost
 * @taken:	members read so far
 * @what:	names the object in errors: "offer"
 * @rule:	what errors say it breaks, and
 * @next:	what to do about it
 * @r:		0, or the first thing wrong; sticky
 * @e:		gets the words, may be NULL
 */
struct json_in {
	json_t *object;
	size_t taken;
	const char *what;
	const char *rule, *next;
	int r;
	struct kf_error *e;
};

/* Whose file it is: how long it may be, and the words of its errors, as in struct json_in. */
struct json_kind {
	size_t max;
	const char *what, *rule, *next;
};

/* Parses a whole file of any format. */
struct json_in json_in_open(struct bytes text, const struct json_kind *kind, struct kf_error *e);

/* Parses a whole file and takes "format" and "version" 1. @what is the format without "keyferry-". */
struct json_in json_in_begin(struct bytes text, const char *format, const char *what,
			     struct kf_error *e);

/* Element @i of an array; fails into @outer when it is not an object. End with json_in_leave(). */
struct json_in json_in_enter(struct json_in *outer, json_t *array, size_t i);
void json_in_leave(struct json_in *outer, struct json_in *inner);

/* Member @name is there, whatever it is; takes nothing. */
bool json_in_has(const struct json_in *in, const char *name);

const char *json_in_text(struct json_in *in, const char *name);		/* "" when bad */
uint64_t json_in_number(struct json_in *in, const char *name, uint64_t max);
bool json_in_bool(struct json_in *in, const char *name);
int64_t json_in_time(struct json_in *in, const char *name);
void json_in_serial(struct json_in *in, const char *name, char out[static KF_SERIAL_MAX + 1]);
void json_in_copy(struct json_in *in, const char *name, uint8_t *out, size_t n);
void json_in_blob(struct json_in *in, const char *name, size_t max, struct blob *out);
/* 64 lower-case hexadecimal digits. */
void json_in_digest(struct json_in *in, const char *name, uint8_t out[static KF_DIGEST_SIZE]);
/* As json_in_digest(), or null: then *@present is false. */
void json_in_digest_or_null(struct json_in *in, const char *name,
			    uint8_t out[static KF_DIGEST_SIZE], bool *present);
json_t *json_in_array(struct json_in *in, const char *name, size_t min, size_t max);
struct json_in json_in_object(struct json_in *in, const char *name);
/* The member must be this text. */
void json_in_expect(struct json_in *in, const char *name, const char *text);
/* Marks the object bad by the caller's own judgement of @name. */
void json_in_fail(struct json_in *in, const char *name, const char *why);

/* For formats whose readers pass over what they do not know: takes the rest. Return: how many. */
size_t json_in_ignore(struct json_in *in);

/* Releases it. Return: 0, -EBADMSG, -ENOMEM. */
int json_in_end(struct json_in *in);

/* Writing: every step takes NULL and fails into NULL, so that one test at the end is enough. */
json_t *json_out_begin(const char *format);
void json_out(json_t **object, const char *name, json_t *value);
json_t *json_out_bytes(struct bytes b);
json_t *json_out_digest(const uint8_t digest[static KF_DIGEST_SIZE]);
json_t *json_out_time(int64_t seconds);
/* Takes @object. Return: 0 and a text owned by the caller, which ends in a line end; -ENOMEM. */
int json_out_end(json_t *object, char **text, size_t *len, struct kf_error *e);

/* Lower-case hexadecimal with a NUL; @out holds 2 n + 1. */
void hex_print(struct bytes b, char *out);
/* Return: 0, -EINVAL. */
int hex_parse(const char *text, uint8_t *out, size_t n);
