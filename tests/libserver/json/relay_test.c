// SPDX-License-Identifier: LGPL-2.1-or-later
/* tests/libserver/json/relay_test.c - A list is read whole or not at all; answers are written as they came. */
#include "libserver/json/relay.h"
#include "tests/harness.h"

#include <stdlib.h>

static const char good[] =
	"{\"format\":\"keyferry-relay-list\",\"version\":1,\"serial\":\"KF-1\","
	"\"relay\":\"AAECAwQFBgcICQoLDA0ODw\",\"round\":2,\"more\":true,\"seconds\":30,\"apdus\":["
	"{\"number\":3,\"command\":\"AIQAAAg\",\"expect\":\"9000\",\"mask\":\"ffff\"},"
	"{\"number\":4,\"command\":\"AKQEDAA\",\"expect\":\"6a82\",\"mask\":\"f0ff\"}]}";

static int parse(const char *text, struct relay_list *list)
{
	return relay_list_parse(BYTES(text, strlen(text)), list, NULL);
}

TEST(a_list_is_read)
{
	struct relay_list list = RELAY_LIST_INIT;

	ASSERT_EQ(0, parse(good, &list));
	EXPECT_FALSE(list.any_card);
	EXPECT_STREQ("KF-1", list.serial);
	EXPECT_EQ(0x0f, list.id[15]);
	EXPECT_EQ(2u, list.round);
	EXPECT_TRUE(list.more);
	EXPECT_EQ(30u, list.seconds);
	ASSERT_EQ((size_t)2, list.n);
	EXPECT_EQ(4u, list.steps[1].number);
	EXPECT_EQ(0x6a82, list.steps[1].expect);
	EXPECT_EQ(0xf0ff, list.steps[1].mask);
	EXPECT_BYTES_EQ(BYTES("\x00\x84\x00\x00\x08", 5), blob_bytes(&list.steps[0].command));
	relay_list_deinit(&list);
}

TEST(every_truncation_is_refused)
{
	struct relay_list list = RELAY_LIST_INIT;

	for (size_t n = 0; n < sizeof(good) - 1; n++)
		EXPECT_EQ(-EBADMSG, relay_list_parse(BYTES(good, n), &list, NULL));
}

/* @from once replaced by @to in the good one. */
static int changed(const char *from, const char *to)
{
	struct relay_list list = RELAY_LIST_INIT;
	char text[1024];
	const char *at = strstr(good, from);
	int r;

	ASSERT_NOT_NULL(at);
	(void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
	r = parse(text, &list);
	if (r == 0)
		relay_list_deinit(&list);
	return r;
}

TEST(what_is_out_of_range_is_refused)
{
	EXPECT_EQ(0, changed("\"serial\":\"KF-1\",", ""));		/* any card */
	EXPECT_EQ(0, changed("\"round\":2", "\"round\":64"));
	EXPECT_EQ(-EBADMSG, changed("\"round\":2", "\"round\":65"));
	EXPECT_EQ(-EBADMSG, changed("\"round\":2", "\"round\":0"));
	EXPECT_EQ(-EBADMSG, changed("\"seconds\":30", "\"seconds\":0"));
	EXPECT_EQ(0, changed("\"seconds\":30", "\"seconds\":300"));
	EXPECT_EQ(-EBADMSG, changed("\"seconds\":30", "\"seconds\":301"));
	EXPECT_EQ(-EBADMSG, changed("\"number\":4", "\"number\":5"));	/* a gap */
	EXPECT_EQ(-EBADMSG, changed("\"number\":4", "\"number\":3"));
	EXPECT_EQ(-EBADMSG, changed("\"number\":3", "\"number\":0"));
	EXPECT_EQ(-EBADMSG, changed("9000", "900"));
	EXPECT_EQ(-EBADMSG, changed("9000", "90 0"));
	EXPECT_EQ(-EBADMSG, changed("ffff", "FFFF"));
	EXPECT_EQ(-EBADMSG, changed("\"more\":true", "\"more\":1"));
	EXPECT_EQ(-EBADMSG, changed("\"more\"", "\"moar\""));
	EXPECT_EQ(-EBADMSG, changed("relay-list", "relay-answers"));
	EXPECT_EQ(-EBADMSG, changed("ODw\"", "ODwA\""));
}

TEST(answers_are_written)
{
	struct relay_answers *answers = calloc(1, sizeof(*answers));
	struct kf_error e = KF_ERROR_INIT;
	char *text = NULL;
	size_t len;

	ASSERT_NOT_NULL(answers);
	answers->round = 3;
	answers->ended = true;
	answers->n = 1;
	answers->answers[0].number = 9;
	answers->answers[0].sw = 0x6a82;
	ASSERT_EQ(0, blob_set(&answers->answers[0].data, BYTES("abc", 3)));
	ASSERT_EQ(0, relay_answers_write(answers, &text, &len, &e));
	EXPECT_NOT_NULL(strstr(text, "\"keyferry-relay-answers\""));
	EXPECT_NOT_NULL(strstr(text, "\"6a82\""));
	EXPECT_NOT_NULL(strstr(text, "\"YWJj\""));
	EXPECT_NOT_NULL(strstr(text, "\"ended\": true"));
	free(text);
	relay_answers_deinit(answers);
	free(answers);
}

TEST(a_list_that_was_written_is_read_again)
{
	struct relay_list list = RELAY_LIST_INIT, again = RELAY_LIST_INIT;
	struct kf_error e = KF_ERROR_INIT;
	char *text = NULL;
	size_t len;

	ASSERT_EQ(0, parse(good, &list));
	ASSERT_EQ(0, relay_list_write(&list, &text, &len, &e));
	ASSERT_EQ(0, relay_list_parse(BYTES(text, len), &again, &e));
	EXPECT_STREQ("KF-1", again.serial);
	EXPECT_MEMEQ(list.id, again.id, sizeof(list.id));
	EXPECT_EQ(30u, again.seconds);
	ASSERT_EQ((size_t)2, again.n);
	EXPECT_EQ(0xf0ff, again.steps[1].mask);
	EXPECT_BYTES_EQ(blob_bytes(&list.steps[1].command), blob_bytes(&again.steps[1].command));
	free(text);
	relay_list_deinit(&again);
	list.any_card = true;
	ASSERT_EQ(0, relay_list_write(&list, &text, &len, &e));
	EXPECT_NULL(strstr(text, "serial"));
	free(text);
	relay_list_deinit(&list);
}

static const char good_answers[] =
	"{\"format\":\"keyferry-relay-answers\",\"version\":1,\"relay\":\"AAECAwQFBgcICQoLDA0ODw\",\"round\":2,"
	"\"ended\":false,\"answers\":[{\"number\":3,\"data\":\"YWJj\",\"sw\":\"9000\"},"
	"{\"number\":4,\"data\":\"\",\"sw\":\"6a82\"}]}";

/* @from once replaced by @to in the good ones. Return: as relay_answers_parse(). */
static int answers_changed(const char *from, const char *to, struct relay_answers *out)
{
	char text[1024];
	const char *at = strstr(good_answers, from);

	ASSERT_NOT_NULL(at);
	(void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good_answers), good_answers, to,
		       at + strlen(from));
	return relay_answers_parse(BYTES(text, strlen(text)), out, NULL);
}

TEST(answers_are_read_strictly)
{
	struct relay_answers *answers = calloc(1, sizeof(*answers));

	ASSERT_NOT_NULL(answers);
	ASSERT_EQ(0, answers_changed("2", "2", answers));
	EXPECT_EQ(2u, answers->round);
	EXPECT_FALSE(answers->ended);
	ASSERT_EQ((size_t)2, answers->n);
	EXPECT_EQ(0x6a82, answers->answers[1].sw);
	EXPECT_BYTES_EQ(BYTES("abc", 3), blob_bytes(&answers->answers[0].data));
	relay_answers_deinit(answers);
	for (size_t n = 0; n < sizeof(good_answers) - 1; n++)
		EXPECT_EQ(-EBADMSG, relay_answers_parse(BYTES(good_answers, n), answers, NULL));
	EXPECT_EQ(-EBADMSG, answers_changed("\"number\":4", "\"number\":5", answers));
	EXPECT_EQ(-EBADMSG, answers_changed("\"number\":3", "\"number\":0", answers));
	EXPECT_EQ(-EBADMSG, answers_changed("9000", "900", answers));
	EXPECT_EQ(-EBADMSG, answers_changed("\"round\":2", "\"round\":65", answers));
	EXPECT_EQ(-EBADMSG, answers_changed("\"ended\":false", "\"ended\":0", answers));
	EXPECT_EQ(-EBADMSG, answers_changed("relay-answers", "relay-list", answers));
	EXPECT_EQ(-EBADMSG, answers_changed("YWJj", "YWJ", answers));
	EXPECT_EQ((size_t)0, answers->n);
	free(answers);
}
