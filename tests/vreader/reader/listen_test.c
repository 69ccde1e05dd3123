/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Faces vreader/reader/listen.c. */
#include "vreader/reader/listen.h"

#include "tests/harness.h"
#include "tests/vreader/reader/host.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

TEST_F(listen, the_socket_has_its_mode_from_the_start_and_one_listener)
{
	_cleanup_(fd_closep) int fd = listen_open(self->addr.sun_path, 0660);
	struct stat st;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, stat(self->addr.sun_path, &st));
	EXPECT_EQ((mode_t)0660, st.st_mode & 0777);
	EXPECT_EQ(-EADDRINUSE, listen_open(self->addr.sun_path, 0660));
}

TEST_F(listen, a_dead_socket_is_replaced_and_anything_else_is_not)
{
	int fd = listen_open(self->addr.sun_path, 0600);

	ASSERT_GE(fd, 0);
	fd = fd_close(fd);
	fd = listen_open(self->addr.sun_path, 0600);
	EXPECT_GE(fd, 0);
	fd = fd_close(fd);
	ASSERT_EQ(0, unlink(self->addr.sun_path));
	fd = open(self->addr.sun_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	fd = fd_close(fd);
	EXPECT_EQ(-EEXIST, listen_open(self->addr.sun_path, 0600));
}

TEST_F(listen, a_path_that_does_not_fit_is_refused)
{
	char path[200];

	memset(path, 'a', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	EXPECT_EQ(-ENAMETOOLONG, listen_open(path, 0600));
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

	server.fd = listen_open(self->addr.sun_path, 0600);
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
