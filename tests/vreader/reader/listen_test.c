/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Faces vreader/reader/listen.c. */
#include "vreader/reader/listen.h"

#include "base/listen.h"
#include "tests/harness.h"
#include "tests/vreader/reader/host.h"

#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

FIXTURE(listen)
{
	char dir[64];
	struct sockaddr_un addr;
};

FIXTURE_SETUP(listen)
{
	(void)snprintf(self->dir, sizeof(self->dir), "/tmp/kf-listen-XXXXXX");
	ASSERT_NOT_NULL(mkdtemp(self->dir));
	self->addr.sun_family = AF_UNIX;
	(void)snprintf(self->addr.sun_path, sizeof(self->addr.sun_path), "%s/reader", self->dir);
}

FIXTURE_TEARDOWN(listen)
{
	(void)unlink(self->addr.sun_path);
	(void)rmdir(self->dir);
}

struct server {
	struct host host;
	int fd;
	int result;
};

static void *listen_main(void *arg)
{
	struct server *server = (struct server *)arg;

	server->result = listen_serve(server->fd, &server->host.line);
	return NULL;
}

static void connect_and_power_on(struct fixture_listen *self, struct server *server)
{
	server->host.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, connect(server->host.fd, (struct sockaddr *)&self->addr, sizeof(self->addr)));
	host_power_on(&server->host);
}

TEST_F(listen, hosts_are_served_one_after_the_other_until_a_signal)
{
	static struct server server;
	pthread_t thread;

	/* A line with a host of its own first: it is the quickest way to a good line. */
	host_start(&server.host, SHAPE_EXTENDED, NULL);
	server.host.fd = fd_close(server.host.fd);
	ASSERT_EQ(0, pthread_join(server.host.thread, NULL));

	server.fd = listen_open(self->addr.sun_path, 0600, 8);
	ASSERT_GE(server.fd, 0);
	ASSERT_EQ(0, pthread_create(&thread, NULL, listen_main, &server));
	for (int i = 0; i < 3; i++) {
		connect_and_power_on(self, &server);
		server.host.fd = fd_close(server.host.fd);
	}
	host_signal(&server.host, SIGTERM);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, server.result);
	fd_close(server.fd);
	line_deinit(&server.host.line);
}
