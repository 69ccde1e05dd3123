/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/usb/node.c - A usbfs node reads as the device descriptor with every configuration behind
 * it, each of the length it claimed when the kernel enumerated the device. All of it was written by
 * the device; only the walk from one configuration to the next happens here.
 */
#include "driver/usb/node.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define USB_DEVICE_MAJOR	189
#define CONFIG_HEAD		9
#define DESC_CONFIG		0x02

int node_check(int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISCHR(st.st_mode) || major(st.st_rdev) != USB_DEVICE_MAJOR)
		return -EINVAL;
	return (flags & O_ACCMODE) == O_RDWR ? 0 : -EACCES;
}

/* Return: 0 all of it; -EBADMSG the node ends before; or the error of pread(2). */
static int read_at(int fd, void *buf, size_t n, off_t at)
{
	for (size_t have = 0; have < n; ) {
		ssize_t got = pread(fd, (uint8_t *)buf + have, n - have, at + (off_t)have);

		if (got < 0 && errno != EINTR)
			return -errno;
		if (got == 0)
			return -EBADMSG;
		have += got > 0 ? (size_t)got : 0;
	}
	return 0;
}

int node_read_device(int fd, uint8_t out[static NODE_DEVICE_LEN])
{
	static const uint8_t numbers[] = { 2, 8, 10, 12 };	/* bcdUSB, ids, bcdDevice */
	uint8_t raw[NODE_DEVICE_LEN];
	int r = read_at(fd, raw, sizeof(raw), 0);

	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(numbers); i++) {
		uint16_t number;

		memcpy(&number, raw + numbers[i], sizeof(number));
		raw[numbers[i]] = (uint8_t)number;
		raw[numbers[i] + 1] = (uint8_t)(number >> 8);
	}
	memcpy(out, raw, sizeof(raw));
	return 0;
}

static int take_config(int fd, off_t at, size_t total, uint8_t **out, size_t *n)
{
	_cleanup_(freep) uint8_t *config = malloc(total);
	int r;

	if (!config)
		return -ENOMEM;
	r = read_at(fd, config, total, at);
	if (r < 0)
		return r;
	*out = take_ptr(config);
	*n = total;
	return 0;
}

int node_read_config(int fd, int value, uint8_t **out, size_t *n)
{
	off_t at = NODE_DEVICE_LEN;

	for (unsigned int i = 0; i < NODE_CONFIGS; i++) {
		uint8_t head[CONFIG_HEAD];
		struct unpacker u = unpack_begin(BYTES_OF(head));
		uint16_t total;
		int r = read_at(fd, head, sizeof(head), at);

		if (r == -EBADMSG)
			break;
		if (r < 0)
			return r;
		unpack_skip(&u, 1);		/* bLength: the parser's to judge */
		if (unpack_u8(&u) != DESC_CONFIG)
			return -EBADMSG;
		total = unpack_le16(&u);
		unpack_skip(&u, 1);		/* bNumInterfaces */
		if (total < CONFIG_HEAD)
			return -EBADMSG;
		if (value < 0 || unpack_u8(&u) == value)
			return take_config(fd, at, total, out, n);
		at += total;
	}
	return -ENOENT;
}

bool node_hangs_up_within(int fd, int ms)
{
	struct pollfd node = { .fd = fd };

	return poll(&node, 1, ms) > 0 && (node.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

bool node_hung_up(int fd)
{
	return node_hangs_up_within(fd, 0);
}

bool node_is_claimed(int fd, uint8_t interface)
{
	struct usbdevfs_getdriver driver = { .interface = interface };

	return ioctl(fd, USBDEVFS_GETDRIVER, &driver) == 0 && strcmp(driver.driver, "usbfs") == 0;
}

int node_reset_endpoint(int fd, uint8_t endpoint)
{
	unsigned int address = endpoint;

	if (ioctl(fd, USBDEVFS_RESETEP, &address) == 0)
		return 0;
	return errno == ENODEV ? -ENODEV : -EIO;
}
