/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/kid.h - Names of key-encryption keys (docs/card-application.md 7) and the identifiers by
 * which blobs call them. A name is often such an identifier: a URL that ends in name and version.
 */
#pragma once

#include "base/bytes.h"
#include "keyferry/types.h"

enum kid_fit {
	KID_OTHER,		/* calls another key */
	KID_NO_VERSION,		/* calls the key, or another version of it */
	KID_SAME,
};

/* Whether @kid is 1 to 255 characters out of A-Z a-z 0-9 - . _ ~ : / @ % */
bool kid_is_valid(struct bytes kid);

/* Identifiers are compared without regard to case [byok 4.4]. */
bool kid_equal(struct bytes a, struct bytes b);

/* How @kid fits a KEK called @name: as it stands, or up to the version that ends @name. */
enum kid_fit kid_fits(struct bytes kid, struct bytes name);
