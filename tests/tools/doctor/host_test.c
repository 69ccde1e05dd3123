/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/tools/doctor/host_test.c - The image of a machine with one reader, and each thing that goes
 * wrong with it planted: the doctor names that and nothing else.
 */
#include "tools/doctor/bundle.h"
#include "tools/doctor/host.h"

#include "tests/harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

FIXTURE(machine)
{
	struct host host;
	struct ledger ledger;
	char root[64];
};

static void write_below(const char *root, const char *name, const char *text)
{
	char command[256], path[128];
	FILE *to;

	(void)snprintf(path, sizeof(path), "%s%s", root, name);
	(void)snprintf(command, sizeof(command), "mkdir -p $(dirname %s)", path);
	ASSERT_EQ(0, system(command));
	to = fopen(path, "we");
	ASSERT_NOT_NULL(to);
	fputs(text, to);
	ASSERT_EQ(0, fclose(to));
}

#define DEVICES "/sys/bus/usb/devices"
#define NODE "/dev/bus/usb/001/002"
#define RULE_FILE "/usr/lib/udev/rules.d/69-keyferry.rules"

FIXTURE_SETUP(machine)
{
	static const char *const files[][2] = {
		{ DEVICES "/1-1/idVendor", "08e6\n" }, { DEVICES "/1-1/idProduct", "4433\n" },
		{ DEVICES "/1-1/busnum", "1\n" }, { DEVICES "/1-1/devnum", "2\n" },
		{ DEVICES "/1-1/serial", "SN-4711\n" },
		{ DEVICES "/1-1:1.0/bInterfaceClass", "0b\n" },
		{ DEVICES "/1-1:1.0/bInterfaceProtocol", "00\n" },
		{ DEVICES "/1-1:1.1/bInterfaceClass", "03\n" },	/* a keyboard is none of ours */
		{ DEVICES "/1-1:1.1/bInterfaceProtocol", "01\n" },
		{ NODE, "" }, { RULE_FILE, "# rule\n" },
	};
	char passwd[64], path[128];

	(void)snprintf(self->root, sizeof(self->root), "/tmp/keyferry-test-XXXXXX");
	ASSERT_NOT_NULL(mkdtemp(self->root));
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		write_below(self->root, files[i][0], files[i][1]);
	(void)snprintf(passwd, sizeof(passwd), "keyferry-dev:x:%u:1::/:/bin/false\n", getuid());
	write_below(self->root, "/etc/passwd", passwd);
	(void)snprintf(path, sizeof(path), "%s" NODE, self->root);
	ASSERT_EQ(0, chmod(path, 0600));
	self->host.root = self->root;
}

FIXTURE_TEARDOWN(machine)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf %s", self->root);
	EXPECT_EQ(0, system(command));
}

static void remove_below(const char *root, const char *name)
{
	char command[256];

	(void)snprintf(command, sizeof(command), "rm -r %s%s", root, name);
	ASSERT_EQ(0, system(command));
}

/* The one check with trouble is @check, and its cause has @word; NULL: none has. */
static void expect_trouble(struct ledger *ledger, const char *check, const char *word)
{
	bool found = false;

	for (size_t i = 0; i < ledger->n; i++) {
		const struct finding *f = &ledger->all[i];

		if (f->verdict == VERDICT_OK || f->verdict == VERDICT_SKIPPED)
			continue;
		if (!check || strcmp(f->check, check) != 0)
			TEST_FAIL("%s: %s", f->check, f->cause);
		found |= check && strstr(f->cause, word) && f->next[0];
	}
	if (check && !found)
		TEST_FAIL("no trouble with %s says %s", check, word);
}

TEST_F(machine, nothing_is_wrong_with_it)
{
	host_check(&self->host, &self->ledger);
	expect_trouble(&self->ledger, NULL, NULL);
	EXPECT_EQ(1, self->host.n_readers);
	EXPECT_STREQ("SN-4711", self->host.readers[0].serial);
}

TEST_F(machine, without_usbfs)
{
	remove_below(self->root, "/dev");
	host_check(&self->host, &self->ledger);
	EXPECT_TRUE(ledger_has_trouble(&self->ledger, "kernel USB"));
	EXPECT_NOT_NULL(strstr(self->ledger.all[0].cause, "usbfs is missing"));
}

TEST_F(machine, without_usb_in_the_kernel)
{
	remove_below(self->root, "/sys");
	host_check(&self->host, &self->ledger);
	expect_trouble(&self->ledger, "kernel USB", "no USB");
}

TEST_F(machine, without_the_rule)
{
	remove_below(self->root, RULE_FILE);
	host_check(&self->host, &self->ledger);
	expect_trouble(&self->ledger, "udev rule", "no *-keyferry.rules");
}

TEST_F(machine, with_an_empty_rule_before_ours)
{
	write_below(self->root, "/etc/udev/rules.d/69-keyferry.rules", "");
	host_check(&self->host, &self->ledger);
	expect_trouble(&self->ledger, "udev rule", "switches the rule off");
}

TEST_F(machine, with_a_node_of_somebody_else)
{
	write_below(self->root, "/etc/passwd", "keyferry-dev:x:12345:1::/:/bin/false\n");
	host_check(&self->host, &self->ledger);
	expect_trouble(&self->ledger, "nodes", "mode 0600");
}

TEST_F(machine, with_a_node_for_everybody)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s" NODE, self->root);
	ASSERT_EQ(0, chmod(path, 0666));
	host_check(&self->host, &self->ledger);
	expect_trouble(&self->ledger, "nodes", "past the broker");
}

TEST_F(machine, without_the_user_the_nodes_belong_to)
{
	write_below(self->root, "/etc/passwd", "root:x:0:0::/:/bin/sh\n");
	host_check(&self->host, &self->ledger);
	expect_trouble(&self->ledger, "nodes", "no user keyferry-dev");
}

TEST_F(machine, with_an_iccd_token)
{
	write_below(self->root, DEVICES "/1-1:1.0/bInterfaceProtocol", "02\n");
	host_check(&self->host, &self->ledger);
	expect_trouble(&self->ledger, "nodes", "ICCD");
}

TEST_F(machine, with_hostile_attributes)
{
	write_below(self->root, DEVICES "/1-1/serial", "a\033[2Jb\n");
	write_below(self->root, DEVICES "/1-2:1.0/bInterfaceClass", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b\n");
	write_below(self->root, DEVICES "/1-3:1.0/bInterfaceClass", "\n");
	host_check(&self->host, &self->ledger);
	EXPECT_EQ(1, self->host.n_readers);
	EXPECT_STREQ("a?[2Jb", self->host.readers[0].serial);
}

TEST_F(machine, of_whose_reader_a_report_has_no_serial_number)
{
	struct kf_client *client = NULL;
	char *text;

	write_below(self->root, "/etc/keyferry/keyferryd.conf", "[readers]\nleave = port=1-1\n");
	host_check(&self->host, &self->ledger);
	ASSERT_EQ(0, kf_client_new("host_test", &client));
	text = bundle_make(&self->host, client, &self->ledger);
	ASSERT_NOT_NULL(text);
	EXPECT_NOT_NULL(strstr(text, "usb 08e6:4433 at " NODE " serial <serial 1>\n"));
	EXPECT_NULL(strstr(text, "4711"));
	free(text);
	client = kf_client_free(client);
}

/* A process called @name that has the node open. */
static pid_t start_holder(const char *root, const char *name)
{
	int ready[2];
	char path[128], byte;
	pid_t pid;

	(void)snprintf(path, sizeof(path), "%s" NODE, root);
	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	ASSERT_LE(0, pid);
	if (pid == 0) {
		if (open(path, O_RDONLY) < 0 || prctl(PR_SET_NAME, name) < 0 ||
		    write(ready[1], "", 1) != 1)
			_exit(1);
		(void)pause();
	}
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	return pid;
}

static void expect_holder(struct host *host, struct ledger *ledger, const char *name,
			  const char *next)
{
	pid_t pid;
	char who[64];

	if (getuid() != 0)
		SKIP("only root sees who has a file open");
	pid = start_holder(host->root, name);
	host_check(host, ledger);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	(void)snprintf(who, sizeof(who), "held by %s, pid %d", name, (int)pid);
	expect_trouble(ledger, "holders", who);
	EXPECT_NOT_NULL(strstr(ledger->all[ledger->n - 1].next, next));
}

TEST_F(machine, with_a_reader_that_pcscd_holds)
{
	expect_holder(&self->host, &self->ledger, "pcscd", "pcscd.socket");
}

TEST_F(machine, with_a_reader_that_another_program_holds)
{
	expect_holder(&self->host, &self->ledger, "scdaemon", "end that program");
}

TEST_F(machine, with_a_reader_that_our_driver_holds)
{
	pid_t pid = start_holder(self->root, "keyferry-driver");

	host_check(&self->host, &self->ledger);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	expect_trouble(&self->ledger, NULL, NULL);
}
