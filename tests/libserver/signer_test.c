// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libserver/signer_test.c - The right card, not just a genuine one, unless that was asked for.
 */
#include "tests/libserver/state_fixture.h"

TEST_F(state, the_offer_of_another_enrolled_card_is_refused_by_name_and_by_nonce)
{
	struct kf_verified_offer *offer = NULL;
	struct fakecard other;
	uint8_t nonce[KF_NONCE_SIZE];
	char *json;

	fakecard_init_sibling(&other, &self->card, &(struct fakecard_style){ .serial = "FAKE-2" });
	ASSERT_EQ(0, enroll(self, &other, NULL));
	new_nonce(self, nonce);		/* for FAKE-1 */
	json = fakecard_offer(&other, nonce, NULL);
	EXPECT_EQ(-EACCES, verify(self, NULL, 0, json, &offer));
	EXPECT_EQ(-EACCES, verify(self, "FAKE-2", 0, json, &offer));
	free(json);
	json = fakecard_offer(&self->card, nonce, NULL);
	EXPECT_EQ(-EACCES, verify(self, "FAKE-2", 0, json, &offer));
	EXPECT_EQ(-EINVAL, verify(self, "FAKE-1", 1, json, &offer));
	EXPECT_EQ(0, verify(self, "FAKE-1", 0, json, &offer));
	kf_verified_offer_free(offer);
	free(json);
	fakecard_deinit(&other);
}

TEST_F(state, any_genuine_takes_a_sibling_but_no_stranger)
{
	struct kf_verified_offer *offer = NULL;
	struct kf_receipt_report *report = NULL;
	struct fakecard sibling, stranger;
	uint8_t nonce[KF_NONCE_SIZE];
	char *json, *cargo = NULL, *receipt;

	kf_server_allow_virtual(kf_state_server(self->state), 1);
	new_nonce(self, nonce);
	fakecard_init(&stranger, NULL);
	json = fakecard_offer(&stranger, nonce, NULL);
	EXPECT_EQ(-EACCES, verify(self, NULL, 1, json, &offer));
	free(json);
	fakecard_deinit(&stranger);

	fakecard_init_sibling(&sibling, &self->card, &(struct fakecard_style){ .serial = "SIB" });
	json = fakecard_offer(&sibling, nonce, NULL);
	EXPECT_EQ(-EACCES, verify(self, NULL, 0, json, &offer));
	ASSERT_EQ(0, verify(self, NULL, 1, json, &offer));
	ASSERT_EQ(0, seal(self, offer, &cargo));
	receipt = fakecard_receipt(&sibling, cargo, 0, NULL);
	EXPECT_EQ(0, kf_state_receipt(self->state, NULL, receipt, strlen(receipt), &report,
				      &self->e));
	kf_receipt_report_free(report);
	kf_verified_offer_free(offer);
	free(json);
	free(cargo);
	free(receipt);
	fakecard_deinit(&sibling);
}
