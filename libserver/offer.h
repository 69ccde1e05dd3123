/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/offer.h - An offer after every check of SECURITY section 3. There is no way to make a
 * struct kf_verified_offer but to pass them all, so nothing behind it checks again, but for what is
 * the server's and may be another by then: its list of methods and its master.
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

/*
 * Whether @server, which may have changed since or be another, still wants the method of @offer, and has
 * what it takes. Return: 0; -EACCES it does not; -ENOKEY the method wants an injector key; -ENOMEM, -EIO.
 */
int offer_check_method(const struct kf_verified_offer *offer, const struct kf_server *server,
		       struct kf_error *e);

DEFINE_CLEANUP(struct kf_verified_offer *, kf_verified_offer_free);
