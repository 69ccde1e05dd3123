/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/server.h - The no-card context: what this server accepts, and as whom it signs.
 */
#pragma once

#include "base/secret.h"
#include "keyferry/server.h"

#include <openssl/types.h>
#include <stdbool.h>

enum { METHODS_MAX = 4 };

/**
 * struct kf_server - policy and sender
 * @methods:	@n_methods of them, best first
 * @master:	what cards' SHARED keys are derived from; none while master.n is 0
 * @master_locked: there is one, and it was not opened
 * @keeper:	has the master in its place; none while keeper.mac is NULL
 * @master_away: there is one, and a keeper has it
 * @check:	of the one that a keeper has to have, if @master_away
 * @injector:	P-256 key that signs items, or NULL; @injector_hash is its SPKI hash
 */
struct kf_server {
	uint8_t methods[METHODS_MAX];
	size_t n_methods;
	unsigned int exchange_bits;
	bool allow_virtual;
	struct secret master;
	bool master_locked, master_away;
	struct kf_master_keeper keeper;
	uint8_t check[KF_MASTER_CHECK_SIZE];
	EVP_PKEY *injector;
	uint8_t injector_hash[KF_DIGEST_SIZE];
};
