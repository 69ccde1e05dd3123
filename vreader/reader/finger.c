/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vreader/reader/finger.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void finger_ask(struct finger *finger, unsigned int timeout_s)
{
	struct stat st;

	if (finger_is_asked(finger))
		return;
	finger->timeout_s = timeout_s;
	finger->until_ms = now_ms() + timeout_s * 1000;
	if (!finger->path)
		return;
	finger->fd = open(finger->path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (finger->fd >= 0 && (fstat(finger->fd, &st) < 0 || !S_ISFIFO(st.st_mode)))
		finger->fd = fd_close(finger->fd);
}

void finger_dismiss(struct finger *finger)
{
	finger->fd = fd_close(finger->fd);
	finger->until_ms = 0;
}

int finger_wait_ms(const struct finger *finger)
{
	int64_t left = finger->until_ms - now_ms();

	if (!finger_is_asked(finger))
		return -1;
	return left < 0 ? 0 : (int)left;
}

int finger_key(struct finger *finger, uint8_t *key)
{
	if (finger->fd >= 0 && read(finger->fd, key, 1) == 1) {
		finger->until_ms = now_ms() + finger->timeout_s * 1000;
		return 1;
	}
	return now_ms() >= finger->until_ms ? -ETIMEDOUT : 0;
}
