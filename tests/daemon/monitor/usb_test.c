/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/monitor/usb.h"
#include "driver/ccid/quirks.h"
#include "tests/daemon/monitor/tree.h"

FIXTURE(usb) {
	struct tree tree;
	struct usb_reader readers[8];
	size_t n;
};

FIXTURE_SETUP(usb) { tree_init(&self->tree); }
FIXTURE_TEARDOWN(usb)
{
	for (size_t i = 0; i < self->n; i++)
		usb_deinit(&self->readers[i]);
	tree_deinit(&self->tree);
}

static void found(struct usb_reader *usb, void *data)
{
	struct fixture_usb *self = data;

	ASSERT_LT(self->n, 8u);
	self->readers[self->n++] = *usb;
	usb->dir = -1;
}

static size_t list(struct fixture_usb *self)
{
	for (size_t i = 0; i < self->n; i++)
		usb_deinit(&self->readers[i]);
	self->n = 0;
	ASSERT_EQ(0, usb_list(&self->tree.roots, found, self));
	return self->n;
}

static void expect_name(struct fixture_usb *self, const char *want)
{
	char name[KF_NAME_MAX];

	ASSERT_EQ(1u, list(self));
	ASSERT_EQ(0, usb_name(&self->readers[0], name));
	EXPECT_STREQ(want, name);
}

TEST_F(usb, a_reader_is_found_with_all_its_facts)
{
	tree_device(&self->tree, "1-2.3", 17, "08e6:4433");
	tree_interface(&self->tree, "1-2.3", 4, "0b\n");
	ASSERT_EQ(1u, list(self));
	EXPECT_STREQ("1-2.3:1.4", self->readers[0].path);
	EXPECT_EQ(5u, self->readers[0].port);
	EXPECT_EQ(1u, self->readers[0].bus);
	EXPECT_EQ(17u, self->readers[0].number);
	EXPECT_EQ(0x08e6, self->readers[0].vendor);
	EXPECT_EQ(0x4433, self->readers[0].product);
	EXPECT_EQ(4, self->readers[0].interface);
	EXPECT_TRUE(usb_alive(&self->readers[0]));
}

TEST_F(usb, a_machine_without_USB_has_no_readers)
{
	tree_run("rm -r %s/bus/usb", self->tree.sysfs);
	EXPECT_EQ(-ENOENT, usb_list(&self->tree.roots, found, self));
	EXPECT_EQ(0u, self->n);
}

TEST_F(usb, D16_each_CCID_interface_of_a_device_is_a_reader)
{
	tree_device(&self->tree, "1-1", 3, "08e6:4433");
	tree_interface(&self->tree, "1-1", 0, "0b\n");
	tree_interface(&self->tree, "1-1", 1, "03\n");
	tree_interface(&self->tree, "1-1", 10, "0b\n");
	tree_interface(&self->tree, "1-1", 2, "0b\n");
	ASSERT_EQ(3u, list(self));
	EXPECT_STREQ("1-1:1.0", self->readers[0].path);
	EXPECT_STREQ("1-1:1.2", self->readers[1].path);		/* in the order of numbers */
	EXPECT_STREQ("1-1:1.10", self->readers[2].path);
}

TEST_F(usb, H19_a_keyboard_beside_the_reader_is_not_looked_at)
{
	tree_device(&self->tree, "1-1", 3, "08e6:4433");
	tree_interface(&self->tree, "1-1", 0, "03\n");
	EXPECT_EQ(0u, list(self));
	tree_interface(&self->tree, "1-1", 1, "0b\n");
	ASSERT_EQ(1u, list(self));
	EXPECT_EQ(1, self->readers[0].interface);
}

TEST_F(usb, D15_the_vendor_class_counts_for_listed_ids_only)
{
	tree_device(&self->tree, "1-1", 3, "08e6:1359");
	tree_interface(&self->tree, "1-1", 0, "ff\n");
	tree_device(&self->tree, "1-2", 4, "08e6:135a");
	tree_interface(&self->tree, "1-2", 0, "ff\n");
	ASSERT_EQ(1u, list(self));
	EXPECT_STREQ("1-1:1.0", self->readers[0].path);
}

TEST(monitor_and_driver_know_the_same_readers_of_vendor_class)
{
	size_t n = 0;

	for (size_t i = 0; i < USB_VENDOR_CLASS; i++)
		EXPECT_TRUE(quirk_has(quirks_find(usb_vendor_class[i].vendor,
						  usb_vendor_class[i].product, 0x100),
				      QUIRK_VENDOR_CLASS));
	for (uint32_t vendor = 0; vendor <= UINT16_MAX; vendor++)
		for (size_t i = 0; i < USB_VENDOR_CLASS; i++)
			n += quirk_has(quirks_find((uint16_t)vendor, usb_vendor_class[i].product, 0),
				       QUIRK_VENDOR_CLASS);
	EXPECT_EQ((size_t)USB_VENDOR_CLASS, n);
}

TEST_F(usb, what_is_no_interface_or_cannot_be_one_is_left_out)
{
	static const char *const names[] = {
		"usb1", "1-1", "1-0:1", "1-:1.0", "x-1:1.0", "1-1:1.0.0", "1-1.:1.0", ":1.0",
		"1-1:1.", "1-1111111111111111111111111111:1.0",
	};

	tree_device(&self->tree, "1-1", 3, "08e6:4433");
	tree_interface(&self->tree, "1-1", 0, "0b\n");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		tree_run("ln -sfn ../../../devices/1-1/1-1:1.0 '%s/bus/usb/devices/%s'",
			 self->tree.sysfs, strcmp(names[i], "1-1") == 0 ? "usb2" : names[i]);
	EXPECT_EQ(1u, list(self));
	tree_put(&self->tree, "1-1", "1-1:1.0/bInterfaceNumber", "20\n");	/* 32 */
	EXPECT_EQ(0u, list(self));
	tree_put(&self->tree, "1-1", "1-1:1.0/bInterfaceNumber", "1f\n");
	EXPECT_EQ(1u, list(self));
	tree_put(&self->tree, "1-1", "devnum", "128\n");
	EXPECT_EQ(0u, list(self));
	tree_put(&self->tree, "1-1", "devnum", "0\n");
	EXPECT_EQ(0u, list(self));
}

TEST_F(usb, names_are_of_vendor_product_serial_and_path)
{
	tree_plug(&self->tree, "1-2", 5);
	expect_name(self, "Acme-Reader-One-A1@1-2:1.0");
	tree_put(&self->tree, "1-2", "product", "Acme Reader\n");
	expect_name(self, "Acme-Reader-A1@1-2:1.0");
	tree_run("cd %s/devices/1-2 && rm manufacturer serial", self->tree.sysfs);
	expect_name(self, "Acme-Reader@1-2:1.0");
	tree_run("rm %s/devices/1-2/product", self->tree.sysfs);
	expect_name(self, "08e6.4433@1-2:1.0");
}

TEST_F(usb, a_name_is_the_same_after_a_replug_and_the_path_does_not_depend_on_the_number)
{
	tree_plug(&self->tree, "1-2", 5);
	expect_name(self, "Acme-Reader-One-A1@1-2:1.0");
	tree_unplug(&self->tree, "1-2");
	tree_plug(&self->tree, "1-2", 77);
	expect_name(self, "Acme-Reader-One-A1@1-2:1.0");
}

TEST_F(usb, H15_two_of_a_kind_have_two_names)
{
	char one[KF_NAME_MAX], two[KF_NAME_MAX];

	tree_plug(&self->tree, "1-2", 5);
	tree_plug(&self->tree, "1-3", 6);
	ASSERT_EQ(2u, list(self));
	ASSERT_EQ(0, usb_name(&self->readers[0], one));
	ASSERT_EQ(0, usb_name(&self->readers[1], two));
	EXPECT_STRNE(one, two);
}

/* It cannot look like a virtual reader, like another path, or like a line of the log. */
TEST_F(usb, what_a_device_says_of_itself_is_reduced_to_harmless_letters)
{
	char name[KF_NAME_MAX], *at;

	tree_plug(&self->tree, "1-2.3.4.5.6.7", 5);
	tree_put(&self->tree, "1-2.3.4.5.6.7", "manufacturer", "");
	tree_put(&self->tree, "1-2.3.4.5.6.7", "product", "virtual:card\n");
	tree_put(&self->tree, "1-2.3.4.5.6.7", "serial", "@1-1:1.0\n\x1b[2J\n");
	expect_name(self, "virtual-card-1-1-1.0-2J@1-2.3.4.5.6.7:1.0");
	tree_put(&self->tree, "1-2.3.4.5.6.7", "manufacturer", "\xff\xfe%s%n/../");
	tree_put(&self->tree, "1-2.3.4.5.6.7", "product", "////");
	tree_put(&self->tree, "1-2.3.4.5.6.7", "serial", " ");
	expect_name(self, "s-n-..@1-2.3.4.5.6.7:1.0");
	for (const char *const *text = (const char *const[]){ "manufacturer", "product", "serial",
	     NULL }; *text; text++) {
		char longest[127];

		memset(longest, 'x', sizeof(longest) - 1);
		longest[126] = '\0';
		tree_put(&self->tree, "1-2.3.4.5.6.7", *text, longest);
	}
	ASSERT_EQ(1u, list(self));
	memset(name, 0x55, sizeof(name));
	ASSERT_EQ(0, usb_name(&self->readers[0], name));
	at = strchr(name, '@');
	ASSERT_NOT_NULL(at);
	EXPECT_STREQ("@1-2.3.4.5.6.7:1.0", at);
	EXPECT_EQ((size_t)KF_NAME_MAX - 10, strlen(name));	/* " slot 12" finds room */
	EXPECT_EQ(0, name[KF_NAME_MAX - 1]);
}

TEST_F(usb, one_that_went_is_dead_even_if_another_came_in_its_place)
{
	tree_plug(&self->tree, "1-2", 5);
	ASSERT_EQ(1u, list(self));
	tree_unplug(&self->tree, "1-2");
	EXPECT_FALSE(usb_alive(&self->readers[0]));
	tree_plug(&self->tree, "1-2", 5);		/* the same in every number */
	EXPECT_FALSE(usb_alive(&self->readers[0]));
}

TEST_F(usb, a_claimed_interface_is_held)
{
	tree_plug(&self->tree, "1-2", 5);
	ASSERT_EQ(1u, list(self));
	EXPECT_FALSE(usb_held(&self->readers[0]));
	tree_run("ln -s nowhere %s/devices/1-2/1-2:1.0/driver", self->tree.sysfs);
	EXPECT_TRUE(usb_held(&self->readers[0]));
}

TEST_F(usb, H8_a_node_is_judged_without_being_opened)
{
	const struct usb_roots *roots = &self->tree.roots;

	tree_plug(&self->tree, "1-2", TREE_ZERO);
	ASSERT_EQ(1u, list(self));
	EXPECT_EQ(-ENOENT, usb_node(&self->readers[0], roots));
	tree_run("touch %s/bus/usb/001/006", self->tree.dev);
	EXPECT_EQ(-ESTALE, usb_node(&self->readers[0], roots));
	tree_nodes(&self->tree);
	EXPECT_EQ(0, usb_node(&self->readers[0], roots));
	tree_run("cd %s/bus/usb/001 && rm 006 && cp -a 004 006", self->tree.dev);
	EXPECT_EQ(-ESTALE, usb_node(&self->readers[0], roots));		/* another's number */
	tree_run("cd %s/bus/usb/001 && mv 006 000 && mknod 000a c 1 5 && ln -s 000a 006",
		 self->tree.dev);
	EXPECT_EQ(-ESTALE, usb_node(&self->readers[0], roots));		/* a link */
	tree_run("cd %s/bus/usb/001 && mv 000a 006", self->tree.dev);
	ASSERT_EQ(0, seteuid(65534));
	EXPECT_EQ(-EACCES, usb_node(&self->readers[0], roots));
	EXPECT_EQ(-EACCES, usb_open(&self->readers[0], roots));
	ASSERT_EQ(0, seteuid(0));
}

TEST_F(usb, a_node_that_is_the_devices_opens)
{
	int fd;

	tree_nodes(&self->tree);
	tree_plug(&self->tree, "1-2", TREE_ZERO);
	ASSERT_EQ(1u, list(self));
	fd = usb_open(&self->readers[0], &self->tree.roots);
	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	fd_close(fd);
}

TEST_F(usb, H14_a_number_that_was_given_to_another_device_is_not_opened)
{
	const struct usb_roots *roots = &self->tree.roots;
	int before, fd;

	tree_nodes(&self->tree);
	tree_plug(&self->tree, "1-2", TREE_ZERO);
	ASSERT_EQ(1u, list(self));
	before = tree_count_fds();
	tree_put(&self->tree, "1-2", "descriptors", "\x12\x01\x10\x01 not all zeros");
	EXPECT_EQ(-ESTALE, usb_open(&self->readers[0], roots));
	tree_zeros(&self->tree, "1-2");
	fd = usb_open(&self->readers[0], roots);
	EXPECT_LE(0, fd);
	fd_close(fd);
	tree_unplug(&self->tree, "1-2");	/* replugged between uevent and open: all alike */
	tree_plug(&self->tree, "1-2", TREE_ZERO);
	EXPECT_EQ(-ESTALE, usb_open(&self->readers[0], roots));
	tree_plug(&self->tree, "1-3", TREE_NULL);
	ASSERT_EQ(2u, list(self));
	EXPECT_EQ(-ESTALE, usb_open(&self->readers[1], roots));	/* no device at all behind it */
	EXPECT_EQ(before + 1, tree_count_fds());	/* one more directory */
}
