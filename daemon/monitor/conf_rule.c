/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/conf_rule.c - A rule is collected while its section lasts and becomes rows of the table
 * at the end of it: one for each user or group, reader and range of containers.
 */
#include "daemon/monitor/conf_reading.h"

#include "daemon/broker/policy.h"

#include <stdio.h>

static const struct { const char *name; uint32_t right; } rights[] = {
	{ "look", KF_RIGHT_LOOK }, { "use", KF_RIGHT_USE }, { "inject", KF_RIGHT_INJECT },
	{ "create", KF_RIGHT_CREATE }, { "delete", KF_RIGHT_DELETE }, { "admin", KF_RIGHT_ADMIN },
	{ "raw", KF_RIGHT_RAW }, { "relay", KF_RIGHT_RELAY }, { "init", KF_RIGHT_INIT },
	{ "kek", KF_RIGHT_KEK }, { "pin", KF_RIGHT_PIN }, { "wrap", KF_RIGHT_WRAP },
};

void conf_right_names(uint32_t mask, char *out, size_t cap)
{
	out[0] = '\0';
	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
		size_t n = strlen(out);

		if (mask & rights[i].right)
			(void)snprintf(out + n, cap - n, "%s%s", n ? " " : "", rights[i].name);
	}
}

uint32_t conf_right(const char *name)
{
	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++)
		if (strcmp(rights[i].name, name) == 0)
			return rights[i].right;
	return 0;
}

static void rule_wrong(struct reading *in)
{
	in->rule.broken = true;
}

static void add_who(struct reading *in, enum spawn_who who, uint32_t id)
{
	struct draft *rule = &in->rule;

	if (rule->n_who == WHO_MAX) {
		wrong(in, "more than %d users and groups in one rule", WHO_MAX);
		rule_wrong(in);
		return;
	}
	rule->who[rule->n_who].who = who;
	rule->who[rule->n_who++].id = id;
}

void conf_rule_user(struct reading *in, char *value)
{
	char *word;
	uint32_t id;

	while ((word = conf_word(&value))) {
		if (strcmp(word, "*") == 0) {
			add_who(in, SPAWN_EVERYBODY, 0);
		} else if (!conf_user(word, &id)) {
			wrong(in, "user = %s: no such user here", word);
			rule_wrong(in);
		} else if (id == POLICY_NOBODY) {
			wrong(in, "user = %s: \"nobody\" stands for many and is always refused", word);
			rule_wrong(in);
		} else {
			add_who(in, SPAWN_UID, id);
		}
	}
}

void conf_rule_group(struct reading *in, char *value)
{
	char *word;
	uint32_t id;

	while ((word = conf_word(&value))) {
		if (conf_group(word, &id)) {
			add_who(in, SPAWN_GID, id);
		} else {
			wrong(in, "group = %s: no such group here", word);
			rule_wrong(in);
		}
	}
}

void conf_rule_reader(struct reading *in, char *value)
{
	struct draft *rule = &in->rule;
	char *word;

	while ((word = conf_word(&value))) {
		if (rule->n_readers == READERS_MAX) {
			wrong(in, "more than %d readers in one rule", READERS_MAX);
			rule_wrong(in);
			return;
		}
		if (!conf_text(rule->readers[rule->n_readers++], KF_NAME_MAX, word)) {
			wrong(in, "reader = %s: longer than %d bytes", word, KF_NAME_MAX - 1);
			rule_wrong(in);
		}
	}
}

void conf_rule_container(struct reading *in, char *value)
{
	struct draft *rule = &in->rule;
	char *word;

	while ((word = conf_word(&value))) {
		char *last = word, *first = strsep(&last, "-");
		uint32_t a = 0, b;

		if (rule->n_ranges == RANGES_MAX) {
			wrong(in, "more than %d ranges of containers in one rule", RANGES_MAX);
			rule_wrong(in);
			return;
		}
		if (!conf_number(first, 65535, &a) || !conf_number(last ? last : first, 65535, &b) || b < a) {
			wrong(in, "container: a number or a range such as 2-5, blank-separated");
			rule_wrong(in);
			return;
		}
		rule->ranges[rule->n_ranges].first = a;
		rule->ranges[rule->n_ranges++].count = b - a + 1;
	}
}

void conf_rule_allow(struct reading *in, char *value)
{
	char *word, names[128];

	while ((word = conf_word(&value))) {
		uint32_t right = conf_right(word);

		if (!right) {
			conf_right_names(~0u, names, sizeof(names));
			wrong(in, "allow = %s: not one of: %s", word, names);
			rule_wrong(in);
		}
		in->rule.rights |= right;
	}
}

static void add_row(struct reading *in, size_t who, size_t reader, size_t range)
{
	const struct draft *draft = &in->rule;
	struct spawn_rule row = {
		.who = draft->who[who].who, .id = draft->who[who].id, .rights = draft->rights,
		.line = draft->line };

	if (in->conf->n_rules == SPAWN_RULES) {
		if (!in->rule.broken)
			conf_wrong(in, draft->line, "the rules make more than %d rows, one for each "
				 "user or group, reader and range; give groups rights, not users",
				 SPAWN_RULES);
		rule_wrong(in);
		return;
	}
	memcpy(row.name, draft->name, sizeof(row.name));
	if (draft->n_readers > 0)
		memcpy(row.reader, draft->readers[reader], sizeof(row.reader));
	if (draft->n_ranges > 0) {
		row.first = draft->ranges[range].first;
		row.count = draft->ranges[range].count;
	}
	in->conf->rules[in->conf->n_rules++] = row;
}

static bool rule_whole(struct reading *in)
{
	const struct draft *rule = &in->rule;
	char names[128];

	if (rule->n_who == 0)
		conf_wrong(in, rule->line, "rule %s names nobody: add user or group", rule->name);
	else if (rule->rights == 0)
		conf_wrong(in, rule->line, "rule %s allows nothing: add allow", rule->name);
	else if (rule->n_ranges > 0 && (rule->rights & ~POLICY_BY_CONTAINER)) {
		conf_right_names(rule->rights & ~POLICY_BY_CONTAINER, names, sizeof(names));
		conf_wrong(in, rule->line, "rule %s: %s: over the whole card, so no container can "
			 "narrow it; put it into a rule without container", rule->name, names);
	} else
		return true;
	return false;
}

void conf_rule_end(struct reading *in)
{
	const struct draft *rule = &in->rule;

	if (rule->line != 0 && !rule->broken && rule_whole(in))
		for (size_t i = 0; i < rule->n_who; i++)
			for (size_t k = 0; k == 0 || k < rule->n_readers; k++)
				for (size_t m = 0; m == 0 || m < rule->n_ranges; m++)
					add_row(in, i, k, m);
	in->rule = (struct draft){ 0 };
}

static bool rule_known(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n_rules; i++)
		if (strcmp(conf->rules[i].name, name) == 0)
			return true;
	return false;
}

void conf_rule_begin(struct reading *in, const char *name)
{
	in->rule.line = in->line;
	if (*name == '\0' || !conf_text(in->rule.name, sizeof(in->rule.name), name))
		wrong(in, "a rule has a name of 1 to %d bytes: [rule NAME]", SPAWN_RULE_NAME - 1);
	else if (rule_known(in->conf, name))
		wrong(in, "there is a rule %s already", name);
	else
		return;
	rule_wrong(in);
}
