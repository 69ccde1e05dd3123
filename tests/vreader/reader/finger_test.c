/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A person at a keypad: open only while asked, one key at a time, and not for ever. */
#include "vreader/reader/finger.h"

#include "tests/harness.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

FIXTURE(finger) {
	char dir[32];
	char path[64];
	struct finger finger;
	int writer;
};

FIXTURE_SETUP(finger)
{
	(void)snprintf(self->dir, sizeof(self->dir), "/tmp/keyferry-finger-XXXXXX");
	ASSERT_TRUE(mkdtemp(self->dir) != NULL);
	(void)snprintf(self->path, sizeof(self->path), "%s/keypad", self->dir);
	ASSERT_EQ(0, mkfifo(self->path, 0600));
	self->finger = (struct finger)FINGER_INIT(self->path);
	self->writer = -1;
}

FIXTURE_TEARDOWN(finger)
{
	finger_dismiss(&self->finger);
	if (self->writer >= 0)
		(void)close(self->writer);
	(void)unlink(self->path);
	(void)rmdir(self->dir);
}

TEST_F(finger, nobody_can_type_before_a_pin_is_asked_for)
{
	EXPECT_EQ(-1, open(self->path, O_WRONLY | O_NONBLOCK));
	EXPECT_FALSE(finger_is_asked(&self->finger));
	EXPECT_EQ(-1, finger_wait_ms(&self->finger));
}

TEST_F(finger, keys_come_one_by_one_whatever_the_writer_does)
{
	uint8_t key = 0;

	finger_ask(&self->finger, 30);
	self->writer = open(self->path, O_WRONLY | O_NONBLOCK);
	ASSERT_GE(self->writer, 0);
	EXPECT_EQ(0, finger_key(&self->finger, &key));
	ASSERT_EQ(2, write(self->writer, "17", 2));
	(void)close(self->writer);
	self->writer = -1;
	EXPECT_EQ(1, finger_key(&self->finger, &key));
	EXPECT_EQ('1', key);
	EXPECT_EQ(1, finger_key(&self->finger, &key));
	EXPECT_EQ('7', key);
	EXPECT_EQ(0, finger_key(&self->finger, &key));
	EXPECT_GT(finger_wait_ms(&self->finger), 20000);
}

TEST_F(finger, what_was_typed_for_one_question_is_no_answer_to_the_next)
{
	uint8_t key = 0;

	finger_ask(&self->finger, 30);
	self->writer = open(self->path, O_WRONLY | O_NONBLOCK);
	ASSERT_EQ(1, write(self->writer, "1", 1));
	(void)close(self->writer);
	self->writer = -1;
	finger_dismiss(&self->finger);
	finger_ask(&self->finger, 30);
	EXPECT_EQ(0, finger_key(&self->finger, &key));
}

TEST_F(finger, the_next_key_has_its_time_and_no_more)
{
	uint8_t key = 0;

	finger_ask(&self->finger, 1);
	EXPECT_EQ(0, finger_key(&self->finger, &key));
	EXPECT_LT(finger_wait_ms(&self->finger), 1001);
	(void)usleep(1100 * 1000);
	EXPECT_EQ(0, finger_wait_ms(&self->finger));
	EXPECT_EQ(-ETIMEDOUT, finger_key(&self->finger, &key));
}

TEST_F(finger, a_file_or_a_link_is_no_keypad)
{
	uint8_t key = 0;
	int fd;

	ASSERT_EQ(0, unlink(self->path));
	fd = open(self->path, O_CREAT | O_WRONLY, 0600);
	ASSERT_EQ(1, write(fd, "1", 1));
	(void)close(fd);
	finger_ask(&self->finger, 30);
	EXPECT_EQ(-1, self->finger.fd);
	EXPECT_EQ(0, finger_key(&self->finger, &key));
	finger_dismiss(&self->finger);
	ASSERT_EQ(0, unlink(self->path));
	ASSERT_EQ(0, symlink("/dev/zero", self->path));
	finger_ask(&self->finger, 30);
	EXPECT_EQ(-1, self->finger.fd);
}

TEST(who_has_no_keypad_is_asked_and_never_answers)
{
	struct finger finger = FINGER_INIT(NULL);
	uint8_t key = 0;

	finger_ask(&finger, 30);
	EXPECT_TRUE(finger_is_asked(&finger));
	EXPECT_EQ(0, finger_key(&finger, &key));
	finger_dismiss(&finger);
}
