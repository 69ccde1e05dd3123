/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a blank card becomes a SmartCard-HSM as its maker ships it: a device key with its certificates, and
 * nothing of an owner's. PINs and key domains come with INITIALIZE, as on the real card.
 */
#include "format/ossl.h"
#include "vreader/card/blank.h"
#include "vreader/schsm/hsm.h"
#include "vreader/schsm/issuer.h"

#include <stdio.h>

static int check(const struct vcard_personalisation *want, char why[static VCARD_WHY_MAX])
{
	struct bytes serial = BYTES(want->serial, strlen(want->serial));

	if (!serial_is_valid(serial) || serial.n > ISSUER_SERIAL_MAX)
		return blank_refuse(why, -EINVAL, "the serial has to be 1 to %d characters out of A-Z a-z 0-9 . - "
			      "for the application schsm, whose names have no room for more",
			      ISSUER_SERIAL_MAX);
	if (want->pin || want->puk)
		return blank_refuse(why, -EINVAL, "the application schsm has no PINs before INITIALIZE; leave out "
			      "--pin and --puk, and run `sc-hsm-tool --initialize`");
	if (want->n_injectors != 0 || want->n_keks != 0 || want->shared)
		return blank_refuse(why, -EINVAL, "--injector, --kek and --shared-key are for keyferry's own "
			      "application, not for schsm");
	return 0;
}

static int open_issuer(const char *dir, struct issuer **out, char why[static VCARD_WHY_MAX])
{
	int r = dir ? issuer_open(dir, out) : issuer_new(out);

	if (r == -EBADMSG)
		return blank_refuse(why, r, "the files schsm-* in %s are not keys and their certificates; name "
			      "another --maker directory", dir);
	if (r < 0)
		return blank_refuse(why, r, "the maker in %s cannot be opened: %s", dir ? dir : "memory",
			      strerror(-r));
	return 0;
}

static int fill(struct hsm_state *state, const struct issuer *issuer, const char *serial)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *device = NULL;
	uint8_t buf[HSM_FILE_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	int r = issuer_make_pair(&device);

	if (r == 0)
		r = issuer_certify(issuer, device, serial, &p);
	if (r == 0)
		r = hsm_key_new(device, &state->device);
	if (r == 0)
		r = blob_new(pack_done(&p), &state->device_cert);
	if (r == 0)
		r = blob_new(issuer_root(issuer), &state->root);
	return r;
}

static int write_state(struct store *store, const struct hsm_state *state)
{
	_cleanup_(secret_deinit) struct secret blob = SECRET_INIT;
	struct packer p;
	int r = secret_init(&blob, HSM_CODEC_MAX);

	if (r < 0)
		return r;
	p = pack_begin(blob.p, blob.cap);
	r = hsm_state_encode(state, &p);
	return r < 0 ? r : store_commit(store, pack_done(&p));
}

static int make(const struct vcard_personalisation *want, struct store *store,
		const struct issuer *issuer)
{
	_cleanup_(hsm_state_freep) struct hsm_state *state = NULL;
	int r = hsm_state_new(&state);

	if (r == 0)
		r = fill(state, issuer, want->serial);
	if (r == 0)
		r = store_put_file(store, "device.cvc", blob_bytes(state->device_cert), 0644);
	if (r == 0)
		r = store_put_file(store, "root.cvc", issuer_root(issuer), 0644);
	return r < 0 ? r : write_state(store, state);
}

int hsm_personalise(const struct vcard_personalisation *want, char why[static VCARD_WHY_MAX])
{
	_cleanup_(issuer_freep) struct issuer *issuer = NULL;
	_cleanup_(store_freep) struct store *store = NULL;
	int r = check(want, why);

	if (r == 0)
		r = blank_open(want->state_dir, &store, why);
	if (r == 0)
		r = open_issuer(want->maker_dir, &issuer, why);
	if (r < 0)
		return r;
	r = make(want, store, issuer);
	ERR_clear_error();
	if (r < 0)
		return blank_refuse(why, r, "the card in %s could not be written: %s", want->state_dir,
			      strerror(-r));
	return 0;
}
