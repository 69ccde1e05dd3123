/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/monitor/uevent.h"
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>

#define GOOD \
	"bind@/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0\0" \
	"ACTION=bind\0" \
	"DEVPATH=/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0\0" \
	"SUBSYSTEM=usb\0DEVTYPE=usb_interface\0DRIVER=usbfs\0PRODUCT=8e6/4433/100\0" \
	"INTERFACE=11/0/0\0MODALIAS=usb:v08E6p4433d0100dc00dsc00dp00ic0Bisc00ip00in00\0SEQNUM=4711"

static int parse(const char *message, size_t n, struct uevent *out)
{
	uint8_t *exact = malloc(n ? n : 1);	/* ASan sees a step over its edge */
	int r;

	ASSERT_NOT_NULL(exact);
	memcpy(exact, message, n);
	r = uevent_parse(BYTES(exact, n), out);
	free(exact);
	return r;
}

#define PARSE(text, out) parse(text, sizeof(text), out)

TEST(what_the_kernel_says_is_read)
{
	struct uevent e;

	ASSERT_EQ(0, uevent_parse(BYTES(GOOD, sizeof(GOOD)), &e));
	EXPECT_BYTES_EQ(BYTES("bind", 4), e.action);
	EXPECT_BYTES_EQ(BYTES("/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0", 49), e.devpath);
	EXPECT_TRUE(uevent_is_usb(&e));
	ASSERT_EQ(0, PARSE("add@/d\0ACTION=add\0DEVPATH=/d\0SUBSYSTEM=mem\0SYNTH_UUID=0\0"
			   "SYNTH_ARG_a=b", &e));
	ASSERT_EQ(0, PARSE("add@/d@1\0ACTION=add\0DEVPATH=/d@1\0SUBSYSTEM=usb_device", &e));
	EXPECT_EQ(0, PARSE("add@/d..e\0ACTION=add\0DEVPATH=/d..e\0SUBSYSTEM=usb\0DEVNAME=a/b", &e));
}

TEST(only_the_subsystem_usb_is_usb)
{
	struct uevent e;

	ASSERT_EQ(0, PARSE("add@/d\0ACTION=add\0DEVPATH=/d\0SUBSYSTEM=usb_device", &e));
	EXPECT_FALSE(uevent_is_usb(&e));
	ASSERT_EQ(0, PARSE("add@/d\0ACTION=add\0DEVPATH=/d\0SUBSYSTEM=us", &e));
	EXPECT_FALSE(uevent_is_usb(&e));
}

#define HOSTILE(text) { text, sizeof(text) }

TEST(H4_what_no_kernel_says_is_refused)
{
	static const struct { const char *text; size_t n; } bad[] = {
		{ "", 0 }, { "\0", 1 }, { "add@/d", 6 },		/* no NUL */
		HOSTILE("add@/d"),					/* only the header */
		HOSTILE("add/d\0ACTION=add\0DEVPATH=/d\0SUBSYSTEM=usb"),	/* no '@' */
		HOSTILE("@/d\0ACTION=\0DEVPATH=/d\0SUBSYSTEM=usb"),
		HOSTILE("add@\0ACTION=add\0DEVPATH=\0SUBSYSTEM=usb"),
		HOSTILE("add@d\0ACTION=add\0DEVPATH=d\0SUBSYSTEM=usb"),
		HOSTILE("add@/d\0ACTION=add\0DEVPATH=/d\0SUBSYSTEM=usb\0KEY"),
		HOSTILE("add@/d\0ACTION=add\0DEVPATH=/d\0SUBSYSTEM=usb\0=x"),
		HOSTILE("add@/d\0ACTION=add\0DEVPATH=/d\0SUBSYSTEM=usb\0A B=x"),
		HOSTILE("add@/d\0ACTION=add\0DEVPATH=/d\0SUBSYSTEM=usb\0\0"),
		HOSTILE("add@/d\0ACTION=add\0DEVPATH=/d\0SUBSYSTEM="),
		HOSTILE("add@/d\0ACTION=add\0DEVPATH=/d"),
		HOSTILE("add@/..\0ACTION=add\0DEVPATH=/..\0SUBSYSTEM=usb"),
		HOSTILE("add@/a/../b\0ACTION=add\0DEVPATH=/a/../b\0SUBSYSTEM=usb"),
		HOSTILE("add@/d\0ACTION=add\0DEVPATH=/d\0SUBSYSTEM=usb\0DEVNAME=/dev/mem"),
		HOSTILE("add@/d\0ACTION=add\0DEVPATH=/d\0SUBSYSTEM=usb\0DEVNAME=a/../../mem"),
		HOSTILE("add@/d\0ACTION=add\0DEVPATH=/d\0SUBSYSTEM=usb\0DEVNAME=.."),
		HOSTILE("add@/d\0ACTION=add\0DEVPATH=/d\0SUBSYSTEM=usb\0DEVNAME="),
		HOSTILE("add@/d\0ACTION=add\0DEVPATH=/d\0SUBSYSTEM=usb\0SUBSYSTEM=mem"),
		HOSTILE("libudev\0\xfe\xed\xca\xfe"),			/* udev's */
	};
	struct uevent e;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse(bad[i].text, bad[i].n, &e) != -EBADMSG)
			TEST_FAIL("number %zu was read: %s", i, bad[i].text);
}

static size_t with_keys(char *buf, int n)
{
	size_t at = sizeof("add@/d\0ACTION=add\0DEVPATH=/d\0SUBSYSTEM=usb");

	memcpy(buf, "add@/d\0ACTION=add\0DEVPATH=/d\0SUBSYSTEM=usb", at);
	for (int i = 3; i < n; i++)
		at += (size_t)sprintf(buf + at, "K%d=", i) + 1;
	return at;
}

TEST(H4_a_message_has_an_end_and_so_many_keys)
{
	static char buf[65536 + 64];
	struct uevent e;
	size_t n;

	EXPECT_EQ(0, parse(buf, with_keys(buf, UEVENT_KEYS), &e));
	EXPECT_EQ(-EBADMSG, parse(buf, with_keys(buf, UEVENT_KEYS + 1), &e));
	EXPECT_EQ(-EBADMSG, parse(buf, with_keys(buf, 5000), &e));
	n = with_keys(buf, 3);
	memcpy(buf + n, "LONG=", 5);
	memset(buf + n + 5, 'x', sizeof(buf) - n - 6);
	buf[UEVENT_MAX - 1] = '\0';
	EXPECT_EQ(0, parse(buf, UEVENT_MAX, &e));
	buf[UEVENT_MAX - 1] = 'x';
	buf[UEVENT_MAX] = '\0';
	EXPECT_EQ(-EBADMSG, parse(buf, UEVENT_MAX + 1, &e));
	buf[65535] = '\0';
	EXPECT_EQ(-EBADMSG, parse(buf, 65536, &e));
}

TEST(H5_keys_that_differ_from_the_header_are_refused)
{
	struct uevent e;

	EXPECT_EQ(-EBADMSG, PARSE("add@/d\0ACTION=remove\0DEVPATH=/d\0SUBSYSTEM=usb", &e));
	EXPECT_EQ(-EBADMSG, PARSE("add@/d\0ACTION=add\0DEVPATH=/e\0SUBSYSTEM=usb", &e));
	EXPECT_EQ(-EBADMSG, PARSE("add@/d\0ACTION=add\0ACTION=add\0DEVPATH=/d\0SUBSYSTEM=usb", &e));
}

TEST(every_truncation_is_refused_or_still_whole)
{
	struct uevent e;

	for (size_t n = 0; n < sizeof(GOOD); n++) {
		bool at_a_key = n > 0 && GOOD[n - 1] == '\0';
		int r = parse(GOOD, n, &e);

		if (r == 0 && !at_a_key)
			TEST_FAIL("cut after %zu bytes and read", n);
	}
}

TEST(any_byte_changed_is_survived)
{
	char buf[sizeof(GOOD)];
	struct uevent e;

	for (size_t i = 0; i < sizeof(GOOD); i++)
		for (int c = 0; c < 256; c++) {
			memcpy(buf, GOOD, sizeof(buf));
			buf[i] = (char)c;
			(void)parse(buf, sizeof(buf), &e);
		}
}

TEST(H3_only_the_kernel_is_the_kernel)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	const struct ucred nobody = { 0 };
	struct sockaddr_nl from = kernel;
	struct ucred cred = nobody;

	EXPECT_TRUE(uevent_from_kernel(&from, &cred));
	EXPECT_FALSE(uevent_from_kernel(&from, NULL));
	cred.pid = 1;
	EXPECT_FALSE(uevent_from_kernel(&from, &cred));
	cred = nobody;
	cred.uid = 1000;
	EXPECT_FALSE(uevent_from_kernel(&from, &cred));
	from.nl_pid = 17;
	EXPECT_FALSE(uevent_from_kernel(&from, &nobody));
	from = kernel;
	from.nl_groups = 2;
	EXPECT_FALSE(uevent_from_kernel(&from, &nobody));
	from.nl_groups = 0;
	EXPECT_FALSE(uevent_from_kernel(&from, &nobody));
	from = kernel;
	from.nl_family = AF_UNIX;
	EXPECT_FALSE(uevent_from_kernel(&from, &nobody));
}
