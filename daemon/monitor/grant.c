/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/monitor/grant.h"

#include "daemon/broker/policy.h"
#include "proto/packet.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <unistd.h>

static const struct { const char *name; uint32_t right; } rights[] = {
	{ "look", KF_RIGHT_LOOK }, { "use", KF_RIGHT_USE }, { "inject", KF_RIGHT_INJECT },
	{ "create", KF_RIGHT_CREATE }, { "delete", KF_RIGHT_DELETE }, { "admin", KF_RIGHT_ADMIN },
	{ "raw", KF_RIGHT_RAW }, { "relay", KF_RIGHT_RELAY }, { "init", KF_RIGHT_INIT },
	{ "kek", KF_RIGHT_KEK },
};

static uint32_t right_by_name(const char *name, size_t n)
{
	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++)
		if (strlen(rights[i].name) == n && strncmp(rights[i].name, name, n) == 0)
			return rights[i].right;
	return 0;
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

int grant_defaults(struct spawn_msg *policy, bool development)
{
	const struct group *group;
	int r = 0;

	group = getgrnam("keyferry-users");
	if (group)
		r = grant_rule(policy, "users", SPAWN_GID, group->gr_gid, POLICY_USER);
	group = r < 0 ? NULL : getgrnam("keyferry-admin");
	if (group)
		r = grant_rule(policy, "admins", SPAWN_GID, group->gr_gid, POLICY_ADMIN);
	if (r == 0 && development)
		r = grant_rule(policy, "developer", SPAWN_UID, geteuid(), POLICY_ADMIN);
	return r;
}
