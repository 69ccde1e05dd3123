/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/cmd_policy.c - keyferry policy check, explain. Both decide by the very functions that monitor
 * and broker use, over the table that the broker has or that a file would make.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "daemon/broker/policy.h"
#include "daemon/monitor/conf.h"
#include "daemon/monitor/grant.h"
#include "tools/client_cmds.h"
#include "tools/tool.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define GROUPS_MAX 65536

/* Words a person may use for a right, besides its name. */
static const struct { const char *word; uint32_t right; } words[] = {
	{ "sign", KF_RIGHT_USE }, { "decrypt", KF_RIGHT_USE }, { "derive", KF_RIGHT_USE },
	{ "verify", KF_RIGHT_USE }, { "offer", KF_RIGHT_INJECT }, { "generate", KF_RIGHT_CREATE },
	{ "reset", KF_RIGHT_ADMIN }, { "apdu", KF_RIGHT_RAW },
};

/* --- check --- */

struct check {
	const struct ui *ui;
	const char *path;
	json_t *errors;
};

static void check_wrong(void *data, unsigned int line, const char *text)
{
	struct check *check = data;

	(void)json_array_append_new(check->errors, json_pack("{s:I,s:s}", "line", (json_int_t)line,
							     "error", text));
	if (check->ui->json)
		return;
	if (line)
		fprintf(stderr, "%s:%u: %s\n", check->path, line, text);
	else
		fprintf(stderr, "%s: %s\n", check->path, text);
}

/* A draft may be anybody's; keyferryd is stricter, so say it. */
static const char *owner_note(const char *path)
{
	struct stat st;

	if (strcmp(path, "-") == 0 || stat(path, &st) < 0 ||
	    (st.st_uid == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH))))
		return NULL;
	return "keyferryd takes it only once root owns it and nobody else can write to it";
}

static int read_conf(const struct ui *ui, const char *path, struct conf *conf, json_t *errors)
{
	struct check check = { ui, path, errors };
	struct kf_error e = KF_ERROR_INIT;
	uint8_t *text = NULL;
	size_t n = 0;
	int r;

	if (ui_file_read(path, CONF_MAX, &text, &n, &e) < 0)
		return ui_fail(ui, &e);
	r = conf_parse(BYTES(text, n), conf, check_wrong, &check);
	free(text);
	return r < 0 ? UI_FAILED : UI_OK;
}

static int policy_check(int argc, char **argv)
{
	static struct conf conf;
	struct ui ui = { .command = "keyferry policy check" };
	const char *path = CONF_DEFAULT, *note;
	const struct arg args[] = {
		{ "FILE", 0, ARG_MAYBE_WORD, &path, NULL, "a keyferryd.conf(5) (" CONF_DEFAULT ")" },
		{ "json", 0, ARG_FLAG, &ui.json, NULL, "one JSON object instead of text" },
		ARG_END
	};
	const struct arg_tables tables = {
		"Tells the mistakes in a configuration file, without the service.", args, NULL };
	json_t *errors = json_array();
	int code;

	if (!args_parse(&ui, &tables, argc, argv, &code)) {
		json_decref(errors);
		return code;
	}
	code = read_conf(&ui, path, &conf, errors);
	if (code != UI_OK && json_array_size(errors) == 0) {	/* not even read, and told so */
		json_decref(errors);
		return code;
	}
	note = owner_note(path);
	if (code == UI_OK) {
		ui_say(&ui, "%s: good, %zu rows of rules%s", path, conf.n_rules,
		       conf.shipped_rules ? " besides the shipped ones" : "");
		if (note)
			ui_say(&ui, "note: %s", note);
	}
	(void)ui_json(&ui, json_pack("{s:s,s:b,s:I,s:b,s:s*,s:o}", "file", path, "good",
				     code == UI_OK, "rules", (json_int_t)(code == UI_OK ? conf.n_rules : 0),
				     "shipped rules", code == UI_OK && conf.shipped_rules, "note", note,
				     "errors", errors));
	return code;
}

/* --- explain --- */

struct question {
	struct tool tool;
	const char *operation, *user, *container_text, *config;
	uint32_t right, container;
	uid_t uid;
	gid_t *gids;
	int n_gids;
	struct policy policy;
	bool whole;
};

static int question_fail(struct question *q, int code, const char *what, const char *why,
			 const char *next)
{
	struct kf_error e = KF_ERROR_INIT;

	error_what(&e, code, "%s", what);
	error_text_set(e.why, "%s", why);
	error_text_set(e.rule, "%s", "the broker's policy");
	error_text_set(e.next, "%s", next);
	return tool_fail_with(&q->tool, &e);
}

static int take_operation(struct question *q)
{
	char names[128];

	q->right = conf_right(q->operation);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && !q->right; i++)
		if (strcmp(words[i].word, q->operation) == 0)
			q->right = words[i].right;
	if (q->right)
		return UI_OK;
	conf_right_names(~0u, names, sizeof(names));
	return ui_usage(&q->tool.ui, "no operation '%s'; there are: %s, and sign, decrypt, derive, "
			"verify, offer, generate, reset, apdu", q->operation, names);
}

static int take_container(struct question *q)
{
	uint64_t n;

	q->container = POLICY_SOME_CONTAINER;
	if (!q->container_text)
		return UI_OK;
	if (strcmp(q->container_text, "any") == 0) {
		q->container = KF_CONTAINER_ANY;
		return UI_OK;
	}
	if (ui_parse_number(q->container_text, 65535, &n) < 0)
		return ui_usage(&q->tool.ui, "--container %s: a number, or 'any' for one that the "
				"card chooses", q->container_text);
	q->container = (uint32_t)n;
	return UI_OK;
}

/* The groups a program of that user would have; ours are those we really have. */
static int take_groups(struct question *q, const struct passwd *user)
{
	gid_t primary = user ? user->pw_gid : (gid_t)-1;

	q->n_gids = GROUPS_MAX;
	q->gids = calloc(GROUPS_MAX + 1, sizeof(gid_t));
	if (!q->gids)
		return UI_FAILED;
	if (q->uid == getuid()) {
		q->n_gids = getgroups(GROUPS_MAX, q->gids);
		if (q->n_gids < 0)
			q->n_gids = 0;
		q->gids[q->n_gids++] = getgid();
	} else if (!user || getgrouplist(user->pw_name, primary, q->gids, &q->n_gids) < 0) {
		q->n_gids = 0;
	}
	return UI_OK;
}

static int take_user(struct question *q)
{
	const struct passwd *user = NULL;
	uint64_t n;

	q->uid = getuid();
	if (q->user) {
		user = getpwnam(q->user);
		if (!user && ui_parse_number(q->user, UINT32_MAX - 1, &n) < 0)
			return ui_usage(&q->tool.ui, "--uid %s: no such user here", q->user);
		q->uid = user ? user->pw_uid : (uid_t)n;
	}
	if (!user)
		user = getpwuid(q->uid);
	return take_groups(q, user);
}

static void take_rule(struct policy *policy, const struct kf_rule *from)
{
	struct spawn_rule *rule = &policy->rules[policy->n_rules++];

	*rule = (struct spawn_rule){
		.who = (enum spawn_who)kf_rule_value(from, KF_RULE_WHO),
		.id = kf_rule_value(from, KF_RULE_ID),
		.rights = kf_rule_value(from, KF_RULE_RIGHTS),
		.first = kf_rule_value(from, KF_RULE_FIRST),
		.count = kf_rule_value(from, KF_RULE_COUNT),
		.line = kf_rule_value(from, KF_RULE_LINE) };
	(void)snprintf(rule->name, sizeof(rule->name), "%s", kf_rule_name(from));
	(void)snprintf(rule->reader, sizeof(rule->reader), "%s", kf_rule_reader(from));
}

static int ask_broker(struct question *q)
{
	struct kf_rules *rules = NULL;
	int code = tool_connect(&q->tool);

	if (code != UI_OK)
		return code;
	if (kf_rule_list(q->tool.client, &rules) < 0)
		return tool_fail(&q->tool);
	q->policy.version = kf_rules_version(rules);
	q->whole = (kf_rules_flags(rules) & KF_POLICY_WHOLE) != 0;
	for (size_t i = 0; i < kf_rules_count(rules) && i < SPAWN_RULES; i++)
		take_rule(&q->policy, kf_rules_at(rules, i));
	rules = kf_rules_free(rules);
	if (q->whole || q->uid == getuid())
		return UI_OK;
	return question_fail(q, -EACCES, "cannot explain what another user may do",
			     "the broker tells rules about others to administrators alone",
			     "ask as one, or of a file: --config " CONF_DEFAULT);
}

static int ask_file(struct question *q)
{
	static struct conf conf;
	static struct spawn_msg given, table;
	json_t *errors = json_array();
	int code = read_conf(&q->tool.ui, q->config, &conf, errors);

	json_decref(errors);
	if (code != UI_OK)
		return code;
	if (grant_table(&given, &conf, false, &table) < 0)
		return question_fail(q, -ENOSPC, "cannot make a table of the file",
				     "it has more rules than fit", "give groups rights, not users");
	q->whole = true;
	q->policy.n_rules = table.n_rules;
	memcpy(q->policy.rules, table.rules, sizeof(table.rules));
	return UI_OK;
}

static void who_text(const struct spawn_rule *rule, char *out, size_t cap)
{
	const struct passwd *user = rule->who == SPAWN_UID ? getpwuid(rule->id) : NULL;
	const struct group *group = rule->who == SPAWN_GID ? getgrgid(rule->id) : NULL;

	if (rule->who == SPAWN_EVERYBODY)
		(void)snprintf(out, cap, "everybody");
	else if (rule->who == SPAWN_UID)
		(void)snprintf(out, cap, "user %u%s%s%s", rule->id, user ? " (" : "",
			       user ? user->pw_name : "", user ? ")" : "");
	else
		(void)snprintf(out, cap, "group %u%s%s%s", rule->id, group ? " (" : "",
			       group ? group->gr_name : "", group ? ")" : "");
}

static void place_text(const struct spawn_rule *rule, char *out, size_t cap)
{
	int n = snprintf(out, cap, "readers %s, ", rule->reader[0] ? rule->reader : "all");

	if (n < 0 || (size_t)n >= cap)
		return;
	if (rule->count == 0)
		(void)snprintf(out + n, cap - (size_t)n, "containers all");
	else if (rule->count == 1)
		(void)snprintf(out + n, cap - (size_t)n, "container %u", rule->first);
	else
		(void)snprintf(out + n, cap - (size_t)n, "containers %u-%u", rule->first,
			       rule->first + rule->count - 1);
}

/* Why a rule does not decide; "" for the one that does. */
static const char *why_not(const struct question *q, const struct policy_set *naming, size_t i)
{
	const struct spawn_rule *rule = &q->policy.rules[i];

	if (!policy_set_has(naming, i))
		return q->uid == POLICY_NOBODY ? "nobody is always refused" : "names others";
	if ((rule->rights & q->right) == 0)
		return "does not allow it";
	if (!policy_rule_covers(rule, q->tool.reader, POLICY_SOME_CONTAINER))
		return "is about other readers";
	if (!policy_rule_covers(rule, q->tool.reader, q->container))
		return q->container == KF_CONTAINER_ANY ? "is about some containers, not about any" :
		       "is about other containers";
	return "";
}

static void rule_say(const struct question *q, const struct spawn_rule *rule, const char *why)
{
	char who[128], place[128], names[128], line[32] = "";

	who_text(rule, who, sizeof(who));
	place_text(rule, place, sizeof(place));
	conf_right_names(rule->rights, names, sizeof(names));
	if (rule->line)
		(void)snprintf(line, sizeof(line), " (line %u)", rule->line);
	ui_say(&q->tool.ui, "  rule %s%s: %s; %s; allows %s%s%s", rule->name, line, who, place, names,
	       why[0] ? " - " : "", why);
}

static json_t *rule_json(const struct spawn_rule *rule, const char *why)
{
	char who[128], names[128];

	who_text(rule, who, sizeof(who));
	conf_right_names(rule->rights, names, sizeof(names));
	return json_pack("{s:s,s:I,s:s,s:s,s:I,s:I,s:s,s:s}", "name", rule->name, "line",
			 (json_int_t)rule->line, "who", who, "reader", rule->reader,
			 "first container", (json_int_t)rule->first, "containers",
			 (json_int_t)rule->count, "allows", names, "why not", why);
}

static void say_question(const struct question *q, bool allowed)
{
	char container[32];

	(void)snprintf(container, sizeof(container), "%u", q->container);
	ui_say(&q->tool.ui, "%s: user %u, %s, reader %s, container %s", allowed ? "allowed" : "refused",
	       q->uid, q->operation, q->tool.reader ? q->tool.reader : "(whichever)",
	       q->container == POLICY_SOME_CONTAINER ? "(whichever)" :
	       q->container == KF_CONTAINER_ANY ? "any" : container);
}

/* The deciding rule, or all there are and why none of them does. */
static int explain(const struct question *q)
{
	struct policy_set naming = policy_naming(&q->policy, q->uid, q->gids, (size_t)q->n_gids);
	json_t *others = json_array(), *by = NULL;
	bool allowed = (policy_rights(&q->policy, &naming, q->tool.reader, q->container) & q->right);

	say_question(q, allowed);
	for (size_t i = 0; i < q->policy.n_rules; i++) {
		const struct spawn_rule *rule = &q->policy.rules[i];
		const char *why = why_not(q, &naming, i);

		if (allowed && (why[0] || by))
			continue;
		rule_say(q, rule, why);
		if (allowed)
			by = rule_json(rule, why);
		else
			(void)json_array_append_new(others, rule_json(rule, why));
	}
	if (!allowed)
		ui_say(&q->tool.ui, q->whole ? "no rule allows it (no rule = deny)" :
		       "no rule that names this user allows it (no rule = deny)");
	(void)ui_json(&q->tool.ui, json_pack("{s:I,s:s,s:b,s:I,s:o*,s:o}", "uid", (json_int_t)q->uid,
		"operation", q->operation, "allowed", allowed, "policy",
		(json_int_t)q->policy.version, "rule", by, "refused by", others));
	return allowed ? UI_OK : UI_FAILED;
}

static int policy_explain(int argc, char **argv)
{
	static struct question q = { .tool = TOOL_INIT("keyferry policy explain") };
	const struct arg args[] = {
		{ "uid", 0, ARG_TEXT, &q.user, "USER", "name or number (yourself)" },
		{ "container", 0, ARG_TEXT, &q.container_text, "N", "which container, or 'any'" },
		{ "config", 0, ARG_TEXT, &q.config, "FILE", "by this file instead of the broker's table" },
		{ "OPERATION", 0, ARG_WORD, &q.operation, NULL, "look, use, inject, ... or sign, generate, ..." },
		ARG_END
	};
	int code;

	if (!tool_parse(&q.tool, "Tells which rule lets a user do something, or why none does.", args,
			argc, argv, &code))
		return code;
	code = take_operation(&q);
	if (code == UI_OK)
		code = take_container(&q);
	if (code == UI_OK)
		code = take_user(&q);
	if (code == UI_OK)
		code = q.config ? ask_file(&q) : ask_broker(&q);
	if (code == UI_OK)
		code = explain(&q);
	free(q.gids);
	tool_close(&q.tool);
	return code;
}

int cmd_policy(int argc, char **argv)
{
	static const struct cmd cmds[] = {
		{ "check", "the mistakes in a configuration file", policy_check },
		{ "explain", "which rule lets a user do something", policy_explain },
	};

	return cmd_dispatch("keyferry policy", cmds, sizeof(cmds) / sizeof(cmds[0]), argc, argv);
}
