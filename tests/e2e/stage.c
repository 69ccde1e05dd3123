/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/stage.c - keyferryd gets its command line from a small script, because a stage may have
 * sixty-four readers; the script is replaced by it, so the pid is the monitor's.
 */
#include "tests/e2e/stage.h"

#include "base/cleanup.h"
#include "proto/wire.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { REPLY_MS = 10000 };

static uint32_t next_seq = 1000;

static struct sockaddr_un address(const struct stage *stage, const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%.50s/run/%.40s.sock",
		       stage->rig.dir, name);
	return addr;
}

int stage_listen(struct stage *stage, const char *name)
{
	struct sockaddr_un addr = address(stage, name);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	ASSERT_EQ(0, listen(fd, 256));
	ASSERT_EQ(0, chmod(addr.sun_path, 0777));
	return fd;
}

void stage_open(struct stage *stage, const char *const *readers)
{
	struct rlimit files = { 4096, 4096 };
	char copy[512];

	*stage = (struct stage){ 0 };
	(void)setrlimit(RLIMIT_NOFILE, &files);
	rig_open(&stage->rig);
	if (getuid() == 0)
		ASSERT_EQ(0, setgroups(0, NULL));
	(void)snprintf(copy, sizeof(copy), "cp '%s/tests/e2e/puppet_driver' '%s/bin/'",
		       getenv("KF_BUILD"), stage->rig.dir);
	ASSERT_EQ(0, system(copy));
	for (; readers[stage->n_readers]; stage->n_readers++) {
		const char *name = readers[stage->n_readers];

		ASSERT_LT(stage->n_readers, STAGE_READERS);
		stage->readers[stage->n_readers] = name;
		stage->listeners[stage->n_readers] = stage_listen(stage, name);
	}
}

static void write_script(struct stage *stage, const char *options)
{
	const char *path = rig_path(&stage->rig, "bin/stage");
	FILE *f = fopen(path, "we");

	ASSERT_TRUE(f != NULL);
	(void)fprintf(f, "#!/bin/sh\nexec bin/keyferryd --socket '%s' --driver bin/puppet_driver",
		      rig_path(&stage->rig, "run/broker.sock"));
	for (size_t i = 0; i < stage->n_readers; i++)
		(void)fprintf(f, " --virtual '%s/run/%s.sock'", stage->rig.dir, stage->readers[i]);
	(void)fprintf(f, " %s\n", options);
	ASSERT_EQ(0, fclose(f));
	ASSERT_EQ(0, chmod(path, 0755));
}

static bool can_dial(void *data)
{
	const struct stage *stage = data;
	int fd = stage_dial(stage, stage->rig.uid[RIG_SERVICE]);
	bool yes = fd >= 0;

	fd_close(fd);
	return yes;
}

static bool all_have_cards(void *data)
{
	const struct stage *stage = data;
	_cleanup_(fd_closep) int fd = stage_greet(stage, stage->rig.uid[RIG_SERVICE]);
	char name[KF_NAME_MAX];
	struct kf_reader_entry entry;

	for (size_t i = 0; i < stage->n_readers; i++) {
		(void)snprintf(name, sizeof(name), "virtual:%s", stage->readers[i]);
		if (strcmp(stage->readers[i], "born-bad") == 0)
			continue;
		if (!raw_reader(fd, name, &entry) || entry.state != KF_READER_CARD)
			return false;
	}
	return true;
}

void stage_start(struct stage *stage, const char *options)
{
	write_script(stage, options);
	stage->rig.service = rig_spawn(&stage->rig, RIG_SERVICE, NULL, "mail/service.log", "stage",
				       NULL);
	ASSERT_TRUE(rig_until(can_dial, stage, 10000));
	ASSERT_TRUE(rig_until(all_have_cards, stage, 10000));
	stage->broker = rig_pid_of(&stage->rig, "keyferry-broker");
	ASSERT_GT(stage->broker, 0);
}

void stage_stop(struct stage *stage)
{
	rig_stop_service(&stage->rig);
}

void stage_close(struct stage *stage)
{
	stage_stop(stage);
	for (size_t i = 0; i < stage->n_readers; i++)
		fd_close(stage->listeners[i]);
	rig_close(&stage->rig);
}

/* --- what the programs left behind --- */

static size_t slurp(const char *path, char *out, size_t cap)
{
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;

	while (fd >= 0 && n + 1 < cap) {
		ssize_t got = read(fd, out + n, cap - 1 - n);

		if (got <= 0)
			break;
		n += (size_t)got;
	}
	out[n] = 0;
	return n;
}

size_t stage_asked(const struct stage *stage, const char *name, char *out, size_t cap)
{
	char file[128];

	(void)snprintf(file, sizeof(file), "mail/%s.asked", name);
	return slurp(rig_path(&stage->rig, file), out, cap);
}

size_t stage_count_in(const struct stage *stage, const char *name, const char *text)
{
	static char all[1024 * 1024];
	size_t n = 0;

	(void)slurp(rig_path(&stage->rig, name), all, sizeof(all));
	for (const char *p = all; (p = strstr(p, text)); p += strlen(text))
		n++;
	return n;
}

size_t stage_asked_count(const struct stage *stage, const char *name)
{
	char file[128];

	(void)snprintf(file, sizeof(file), "mail/%s.asked", name);
	return stage_count_in(stage, file, "\n");
}

/* --- connections --- */

int stage_dial(const struct stage *stage, uid_t uid)
{
	struct sockaddr_un addr = address(stage, "broker");
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	bool other = uid != geteuid();
	int r;

	if (fd < 0)
		return -errno;
	if (other && (setegid(uid) < 0 || seteuid(uid) < 0))
		TEST_FAIL("cannot become uid %u", (unsigned)uid);
	r = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
	if (other && (seteuid(0) < 0 || setegid(0) < 0))
		TEST_FAIL("cannot become root again");
	if (r < 0)
		fd_close(fd);
	return r < 0 ? r : fd;
}

struct bytes raw_frame(struct packet *packet)
{
	static uint8_t frames[7][KF_PACKET_MAX];
	static unsigned next;
	struct packer p = pack_begin(frames[next++ % 7], KF_PACKET_MAX);

	packet->header.seq = ++next_seq;
	ASSERT_EQ(0, packet_pack(packet, &p));
	return pack_done(&p);
}

int raw_send(int fd, struct bytes frame)
{
	return wire_send(fd, frame, 0);
}

int raw_recv(int fd, struct packet *out)
{
	static uint8_t buf[KF_PACKET_MAX];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct bytes frame;
	int r;

	if (poll(&p, 1, harness_patience_ms(REPLY_MS)) <= 0)
		return -ETIMEDOUT;
	r = wire_recv(fd, buf, sizeof(buf), 0, &frame);
	return r < 0 ? r : packet_parse(frame, out);
}

int raw_ask(int fd, struct packet *request, struct packet *reply)
{
	int r = raw_send(fd, raw_frame(request));

	if (r < 0)
		return r;
	do
		r = raw_recv(fd, reply);
	while (r == 0 && reply->header.seq != request->header.seq);
	return r < 0 ? r : reply->header.result;
}

int raw_call(int fd, uint32_t request, uint64_t id, struct packet *reply)
{
	struct packet ask = packet_request(request, 0, 0);

	memcpy(packet_body(&ask), &id, sizeof(id));
	return raw_ask(fd, &ask, reply);
}

bool raw_is_cut(int fd)
{
	uint8_t buf[64];
	struct bytes frame;
	int r;

	do {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (poll(&p, 1, harness_patience_ms(REPLY_MS)) <= 0)
			return false;
		r = wire_recv(fd, buf, sizeof(buf), MSG_DONTWAIT, &frame);
	} while (r == 0 || r == -EMSGSIZE);	/* what was under way may still arrive */
	return r == -ECONNRESET;
}

int stage_greet(const struct stage *stage, uid_t uid)
{
	struct packet hello = packet_request(KF_HELLO, 0, 0), reply;
	struct kf_hello *body = packet_body(&hello);
	int fd = stage_dial(stage, uid);

	ASSERT_GE(fd, 0);
	body->version = KF_PROTO_VERSION;
	body->max_packet = KF_PACKET_MAX;
	packet_set_string(body->name, "stage");
	ASSERT_EQ(0, raw_ask(fd, &hello, &reply));
	return fd;
}

uint64_t raw_context(int fd, const char *reader)
{
	struct packet ask = packet_request(KF_CONTEXT_OPEN, 0, 0), reply;
	char name[KF_NAME_MAX];

	(void)snprintf(name, sizeof(name), "virtual:%s", reader);
	packet_set_string(((struct kf_context_open *)packet_body(&ask))->name, name);
	ASSERT_EQ(0, raw_ask(fd, &ask, &reply));
	return ((const struct kf_context_open *)packet_read(&reply))->context;
}

uint64_t raw_key(int fd, uint64_t context)
{
	struct packet ask = packet_request(KF_SESSION_IMPORT, 0, 0), reply;

	((struct kf_session_import *)packet_body(&ask))->context = context;
	ASSERT_EQ(0, raw_ask(fd, &ask, &reply));
	return ((const struct kf_session_import *)packet_read(&reply))->key;
}

int raw_verify(int fd, uint64_t context, const char *pin, uint32_t flags, struct packet *reply)
{
	struct packet ask = packet_request(KF_PIN_VERIFY, 0, 0);
	struct kf_pin_verify *body = packet_body(&ask);

	body->context = context;
	body->pin = KF_PIN_USER;
	body->flags = flags;
	packet_set(&ask, kf_pin_verify, value, BYTES(pin, strlen(pin)));
	return raw_ask(fd, &ask, reply);
}

int raw_sign(int fd, uint64_t context, uint8_t mark, uint32_t deadline_ms, struct packet *reply)
{
	struct packet ask = packet_request(KF_SIGN, 0, deadline_ms);
	uint8_t digest[32] = { mark };

	((struct kf_sign *)packet_body(&ask))->context = context;
	((struct kf_sign *)packet_body(&ask))->padding = KF_PADDING_NONE;
	((struct kf_sign *)packet_body(&ask))->hash = KF_HASH_SHA256;
	packet_set(&ask, kf_sign, digest, BYTES_OF(digest));
	return raw_ask(fd, &ask, reply);
}

bool raw_reader(int fd, const char *name, struct kf_reader_entry *out)
{
	struct packet ask = packet_request(KF_READER_LIST, 0, 0), reply;
	struct bytes rows;

	if (raw_ask(fd, &ask, &reply) < 0)
		return false;
	rows = packet_get(&reply, kf_reader_list, readers);
	for (size_t at = 0; at + sizeof(*out) <= rows.n; at += sizeof(*out)) {
		memcpy(out, rows.p + at, sizeof(*out));
		if (strcmp(out->name, name) == 0)
			return true;
	}
	return false;
}

bool raw_driver(int fd, uint32_t reader, struct kf_process_entry *out)
{
	struct packet ask = packet_request(KF_STATUS, 0, 0), reply;
	struct bytes rows;

	if (raw_ask(fd, &ask, &reply) < 0)
		return false;
	rows = packet_get(&reply, kf_status, processes);
	for (size_t at = 0; at + sizeof(*out) <= rows.n; at += sizeof(*out)) {
		memcpy(out, rows.p + at, sizeof(*out));
		if (out->role == KF_ROLE_DRIVER && out->reader == reader)
			return true;
	}
	return false;
}

/* --- /proc --- */

size_t proc_fds(pid_t pid)
{
	char path[64];
	size_t n = 0;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	for (struct dirent *d = dir ? readdir(dir) : NULL; d; d = readdir(dir))
		n += d->d_name[0] != '.';
	if (dir)
		(void)closedir(dir);
	return n;
}

long proc_status(pid_t pid, const char *key)
{
	char path[64], text[4096], wanted[64];
	const char *p;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	(void)snprintf(wanted, sizeof(wanted), "\n%s:", key);
	(void)slurp(path, text, sizeof(text));
	p = strstr(text, wanted);
	return p ? strtol(p + strlen(wanted), NULL, 10) : -1;
}

bool proc_is_gone(pid_t pid)
{
	char path[64], text[256];
	const char *state;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (slurp(path, text, sizeof(text)) == 0)
		return true;
	state = strrchr(text, ')');	/* a zombie waits for a parent that does not ask */
	return state && state[1] == ' ' && state[2] == 'Z';
}
