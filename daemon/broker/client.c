/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/client.c - Reads one packet a turn: no client can keep the loop, and for one that waits for
 * its answer no second recv() is spent on nothing. Writes what the socket takes and keeps a bounded rest. A
 * client is freed only from its own callback or by the broker, never below somebody who still looks at it.
 */
#include "daemon/broker/client.h"

#include "base/cleanup.h"
#include "base/secret.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/context.h"
#include "daemon/broker/idle.h"
#include "daemon/broker/job.h"
#include "daemon/broker/reader.h"
#include "daemon/broker/request.h"
#include "daemon/broker/watch.h"
#include "proto/wire.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>

struct frame {
	struct list link;
	size_t n;
	uint8_t bytes[];
};

static void frame_drop(struct client *client, struct frame *frame)
{
	list_drop(&frame->link);
	client->n_unsent -= (uint32_t)frame->n;
	quota_release(client->user, QUOTA_BYTES, (uint32_t)frame->n);
	wipe(frame->bytes, frame->n);
	free(frame);
}

static void client_flush(struct client *client)
{
	struct frame *frame;

	while ((frame = list_first(&client->unsent, struct frame, link))) {
		int r = wire_send(client->source.fd, BYTES(frame->bytes, frame->n), MSG_DONTWAIT);

		if (r == -EAGAIN)
			break;
		if (r < 0)
			client->leaving = true;
		frame_drop(client, frame);
	}
	loop_want(&client->broker->loop, &client->source,
		  list_empty(&client->unsent) ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

static void client_read(struct client *client)
{
	struct broker *broker = client->broker;
	struct bytes frame;
	int r;

	if (client->leaving)	/* what it had sent before it was cut off is not done any more */
		return;
	r = wire_recv(client->source.fd, broker->rx, KF_PACKET_MAX, MSG_DONTWAIT, &frame);
	if (r == 0) {
		r = request_serve(client, frame);
		wipe(broker->rx, frame.n);
	}
	if (r < 0 && r != -EAGAIN)
		client->leaving = true;
	if (r == -EBADMSG || r == -EMSGSIZE || r == -EPROTO)
		log_provoked(&broker->log, "client=%u uid=%u: cut off, %s", client->number,
			     client->uid, r == -EMSGSIZE ? "packet too large" :
			     r == -EBADMSG ? "sent a descriptor" : "malformed packet");
}

static void client_ready(struct source *source, uint32_t events)
{
	struct client *client = list_entry(source, struct client, source);

	if (events & EPOLLOUT)
		client_flush(client);
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		client_read(client);
	if (client->leaving)
		client_free(client);
}

/*
 * The groups the kernel saw at connect(), the primary one too. It says ERANGE and how many there
 * are when they do not fit: a member of hundreds, as directory services make them, is no stranger.
 */
static int client_groups(struct client *client, int fd, gid_t primary)
{
	socklen_t len = 32 * sizeof(gid_t);
	gid_t *gids = NULL;
	int r;

	do {
		gid_t *more = realloc(gids, sizeof(gid_t) + len);

		if (!more) {
			free(gids);
			return -ENOMEM;
		}
		gids = more;
		r = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, gids + 1, &len) < 0 ? -errno : 0;
	} while (r == -ERANGE && len <= CLIENT_GIDS * sizeof(gid_t));
	gids[0] = primary;
	client->gids = gids;
	client->n_gids = r < 0 ? 1 : len / sizeof(gid_t) + 1;
	return 0;
}

static int client_identify(struct client *client, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	int r;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	client->uid = cred.uid;
	client->pid = cred.pid;
	r = client_groups(client, fd, cred.gid);
	if (r < 0)
		return r;
	client_reconsider(client);
	return 0;
}

void client_reconsider(struct client *client)
{
	const struct policy *policy = &client->broker->policy;

	client->rules = policy_naming(policy, client->uid, client->gids, client->n_gids);
	client->rights = policy_rights(policy, &client->rules, NULL, POLICY_SOME_CONTAINER);
	if ((client->rights & KF_RIGHT_LOOK) == 0)
		client->events = 0;
}

bool client_may(const struct client *client, const struct reader *reader, uint32_t right,
		uint32_t container)
{
	uint32_t rights = policy_rights(&client->broker->policy, &client->rules,
					reader->entry.name, container);

	return (right & ~rights) == 0;
}

static int client_charge(struct client *client)
{
	struct quota *quota = &client->broker->quota;
	int r = quota_user(quota, client->uid, now_ns(), &client->user);

	if (r < 0)
		return r;
	r = quota_charge(quota, client->user, QUOTA_CONNECTIONS, 1);
	if (r < 0)
		client->user = NULL;
	return r;
}

/*
 * When all places are taken, the uid that has most of them gives up its newest, so that no number
 * of uids, each within its own limit, can keep another one out.
 */
static int client_place(struct client *client)
{
	struct broker *broker = client->broker;
	struct client *other, *newest = NULL;
	const struct user *most;

	if (broker->n_clients < broker->max_clients)
		return 0;
	most = quota_most(&broker->quota, QUOTA_CONNECTIONS);
	if (most->used[QUOTA_CONNECTIONS] <= client->user->used[QUOTA_CONNECTIONS])
		return -EUSERS;
	list_each(other, &broker->clients, link)
		if (other->user == most)
			newest = other;
	assert(newest);
	log_provoked(&broker->log, "client=%u uid=%u: cut off, its uid has most connections",
		     newest->number, newest->uid);
	client_free(newest);
	return 0;
}

int client_new(struct broker *broker, int fd, struct client **out)
{
	struct client *client = calloc(1, sizeof(*client));
	int r;

	if (!client)
		return -ENOMEM;
	client->broker = broker;
	client->source = (struct source){ .fd = fd, .events = EPOLLIN, .fn = client_ready };
	client->max_packet = KF_PACKET_MAX;
	client->since_ns = now_ns();
	list_init(&client->link);
	list_init(&client->contexts);
	list_init(&client->jobs);
	list_init(&client->unsent);
	handle_owner_init(&client->handles);
	client->number = ++broker->next_client;

	r = client_identify(client, fd);
	if (r == 0 && client->rights == 0 && broker->n_clients >= broker->max_clients / 2)
		r = -EACCES;
	if (r == 0)
		r = client_charge(client);
	if (r == 0)
		r = client_place(client);
	if (r == 0)
		r = loop_add(&broker->loop, &client->source);
	if (r < 0) {
		client->source.fd = -1;
		client_free(client);
		return r;
	}
	list_push(&broker->clients, &client->link);
	broker->n_clients++;
	idle_look(broker);
	*out = client;
	return 0;
}

static void client_drop_all(struct client *client)
{
	struct context *context;
	struct frame *frame;
	struct job *job, *next;

	list_each_safe(job, next, &client->jobs, in_client)
		job_orphan(job);
	while ((context = list_first(&client->contexts, struct context, in_client)))
		context_happens(context, CONTEXT_CLOSED, KF_REASON_CLOSED);
	while ((frame = list_first(&client->unsent, struct frame, link)))
		frame_drop(client, frame);
	handle_owner_deinit(&client->broker->handles, &client->handles);
	quota_release(client->user, QUOTA_CONNECTIONS, 1);
}

struct client *client_free(struct client *client)
{
	if (!client)
		return NULL;
	if (!list_empty(&client->link)) {
		list_drop(&client->link);
		client->broker->n_clients--;
		idle_look(client->broker);
		watch_news(client->broker);
	}
	loop_remove(&client->broker->loop, &client->source);
	if (client->user)
		client_drop_all(client);
	client->source.fd = fd_close(client->source.fd);
	free(client->gids);
	free(client);
	return NULL;
}

/* It goes at its next turn, and the shutdown sees to it that one comes. */
static void client_cut(struct client *client)
{
	client->leaving = true;
	(void)shutdown(client->source.fd, SHUT_RDWR);
}

static void client_keep(struct client *client, struct bytes bytes)
{
	const struct quota *quota = &client->broker->quota;
	struct frame *frame;

	if (client->n_unsent + bytes.n > CLIENT_UNREAD ||
	    quota_charge(quota, client->user, QUOTA_BYTES, (uint32_t)bytes.n) < 0) {
		log_provoked(&client->broker->log, "client=%u uid=%u: cut off, does not read",
			     client->number, client->uid);
		client_cut(client);
		return;
	}
	frame = malloc(sizeof(*frame) + bytes.n);
	if (!frame) {
		quota_release(client->user, QUOTA_BYTES, (uint32_t)bytes.n);
		client_cut(client);
		return;
	}
	frame->n = bytes.n;
	memcpy(frame->bytes, bytes.p, bytes.n);
	list_init(&frame->link);
	list_push(&client->unsent, &frame->link);
	client->n_unsent += (uint32_t)bytes.n;
	loop_want(&client->broker->loop, &client->source, EPOLLIN | EPOLLOUT);
}

static void client_put(struct client *client, struct bytes bytes)
{
	int r = -EAGAIN;

	if (client->leaving)
		return;
	if (list_empty(&client->unsent))
		r = wire_send(client->source.fd, bytes, MSG_DONTWAIT);
	if (r == -EAGAIN)
		client_keep(client, bytes);
	else if (r < 0)
		client_cut(client);
}

void client_send(struct client *client, const struct packet *packet)
{
	struct broker *broker = client->broker;
	struct packer p = pack_begin(broker->tx, KF_PACKET_MAX);
	struct packet short_reply;

	if (packet_size(packet) > client->max_packet) {
		assert(packet->header.kind == KF_KIND_REPLY);
		short_reply = packet_reply(packet, -EMSGSIZE);
		short_reply.header.detail = (uint32_t)packet_size(packet);
		packet = &short_reply;
	}
	if (packet_pack(packet, &p) == 0)
		client_put(client, pack_done(&p));
	wipe(broker->tx, p.n);
}

void client_fail(struct client *client, const struct packet *request, int result,
		 uint16_t reason, uint32_t detail)
{
	struct packet reply = packet_reply(request, result);

	reply.header.reason = reason;
	reply.header.detail = detail;
	client_send(client, &reply);
}
