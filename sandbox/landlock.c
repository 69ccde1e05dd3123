/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sandbox/landlock.c - Rights are asked for up to the kernel's own version and no further
 * [Documentation/userspace-api/landlock.rst, "Compatibility"]. What an older kernel does not
 * handle stays with the seccomp filter.
 */
#include "sandbox/landlock.h"

#include "base/cleanup.h"
#include "keyferry/proto.h"
#include "sandbox/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than Debian 12's headers. */
#define FS_ABI1		(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
			 LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | \
			 LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
			 LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | \
			 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | \
			 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | \
			 LANDLOCK_ACCESS_FS_MAKE_SYM)
#define FS_REFER	(1ULL << 13)	/* ABI 2 */
#define FS_TRUNCATE	(1ULL << 14)	/* ABI 3 */
#define FS_IOCTL_DEV	(1ULL << 15)	/* ABI 5 */
#define NET_TCP		(1ULL << 0 | 1ULL << 1)	/* ABI 4: bind, connect */
#define SCOPE_ABSTRACT	(1ULL << 0)	/* ABI 6 */
#define SCOPE_SIGNAL	(1ULL << 1)	/* ABI 6 */

/* Rights that make sense on a file; the kernel refuses the others there. */
#define FS_OF_FILES	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
			 LANDLOCK_ACCESS_FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

/* struct landlock_ruleset_attr as of ABI 6; its size tells the kernel how far it goes. */
struct ruleset {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

static size_t ruleset_size(int abi)
{
	return abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
}

static struct ruleset ruleset_of(int abi, unsigned int flags)
{
	struct ruleset r = { .fs = FS_ABI1 };

	r.fs |= (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) |
		(abi >= 5 ? FS_IOCTL_DEV : 0);
	r.net = abi >= 4 && !(flags & LANDLOCK_NETWORK) ? NET_TCP : 0;
	if (abi >= 6)
		r.scoped = (flags & LANDLOCK_NETWORK ? 0 : SCOPE_ABSTRACT) |
			   (flags & LANDLOCK_SIGNALS ? 0 : SCOPE_SIGNAL);
	return r;
}

static uint64_t rights_of(unsigned int may)
{
	uint64_t rights = 0;

	if (may & LANDLOCK_READ)
		rights |= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
	if (may & LANDLOCK_WRITE)
		rights |= LANDLOCK_ACCESS_FS_WRITE_FILE | FS_IOCTL_DEV;
	if (may & LANDLOCK_RUN)
		rights |= LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |
			  LANDLOCK_ACCESS_FS_READ_DIR;
	if (may & LANDLOCK_SOCKETS)
		rights |= LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE |
			  LANDLOCK_ACCESS_FS_READ_DIR;
	if (may & LANDLOCK_FILES)
		rights |= LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |
			  LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | FS_REFER | FS_TRUNCATE;
	return rights;
}

static int allow(int ruleset_fd, const struct landlock_path *path, uint64_t handled)
{
	_cleanup_(fd_closep) int fd = open(path->path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = { .parent_fd = fd };
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	rule.allowed_access = rights_of(path->may) & handled &
			      (S_ISDIR(st.st_mode) ? ~0ULL : FS_OF_FILES);
	if (syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return -errno;
	return 0;
}

/* The proof: a folder that everybody may read, and that no exception of ours has. */
static int see_it_refuse(void)
{
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno == EACCES ? 0 : -errno;
	fd_close(fd);
	return -EOPNOTSUPP;
}

int landlock_enter(const struct landlock_path *paths, size_t n, unsigned int flags, uint32_t *out)
{
	_cleanup_(fd_closep) int fd = -1;
	struct ruleset ruleset;
	long abi;
	int r;

	abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (abi <= 0) {		/* ENOSYS: not built in; EOPNOTSUPP: off at boot */
		*out = KF_GUARD_LACKS_LANDLOCK;
		return 0;
	}
	ruleset = ruleset_of((int)abi, flags);
	fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, ruleset_size((int)abi), 0);
	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < n; i++) {
		r = allow(fd, &paths[i], ruleset.fs);
		if (r < 0)
			return r;
	}
	if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return -errno;
	guard_without_leak_check();
	r = see_it_refuse();
	if (r < 0)
		return r;
	*out = KF_GUARD_LANDLOCK | KF_GUARD_LANDLOCK_ABI(abi < 255 ? (uint32_t)abi : 255);
	return 0;
}
