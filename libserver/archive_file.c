// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libserver/archive_file.h"
#include "base/error.h"
#include "base/io.h"

static int failed(const char *path, int r, struct kf_error *e)
{
	return error_why(e, r, "the archive is durable before a cargo exists",
			 "check the folder and its free space", "cannot write %s: %s", path,
			 strerror(-r));
}

int archive_file_create(struct archive_file *file, const char *path, struct kf_error *e)
{
	file->path = strdup(path);
	if (!file->path)
		return -ENOMEM;
	file->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file->fd >= 0)
		return 0;
	return errno == EEXIST ? error_why(e, -EEXIST, "archives are never overwritten",
					   "name another place", "%s exists", path)
			       : failed(path, -errno, e);
}

int archive_file_keep(struct archive_file *file, struct kf_error *e)
{
	int r = io_write(file->fd, blob_bytes(&file->cms));

	if (r == 0 && fsync(file->fd) < 0)
		r = -errno;
	if (r == 0)
		r = io_sync_parent(file->path);
	return r < 0 ? failed(file->path, r, e) : 0;
}

void archive_file_drop(struct archive_file *file)
{
	if (file->fd >= 0)
		(void)unlink(file->path);
}

void archive_file_deinit(struct archive_file *file)
{
	blob_deinit(&file->cms);
	file->fd = fd_close(file->fd);
	free(file->path);
	file->path = NULL;
}
