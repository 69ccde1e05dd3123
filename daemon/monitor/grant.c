/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/monitor/grant.h"

#include "daemon/broker/policy.h"
#include "daemon/monitor/conf.h"
#include "proto/packet.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <unistd.h>

static uint32_t right_by_name(const char *name, size_t n)
{
	char word[16];

	if (n >= sizeof(word))
		return 0;
	memcpy(word, name, n);
	word[n] = '\0';
	return conf_right(word);
}

int grant_rights(const char *names, uint32_t *out)
{
	uint32_t mask = 0;

	for (const char *p = names;; p++) {
		size_t n = strcspn(p, ",");
		uint32_t right = right_by_name(p, n);

		if (!right)
			return -EINVAL;
		mask |= right;
		p += n;
		if (*p == '\0')
			break;
	}
	*out = mask;
	return 0;
}

int grant_id(const char *text, uint32_t *out)
{
	char *end;
	unsigned long id;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	id = strtoul(text, &end, 10);
	if (errno != 0 || *end != '\0' || id >= UINT32_MAX)
		return -EINVAL;
	*out = (uint32_t)id;
	return 0;
}

int grant_rule(struct spawn_msg *policy, const char *name, enum spawn_who who, uint32_t id,
	       uint32_t mask)
{
	struct spawn_rule rule = { .who = who, .id = id, .rights = mask };

	if (policy->n_rules == SPAWN_RULES)
		return -ENOSPC;
	packet_set_string(rule.name, name);
	policy->rules[policy->n_rules++] = rule;
	return 0;
}

int grant_add(struct spawn_msg *policy, enum spawn_who who, const char *text)
{
	const char *colon = strchr(text, ':');
	char number[16];
	uint32_t id, mask;

	if (!colon || (size_t)(colon - text) >= sizeof(number))
		return -EINVAL;
	memcpy(number, text, (size_t)(colon - text));
	number[colon - text] = '\0';
	if (grant_id(number, &id) < 0 || grant_rights(colon + 1, &mask) < 0)
		return -EINVAL;
	return grant_rule(policy, "--grant", who, id, mask);
}

static int grant_group(struct spawn_msg *policy, const char *name, const char *group, uint32_t mask)
{
	const struct group *entry = getgrnam(group);

	return entry ? grant_rule(policy, name, SPAWN_GID, entry->gr_gid, mask) : 0;
}

int grant_shipped(struct spawn_msg *policy)
{
	int r = grant_group(policy, "users", "keyferry-users", POLICY_USER);

	return r < 0 ? r : grant_group(policy, "admins", "keyferry-admin", POLICY_ADMIN);
}

static uint32_t either(uint32_t given, uint32_t otherwise)
{
	return given ? given : otherwise;
}

int grant_table(const struct spawn_msg *given, const struct conf *conf, bool development,
		struct spawn_msg *out)
{
	int r = 0;

	*out = *given;
	out->kind = SPAWN_POLICY;
	out->flags = development ? KF_STATUS_DEV : 0;
	out->idle_s = development ? 0 : conf->idle_s;	/* nobody would start us again */
	out->limits.connections = either(given->limits.connections, conf->limits.connections);
	out->limits.contexts = either(given->limits.contexts, conf->limits.contexts);
	out->limits.keys = either(given->limits.keys, conf->limits.keys);
	out->limits.bytes = either(given->limits.bytes, conf->limits.bytes);
	if (conf->shipped_rules)
		r = grant_shipped(out);
	if (r == 0 && development)
		r = grant_rule(out, "developer", SPAWN_UID, geteuid(), POLICY_ADMIN);
	for (size_t i = 0; i < conf->n_rules && r == 0; i++)
		if (out->n_rules < SPAWN_RULES)
			out->rules[out->n_rules++] = conf->rules[i];
		else
			r = -ENOSPC;
	return r;
}
