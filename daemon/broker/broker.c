/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/broker.c - Puts the parts together and takes them apart. Nobody is accepted before
 * the monitor has sent a policy; a monitor that goes away takes us with it.
 */
#include "daemon/broker/broker.h"

#include "base/cleanup.h"
#include "daemon/broker/client.h"
#include "daemon/broker/idle.h"
#include "daemon/broker/reader.h"
#include "daemon/broker/watch.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_A_TURN 16
#define ACCEPT_AGAIN_MS 500
#define UNREAD_DROPPED 16

/*
 * Refused: said once, as the reply to the hello. That is often there already, and a socket closed
 * over unread packets answers ECONNRESET before anything that was sent.
 */
static void refuse(int fd, int result, uint16_t reason, uint32_t detail)
{
	struct packet reply = packet_begin(KF_KIND_REPLY, KF_HELLO, 1);
	uint8_t buf[sizeof(struct kf_header)], byte;
	struct packer p = pack_begin(buf, sizeof(buf));

	reply.header.result = result;
	reply.header.reason = reason;
	reply.header.detail = detail;
	if (packet_pack(&reply, &p) == 0)
		(void)send(fd, buf, p.n, MSG_DONTWAIT | MSG_NOSIGNAL);
	for (int i = 0; i < UNREAD_DROPPED && recv(fd, &byte, 1, MSG_DONTWAIT) > 0; i++)
		;
}

static void accept_one(struct broker *broker, int fd)
{
	struct client *client;
	int r = client_new(broker, fd, &client);

	if (r == 0)
		return;
	if (r == -EDQUOT)
		refuse(fd, r, KF_REASON_QUOTA_CONNECTIONS,
		       broker->quota.limit[QUOTA_CONNECTIONS]);
	if (r == -EUSERS)
		refuse(fd, -EDQUOT, KF_REASON_QUOTA_CONNECTIONS, (uint32_t)broker->max_clients);
	if (r == -EACCES)
		refuse(fd, r, KF_REASON_NO_RULE, 0);
	log_provoked(&broker->log, "connection refused: %s", strerror(-r));
	fd_close(fd);
}

static void accept_resume(struct timer *timer)
{
	struct broker *broker = list_entry(timer, struct broker, accept_again);

	loop_want(&broker->loop, &broker->listener, EPOLLIN);
}

/* The connection stays in the queue and the listener stays readable: looking again is a spin. */
static void accept_failed(struct broker *broker, int error)
{
	if (error == EAGAIN || error == EINTR || error == ECONNABORTED)
		return;
	log_provoked(&broker->log, "cannot accept: %s", strerror(error));
	if (timer_arm(&broker->loop, &broker->accept_again, now_ns() + ms_to_ns(ACCEPT_AGAIN_MS)) == 0)
		loop_want(&broker->loop, &broker->listener, 0);
}

static void on_listener(struct source *source, uint32_t events)
{
	struct broker *broker = list_entry(source, struct broker, listener);

	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0) {
			accept_failed(broker, errno);
			return;
		}
		accept_one(broker, fd);
	}
}

void broker_tell(struct broker *broker, const struct spawn_msg *msg)
{
	int r;

	if (broker->monitor.fd < 0)
		return;
	r = spawn_send(broker->monitor.fd, msg, -1);
	if (r < 0) {
		log_line("monitor does not listen: %s", strerror(-r));
		loop_stop(&broker->loop, r);
	}
}

static int told_policy(struct broker *broker, const struct spawn_msg *msg)
{
	struct spawn_msg ready = { .kind = SPAWN_READY };
	struct client *client;
	bool first = broker->policy.version == 0;
	int r = 0;

	if (msg->version == 0)
		return -EPROTO;
	broker->policy.version = msg->version;
	broker->policy.n_rules = msg->n_rules;
	memcpy(broker->policy.rules, msg->rules, sizeof(msg->rules));
	broker->flags = msg->flags | (msg->uid == getuid() ? KF_STATUS_DEV : 0);
	broker->idle_s = msg->idle_s;
	broker->monitor_pid = msg->pid;
	broker->monitor_guards = msg->guards;
	broker->monitor_uid = msg->uid;
	quota_limit(&broker->quota, &msg->limits);
	list_each(client, &broker->clients, link)
		client_reconsider(client);
	watch_news(broker);
	idle_look(broker);
	if (first && broker->listener.fd >= 0)
		r = loop_add(&broker->loop, &broker->listener);
	if (first && r == 0)
		broker_tell(broker, &ready);
	return r;
}

static int told_reader(struct broker *broker, const struct spawn_msg *msg)
{
	struct device *device;

	if (device_by_key(broker, msg->reader) || reader_by_name(broker, msg->name))
		return -EPROTO;
	return device_new(broker, msg->reader, msg->name, &device);
}

int broker_told(struct broker *broker, const struct spawn_msg *msg, int fd)
{
	_cleanup_(fd_closep) int passed = fd;
	struct device *device = device_by_key(broker, msg->reader);

	if ((fd >= 0) != (msg->kind == SPAWN_DRIVER))
		return -EPROTO;
	switch (msg->kind) {
	case SPAWN_POLICY:
		return told_policy(broker, msg);
	case SPAWN_READER_ADD:
		return told_reader(broker, msg);
	case SPAWN_DRIVER:
		return device ? device_driver(device, take_fd(&passed), msg) : -EPROTO;
	case SPAWN_DRIVER_GONE:
		if (device && link_up(&device->link) && device->link.instance == msg->instance)
			device_driver_lost(device, "it ended", 0);
		return 0;
	case SPAWN_READER_STATE:
		return device ? device_unserved(device, msg->state) : -EPROTO;
	case SPAWN_READER_GONE:
		if (!device)
			return -EPROTO;
		device_gone(device);
		return 0;
	default:
		return -EPROTO;
	}
}

static void on_monitor(struct source *source, uint32_t events)
{
	struct broker *broker = list_entry(source, struct broker, monitor);
	struct spawn_msg msg;
	int fd = -1;
	int r = spawn_recv(source->fd, &msg, &fd);

	(void)events;
	if (r == -EAGAIN)
		return;
	if (r == 0)
		r = broker_told(broker, &msg, fd);
	if (r == -ECONNRESET)
		loop_stop(&broker->loop, 0);	/* the orderly end: the monitor went */
	else if (r < 0) {
		log_line("monitor: %s; ending", strerror(-r));
		loop_stop(&broker->loop, r);
	}
}

static size_t max_clients(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= BROKER_CLIENTS + BROKER_FDS)
		return BROKER_CLIENTS;
	return limit.rlim_cur > BROKER_FDS ? (size_t)limit.rlim_cur - BROKER_FDS : 1;
}

int broker_init(struct broker *broker, int listen_fd, int monitor_fd)
{
	int r;

	*broker = (struct broker){ .log = LOG_INIT, .policy = POLICY_INIT };
	broker->loop = LOOP_INIT;
	list_init(&broker->clients);
	list_init(&broker->devices);
	list_init(&broker->readers);
	quota_init(&broker->quota);
	broker->start_ns = now_ns();
	broker->max_clients = max_clients();
	broker->accept_again.fn = accept_resume;
	broker->join = JOIN_INIT;
	idle_init(broker);
	watch_init(broker);
	broker->listener = (struct source){ .fd = listen_fd, .events = EPOLLIN, .fn = on_listener };
	broker->monitor = (struct source){ .fd = monitor_fd, .events = EPOLLIN, .fn = on_monitor };
	broker->rx = malloc(KF_PACKET_MAX);
	broker->tx = malloc(KF_PACKET_MAX);
	if (!broker->rx || !broker->tx)
		return -ENOMEM;
	r = handle_table_init(&broker->handles);
	if (r == 0)
		r = loop_init(&broker->loop);
	if (r == 0 && monitor_fd >= 0)
		r = loop_add(&broker->loop, &broker->monitor);
	return r;
}

void broker_deinit(struct broker *broker)
{
	struct client *client;
	struct device *device;

	while ((client = list_first(&broker->clients, struct client, link)))
		client_free(client);
	while ((device = list_first(&broker->devices, struct device, link_broker)))
		device_gone(device);
	if (broker->handles.slots)
		handle_table_deinit(&broker->handles);
	timer_disarm(&broker->loop, &broker->accept_again);
	idle_deinit(broker);
	watch_deinit(broker);
	join_deinit(broker);
	if (broker->loop.epoll >= 0)
		loop_deinit(&broker->loop);
	quota_deinit(&broker->quota);
	broker->listener.fd = fd_close(broker->listener.fd);
	broker->monitor.fd = fd_close(broker->monitor.fd);
	free(broker->rx);
	free(broker->tx);
}
