/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/broker/join.h"

#include "base/cleanup.h"
#include "daemon/broker/broker.h"

#include <sys/socket.h>

void join_deinit(struct broker *broker)
{
	loop_remove(&broker->loop, &broker->join.listener);
	broker->join.listener.fd = fd_close(broker->join.listener.fd);
}

static void on_knock(struct source *source, uint32_t events)
{
	struct broker *broker = list_entry(source, struct broker, join.listener);
	_cleanup_(fd_closep) int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred cred = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(cred);

	(void)events;
	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 ||
	    cred.uid != broker->join.uid) {
		log_provoked(&broker->log, "uid=%u: refused, it is not the monitor", cred.uid);
		return;
	}
	broker->monitor.fd = fd;
	if (loop_add(&broker->loop, &broker->monitor) < 0) {
		broker->monitor.fd = -1;
		return;
	}
	(void)take_fd(&fd);
	join_deinit(broker);
}

int join_wait(struct broker *broker, int listen_fd, uid_t uid)
{
	broker->join.listener = (struct source){ .fd = listen_fd, .events = EPOLLIN,
						 .fn = on_knock };
	broker->join.uid = uid;
	return loop_add(&broker->loop, &broker->join.listener);
}
