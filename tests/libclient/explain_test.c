/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libclient/explain.h"
#include "tests/harness.h"

static void expect_full(const struct failure *failure)
{
	EXPECT_NE(0, strlen(failure->error.why));
	EXPECT_NE(0, strlen(failure->error.rule));
	EXPECT_NE(0, strlen(failure->error.next));
	EXPECT_NULL(strchr(failure->error.why, '%'));
	EXPECT_NULL(strchr(failure->error.next, '%'));
}

TEST(every_reason_has_words)
{
	for (uint16_t reason = KF_REASON_NONE; reason <= KF_REASON_BLOB_SPARE; reason++) {
		struct failure failure = { 0 };

		explain_reply(&failure, &(struct kf_header){ .result = -EIO, .reason = reason,
							     .detail = 2 });
		expect_full(&failure);
		EXPECT_EQ(-EIO, failure.error.code);
	}
}

/* A wrong tag is no blob: who reads of KEKs then looks in the wrong place. */
TEST(a_wrong_tag_has_words_of_its_own)
{
	struct failure plain = { 0 }, tag = { 0 };

	explain_reply(&plain, &(struct kf_header){ .result = -EREMOTEIO });
	explain_reply(&tag, &(struct kf_header){ .result = -EREMOTEIO, .reason = KF_REASON_TAG });
	expect_full(&tag);
	EXPECT_STRNE(plain.error.why, tag.error.why);
	EXPECT_NOT_NULL(strstr(tag.error.why, "tag"));
	EXPECT_NULL(strstr(tag.error.why, "KEK"));
	EXPECT_NULL(strstr(tag.error.next, "blob"));
}

TEST(every_errno_of_the_protocol_has_words_of_its_own)
{
	static const int codes[] = {
		ENOTTY, E2BIG, EINVAL, EOPNOTSUPP, EMSGSIZE, EACCES, EPERM, EKEYREJECTED,
		EKEYREVOKED, ENODEV, ENOMEDIUM, ESTALE, EBADF, EBADMSG, EPROTO, EREMOTEIO, ENOENT,
		EEXIST, ENOSPC, EDQUOT, EBUSY, ECANCELED, ETIMEDOUT, EIO, ESHUTDOWN,
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct failure failure = { 0 };

		explain_reply(&failure, &(struct kf_header){ .result = -codes[i], .detail = 7 });
		expect_full(&failure);
		EXPECT_STRNE(strerror(codes[i]), failure.error.why);
	}
}

TEST(an_errno_nobody_foresaw_has_words_too)
{
	struct failure failure = { 0 };

	explain_reply(&failure, &(struct kf_header){ .result = -4095 });
	expect_full(&failure);
}

TEST(every_fault_of_an_item_has_words_of_its_own)
{
	struct failure plain = { 0 };

	explain_reply(&plain, &(struct kf_header){ .result = -EINVAL });
	for (uint32_t field = KF_ITEM_FORM; field <= KF_ITEM_CIPHERTEXT; field++) {
		struct failure failure = { 0 };

		explain_reply(&failure, &(struct kf_header){ .result = -EINVAL,
				.reason = KF_REASON_ITEM, .detail = field });
		expect_full(&failure);
		EXPECT_STRNE(plain.error.why, failure.error.why);
	}
}

TEST(every_fault_of_an_import_has_words_of_its_own)
{
	struct failure plain = { 0 };

	explain_reply(&plain, &(struct kf_header){ .result = -EINVAL });
	for (uint32_t field = KF_BYOK_KEK_UNKNOWN; field <= KF_BYOK_KEK_NAME; field++) {
		struct failure failure = { 0 };

		explain_reply(&failure, &(struct kf_header){ .result = -EINVAL,
				.reason = KF_REASON_BYOK, .detail = field });
		expect_full(&failure);
		EXPECT_STRNE(plain.error.why, failure.error.why);
	}
}

TEST(every_fault_of_a_dkek_or_its_blob_has_words_of_its_own)
{
	struct failure plain = { 0 };

	explain_reply(&plain, &(struct kf_header){ .result = -EINVAL });
	for (uint32_t field = KF_BLOB_FORM; field <= KF_BLOB_PURPOSE; field++) {
		struct failure failure = { 0 };

		explain_reply(&failure, &(struct kf_header){ .result = -EINVAL,
				.reason = KF_REASON_BLOB, .detail = field });
		expect_full(&failure);
		EXPECT_STRNE(plain.error.why, failure.error.why);
	}
	for (uint32_t state = KF_DKEK_NONE; state <= KF_DKEK_XKEK; state++) {
		struct failure failure = { 0 };

		explain_reply(&failure, &(struct kf_header){ .result = -EINVAL,
				.reason = KF_REASON_DKEK, .detail = state });
		expect_full(&failure);
		EXPECT_STRNE(plain.error.why, failure.error.why);
	}
}

TEST(every_reason_why_nobody_serves_a_reader_has_words_of_its_own)
{
	struct failure plain = { 0 };

	explain_reply(&plain, &(struct kf_header){ .result = -ENOMEDIUM });
	for (uint32_t state = KF_READER_BUSY; state <= KF_READER_REFUSED; state++) {
		struct failure failure = { 0 };

		explain_reply(&failure, &(struct kf_header){ .result = -ENOMEDIUM,
				.reason = KF_REASON_READER_STATE, .detail = state });
		expect_full(&failure);
		EXPECT_STRNE(plain.error.why, failure.error.why);
	}
}

TEST(the_uniform_refusal_says_what_helps)
{
	struct failure failure = { 0 };

	explain_reply(&failure, &(struct kf_header){ .result = -EREMOTEIO, .sw = 0x6988 });
	expect_full(&failure);
	EXPECT_NOT_NULL(strstr(failure.error.next, "new offer"));
}

TEST(rights_are_named)
{
	struct failure failure = { 0 };

	explain_reply(&failure, &(struct kf_header){ .result = -EACCES, .reason = KF_REASON_RIGHT,
						     .detail = KF_RIGHT_INJECT });
	EXPECT_STREQ("the right 'inject' is missing", failure.error.why);
}

TEST(a_status_word_is_shown)
{
	struct failure failure = { 0 };

	explain_reply(&failure, &(struct kf_header){ .result = -EREMOTEIO, .sw = 0x6988 });
	EXPECT_NOT_NULL(strstr(failure.error.why, "6988"));
}

TEST(whether_the_card_was_reached_is_told)
{
	struct failure failure = { 0 };

	explain_reply(&failure, &(struct kf_header){ .result = -ETIMEDOUT,
						     .reason = KF_REASON_ON_CARD });
	EXPECT_NOT_NULL(strstr(failure.error.next, "unknown"));
	explain_reply(&failure, &(struct kf_header){ .result = -ETIMEDOUT,
						     .reason = KF_REASON_QUEUED });
	EXPECT_NOT_NULL(strstr(failure.error.next, "had not reached"));
}
