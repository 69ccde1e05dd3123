/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/channel_run.c - Nothing that comes from the client is believed: its files are only where answers lie, and the
 * channel judges those. A relay that still runs when the channel is over is ended by a last list, so that nobody waits
 * for a deadline.
 */
#include "tools/channel_run.h"

#include "base/error.h"
#include "tools/server_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

DEFINE_CLEANUP(struct kf_fleet *, kf_fleet_free);

enum { ROOT_MAX = 1 << 16, GRACE_MS = 3000 };

bool channel_parse(struct channel_run *run, const char *summary, const struct arg *own, int argc, char **argv,
		   int *exit_code)
{
	const struct arg common[] = {
		{ "state", 0, ARG_TEXT, &run->state, "DIR", "the server's state, where the card is enrolled" },
		{ "device", 0, ARG_TEXT, &run->device, "SERIAL", "the card it has to be" },
		{ "any-genuine", 0, ARG_FLAG, &run->any_genuine, NULL, "any card under one of the roots" },
		{ "root", 0, ARG_TEXTS, &run->roots, "CVC", "root certificate of the card's maker; again for each" },
		{ "allow-virtual", 0, ARG_FLAG, &run->allow_virtual, NULL, "it may be software" },
		{ "listen", 0, ARG_TEXT, &run->listen, "SOCKET", "where keyferry relay connect reaches us" },
		{ "list", 0, ARG_TEXT, &run->list, "FILE",
		  "lists for keyferry relay run; % in the name stands for the round" },
		{ "answers", 0, ARG_TEXT, &run->answers, "FILE", "its answers; % likewise" },
		{ "seconds", 0, ARG_NUMBER, &run->seconds, "N", "how long the client may hold the card (60)" },
		{ "wait", 0, ARG_NUMBER, &run->wait_s, "N", "how long to wait for the client, seconds (300)" },
		{ "pin-fd", 0, ARG_FD, &run->pin_fd, "N", "PINs, a line each, from descriptor N" },
		{ "last-try", 0, ARG_FLAG, &run->last_try, NULL, "spend even the last try of a PIN" },
		{ "json", 0, ARG_FLAG, &run->ui.json, NULL, "print one JSON object" },
		ARG_END
	};
	const struct arg_tables tables = { summary, own, common };

	if (!args_parse(&run->ui, &tables, argc, argv, exit_code))
		return false;
	*exit_code = UI_USAGE;
	if (!run->device == !run->any_genuine)
		(void)ui_usage(&run->ui, "--device or --any-genuine says which card it has to be");
	else if (run->state && (run->roots.n != 0 || !run->device))
		(void)ui_usage(&run->ui, "--state knows the root of the card that --device names");
	else if (!run->state && run->roots.n == 0)
		(void)ui_usage(&run->ui, "--state, or --root, is needed");
	else if (!run->listen == !run->list || !run->list != !run->answers)
		(void)ui_usage(&run->ui, "--listen, or --list and --answers, say how to reach the client");
	else if (run->list && (!strchr(run->list, '%') || !strchr(run->answers, '%')))
		(void)ui_usage(&run->ui, "--list and --answers want %% for the number of the round");
	else if (run->seconds == 0 || run->seconds > RELAY_SECONDS_MAX || run->wait_s > 86400)
		(void)ui_usage(&run->ui, "--seconds goes from 1 to %d, --wait to a day", RELAY_SECONDS_MAX);
	else
		return true;
	return false;
}

static int add_root(struct channel_run *run, const char *path, struct kf_error *e)
{
	_cleanup_(freep) uint8_t *cvc = NULL;
	size_t n = 0;
	int r = ui_file_read(path, ROOT_MAX, &cvc, &n, e);

	return r < 0 ? r : kf_channel_add_root(run->channel, cvc, n, e);
}

static int set_named(struct channel_run *run, struct kf_error *e)
{
	int r = kf_channel_set_device(run->channel, run->device, e);

	(void)snprintf(run->serial, sizeof(run->serial), "%s", run->device ? run->device : "");
	for (size_t i = 0; r == 0 && i < run->roots.n; i++)
		r = add_root(run, run->roots.v[i], e);
	return r;
}

static int set_enrolled(struct channel_run *run, struct kf_error *e)
{
	_cleanup_(kf_state_closep) struct kf_state *state = NULL;
	struct kf_hsm *hsm = NULL;
	int r = server_state_open(run->state, &state, e);

	if (r == 0)
		r = kf_state_hsm(state, run->device, &hsm, e);
	if (r < 0)
		return r;
	(void)snprintf(run->serial, sizeof(run->serial), "%s", kf_hsm_serial(hsm));
	r = kf_channel_set_enrolled(run->channel, hsm, e);
	hsm = kf_hsm_free(hsm);
	return r;
}

int channel_prepare(struct channel_run *run, struct kf_error *e)
{
	uint8_t nonce[KF_NONCE_SIZE];
	int r = kf_channel_new(&run->channel, e);

	if (r == 0)
		r = run->state ? set_enrolled(run, e) : set_named(run, e);
	if (r == 0)
		r = kf_nonce_new(nonce, e);
	if (r < 0)
		return r;
	memcpy(run->id, nonce, sizeof(run->id));
	if (run->allow_virtual)
		kf_channel_allow_virtual(run->channel, 1);
	kf_channel_allow_last_try(run->channel, run->last_try);
	return 0;
}

int channel_ask_pin(const struct channel_run *run, const char *what, bool fresh, struct secret *out, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret again = SECRET_INIT;
	char prompt[64];
	int r = passphrase_get(run->pin_fd, what, out, e);

	if (r < 0 || !fresh || run->pin_fd >= 0)
		return r;
	(void)snprintf(prompt, sizeof(prompt), "%s again", what);
	r = passphrase_get(-1, prompt, &again, e);
	if (r < 0 || secret_equal(out, &again))
		return r;
	return error_why(e, -EINVAL, "a new value is given twice", "try again", "the two differ");
}

int channel_gives(struct channel_run *run, const struct secret *shares, struct kf_error *e)
{
	_cleanup_(kf_fleet_freep) struct kf_fleet *fleet = NULL;
	int r = kf_fleet_new(&fleet, e);

	for (size_t at = 0; r == 0 && at < shares->n; at += KF_FLEET_SHARE_SIZE)
		r = kf_fleet_add_share(fleet, shares->p + at, KF_FLEET_SHARE_SIZE, e);
	if (r < 0)
		return r;
	memcpy(run->sum, kf_fleet_check_value(fleet), sizeof(run->sum));
	run->gives = true;
	return 0;
}

/* Whether there is anything to note after @r. */
static bool note_of(const struct channel_run *run, int r, struct kf_dkek_note *note)
{
	const uint8_t *check_value = kf_channel_check_value(run->channel);

	*note = (struct kf_dkek_note){
		.size = sizeof(*note), .check_value = check_value, .serial = kf_channel_serial(run->channel),
		.grade = kf_channel_grade(run->channel),
	};
	if (!note->serial || kf_channel_value(run->channel, KF_CHANNEL_WHOLE))
		return note->serial;
	if (kf_channel_outcome(run->channel) == KF_CHANNEL_INDETERMINATE)
		note->check_value = run->sum;
	else
		note->grade = KF_GRADE_U;	/* the shares before came by who knows which way */
	return r == 0 ? check_value && kf_channel_value(run->channel, KF_CHANNEL_OUTSTANDING) == 0 :
			note->check_value == run->sum;
}

static int keep_note(const struct channel_run *run, const struct kf_dkek_note *note, struct kf_error *e)
{
	_cleanup_(kf_state_closep) struct kf_state *state = NULL;
	int r = server_state_open(run->state, &state, e);

	if (r == 0)
		r = kf_state_dkek_note(state, note, e);
	return error_what(e, r, "the way of the DKEK to the card is not noted in the state");
}

int channel_note_dkek(struct channel_run *run, int r, struct kf_error *e)
{
	struct kf_error unnoted = KF_ERROR_INIT;
	struct kf_dkek_note note;

	if (!run->state || !run->gives || !run->channel || !note_of(run, r, &note))
		return r;
	if (r == 0)
		return keep_note(run, &note, e);
	if (keep_note(run, &note, &unnoted) < 0)
		fprintf(stderr, "%s: %s: %s\n", run->ui.command, unnoted.what, unnoted.why);
	return r;
}

/* --- rounds --- */

/* Those of an earlier run would be taken for the first ones. */
static int check_files(const struct channel_run *run, struct kf_error *e)
{
	const char *at = strchr(run->answers, '%');

	for (int i = 1; i <= RELAY_ROUNDS_MAX; i++) {
		_cleanup_(freep) char *name = NULL;

		if (asprintf(&name, "%.*s%d%s", (int)(at - run->answers), run->answers, i, at + 1) < 0)
			return -ENOMEM;
		if (access(name, F_OK) == 0)
			return error_why(e, -EEXIST, "docs/formats.md 14", "remove what an earlier run has left",
					 "%s is there already", name);
	}
	return 0;
}

static int begin(struct channel_run *run, struct kf_error *e)
{
	run->deadline = deadline_in((uint64_t)run->wait_s * 1000);
	run->relay.in = run->answers;
	run->relay.out = run->list;
	if (!run->listen)
		return check_files(run, e);
	ui_progress(&run->ui, "waiting for keyferry relay connect %s", run->listen);
	return relay_channel_listen(run->listen, run->deadline, &run->relay.fd, e);
}

static int put_list(struct channel_run *run, const struct relay_list *list, struct deadline deadline,
		    struct kf_error *e)
{
	_cleanup_(freep) char *text = NULL;
	size_t n = 0;
	int r = relay_list_write(list, &text, &n, e);

	return r < 0 ? r : relay_channel_put(&run->relay, run->round, BYTES(text, n), deadline, e);
}

static struct relay_list list_begin(struct channel_run *run)
{
	struct relay_list list = { .any_card = run->serial[0] == '\0', .round = ++run->round, .seconds = run->seconds };

	(void)snprintf(list.serial, sizeof(list.serial), "%s", run->serial);
	memcpy(list.id, run->id, sizeof(list.id));
	return list;
}

static int add_step(struct channel_run *run, struct relay_list *list, struct bytes command)
{
	struct relay_step *step = &list->steps[list->n];

	step->number = run->next + (uint32_t)list->n++;
	return blob_set(&step->command, command);
}

static int send_round(struct channel_run *run, struct kf_error *e)
{
	_cleanup_(relay_list_deinit) struct relay_list list = list_begin(run);
	size_t n = kf_channel_commands(run->channel);
	int r = 0;

	list.more = !kf_channel_is_last(run->channel);
	list.steps = calloc(n, sizeof(*list.steps));
	if (!list.steps)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct relay_step *step = &list.steps[i];
		size_t len = 0;
		const uint8_t *apdu = kf_channel_command(run->channel, i, &len, &step->expect, &step->mask);

		r = add_step(run, &list, BYTES(apdu, len));
	}
	if (!list.more)
		run->over = true;
	return r < 0 ? r : put_list(run, &list, run->deadline, e);
}

static int check_answers(const struct channel_run *run, const struct relay_answers *answers, struct kf_error *e)
{
	static const char form[] = "docs/formats.md 14", next[] = "give the answers of this relay, in order";

	if (!bytes_equal(BYTES_OF(answers->id), BYTES_OF(run->id)))
		return error_why(e, -EBADMSG, form, next, "the answers belong to another relay");
	if (answers->round != run->round)
		return error_why(e, -EBADMSG, form, next, "the answers are of round %u, round %u has to come",
				 answers->round, run->round);
	if (answers->n > kf_channel_commands(run->channel) ||
	    (answers->n != 0 && answers->answers[0].number != run->next))
		return error_why(e, -EBADMSG, form, next, "the answers are to other commands");
	return 0;
}

static int feed(struct channel_run *run, const struct relay_answer *answer, struct kf_error *e)
{
	uint8_t buf[KF_CHANNEL_ANSWER_MAX + 1];
	struct packer p = pack_begin(buf, sizeof(buf));

	pack_bytes(&p, blob_bytes(&answer->data));
	pack_be16(&p, answer->sw);
	if (p.bad)
		return error_why(e, -EBADMSG, "docs/formats.md 14", "see who made it", "answer %u is longer than any",
				 answer->number);
	return kf_channel_answer(run->channel, p.p, p.n, e);
}

static int take_round(struct channel_run *run, struct kf_error *e)
{
	_cleanup_(freep) struct relay_answers *answers = calloc(1, sizeof(*answers));
	_cleanup_(freep) uint8_t *text = NULL;
	size_t n = 0;
	int r;

	if (!answers)
		return -ENOMEM;
	r = relay_channel_get(&run->relay, run->round, run->deadline, &text, &n, e);
	if (r == 0)
		r = relay_answers_parse(BYTES(text, n), answers, e);
	if (r == 0)
		r = check_answers(run, answers, e);
	if (r < 0)
		run->over = true;		/* nobody knows where it stands */
	for (size_t i = 0; r == 0 && i < answers->n; i++)
		r = feed(run, &answers->answers[i], e);
	run->over |= answers->ended;
	run->next += (uint32_t)answers->n;
	relay_answers_deinit(answers);
	return r;
}

/* The client's own clock runs from the first list on. */
static int one_round(struct channel_run *run, struct kf_error *e)
{
	int r = run->over ? error_why(e, -ECONNABORTED, "docs/formats.md 14", "see why, and begin anew",
				      "the client's relay has ended") : send_round(run, e);

	if (r == 0 && !run->begun)
		run->deadline = deadline_in(((uint64_t)run->wait_s + run->seconds) * 1000);
	if (r == 0)
		r = take_round(run, e);
	if (r == 0 && !run->begun)
		run->deadline = deadline_in((uint64_t)run->seconds * 1000);
	run->begun = true;
	if (r < 0)
		(void)error_what(e, r, "the channel is lost");
	return r < 0 ? kf_channel_lost(run->channel, e) : 0;
}

/* SELECT, which takes back what was verified. What comes of it changes nothing any more. */
static void say_goodbye(struct channel_run *run)
{
	static const uint8_t select[] = { 0x00, 0xa4, 0x04, 0x00, 0x0b, 0xe8, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x81,
					  0xc3, 0x1f, 0x02, 0x01, 0x00 };
	_cleanup_(relay_list_deinit) struct relay_list list = RELAY_LIST_INIT;
	_cleanup_(freep) uint8_t *text = NULL;
	struct deadline deadline = deadline_in(GRACE_MS);
	struct kf_error unsaid = KF_ERROR_INIT;
	size_t n = 0;

	if (run->over || !run->begun)
		return;
	list = list_begin(run);
	list.steps = calloc(1, sizeof(*list.steps));
	if (list.steps && add_step(run, &list, BYTES_OF(select)) == 0 && put_list(run, &list, deadline, &unsaid) == 0)
		(void)relay_channel_get(&run->relay, run->round, deadline, &text, &n, &unsaid);
}

int channel_carry(struct channel_run *run, struct kf_error *e)
{
	int r = begin(run, e);

	if (r < 0)
		return r;
	while ((r = kf_channel_next(run->channel, e)) == 1) {
		r = one_round(run, e);
		if (r < 0)
			break;
	}
	say_goodbye(run);
	return r;
}

/* --- what came of it --- */

int channel_fail(struct channel_run *run, struct kf_error *e, int r)
{
	(void)error_what(e, r, "the channel failed");
	return ui_fail(&run->ui, e);
}

int channel_report(struct channel_run *run, json_t *more)
{
	const char *serial = kf_channel_serial(run->channel), *print = kf_channel_fingerprint(run->channel);
	const char *grade = kf_grade_name(kf_channel_grade(run->channel));
	bool is_virtual = kf_channel_value(run->channel, KF_CHANNEL_VIRTUAL) != 0;
	json_t *all = json_pack("{s:s,s:s,s:s,s:b,s:b,s:s}", "order", run->order, "serial", serial, "device", print,
				"any_genuine", run->any_genuine, "virtual", is_virtual, "grade", grade);

	ui_say(&run->ui, "card:      %s%s%s", serial, is_virtual ? ", which is virtual" : "",
	       run->any_genuine ? " (any genuine card was accepted)" : "");
	ui_say(&run->ui, "grade:     %s", grade);
	if (all && more && json_object_update(all, more) < 0) {
		json_decref(all);
		all = NULL;
	}
	json_decref(more);
	return ui_json(&run->ui, all);
}

void channel_close(struct channel_run *run)
{
	run->channel = kf_channel_free(run->channel);
	run->relay.fd = fd_close(run->relay.fd);
}
