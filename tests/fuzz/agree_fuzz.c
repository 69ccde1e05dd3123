/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/fuzz/agree_fuzz.c - A public key from outside meets the card's static one. What is a point the
 * server agrees on as well, with the same outcome; what is none gives a random secret, twice another.
 */
#include "format/agree.h"
#include "format/keys.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const enum kf_key_type types[] = { KF_KEY_EC_P256, KF_KEY_EC_P384, KF_KEY_X25519 };

static EVP_PKEY *static_key(size_t i)
{
	static EVP_PKEY *keys[3];

	if (!keys[i] && key_generate(types[i], &keys[i]) < 0)
		abort();
	return keys[i];
}

static bool agrees_twice(EVP_PKEY *key, const struct agree_facts *facts)
{
	struct secret s1[2] = { SECRET_INIT, SECRET_INIT };
	struct agreed a = { .s1 = &s1[0] }, b = { .s1 = &s1[1] };
	bool same;

	if (secret_init(&s1[0], KF_S1_SIZE) < 0 || secret_init(&s1[1], KF_S1_SIZE) < 0 ||
	    agree_static(key, facts, &a) < 0 || agree_static(key, facts, &b) < 0)
		abort();
	same = secret_equal(&s1[0], &s1[1]);
	if (same != bytes_equal(BYTES_OF(a.host), BYTES_OF(b.host)) ||
	    same != bytes_equal(BYTES_OF(a.card), BYTES_OF(b.card)))
		abort();
	secret_deinit(&s1[0]);
	secret_deinit(&s1[1]);
	return same;
}

/* As a server sees it: the bytes are then the card's. */
static bool server_takes(EVP_PKEY *key, struct agree_facts facts)
{
	struct secret s1 = SECRET_INIT;
	struct agreed out = { .s1 = &s1 };
	int r;

	facts.fixed = facts.ephemeral;
	if (secret_init(&s1, KF_S1_SIZE) < 0)
		abort();
	r = agree_ephemeral(key, &facts, &out);
	secret_deinit(&s1);
	return r == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint8_t h[KF_DIGEST_SIZE];
	struct agree_facts facts = { .h = h };
	EVP_PKEY *key;

	if (n < 1 || n - 1 > AGREE_POINT_MAX)
		return 0;
	facts.type = types[data[0] % 3];
	key = static_key(data[0] % 3);
	facts.ephemeral = BYTES(data + 1, n - 1);
	if (agrees_twice(key, &facts) != server_takes(key, facts))
		abort();
	return 0;
}
