/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/args.h"
#include "tests/harness.h"

struct taken {
	bool flag;
	const char *text, *word, *maybe;
	struct arg_texts more;
	uint32_t number;
	int fd;
	bool ok;
	int code;
};

static struct taken take(int argc, ...)
{
	struct taken t = { .number = 7, .fd = -1 };
	const struct arg own[] = {
		{ "flag", 'f', ARG_FLAG, &t.flag, NULL, "a flag" },
		{ "number", 'n', ARG_NUMBER, &t.number, "N", "a number" },
		{ "WORD", 0, ARG_WORD, &t.word, NULL, "a word" },
		{ "MAYBE", 0, ARG_MAYBE_WORD, &t.maybe, NULL, "another" },
		ARG_END
	};
	const struct arg common[] = {
		{ "text", 't', ARG_TEXT, &t.text, "TEXT", "a text" },
		{ "more", 'm', ARG_TEXTS, &t.more, "TEXT", "again and again" },
		{ "fd", 0, ARG_FD, &t.fd, "N", "a descriptor" },
		ARG_END
	};
	const struct arg_tables tables = { "For a test.", own, common };
	const struct ui ui = { .command = "keyferry test" };
	char *argv[16];
	va_list args;

	va_start(args, argc);
	for (int i = 0; i < argc; i++)
		argv[i] = va_arg(args, char *);
	va_end(args);
	argv[argc] = NULL;
	t.ok = args_parse(&ui, &tables, argc, argv, &t.code);
	return t;
}

TEST(options_and_words_may_mix)
{
	struct taken t = take(7, "test", "-n", "12", "word", "--flag", "--text=a=b", "more");

	EXPECT_TRUE(t.ok);
	EXPECT_TRUE(t.flag);
	EXPECT_EQ(12, t.number);
	EXPECT_STREQ("word", t.word);
	EXPECT_STREQ("more", t.maybe);
	EXPECT_STREQ("a=b", t.text);
}

TEST(an_option_may_come_again_and_again_up_to_a_limit)
{
	struct arg_texts texts = { 0 };
	const struct arg own[] = { { "more", 'm', ARG_TEXTS, &texts, "TEXT", "texts" }, ARG_END };
	const struct arg_tables tables = { "For a test.", own, NULL };
	const struct ui ui = { .command = "keyferry test" };
	char *argv[2 * ARG_TEXTS_MAX + 4] = { (char *)"test" };
	struct taken t = take(6, "test", "--more", "a", "word", "-m", "b");
	int code, n = 1;

	EXPECT_TRUE(t.ok);
	ASSERT_EQ(2u, t.more.n);
	EXPECT_STREQ("a", t.more.v[0]);
	EXPECT_STREQ("b", t.more.v[1]);
	for (int i = 0; i < ARG_TEXTS_MAX; i++) {
		argv[n++] = (char *)"-m";
		argv[n++] = (char *)"x";
	}
	EXPECT_TRUE(args_parse(&ui, &tables, n, argv, &code));
	EXPECT_EQ((size_t)ARG_TEXTS_MAX, texts.n);
	texts.n = 0;
	argv[n++] = (char *)"--more=x";
	EXPECT_FALSE(args_parse(&ui, &tables, n, argv, &code));
	EXPECT_EQ(UI_USAGE, code);
}

TEST(what_is_not_given_keeps_its_value)
{
	struct taken t = take(2, "test", "word");

	EXPECT_TRUE(t.ok);
	EXPECT_FALSE(t.flag);
	EXPECT_EQ(7, t.number);
	EXPECT_EQ(-1, t.fd);
	EXPECT_NULL(t.maybe);
}

TEST(two_dashes_end_the_options_and_one_is_a_word)
{
	struct taken t = take(3, "test", "--", "--flag");

	EXPECT_TRUE(t.ok);
	EXPECT_FALSE(t.flag);
	EXPECT_STREQ("--flag", t.word);
	t = take(2, "test", "-");
	EXPECT_TRUE(t.ok);
	EXPECT_STREQ("-", t.word);
}

TEST(mistakes_are_usage)
{
	struct taken bad[] = {
		take(1, "test"),				/* no word */
		take(4, "test", "a", "b", "c"),			/* one too many */
		take(3, "test", "w", "--none"),
		take(3, "test", "w", "--number"),
		take(4, "test", "w", "--number", "x"),
		take(4, "test", "w", "--number", "4294967295"),	/* means "none" elsewhere */
		take(4, "test", "w", "--fd", "-1"),
		take(3, "test", "w", "--flag=yes"),
		take(3, "test", "w", "-x"),
		take(3, "test", "w", "-fn"),
		take(3, "test", "w", "--numb=1"),		/* no guessing of abbreviations */
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		EXPECT_FALSE(bad[i].ok);
		EXPECT_EQ(UI_USAGE, bad[i].code);
	}
}

TEST(help_is_no_mistake)
{
	struct taken t = take(3, "test", "--nonsense-comes-later", "--help");

	EXPECT_EQ(UI_USAGE, t.code);
	t = take(2, "test", "--help");
	EXPECT_FALSE(t.ok);
	EXPECT_EQ(0, t.code);
}

static void expect_moved(int argc, char **argv, const char *wanted)
{
	static const struct arg common[] = {
		{ "json", 0, ARG_FLAG, NULL, NULL, NULL },
		{ "reader", 0, ARG_TEXT, NULL, NULL, NULL },
		ARG_END
	};
	char got[128] = "";

	args_front_to_back(common, argc, argv);
	for (int i = 0; i < argc; i++) {
		(void)strcat(got, argv[i]);
		(void)strcat(got, " ");
	}
	EXPECT_STREQ(wanted, got);
}

#define MOVED(wanted, ...) do { \
		char *argv[] = { __VA_ARGS__, NULL }; \
		expect_moved((int)(sizeof(argv) / sizeof(argv[0])) - 1, argv, wanted); \
	} while (0)

static char kf[] = "kf", json[] = "--json", reader[] = "--reader", r1[] = "r1", list[] = "list",
	    all[] = "--all", dashes[] = "--", x[] = "x", none[] = "--none", equal[] = "--reader=r1";

TEST(front_options_move_behind_the_command)
{
	MOVED("kf list --json ", kf, json, list);
	MOVED("kf list --all --reader r1 --json ", kf, reader, r1, json, list, all);
	MOVED("kf list --reader=r1 ", kf, equal, list);
	MOVED("kf list --json -- x ", kf, json, list, dashes, x);
	MOVED("kf list x ", kf, list, x);
	MOVED("kf --none list ", kf, none, list);
	MOVED("kf --json ", kf, json);
	MOVED("kf --reader ", kf, reader);
}
