// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libcardmod/seal_oom_test.c - Every allocation of ours on the way of a sealed key fails once,
 * every lock on pages and every hash: the answer is SCARD_E_NO_MEMORY or SCARD_F_INTERNAL_ERROR, and
 * never that somebody is not to be trusted.
 */
#include "tests/oom.h"

#include "tests/libcardmod/seal_fixture.h"

static char *injector;
static struct kf_error told;		/* the last failure on the way */

/* --- what else can fail: calls until it does; -1: it does not --- */

static long mlock_in = -1, digest_in = -1;
static int mlock_errno;

int __real_mlock(const void *p, size_t n);	/* NOLINT(bugprone-reserved-identifier) */
int __wrap_mlock(const void *p, size_t n);	/* NOLINT(bugprone-reserved-identifier) */
/* NOLINTNEXTLINE(bugprone-reserved-identifier) */
int __real_EVP_Digest(const void *data, size_t n, unsigned char *md, unsigned int *size,
		      const EVP_MD *type, ENGINE *engine);
/* NOLINTNEXTLINE(bugprone-reserved-identifier) */
int __wrap_EVP_Digest(const void *data, size_t n, unsigned char *md, unsigned int *size,
		      const EVP_MD *type, ENGINE *engine);

static bool now(long *in)
{
	return *in >= 0 && (*in)-- == 0;
}

int __wrap_mlock(const void *p, size_t n)
{
	if (!now(&mlock_in))
		return __real_mlock(p, n);
	errno = mlock_errno;
	return -1;
}

int __wrap_EVP_Digest(const void *data, size_t n, unsigned char *md, unsigned int *size,
		      const EVP_MD *type, ENGINE *engine)
{
	return now(&digest_in) ? 0 : __real_EVP_Digest(data, n, md, size, type, engine);
}

/* --- the way --- */

static DWORD whole_way(struct sealing *s)
{
	static const WCHAR cbc[] = CARD_CHAIN_MODE_CBC;
	static const BYTE iv[16] = { 1 };
	static const DWORD yes = 1;
	struct key_blob blob = key_blob(7);
	PCARD_ENCRYPTED_DATA data = NULL;
	DWORD n, status;

	status = s->card.pfnMDImportSessionKey(&s->card, BCRYPT_KEY_DATA_BLOB, CARD_AES_ALGORITHM,
					       &s->key, (PBYTE)&blob, sizeof(blob));
	if (status == SCARD_S_SUCCESS)
		status = seal_set_key(s, KF_DEVICE_PROPERTY, s->fake.cert_der.p, s->fake.cert_der.n);
	if (status == SCARD_S_SUCCESS)
		status = seal_set_key(s, KF_ROOT_PROPERTY, s->fake.root_der.p, s->fake.root_der.n);
	if (status == SCARD_S_SUCCESS)
		status = seal_set_key(s, KF_VIRTUAL_PROPERTY, &yes, sizeof(yes));
	if (status == SCARD_S_SUCCESS)
		status = seal_set_key(s, KF_NONCE_PROPERTY, s->nonce, 32);
	if (status == SCARD_S_SUCCESS)
		status = seal_set_key(s, KF_INJECTOR_PROPERTY, injector, strlen(injector));
	if (status == SCARD_S_SUCCESS)
		status = seal_verify(s);
	if (status == SCARD_S_SUCCESS)
		status = seal_set_key(s, CKP_CHAINING_MODE, cbc, sizeof(cbc));
	if (status == SCARD_S_SUCCESS)
		status = seal_set_key(s, CKP_INITIALIZATION_VECTOR, iv, sizeof(iv));
	if (status == SCARD_S_SUCCESS)
		status = seal_encrypt(s, &data, &n);
	told = *kf_cardmod_error(&s->card);
	if (data)
		seal_free_encrypted(data);
	if (s->key)
		(void)s->card.pfnCardDestroyKey(&s->card, s->key);
	s->key = 0;
	return status;
}

static void begin(struct sealing *s)
{
	EVP_PKEY *key = NULL;

	seal_begin(s);
	ASSERT_EQ(SCARD_S_SUCCESS, s->card.pfnCardDestroyKey(&s->card, s->key));
	(void)seal_input(s);
	ASSERT_EQ(0, key_generate(KF_KEY_EC_P256, &key));
	injector = fakecard_pem(key);
	EVP_PKEY_free(key);
}

static void end(struct sealing *s)
{
	free(injector);
	seal_end(s);
}

TEST_TIMEOUT(each_allocation_fails_once, 60)
{
	struct sealing s;
	long n = 0;

	begin(&s);
	do {
		DWORD status;

		seal_new_offer(&s);
		oom_begin(n);
		status = whole_way(&s);
		if (status != SCARD_S_SUCCESS && status != SCARD_E_NO_MEMORY) {
			oom_in = -1;
			TEST_FAIL("allocation %ld: 0x%08x: %s", n, status, told.why);
		}
	} while (!oom_end(&n));
	EXPECT_LT(5, n);
	end(&s);
}

/* Fails the call that @in counts once in each place, until there is no further place. */
static void each_place(long *in, DWORD expected)
{
	struct sealing s;
	bool all = false;
	long n = 0;

	begin(&s);
	for (; !all; n++) {
		DWORD status;

		seal_new_offer(&s);
		*in = n;
		status = whole_way(&s);
		all = *in >= 0;
		*in = -1;
		if (status != (all ? SCARD_S_SUCCESS : expected))
			TEST_FAIL("place %ld: 0x%08x: %s", n, status, told.why);
		if (!all && (!told.what[0] || !told.why[0] || !told.rule[0] || !told.next[0]))
			TEST_FAIL("place %ld: the failure is not told in all four parts", n);
	}
	EXPECT_LT(3, n);
	end(&s);
}

TEST_TIMEOUT(pages_that_cannot_be_locked_are_no_memory, 60)
{
	mlock_errno = EPERM;
	each_place(&mlock_in, SCARD_E_NO_MEMORY);
	mlock_errno = EAGAIN;
	each_place(&mlock_in, SCARD_E_NO_MEMORY);
}

TEST_TIMEOUT(a_hash_that_fails_is_nobodys_fault, 60)
{
	each_place(&digest_in, SCARD_F_INTERNAL_ERROR);
}
