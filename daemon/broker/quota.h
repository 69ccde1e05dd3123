/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/quota.h - What one uid may hold at a time, over all its connections, and how many
 * wrong PINs it may try. A user is remembered beyond its last connection until its wrong PINs are
 * forgiven, else reconnecting would forgive them.
 */
#pragma once

#include "base/list.h"
#include "daemon/shared/spawn.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define QUOTA_USERS		1024	/* distinct uids remembered */
#define QUOTA_PIN_TRIES		5	/* wrong PINs in a row of time ... */
#define QUOTA_PIN_REFILL_S	60	/* ... one is forgiven each minute */

enum quota_kind { QUOTA_CONNECTIONS, QUOTA_CONTEXTS, QUOTA_KEYS, QUOTA_BYTES, QUOTA_KINDS };

struct user {
	struct list link;
	uid_t uid;
	uint32_t used[QUOTA_KINDS];
	uint32_t pin_spent;		/* wrong PINs not yet forgiven, and tries under way */
	uint64_t pin_at_ns;		/* when one was last forgiven */
};

struct quota {
	struct list users;
	size_t n_users;
	uint32_t limit[QUOTA_KINDS];
};

#define QUOTA_CONTEXTS_DEFAULT	64
#define QUOTA_KEYS_DEFAULT	64
#define QUOTA_LIMITS ((struct spawn_limits){ .connections = 64, \
	.contexts = QUOTA_CONTEXTS_DEFAULT, .keys = QUOTA_KEYS_DEFAULT, .bytes = 1024 * 1024 })

void quota_init(struct quota *quota);
void quota_limit(struct quota *quota, const struct spawn_limits *limits);
void quota_deinit(struct quota *quota);

/* Return: 0, -ENOMEM, -EDQUOT when too many users are remembered. */
int quota_user(struct quota *quota, uid_t uid, uint64_t now, struct user **out);

/* Who has most of one kind. Return: NULL if nobody has any. */
struct user *quota_most(const struct quota *quota, enum quota_kind kind);

/* Return: 0, or -EDQUOT and nothing is charged. */
int quota_charge(const struct quota *quota, struct user *user, enum quota_kind kind, uint32_t n);
void quota_release(struct user *user, enum quota_kind kind, uint32_t n);
/* Whether some uid's wrong PINs are not forgiven yet. */
bool quota_remembers(struct quota *quota, uint64_t now);
enum kf_reason quota_reason(enum quota_kind kind);

/*
 * A PIN try is charged before the card sees it, so that pipelined tries count, and given back
 * unless the card says it was wrong. @elsewhere of those charged are under way at other readers: they are
 * not taken for wrong yet, else nobody could serve a fleet of cards at once.
 *
 * Return: 0, or -EDQUOT with the seconds to wait in @wait_s.
 */
int quota_pin_try(struct user *user, uint64_t now, uint32_t elsewhere, uint32_t *wait_s);
void quota_pin_back(struct user *user);
