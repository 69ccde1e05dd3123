/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/daemon/broker/rig.h"

#include <fcntl.h>
#include <stdio.h>

FIXTURE(broker) { struct rig rig; };
FIXTURE_SETUP(broker) { rig_init(&self->rig); }
FIXTURE_TEARDOWN(broker) { rig_deinit(&self->rig); }

static int told(struct fixture_broker *self, enum spawn_kind kind, uint32_t reader,
		const char *name, int fd)
{
	struct spawn_msg msg = { .kind = kind, .reader = reader, .instance = 1 };

	strcpy(msg.name, name);
	return broker_told(&self->rig.broker, &msg, fd);
}

TEST_F(broker, what_the_monitor_cannot_mean_is_refused)
{
	EXPECT_EQ(-EPROTO, told(self, SPAWN_READER_ADD, 1, "virtual:other", -1));
	EXPECT_EQ(-EPROTO, told(self, SPAWN_READER_ADD, 2, RIG_READER, -1));
	EXPECT_EQ(-EPROTO, told(self, SPAWN_READER_GONE, 9, "", -1));
	EXPECT_EQ(-EPROTO, told(self, SPAWN_READY, 0, "", -1));
	EXPECT_EQ(-EPROTO, told(self, SPAWN_DRIVER, 1, "", -1));
	EXPECT_EQ(-EPROTO, told(self, SPAWN_POLICY, 0, "", -1));
}

TEST_F(broker, descriptors_come_with_drivers_only_and_are_never_kept_otherwise)
{
	int fd = dup(STDERR_FILENO);

	EXPECT_EQ(-EPROTO, told(self, SPAWN_READER_GONE, 1, "", fd));
	EXPECT_EQ(-1, fcntl(fd, F_GETFD));
	fd = dup(STDERR_FILENO);
	EXPECT_EQ(-EPROTO, told(self, SPAWN_DRIVER, 9, "", fd));
	EXPECT_EQ(-1, fcntl(fd, F_GETFD));
	fd = dup(STDERR_FILENO);
	EXPECT_EQ(-EPROTO, told(self, SPAWN_DRIVER, 1, "", fd));	/* it has one */
	EXPECT_EQ(-1, fcntl(fd, F_GETFD));
}

TEST_F(broker, there_are_so_many_readers_and_no_more)
{
	char name[KF_NAME_MAX];

	for (uint32_t i = 2; i <= BROKER_READERS; i++) {
		snprintf(name, sizeof(name), "virtual:%u", i);
		ASSERT_EQ(0, told(self, SPAWN_READER_ADD, i, name, -1));
	}
	EXPECT_EQ(-EDQUOT, told(self, SPAWN_READER_ADD, 1000, "virtual:more", -1));
}

TEST_F(broker, a_driver_that_was_replaced_already_does_not_end_its_successor)
{
	struct spawn_msg gone = { .kind = SPAWN_DRIVER_GONE, .reader = 1, .instance = 77 };

	EXPECT_EQ(0, broker_told(&self->rig.broker, &gone, -1));
	EXPECT_TRUE(link_up(&self->rig.reader->link));
	gone.instance = 1;
	EXPECT_EQ(0, broker_told(&self->rig.broker, &gone, -1));
	EXPECT_FALSE(link_up(&self->rig.reader->link));
}
