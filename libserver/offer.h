/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/offer.h - An offer after every check of SECURITY section 3. There is no way to make a
 * struct kf_verified_offer but to pass them all, so nothing behind it checks again.
 */
#pragma once

#include "base/cleanup.h"
#include "format/shared.h"
#include "format/statement.h"
#include "libserver/enrolled.h"

/**
 * struct kf_verified_offer - what may be sealed for
 * @statement:	the signed facts
 * @h:		SHA-256 of the statement
 * @exchange:	the attested EXCHANGE key; NULL where the method is by a SHARED key, and
 * @shared:	is what the card says of that
 * @certificate: of the device, DER
 * @sender:	whose signature items will carry; absent: the card takes unauthenticated senders
 * @any_genuine: any card under the root was accepted, not one that was named
 */
struct kf_verified_offer {
	struct statement statement;
	uint8_t h[KF_DIGEST_SIZE];
	EVP_PKEY *exchange;
	struct shared_info shared;
	struct blob certificate;
	char fingerprint[HEX_DIGEST_SIZE];
	enum kf_method method;
	enum kf_grade grade;
	struct spki_hash sender;
	bool any_genuine;
};

DEFINE_CLEANUP(struct kf_verified_offer *, kf_verified_offer_free);
