/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/folder.h - A private directory as a small durable store: files are read whole, written
 * whole, and a call that returned has reached the disk. Names are ours, never a client's.
 */
#pragma once

#include "base/cleanup.h"
#include "base/secret.h"
#include "libserver/json/object.h"

/**
 * struct folder - an open directory, ours and closed to others
 * @fd:		or -1
 */
struct folder {
	int fd;
};

#define FOLDER_INIT ((struct folder){ -1 })

/* Mode 0700, owned by us, no symlink in the last step. Return: 0, -ENOENT, -ENOTDIR, -EACCES. */
int folder_open(int at, const char *path, struct folder *out, struct kf_error *e);
/* Makes it if missing, then as folder_open(). */
int folder_make(int at, const char *path, struct folder *out, struct kf_error *e);
void folder_deinit(struct folder *folder);

/*
 * Only what is known to be absent is: a file that cannot be looked at may be a policy or a spent nonce,
 * and says why when it is read.
 */
bool folder_has(const struct folder *folder, const char *name);
/* Whether nothing is in it but the names in @allowed (NULL-terminated). Return: 1, 0, -errno. */
int folder_holds_only(const struct folder *folder, const char *const *allowed);

/* A file of ours, closed to others, of at most @max bytes. Return: 0, -ENOENT, -EACCES, -EFBIG. */
int folder_read(const struct folder *folder, const char *name, size_t max, struct blob *out,
		struct kf_error *e);
int folder_read_secret(const struct folder *folder, const char *name, size_t max,
		       struct secret *out, struct kf_error *e);

/* All or nothing, mode 0600, durable; replaces. */
int folder_write(const struct folder *folder, const char *name, struct bytes data,
		 struct kf_error *e);
/* The same, but -EEXIST if there is one already. */
int folder_create(const struct folder *folder, const char *name, struct bytes data,
		  struct kf_error *e);
/* Durable in both; -ENOENT if it is not in @from (any more). */
int folder_move(const struct folder *from, const char *name, const struct folder *to,
		struct kf_error *e);
int folder_remove(const struct folder *folder, const char *name);

/* Names in it, sorted, without those that begin with a dot; the caller frees with names_free(). */
int folder_list(const struct folder *folder, char ***names, size_t *n);
void names_free(char **names, size_t n);
