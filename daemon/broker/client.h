/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/client.h - One connection. Who it is was settled by the kernel at connect();
 * everything it holds (contexts, keys, waiting requests) goes with it.
 */
#pragma once

#include "base/list.h"
#include "daemon/broker/handle.h"
#include "daemon/broker/policy.h"
#include "daemon/shared/loop.h"
#include "daemon/broker/quota.h"
#include "proto/packet.h"

#include <sys/types.h>

#define CLIENT_REQUESTS	32			/* outstanding at once */
#define CLIENT_UNREAD	(256 * 1024)		/* bytes a slow reader may leave with us */
#define CLIENT_GIDS	65536			/* groups considered: as many as Linux knows */

struct broker;
struct reader;

struct client {
	struct list link;		/* in broker->clients */
	struct broker *broker;
	struct source source;
	struct user *user;
	struct handle_owner handles;
	struct list contexts;
	struct list jobs;		/* requests not yet answered */
	size_t n_jobs;
	struct list unsent;
	uint32_t n_unsent;		/* bytes */
	uint32_t number;
	uid_t uid;
	pid_t pid;
	struct policy_set rules;	/* that name it */
	uint32_t rights;		/* that they give it somewhere */
	gid_t *gids;
	size_t n_gids;
	uint32_t max_packet;
	uint32_t events;
	uint64_t since_ns;
	bool said_hello;
	bool leaving;			/* to be freed once what is unsent is out */
	char name[KF_LABEL_MAX];
};

/*
 * Takes over @fd on success only. Return: 0; -EDQUOT for the uid's connections; -EUSERS when all
 * places are taken and no uid has more of them than this one would; -ENOMEM; -EACCES for one whom
 * no rule admits while half of the places are taken: they are only told so, and a user with many
 * uids (of a user namespace) must not take the places of those who are admitted.
 */
int client_new(struct broker *broker, int fd, struct client **out);
struct client *client_free(struct client *client);

/* Applies the policy table anew. */
void client_reconsider(struct client *client);
/* Whether it has @right at @reader and @container, or %POLICY_SOME_CONTAINER. */
bool client_may(const struct client *client, const struct reader *reader, uint32_t right,
		uint32_t container);

/*
 * Sends or queues; cut to what the client takes (EMSGSIZE). Never frees the client: one that does
 * not read its replies is marked and goes at its next turn.
 */
void client_send(struct client *client, const struct packet *packet);
void client_fail(struct client *client, const struct packet *request, int result,
		 uint16_t reason, uint32_t detail);
