/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/vpath.h - The path of a virtual reader's socket, trusted no further than SECURITY
 * section 7 says: no symbolic link anywhere, no directory on the way that somebody else can write
 * to (a sticky one such as /tmp may be passed through), and a listener with the right uid.
 */
#pragma once

#include <limits.h>
#include <sys/types.h>

struct vpath {
	char dir[PATH_MAX];
	char base[NAME_MAX + 1];
};

/* Absolute and split. Return: 0, -EINVAL for "..", an empty name or a trailing slash, -ENAMETOOLONG. */
int vpath_init(struct vpath *vpath, const char *path);

/*
 * Opens the directory, judging each one on the way. @uid: whose directories are trusted besides
 * root's and our own. Return: an O_PATH descriptor, -EPERM where the rule is broken, -ELOOP for a
 * symbolic link, or what openat(2) says. @where names the component that was refused.
 */
int vpath_open_dir(const struct vpath *vpath, uid_t uid, const char **where);

/*
 * Connects. Return: a descriptor; -ENOENT, -ECONNREFUSED: nobody there now; -EPERM: there is
 * somebody, but not root, we, or @uid.
 */
int vpath_connect(const struct vpath *vpath, int dir_fd, uid_t uid);
