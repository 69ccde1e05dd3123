// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libserver/master.h"
#include "base/error.h"
#include "base/io.h"
#include "format/kdf.h"
#include "format/shared.h"
#include "libserver/keeper.h"
#include "libserver/pem.h"
#include "libserver/random.h"
#include "libserver/server.h"

#include <fcntl.h>
#include <unistd.h>

enum {
	TEXT_MAX = 2 * SHARED_KEY_SIZE + 1,	/* digits and a newline */
	FILE_MAX = 1024,			/* the same, encrypted, as PEM */
};

#define LABEL "ENCRYPTED KEYFERRY MASTER"

static const char file_name[] = "master.key";

/* What a wrong passphrase opens to is no digits: it is told from damage by having been encrypted. */
static int parse(const struct secret *text, int r_bad, struct secret *master)
{
	struct unpacker u = unpack_begin(secret_bytes(text));
	int r = shared_key_from_hex(&u, master);

	if (unpack_u8(&u) != '\n')
		unpack_fail(&u);
	if (r == 0)
		r = unpack_end(&u);
	return r == -EBADMSG ? r_bad : r;
}

static int take(struct kf_server *server, const struct secret *file, struct bytes passphrase,
		struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret text = SECRET_INIT, master = SECRET_INIT;
	bool sealed = pem_is_sealed(secret_bytes(file), LABEL);
	int r;

	server->master_locked = sealed && passphrase.n == 0;
	if (server->master_locked)
		return 0;
	r = sealed ? pem_open(secret_bytes(file), LABEL, passphrase, &text) : 0;
	if (r == 0)
		r = parse(sealed ? &text : file, sealed ? -EKEYREJECTED : -EBADMSG, &master);
	if (r == -EBADMSG)
		return error_why(e, r, "docs/formats.md 9", "restore the state from a backup",
				 "its %s is damaged", file_name);
	if (r == -EKEYREJECTED)
		return error_why(e, r, "the state is encrypted", "try again, or restore it from a backup",
				 "the passphrase does not open its %s", file_name);
	return r < 0 ? r : kf_server_set_master(server, master.p, master.n, e);
}

int master_load(const struct folder *top, struct kf_server *server, struct bytes passphrase,
		struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret file = SECRET_INIT;
	int r;

	if (!folder_has(top, file_name))
		return 0;
	r = folder_read_secret(top, file_name, FILE_MAX, &file, e);
	return r < 0 ? r : take(server, &file, passphrase, e);
}

static void write_text(const struct secret *master, struct secret *text)
{
	struct packer p = pack_begin(text->p, text->cap);

	shared_key_to_hex(master, &p);
	pack_u8(&p, '\n');
	assert(pack_end(&p) == 0);
	text->n = p.n;
}

static int keep(const struct folder *top, const struct secret *text, struct bytes passphrase,
		struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret file = SECRET_INIT;
	int r;

	if (passphrase.n == 0)
		return folder_create(top, file_name, secret_bytes(text), e);
	r = secret_init(&file, FILE_MAX);
	if (r == 0)
		r = pem_seal(secret_bytes(text), LABEL, passphrase, &file);
	return r < 0 ? r : folder_create(top, file_name, secret_bytes(&file), e);
}

int master_make(const struct folder *top, struct kf_server *server, struct bytes passphrase,
		struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret text = SECRET_INIT, master = SECRET_INIT;
	int r = secret_init(&master, SHARED_KEY_SIZE);

	if (r == 0)
		r = secret_init(&text, TEXT_MAX);
	if (r == 0)
		r = random_secret(master.p, SHARED_KEY_SIZE, e);
	if (r < 0)
		return r;
	master.n = SHARED_KEY_SIZE;
	write_text(&master, &text);
	r = keep(top, &text, passphrase, e);
	return r < 0 ? r : kf_server_set_master(server, master.p, master.n, e);
}

int master_remove(const struct folder *top, struct kf_error *e)
{
	int r = folder_has(top, file_name) ? folder_remove(top, file_name) : 0;

	if (r == 0 && fsync(top->fd) < 0)
		r = -errno;
	return r < 0 ? error_why(e, r, "the token has it now", "remove it yourself",
				 "cannot remove %s: %s", file_name, strerror(-r)) : 0;
}

/* --- what comes of it --- */

static int missing(const struct kf_server *server, struct kf_error *e)
{
	if (server->master_away)
		return error_why(e, -ENOKEY, "the state's master is elsewhere, docs/formats.md 9",
				 "have its token there (keyferry server master)",
				 "the master of shared keys is in a token, and nobody asks it");
	if (server->master_locked)
		return error_why(e, -ENOKEY, "the state is encrypted", "give its passphrase",
				 "the master of shared keys is locked");
	return error_why(e, -EACCES, "docs/card-application.md 6.2",
			 "make shared keys before cards: keyferry server shared",
			 "this server shares no keys with cards");
}

int kf_server_master_check(const struct kf_server *server, uint8_t check[KF_MASTER_CHECK_SIZE],
			   struct kf_error *e)
{
	int r = 0;

	if (server->master_away)
		memcpy(check, server->check, KF_MASTER_CHECK_SIZE);
	else if (server->keeper.mac)
		r = keeper_check(&server->keeper, check, e);
	else if (server->master.n > 0)
		r = kbkdf(&server->master, MASTER_CHECK_LABEL, BYTES_NONE, check, KF_MASTER_CHECK_SIZE);
	else
		r = missing(server, e);
	return error_what(e, r, "cannot tell which master it is");
}

/* Each time: a token may be another one by now, and what a wrong master makes looks like any key. */
int master_try_keeper(const struct kf_server *server, struct kf_error *e)
{
	uint8_t check[KF_MASTER_CHECK_SIZE];
	int r = server->keeper.mac ? keeper_check(&server->keeper, check, e) : missing(server, e);

	if (r < 0 || !server->master_away || bytes_equal(BYTES_OF(check), BYTES_OF(server->check)))
		return r;
	return error_why(e, -EACCES, "the master's check value, docs/formats.md 9",
			 "use the token that the master is in (keyferry server master)",
			 "the key in the token is not this state's master");
}

int master_derive(const struct kf_server *server, enum kf_method method, enum kf_origin origin,
		  const char *serial, struct secret *out, struct kf_error *e)
{
	int r;

	if (!server->keeper.mac)
		return server->master.n > 0 ? shared_key_derive(&server->master, method, origin, serial, out)
					    : missing(server, e);
	r = master_try_keeper(server, e);
	return r < 0 ? r : keeper_derive(&server->keeper, method, origin, serial, out, e);
}

static int write_keys(const char *path, const struct secret *text, struct kf_error *e)
{
	_cleanup_(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
					   0600);
	int r = fd < 0 ? -errno : io_write(fd, secret_bytes(text));

	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0)
		r = io_sync_parent(path);
	if (r < 0 && fd >= 0)
		(void)unlink(path);	/* ours, and a part of a secret is no use to anybody good */
	return r < 0 ? error_why(e, r, "a new file, closed to others", "name another file",
				 "cannot write %s: %s", path, strerror(-r)) : 0;
}

int master_share(const struct kf_server *server, const char *serial, const char *path,
		 struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret text = SECRET_INIT;
	_cleanup_(shared_keys_deinit) struct shared_keys keys = SHARED_KEYS_INIT;
	int r = secret_init(&text, SHARED_KEYS_TEXT_MAX);

	memcpy(keys.serial, serial, strlen(serial));
	if (r == 0)
		r = master_derive(server, KF_METHOD_SHARED, KF_ORIGIN_FACTORY, serial, &keys.shared, e);
	if (r == 0)
		r = master_derive(server, KF_METHOD_DERIVED, KF_ORIGIN_FACTORY, serial, &keys.derived, e);
	if (r < 0)
		return r;
	shared_keys_write(&keys, &text);
	return write_keys(path, &text, e);
}
