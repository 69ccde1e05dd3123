/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/shared.c - KBKDF all over; every use has a label of its own, and no two methods share one.
 */
#include "format/shared.h"
#include "base/hex.h"
#include "format/der.h"
#include "format/kdf.h"
#include "format/statement.h"

#include <stdio.h>

enum {
	LABEL_MAX = 64,
	FACTS_MAX = KF_DIGEST_SIZE + KF_SID_SIZE + 1 + KF_SERIAL_MAX + SERVER_ID_SIZE + 2 * CHALLENGE_SIZE,
};

bool method_is_shared(enum kf_method method)
{
	return method == KF_METHOD_SHARED || method == KF_METHOD_DERIVED;
}

static void make_label(char label[static LABEL_MAX], enum kf_method method, const char *use)
{
	(void)snprintf(label, LABEL_MAX, "keyferry/%s/%s", method_name(method), use);
}

/* A master, by one of the two. */
struct master {
	const struct secret *key;
	const struct kdf_mac *by;
};

static int derive(struct master master, enum kf_method method, enum kf_origin origin,
		  const char *serial, struct secret *out)
{
	struct bytes context = BYTES(serial, strlen(serial));
	char label[LABEL_MAX];
	int r = secret_init(out, SHARED_KEY_SIZE);

	assert(method_is_shared(method));
	make_label(label, method, origin == KF_ORIGIN_INJECTED ? "injected-key" : "key");
	if (r == 0)
		r = master.by ? kbkdf_by(master.by, label, context, out->p, SHARED_KEY_SIZE)
			      : kbkdf(master.key, label, context, out->p, SHARED_KEY_SIZE);
	if (r < 0) {
		secret_deinit(out);
		return r;
	}
	out->n = SHARED_KEY_SIZE;
	return 0;
}

int shared_key_derive(const struct secret *master, enum kf_method method, enum kf_origin origin,
		      const char *serial, struct secret *out)
{
	return derive((struct master){ .key = master }, method, origin, serial, out);
}

int shared_key_derive_by(const struct kdf_mac *master, enum kf_method method, enum kf_origin origin,
			 const char *serial, struct secret *out)
{
	return derive((struct master){ .by = master }, method, origin, serial, out);
}

/* --- the file for a card's maker --- */

int shared_key_from_hex(struct unpacker *u, struct secret *out)
{
	int r = secret_init(out, SHARED_KEY_SIZE);

	if (r == 0 && hex_read(unpack_bytes(u, 2 * SHARED_KEY_SIZE), HEX_LOWER, out->p, SHARED_KEY_SIZE) < 0) {
		unpack_fail(u);
		r = -EBADMSG;
	}
	if (r < 0)
		secret_deinit(out);
	else
		out->n = SHARED_KEY_SIZE;
	return r;
}

void shared_key_to_hex(const struct secret *key, struct packer *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < key->n; i++) {
		pack_u8(out, (uint8_t)digits[key->p[i] >> 4]);
		pack_u8(out, (uint8_t)digits[key->p[i] & 15]);
	}
}

static void expect_word(struct unpacker *u, const char *word)
{
	struct bytes want = BYTES(word, strlen(word));

	if (!bytes_equal(unpack_bytes(u, want.n), want))
		unpack_fail(u);
}

static void take_line_serial(struct unpacker *u, char out[static KF_SERIAL_MAX + 1])
{
	const uint8_t *end = u->bad ? NULL : memchr(u->p, '\n', u->left);
	struct bytes b = unpack_bytes(u, end ? (size_t)(end - u->p) : SIZE_MAX);

	if (!serial_is_valid(b))
		unpack_fail(u);
	else
		memcpy(out, b.p, b.n);
}

int shared_keys_parse(const struct secret *text, struct shared_keys *out)
{
	struct unpacker u = unpack_begin(secret_bytes(text));
	int r;

	expect_word(&u, "serial ");
	take_line_serial(&u, out->serial);
	expect_word(&u, "\nshared ");
	r = shared_key_from_hex(&u, &out->shared);
	if (r == 0) {
		expect_word(&u, "\nderived ");
		r = shared_key_from_hex(&u, &out->derived);
	}
	expect_word(&u, "\n");
	if (r == 0)
		r = unpack_end(&u);
	if (r < 0) {
		shared_keys_deinit(out);
		return r;
	}
	return 0;
}

void shared_keys_write(const struct shared_keys *keys, struct secret *out)
{
	struct packer p = pack_begin(out->p, out->cap);

	pack_bytes(&p, BYTES("serial ", 7));
	pack_bytes(&p, BYTES(keys->serial, strlen(keys->serial)));
	pack_bytes(&p, BYTES("\nshared ", 8));
	shared_key_to_hex(&keys->shared, &p);
	pack_bytes(&p, BYTES("\nderived ", 9));
	shared_key_to_hex(&keys->derived, &p);
	pack_u8(&p, '\n');
	assert(pack_end(&p) == 0);
	out->n = p.n;
}

void shared_keys_deinit(struct shared_keys *keys)
{
	secret_deinit(&keys->shared);
	secret_deinit(&keys->derived);
	*keys = SHARED_KEYS_INIT;
}

/* --- what a statement says of it --- */

int shared_info_describe(const struct secret *key, enum kf_method method, struct shared_info *out)
{
	char label[LABEL_MAX];

	make_label(label, method, "mark");
	out->method = method;
	return kbkdf(key, label, BYTES_NONE, out->mark, sizeof(out->mark));
}

int shared_info_parse(struct bytes der, struct shared_info *out)
{
	struct unpacker whole = unpack_begin(der);
	struct unpacker u = der_enter(&whole, DER_SEQUENCE);
	struct shared_info info = { .method = (enum kf_method)der_enum(&u) };
	struct bytes challenge;

	der_copy(&u, info.mark, sizeof(info.mark));
	challenge = der_take(&u, DER_OCTETS);
	der_leave(&whole, &u);
	if (unpack_end(&whole) < 0 || !method_is_shared(info.method) ||
	    challenge.n != (info.method == KF_METHOD_DERIVED ? CHALLENGE_SIZE : 0))
		return -EBADMSG;
	if (challenge.n != 0)
		memcpy(info.challenge, challenge.p, CHALLENGE_SIZE);
	*out = info;
	return 0;
}

void shared_info_pack(struct packer *p, const struct shared_info *info)
{
	struct der_mark mark = der_begin(p, DER_SEQUENCE);

	der_put_uint(p, DER_ENUMERATED, info->method);
	der_put(p, DER_OCTETS, BYTES_OF(info->mark));
	der_put(p, DER_OCTETS, info->method == KF_METHOD_DERIVED ? BYTES_OF(info->challenge)
								 : BYTES_NONE);
	der_end(p, mark);
}

/* --- S1 --- */

/* [SECURITY section 9, 3]: both challenges, both ids, sid; and the statement, which has all the rest. */
static void pack_facts(struct packer *p, const struct shared_facts *facts)
{
	pack_bytes(p, BYTES(facts->h, KF_DIGEST_SIZE));
	pack_bytes(p, BYTES(facts->sid, KF_SID_SIZE));
	pack_u8(p, (uint8_t)strlen(facts->serial));
	pack_bytes(p, BYTES(facts->serial, strlen(facts->serial)));
	if (facts->method == KF_METHOD_DERIVED) {
		pack_bytes(p, BYTES(facts->server, SERVER_ID_SIZE));
		pack_bytes(p, BYTES(facts->card, CHALLENGE_SIZE));
	}
	pack_bytes(p, BYTES(facts->host, CHALLENGE_SIZE));
}

static int confirm(const struct agreed *agreed, enum kf_method method, const char *who,
		   struct bytes context, uint8_t out[static CONFIRMATION_SIZE])
{
	char label[LABEL_MAX];

	if (!method_confirms(method)) {
		memset(out, 0, CONFIRMATION_SIZE);
		return 0;
	}
	make_label(label, method, who);
	return kbkdf(agreed->s1, label, context, out, CONFIRMATION_SIZE);
}

int shared_establish(const struct secret *key, const struct shared_facts *facts, struct agreed *out)
{
	uint8_t buf[FACTS_MAX];
	struct packer context = pack_begin(buf, sizeof(buf));
	char label[LABEL_MAX];
	int r;

	pack_facts(&context, facts);
	make_label(label, facts->method, "s1");
	r = kbkdf(key, label, pack_done(&context), out->s1->p, KF_S1_SIZE);
	if (r == 0) {
		out->s1->n = KF_S1_SIZE;
		r = confirm(out, facts->method, "host", pack_done(&context), out->host);
	}
	if (r == 0)
		r = confirm(out, facts->method, "card", pack_done(&context), out->card);
	if (r < 0)
		secret_clear(out->s1);
	return r;
}
