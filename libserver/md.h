/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/md.h - A session key handle of the no-card mode: S1 for one verified offer, the IV and
 * mode of the next item, and what has been made with it so far.
 *
 *	import -> (set mode, set IV -> encrypt) x items -> cargo, ticket -> destroy
 */
#pragma once

#include "base/cleanup.h"
#include "base/secret.h"
#include "libserver/json/cargo.h"
#include "libserver/keypair.h"
#include "libserver/offer.h"
#include "libserver/pin_order.h"
#include "libserver/ticket.h"

/**
 * struct kf_md_key - one handle
 * @items:	how many it was imported for
 * @holds:	what the target container holds once the items so far are in
 * @cargo, @ticket: grow by one entry with each item
 */
struct kf_md_key {
	const struct kf_server *server;
	const struct kf_verified_offer *offer;
	struct secret s1;
	unsigned int items;
	bool mode_is_set, iv_is_set;
	uint8_t iv[KF_IV_SIZE];
	struct spki_hash holds;
	struct cargo_file cargo;
	struct ticket ticket;
};

DEFINE_CLEANUP(struct kf_md_key *, kf_md_destroy_key);

/* Whether the card could take @pair as the next item, given what @holds. Return: 0, -EOPNOTSUPP,
 * -EACCES. */
int md_check_pair(const struct kf_verified_offer *offer, const struct kf_keypair *pair,
		  const struct spki_hash *holds, struct kf_error *e);
/* Whether the offer is for SHARED keys. Return: 0, -EACCES. */
int md_check_shared(const struct kf_verified_offer *offer, struct kf_error *e);
/* Whether the offer takes orders about PINs. Return: 0, -EACCES. */
int md_check_order(const struct kf_verified_offer *offer, struct kf_error *e);

/* A copy of @b that is the caller's to free. Return: 0, -ENOMEM. */
int md_hand_out(const struct blob *b, uint8_t **p, size_t *n);
