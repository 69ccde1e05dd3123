// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libserver/residue_test.c - After a key was read, archived and sealed, a server that lives on
 * has nothing of it: not on the heap, not on the stack, where OpenSSL or we might have left a copy.
 * The needles come out of another process, masked, so that the search cannot find itself.
 */
#include "format/ossl.h"
#include "tests/libserver/server_fixture.h"

#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <fcntl.h>
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

	ASSERT_EQ(0, key_generate(KF_KEY_RSA_2048, &key));
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
static void make_needles(struct needles *needles, const char *path)
{
	int fds[2], status;
	size_t got = 0;
	pid_t child;

	ASSERT_EQ(0, pipe(fds));
	child = fork();
	if (child == 0) {
		struct needles own = { 0 };

		fill_needles(&own, path);
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
	make_needles(&self->needles, self->key);
	voyage_init(&self->v, true, NULL);
	(void)snprintf(line, sizeof(line),
		       "cd %s && openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out c.pem "
		       "-subj /CN=a -addext keyUsage=critical,keyEncipherment 2>/dev/null", self->dir);
	ASSERT_EQ(0, system(line));
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
	ASSERT_EQ(0, system(line));
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
