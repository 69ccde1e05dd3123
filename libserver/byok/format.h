/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/byok/format.h - What each receiver takes (docs/byok.md 3): one row each, so that whoever
 * knows the receiver need not know its hash, its sizes and its base64.
 */
#pragma once

#include "keyferry/server.h"

#include <stdbool.h>

enum byok_outer {
	OUTER_FILE,			/* .byok JSON */
	OUTER_BINARY,
	OUTER_BASE64,			/* the standard alphabet, padded, a line */
};

/**
 * struct byok_format - one row
 * @keks:	KEK types taken, bit numbers
 * @hashes:	OAEP hashes taken, bit numbers
 * @hash:	the one that is used if none is named
 * @direct:	hashes with which OAEP alone is taken, without an AES key in between; bit numbers
 * @secrets:	AES types taken, bit numbers
 * @secrets_direct: AES keys go by OAEP alone
 */
struct byok_format {
	enum kf_byok_format format;
	const char *name;
	enum byok_outer outer;
	uint32_t keks, hashes;
	enum kf_hash hash;
	uint32_t direct;
	uint32_t secrets;
	bool secrets_direct;
};

/* NULL: there is no such format. */
const struct byok_format *byok_format(enum kf_byok_format format);

/* "SHA-256". */
const char *byok_hash_words(enum kf_hash hash);

/* As kf_byok_plan_settle(), what was tried left to the caller. */
int byok_plan_settle(struct kf_byok_plan *plan, const struct kf_byok_kek *kek,
		     enum kf_key_type target, struct kf_error *e);
