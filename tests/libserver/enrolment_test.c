// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libserver/enrolment_test.c - Cards are known by one certificate each, and revoked for good.
 *
 * Faces: libserver/cards.c
 */
#include "tests/libserver/state_fixture.h"

/* Cards are looked through by fingerprint, so by chance: some strangers come before and after. */
static void enroll_strangers(struct fixture_state *self)
{
	static const char *const serials[] = { "X-1", "X-2", "X-3", "X-4", "X-5", "X-6" };

	for (size_t i = 0; i < sizeof(serials) / sizeof(serials[0]); i++) {
		struct fakecard stranger;

		fakecard_init(&stranger, &(struct fakecard_style){ .serial = serials[i] });
		ASSERT_EQ(0, enroll(self, &stranger, NULL));
		fakecard_deinit(&stranger);
	}
}

TEST_F(state, a_card_revoked_later_is_refused_everywhere)
{
	struct kf_verified_offer *offer = NULL;
	struct kf_receipt_report *report = NULL;
	struct kf_enrolled *card = NULL;
	struct blob old = fakecard_crl(&self->card, false, 600);
	struct blob crl = fakecard_crl(&self->card, true, 60);
	char *cargo = sealed_cargo(self), *receipt = fakecard_receipt(&self->card, cargo, 0, NULL);
	uint8_t nonce[KF_NONCE_SIZE];
	char *json, *challenge = NULL;
	unsigned int n = 0;
	size_t len;

	new_nonce(self, nonce);
	json = fakecard_offer(&self->card, nonce, NULL);
	EXPECT_EQ(0, kf_state_set_crl(self->state, old.p, old.n, &n, &self->e));
	EXPECT_EQ(1, n);
	EXPECT_EQ(0, kf_state_card(self->state, "FAKE-1", &card, &self->e));
	kf_enrolled_free(card);
	EXPECT_EQ(0, kf_state_set_crl(self->state, crl.p, crl.n, &n, &self->e));
	EXPECT_EQ(-EACCES, kf_state_set_crl(self->state, old.p, old.n, &n, &self->e));
	EXPECT_EQ(-EACCES, verify(self, NULL, 0, json, &offer));
	EXPECT_NOT_NULL(strstr(self->e.why, "revoked"));
	enroll_strangers(self);
	kf_server_allow_virtual(kf_state_server(self->state), 1);
	EXPECT_EQ(-EACCES, verify(self, NULL, 1, json, &offer));
	EXPECT_NOT_NULL(strstr(self->e.why, "revoked"));
	EXPECT_EQ(-EACCES, kf_state_challenge(self->state, "FAKE-1", 60, &challenge, &len, NULL));
	EXPECT_EQ(-EACCES, kf_state_receipt(self->state, NULL, receipt, strlen(receipt), &report,
					    NULL));
	blob_deinit(&old);
	blob_deinit(&crl);
	free(json);
	free(cargo);
	free(receipt);
}

/* Whatever its own record says: the state knows the root's list. */
TEST_F(state, a_list_is_not_forgotten_by_enrolling_again_nor_missed_by_a_sibling)
{
	struct fakecard sibling;
	struct kf_enrolled *card = NULL;
	struct blob old = fakecard_crl(&self->card, false, 600);
	struct blob crl = fakecard_crl(&self->card, true, 60);
	unsigned int n = 0;

	fakecard_init_sibling(&sibling, &self->card, &(struct fakecard_style){ .serial = "SIB" });
	ASSERT_EQ(0, kf_state_set_crl(self->state, crl.p, crl.n, &n, &self->e));
	EXPECT_EQ(-EACCES, enroll(self, &self->card, NULL));
	EXPECT_NOT_NULL(strstr(self->e.why, "revoked"));
	EXPECT_EQ(-EACCES, enroll(self, &self->card, &old));
	EXPECT_NOT_NULL(strstr(self->e.why, "revoked"));
	EXPECT_EQ(-EACCES, kf_state_card(self->state, "FAKE-1", &card, &self->e));

	/* The sibling is not on it, and stands under the newest list from then on. */
	EXPECT_EQ(0, enroll(self, &sibling, NULL));
	EXPECT_EQ(0, kf_state_card(self->state, "SIB", &card, &self->e));
	card = kf_enrolled_free(card);
	fakecard_deinit(&sibling);
	blob_deinit(&old);
	blob_deinit(&crl);
}

TEST_F(state, a_list_enrolled_with_one_card_holds_for_all_of_its_root)
{
	struct fakecard sibling;
	struct kf_enrolled *card = NULL;
	struct kf_verified_offer *offer = NULL;
	struct blob crl = fakecard_crl(&self->card, true, 60);
	uint8_t nonce[KF_NONCE_SIZE];
	char *json;

	new_nonce(self, nonce);
	json = fakecard_offer(&self->card, nonce, NULL);
	fakecard_init_sibling(&sibling, &self->card, &(struct fakecard_style){ .serial = "SIB" });
	EXPECT_EQ(0, kf_state_card(self->state, "FAKE-1", &card, &self->e));
	card = kf_enrolled_free(card);
	ASSERT_EQ(0, enroll(self, &sibling, &crl));
	EXPECT_EQ(-EACCES, kf_state_card(self->state, "FAKE-1", &card, &self->e));
	EXPECT_NOT_NULL(strstr(self->e.why, "revoked"));
	EXPECT_EQ(-EACCES, verify(self, NULL, 0, json, &offer));
	EXPECT_NOT_NULL(strstr(self->e.why, "revoked"));
	free(json);
	fakecard_deinit(&sibling);
	blob_deinit(&crl);
}

TEST_F(state, a_serial_has_one_certificate)
{
	struct fakecard twin;

	fakecard_init_sibling(&twin, &self->card, NULL);
	EXPECT_EQ(-EEXIST, enroll(self, &twin, NULL));
	EXPECT_EQ(0, enroll(self, &self->card, NULL));	/* the same again is fine */
	fakecard_deinit(&twin);
}

TEST_F(state, a_weakly_signed_list_does_not_replace_one)
{
	struct blob crl = fakecard_crl_signed(&self->card, true, 60, EVP_sha1());
	struct kf_enrolled *card = NULL;
	unsigned int n = 0;

	EXPECT_EQ(-EACCES, kf_state_set_crl(self->state, crl.p, crl.n, &n, &self->e));
	EXPECT_NOT_NULL(strstr(self->e.why, "weaker than SHA-256"));
	EXPECT_EQ(-EACCES, enroll(self, &self->card, &crl));
	EXPECT_EQ(0, kf_state_card(self->state, "FAKE-1", &card, &self->e));
	kf_enrolled_free(card);
	blob_deinit(&crl);
}
