/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/steps.h - What the two sides of the 31-step use case share: a line to each other and a
 * line to whoever counts. The rows are those of the smart card minidriver's Secure Key Injection
 * use case; each side reports the steps it took part in.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define STEPS_MESSAGE_MAX 16384

/* What travels between client application and server application, one packet each. */
enum steps_tag {
	STEPS_REQUEST = 1,		/* template name */
	STEPS_CHALLENGE = 2,		/* challenge JSON */
	STEPS_OFFER = 3,		/* offer JSON */
	STEPS_SESSION_KEY = 4,		/* wrapped S1 */
	STEPS_ACK = 5,
	STEPS_KEY = 6,			/* IV, 16 bytes, and the item */
	STEPS_DONE = 7,			/* receipt JSON */
};

__attribute__((format(printf, 3, 4)))
static inline void steps_report(int step, bool ok, const char *format, ...)
{
	va_list ap;

	printf("%s %d ", ok ? "ok" : "not ok", step);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	if (!ok)
		exit(1);
}

/* What is no step, as a comment. */
__attribute__((format(printf, 1, 2)))
static inline void steps_remark(const char *format, ...)
{
	va_list ap;

	printf("# ");
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

static inline void steps_send(int fd, enum steps_tag tag, const void *data, size_t n)
{
	static uint8_t packet[1 + STEPS_MESSAGE_MAX];

	packet[0] = (uint8_t)tag;
	if (n > STEPS_MESSAGE_MAX)
		abort();
	memcpy(packet + 1, data, n);
	if (send(fd, packet, n + 1, MSG_NOSIGNAL) != (ssize_t)n + 1)
		exit(3);
}

static inline size_t steps_receive(int fd, enum steps_tag tag, uint8_t *out, size_t cap)
{
	static uint8_t packet[1 + STEPS_MESSAGE_MAX];
	ssize_t n = recv(fd, packet, sizeof(packet), 0);

	if (n < 1 || packet[0] != tag || (size_t)n - 1 > cap)
		exit(3);
	memcpy(out, packet + 1, (size_t)n - 1);
	return (size_t)n - 1;
}

static inline struct sockaddr_un steps_address(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path))
		exit(2);
	memcpy(address.sun_path, path, strlen(path) + 1);
	return address;
}
