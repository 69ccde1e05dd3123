/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/shared/spawn.c - Little-endian fields in the order of the struct, all of them in every
 * message: the kinds are few and rare, and one layout is easier to get right than seven.
 */
#include "daemon/shared/spawn.h"

#include "base/cleanup.h"
#include "proto/packet.h"

#include <sys/socket.h>
#include <sys/uio.h>

static void rule_pack(const struct spawn_rule *rule, struct packer *p)
{
	pack_le32(p, rule->who);
	pack_le32(p, rule->id);
	pack_le32(p, rule->rights);
	pack_le32(p, rule->first);
	pack_le32(p, rule->count);
	pack_le32(p, rule->line);
	pack_bytes(p, BYTES(rule->name, sizeof(rule->name)));
	pack_bytes(p, BYTES(rule->reader, sizeof(rule->reader)));
}

static struct spawn_rule rule_unpack(struct unpacker *u)
{
	struct spawn_rule rule = { 0 };

	rule.who = unpack_le32(u);
	rule.id = unpack_le32(u);
	rule.rights = unpack_le32(u);
	rule.first = unpack_le32(u);
	rule.count = unpack_le32(u);
	rule.line = unpack_le32(u);
	unpack_copy(u, (uint8_t *)rule.name, sizeof(rule.name));
	unpack_copy(u, (uint8_t *)rule.reader, sizeof(rule.reader));
	return rule;
}

static bool rule_valid(const struct spawn_rule *rule)
{
	return rule->who >= SPAWN_UID && rule->who <= SPAWN_EVERYBODY &&
	       rule->count <= KF_CONTAINER_ANY - rule->first &&
	       packet_string_valid(rule->name, sizeof(rule->name)) &&
	       packet_string_valid(rule->reader, sizeof(rule->reader));
}

void spawn_pack(const struct spawn_msg *msg, struct packer *p)
{
	assert(msg->n_rules <= SPAWN_RULES);
	pack_le32(p, msg->kind);
	pack_le32(p, msg->state);
	pack_le32(p, msg->reader);
	pack_le32(p, msg->instance);
	pack_le32(p, msg->pid);
	pack_le32(p, msg->uid);
	pack_le32(p, msg->restarts);
	pack_le32(p, msg->guards);
	pack_bytes(p, BYTES(msg->name, sizeof(msg->name)));
	pack_le32(p, msg->version);
	pack_le32(p, msg->flags);
	pack_le32(p, msg->idle_s);
	pack_le32(p, msg->limits.connections);
	pack_le32(p, msg->limits.contexts);
	pack_le32(p, msg->limits.keys);
	pack_le32(p, msg->limits.bytes);
	pack_le32(p, (uint32_t)msg->n_rules);
	for (size_t i = 0; i < msg->n_rules; i++)
		rule_pack(&msg->rules[i], p);
}

int spawn_parse(struct bytes frame, struct spawn_msg *out)
{
	struct unpacker u = unpack_begin(frame);
	struct spawn_msg msg = { 0 };

	msg.kind = unpack_le32(&u);
	msg.state = unpack_le32(&u);
	msg.reader = unpack_le32(&u);
	msg.instance = unpack_le32(&u);
	msg.pid = unpack_le32(&u);
	msg.uid = unpack_le32(&u);
	msg.restarts = unpack_le32(&u);
	msg.guards = unpack_le32(&u);
	unpack_copy(&u, (uint8_t *)msg.name, sizeof(msg.name));
	msg.version = unpack_le32(&u);
	msg.flags = unpack_le32(&u);
	msg.idle_s = unpack_le32(&u);
	msg.limits.connections = unpack_le32(&u);
	msg.limits.contexts = unpack_le32(&u);
	msg.limits.keys = unpack_le32(&u);
	msg.limits.bytes = unpack_le32(&u);
	msg.n_rules = unpack_le32(&u);
	if (msg.n_rules > SPAWN_RULES)
		return -EBADMSG;
	for (size_t i = 0; i < msg.n_rules; i++) {
		msg.rules[i] = rule_unpack(&u);
		if (!rule_valid(&msg.rules[i]))
			return -EBADMSG;
	}
	if (unpack_end(&u) < 0 || msg.kind < SPAWN_POLICY || msg.kind >= SPAWN_KINDS ||
	    !packet_string_valid(msg.name, sizeof(msg.name)))
		return -EBADMSG;
	*out = msg;
	return 0;
}

union control {
	char buf[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

int spawn_send(int fd, const struct spawn_msg *msg, int pass)
{
	union control control = { 0 };
	uint8_t buf[SPAWN_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct iovec iov = { .iov_base = buf };
	struct msghdr head = { .msg_iov = &iov, .msg_iovlen = 1 };

	spawn_pack(msg, &p);
	if (pack_end(&p) < 0)
		return -EMSGSIZE;
	iov.iov_len = p.n;
	if (pass >= 0) {
		struct cmsghdr *c;

		head.msg_control = control.buf;
		head.msg_controllen = sizeof(control.buf);
		c = CMSG_FIRSTHDR(&head);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &pass, sizeof(int));
	}
	return sendmsg(fd, &head, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* The one descriptor that came; room for exactly one, so the kernel drops any more. */
static int take_passed(struct msghdr *head)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(head);
	int fd = -1;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}

int spawn_recv(int fd, struct spawn_msg *out, int *passed)
{
	union control control = { 0 };
	uint8_t buf[SPAWN_MAX];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr head = { .msg_iov = &iov, .msg_iovlen = 1 };
	_cleanup_(fd_closep) int came = -1;
	ssize_t n;
	int r;

	if (passed) {
		head.msg_control = control.buf;
		/* Not CMSG_SPACE(): its padding has room for a second one. */
		head.msg_controllen = CMSG_LEN(sizeof(int));
	}
	n = recvmsg(fd, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;
	if (passed)
		came = take_passed(&head);
	if (n == 0)
		return -ECONNRESET;
	if (head.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return -EBADMSG;
	r = spawn_parse(BYTES(buf, (size_t)n), out);
	if (r < 0)
		return r;
	if (passed)
		*passed = take_fd(&came);
	return 0;
}
