/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Raw APDUs through the broker to the only reader there is, for comparing answers: say_apdu SOCKET HEX...
 * prints each answer, data and status word, as one line of hexadecimal digits.
 */
#include "base/cleanup.h"
#include "proto/packet.h"
#include "proto/wire.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { DEADLINE_MS = 30000, TRIES = 300, RETRY_MS = 100 };

static uint8_t frame[KF_PACKET_MAX];
static uint32_t last_seq;

static void give_up(const char *what, int error)
{
	(void)fprintf(stderr, "say_apdu: %s: %s\n", what, strerror(error));
	exit(1);
}

static int dial(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		give_up(path, errno);
	return fd;
}

/* Return: the result in the reply, which is borrowed until the next call. */
static int ask(int fd, struct packet *request, struct packet *reply)
{
	struct packer p = pack_begin(frame, sizeof(frame));
	ssize_t n;

	request->header.seq = ++last_seq;
	if (packet_pack(request, &p) < 0 || send(fd, frame, p.n, MSG_NOSIGNAL) < 0)
		give_up("the request cannot be sent", errno);
	do {
		n = recv(fd, frame, sizeof(frame), 0);
		if (n <= 0)
			give_up("the broker has hung up", n < 0 ? errno : EPIPE);
		if (packet_parse(BYTES(frame, n), reply) < 0)
			give_up("no packet", EBADMSG);
	} while (reply->header.seq != last_seq || reply->header.kind != KF_KIND_REPLY);
	return (int)reply->header.result;
}

static void greet(int fd)
{
	struct packet request = packet_request(KF_HELLO, 0, DEADLINE_MS), reply;
	struct kf_hello *hello = packet_body(&request);
	int r;

	hello->version = KF_PROTO_VERSION;
	hello->max_packet = KF_PACKET_MAX;
	packet_set_string(hello->name, "say_apdu");
	r = ask(fd, &request, &reply);
	if (r < 0)
		give_up("greeting", -r);
}

/* The reader may have been plugged in a moment ago. */
static uint64_t open_context(int fd)
{
	int r = -ENOENT;

	for (int i = 0; i < TRIES && (r == -ENOENT || r == -ENOMEDIUM); i++) {
		struct packet request = packet_request(KF_CONTEXT_OPEN, 0, DEADLINE_MS), reply;
		struct kf_context_open *open = packet_body(&request);

		open->flags = KF_OPEN_WAIT;
		r = ask(fd, &request, &reply);
		if (r >= 0)
			return ((const struct kf_context_open *)packet_read(&reply))->context;
		(void)poll(NULL, 0, RETRY_MS);
	}
	give_up("no reader with a card", -r);
	return 0;
}

static void say(int fd, uint64_t context, const char *hex)
{
	struct packet request = packet_request(KF_APDU, 0, DEADLINE_MS), reply;
	uint8_t command[1024];
	size_t n = 0;
	struct bytes response;
	int r;

	for (; n < sizeof(command) && sscanf(hex + 2 * n, "%2hhx", &command[n]) == 1; n++)
		;
	((struct kf_apdu *)packet_body(&request))->context = context;
	packet_set(&request, kf_apdu, command, BYTES(command, n));
	r = ask(fd, &request, &reply);
	if (r < 0)
		give_up(hex, -r);
	response = packet_get(&reply, kf_apdu, response);
	for (size_t i = 0; i < response.n; i++)
		(void)printf("%02X", response.p[i]);
	(void)putchar('\n');
}

int main(int argc, char **argv)
{
	uint64_t context;
	int fd;

	if (argc < 3)
		return 2;
	fd = dial(argv[1]);
	greet(fd);
	context = open_context(fd);
	for (int i = 2; i < argc; i++)
		say(fd, context, argv[i]);
	return 0;
}
