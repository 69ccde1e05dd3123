/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/schsm/hsm.h - A SmartCard-HSM that is known here: its certificates, and the root that whoever
 * enrolled it has vouched for. Unlike other cards it signs no statement of its own making but one: that it
 * made a key (format/schsm/device_chain.h).
 */
#pragma once

#include "format/ossl.h"
#include "format/schsm/device_chain.h"
#include "libserver/json/object.h"
#include "libserver/server.h"

enum { HSM_CHAIN_MAX = 2 * CVC_MAX };

/**
 * struct kf_hsm - one card
 * @file:	its EF.C_DevAut
 * @root:	the root's certificate
 * @chain:	verified up to @root, borrows from @file
 * @fingerprint: SHA-256 of the device's own certificate, in hexadecimal
 */
struct kf_hsm {
	struct blob file, root;
	struct device_chain chain;
	char serial[KF_SERIAL_MAX + 1];
	char fingerprint[HEX_DIGEST_SIZE];
	bool allow_virtual;
};

DEFINE_CLEANUP(struct kf_hsm *, kf_hsm_free);

/* Everything but today's checks, so that a card that would be refused can still be shown. */
int hsm_load(struct bytes file, struct bytes root, bool allow_virtual, struct kf_hsm **out,
	     struct kf_error *e);

/* Validity and virtual: as of now. Return: 0, -EACCES. */
int hsm_check(const struct kf_hsm *hsm, struct kf_error *e);
