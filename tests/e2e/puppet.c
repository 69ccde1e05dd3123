/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/puppet.c - A driver with no reader behind it, started by the monitor like the real one.
 * The reader's name says what it does; "honest..." keeps a card with a PIN and answers, "slow..."
 * does so after 15 ms, and each of the others is a way of being taken over, shown when it is asked
 * to sign. Each request but the broker's own chores leaves a line in mail/NAME.asked.
 */
#include "base/harden.h"
#include "proto/packet.h"
#include "proto/wire.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PIN "2468"
#define FLOOD 20000

static struct {
	int link;
	const char *mode;
	bool verified;
	uint64_t ref;
	uint8_t buf[KF_PACKET_MAX];
} me = { .link = 3, .mode = "honest", .ref = 41 };

static void send_bytes(struct bytes frame)
{
	if (wire_send(me.link, frame, 0) < 0)
		_exit(0);
}

static void send_packet(const struct packet *packet)
{
	static uint8_t out[KF_PACKET_MAX];
	struct packer p = pack_begin(out, sizeof(out));

	if (packet_pack(packet, &p) < 0)
		_exit(3);
	send_bytes(pack_done(&p));
}

static void say(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A line in mail/MODE.NAME, under the monitor's working folder. */
static void say(const char *name, const char *format, ...)
{
	char path[256];
	va_list ap;
	int fd;

	(void)snprintf(path, sizeof(path), "mail/%s.%s", me.mode, name);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	va_start(ap, format);
	if (fd >= 0)
		(void)vdprintf(fd, format, ap);
	va_end(ap);
	(void)close(fd);
}

static struct packet card_event(enum kf_change change)
{
	struct packet p = packet_event(KF_DRV_EVENT);
	struct kf_drv_event *event = packet_body(&p);

	event->change = change;
	if (change == KF_CHANGE_CARD_INSERTED || change == KF_CHANGE_CARD_RESET) {
		event->flags = KF_CARD_SESSIONS_STAY;
		event->atr_len = 2;
		event->atr[0] = 0x3b;
		packet_set_string(event->card, "puppet");
	}
	return p;
}

static void send_event(enum kf_change change)
{
	struct packet p = card_event(change);

	send_packet(&p);
}

/* --- the honest half --- */

static struct packet refuse(const struct packet *ask, int result, uint16_t reason, uint32_t detail)
{
	struct packet reply = packet_reply(ask, result);

	reply.header.reason = reason;
	reply.header.detail = detail;
	return reply;
}

static struct packet verify(const struct packet *ask)
{
	struct bytes pin = packet_get(ask, kf_pin_verify, value);

	if (!bytes_equal(pin, BYTES(PIN, strlen(PIN))))
		return refuse(ask, -EKEYREJECTED, KF_REASON_PIN_WRONG, 9);
	me.verified = true;
	return packet_reply(ask, 0);
}

static struct packet sign(const struct packet *ask)
{
	struct packet reply = packet_reply(ask, 0);

	if (!me.verified && strcmp(me.mode, "honest-pin") == 0)
		return refuse(ask, -EPERM, KF_REASON_PIN_NEEDED, KF_PIN_USER);
	packet_set(&reply, kf_sign, signature, BYTES("signed", 6));
	return reply;
}

static struct packet answer(const struct packet *ask)
{
	struct packet reply = packet_reply(ask, 0);
	void *body = packet_body(&reply);

	switch (ask->header.request) {
	case KF_DRV_HELLO:
		((struct kf_drv_hello *)body)->version = KF_PROTO_VERSION;
		packet_set_string(((struct kf_drv_hello *)body)->driver_version, "puppet");
		break;
	case KF_DRV_DROP:
		me.verified = false;
		break;
	case KF_DRV_POWER_CYCLE:
		me.verified = false;
		((struct kf_drv_power_cycle *)body)->atr_len = 1;
		break;
	case KF_PIN_STATUS:
		((struct kf_pin_status *)body)->tries_left = 9;
		((struct kf_pin_status *)body)->flags = KF_PIN_VERIFIED;	/* not its to say */
		break;
	case KF_CARD_INFO:	/* neither these */
		((struct kf_card_info *)body)->verified = 0xff;
		((struct kf_card_info *)body)->generation = 4711;
		((struct kf_card_info *)body)->context = 0x1122334455667788;
		break;
	case KF_PIN_VERIFY:
		return verify(ask);
	case KF_SIGN:
		return sign(ask);
	case KF_SESSION_IMPORT:
		((struct kf_session_import *)body)->key = ++me.ref;
		break;
	case KF_APDU:
		packet_set(&reply, kf_apdu, response, BYTES("\x90\x00", 2));
		break;
	}
	return reply;
}

/* --- ways of being taken over: what is said to KF_SIGN --- */

static void twice(const struct packet *ask)
{
	struct packet reply = answer(ask);

	send_packet(&reply);
	send_packet(&reply);
}

static void wrong_seq(const struct packet *ask)
{
	struct packet reply = answer(ask);

	reply.header.seq++;
	send_packet(&reply);
}

static void reply_as(const struct packet *ask, uint32_t request)
{
	struct packet reply = packet_begin(KF_KIND_REPLY, request, ask->header.seq);

	send_packet(&reply);
}

static void wrong_number(const struct packet *ask)
{
	reply_as(ask, KF_DECRYPT);
}

static void chores_number(const struct packet *ask)
{
	reply_as(ask, KF_DRV_DROP);
}

/* A good reply with its bytes changed by @spoil. */
static void spoiled(const struct packet *ask, size_t at, uint8_t value)
{
	static uint8_t out[KF_PACKET_MAX];
	struct packer p = pack_begin(out, sizeof(out));
	struct packet reply = answer(ask);

	if (packet_pack(&reply, &p) < 0)
		_exit(3);
	out[at] = value;
	send_bytes(pack_done(&p));
}

static void wrong_magic(const struct packet *ask)
{
	spoiled(ask, 0, 0x55);
}

static void wrong_size(const struct packet *ask)
{
	spoiled(ask, offsetof(struct kf_header, size) + 2, 1);
}

static void good_news(const struct packet *ask)
{
	spoiled(ask, offsetof(struct kf_header, result), 1);	/* above zero */
}

static void far_part(const struct packet *ask)
{
	spoiled(ask, sizeof(struct kf_header) + offsetof(struct kf_sign, signature) + 2, 1);
}

static void long_part(const struct packet *ask)
{
	spoiled(ask, sizeof(struct kf_header) + offsetof(struct kf_sign, signature) + 6, 1);
}

static void garbage(const struct packet *ask)
{
	(void)ask;
	for (size_t i = 0; i < 300; i++)
		me.buf[i] = (uint8_t)(i * 167 + 13);
	send_bytes(BYTES(me.buf, 300));
}

static void empty_packet(const struct packet *ask)
{
	(void)ask;
	send_bytes(BYTES(me.buf, 0));	/* looks like the end */
	(void)pause();
}

/* Closes its link but keeps the reader. */
static void lingers(const struct packet *ask)
{
	(void)ask;
	(void)shutdown(me.link, SHUT_RDWR);
	(void)pause();
}

static void oversize(const struct packet *ask)
{
	static uint8_t big[KF_PACKET_MAX + 1];

	(void)ask;
	send_bytes(BYTES(big, sizeof(big)));
}

/* As if it were a client: who are the others? */
static void own_request(const struct packet *ask)
{
	struct packet request = packet_request(KF_CLIENTS, 7, 1000);

	(void)ask;
	send_packet(&request);
}

/* The broker's own event, about somebody else's reader. */
static void brokers_event(const struct packet *ask)
{
	struct packet p = packet_event(KF_EVENT);
	struct kf_event *event = packet_body(&p);

	(void)ask;
	event->change = KF_CHANGE_READER_REMOVED;
	packet_set_string(event->entry.name, "virtual:honest");
	send_packet(&p);
}

static void second_card(const struct packet *ask)
{
	(void)ask;
	send_event(KF_CHANGE_CARD_INSERTED);
}

static void reset_of_nothing(const struct packet *ask)
{
	(void)ask;
	send_event(KF_CHANGE_CARD_REMOVED);
	send_event(KF_CHANGE_CARD_RESET);
}

static void unknown_event(const struct packet *ask)
{
	(void)ask;
	send_event(99);
}

static void long_atr(const struct packet *ask)
{
	struct packet p = card_event(KF_CHANGE_CARD_RESET);

	(void)ask;
	((struct kf_drv_event *)packet_body(&p))->atr_len = 200;
	send_packet(&p);
}

static void ugly_name(const struct packet *ask)
{
	struct packet p = card_event(KF_CHANGE_CARD_RESET);

	(void)ask;
	memcpy(((struct kf_drv_event *)packet_body(&p))->card, "a\x1b[2J", 6);
	send_packet(&p);
}

static void flood_events(const struct packet *ask)
{
	(void)ask;
	for (int i = 0; i < FLOOD; i++)
		send_event(i % 2 ? KF_CHANGE_CARD_INSERTED : KF_CHANGE_CARD_REMOVED);
}

static void flood_mute(const struct packet *ask)
{
	(void)ask;
	for (int i = 0; i < FLOOD; i++)
		send_event(KF_CHANGE_CARD_MUTE);
}

static void flood_replies(const struct packet *ask)
{
	struct packet reply = answer(ask);

	for (int i = 0; i < FLOOD; i++)
		send_packet(&reply);
}

static void with_descriptor(const struct packet *ask)
{
	struct packet reply = answer(ask);
	struct packer p = pack_begin(me.buf, sizeof(me.buf));
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = me.buf };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf,
			      .msg_controllen = sizeof(control.buf) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int fd = 0;

	if (packet_pack(&reply, &p) < 0)
		_exit(3);
	iov.iov_len = p.n;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	(void)sendmsg(me.link, &msg, MSG_NOSIGNAL);
}

static void silent(const struct packet *ask)
{
	(void)ask;
	(void)pause();
}

static void dies(const struct packet *ask)
{
	(void)ask;
	abort();
}

/* --- what else it could reach --- */

static bool can_open(pid_t pid, const char *what)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

static void prowl_at(pid_t pid)
{
	static const char *const files[] = { "mem", "maps", "environ", "auxv" };
	char byte;
	struct iovec here = { &byte, 1 }, there = { &me, 1 };
	int pidfd;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (can_open(pid, files[i]))
			say("found", "opened %s of %d\n", files[i], (int)pid);
	if (process_vm_readv(pid, &here, 1, &there, 1, 0) >= 0 || errno != EPERM)
		say("found", "process_vm_readv of %d: not EPERM\n", (int)pid);
	if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0)
		say("found", "traced %d\n", (int)pid);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	for (int fd = 0; pidfd >= 0 && fd < 16; fd++)
		if (syscall(SYS_pidfd_getfd, pidfd, fd, 0) >= 0)
			say("found", "took descriptor %d of %d\n", fd, (int)pid);
	(void)close(pidfd);
}

static pid_t parent_of(pid_t pid)
{
	char path[64];
	int parent = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (f && fscanf(f, "%*d (%*[^)]) %*c %d", &parent) != 1)
		parent = 0;
	if (f)
		(void)fclose(f);
	return parent;
}

static void nap_ms(long ms)
{
	struct timespec t = { 0, ms * 1000000 };

	(void)nanosleep(&t, NULL);
}

/*
 * Monitor, broker and the other drivers: our parent and its other children. From its exec until it
 * says otherwise a process of ours can be looked into, with nothing in it yet; so not just now.
 */
static void prowl(const struct packet *ask)
{
	struct packet reply = answer(ask);
	DIR *proc = opendir("/proc");
	int n_seen = 0, n_fds = 0;

	nap_ms(1000);
	for (int fd = 0; fd < 256; fd++)
		n_fds += (!proc || fd != dirfd(proc)) && fcntl(fd, F_GETFD) >= 0;
	for (struct dirent *d = proc ? readdir(proc) : NULL; d; d = readdir(proc)) {
		pid_t pid = (pid_t)atoi(d->d_name);

		if (pid <= 1 || pid == getpid() ||
		    (pid != getppid() && parent_of(pid) != getppid()))
			continue;
		n_seen++;
		prowl_at(pid);
	}
	say("looked", "descriptors %d others %d\n", n_fds, n_seen);
	(void)closedir(proc);
	send_packet(&reply);
}

static const struct {
	const char *mode;
	void (*show)(const struct packet *ask);
} modes[] = {
	{ "twice", twice }, { "wrong-seq", wrong_seq }, { "wrong-number", wrong_number },
	{ "chores-number", chores_number }, { "wrong-magic", wrong_magic },
	{ "wrong-size", wrong_size }, { "good-news", good_news }, { "far-part", far_part },
	{ "long-part", long_part }, { "garbage", garbage }, { "empty", empty_packet }, { "lingers", lingers },
	{ "oversize", oversize }, { "own-request", own_request },
	{ "brokers-event", brokers_event }, { "second-card", second_card },
	{ "reset-of-nothing", reset_of_nothing }, { "unknown-event", unknown_event },
	{ "long-atr", long_atr }, { "ugly-name", ugly_name }, { "flood-events", flood_events },
	{ "flood-mute", flood_mute }, { "flood-replies", flood_replies },
	{ "descriptor", with_descriptor }, { "silent", silent }, { "dies", dies },
	{ "prowler", prowl },
};

static void record(const struct packet *ask)
{
	struct bytes part = BYTES_NONE;

	if (ask->header.request == KF_SIGN)
		part = packet_get(ask, kf_sign, digest);
	say("asked", "%s %02x\n", ask->shape->name, part.n ? part.p[0] : 0);
}

static void serve(const struct packet *ask)
{
	struct packet reply;

	if (_IOC_NR(ask->header.request) < 0xc0 && ask->header.request != KF_PIN_STATUS)
		record(ask);
	if (strncmp(me.mode, "slow", 4) == 0 && ask->header.request == KF_SIGN)
		nap_ms(15);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (ask->header.request == KF_SIGN && strcmp(me.mode, modes[i].mode) == 0) {
			modes[i].show(ask);
			return;
		}
	reply = answer(ask);
	send_packet(&reply);
	if (ask->header.request == KF_DRV_HELLO) {
		if (strcmp(me.mode, "born-bad") == 0)
			send_event(99);
		send_event(KF_CHANGE_CARD_INSERTED);
	}
}

int main(int argc, char **argv)
{
	struct packet ask;
	struct bytes frame;

	if (harden_process() < 0)
		return 1;
	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], "--name") == 0 && strncmp(argv[i + 1], "virtual:", 8) == 0)
			me.mode = argv[i + 1] + 8;
	while (wire_recv(me.link, me.buf, sizeof(me.buf), 0, &frame) == 0) {
		if (packet_parse(frame, &ask) < 0)
			return 4;
		if (ask.header.request != KF_CANCEL)
			serve(&ask);
	}
	return 0;
}
