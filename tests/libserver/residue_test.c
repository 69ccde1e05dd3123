// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libserver/residue_test.c - After a key was read, archived and sealed, a server that lives on
 * has nothing of it: not on the heap, not on the stack, where OpenSSL or we might have left a copy.
 * The needles come out of another process, masked, so that the search cannot find itself.
 */
#include "format/ossl.h"
#include "libserver/md.h"
#include "libserver/server.h"
#include "libserver/state.h"
#include "tests/keys/keys.h"
#include "tests/libserver/server_fixture.h"

#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/wait.h>

enum { MASK = 0xa5, WINDOW = 16, NEEDLES_MAX = 512, PEM_MAX = 4096 };

/* AddressSanitizer's shadow cannot be read through, and its quarantine is not our heap. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#endif
#ifndef HAVE_ASAN
#define HAVE_ASAN 0
#endif

struct needles {
	size_t n;
	uint8_t masked[NEEDLES_MAX][WINDOW];
};

static void add_needle(struct needles *needles, const uint8_t *p)
{
	ASSERT_LT(needles->n, NEEDLES_MAX);
	for (size_t i = 0; i < WINDOW; i++)
		needles->masked[needles->n][i] = p[i] ^ MASK;
	needles->n++;
}

/* Every 16 bytes of a number, as they stand in DER and as OpenSSL keeps them. */
static void add_number(struct needles *needles, EVP_PKEY *key, const char *name)
{
	_cleanup_(BN_clear_freep) BIGNUM *bn = NULL;
	uint8_t big[256], little[256];
	int n;

	ASSERT_EQ(1, EVP_PKEY_get_bn_param(key, name, &bn));
	n = BN_bn2bin(bn, big);
	ASSERT_EQ(n, BN_bn2lebinpad(bn, little, n));
	for (int at = 0; at + WINDOW <= n; at += WINDOW) {
		add_needle(needles, big + at);
		add_needle(needles, little + at);
	}
	wipe(big, sizeof(big));
	wipe(little, sizeof(little));
}

static void add_secret(struct needles *needles, struct bytes b)
{
	for (size_t at = 0; at + WINDOW <= b.n; at += WINDOW)
		add_needle(needles, b.p + at);
}

static void add_secret_hex(struct needles *needles, struct bytes b)
{
	char hex[WINDOW + 1];

	for (size_t at = 0; at + WINDOW / 2 <= b.n; at += WINDOW / 2) {
		hex_print(bytes_slice(b, at, WINDOW / 2), hex);
		add_needle(needles, (const uint8_t *)hex);
	}
	wipe(hex, sizeof(hex));
}

static void fill_needles(struct needles *needles, const char *path)
{
	static const char *const names[] = {
		OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2,
		OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2,
		OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
	};
	char text[PEM_MAX];
	EVP_PKEY *key = NULL;
	FILE *f;
	size_t n;

	ASSERT_EQ(0, some_key(KF_KEY_RSA_2048, &key));
	f = fopen(path, "w+e");
	ASSERT_NOT_NULL(f);
	ASSERT_EQ(1, PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL));
	rewind(f);
	n = fread(text, 1, sizeof(text), f);
	(void)fclose(f);
	/* Behind the header, the modulus (256 bytes) and the exponent. */
	for (size_t at = 512; at + WINDOW + 64 < n; at += 8)
		add_needle(needles, (uint8_t *)text + at);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		add_number(needles, key, names[i]);
}

/* In a child, whose memory is gone when it ends. */
static void make_needles(struct needles *needles,
			 void (*fill)(struct needles *needles, const char *arg), const char *arg)
{
	int fds[2], status;
	size_t got = 0;
	pid_t child;

	ASSERT_EQ(0, pipe(fds));
	child = fork();
	if (child == 0) {
		struct needles own = { 0 };

		fill(&own, arg);
		_exit(write(fds[1], &own, sizeof(own)) == (ssize_t)sizeof(own) ? 0 : 1);
	}
	(void)close(fds[1]);
	while (got < sizeof(*needles)) {
		ssize_t n = read(fds[0], (uint8_t *)needles + got, sizeof(*needles) - got);

		ASSERT_LT(0, n);
		got += (size_t)n;
	}
	(void)close(fds[0]);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_EQ(0, status);
}

static bool is_needle(const struct needles *needles, const uint8_t *p)
{
	for (size_t i = 0; i < needles->n; i++) {
		size_t n = 0;

		while (n < WINDOW && p[n] == (uint8_t)(needles->masked[i][n] ^ MASK))
			n++;
		if (n == WINDOW)
			return true;
	}
	return false;
}

static size_t search_range(const struct needles *needles, const uint8_t *p, const uint8_t *end,
			   const bool first[static 256])
{
	size_t found = 0;

	for (; p + WINDOW <= end; p++)
		if (first[*p] && is_needle(needles, p))
			found++;
	return found;
}

/* How many windows of the key there are in what this process may write to. */
static size_t search(const struct needles *needles, bool tell)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	bool first[256] = { false };
	size_t found = 0;
	char line[512];

	ASSERT_NOT_NULL(maps);
	for (size_t i = 0; i < needles->n; i++)
		first[needles->masked[i][0] ^ MASK] = true;
	while (fgets(line, sizeof(line), maps)) {
		unsigned long from, to;
		size_t here;

		if (sscanf(line, "%lx-%lx rw", &from, &to) != 2 || !strstr(line, " rw-"))
			continue;
		here = search_range(needles, (const uint8_t *)from, (const uint8_t *)to, first);
		if (here && tell)
			TEST_LOG("%zu windows in %s", here, line);
		found += here;
	}
	(void)fclose(maps);
	return found;
}

static void read_pem(const char *path, struct secret *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, secret_init(out, PEM_MAX));
	n = read(fd, out->p, out->cap);
	ASSERT_LT(0, n);
	out->n = (size_t)n;
	(void)close(fd);
}

FIXTURE(residue)
{
	struct voyage v;
	struct kf_archive_recipient *recipient;
	struct needles needles;
	char dir[40], key[64];
};

/* All that has nothing to do with the key, before it comes. */
FIXTURE_SETUP(residue)
{
	char line[400], path[64], cert[4096];
	FILE *f;

	(void)snprintf(self->dir, sizeof(self->dir), "/tmp/kf-residue-XXXXXX");
	ASSERT_NOT_NULL(mkdtemp(self->dir));
	(void)snprintf(self->key, sizeof(self->key), "%s/key.pem", self->dir);
	make_needles(&self->needles, fill_needles, self->key);
	voyage_init(&self->v, true, NULL);
	(void)snprintf(path, sizeof(path), "%s/k.pem", self->dir);
	ASSERT_EQ(0, prepared_rsa_save(2048, 1, path));
	(void)snprintf(line, sizeof(line), "cd %s && openssl req -x509 -key k.pem -out c.pem "
		       "-subj /CN=a -addext keyUsage=critical,keyEncipherment 2>/dev/null", self->dir);
	ASSERT_EQ(0, system(line));	/* NOLINT(cert-env33-c) */
	(void)snprintf(path, sizeof(path), "%s/c.pem", self->dir);
	f = fopen(path, "re");
	ASSERT_NOT_NULL(f);
	ASSERT_EQ(0, kf_archive_recipient_new(cert, fread(cert, 1, sizeof(cert), f), NULL, 0,
					      &self->recipient, NULL));
	(void)fclose(f);
}

FIXTURE_TEARDOWN(residue)
{
	char line[80];

	kf_archive_recipient_free(self->recipient);
	voyage_deinit(&self->v);
	(void)snprintf(line, sizeof(line), "rm -rf %s", self->dir);
	ASSERT_EQ(0, system(line));	/* NOLINT(cert-env33-c) */
}

static struct kf_keypair *take_pair(struct fixture_residue *self)
{
	_cleanup_(secret_deinit) struct secret pem = SECRET_INIT;
	struct kf_keypair *pair = NULL;

	read_pem(self->key, &pem);
	ASSERT_EQ(0, kf_keypair_from_pem(pem.p, pem.n, NULL, 0, &pair, NULL));
	return pair;
}

TEST_F(residue, a_key_that_was_read_and_freed_is_gone)
{
	struct kf_keypair *pair;

	if (HAVE_ASAN)
		SKIP("built with AddressSanitizer");
	EXPECT_EQ(0u, search(&self->needles, true));
	pair = take_pair(self);
	EXPECT_LT(0u, search(&self->needles, false));	/* the search can find */
	kf_keypair_free(pair);
	EXPECT_EQ(0u, search(&self->needles, true));
}

TEST_F(residue, an_archived_key_is_gone)
{
	struct kf_keypair *pair;
	uint8_t *der = NULL;
	size_t len;

	if (HAVE_ASAN)
		SKIP("built with AddressSanitizer");
	pair = take_pair(self);
	EXPECT_EQ(0, kf_archive_seal(self->recipient, self->v.offer, pair, 1, &der, &len, NULL));
	free(der);
	kf_keypair_free(pair);
	EXPECT_EQ(0u, search(&self->needles, true));
}

TEST_F(residue, a_sealed_key_is_gone)
{
	struct kf_keypair *pair;
	char *cargo = NULL, *ticket = NULL;

	if (HAVE_ASAN)
		SKIP("built with AddressSanitizer");
	pair = take_pair(self);
	voyage_seal(&self->v, pair, 1, &cargo, &ticket);
	kf_keypair_free(pair);
	EXPECT_EQ(0u, search(&self->needles, true));
	free(cargo);
	free(ticket);
}

/* For the EXCHANGE key, which is as good a KEK as any. */
static void wrap_key(struct fixture_residue *self)
{
	_cleanup_(secret_deinit) struct secret pem = SECRET_INIT;
	struct kf_byok_plan plan = { .size = sizeof(plan), .format = KF_BYOK_AZURE };
	struct kf_byok_target *target = NULL;
	struct kf_byok_kek *kek = NULL;
	uint8_t spki[SPKI_MAX], *blob = NULL;
	struct packer p = pack_begin(spki, sizeof(spki));
	size_t len;

	ASSERT_EQ(0, key_spki(fakecard_exchange_key(), &p));
	ASSERT_EQ(0, kf_byok_kek_new(spki, p.n, &kek, NULL));
	kf_byok_kek_take_unattested(kek);
	read_pem(self->key, &pem);
	ASSERT_EQ(0, kf_byok_target_from_pem(pem.p, pem.n, NULL, 0, &target, NULL));
	EXPECT_LT(0u, search(&self->needles, false));
	EXPECT_EQ(0, kf_byok_wrap(kek, target, &plan, &blob, &len, NULL));
	kf_byok_target_free(target);
	kf_byok_kek_free(kek);
	free(blob);
}

TEST_F(residue, byok_45_a_wrapped_key_is_gone)
{
	if (HAVE_ASAN)
		SKIP("built with AddressSanitizer");
	wrap_key(self);
	EXPECT_EQ(0u, search(&self->needles, true));
}

/* --- how a session key came about --- */

/* Where the private halves of the pairs made meanwhile go; NULL: nowhere. */
static struct needles *watched;

static void watch(EVP_PKEY *pair)
{
	uint8_t raw[32];
	size_t n = sizeof(raw);

	if (EVP_PKEY_is_a(pair, "EC")) {
		add_number(watched, pair, OSSL_PKEY_PARAM_PRIV_KEY);
		return;
	}
	ASSERT_EQ(1, EVP_PKEY_get_raw_private_key(pair, raw, &n));
	add_secret(watched, BYTES(raw, n));
	wipe(raw, sizeof(raw));
}

/* In front of OpenSSL's: nothing else shows an ephemeral pair. */
EVP_PKEY *EVP_PKEY_Q_keygen(OSSL_LIB_CTX *ctx, const char *propq, const char *type, ...)
{
	EVP_PKEY *(*generate)(OSSL_LIB_CTX *, const char *, const char *, ...) =
		(EVP_PKEY *(*)(OSSL_LIB_CTX *, const char *, const char *, ...))dlsym(
			RTLD_NEXT, "EVP_PKEY_Q_keygen");
	EVP_PKEY *pair;
	va_list args;

	va_start(args, type);
	if (strcmp(type, "RSA") == 0)
		pair = generate(ctx, propq, type, va_arg(args, size_t));
	else if (strcmp(type, "EC") == 0)
		pair = generate(ctx, propq, type, va_arg(args, char *));
	else
		pair = generate(ctx, propq, type);
	va_end(args);
	if (watched && pair)
		watch(pair);
	return pair;
}

FIXTURE(method)
{
	struct voyage v;
	struct kf_keypair *pair;
	struct needles needles;
};

FIXTURE_VARIANT(method)
{
	enum kf_key_type exchange;
	enum kf_method method;
	size_t pairs;			/* needles of an ephemeral pair */
};

FIXTURE_VARIANT_ADD(method, rsa) { KF_KEY_NONE, KF_METHOD_RSA, 0 };
FIXTURE_VARIANT_ADD(method, ecdh_p256) { KF_KEY_EC_P256, KF_METHOD_ECDH, 4 };
FIXTURE_VARIANT_ADD(method, ecdh_x25519) { KF_KEY_X25519, KF_METHOD_ECDH, 2 };
FIXTURE_VARIANT_ADD(method, derived) { KF_KEY_AES_256, KF_METHOD_DERIVED, 0 };
FIXTURE_VARIANT_ADD(method, shared) { KF_KEY_AES_256, KF_METHOD_SHARED, 0 };

FIXTURE_SETUP(method)
{
	voyage_shared = variant->method;
	voyage_init_by(&self->v, true, variant->exchange, NULL);
	self->pair = voyage_pair(KF_KEY_EC_P256);
}

FIXTURE_TEARDOWN(method)
{
	kf_keypair_free(self->pair);
	voyage_deinit(&self->v);
}

/* The SHARED key of the card that @arg names, for the method that voyage_shared says. */
static void fill_shared(struct needles *needles, const char *arg)
{
	struct secret master = SECRET_INIT, key = SECRET_INIT;

	ASSERT_EQ(0, secret_init(&master, SHARED_KEY_SIZE));
	memset(master.p, VOYAGE_MASTER, SHARED_KEY_SIZE);
	master.n = SHARED_KEY_SIZE;
	ASSERT_EQ(0, shared_key_derive(&master, voyage_shared, KF_ORIGIN_FACTORY, arg, &key));
	add_secret(needles, secret_bytes(&key));
}

static void seal_one(struct fixture_method *self, struct kf_md_key *key)
{
	uint8_t *item = NULL;
	char *cargo = NULL;
	size_t len;

	ASSERT_EQ(0, kf_md_set_chaining_mode(key, KF_CHAIN_CBC, NULL));
	ASSERT_EQ(0, kf_md_set_iv(key, NULL, 0, NULL));
	ASSERT_EQ(0, kf_md_encrypt_data(key, KF_FUNCTION_IMPORT_KEYPAIR, self->pair, &item, &len, NULL));
	ASSERT_EQ(0, kf_md_cargo(key, &cargo, &len, NULL));
	free(item);
	free(cargo);
}

TEST_F(method, nothing_that_made_the_session_key_is_left)
{
	struct kf_md_key *key = NULL;

	if (HAVE_ASAN)
		SKIP("built with AddressSanitizer");
	if (variant->exchange == KF_KEY_AES_256)
		make_needles(&self->needles, fill_shared, kf_verified_offer_serial(self->v.offer));
	EXPECT_EQ(variant->exchange == KF_KEY_AES_256 ? 2u : 0u, self->needles.n);
	EXPECT_EQ(0u, search(&self->needles, true));	/* that the card had it leaves nothing either */
	watched = &self->needles;
	ASSERT_EQ(0, kf_md_import_session_key(self->v.server, self->v.offer, NULL, 0, 1, &key, NULL));
	watched = NULL;
	EXPECT_EQ(variant->pairs + (variant->exchange == KF_KEY_AES_256 ? 2 : 0), self->needles.n);
	EXPECT_EQ(0u, search(&self->needles, true));	/* the ephemeral pair went before the handle does */
	add_secret(&self->needles, secret_bytes(&key->s1));
	EXPECT_LT(0u, search(&self->needles, false));
	seal_one(self, key);
	kf_md_destroy_key(key);
	EXPECT_EQ(0u, search(&self->needles, true));
}

/* --- the master --- */

FIXTURE(master) { char dir[40], state[64], keys[64]; struct needles needles; };

FIXTURE_SETUP(master)
{
	(void)snprintf(self->dir, sizeof(self->dir), "/tmp/kf-residue-XXXXXX");
	ASSERT_NOT_NULL(mkdtemp(self->dir));
	(void)snprintf(self->state, sizeof(self->state), "%s/s", self->dir);
	(void)snprintf(self->keys, sizeof(self->keys), "%s/keys", self->dir);
}

FIXTURE_TEARDOWN(master)
{
	char line[80];

	(void)snprintf(line, sizeof(line), "rm -rf %s", self->dir);
	ASSERT_EQ(0, system(line));	/* NOLINT(cert-env33-c) */
}

/* Made, encrypted, derived from, opened again: raw and as digits. */
TEST_F(master, a_closed_state_has_nothing_of_it)
{
	struct kf_state *state = NULL;

	if (HAVE_ASAN)
		SKIP("built with AddressSanitizer");
	ASSERT_EQ(0, kf_state_init(self->state, "secret words", 12, NULL));
	ASSERT_EQ(0, kf_state_open(self->state, "secret words", 12, &state, NULL));
	ASSERT_EQ(0, kf_state_share(state, "KF-1", self->keys, NULL));
	add_secret(&self->needles, secret_bytes(&state->server->master));
	add_secret_hex(&self->needles, secret_bytes(&state->server->master));
	EXPECT_EQ(6u, self->needles.n);
	EXPECT_LT(0u, search(&self->needles, false));
	kf_state_close(state);
	EXPECT_EQ(0u, search(&self->needles, true));
	ASSERT_EQ(0, kf_state_open(self->state, "secret words", 12, &state, NULL));
	EXPECT_EQ(2u, search(&self->needles, false));
	kf_state_close(state);
	EXPECT_EQ(0u, search(&self->needles, true));
}
