/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/libclient/fake.h"

#include <fcntl.h>
#include <sys/un.h>

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
	f.seq = f.client->seq + 1;
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
