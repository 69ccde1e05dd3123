// SPDX-License-Identifier: LGPL-2.1-or-later
/* libserver/challenge.c - A nonce, and the file that carries it. */
#include "base/error.h"
#include "libserver/enrolled.h"
#include "libserver/json/challenge.h"
#include "libserver/random.h"

int kf_nonce_new(uint8_t nonce[KF_NONCE_SIZE], struct kf_error *e)
{
	return error_what(e, random_public(nonce, KF_NONCE_SIZE, e), "cannot make a nonce");
}

int kf_challenge_write(const struct kf_enrolled *card, const uint8_t nonce[KF_NONCE_SIZE],
		       int64_t issued, int64_t expires, char **json, size_t *len,
		       struct kf_error *e)
{
	struct challenge_file file = { .issued = issued, .expires = expires };

	if (expires <= issued) {
		(void)error_why(e, -EINVAL, "docs/formats.md 8.1", "give it a time to live",
				"the challenge would expire before it is issued");
		return error_what(e, -EINVAL, "cannot write the challenge");
	}
	memcpy(file.serial, card->facts.serial, sizeof(file.serial));
	memcpy(file.device, card->digest, sizeof(file.device));
	memcpy(file.nonce, nonce, sizeof(file.nonce));
	return challenge_file_write(&file, json, len, e);
}
