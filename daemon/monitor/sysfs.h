/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/sysfs.h - One attribute of a device, a small file beneath its directory.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SYSFS_PATIENCE_MS 50	/* for attributes that wait for the device */

/* Return: 0; -ENOENT, -ENODEV: the device is gone; -EBADMSG: no number of that base up to @max. */
int sysfs_number(int dir_fd, const char *name, int base, uint32_t max, uint32_t *out);

/*
 * A text that came from the device, without the line's end; empty if it has none. It may hold any
 * byte but NUL. To read one the kernel takes the device's lock, which a device that does not answer
 * can keep for seconds: -EAGAIN after %SYSFS_PATIENCE_MS.
 */
int sysfs_text(int dir_fd, const char *name, char *out, size_t size);

/* The first @n bytes. Return: 0, -EBADMSG if it is shorter, others of open(2) and read(2). */
int sysfs_bytes(int dir_fd, const char *name, uint8_t *out, size_t n);
