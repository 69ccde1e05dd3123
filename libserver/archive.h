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
