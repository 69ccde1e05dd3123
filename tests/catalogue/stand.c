/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/catalogue/stand.h"

#include "base/deadline.h"
#include "proto/wire.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

void stand_init(struct stand *stand, uint32_t features, uint32_t max_message)
{
	memset(stand, 0, sizeof(*stand));
	stand->link = stand->err = -1;
	scripted_init(&stand->s, features, max_message);
	stand->s.card = SCRIPTED_APDU;
}

static void run(const char *path, int link, int reader, int err)
{
	char arg0[] = "keyferry-driver", link_fd[] = "3", reader_fd[] = "4";

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* A process that nobody may look into cannot look for its leaks: that would be its status. */
	(void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
	/* Above 9 first, so that 3 and 4 cannot be each other. */
	link = fcntl(link, F_DUPFD, 10);
	reader = fcntl(reader, F_DUPFD, 10);
	if (dup2(err, 2) < 0 || dup2(link, 3) < 0 || dup2(reader, 4) < 0 || close_range(5, ~0u, 0) < 0)
		_exit(126);
	execl(path, arg0, "--link-fd", link_fd, "--reader-fd", reader_fd, "--transport", "socket",
	      "--name", "virtual:row", (char *)NULL);
	_exit(127);
}

void stand_start(struct stand *stand, const char *program, const struct scripted_step *steps,
		 size_t n_steps, bool at_once)
{
	const char *build = getenv("KF_BUILD");
	char path[PATH_MAX];
	int ends[2], reader;

	(void)snprintf(path, sizeof(path), "%s/bin/%s", build ? build : "build", program);
	if (access(path, X_OK) < 0)
		SKIP("%s is not built; set KF_BUILD to where it is", path);
	stand->err = memfd_create("stderr", 0);
	ASSERT_GE(stand->err, 0);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	stand->s.armed = at_once;
	reader = scripted_start(&stand->s, steps, n_steps);
	stand->driver = fork();
	ASSERT_GE(stand->driver, 0);
	if (stand->driver == 0)
		run(path, ends[1], reader, stand->err);
	(void)close(ends[1]);
	(void)close(reader);
	stand->link = ends[0];
}

void stand_end(struct stand *stand)
{
	if (stand->link >= 0)
		(void)close(stand->link);
	stand->link = -1;
	if (stand->driver > 0) {
		(void)kill(stand->driver, SIGKILL);
		(void)waitpid(stand->driver, NULL, 0);
	}
	stand->driver = 0;
	if (stand->s.fd >= 0)
		scripted_stop(&stand->s);
	stand->s.fd = -1;
	if (stand->err >= 0)
		(void)close(stand->err);
	stand->err = -1;
}

/* Return: 0 with a packet; -ECONNRESET; -ETIMEDOUT. */
static int receive(struct stand *stand, struct deadline deadline, struct packet *out)
{
	struct pollfd fd = { .fd = stand->link, .events = POLLIN };
	struct bytes frame;
	int r;

	if (poll(&fd, 1, deadline_poll_ms(deadline)) != 1)
		return -ETIMEDOUT;
	r = wire_recv(stand->link, stand->frame, sizeof(stand->frame), 0, &frame);
	if (r < 0)
		return -ECONNRESET;
	ASSERT_EQ(0, packet_parse(frame, out));
	return 0;
}

int stand_event(struct stand *stand, int ms, struct kf_drv_event *out)
{
	struct packet packet;
	int r;

	if (stand->has_late) {
		stand->has_late = false;
		*out = stand->late;
		return 0;
	}
	do {		/* that it powers the card of one slot of several says nothing yet */
		r = receive(stand, deadline_in((uint64_t)harness_patience_ms(ms)), &packet);
		if (r < 0)
			return r;
		EXPECT_EQ(KF_KIND_EVENT, packet.header.kind);
	} while (packet.header.request == KF_DRV_POWERING);
	*out = *(const struct kf_drv_event *)packet_read(&packet);
	return 0;
}

int stand_reply(struct stand *stand, uint32_t ms, struct packet *reply)
{
	struct deadline deadline = deadline_in(ms);
	int r;

	while ((r = receive(stand, deadline, reply)) == 0) {
		if (reply->header.kind == KF_KIND_REPLY)
			return 0;
		stand->late = *(const struct kf_drv_event *)packet_read(reply);
		stand->has_late = true;
	}
	return r;
}

int stand_call(struct stand *stand, const struct packet *request, struct packet *reply)
{
	static uint8_t buf[KF_PACKET_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	/* The deadline, and what a busy machine may take to tell of it. */
	uint32_t ms = request->header.deadline_ms + (uint32_t)harness_patience_ms(2000);
	int r;

	ASSERT_EQ(0, packet_pack(request, &p));
	if (wire_send(stand->link, pack_done(&p), 0) < 0)
		return -ECONNRESET;
	r = stand_reply(stand, ms, reply);
	if (r < 0)
		*reply = packet_reply(request, r);	/* for who looks into it all the same */
	if (r == -ETIMEDOUT)
		TEST_FAIL("no reply by the deadline of %u ms", request->header.deadline_ms);
	if (r < 0)
		return r;
	EXPECT_EQ(request->header.seq, reply->header.seq);
	return reply->header.result;
}

int stand_greet(struct stand *stand, struct kf_drv_hello *out)
{
	struct packet hello = packet_request(KF_DRV_HELLO, ++stand->seq, 20000), reply;
	int r;

	((struct kf_drv_hello *)packet_body(&hello))->version = KF_PROTO_VERSION;
	r = stand_call(stand, &hello, &reply);
	if (r == 0)
		*out = *(const struct kf_drv_hello *)packet_read(&reply);
	return r;
}

int stand_apdu(struct stand *stand, const char *hex, uint32_t deadline_ms, struct packet *reply)
{
	struct packet request = packet_request(KF_APDU, ++stand->seq, deadline_ms);
	uint8_t command[600];

	packet_set(&request, kf_apdu, command,
		   BYTES(command, unhex(hex, command, sizeof(command))));
	return stand_call(stand, &request, reply);
}

int stand_left(struct stand *stand)
{
	struct deadline deadline = deadline_in((uint64_t)harness_patience_ms(20000));
	int status = -1;

	while (waitpid(stand->driver, &status, WNOHANG) == 0) {
		ASSERT_FALSE(deadline_passed(deadline));
		(void)usleep(5000);
	}
	stand->driver = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

const char *stand_words(struct stand *stand)
{
	static char words[8192];
	ssize_t n = pread(stand->err, words, sizeof(words) - 1, 0);

	words[n > 0 ? n : 0] = '\0';
	return words;
}
