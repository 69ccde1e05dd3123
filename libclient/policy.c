/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libclient/policy.c - The rules that the broker applies, for people who wonder. */
#include "libclient/call.h"
#include "libclient/rows.h"

struct kf_rule {
	struct kf_policy_entry entry;
};

struct kf_rules {
	uint32_t version, flags;
	size_t n;
	struct kf_rule rows[];
};

KF_EXPORT int kf_rule_list(struct kf_client *client, struct kf_rules **out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	_cleanup_(freep) struct kf_rules *rules = NULL;
	const struct kf_policy *policy;
	struct rows rows = { 0 };
	int r;

	(void)call_begin(&call, client, KF_POLICY);
	if (!client || !out)
		return -EINVAL;
	r = call_run(&call, "cannot read the rules");
	if (r < 0)
		return r;
	policy = call_reply(&call);
	r = rows_begin(call_get(&call, kf_policy, rules), policy->n_rules,
		       sizeof(struct kf_policy_entry), &rows);
	if (r < 0)
		return call_reply_broken(&call, "the list of rules has another length than it says");
	rules = calloc(1, sizeof(*rules) + rows.n * sizeof(rules->rows[0]));
	if (!rules)
		return call_no_memory(&call);
	rules->version = policy->version;
	rules->flags = policy->flags;
	for (; rules->n < rows.n; rules->n++) {
		struct kf_policy_entry *entry = &rules->rows[rules->n].entry;

		rows_copy(&rows, rules->n, entry, sizeof(*entry));
		if (!packet_string_valid(entry->name, sizeof(entry->name)) ||
		    !packet_string_valid(entry->reader, sizeof(entry->reader)))
			return call_reply_broken(&call, "a rule's description is malformed");
	}
	*out = take_ptr(rules);
	return 0;
}

KF_EXPORT struct kf_rules *kf_rules_free(struct kf_rules *rules)
{
	free(rules);
	return NULL;
}

KF_EXPORT size_t kf_rules_count(const struct kf_rules *rules)
{
	return rules ? rules->n : 0;
}

KF_EXPORT uint32_t kf_rules_version(const struct kf_rules *rules)
{
	return rules->version;
}

KF_EXPORT uint32_t kf_rules_flags(const struct kf_rules *rules)
{
	return rules->flags;
}

KF_EXPORT const struct kf_rule *kf_rules_at(const struct kf_rules *rules, size_t i)
{
	return i < kf_rules_count(rules) ? &rules->rows[i] : NULL;
}

KF_EXPORT uint32_t kf_rule_value(const struct kf_rule *rule, enum kf_rule_value value)
{
	switch (value) {
	case KF_RULE_WHO:	return rule->entry.who;
	case KF_RULE_ID:	return rule->entry.id;
	case KF_RULE_RIGHTS:	return rule->entry.rights;
	case KF_RULE_FIRST:	return rule->entry.first;
	case KF_RULE_COUNT:	return rule->entry.count;
	case KF_RULE_LINE:	return rule->entry.line;
	}
	return 0;
}

KF_EXPORT const char *kf_rule_name(const struct kf_rule *rule)
{
	return rule->entry.name;
}

KF_EXPORT const char *kf_rule_reader(const struct kf_rule *rule)
{
	return rule->entry.reader;
}
