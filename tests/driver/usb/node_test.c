/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/usb/node.h"

#include "tests/harness.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Two configurations, values 1 and 2, of 9 and of 11 bytes. */
static const uint8_t node[] = {
	18, 1, 0, 2, 0, 0, 0, 64, 9, 0x12, 2, 0x27, 0, 1, 1, 2, 3, 2,
	9, 2, 9, 0, 0, 1, 0, 0x80, 50,
	9, 2, 11, 0, 0, 2, 0, 0x80, 50, 0xaa, 0xbb,
};

static int file(struct bytes content)
{
	int fd = memfd_create("node", MFD_CLOEXEC);

	ASSERT_GE(fd, 0);
	ASSERT_EQ((ssize_t)content.n, write(fd, content.p, content.n));
	return fd;
}

TEST(descriptors_are_handed_on_as_bytes)
{
	uint8_t device[NODE_DEVICE_LEN], *config = NULL;
	int fd = file(BYTES_OF(node));
	size_t n = 0;

	ASSERT_EQ(0, node_read_device(fd, device));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	EXPECT_BYTES_EQ(BYTES(node, 18), BYTES_OF(device));
#endif
	ASSERT_EQ(0, node_read_config(fd, -1, &config, &n));
	EXPECT_BYTES_EQ(BYTES(node + 18, 9), BYTES(config, n));
	free(config);
	ASSERT_EQ(0, node_read_config(fd, 2, &config, &n));
	EXPECT_BYTES_EQ(BYTES(node + 27, 11), BYTES(config, n));
	free(config);
	EXPECT_EQ(-ENOENT, node_read_config(fd, 3, &config, &n));
}

TEST(a_node_that_ends_early_is_refused_at_every_length)
{
	uint8_t device[NODE_DEVICE_LEN], *config = NULL;
	size_t n = 0;

	for (size_t len = 0; len < sizeof(node); len++) {
		int fd = file(BYTES(node, len));

		EXPECT_EQ(len < 18 ? -EBADMSG : 0, node_read_device(fd, device));
		EXPECT_GT(0, node_read_config(fd, 2, &config, &n));
		EXPECT_NULL(config);
		(void)close(fd);
	}
}

TEST(lengths_that_lead_nowhere_are_refused)
{
	static const uint8_t totals[] = { 0, 1, 8 };
	uint8_t bad[sizeof(node)], *config = NULL;
	size_t n = 0;

	for (size_t i = 0; i < sizeof(totals); i++) {
		memcpy(bad, node, sizeof(bad));
		bad[20] = totals[i];
		EXPECT_EQ(-EBADMSG, node_read_config(file(BYTES_OF(bad)), 2, &config, &n));
	}
	memcpy(bad, node, sizeof(bad));
	bad[19] = 4;		/* an interface where a configuration should be */
	EXPECT_EQ(-EBADMSG, node_read_config(file(BYTES_OF(bad)), 1, &config, &n));
	memcpy(bad, node, sizeof(bad));
	bad[21] = 0xff;		/* 65289 bytes */
	EXPECT_EQ(-EBADMSG, node_read_config(file(BYTES_OF(bad)), 1, &config, &n));
	EXPECT_NULL(config);
}

TEST(what_is_no_usb_node_is_refused)
{
	EXPECT_EQ(-EINVAL, node_check(file(BYTES_OF(node))));
	EXPECT_EQ(-EINVAL, node_check(open("/dev/null", O_RDWR | O_CLOEXEC)));
	EXPECT_EQ(-EBADF, node_check(-1));
	EXPECT_FALSE(node_is_claimed(file(BYTES_OF(node)), 0));
	EXPECT_EQ(-EIO, node_reset_endpoint(file(BYTES_OF(node)), 0x81));
}

TEST(a_hang_up_is_seen_and_waited_for)
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	EXPECT_FALSE(node_hung_up(fds[0]));
	EXPECT_FALSE(node_hangs_up_within(fds[0], 10));
	(void)close(fds[1]);
	EXPECT_TRUE(node_hung_up(fds[0]));
	EXPECT_TRUE(node_hung_up(-1) == false);	/* poll(2) passes over it */
}
