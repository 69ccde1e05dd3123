// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/folder.c - Write to a temporary name, fsync, rename or link, fsync the folder. What a
 * crash leaves behind is a name that begins with a dot, which nobody reads.
 */
#include "libserver/folder.h"
#include "base/error.h"
#include "base/io.h"
#include "libserver/random.h"

#include <dirent.h>
#include <sys/stat.h>

__attribute__((format(printf, 3, 4)))
static int file_failed(struct kf_error *e, int r, const char *format, ...)
{
	char what[KF_ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	error_text_vset(what, format, args);
	va_end(args);
	return error_why(e, r, "the state directory", "check its permissions and free space",
			 "%s: %s", what, strerror(-r));
}

static bool is_private(const struct stat *st)
{
	return st->st_uid == geteuid() && (st->st_mode & 077) == 0;
}

int folder_open(int at, const char *path, struct folder *out, struct kf_error *e)
{
	_cleanup_(fd_closep) int fd =
		openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return file_failed(e, -errno, "cannot open %s", path);
	if (!is_private(&st))
		return error_why(e, -EACCES, "server files are private: mode 0700, one owner",
				 "chmod 700, and run as its owner",
				 "directory %s is open to others or not ours", path);
	out->fd = take_fd(&fd);
	return 0;
}

int folder_make(int at, const char *path, struct folder *out, struct kf_error *e)
{
	if (mkdirat(at, path, 0700) < 0 && errno != EEXIST)
		return file_failed(e, -errno, "cannot make %s", path);
	return folder_open(at, path, out, e);
}

void folder_deinit(struct folder *folder)
{
	folder->fd = fd_close(folder->fd);
}

bool folder_has(const struct folder *folder, const char *name)
{
	return faccessat(folder->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

/* --- reading --- */

static int open_private(const struct folder *folder, const char *name, struct kf_error *e)
{
	_cleanup_(fd_closep) int fd =
		openat(folder->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return file_failed(e, -errno, "cannot open %s", name);
	if (!S_ISREG(st.st_mode) || !is_private(&st))
		return error_why(e, -EACCES, "server files are private: mode 0600, one owner",
				 "chmod 600, and run as their owner",
				 "file %s is open to others or not ours", name);
	return take_fd(&fd);
}

int folder_read(const struct folder *folder, const char *name, size_t max, struct blob *out,
		struct kf_error *e)
{
	_cleanup_(fd_closep) int fd = open_private(folder, name, e);
	_cleanup_(freep) uint8_t *buf = NULL;
	ssize_t n;

	if (fd < 0)
		return fd;
	buf = malloc(max + 1);
	if (!buf)
		return -ENOMEM;
	n = io_read(fd, buf, max + 1);
	if (n < 0 || (size_t)n > max)
		return file_failed(e, n < 0 ? (int)n : -EFBIG, "cannot read %s", name);
	blob_deinit(out);
	*out = (struct blob){ take_ptr(buf), (size_t)n };
	return 0;
}

int folder_read_secret(const struct folder *folder, const char *name, size_t max,
		       struct secret *out, struct kf_error *e)
{
	_cleanup_(fd_closep) int fd = open_private(folder, name, e);
	_cleanup_(secret_deinit) struct secret s = SECRET_INIT;
	ssize_t n;
	int r;

	if (fd < 0)
		return fd;
	r = secret_init(&s, max + 1);
	if (r < 0)
		return r;
	n = io_read(fd, s.p, max + 1);
	if (n < 0 || (size_t)n > max)
		return file_failed(e, n < 0 ? (int)n : -EFBIG, "cannot read %s", name);
	s.n = (size_t)n;
	*out = secret_take(&s);
	return 0;
}

/* --- writing --- */

static int folder_sync(const struct folder *folder)
{
	return fsync(folder->fd) < 0 ? -errno : 0;
}

#define TEMPORARY_SIZE 24

static int choose_temporary(char name[static TEMPORARY_SIZE], struct kf_error *e)
{
	uint8_t random[8];
	char text[17];
	int r = random_public(random, sizeof(random), e);

	if (r < 0)
		return r;
	hex_print(BYTES_OF(random), text);
	(void)snprintf(name, TEMPORARY_SIZE, ".tmp-%s", text);
	return 0;
}

static int write_temporary(const struct folder *folder, struct bytes data, const char *name)
{
	_cleanup_(fd_closep) int fd = -1;
	int r;

	fd = openat(folder->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = io_write(fd, data);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(folder->fd, name, 0);
	return r;
}

static int put(const struct folder *folder, const char *name, struct bytes data, bool replace,
	       struct kf_error *e)
{
	char temporary[TEMPORARY_SIZE];
	int r = choose_temporary(temporary, e);

	if (r < 0)
		return r;
	r = write_temporary(folder, data, temporary);
	if (r < 0)
		return file_failed(e, r, "cannot write %s", name);
	if (replace ? renameat(folder->fd, temporary, folder->fd, name) < 0
		    : linkat(folder->fd, temporary, folder->fd, name, 0) < 0)
		r = -errno;
	if (r < 0 || !replace)
		(void)unlinkat(folder->fd, temporary, 0);
	if (r == 0)
		r = folder_sync(folder);
	return r < 0 ? file_failed(e, r, "cannot write %s", name) : 0;
}

int folder_write(const struct folder *folder, const char *name, struct bytes data,
		 struct kf_error *e)
{
	return put(folder, name, data, true, e);
}

int folder_create(const struct folder *folder, const char *name, struct bytes data,
		  struct kf_error *e)
{
	return put(folder, name, data, false, e);
}

int folder_move(const struct folder *from, const char *name, const struct folder *to,
		struct kf_error *e)
{
	int r = 0;

	if (renameat(from->fd, name, to->fd, name) < 0)
		return file_failed(e, -errno, "cannot move %s", name);
	r = folder_sync(to);		/* first where it is now: never in neither */
	if (r == 0)
		r = folder_sync(from);
	return r < 0 ? file_failed(e, r, "cannot move %s", name) : 0;
}

int folder_remove(const struct folder *folder, const char *name)
{
	return unlinkat(folder->fd, name, 0) < 0 ? -errno : 0;
}

/* --- listing --- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int append_name(char ***names, size_t *n, const char *name)
{
	char **more = reallocarray(*names, *n + 1, sizeof(**names));

	if (!more)
		return -ENOMEM;
	*names = more;
	more[*n] = strdup(name);
	if (!more[*n])
		return -ENOMEM;
	(*n)++;
	return 0;
}

int folder_list(const struct folder *folder, char ***names, size_t *n)
{
	int fd = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	char **found = NULL;
	size_t count = 0;
	int r = 0;

	if (!dir) {
		r = -errno;
		(void)fd_close(fd);
		return r;
	}
	/* A list cut short by an error would hide cards, and the lists that revoke them. */
	while (r == 0 && (errno = 0, entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			r = append_name(&found, &count, entry->d_name);
	if (r == 0)
		r = -errno;
	(void)closedir(dir);
	if (r < 0) {
		names_free(found, count);
		return r;
	}
	if (count > 0)
		qsort(found, count, sizeof(*found), by_name);
	*names = found;
	*n = count;
	return 0;
}

void names_free(char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

int folder_holds_only(const struct folder *folder, const char *const *allowed)
{
	char **names = NULL;
	size_t n = 0, known = 0;
	int r = folder_list(folder, &names, &n);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		for (const char *const *a = allowed; *a; a++)
			known += strcmp(names[i], *a) == 0;
	names_free(names, n);
	return known == n;
}
