/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/doctor/ledger.h"

#include "tests/harness.h"

#include <stdlib.h>
#include <string.h>

TEST(a_line_names_verdict_check_cause_and_next_step)
{
	static struct ledger ledger;
	char *text = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);

	ledger_add(&ledger, "socket", VERDICT_FAIL, "do this", "%s is not there", "it");
	ledger_add(&ledger, "card", VERDICT_OK, NULL, "fine");
	ledger_print(&ledger, to);
	ASSERT_EQ(0, fclose(to));
	EXPECT_STREQ("FAIL     socket       it is not there\n"
		     "                      next: do this\n"
		     "ok       card         fine\n"
		     "1 ok, 0 warnings, 1 failures, 0 skipped\n", text);
	free(text);
}

TEST(json_has_the_same)
{
	static struct ledger ledger;
	json_t *json, *row;

	ledger_add(&ledger, "PIN", VERDICT_WARN, "be careful", "one try");
	json = ledger_json(&ledger);
	row = json_array_get(json_object_get(json, "checks"), 0);
	EXPECT_STREQ("PIN", json_string_value(json_object_get(row, "check")));
	EXPECT_STREQ("warn", json_string_value(json_object_get(row, "verdict")));
	EXPECT_STREQ("one try", json_string_value(json_object_get(row, "cause")));
	EXPECT_STREQ("be careful", json_string_value(json_object_get(row, "next")));
	EXPECT_EQ(1, json_integer_value(json_object_get(json, "warnings")));
	json_decref(json);
}

TEST(more_findings_than_there_is_room_for_are_counted)
{
	static struct ledger ledger;

	for (int i = 0; i < LEDGER_MAX + 5; i++)
		ledger_add(&ledger, "card", VERDICT_FAIL, NULL, "%d", i);
	EXPECT_EQ(LEDGER_MAX, ledger.n);
	EXPECT_EQ(LEDGER_MAX + 5, ledger.count[VERDICT_FAIL]);
}

TEST(long_words_are_cut_and_end)
{
	static struct ledger ledger;
	char longer[1000];

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	ledger_add(&ledger, "card", VERDICT_FAIL, longer, "%s", longer);
	EXPECT_EQ(sizeof(ledger.all[0].cause) - 1, strlen(ledger.all[0].cause));
	EXPECT_EQ(sizeof(ledger.all[0].next) - 1, strlen(ledger.all[0].next));
}
