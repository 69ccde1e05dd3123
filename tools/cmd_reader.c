/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tools/cmd_reader.c - keyferry reader list, wait. */
#include "tools/client_cmds.h"
#include "tools/table.h"
#include "tools/tool.h"

#include <poll.h>
#include <stdlib.h>
#include <time.h>

static const char *state_name(uint32_t state)
{
	switch (state) {
	case KF_READER_STARTING:	return "starting";
	case KF_READER_EMPTY:		return "empty";
	case KF_READER_CARD:		return "card";
	case KF_READER_MUTE:		return "mute";
	case KF_READER_BUSY:		return "busy elsewhere";
	case KF_READER_NO_ACCESS:	return "no access";
	case KF_READER_QUARANTINED:	return "quarantined";
	case KF_READER_REFUSED:		return "refused";
	default:			return "gone";
	}
}

static int print_readers(struct tool *tool, const struct kf_readers *readers)
{
	static const struct table_column columns[] = {
		{ "READER", TABLE_TEXT }, { "STATE", TABLE_TEXT }, { "CARD", TABLE_TEXT },
		{ "SERIAL", TABLE_TEXT }, { "ATR", TABLE_TEXT },
	};
	struct libscols_table *table = NULL;
	int code;

	code = table_new(&tool->ui, "readers", columns, 5, &table);
	if (code != UI_OK)
		return code;
	for (size_t i = 0; i < kf_readers_count(readers); i++) {
		const struct kf_reader *reader = kf_readers_at(readers, i);
		struct libscols_line *row = table_row(table);
		char atr[2 * KF_ATR_MAX + 1] = "";
		size_t len;
		const uint8_t *p = kf_reader_atr(reader, &len);

		for (size_t k = 0; k < len; k++)
			(void)snprintf(atr + 2 * k, 3, "%02x", p[k]);
		table_cell(row, 0, "%s", kf_reader_name(reader));
		table_cell(row, 1, "%s", state_name(kf_reader_state(reader)));
		table_cell(row, 2, "%s", kf_reader_card(reader));
		table_cell(row, 3, "%s", kf_reader_serial(reader));
		table_cell(row, 4, "%s", atr);
	}
	return table_print(table);
}

static int cmd_list(int argc, char **argv)
{
	const struct arg args[] = { ARG_END };
	struct tool tool = TOOL_INIT("keyferry reader list");
	struct kf_readers *readers = NULL;
	int code;

	if (!tool_parse(&tool, "Lists the readers and the cards in them.", args, argc, argv, &code))
		return code;
	code = tool_connect(&tool);
	if (code == UI_OK && kf_reader_list(tool.client, &readers) < 0)
		code = tool_fail(&tool);
	if (code == UI_OK)
		code = print_readers(&tool, readers);
	readers = kf_readers_free(readers);
	tool_close(&tool);
	return code;
}

/* Whether the one that is waited for, or any, has a card; prints its name. */
static int find_card(struct tool *tool, bool *found)
{
	struct kf_readers *readers = NULL;

	if (kf_reader_list(tool->client, &readers) < 0)
		return tool_fail(tool);
	for (size_t i = 0; i < kf_readers_count(readers) && !*found; i++) {
		const struct kf_reader *reader = kf_readers_at(readers, i);

		if (kf_reader_state(reader) != KF_READER_CARD ||
		    (tool->reader && strcmp(tool->reader, kf_reader_name(reader)) != 0))
			continue;
		*found = true;
		ui_say(&tool->ui, "%s", kf_reader_name(reader));
		(void)ui_json(&tool->ui, json_pack("{s:s,s:s}", "reader", kf_reader_name(reader),
						   "serial", kf_reader_serial(reader)));
	}
	readers = kf_readers_free(readers);
	return UI_OK;
}

static void wake_up(struct kf_client *client, uint32_t change, const struct kf_reader *reader,
		    void *data)
{
	(void)client, (void)change, (void)reader, (void)data;
}

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int wait_for_card(struct tool *tool)
{
	int64_t until = now_ms() + (tool->timeout_s ? tool->timeout_s : 30) * (int64_t)1000;
	bool found = false;
	int code, r;

	if (kf_events_subscribe(tool->client, KF_EVENTS_READER | KF_EVENTS_CARD, wake_up, NULL) < 0)
		return tool_fail(tool);
	for (;;) {
		struct pollfd p = { .fd = kf_client_fd(tool->client), .events = POLLIN };
		int64_t left = until - now_ms();

		code = find_card(tool, &found);
		if (code != UI_OK || found)
			return code;
		if (left <= 0)
			return tool_fail_with(tool, &(struct kf_error){ -ENOMEDIUM,
				"no card came", "none was inserted in time", "the deadline",
				"insert the card, or allow more time (--timeout)" });
		if (kf_client_dispatch(tool->client) == 0)
			(void)poll(&p, 1, (int)left);
		r = kf_client_dispatch(tool->client);
		if (r < 0)
			return tool_fail_with(tool, &(struct kf_error){ r, "cannot wait for a card",
				"the broker hung up", "the broker", "is keyferryd running?" });
	}
}

static int cmd_wait(int argc, char **argv)
{
	const struct arg args[] = { ARG_END };
	struct tool tool = TOOL_INIT("keyferry reader wait");
	int code;

	if (!tool_parse(&tool, "Waits until a card is there, in any reader or in --reader, and "
			"prints the reader's name.", args, argc, argv, &code))
		return code;
	code = tool_connect(&tool);
	if (code == UI_OK)
		code = wait_for_card(&tool);
	tool_close(&tool);
	return code;
}

int cmd_reader(int argc, char **argv)
{
	static const struct cmd cmds[] = {
		{ "list", "readers and the cards in them", cmd_list },
		{ "wait", "until a card is there", cmd_wait },
	};

	return cmd_dispatch("keyferry reader", cmds, 2, argc, argv);
}
