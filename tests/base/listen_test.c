/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/listen.h"

#include "tests/harness.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

FIXTURE(listen) { char dir[64], path[96], beside[96]; int fd; };
FIXTURE_SETUP(listen)
{
	strcpy(self->dir, "/tmp/kf-listen-XXXXXX");
	ASSERT_NOT_NULL(mkdtemp(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/sock", self->dir);
	snprintf(self->beside, sizeof(self->beside), "%s/soc~", self->dir);
	self->fd = -1;
}
FIXTURE_TEARDOWN(listen)
{
	fd_close(self->fd);
	(void)unlink(self->path);
	(void)unlink(self->beside);
	(void)rmdir(self->dir);
}

static bool is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static int open_it(struct fixture_listen *self)
{
	self->fd = fd_close(self->fd);
	self->fd = listen_open(self->path, 0666, 8);
	return self->fd < 0 ? self->fd : 0;
}

/* --- listen(2) of this program: what happens between the name and the listener --- */

static void (*before_listen)(void *arg);
static void *before_arg;

int listen(int fd, int n)
{
	if (before_listen)
		before_listen(before_arg);
	return (int)syscall(SYS_listen, fd, n);
}

static void look(void *arg)
{
	struct fixture_listen *self = arg;

	EXPECT_FALSE(is_there(self->path));
	EXPECT_TRUE(is_there(self->beside));
	(void)usleep(20000);
}

TEST_F(listen, it_has_its_mode_whatever_the_umask_and_one_name)
{
	struct stat st;

	(void)umask(0077);
	ASSERT_EQ(0, open_it(self));
	ASSERT_EQ(0, stat(self->path, &st));
	EXPECT_EQ(0666u, st.st_mode & 0777);
	EXPECT_FALSE(is_there(self->beside));
}

/* Return: 0 served, 1 refused, 2 something else. A child, from before there is a name. */
static pid_t connect_until_served(const struct fixture_listen *self, atomic_bool *begun)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (child != 0)
		return child;
	strcpy(addr.sun_path, self->path);
	for (;;) {
		int fd = listen_socket(), r = connect(fd, (struct sockaddr *)&addr, sizeof(addr));

		if (r == 0)
			_exit(0);
		if (errno != ENOENT)
			_exit(errno == ECONNREFUSED ? 1 : 2);
		(void)close(fd);
		*begun = true;
	}
}

TEST_F(listen, who_tries_from_before_the_start_is_never_refused)
{
	atomic_bool *begun = mmap(NULL, sizeof(*begun), PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = -1;
	pid_t client;

	ASSERT_TRUE(begun != MAP_FAILED);
	before_listen = look;
	before_arg = self;
	client = connect_until_served(self, begun);
	while (!*begun)
		(void)usleep(1000);
	ASSERT_EQ(0, open_it(self));
	ASSERT_EQ(client, waitpid(client, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(listen, a_living_ones_name_is_left_alone)
{
	ASSERT_EQ(0, open_it(self));
	EXPECT_EQ(-EADDRINUSE, listen_open(self->path, 0666, 8));
	EXPECT_FALSE(is_there(self->beside));
}

TEST_F(listen, a_dead_ones_is_taken_over)
{
	ASSERT_EQ(0, open_it(self));
	EXPECT_EQ(0, open_it(self));
}

static void die(void *arg)
{
	(void)arg;
	_exit(0);
}

TEST_F(listen, what_a_start_that_was_broken_off_left_is_cleared_away)
{
	pid_t child = fork();

	if (child == 0) {
		before_listen = die;
		(void)open_it(self);
		_exit(1);
	}
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	ASSERT_TRUE(is_there(self->beside));
	EXPECT_EQ(0, open_it(self));
	EXPECT_FALSE(is_there(self->beside));
}

static void start_wholly(void *arg)
{
	struct fixture_listen *self = arg;

	before_listen = NULL;
	EXPECT_EQ(0, open_it(self));
}

TEST_F(listen, who_is_overtaken_by_another_start_leaves_the_name_to_it)
{
	before_listen = start_wholly;
	before_arg = self;
	EXPECT_EQ(-EADDRINUSE, listen_open(self->path, 0666, 8));
	EXPECT_EQ(-EADDRINUSE, listen_open(self->path, 0666, 8));	/* somebody answers */
}

struct half { struct fixture_listen *self; struct sockaddr_un addr, beside; struct stat ours; };

static void start_by_half(void *arg)
{
	struct half *half = arg;

	before_listen = NULL;
	half->self->fd = listen_socket();
	ASSERT_EQ(0, listen_bind(half->self->fd, &half->beside, 0666));
	ASSERT_EQ(0, lstat(half->beside.sun_path, &half->ours));
}

TEST_F(listen, who_moves_the_socket_of_another_start_leaves_it_to_that)
{
	struct half half = { .self = self, .addr.sun_family = AF_UNIX };

	strcpy(half.addr.sun_path, self->path);
	half.beside = listen_beside(&half.addr);
	EXPECT_STREQ(self->beside, half.beside.sun_path);
	before_listen = start_by_half;
	before_arg = &half;
	EXPECT_EQ(-EADDRINUSE, listen_open(self->path, 0666, 8));
	ASSERT_EQ(0, listen(self->fd, 8));
	EXPECT_EQ(0, listen_move(&half.beside, &half.ours, &half.addr));
}

/* --- many starts at once, each a process of its own --- */

enum { STARTS = 6, ROUNDS = 20 };

struct race { atomic_bool begun, over; atomic_int served, in_use, failed; };

static void dawdle(void *arg)
{
	(void)arg;
	(void)usleep(500);
}

static _Noreturn void start_one(const struct fixture_listen *self, struct race *race)
{
	int r;

	before_listen = dawdle;
	while (!race->begun)
		;
	r = listen_open(self->path, 0666, 8);
	(*(r >= 0 ? &race->served : r == -EADDRINUSE ? &race->in_use : &race->failed))++;
	while (!race->over)
		(void)usleep(1000);
	_exit(0);
}

/* A name that a dead one left is there in each round but the first. */
TEST_F(listen, of_many_that_start_at_once_one_serves)
{
	struct race *race = mmap(NULL, sizeof(*race), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	ASSERT_TRUE(race != MAP_FAILED);
	strcpy(addr.sun_path, self->path);
	for (int round = 0; round < ROUNDS; round++) {
		int fd;

		memset(race, 0, sizeof(*race));
		for (int i = 0; i < STARTS; i++) {
			pid_t child = fork();

			ASSERT_LE(0, child);
			if (child == 0)
				start_one(self, race);
		}
		race->begun = true;
		while (race->served + race->in_use + race->failed < STARTS)
			(void)usleep(1000);
		EXPECT_EQ(1, race->served);
		EXPECT_EQ(STARTS - 1, race->in_use);
		fd = listen_socket();
		EXPECT_EQ(0, connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
		(void)close(fd);
		race->over = true;
		for (int i = 0; i < STARTS; i++)
			(void)wait(NULL);
		EXPECT_FALSE(is_there(self->beside));
	}
}

static int lock_folder(const struct fixture_listen *self)
{
	int fd = open(self->dir, O_RDONLY | O_CLOEXEC);

	EXPECT_LE(0, fd);
	return flock(fd, LOCK_EX | LOCK_NB) == 0 ? fd : fd_close(fd);
}

TEST_F(listen, who_locks_the_folder_for_ever_keeps_nobody_from_starting)
{
	int fd = lock_folder(self);

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, open_it(self));
	(void)close(fd);
}

TEST_F(listen, the_folder_is_locked_until_there_is_a_name_and_no_longer)
{
	ASSERT_EQ(0, open_it(self));
	int fd = lock_folder(self);

	EXPECT_LE(0, fd);
	fd = fd_close(fd);
	EXPECT_EQ(-EADDRINUSE, listen_open(self->path, 0666, 8));
	fd = lock_folder(self);
	EXPECT_LE(0, fd);
	fd = fd_close(fd);
}

TEST_F(listen, a_file_is_never_removed)
{
	self->fd = fd_close(open(self->path, O_CREAT | O_WRONLY, 0600));
	EXPECT_EQ(-EEXIST, listen_open(self->path, 0666, 8));
	EXPECT_TRUE(is_there(self->path));
	ASSERT_EQ(0, rename(self->path, self->beside));
	EXPECT_EQ(-EEXIST, listen_open(self->path, 0666, 8));
	EXPECT_TRUE(is_there(self->beside));
}

TEST_F(listen, a_name_that_does_not_fit_is_refused_and_the_longest_is_taken)
{
	char path[200];
	size_t longest = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	EXPECT_EQ(-ENAMETOOLONG, listen_open(path, 0600, 8));
	ASSERT_EQ(0, chdir(self->dir));
	path[longest] = '\0';
	self->fd = listen_open(path, 0600, 8);
	EXPECT_LE(0, self->fd);
	(void)unlink(path);
	EXPECT_EQ(-ENOENT, listen_open("", 0600, 8));
}
