/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/broker/quota.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define REFILL_NS (QUOTA_PIN_REFILL_S * (uint64_t)1000000000)

void quota_limit(struct quota *quota, const struct spawn_limits *limits)
{
	quota->limit[QUOTA_CONNECTIONS] = limits->connections;
	quota->limit[QUOTA_CONTEXTS] = limits->contexts;
	quota->limit[QUOTA_KEYS] = limits->keys;
	quota->limit[QUOTA_BYTES] = limits->bytes;
}

void quota_init(struct quota *quota)
{
	*quota = (struct quota){ 0 };
	list_init(&quota->users);
	quota_limit(quota, &QUOTA_LIMITS);
}

static void user_drop(struct quota *quota, struct user *user)
{
	list_drop(&user->link);
	quota->n_users--;
	free(user);
}

void quota_deinit(struct quota *quota)
{
	struct user *user, *next;

	list_each_safe(user, next, &quota->users, link) {
		for (size_t i = 0; i < QUOTA_KINDS; i++)
			assert(user->used[i] == 0);
		user_drop(quota, user);
	}
}

static void pin_forgive(struct user *user, uint64_t now)
{
	while (user->pin_spent > 0 && now - user->pin_at_ns >= REFILL_NS) {
		user->pin_spent--;
		user->pin_at_ns += REFILL_NS;
	}
}

/* A user nothing has to be remembered of. */
static bool user_idle(struct user *user, uint64_t now)
{
	pin_forgive(user, now);
	return user->used[QUOTA_CONNECTIONS] == 0 && user->used[QUOTA_CONTEXTS] == 0 &&
	       user->used[QUOTA_KEYS] == 0 && user->used[QUOTA_BYTES] == 0 && user->pin_spent == 0;
}

int quota_user(struct quota *quota, uid_t uid, uint64_t now, struct user **out)
{
	struct user *user, *next;

	list_each_safe(user, next, &quota->users, link) {
		if (user->uid == uid) {
			*out = user;
			return 0;
		}
		if (user_idle(user, now))
			user_drop(quota, user);
	}
	if (quota->n_users >= QUOTA_USERS)
		return -EDQUOT;
	user = calloc(1, sizeof(*user));
	if (!user)
		return -ENOMEM;
	user->uid = uid;
	list_push(&quota->users, &user->link);
	quota->n_users++;
	*out = user;
	return 0;
}

struct user *quota_most(const struct quota *quota, enum quota_kind kind)
{
	struct user *user, *most = NULL;

	list_each(user, &quota->users, link)
		if (user->used[kind] > (most ? most->used[kind] : 0))
			most = user;
	return most;
}

int quota_charge(const struct quota *quota, struct user *user, enum quota_kind kind, uint32_t n)
{
	uint32_t limit = quota->limit[kind];

	if (n > limit || user->used[kind] > limit - n)
		return -EDQUOT;
	user->used[kind] += n;
	return 0;
}

void quota_release(struct user *user, enum quota_kind kind, uint32_t n)
{
	assert(user->used[kind] >= n);
	user->used[kind] -= n;
}

bool quota_remembers(struct quota *quota, uint64_t now)
{
	struct user *user;
	bool spent = false;

	list_each(user, &quota->users, link) {
		pin_forgive(user, now);
		spent |= user->pin_spent > 0;
	}
	return spent;
}

enum kf_reason quota_reason(enum quota_kind kind)
{
	static const enum kf_reason reasons[] = {
		[QUOTA_CONNECTIONS] = KF_REASON_QUOTA_CONNECTIONS,
		[QUOTA_CONTEXTS] = KF_REASON_QUOTA_CONTEXTS,
		[QUOTA_KEYS] = KF_REASON_QUOTA_KEYS,
		[QUOTA_BYTES] = KF_REASON_QUOTA_BYTES,
	};

	return reasons[kind];
}

int quota_pin_try(struct user *user, uint64_t now, uint32_t elsewhere, uint32_t *wait_s)
{
	uint32_t open;

	pin_forgive(user, now);
	open = elsewhere < user->pin_spent ? elsewhere : user->pin_spent;
	if (user->pin_spent - open >= QUOTA_PIN_TRIES) {
		*wait_s = (uint32_t)((REFILL_NS - (now - user->pin_at_ns) + 999999999u) / 1000000000u);
		return -EDQUOT;
	}
	if (user->pin_spent++ == 0)
		user->pin_at_ns = now;
	return 0;
}

void quota_pin_back(struct user *user)
{
	if (user->pin_spent > 0)
		user->pin_spent--;
}
