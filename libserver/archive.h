/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/archive.h - The copy of a key that its owner keeps: CMS for one recipient.
 */
#pragma once

#include "base/cleanup.h"
#include "libserver/cert.h"
#include "libserver/keypair.h"
#include "libserver/offer.h"

struct kf_archive_recipient {
	X509 *cert;
};

DEFINE_CLEANUP(struct kf_archive_recipient *, kf_archive_recipient_free);

/* Where the key goes; @serial empty: wherever the blob opens. */
struct archive_label {
	const char *serial;
	uint32_t container;
	const uint8_t *sid;
};

/* kf_archive_seal() for a key that goes another way than by an offer. */
int archive_seal(const struct kf_archive_recipient *recipient, const struct archive_label *label,
		 const struct kf_keypair *pair, int allow_signing_key, uint8_t **der, size_t *len,
		 struct kf_error *e);
