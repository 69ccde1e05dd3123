// SPDX-License-Identifier: LGPL-2.1-or-later
/* tests/libcardmod/status_test.c - Our errnos as the interface's codes. */
#include "libcardmod/status.h"
#include "keyferry/proto.h"
#include "tests/harness.h"

#include <errno.h>

TEST(success_is_0_both_ways)
{
	EXPECT_EQ(SCARD_S_SUCCESS, status_from_errno(0, 0));
	EXPECT_EQ(0, status_to_errno(SCARD_S_SUCCESS));
}

TEST(failures_get_the_code_the_interface_has_for_them)
{
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, status_from_errno(-EINVAL, 0));
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, status_from_errno(-EPERM, 0));
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, status_from_errno(-EACCES, 0));
	EXPECT_EQ(SCARD_W_WRONG_CHV, status_from_errno(-EKEYREJECTED, 0));
	EXPECT_EQ(SCARD_W_CHV_BLOCKED, status_from_errno(-EKEYREVOKED, 0));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, status_from_errno(-EOPNOTSUPP, 0));
	EXPECT_EQ(SCARD_E_NO_KEY_CONTAINER, status_from_errno(-ENOENT, 0));
	EXPECT_EQ(SCARD_E_NO_SMARTCARD, status_from_errno(-ENOMEDIUM, 0));
	EXPECT_EQ(SCARD_E_INVALID_HANDLE, status_from_errno(-EBADF, 0));
}

TEST(what_the_card_refuses_is_one_code_whatever_the_cause)
{
	EXPECT_EQ(SCARD_E_UNEXPECTED, status_from_errno(-EREMOTEIO, 0));
	EXPECT_EQ(SCARD_E_UNEXPECTED, status_from_errno(-EREMOTEIO, KF_REASON_SENDER));
	EXPECT_EQ(SCARD_E_UNEXPECTED, status_from_errno(-12345, 0));
}

TEST(a_stale_context_says_what_became_of_the_card)
{
	EXPECT_EQ(SCARD_W_REMOVED_CARD, status_from_errno(-ESTALE, KF_REASON_REMOVED));
	EXPECT_EQ(SCARD_W_RESET_CARD, status_from_errno(-ESTALE, KF_REASON_RESET));
	EXPECT_EQ(SCARD_E_READER_UNAVAILABLE, status_from_errno(-ESTALE, KF_REASON_READER_GONE));
	EXPECT_EQ(SCARD_E_INVALID_HANDLE, status_from_errno(-ESTALE, KF_REASON_CLOSED));
}

TEST(our_own_refusals_have_an_errno_for_the_words)
{
	EXPECT_EQ(-EINVAL, status_to_errno(SCARD_E_INVALID_PARAMETER));
	EXPECT_EQ(-EPROTONOSUPPORT, status_to_errno(ERROR_REVISION_MISMATCH));
	EXPECT_EQ(-EREMOTEIO, status_to_errno(SCARD_E_PIN_CACHE_EXPIRED));
}
