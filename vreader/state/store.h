/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/state/store.h - A directory that holds one state blob, replaced whole. After a kill or a
 * power cut at any moment store_load() yields the state of the last store_commit() that returned,
 * or of the one that was running: old or new, never between, never neither.
 *
 * On disk: `state` (header, length, blob, SHA-256 over all before it), `state.new` while a commit
 * runs, `lock` (held by flock(2) as long as a struct store lives). The directory is 0700 and ours,
 * files are 0600.
 */
#pragma once

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/secret.h"

#include <sys/types.h>

struct store;

enum {
	STORE_BLOB_MAX = 256 * 1024,
	STORE_VERSION = 1,
};

enum store_mode {
	STORE_EXISTING,		/* the directory must be there */
	STORE_CREATE,		/* made with 0700 if missing, in an existing parent */
};

/**
 * struct store_sys - the system calls that change the disk, replaceable so that a test can record
 * and cut them anywhere. Semantics of the calls they are named after: -1 and errno.
 */
struct store_sys {
	int (*openat)(int dirfd, const char *name, int flags, mode_t mode);
	ssize_t (*write)(int fd, const void *p, size_t n);
	int (*fsync)(int fd);
	int (*renameat)(int olddir, const char *from, int newdir, const char *to);
	int (*unlinkat)(int dirfd, const char *name, int flags);
};

extern const struct store_sys store_sys_linux;

/**
 * store_open() - open the directory and take its lock
 * @dir:	path; its last component is not followed if it is a symbolic link
 * @mode:	whether it may be made
 * @sys:	NULL for the real thing
 * @out:	caller owns it
 *
 * Return: 0, -ENOENT, -ENOTDIR, -EBUSY another process holds the lock, -EACCES the directory is
 * not ours or others may enter it.
 */
int store_open(const char *dir, enum store_mode mode, const struct store_sys *sys,
	       struct store **out);
struct store *store_free(struct store *store);
DEFINE_CLEANUP(struct store *, store_free);

/*
 * The committed blob, into @out, which must be SECRET_INIT; the caller owns it on success.
 *
 * Return: 0, -ENOENT nothing was ever committed, -EBADMSG damaged (checksum, length, magic),
 * -EPROTONOSUPPORT written by a newer version, -EACCES the file is not ours or open to others.
 */
int store_load(struct store *store, struct secret *out);

/*
 * Replaces the blob. When it returns 0 the new blob is on the disk. After -EIO nobody can know which
 * of the two a power cut would leave: the store refuses every later call with -EIO, and the caller
 * stops. After any other error the old blob stands and the store works on.
 *
 * Return: 0, -EIO, -EMSGSIZE longer than STORE_BLOB_MAX, or what the system said (-ENOSPC).
 */
int store_commit(struct store *store, struct bytes blob);

/*
 * A file for people beside the state (a certificate), replaced in the same atomic manner. @name is
 * a plain file name that is not one of the store's own.
 *
 * Return: as store_commit(), and -EINVAL for a bad name.
 */
int store_put_file(struct store *store, const char *name, struct bytes content, mode_t mode);
