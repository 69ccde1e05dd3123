// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libserver/master.h"
#include "base/error.h"
#include "base/io.h"
#include "format/shared.h"
#include "libserver/random.h"

#include <fcntl.h>
#include <unistd.h>

enum { TEXT_MAX = 2 * SHARED_KEY_SIZE + 1 };	/* digits and a newline */

static const char file_name[] = "master.key";

int master_load(const struct folder *top, struct kf_server *server, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret text = SECRET_INIT, master = SECRET_INIT;
	struct unpacker u;
	int r;

	if (!folder_has(top, file_name))
		return 0;
	r = folder_read_secret(top, file_name, TEXT_MAX + 1, &text, e);
	if (r < 0)
		return r;
	u = unpack_begin(secret_bytes(&text));
	r = shared_key_from_hex(&u, &master);
	if (unpack_u8(&u) != '\n')
		unpack_fail(&u);
	if (r == 0)
		r = unpack_end(&u);
	if (r == -EBADMSG)
		return error_why(e, r, "docs/formats.md 9", "restore the state from a backup",
				 "its %s is damaged", file_name);
	return r < 0 ? r : kf_server_set_master(server, master.p, master.n, e);
}

int master_make(const struct folder *top, struct kf_server *server, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret text = SECRET_INIT, master = SECRET_INIT;
	struct packer p;
	int r = secret_init(&master, SHARED_KEY_SIZE);

	if (r == 0)
		r = secret_init(&text, TEXT_MAX);
	if (r == 0)
		r = random_secret(master.p, SHARED_KEY_SIZE, e);
	if (r < 0)
		return r;
	master.n = SHARED_KEY_SIZE;
	p = pack_begin(text.p, text.cap);
	shared_key_to_hex(&master, &p);
	pack_u8(&p, '\n');
	text.n = p.n;
	r = folder_create(top, file_name, secret_bytes(&text), e);
	return r < 0 ? r : kf_server_set_master(server, master.p, master.n, e);
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
		r = shared_key_derive(&server->master, KF_METHOD_SHARED, serial, &keys.shared);
	if (r == 0)
		r = shared_key_derive(&server->master, KF_METHOD_DERIVED, serial, &keys.derived);
	if (r < 0)
		return r;
	shared_keys_write(&keys, &text);
	return write_keys(path, &text, e);
}
