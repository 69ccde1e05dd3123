/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/signer.h - The card whose DEVICE key a state believes: the right one, not just a genuine
 * one, unless the caller asked for just that (SECURITY section 3).
 */
#pragma once

#include "libserver/enrolled.h"
#include "libserver/state.h"

/*
 * The enrolled card @fingerprint, which a nonce or a ticket remembers, checked as of now; a @name
 * (serial or fingerprint, or NULL) has to agree. Return: 0, -EACCES, -ENOENT.
 */
int signer_named(struct kf_state *state, const char *name, const char *fingerprint,
		 struct kf_enrolled **out, struct kf_error *e);

/*
 * Whatever card @cert is of, if it stands under a root that is enrolled and on none of its lists.
 * Return: 0, -EACCES.
 */
int signer_genuine(struct kf_state *state, struct bytes cert, bool allow_virtual,
		   struct kf_enrolled **out, struct kf_error *e);
