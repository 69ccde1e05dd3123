// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libserver/voyage_test.c - Challenges are answered in time, and receipts are compared with what was sealed.
 *
 * Faces: libserver/tickets.c
 */
#include "tests/libserver/state_fixture.h"

TEST_F(state, a_voyage_is_sealed_and_proved)
{
	struct kf_receipt_report *report = NULL;
	char *cargo = sealed_cargo(self), *receipt = fakecard_receipt(&self->card, cargo, 0, NULL);

	EXPECT_EQ(0, kf_state_receipt(self->state, NULL, receipt, strlen(receipt), &report,
				      &self->e));
	EXPECT_EQ(KF_GRADE_A_VIRTUAL, kf_receipt_report_grade(report));
	report = kf_receipt_report_free(report);
	EXPECT_EQ(0, kf_state_receipt(self->state, "FAKE-1", receipt, strlen(receipt), &report,
				      NULL));
	report = kf_receipt_report_free(report);
	EXPECT_EQ(-ENOENT, kf_state_receipt(self->state, "FAKE-2", receipt, strlen(receipt),
					    &report, NULL));
	free(cargo);
	free(receipt);
}

TEST_F(state, a_nonce_never_issued_is_refused)
{
	struct kf_verified_offer *offer = NULL;
	uint8_t nonce[KF_NONCE_SIZE] = { 1 };
	char *json = fakecard_offer(&self->card, nonce, NULL);

	EXPECT_EQ(-EACCES, verify(self, NULL, 0, json, &offer));
	EXPECT_NOT_NULL(strstr(self->e.why, "never issued"));
	free(json);
}

TEST_F(state, an_expired_nonce_is_refused_and_costs_nothing_else)
{
	struct kf_verified_offer *offer = NULL;
	struct challenge_file file;
	char *json = NULL, *text;
	size_t len = 0;

	ASSERT_EQ(0, kf_state_challenge(self->state, "FAKE-1", 1, &json, &len, NULL));
	ASSERT_EQ(0, challenge_file_parse(BYTES(json, len), &file, NULL));
	text = fakecard_offer(&self->card, file.nonce, NULL);
	(void)usleep(2100000);
	EXPECT_EQ(-EACCES, verify(self, NULL, 0, text, &offer));
	EXPECT_NOT_NULL(strstr(self->e.why, "expired"));
	free(json);
	free(text);
	EXPECT_EQ(-EINVAL, kf_state_challenge(self->state, "FAKE-1", 0, &json, &len, NULL));
	EXPECT_EQ(-EINVAL, kf_state_challenge(self->state, "FAKE-1", 31 * 86400, &json, &len,
					      NULL));
}

TEST_F(state, a_receipt_without_a_ticket_is_not_ours)
{
	struct kf_receipt_report *report = NULL;
	char *cargo = sealed_cargo(self), *receipt = fakecard_receipt(&self->card, cargo, 0, NULL);

	command("rm", strcat(strcpy((char[128]){ 0 }, self->path), "/tickets/*.json"));
	EXPECT_EQ(-ENOENT, kf_state_receipt(self->state, NULL, receipt, strlen(receipt), &report,
					    &self->e));
	free(cargo);
	free(receipt);
}
