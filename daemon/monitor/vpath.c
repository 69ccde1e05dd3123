/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/vpath.c - Walks component by component with O_NOFOLLOW and keeps the last
 * directory open; the socket is then reached through that descriptor, so nothing can be exchanged
 * between the look and the use.
 */
#include "daemon/monitor/vpath.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static int make_absolute(const char *path, char out[static PATH_MAX])
{
	char cwd[PATH_MAX] = "";
	int n;

	if (path[0] != '/' && !getcwd(cwd, sizeof(cwd)))
		return -errno;
	n = snprintf(out, PATH_MAX, "%s%s%s", cwd, path[0] == '/' ? "" : "/", path);
	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static bool has_dotdot(const char *path)
{
	for (const char *p = path; (p = strstr(p, "..")); p += 2)
		if ((p == path || p[-1] == '/') && (p[2] == '/' || p[2] == '\0'))
			return true;
	return false;
}

int vpath_init(struct vpath *vpath, const char *path)
{
	char full[PATH_MAX] = "";
	char *slash;
	int r = make_absolute(path, full);

	if (r < 0)
		return r;
	slash = strrchr(full, '/');
	if (!slash || has_dotdot(full) || slash[1] == '\0' || strcmp(slash, "/.") == 0)
		return -EINVAL;
	if (strlen(slash + 1) > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(vpath->base, slash + 1, strlen(slash + 1) + 1);
	*slash = '\0';
	(void)snprintf(vpath->dir, sizeof(vpath->dir), "%s", full[0] ? full : "/");
	return 0;
}

static bool uid_trusted(uid_t who, uid_t uid)
{
	return who == 0 || who == geteuid() || who == uid;
}

static int dir_judge(int fd, uid_t uid)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!uid_trusted(st.st_uid, uid))
		return -EPERM;
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) && !(st.st_mode & S_ISVTX))
		return -EPERM;
	return 0;
}

int vpath_open_dir(const struct vpath *vpath, uid_t uid, const char **where)
{
	static _Thread_local char name[NAME_MAX + 1];
	_cleanup_(fd_closep) int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const char *p = vpath->dir;

	*where = "/";
	while (fd >= 0) {
		size_t n;
		int next, r = dir_judge(fd, uid);

		if (r < 0)
			return r;
		p += strspn(p, "/");
		n = strcspn(p, "/");
		if (n == 0)
			return take_fd(&fd);
		if (n > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(name, p, n);
		name[n] = '\0';
		p += n;
		*where = name;
		next = openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			return errno == ENOTDIR ? -ELOOP : -errno;
		fd_close(fd);
		fd = next;
	}
	return -errno;
}

static int socket_judge(const struct vpath *vpath, int dir_fd, uid_t uid)
{
	struct stat st;

	if (fstatat(dir_fd, vpath->base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return -ELOOP;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	return uid_trusted(st.st_uid, uid) ? 0 : -EPERM;
}

int vpath_connect(const struct vpath *vpath, int dir_fd, uid_t uid)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_(fd_closep) int fd = -1;
	struct ucred cred;
	socklen_t len = sizeof(cred);
	int n, r = socket_judge(vpath, dir_fd, uid);

	if (r < 0)
		return r;
	n = snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/%s", dir_fd,
		     vpath->base);
	if (n < 0 || (size_t)n >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	if (!uid_trusted(cred.uid, uid))
		return -EPERM;
	(void)fcntl(fd, F_SETFL, 0);	/* the driver is blocking code */
	return take_fd(&fd);
}
