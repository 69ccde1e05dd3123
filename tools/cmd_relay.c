/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/cmd_relay.c - keyferry relay run, connect: a server's APDUs, round by round, to a card that
 * nobody else reaches meanwhile. What can be seen to be wrong in a list is refused before the card is
 * asked for; the broker holds everybody to the same rules.
 */
#include "base/error.h"
#include "daemon/broker/apdu.h"
#include "libserver/json/relay.h"
#include "tools/client_cmds.h"
#include "tools/relay_channel.h"
#include "tools/tool.h"

enum { GRACE_MS = 2000 };		/* to tell the server how it ended */

/**
 * struct relay_run - one relay
 * @channel:	to the server
 * @id:		of the relay, from the first list
 * @round:	that runs
 * @next:	number of the APDU that has to come
 * @deadline:	of all rounds
 * @begun:	the card is ours
 */
struct relay_run {
	struct tool *tool;
	struct relay_channel channel;
	uint8_t id[RELAY_ID_SIZE];
	uint32_t round, next;
	struct deadline deadline;
	bool begun;
};

static int wrong(struct kf_error *e, const char *rule, const char *next, const char *why)
{
	return error_why(e, -EBADMSG, rule, next, "%s", why);
}

/* The broker would say the same of each, but some of the others would have run by then. */
static int check_steps(const struct relay_run *run, const struct relay_list *list,
		       struct kf_error *e)
{
	uint8_t ins;

	if (list->steps[0].number != run->next)
		return error_why(e, -EBADMSG, "numbers have no gap", "get the list again from the server",
				 "APDU %u is where %u has to come", list->steps[0].number, run->next);
	for (size_t i = 0; i < list->n; i++) {
		int r = apdu_screen_relay(blob_bytes(&list->steps[i].command), &ins);

		if (r == -EACCES)
			return error_why(e, r, "docs/protocol.md, The relay",
					 "have the server protect it",
					 "APDU %u is a plain command (INS %02x) that neither is "
					 "protected nor sets up a channel", list->steps[i].number, ins);
		if (r < 0)
			return error_why(e, -EBADMSG, "ISO 7816-4", "ask whoever made the list",
					 "APDU %u is none", list->steps[i].number);
	}
	return 0;
}

static int check_list(const struct relay_run *run, const struct relay_list *list,
		      struct kf_error *e)
{
	static const char form[] = "docs/formats.md 14", again[] = "give the lists of one relay in order";

	if (list->round != run->round)
		return error_why(e, -EBADMSG, form, again, "the list is of round %u, round %u has to come",
				 list->round, run->round);
	if (run->begun && !bytes_equal(BYTES_OF(list->id), BYTES_OF(run->id)))
		return wrong(e, form, again, "the list belongs to another relay");
	if (list->more && run->channel.fd < 0 &&
	    (!strchr(run->channel.in, '%') || !strchr(run->channel.out, '%')))
		return wrong(e, "a list with \"more\" is followed by another",
			     "name the files with % for the number of the round",
			     "the list says that another round follows");
	return check_steps(run, list, e);
}

/* --- the card --- */

static int check_card(struct relay_run *run, const struct relay_list *list, struct kf_error *e)
{
	struct kf_card *card = NULL;
	int r = 0;

	if (list->any_card)
		return 0;
	if (kf_card_read(run->tool->context, &card) < 0) {
		*e = *kf_client_error(run->tool->client);
		return e->code;
	}
	if (strcmp(kf_card_serial(card), list->serial) != 0)
		r = error_why(e, -EINVAL, "docs/formats.md 14",
			      "insert that card, or have a list made for this one",
			      "this card is %s, the list is for %s", kf_card_serial(card), list->serial);
	card = kf_card_free(card);
	return r;
}

static int begin(struct relay_run *run, const struct relay_list *list, struct kf_error *e)
{
	uint32_t count = list->more ? RELAY_NUMBERS_MAX : (uint32_t)list->n;
	int r = check_card(run, list, e);

	if (r < 0)
		return r;
	if (kf_relay_begin(run->tool->context, "relay", list->seconds * 1000, count) < 0) {
		*e = *kf_client_error(run->tool->client);
		return e->code;
	}
	memcpy(run->id, list->id, sizeof(run->id));
	run->deadline = deadline_in((uint64_t)list->seconds * 1000);
	run->begun = true;
	return 0;
}

static int keep_answer(struct relay_answers *answers, uint32_t number, const struct kf_blob *blob)
{
	struct relay_answer *answer = &answers->answers[answers->n];
	struct bytes response = BYTES(kf_blob_data(blob), kf_blob_size(blob));
	struct unpacker u;

	if (response.n < 2)
		return -EBADMSG;
	u = unpack_begin(bytes_slice(response, response.n - 2, 2));
	answer->number = number;
	answer->sw = unpack_be16(&u);
	if (blob_set(&answer->data, bytes_slice(response, 0, response.n - 2)) < 0)
		return -ENOMEM;
	answers->n++;
	return 0;
}

/* Until the first that fails. Return: 0, -errno with the words. */
static int run_steps(struct relay_run *run, const struct relay_list *list,
		     struct relay_answers *answers, struct kf_error *e)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct relay_step *step = &list->steps[i];
		struct kf_blob *blob = NULL;
		int r = kf_relay_apdu(run->tool->context, step->number, step->command.p,
				      step->command.n, step->expect, step->mask, &blob), kept = 0;

		if (blob)
			kept = keep_answer(answers, step->number, blob);
		blob = kf_blob_free(blob);
		if (r < 0) {
			*e = *kf_client_error(run->tool->client);
			return r;
		}
		if (kept < 0)
			return kept;
		run->next = step->number + 1;
	}
	return 0;
}

/* --- rounds --- */

static int put_answers(struct relay_run *run, const struct relay_answers *answers,
		       struct kf_error *e)
{
	_cleanup_(freep) char *text = NULL;
	struct deadline deadline = answers->ended ? deadline_in(GRACE_MS) : run->deadline;
	size_t n = 0;
	int r = relay_answers_write(answers, &text, &n, e);

	if (r < 0)
		return r;
	return relay_channel_put(&run->channel, run->round, BYTES(text, n), deadline, e);
}

/* One list, if it is in order, and its answers, how far it came. Return: 0 with *@more, -errno. */
static int run_round(struct relay_run *run, bool *more, struct kf_error *e)
{
	_cleanup_(relay_list_deinit) struct relay_list list = RELAY_LIST_INIT;
	_cleanup_(freep) struct relay_answers *answers = calloc(1, sizeof(*answers));
	_cleanup_(freep) uint8_t *text = NULL;
	struct kf_error unsaid = KF_ERROR_INIT;
	size_t n = 0;
	int r, put;

	if (!answers)
		return -ENOMEM;
	r = relay_channel_get(&run->channel, run->round, run->deadline, &text, &n, e);
	if (r == 0)
		r = relay_list_parse(BYTES(text, n), &list, e);
	if (r == 0)
		r = check_list(run, &list, e);
	if (r == 0 && !run->begun)
		r = begin(run, &list, e);
	if (r < 0)
		return r;
	r = run_steps(run, &list, answers, e);
	memcpy(answers->id, run->id, sizeof(answers->id));
	answers->round = run->round;
	answers->ended = r < 0 || !list.more;
	put = put_answers(run, answers, r < 0 ? &unsaid : e);
	relay_answers_deinit(answers);
	*more = list.more;
	return r < 0 ? r : put;
}

static int done(const struct relay_run *run)
{
	ui_say(&run->tool->ui, "%u APDUs in %u rounds; the card was reset.", run->next - 1, run->round);
	return ui_json(&run->tool->ui, json_pack("{s:I,s:I}", "apdus", (json_int_t)run->next - 1,
						 "rounds", (json_int_t)run->round));
}

static int relay(struct relay_run *run)
{
	struct kf_error e = KF_ERROR_INIT;
	bool more = true;
	int r = 0;

	for (run->round = 1; r == 0 && more; run->round++)
		r = run_round(run, &more, &e);
	run->round--;
	/* After a failure it may have ended by itself; either way the card is reset. */
	if (run->begun && kf_relay_end(run->tool->context) < 0 && r == 0) {
		e = *kf_client_error(run->tool->client);
		r = e.code;
	}
	if (error_what(&e, r, "the relay failed") < 0)
		return tool_fail_with(run->tool, &e);
	return done(run);
}

static struct relay_run run_init(struct tool *tool, const struct relay_channel *channel)
{
	uint64_t ms = tool->timeout_s ? (uint64_t)tool->timeout_s * 1000 : KF_DEADLINE_DEFAULT_MS;

	return (struct relay_run){
		.tool = tool, .channel = *channel, .next = 1, .deadline = deadline_in(ms),
	};
}

static int cmd_relay_run(int argc, char **argv)
{
	struct relay_channel channel = { .fd = -1 };
	const struct arg args[] = {
		{ "LIST", 0, ARG_WORD, &channel.in, NULL,
		  "the server's list; % in the name stands for the round" },
		{ "output", 'o', ARG_TEXT, &channel.out, "FILE",
		  "where the answers go; % likewise" },
		ARG_END
	};
	struct tool tool = TOOL_INIT("keyferry relay run");
	struct relay_run run;
	int code;

	if (!tool_parse(&tool, "Runs a server's list of APDUs on the card, and writes down the answers.",
			args, argc, argv, &code))
		return code;
	if (!channel.out)
		return ui_usage(&tool.ui, "-o FILE is needed");
	run = run_init(&tool, &channel);
	code = tool_open(&tool);
	if (code == UI_OK)
		code = relay(&run);
	tool_close(&tool);
	return code;
}

static int connect_and_relay(struct tool *tool, const char *path)
{
	struct relay_channel channel = { .fd = -1 };
	struct relay_run run = run_init(tool, &channel);
	struct kf_error e = KF_ERROR_INIT;
	int code, r = relay_channel_connect(path, run.deadline, &run.channel.fd, &e);

	if (error_what(&e, r, "cannot connect to the server") < 0)
		return tool_fail_with(tool, &e);
	code = relay(&run);
	run.channel.fd = fd_close(run.channel.fd);
	return code;
}

static int cmd_relay_connect(int argc, char **argv)
{
	const char *path = NULL;
	const struct arg args[] = {
		{ "SOCKET", 0, ARG_WORD, &path, NULL, "where the server, or its tunnel, listens" },
		ARG_END
	};
	struct tool tool = TOOL_INIT("keyferry relay connect");
	int code;

	if (!tool_parse(&tool, "Lets a server run its lists of APDUs on the card, through a socket.",
			args, argc, argv, &code))
		return code;
	code = tool_open(&tool);
	if (code == UI_OK)
		code = connect_and_relay(&tool, path);
	tool_close(&tool);
	return code;
}

int cmd_relay(int argc, char **argv)
{
	static const struct cmd cmds[] = {
		{ "run", "a list in a file, the answers in another", cmd_relay_run },
		{ "connect", "lists from a socket, answers back to it", cmd_relay_connect },
	};

	return cmd_dispatch("keyferry relay", cmds, 2, argc, argv);
}
