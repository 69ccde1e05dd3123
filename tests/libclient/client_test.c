/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/libclient/fake.h"

#include <fcntl.h>
#include <sys/un.h>
#include <sys/wait.h>

TEST(a_greeting_tells_who_is_who)
{
	struct fake f;

	fake_begin(&f);
	EXPECT_EQ(KF_RIGHT_LOOK | KF_RIGHT_USE, kf_client_rights(f.client));
	EXPECT_EQ(17, kf_client_number(f.client));
	EXPECT_STREQ("0.fake", kf_client_broker_version(f.client));
	EXPECT_EQ(FD_CLOEXEC, fcntl(kf_client_fd(f.client), F_GETFD));
	fake_end(&f);
}

TEST(a_name_is_cut_to_what_fits)
{
	struct kf_client *client = NULL;

	ASSERT_EQ(0, kf_client_new("a name that is much longer than thirty-two bytes", &client));
	EXPECT_EQ(KF_LABEL_MAX - 1, strlen(client->name));
	client = kf_client_free(client);
}

TEST(a_broker_that_refuses_the_greeting_is_no_connection)
{
	struct fake f = { .seq = 1 };
	int fds[2];

	ASSERT_EQ(0, kf_client_new("test", &f.client));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds));
	f.peer = fds[1];
	fake_answer(&f, KF_HELLO, -EACCES);
	EXPECT_EQ(-EACCES, kf_client_connect_fd(f.client, fds[0]));
	expect_explained(f.client, -EACCES);
	EXPECT_EQ(-ENOTCONN, kf_client_fd(f.client));
	fake_end(&f);
}

TEST(a_stream_socket_is_refused_and_closed)
{
	struct kf_client *client = NULL;
	int fds[2];

	ASSERT_EQ(0, kf_client_new("test", &client));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	EXPECT_EQ(-EPROTOTYPE, kf_client_connect_fd(client, fds[0]));
	EXPECT_EQ(-1, fcntl(fds[0], F_GETFD));
	(void)close(fds[1]);
	client = kf_client_free(client);
}

TEST(where_nobody_listens_is_explained)
{
	char long_path[sizeof(((struct sockaddr_un *)0)->sun_path) + 2];
	struct kf_client *client = NULL;

	ASSERT_EQ(0, kf_client_new(NULL, &client));
	EXPECT_EQ(-ENOENT, kf_client_connect(client, "/nonexistent/broker.sock"));
	expect_explained(client, -ENOENT);
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	EXPECT_EQ(-ENAMETOOLONG, kf_client_connect(client, long_path));
	expect_explained(client, -ENAMETOOLONG);
	client = kf_client_free(client);
}

/* A listening socket that nobody accepts from. Return: it, with its path in @addr. */
static int listen_at(struct sockaddr_un *addr, const char *name, int backlog)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	(void)snprintf(addr->sun_path, sizeof(addr->sun_path), "/tmp/kf-client-%d-%s",
		       (int)getpid(), name);
	(void)unlink(addr->sun_path);
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)addr, sizeof(*addr)));
	ASSERT_EQ(0, listen(fd, backlog));
	return fd;
}

TEST(a_broker_that_takes_no_connections_is_given_up)
{
	struct sockaddr_un addr;
	struct kf_client *client = NULL;
	int fd = listen_at(&addr, "full", 0), full, r = 0;

	while (r == 0) {
		full = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		r = connect(full, (struct sockaddr *)&addr, sizeof(addr));
	}
	ASSERT_EQ(0, kf_client_new(NULL, &client));
	kf_client_set_deadline(client, 50);
	EXPECT_EQ(-ETIMEDOUT, kf_client_connect(client, addr.sun_path));
	expect_explained(client, -ETIMEDOUT);
	client = kf_client_free(client);
	(void)unlink(addr.sun_path);
	(void)close(fd);
}

/* As the broker refuses: unasked, and then it hangs up, whether the hello has come or not. */
static void refuse_one(int fd, bool read_first)
{
	struct packet reply = packet_begin(KF_KIND_REPLY, KF_HELLO, 1);
	uint8_t buf[256];
	struct packer p = pack_begin(buf, sizeof(buf));
	int peer = accept(fd, NULL, NULL);

	reply.header.result = -EDQUOT;
	reply.header.reason = KF_REASON_QUOTA_CONNECTIONS;
	ASSERT_EQ(0, packet_pack(&reply, &p));
	if (read_first)
		ASSERT_LT(0, recv(peer, (uint8_t[256]){ 0 }, 256, MSG_PEEK));
	ASSERT_LT(0, send(peer, buf, p.n, 0));
	_exit(0);
}

TEST(why_it_was_refused_is_heard_although_the_hello_was_not_read)
{
	struct sockaddr_un addr;
	int fd = listen_at(&addr, "quota", 4);

	for (int i = 0; i < 4; i++) {
		struct kf_client *client = NULL;
		pid_t pid = fork();

		if (pid == 0)
			refuse_one(fd, i < 2);
		ASSERT_EQ(0, kf_client_new(NULL, &client));
		kf_client_set_deadline(client, 5000);
		EXPECT_EQ(-EDQUOT, kf_client_connect(client, addr.sun_path));
		EXPECT_EQ(KF_REASON_QUOTA_CONNECTIONS, kf_client_reason(client));
		client = kf_client_free(client);
		EXPECT_EQ(pid, waitpid(pid, NULL, 0));
	}
	(void)unlink(addr.sun_path);
	(void)close(fd);
}

TEST(connecting_twice_is_refused)
{
	struct fake f;

	fake_begin(&f);
	EXPECT_EQ(-EISCONN, kf_client_connect(f.client, "/nonexistent"));
	fake_end(&f);
}

TEST(contexts_outlive_their_client_as_objects_only)
{
	struct fake f;

	fake_begin(&f);
	f.client = kf_client_free(f.client);
	EXPECT_NULL(kf_context_client(f.context));
	EXPECT_EQ(-ENOTCONN, kf_pin_logout(f.context));
	EXPECT_NULL(kf_context_close(f.context));
	f.context = NULL;
	fake_end(&f);
}

TEST(contexts_do_not_survive_a_new_connection)
{
	struct fake f;

	fake_begin(&f);
	f.peer = fd_close(f.peer);
	EXPECT_EQ(-ENOTCONN, kf_pin_logout(f.context));
	fake_connect(&f);
	EXPECT_EQ(-ENOTCONN, kf_pin_logout(f.context));
	EXPECT_EQ(-EAGAIN, wire_recv(f.peer, f.buf, sizeof(f.buf), MSG_DONTWAIT,
				     &(struct bytes){ 0 }));
	fake_end(&f);
}

TEST(null_is_taken_where_things_are_given_back)
{
	EXPECT_NULL(kf_client_free(NULL));
	EXPECT_NULL(kf_context_close(NULL));
	EXPECT_NULL(kf_blob_free(NULL));
	EXPECT_NULL(kf_readers_free(NULL));
	EXPECT_NULL(kf_containers_free(NULL));
	EXPECT_NULL(kf_injection_free(NULL));
	EXPECT_EQ(0, kf_client_error(NULL)->code);
}
