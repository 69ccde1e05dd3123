/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* daemon/broker/serve_broker.c - Requests about the connection and the broker itself. */
#include "daemon/broker/broker.h"
#include "daemon/broker/client.h"
#include "daemon/broker/context.h"
#include "daemon/broker/job.h"
#include "daemon/broker/reader.h"
#include "daemon/broker/request.h"
#include "daemon/broker/watch.h"

#include <stdlib.h>
#include <unistd.h>

#define PACKET_LEAST 4096

int on_hello(struct call *call)
{
	const struct kf_hello *ask = packet_read(call->request);
	struct kf_hello *out = packet_body(&call->reply);
	struct client *client = call->client;

	if (client->said_hello)
		return -EPROTO;
	if (ask->version != KF_PROTO_VERSION || ask->max_packet < PACKET_LEAST)
		return -EINVAL;
	client->said_hello = true;
	client->max_packet = ask->max_packet < KF_PACKET_MAX ? ask->max_packet : KF_PACKET_MAX;
	memcpy(client->name, ask->name, sizeof(client->name));
	out->version = KF_PROTO_VERSION;
	out->max_packet = KF_PACKET_MAX;
	out->rights = client->rights;
	out->uid = client->uid;
	out->client = client->number;
	out->max_requests = CLIENT_REQUESTS;
	packet_set_string(out->broker, KF_VERSION);
	return 0;
}

static size_t list_processes(const struct broker *broker, struct kf_process_entry *rows)
{
	const struct device *device;
	size_t n = 0;

	rows[n] = (struct kf_process_entry){
		.role = KF_ROLE_MONITOR, .pid = broker->monitor_pid, .uid = broker->monitor_uid,
		.guards = broker->monitor_guards };
	packet_set_string(rows[n].version, KF_VERSION);
	n++;
	rows[n] = (struct kf_process_entry){
		.role = KF_ROLE_BROKER, .pid = (uint32_t)getpid(), .uid = getuid(),
		.guards = broker->guards };
	packet_set_string(rows[n].version, KF_VERSION);
	n++;
	list_each(device, &broker->devices, link_broker) {
		if (!link_up(&device->link))
			continue;
		rows[n] = (struct kf_process_entry){
			.role = KF_ROLE_DRIVER, .pid = device->link.pid, .uid = device->link.uid,
			.reader = device_slot(device, 0)->entry.reader,
			.restarts = device->link.restarts,
			.guards = device->hello.guards };
		memcpy(rows[n++].version, device->hello.driver_version, KF_LABEL_MAX);
	}
	return n;
}

int on_status(struct call *call)
{
	const struct broker *broker = call->broker;
	struct kf_status *out = packet_body(&call->reply);
	struct kf_process_entry rows[BROKER_READERS + 2];
	size_t n = list_processes(broker, rows);

	out->flags = broker->flags;
	out->uptime_s = (uint32_t)((now_ns() - broker->start_ns) / 1000000000u);
	out->n_clients = (uint32_t)broker->n_clients;
	out->max_clients = (uint32_t)call->broker->max_clients;
	out->n_readers = (uint32_t)broker->n_readers;
	out->max_readers = BROKER_SLOTS;
	out->max_uid_connections = broker->quota.limit[QUOTA_CONNECTIONS];
	out->max_uid_contexts = broker->quota.limit[QUOTA_CONTEXTS];
	out->max_uid_keys = broker->quota.limit[QUOTA_KEYS];
	out->max_uid_bytes = broker->quota.limit[QUOTA_BYTES];
	out->policy = broker->policy.version;
	out->n_processes = (uint32_t)n;
	packet_set(&call->reply, kf_status, processes, BYTES(rows, n * sizeof(rows[0])));
	client_send(call->client, &call->reply);	/* here, while rows lives */
	return CALL_LATER;
}

static uint32_t age_ms(uint64_t since_ns, uint64_t now)
{
	uint64_t ms = (now - since_ns) / 1000000u;

	return ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

static bool waits_for_txn(const struct client *client, const struct context *context)
{
	const struct job *job;

	list_each(job, &client->jobs, in_client)
		if (job->context == context && job->state == JOB_QUEUED &&
		    (job->request.shape->request == KF_TXN_BEGIN ||
		     job->request.shape->request == KF_RELAY_BEGIN))
			return true;
	return false;
}

static void describe_context(struct kf_client_entry *row, const struct client *client,
			     const struct context *context, uint64_t now)
{
	const struct reader *reader = context->reader;
	const struct txn *txn = &reader->txn;

	row->reader = reader->entry.reader;
	memcpy(row->reader_name, reader->entry.name, sizeof(row->reader_name));
	row->n_keys = (uint32_t)context->n_keys;
	row->n_waiting = (uint32_t)queue_count(&reader->queue, client);
	if (waits_for_txn(client, context))
		row->flags |= KF_CLIENT_TXN_WAITS;
	if (reader->security.owner == context && context->pins)
		row->flags |= KF_CLIENT_PIN;
	if (reader->running && reader->running->context == context)
		row->flags |= KF_CLIENT_RUNNING;
	if (txn->holder != context)
		return;
	row->flags |= txn->state == TXN_FOR_KEYS ? KF_CLIENT_HELD : KF_CLIENT_TXN;
	row->held_ms = age_ms(txn->since_ns, now);
	row->left_ms = ms_until(txn->timer.at_ns, now);
	memcpy(row->txn, txn->name, sizeof(row->txn));
}

static void describe(struct kf_client_entry *row, const struct client *client,
		     const struct context *context)
{
	uint64_t now = now_ns();

	*row = (struct kf_client_entry){
		.client = client->number, .uid = client->uid, .pid = (uint32_t)client->pid,
		.age_ms = age_ms(client->since_ns, now),
	};
	memcpy(row->name, client->name, sizeof(row->name));
	if (context)
		describe_context(row, client, context, now);
}

/* Administrators see everybody at the readers they administrate, others themselves. */
static bool may_see(const struct client *asker, const struct client *client,
		    const struct context *context)
{
	if (client->uid == asker->uid)
		return true;
	return context ? client_may(asker, context->reader, KF_RIGHT_ADMIN, POLICY_SOME_CONTAINER) :
	       (asker->rights & KF_RIGHT_ADMIN) != 0;
}

static size_t list_client(const struct client *asker, const struct client *client,
			  struct kf_client_entry *rows, size_t cap)
{
	const struct context *context;
	size_t n = 0;

	list_each(context, &client->contexts, in_client)
		if (n < cap && may_see(asker, client, context))
			describe(&rows[n++], client, context);
	if (list_empty(&client->contexts) && cap > 0 && may_see(asker, client, NULL))
		describe(&rows[n++], client, NULL);
	return n;
}

int on_clients(struct call *call)
{
	size_t cap = (KF_PACKET_MAX - sizeof(struct kf_header) - sizeof(struct kf_clients)) /
		     sizeof(struct kf_client_entry);
	struct kf_clients *out = packet_body(&call->reply);
	struct kf_client_entry *rows = calloc(cap, sizeof(*rows));
	const struct client *client;
	size_t n = 0;

	if (!rows)
		return -ENOMEM;
	list_each(client, &call->broker->clients, link)
		n += list_client(call->client, client, rows + n, cap - n);
	out->n_clients = (uint32_t)n;
	packet_set(&call->reply, kf_clients, clients, BYTES(rows, n * sizeof(*rows)));
	client_send(call->client, &call->reply);
	free(rows);
	return CALL_LATER;
}

int on_events(struct call *call)
{
	const struct kf_events *ask = packet_read(call->request);

	call->client->events = ask->mask;
	watch_news(call->broker);
	*(struct kf_events *)packet_body(&call->reply) = *ask;
	return 0;
}

int on_cancel(struct call *call)
{
	const struct kf_cancel *ask = packet_read(call->request);
	struct job *job = job_find(call->client, ask->seq);

	if (!job)
		return -ENOENT;
	job_cancel(job);
	return 0;
}

static struct kf_policy_entry policy_row(const struct spawn_rule *rule)
{
	struct kf_policy_entry row = {
		.who = rule->who, .id = rule->id, .rights = rule->rights, .first = rule->first,
		.count = rule->count, .line = rule->line };

	static_assert((int)SPAWN_UID == KF_WHO_UID && (int)SPAWN_GID == KF_WHO_GID &&
		      (int)SPAWN_EVERYBODY == KF_WHO_EVERYBODY &&
		      sizeof(row.name) == sizeof(rule->name) &&
		      sizeof(row.reader) == sizeof(rule->reader), "what is told as it is");
	memcpy(row.name, rule->name, sizeof(row.name));
	memcpy(row.reader, rule->reader, sizeof(row.reader));
	return row;
}

int on_policy(struct call *call)
{
	const struct policy *policy = &call->broker->policy;
	const struct client *client = call->client;
	bool whole = (client->rights & KF_RIGHT_ADMIN) != 0;
	struct kf_policy *out = packet_body(&call->reply);
	struct kf_policy_entry rows[SPAWN_RULES];
	size_t n = 0;

	for (size_t i = 0; i < policy->n_rules; i++)
		if (whole || policy_set_has(&client->rules, i))
			rows[n++] = policy_row(&policy->rules[i]);
	out->version = policy->version;
	out->flags = whole ? KF_POLICY_WHOLE : 0;
	out->n_rules = (uint32_t)n;
	packet_set(&call->reply, kf_policy, rules, BYTES(rows, n * sizeof(rows[0])));
	client_send(call->client, &call->reply);	/* here, while rows lives */
	return CALL_LATER;
}
