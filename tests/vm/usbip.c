/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/vm/usbip.c - The protocol is the kernel's Documentation/usb/usbip_protocol.rst: headers of 48
 * bytes, all numbers big-endian.
 */
#include "tests/vm/usbip.h"

#include "tests/harness.h"
#include "tests/vm/gadget.h"

#include <dirent.h>
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define VHCI	"/sys/devices/platform/vhci_hcd.0"
#define DEVICES	"/sys/bus/usb/devices"
#define SERIAL	"never-answers"
#define HIGH_SPEED 3

enum { CMD_SUBMIT = 1, CMD_UNLINK = 2, RET_SUBMIT = 3, RET_UNLINK = 4 };

struct header {
	uint32_t command, seqnum, devid, direction, ep;
	union {
		struct {
			uint32_t flags, length, start_frame, n_packets, interval;
			uint8_t setup[8];
		} submit;
		struct {
			uint32_t status, length, start_frame, n_packets, errors;
			uint8_t unused[8];
		} ret;
		uint8_t pad[28];
	};
};
static_assert(sizeof(struct header) == 48, "header");

static const uint8_t device_descriptor[] = {
	18, 1, 0x00, 0x02, 0, 0, 0, 64, 0x09, 0x12, 0x02, 0x27, 0x00, 0x01, 0, 0, 1, 1,
};
static const uint8_t config_descriptor[] = {
	9, 2, 86, 0, 1, 1, 0, 0x80, 50,
	9, 4, 0, 0, 2, 0x0b, 0, 0, 0,
	54, 0x21, 0x10, 0x01, 0, 7, 2, 0, 0, 0, 0xa0, 0x0f, 0, 0, 0xa0, 0x0f, 0, 0, 0, 0, 0x2a,
	0, 0, 0, 0x2a, 0, 0, 0, 254, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xba, 0x04, 0x02, 0, 0x0f,
	0x01, 0, 0, 0, 0, 0, 0, 0, 1,
	7, 5, 0x01, 2, 0x00, 0x02, 0,
	7, 5, 0x82, 2, 0x00, 0x02, 0,
};
static_assert(sizeof(config_descriptor) == 86, "wTotalLength");
static const uint8_t languages[] = { 4, 3, 0x09, 0x04 };

static bool read_all(int fd, void *buf, size_t n)
{
	return n == 0 || recv(fd, buf, n, MSG_WAITALL) == (ssize_t)n;
}

static void answer(struct usbip *device, const struct header *to, int status, struct bytes data)
{
	uint32_t asked = be32toh(to->submit.length);
	struct header h = { .command = htobe32(RET_SUBMIT), .seqnum = to->seqnum };

	if (data.n > asked)
		data.n = asked;
	h.ret.status = htobe32((uint32_t)status);
	h.ret.length = to->direction != 0 ? htobe32((uint32_t)data.n) : to->submit.length;
	(void)!send(device->fd, &h, sizeof(h), MSG_NOSIGNAL);
	if (to->direction != 0 && data.n != 0)
		(void)!send(device->fd, data.p, data.n, MSG_NOSIGNAL);
}

static void serial_string(struct usbip *device, const struct header *to)
{
	uint8_t string[2 + 2 * (sizeof(SERIAL) - 1)] = { sizeof(string), 3 };

	for (size_t i = 0; i < sizeof(SERIAL) - 1; i++)
		string[2 + 2 * i] = (uint8_t)SERIAL[i];
	answer(device, to, 0, BYTES_OF(string));
}

static void get_descriptor(struct usbip *device, const struct header *to)
{
	const uint8_t *setup = to->submit.setup;

	if (setup[3] == 1)
		answer(device, to, 0, BYTES_OF(device_descriptor));
	else if (setup[3] == 2)
		answer(device, to, 0, BYTES_OF(config_descriptor));
	else if (setup[3] == 3 && setup[2] == 0)
		answer(device, to, 0, BYTES_OF(languages));
	else if (setup[3] == 3)
		serial_string(device, to);
	else
		answer(device, to, -EPIPE, BYTES_NONE);
}

static void control(struct usbip *device, const struct header *to)
{
	static const uint8_t status[2] = { 0 };

	switch (to->submit.setup[1]) {
	case 0x00:
		answer(device, to, 0, BYTES_OF(status));
		return;
	case 0x06:
		get_descriptor(device, to);
		return;
	case 0x08:
		device->configuration_asked++;
		return;
	case 0x09:
	case 0x0b:
		answer(device, to, 0, BYTES_NONE);
		return;
	default:
		answer(device, to, -EPIPE, BYTES_NONE);
	}
}

static void submitted(struct usbip *device, const struct header *h)
{
	uint32_t length = be32toh(h->submit.length);
	uint8_t buf[4096];

	if (h->direction == 0 && !(length <= sizeof(buf) && read_all(device->fd, buf, length)))
		return;
	if (h->ep == 0) {
		control(device, h);
	} else if (h->direction == 0) {
		device->commands++;
		answer(device, h, 0, BYTES_NONE);
	}
}

static void *serve(void *arg)
{
	struct usbip *device = arg;
	struct header h;

	while (read_all(device->fd, &h, sizeof(h))) {
		if (be32toh(h.command) == CMD_SUBMIT) {
			submitted(device, &h);
		} else {
			struct header ret = {
				.command = htobe32(RET_UNLINK), .seqnum = h.seqnum,
				.ret.status = htobe32((uint32_t)-ECONNRESET),
			};

			(void)!send(device->fd, &ret, sizeof(ret), MSG_NOSIGNAL);
		}
	}
	return NULL;
}

static bool write_line(const char *path, const char *line)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, line, strlen(line)) == (ssize_t)strlen(line);

	if (fd >= 0)
		(void)close(fd);
	return good;
}

void usbip_start(struct usbip *device)
{
	char line[64];
	int ends[2];

	*device = (struct usbip){ .fd = -1 };
	if (access(VHCI, F_OK) < 0)
		SKIP("this kernel has no vhci_hcd");
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	device->fd = ends[0];
	ASSERT_EQ(0, pthread_create(&device->thread, NULL, serve, device));
	(void)snprintf(line, sizeof(line), "0 %d 1 %d", ends[1], HIGH_SPEED);
	ASSERT_TRUE(write_line(VHCI "/attach", line));
	(void)close(ends[1]);
}

int usbip_open(const struct usbip *device)
{
	char folder[300], value[64], bus[8], number[8], path[64];
	int fd = -1;

	(void)device;
	for (int left = harness_patience_ms(10000); left > 0 && fd < 0; left -= 10) {
		DIR *dir = opendir(DEVICES);
		struct dirent *e;

		ASSERT_NOT_NULL(dir);
		while (fd < 0 && (e = readdir(dir))) {
			(void)snprintf(folder, sizeof(folder), DEVICES "/%s", e->d_name);
			if (!gadget_read_file(folder, "serial", value, sizeof(value)) ||
			    strcmp(value, SERIAL) != 0 ||
			    !gadget_read_file(folder, "bConfigurationValue", value, 8) ||
			    value[0] != '1' || !gadget_read_file(folder, "busnum", bus, 8) ||
			    !gadget_read_file(folder, "devnum", number, 8))
				continue;
			(void)snprintf(path, sizeof(path), "/dev/bus/usb/%03d/%03d", atoi(bus),
				       atoi(number));
			fd = open(path, O_RDWR | O_CLOEXEC);
		}
		(void)closedir(dir);
		(void)usleep(10000);
	}
	ASSERT_GE(fd, 0);
	return fd;
}

void usbip_stop(struct usbip *device)
{
	if (device->fd < 0)
		return;
	(void)write_line(VHCI "/detach", "0");
	(void)shutdown(device->fd, SHUT_RDWR);
	(void)pthread_join(device->thread, NULL);
	(void)close(device->fd);
	device->fd = -1;
}
