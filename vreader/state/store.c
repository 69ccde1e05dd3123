/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A commit is: write a new file beside the old one, fsync it, rename it over the old one, fsync the
 * directory. The order is the whole point. Until the rename the old file is untouched; the rename
 * can reach the disk only with contents that were synced before; and the caller hears of success
 * only when the directory entry is down as well. The checksum is not what makes it atomic: it tells
 * a damaged disk from our own bug, and both from a state that is merely old.
 */
#include "vreader/state/store.h"
#include "base/io.h"

#include <libgen.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

enum {
	HEADER_LEN = 16,		/* magic 8, version be32, blob length be32 */
	CHECKSUM_LEN = SHA256_DIGEST_LENGTH,
	NAME_LEN_MAX = 64,
};

static const uint8_t state_magic[8] = { 'K', 'F', 'S', 'T', 'A', 'T', 'E', 0 };
static const char state_name[] = "state";
static const char lock_name[] = "lock";
static const char new_suffix[] = ".new";

struct store {
	const struct store_sys *sys;
	int dir_fd;
	int lock_fd;
	bool broken;		/* a rename or its fsync failed: disk and memory may differ */
};

static int sys_openat(int dirfd, const char *name, int flags, mode_t mode)
{
	return openat(dirfd, name, flags, mode);
}

const struct store_sys store_sys_linux = {
	.openat = sys_openat,
	.write = write,
	.fsync = fsync,
	.renameat = renameat,
	.unlinkat = unlinkat,
};

/* Only we may read or change it: same owner, nothing for group and others. */
static int check_private(int fd, mode_t kind)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if ((st.st_mode & S_IFMT) != kind)
		return kind == S_IFDIR ? -ENOTDIR : -EBADMSG;
	if (st.st_uid != geteuid() || (st.st_mode & 077) != 0)
		return -EACCES;
	return 0;
}

/* A directory that was just made is not on the disk before its parent is. */
static int sync_parent(const char *path)
{
	_cleanup_(freep) char *copy = strdup(path);
	_cleanup_(fd_closep) int fd = -1;

	if (!copy)
		return -ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

static int open_dir(const char *path, enum store_mode mode)
{
	_cleanup_(fd_closep) int fd = -1;
	int r;

	if (mode == STORE_CREATE) {
		if (mkdir(path, 0700) == 0) {
			r = sync_parent(path);
			if (r < 0)
				return r;
		} else if (errno != EEXIST) {
			return -errno;
		}
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ELOOP ? -ENOTDIR : -errno;
	r = check_private(fd, S_IFDIR);
	if (r < 0)
		return r;
	return take_fd(&fd);
}

/* flock belongs to the open file description: it ends with the process, however that ends. */
static int take_lock(int dir_fd)
{
	_cleanup_(fd_closep) int fd = -1;
	int r;

	fd = openat(dir_fd, lock_name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = check_private(fd, S_IFREG);
	if (r < 0)
		return r;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return take_fd(&fd);
}

int store_open(const char *dir, enum store_mode mode, const struct store_sys *sys,
	       struct store **out)
{
	_cleanup_(store_freep) struct store *store = calloc(1, sizeof(*store));

	if (!store)
		return -ENOMEM;
	store->sys = sys ? sys : &store_sys_linux;
	store->lock_fd = -1;
	store->dir_fd = open_dir(dir, mode);
	if (store->dir_fd < 0)
		return store->dir_fd;
	store->lock_fd = take_lock(store->dir_fd);
	if (store->lock_fd < 0)
		return store->lock_fd;
	/* What a killed commit left behind holds keys and is of no use. */
	if (store->sys->unlinkat(store->dir_fd, "state.new", 0) < 0 && errno != ENOENT)
		return -errno;
	*out = take_ptr(store);
	return 0;
}

struct store *store_free(struct store *store)
{
	if (!store)
		return NULL;
	fd_close(store->lock_fd);
	fd_close(store->dir_fd);
	free(store);
	return NULL;
}

static int read_all(int fd, struct secret *out)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size < HEADER_LEN + CHECKSUM_LEN ||
	    st.st_size > HEADER_LEN + STORE_BLOB_MAX + CHECKSUM_LEN)
		return -EBADMSG;
	int r = secret_init(out, (size_t)st.st_size);

	if (r < 0)
		return r;
	n = io_read(fd, out->p, out->cap);
	if (n < 0)
		return (int)n;
	out->n = (size_t)n;
	return out->n == out->cap ? 0 : -EBADMSG;
}

/* Magic and version come before the checksum: a newer version may check itself otherwise. */
static int parse_state(struct bytes file, struct bytes *blob)
{
	uint8_t sum[CHECKSUM_LEN];
	struct unpacker u = unpack_begin(file);
	struct bytes magic = unpack_bytes(&u, sizeof(state_magic));
	uint32_t version = unpack_be32(&u);
	uint32_t len = unpack_be32(&u);
	struct bytes body = unpack_bytes(&u, len);
	struct bytes stored = unpack_bytes(&u, CHECKSUM_LEN);

	if (!bytes_equal(magic, BYTES_OF(state_magic)))
		return -EBADMSG;
	if (version != STORE_VERSION)
		return -EPROTONOSUPPORT;
	if (unpack_end(&u) < 0 || len > STORE_BLOB_MAX)
		return -EBADMSG;
	if (!SHA256(file.p, HEADER_LEN + (size_t)len, sum))
		return -ENOMEM;
	if (!bytes_equal(stored, BYTES_OF(sum)))
		return -EBADMSG;
	*blob = body;
	return 0;
}

int store_load(struct store *store, struct secret *out)
{
	_cleanup_(secret_deinit) struct secret file = SECRET_INIT;
	_cleanup_(fd_closep) int fd = -1;
	struct bytes blob;
	int r;

	if (store->broken)
		return -EIO;
	fd = openat(store->dir_fd, state_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ELOOP ? -EBADMSG : -errno;
	r = check_private(fd, S_IFREG);
	if (r < 0)
		return r;
	r = read_all(fd, &file);
	if (r < 0)
		return r;
	r = parse_state(secret_bytes(&file), &blob);
	if (r < 0)
		return r;
	r = secret_init(out, blob.n != 0 ? blob.n : 1);
	if (r < 0)
		return r;
	return secret_set(out, blob);
}

static int write_all(const struct store_sys *sys, int fd, struct bytes b)
{
	while (b.n != 0) {
		ssize_t n = sys->write(fd, b.p, b.n);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			b = bytes_slice(b, (size_t)n, b.n);
	}
	return 0;
}

/* A file nobody else has open; what a killed process left under that name goes first. */
static int create_new(struct store *store, const char *name, mode_t mode)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = store->sys->openat(store->dir_fd, name, flags, mode);

	if (fd < 0 && errno == EEXIST && store->sys->unlinkat(store->dir_fd, name, 0) == 0)
		fd = store->sys->openat(store->dir_fd, name, flags, mode);
	return fd < 0 ? -errno : fd;
}

static int write_new(struct store *store, const char *name, struct bytes content, mode_t mode)
{
	_cleanup_(fd_closep) int fd = create_new(store, name, mode);
	int r;

	if (fd < 0)
		return fd;
	r = write_all(store->sys, fd, content);
	if (r < 0)
		return r;
	/* A umask must not make the state unreadable to the next start, nor readable to others. */
	if (fchmod(fd, mode) < 0)
		return -errno;
	if (store->sys->fsync(fd) < 0)
		return -errno;
	return 0;
}

/* After the rename was tried there is no way back: whatever fails then breaks the store. */
static int replace(struct store *store, const char *name, struct bytes content, mode_t mode)
{
	char temp[NAME_LEN_MAX + sizeof(new_suffix)];
	int r;

	if (store->broken)
		return -EIO;
	(void)snprintf(temp, sizeof(temp), "%s%s", name, new_suffix);
	r = write_new(store, temp, content, mode);
	if (r < 0) {
		(void)store->sys->unlinkat(store->dir_fd, temp, 0);
		/* An I/O error on a fresh file says nothing good about the old one. */
		store->broken = r == -EIO;
		return r;
	}
	if (store->sys->renameat(store->dir_fd, temp, store->dir_fd, name) < 0 ||
	    store->sys->fsync(store->dir_fd) < 0) {
		store->broken = true;
		return -EIO;
	}
	return 0;
}

int store_commit(struct store *store, struct bytes blob)
{
	_cleanup_(secret_deinit) struct secret file = SECRET_INIT;
	struct packer p;
	int r;

	if (blob.n > STORE_BLOB_MAX)
		return -EMSGSIZE;
	r = secret_init(&file, HEADER_LEN + blob.n + CHECKSUM_LEN);
	if (r < 0)
		return r;
	p = pack_begin(file.p, file.cap);
	pack_bytes(&p, BYTES_OF(state_magic));
	pack_be32(&p, STORE_VERSION);
	pack_be32(&p, (uint32_t)blob.n);
	pack_bytes(&p, blob);
	file.n = p.n;
	if (!SHA256(file.p, file.n, pack_reserve(&p, CHECKSUM_LEN)))
		return -ENOMEM;
	file.n = p.n;
	return replace(store, state_name, secret_bytes(&file), 0600);
}

/* One plain component that collides with none of our own files nor with their temporaries. */
static bool name_is_free(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n <= NAME_LEN_MAX && name[0] != '.' && !strchr(name, '/') &&
	       strcmp(name, state_name) != 0 && strcmp(name, "state.new") != 0 &&
	       strcmp(name, lock_name) != 0;
}

int store_put_file(struct store *store, const char *name, struct bytes content, mode_t mode)
{
	if (!name_is_free(name))
		return -EINVAL;
	return replace(store, name, content, mode);
}
