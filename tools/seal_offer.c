// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/seal_offer.h"

#include "base/error.h"

enum { PEM_MAX = 64 << 10, FILE_MAX = 1 << 20 };

int seal_offer_read(const struct seal_offer *want, struct kf_state *state,
		    struct kf_verified_offer **out, struct kf_error *e)
{
	_cleanup_(freep) uint8_t *json = NULL;
	struct kf_server *server = kf_state_server(state);
	size_t len = 0;
	int r = 0;

	if (want->allow_virtual)
		kf_server_allow_virtual(server, 1);
	if (want->exchange_bits)
		r = kf_server_set_exchange_bits(server, want->exchange_bits, e);
	if (r == 0 && want->n_methods > 0)
		r = kf_server_set_methods(server, want->methods, want->n_methods, e);
	if (r == 0)
		r = ui_file_read(want->path, FILE_MAX, &json, &len, e);
	if (r == 0)
		r = kf_state_offer(state, want->device, want->any_genuine, json, len, out, e);
	return r;
}

int seal_archive_check(const struct ui *ui, const struct seal_archive *want)
{
	if (!want->cert != !want->out)
		return ui_usage(ui, "--archive-cert and --archive-out belong together");
	if (want->root && !want->cert)
		return ui_usage(ui, "--archive-root belongs to --archive-cert");
	return UI_OK;
}

int seal_archive_read(const struct seal_archive *want, struct kf_archive_recipient **out,
		      struct kf_error *e)
{
	_cleanup_(freep) uint8_t *cert = NULL, *root = NULL;
	size_t cert_len = 0, root_len = 0;
	int r;

	*out = NULL;
	if (!want->cert)
		return 0;
	r = ui_file_read(want->cert, FILE_MAX, &cert, &cert_len, e);
	if (r == 0 && want->root)
		r = ui_file_read(want->root, FILE_MAX, &root, &root_len, e);
	if (r == 0)
		r = kf_archive_recipient_new(cert, cert_len, root, root_len, out, e);
	return r;
}

int seal_key_read(const char *path, int passphrase_fd, struct kf_keypair **out, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret pem = SECRET_INIT, passphrase = SECRET_INIT;
	int r;

	r = ui_secret_from_file(path, PEM_MAX, &pem, e);
	if (r == 0)
		r = kf_keypair_from_pem(pem.p, pem.n, NULL, 0, out, e);
	if (r != -ENOKEY)
		return r;
	r = passphrase_get(passphrase_fd, "Passphrase of the private key", &passphrase, e);
	if (r == 0)
		r = kf_keypair_from_pem(pem.p, pem.n, passphrase.p, passphrase.n, out, e);
	return r;
}

int seal_raw_read(const char *path, struct kf_keypair **out, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret key = SECRET_INIT;
	int r = ui_secret_from_file(path, PEM_MAX, &key, e);

	return r < 0 ? r : kf_keypair_from_raw(key.p, key.n, out, e);
}

int seal_cargo_write(const char *path, struct bytes cargo, struct kf_error *e)
{
	int r = ui_file_write(path, cargo, 0644, e);

	if (r < 0)
		error_text_set(e->next, "check the folder and its free space; then get a new offer: "
			       "this one is spent");
	return r;
}
