/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/sysfs.c - A read that waits for a device's lock is interrupted by a signal, again
 * and again, since the first could come between setting the clock and starting to wait.
 */
#include "daemon/monitor/sysfs.h"

#include "base/bytes.h"
#include "base/cleanup.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>

#define NUMBER_MAX 16

static int read_up_to(int dir_fd, const char *name, uint8_t *out, size_t size, size_t *n)
{
	_cleanup_(fd_closep) int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t got;

	if (fd < 0)
		return -errno;
	for (*n = 0; *n < size; *n += (size_t)got) {
		got = read(fd, out + *n, size - *n);
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
	}
	return 0;
}

int sysfs_number(int dir_fd, const char *name, int base, uint32_t max, uint32_t *out)
{
	char text[NUMBER_MAX + 1] = "", *end;
	unsigned long value;
	size_t n;
	int r = read_up_to(dir_fd, name, (uint8_t *)text, NUMBER_MAX, &n);

	if (r < 0)
		return r;
	if (n > 0 && text[n - 1] == '\n')
		text[--n] = '\0';
	if (n == 0 || strspn(text, base == 16 ? "0123456789abcdefABCDEF" : "0123456789") != n)
		return -EBADMSG;
	errno = 0;
	value = strtoul(text, &end, base);
	if (errno != 0 || value > max)
		return -EBADMSG;
	*out = (uint32_t)value;
	return 0;
}

static void interrupt(int signal)
{
	(void)signal;		/* that a call was interrupted is all it is for */
}

int sysfs_text(int dir_fd, const char *name, char *out, size_t size)
{
	const struct timeval every = { .tv_usec = SYSFS_PATIENCE_MS * 1000 };
	const struct itimerval on = { every, every }, off = { { 0 }, { 0 } };
	struct sigaction wake = { .sa_handler = interrupt }, before;
	size_t n = 0;
	int r;

	if (sigaction(SIGALRM, &wake, &before) < 0 || setitimer(ITIMER_REAL, &on, NULL) < 0)
		return -errno;
	r = read_up_to(dir_fd, name, (uint8_t *)out, size - 1, &n);
	(void)setitimer(ITIMER_REAL, &off, NULL);
	(void)sigaction(SIGALRM, &before, NULL);
	if (r == -ENOENT)
		n = 0;
	else if (r < 0)
		return r == -EINTR ? -EAGAIN : r;
	if (n > 0 && out[n - 1] == '\n')
		n--;
	out[n] = '\0';
	return 0;
}

int sysfs_bytes(int dir_fd, const char *name, uint8_t *out, size_t n)
{
	size_t got = 0;
	int r = read_up_to(dir_fd, name, out, n, &got);

	return r < 0 ? r : got < n ? -EBADMSG : 0;
}
