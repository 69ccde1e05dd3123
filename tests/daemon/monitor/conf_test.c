/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The configuration file, whole and broken.
 * Faces: daemon/monitor/conf_reading.c daemon/monitor/conf_rule.c
 */
#include "base/cleanup.h"
#include "daemon/broker/policy.h"
#include "daemon/broker/quota.h"
#include "daemon/monitor/conf.h"
#include "tests/harness.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct heard {
	unsigned int line;
	char text[512];
	size_t n;
};

static void hear(void *data, unsigned int line, const char *text)
{
	struct heard *heard = data;

	if (heard->n++ > 0)
		return;
	heard->line = line;
	snprintf(heard->text, sizeof(heard->text), "%s", text);
}

static int parse(const char *text, struct conf *out, struct heard *heard)
{
	*heard = (struct heard){ 0 };
	return conf_parse(BYTES(text, strlen(text)), out, hear, heard);
}

static struct conf good(const char *text)
{
	static struct conf conf;
	struct heard heard;

	if (parse(text, &conf, &heard) < 0) {
		TEST_LOG("%u: %s", heard.line, heard.text);
		ASSERT_TRUE(false);
	}
	return conf;
}

TEST(an_empty_file_is_the_defaults)
{
	struct conf conf = good(""), plain;

	conf_init(&plain);
	EXPECT_EQ(0, memcmp(&conf, &plain, sizeof(conf)));
	EXPECT_TRUE(conf.shipped_rules);
	EXPECT_EQ(0u, conf.idle_s);
	EXPECT_EQ((uid_t)-1, conf.virtual_uid);
	conf = good("# a comment\n\n; another\n   \n[limits]\n[readers]");
	EXPECT_EQ(0, memcmp(&conf, &plain, sizeof(conf)));
}

TEST(each_key_reaches_its_place)
{
	struct conf conf = good("[service]\nidle-stop = 15min\n"
				"[limits]\nconnections=7\ncontexts = 8\nkeys = 9\nbytes = 1000\n"
				"[readers]\ntake = usb=08e6:* port=1-2*\nleave = serial=7?\n"
				"[virtual]\npath = /run/a.sock\npath = /run/b.sock\nowner = 12\n"
				"[policy]\nshipped-rules = no\n"
				"[rule desk]\nuser = 5\nallow = look\n");

	EXPECT_EQ(900u, conf.idle_s);
	EXPECT_EQ(7u, conf.limits.connections);
	EXPECT_EQ(8u, conf.limits.contexts);
	EXPECT_EQ(9u, conf.limits.keys);
	EXPECT_EQ(1000u, conf.limits.bytes);
	EXPECT_EQ(1u, conf.n_take);
	EXPECT_EQ(1u, conf.n_leave);
	EXPECT_EQ(2u, conf.n_virtuals);
	EXPECT_STREQ("/run/b.sock", conf.virtuals[1]);
	EXPECT_EQ(12u, conf.virtual_uid);
	EXPECT_FALSE(conf.shipped_rules);
	ASSERT_EQ(1u, conf.n_rules);
	EXPECT_STREQ("desk", conf.rules[0].name);
	EXPECT_EQ(17u, conf.rules[0].line);
}

TEST(a_rule_is_a_row_for_each_user_or_group_reader_and_range)
{
	struct conf conf = good("[rule desk]\nuser = 5 root\ngroup = root\nreader = usb:* virtual:a\n"
				"container = 1 4-6\nallow = look use\nallow = inject\n"
				"[rule all]\nuser = *\nallow = look\n");

	ASSERT_EQ(13u, conf.n_rules);
	EXPECT_EQ(SPAWN_UID, conf.rules[0].who);
	EXPECT_EQ(5u, conf.rules[0].id);
	EXPECT_STREQ("usb:*", conf.rules[0].reader);
	EXPECT_EQ(1u, conf.rules[0].first);
	EXPECT_EQ(1u, conf.rules[0].count);
	EXPECT_EQ(4u, conf.rules[1].first);
	EXPECT_EQ(3u, conf.rules[1].count);
	EXPECT_STREQ("virtual:a", conf.rules[2].reader);
	EXPECT_EQ(0u, conf.rules[4].id);
	EXPECT_EQ(SPAWN_GID, conf.rules[8].who);
	EXPECT_EQ(KF_RIGHT_LOOK | KF_RIGHT_USE | KF_RIGHT_INJECT, conf.rules[11].rights);
	EXPECT_EQ(SPAWN_EVERYBODY, conf.rules[12].who);
	EXPECT_EQ(0u, conf.rules[12].count);
}

static const struct { const char *text; unsigned int line; const char *says; } wrong[] = {
	{ "[bogus]\n", 1, "no section [bogus]; there are [service], [limits], [readers], [virtual], "
			  "[policy] and [rule NAME]" },
	{ "\n[limits]\nfoo = 1\n", 3, "no key foo in [limits]; there are: connections, contexts, "
				      "keys, bytes" },
	{ "[limits]\n[limits]\n", 2, "a second section [limits]" },
	{ "[limits x]\n", 1, "no section [limits x]" },
	{ "[rule]\n", 1, "no section [rule]" },
	{ "keys = 1\n", 1, "keys stands before any section" },
	{ "[limits]\nkeys\n", 2, "neither [SECTION] nor KEY = VALUE" },
	{ "[limits\nkeys = 1\n", 1, "a section is [NAME]" },
	{ "[limits] keys = 1\n", 1, "something stands behind the section's name" },
	{ "[limits]\n keys = 1\n", 2, "begins with a blank" },
	{ "[limits]\nkeys = 1\n 2\n", 3, "begins with a blank" },
	{ "[limits]\nkeys =\n", 2, "keys has no value" },
	{ "[limits]\nkeys = 0\n", 2, "keys = 0: a number from 1 to 8192" },
	{ "[limits]\nkeys = 8193\n", 2, "keys = 8193" },
	{ "[limits]\nkeys = 99999999999999999999\n", 2, "keys = " },
	{ "[limits]\nkeys = -1\n", 2, "keys = -1" },
	{ "[limits]\nkeys = 1\nkeys = 2\n", 3, "keys is given twice" },
	{ "[limits]\nKeys = 1\n", 2, "no key Keys" },
	{ "[service]\nidle-stop = soon\n", 2, "idle-stop = soon: 'never', or how long" },
	{ "[service]\nidle-stop = 0s\n", 2, "idle-stop = 0s" },
	{ "[service]\nidle-stop = 9d\n", 2, "idle-stop = 9d" },
	{ "[service]\nidle-stop = 999999h\n", 2, "idle-stop = 999999h" },
	{ "[readers]\ntake = 08e6:3437\n", 2, "take: '08e6:3437' is none of name=GLOB" },
	{ "[readers]\ntake = usb=08E6:3437\n", 2, "take: 'usb' is none of" },
	{ "[readers]\nleave = name=\n", 2, "leave: 'name' is none of" },
	{ "[virtual]\npath = a.sock\n", 2, "path = a.sock: an absolute path" },
	{ "[virtual]\npath = /run/../a.sock\n", 2, "an absolute path" },
	{ "[virtual]\nowner = no-such-user\n", 2, "owner = no-such-user: no such user here" },
	{ "[policy]\nshipped-rules = maybe\n", 2, "shipped-rules = maybe: yes or no" },
	{ "[rule a]\nallow = look\n", 1, "rule a names nobody: add user or group" },
	{ "[rule a]\nuser = 1\n", 1, "rule a allows nothing: add allow" },
	{ "[rule a]\nuser = 1\nallow = sing\n", 3, "allow = sing: not one of: look use inject create "
						   "delete admin raw relay init kek" },
	{ "[rule a]\nuser = 1\nallow = all\n", 3, "allow = all" },
	{ "[rule a]\nuser = no-such-user\nallow = look\n", 2, "user = no-such-user: no such user" },
	{ "[rule a]\nuser = 65534\nallow = look\n", 2, "\"nobody\" stands for many" },
	{ "[rule a]\nuser = 4294967295\nallow = look\n", 2, "no such user" },
	{ "[rule a]\ngroup = no-such-group\nallow = look\n", 2, "group = no-such-group: no such" },
	{ "[rule a]\nuser = 1\ncontainer = 5-2\nallow = look\n", 3, "container: a number or a range" },
	{ "[rule a]\nuser = 1\ncontainer = 70000\nallow = look\n", 3, "container: a number or a" },
	{ "[rule a]\nuser = 1\ncontainer = 1,2\nallow = look\n", 3, "container: a number or a range" },
	{ "[rule a]\nuser = 1\ncontainer = 1\nallow = look raw admin\n", 1,
	  "rule a: admin raw: over the whole card, so no container can narrow it" },
	{ "[rule a]\nuser = 1\nallow = look\n[rule a]\nuser = 1\nallow = use\n", 4,
	  "there is a rule a already" },
	{ "[rule abcdefghijklmnopqrstuvwxyzabcdefghij]\n", 1, "a rule has a name of 1 to 31 bytes" },
	{ "[limits]\nkeys = 1\r\n", 2, "a control character" },
};

TEST(each_mistake_is_told_with_its_line_and_what_would_do)
{
	struct conf conf = { .idle_s = 77 };
	struct heard heard;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		int r = parse(wrong[i].text, &conf, &heard);

		if (r == -EINVAL && heard.line == wrong[i].line &&
		    strncmp(heard.text, wrong[i].says, strlen(wrong[i].says)) != 0 &&
		    strstr(heard.text, wrong[i].says))
			continue;
		if (r != -EINVAL || heard.line != wrong[i].line ||
		    strncmp(heard.text, wrong[i].says, strlen(wrong[i].says)) != 0) {
			TEST_LOG("row %zu: %d, line %u: %s", i, r, heard.line, heard.text);
			EXPECT_TRUE(false);
		}
		EXPECT_EQ(77u, conf.idle_s);	/* nothing of a wrong file is taken */
	}
}

TEST(every_mistake_is_told_but_not_a_thousand)
{
	char text[8192] = "";
	struct heard heard;
	struct conf conf;

	EXPECT_EQ(-EINVAL, parse("[limits]\nkeys = 0\nbytes = x\n[what]\na = 1\n", &conf, &heard));
	EXPECT_EQ(3u, heard.n);
	for (int i = 0; i < 1000; i++)
		strcat(text, "[bad]\n");
	EXPECT_EQ(-EINVAL, parse(text, &conf, &heard));
	EXPECT_EQ(21u, heard.n);
}

TEST(a_long_line_is_refused_and_not_cut)
{
	char text[1024];
	struct heard heard;
	struct conf conf;

	snprintf(text, sizeof(text), "[virtual]\npath = /%0*d\n", 190, 0);
	EXPECT_EQ(0, parse(text, &conf, &heard));
	EXPECT_EQ(191u, strlen(conf.virtuals[0]));
	snprintf(text, sizeof(text), "[virtual]\npath = /%0*d\n", 191, 0);
	EXPECT_EQ(-EINVAL, parse(text, &conf, &heard));
	EXPECT_EQ(2u, heard.line);
	snprintf(text, sizeof(text), "[virtual]\npath = /%0*d\n", 900, 0);
	EXPECT_EQ(-EINVAL, parse(text, &conf, &heard));
}

TEST(a_nul_byte_hides_nothing)
{
	static const char text[] = "[limits]\nkeys = 1\0 foo\nbogus = 1\n";
	struct heard heard = { 0 };
	struct conf conf;

	EXPECT_EQ(-EINVAL, conf_parse(BYTES(text, sizeof(text) - 1), &conf, hear, &heard));
	EXPECT_EQ(2u, heard.line);
	EXPECT_EQ(2u, heard.n);
}

TEST(more_rules_than_the_table_has_are_refused)
{
	char text[8192] = "[rule a]\nallow = look\nuser =";
	struct heard heard;
	struct conf conf;

	for (int i = 0; i < 32; i++)
		sprintf(text + strlen(text), " %d", i + 1);
	strcat(text, "\nreader = a b c d\n");
	EXPECT_EQ(0, parse(text, &conf, &heard));
	EXPECT_EQ((size_t)SPAWN_RULES, conf.n_rules);
	strcat(text, "reader = e\n");
	EXPECT_EQ(-EINVAL, parse(text, &conf, &heard));
	EXPECT_EQ(1u, heard.n);
	EXPECT_EQ(1u, heard.line);
}

TEST(readers_are_ours_by_take_and_leave)
{
	const struct conf_reader gem = { "usb:Gemalto", "A7", "1-2.4", 0x08e6, 0x3437 };
	const struct conf_reader bare = { "usb:x", NULL, "2-1", 0x1050, 0x0407 };
	struct conf conf = good("");

	EXPECT_TRUE(conf_takes(&conf, &gem));
	conf = good("[readers]\nleave = usb=08e6:*\n");
	EXPECT_FALSE(conf_takes(&conf, &gem));
	EXPECT_TRUE(conf_takes(&conf, &bare));
	conf = good("[readers]\ntake = usb=08e6:3437 port=1-2*\n");
	EXPECT_TRUE(conf_takes(&conf, &gem));
	EXPECT_FALSE(conf_takes(&conf, &bare));
	conf = good("[readers]\ntake = usb=08e6:3437 port=2-*\n");
	EXPECT_FALSE(conf_takes(&conf, &gem));
	conf = good("[readers]\ntake = serial=A?\ntake = name=usb:x\nleave = port=2-1\n");
	EXPECT_TRUE(conf_takes(&conf, &gem));
	EXPECT_FALSE(conf_takes(&conf, &bare));
	conf = good("[readers]\ntake = serial=?*\n");
	EXPECT_FALSE(conf_takes(&conf, &bare));
}

FIXTURE(file) {
	char dir[64], path[96], link[96];
};
FIXTURE_SETUP(file)
{
	int fd;

	strcpy(self->dir, "/tmp/kf-conf-XXXXXX");
	ASSERT_NOT_NULL(mkdtemp(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/conf", self->dir);
	snprintf(self->link, sizeof(self->link), "%s/link", self->dir);
	fd = open(self->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	ASSERT_LT(0, write(fd, "[limits]\nkeys = 5\n", 18));
	fd_close(fd);
	ASSERT_EQ(0, symlink("conf", self->link));
}
FIXTURE_TEARDOWN(file)
{
	unlink(self->link);
	unlink(self->path);
	rmdir(self->dir);
}

TEST_F(file, one_that_others_could_change_is_refused)
{
	struct heard heard = { 0 };
	static struct conf conf;

	EXPECT_EQ(0, conf_load(self->path, geteuid(), &conf, hear, &heard));
	EXPECT_EQ(5u, conf.limits.keys);
	chmod(self->path, 0664);
	EXPECT_EQ(-EPERM, conf_load(self->path, geteuid(), &conf, hear, &heard));
	EXPECT_EQ(0u, heard.line);
	EXPECT_NOT_NULL(strstr(heard.text, "others than root could change it"));
	chmod(self->path, 0646);
	EXPECT_EQ(-EPERM, conf_load(self->path, geteuid(), &conf, hear, &heard));
	chmod(self->path, 0644);
	chmod(self->dir, 0777);
	EXPECT_EQ(-EPERM, conf_load(self->path, geteuid(), &conf, hear, &heard));
	chmod(self->dir, 0700);
	EXPECT_EQ(-ELOOP, conf_load(self->link, geteuid(), &conf, hear, &heard));
	EXPECT_EQ(-ENOENT, conf_load("/tmp/kf-conf-none/x", geteuid(), &conf, hear, &heard));
	EXPECT_EQ(-EINVAL, conf_load("/dev/null", geteuid(), &conf, hear, &heard));
	EXPECT_EQ(-EINVAL, conf_load(self->dir, geteuid(), &conf, hear, &heard));
}

TEST_F(file, a_service_takes_roots_alone)
{
	struct heard heard = { 0 };
	static struct conf conf;

	if (geteuid() == 0)
		ASSERT_EQ(0, chown(self->path, 12345, (gid_t)-1));
	EXPECT_EQ(-EPERM, conf_load(self->path, (uid_t)-1, &conf, hear, &heard));
	if (geteuid() == 0) {
		EXPECT_EQ(0, chown(self->path, 0, (gid_t)-1));
		EXPECT_EQ(0, conf_load(self->path, (uid_t)-1, &conf, hear, &heard));
	}
}
