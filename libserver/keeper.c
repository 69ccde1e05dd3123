// SPDX-License-Identifier: LGPL-2.1-or-later
/* libserver/keeper.c - The library lays out what is to be derived, and the keeper does the CMACs. */
#include "libserver/keeper.h"
#include "base/error.h"
#include "format/kdf.h"
#include "format/shared.h"

static_assert((int)KF_MASTER_MAC_SIZE == (int)KDF_MAC_SIZE, "one CMAC");

/* One derivation, and where its words go. */
struct asking {
	const struct kf_master_keeper *keeper;
	struct kf_error *e;
};

static int ask(void *arg, struct bytes in, uint8_t out[static KDF_MAC_SIZE])
{
	const struct asking *asking = arg;
	int r = asking->keeper->mac(asking->keeper->arg, in.p, in.n, out, asking->e);

	return r > 0 ? -EIO : r;	/* somebody else's code, with a convention of its own perhaps */
}

int keeper_derive(const struct kf_master_keeper *keeper, enum kf_method method, enum kf_origin origin,
		  const char *serial, struct secret *out, struct kf_error *e)
{
	struct asking asking = { keeper, e };
	const struct kdf_mac master = { ask, &asking };
	int r = shared_key_derive_by(&master, method, origin, serial, out);

	return error_what(e, r, "cannot derive the key of card %s", serial);
}

int keeper_check(const struct kf_master_keeper *keeper, uint8_t check[static KF_MASTER_CHECK_SIZE],
		 struct kf_error *e)
{
	struct asking asking = { keeper, e };
	const struct kdf_mac master = { ask, &asking };
	int r = kbkdf_by(&master, MASTER_CHECK_LABEL, BYTES_NONE, check, KF_MASTER_CHECK_SIZE);

	return error_what(e, r, "cannot use the master of shared keys");
}
