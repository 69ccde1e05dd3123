/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/hotplug.c - libnl makes the socket and receives from it. Its parser is left alone:
 * uevents are text without a netlink header, and it would take letters for lengths.
 */
#include "daemon/monitor/hotplug.h"

#include "base/cleanup.h"
#include "base/list.h"
#include "daemon/monitor/monitor.h"
#include "daemon/monitor/uevent.h"

#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#define MESSAGES_A_TURN	256
#define RECEIVE_BUFFER	(1024 * 1024)	/* charged only while it is used */
#define MESSAGE_BUFFER	(2 * UEVENT_MAX)

static int from_nl(int error)
{
	switch (error) {
	case -NLE_AGAIN:
		return -EAGAIN;
	case -NLE_INTR:
		return -EINTR;
	case -NLE_PERM:
		return -EPERM;
	case -NLE_NOMEM:
		return -ENOMEM;
	case -NLE_AF_NOSUPPORT:
		return -EAFNOSUPPORT;
	case -NLE_PROTO_MISMATCH:
		return -EPROTONOSUPPORT;
	default:
		return -EIO;
	}
}

/* Anybody with root can send any number; the line is for the first, the second, the fourth ... */
static void note(uint32_t *count, const char *what)
{
	uint32_t n = ++*count;

	if ((n & (n - 1)) == 0)
		monitor_say("uevents: %s (%u so far)", what, n);
}

/* Return: whether it is a reason to look. */
static bool judge(struct hotplug *hotplug, const struct sockaddr_nl *from,
		  const struct ucred *cred, struct bytes message)
{
	struct uevent event;

	if (!uevent_from_kernel(from, cred)) {
		note(&hotplug->foreign, "a message that is not from the kernel was ignored");
		return false;
	}
	if (uevent_parse(message, &event) < 0) {
		note(&hotplug->malformed, "a message that cannot be read was ignored");
		return false;
	}
	hotplug->heard++;
	return uevent_is_usb(&event);
}

/* Return: 1 when it is a reason to look, 0 when not, -EAGAIN when there is none. */
static int take_one(struct hotplug *hotplug)
{
	_cleanup_(freep) unsigned char *buf = NULL;
	_cleanup_(freep) struct ucred *cred = NULL;
	struct sockaddr_nl from = { 0 };
	int n = nl_recv(hotplug->sk, &from, &buf, &cred);

	if (n >= 0)
		return judge(hotplug, &from, cred, BYTES(buf, (size_t)n));
	if (n == -NLE_AGAIN)
		return -EAGAIN;
	if (n == -NLE_INTR)
		return 0;
	if (n == -NLE_MSG_TRUNC) {
		note(&hotplug->malformed, "a message that cannot be read was ignored");
		return 1;
	}
	/* [netlink ENOBUFS], which libnl calls out of memory: messages were dropped. */
	hotplug->lost++;
	return 1;
}

static void on_message(struct source *source, uint32_t events)
{
	struct hotplug *hotplug = list_entry(source, struct hotplug, source);
	bool look = false;

	(void)events;
	for (int i = 0; i < MESSAGES_A_TURN; i++) {
		int r = take_one(hotplug);

		if (r < 0)
			break;
		look |= r > 0;
	}
	if (look)
		hotplug->changed(hotplug);
}

static int open_socket(struct nl_sock *sk)
{
	int size = RECEIVE_BUFFER, fd, r;

	nl_join_groups(sk, (int)UEVENT_GROUP);
	nl_socket_disable_msg_peek(sk);
	r = nl_connect(sk, NETLINK_KOBJECT_UEVENT);
	if (r == 0)
		r = nl_socket_set_passcred(sk, 1);
	if (r == 0)
		r = nl_socket_set_nonblocking(sk);
	if (r == 0)
		r = nl_socket_set_msg_buf_size(sk, MESSAGE_BUFFER);
	if (r < 0)
		return from_nl(r);
	/* Beyond the system's limit only with CAP_NET_ADMIN; else as much as there is. */
	fd = nl_socket_get_fd(sk);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return 0;
}

int hotplug_init(struct hotplug *hotplug, struct loop *loop,
		 void (*changed)(struct hotplug *hotplug))
{
	int r;

	*hotplug = HOTPLUG_INIT;
	hotplug->sk = nl_socket_alloc();
	if (!hotplug->sk)
		return -ENOMEM;
	r = open_socket(hotplug->sk);
	if (r == 0) {
		hotplug->loop = loop;
		hotplug->changed = changed;
		hotplug->source = (struct source){ .fd = nl_socket_get_fd(hotplug->sk),
						   .events = EPOLLIN, .fn = on_message };
		r = loop_add(loop, &hotplug->source);
	}
	if (r < 0) {
		nl_socket_free(hotplug->sk);
		*hotplug = HOTPLUG_INIT;
	}
	return r;
}

void hotplug_deinit(struct hotplug *hotplug)
{
	if (!hotplug->sk)
		return;
	loop_remove(hotplug->loop, &hotplug->source);
	nl_socket_free(hotplug->sk);
	*hotplug = HOTPLUG_INIT;
}
