// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libcardmod/seal_oom_test.c - Every allocation of ours on the way of a sealed key fails once:
 * the answer is SCARD_E_NO_MEMORY, and never that somebody is not to be trusted.
 */
#include "tests/oom.h"

#include "tests/libcardmod/seal_fixture.h"

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
		status = seal_verify(s);
	if (status == SCARD_S_SUCCESS)
		status = seal_set_key(s, CKP_CHAINING_MODE, cbc, sizeof(cbc));
	if (status == SCARD_S_SUCCESS)
		status = seal_set_key(s, CKP_INITIALIZATION_VECTOR, iv, sizeof(iv));
	if (status == SCARD_S_SUCCESS)
		status = seal_encrypt(s, &data, &n);
	if (data)
		seal_free_encrypted(data);
	if (s->key)
		(void)s->card.pfnCardDestroyKey(&s->card, s->key);
	s->key = 0;
	return status;
}

TEST_TIMEOUT(each_allocation_fails_once, 60)
{
	struct sealing s;
	long n = 0;

	seal_begin(&s);
	ASSERT_EQ(SCARD_S_SUCCESS, s.card.pfnCardDestroyKey(&s.card, s.key));
	(void)seal_input(&s);
	do {
		DWORD status;

		seal_new_offer(&s);
		oom_begin(n);
		status = whole_way(&s);
		if (status != SCARD_S_SUCCESS && status != SCARD_E_NO_MEMORY) {
			oom_in = -1;
			TEST_FAIL("allocation %ld: 0x%08x: %s", n, status,
				  kf_cardmod_error(&s.card)->why);
		}
	} while (!oom_end(&n));
	EXPECT_LT(5, n);
	seal_end(&s);
}
