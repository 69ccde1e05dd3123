/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/state.h - The state directory:
 *
 *	state.json		says what this is; written last, so without it there is no state
 *	lock			held while open
 *	injector.pem		P-256 private key, PKCS#8, perhaps encrypted
 *	injector.pub.pem	its public half, for card makers
 *	master.key		the master of SHARED keys, once there is one (master.h), or
 *	master.json		where it is instead (master_place.h)
 *	policy.json		what the administrator decided, if anything (policy.h)
 *	devices/		enrolled cards (cards.h)
 *	hsms/			enrolled SmartCard-HSMs (schsm/hsms.h)
 *	dkeks/			how shares of DKEKs came to cards (schsm/dkeks.h)
 *	nonces/, nonces/used/	nonces (nonces.h)
 *	tickets/		what was sealed (tickets.h)
 */
#pragma once

#include "base/cleanup.h"
#include "libserver/folder.h"
#include "libserver/master_place.h"
#include "libserver/server.h"

/**
 * struct kf_state - one open state
 * @lock:	descriptor that holds the lock
 * @hsms, @dkeks: not open in a state that is older than they are, until something goes there
 * @passphrase:	that opened the injector key, for a master that is made later; empty: none
 * @locked:	the injector key is encrypted, and so is a master; the passphrase was not given
 * @master_place: where the master is, if elsewhere
 */
struct kf_state {
	int lock;
	struct folder top, cards, hsms, dkeks, fresh, used, tickets;
	struct kf_server *server;
	struct secret passphrase;
	bool locked;
	struct master_place master_place;
};

DEFINE_CLEANUP(struct kf_state *, kf_state_close);

/* Makes sure that @folder of @state, which is called @name there, is open. Return: 0, -errno. */
int state_need_folder(struct kf_state *state, const char *name, struct folder *folder, struct kf_error *e);

/*
 * Makes the master of SHARED keys, if there is none; one that is elsewhere is tried. Return: 0, -ENOKEY the
 * state is locked or the master has no keeper, -errno.
 */
int state_need_master(struct kf_state *state, struct kf_error *e);
