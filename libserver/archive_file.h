/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/archive_file.h - An archive on its way to the disk: the file is made before the nonce is spent, so that
 * a bad path costs nothing, and written after, so that no copy of a key lies around that nobody sealed.
 */
#pragma once

#include "base/cleanup.h"
#include "libserver/json/object.h"

/**
 * struct archive_file - one of them
 * @cms:	envelope, from kf_archive_seal()
 * @fd, @path:	its file, new and ours; -1, NULL: not made
 */
struct archive_file {
	struct blob cms;
	int fd;
	char *path;
};

#define ARCHIVE_FILE_INIT ((struct archive_file){ .fd = -1 })

/* Return: 0, -EEXIST, -errno. */
int archive_file_create(struct archive_file *file, const char *path, struct kf_error *e);
/* Writes it, durably. Return: 0, -errno. */
int archive_file_keep(struct archive_file *file, struct kf_error *e);
/* A copy of a key that no card will have is one copy too many. */
void archive_file_drop(struct archive_file *file);
void archive_file_deinit(struct archive_file *file);
