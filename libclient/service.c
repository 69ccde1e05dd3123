/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libclient/service.c - How the broker is doing, and who else uses it. */
#include "libclient/call.h"
#include "libclient/rows.h"

struct kf_service {
	struct kf_status status;
	size_t n;
	struct kf_process_entry rows[];
};

struct kf_peer {
	struct kf_client_entry entry;
};

struct kf_peers {
	size_t n;
	struct kf_peer rows[];
};

KF_EXPORT int kf_service_read(struct kf_client *client, struct kf_service **out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	_cleanup_(freep) struct kf_service *service = NULL;
	const struct kf_status *status;
	struct rows rows = { 0 };
	int r;

	(void)call_begin(&call, client, KF_STATUS);
	if (!client || !out)
		return -EINVAL;
	r = call_run(&call, "cannot read the service's status");
	if (r < 0)
		return r;
	status = call_reply(&call);
	r = rows_begin(call_get(&call, kf_status, processes), status->n_processes,
		       sizeof(struct kf_process_entry), &rows);
	if (r < 0)
		return call_reply_broken(&call,
					 "the list of processes has another length than it says");
	service = calloc(1, sizeof(*service) + rows.n * sizeof(service->rows[0]));
	if (!service)
		return call_no_memory(&call);
	service->status = *status;
	for (; service->n < rows.n; service->n++) {
		struct kf_process_entry *entry = &service->rows[service->n];

		rows_copy(&rows, service->n, entry, sizeof(*entry));
		if (!packet_string_valid(entry->version, sizeof(entry->version)))
			return call_reply_broken(&call, "a process's description is malformed");
	}
	*out = take_ptr(service);
	return 0;
}

KF_EXPORT struct kf_service *kf_service_free(struct kf_service *service)
{
	free(service);
	return NULL;
}

KF_EXPORT uint32_t kf_service_value(const struct kf_service *service, enum kf_service_value value)
{
	const struct kf_status *status = &service->status;

	switch (value) {
	case KF_SERVICE_FLAGS:			return status->flags;
	case KF_SERVICE_UPTIME_S:		return status->uptime_s;
	case KF_SERVICE_CLIENTS:		return status->n_clients;
	case KF_SERVICE_MAX_CLIENTS:		return status->max_clients;
	case KF_SERVICE_READERS:		return status->n_readers;
	case KF_SERVICE_MAX_READERS:		return status->max_readers;
	case KF_SERVICE_MAX_UID_CONNECTIONS:	return status->max_uid_connections;
	case KF_SERVICE_MAX_UID_CONTEXTS:	return status->max_uid_contexts;
	case KF_SERVICE_MAX_UID_KEYS:		return status->max_uid_keys;
	case KF_SERVICE_MAX_UID_BYTES:		return status->max_uid_bytes;
	case KF_SERVICE_POLICY:			return status->policy;
	case KF_SERVICE_PROCESSES:		return status->n_processes;
	}
	return 0;
}

static const struct kf_process_entry *process_at(const struct kf_service *service, size_t i)
{
	static const struct kf_process_entry none = { 0 };

	return i < service->n ? &service->rows[i] : &none;
}

KF_EXPORT uint32_t kf_process_role(const struct kf_service *service, size_t i)
{
	return process_at(service, i)->role;
}

KF_EXPORT uint32_t kf_process_pid(const struct kf_service *service, size_t i)
{
	return process_at(service, i)->pid;
}

KF_EXPORT uint32_t kf_process_uid(const struct kf_service *service, size_t i)
{
	return process_at(service, i)->uid;
}

KF_EXPORT uint32_t kf_process_reader(const struct kf_service *service, size_t i)
{
	return process_at(service, i)->reader;
}

KF_EXPORT uint32_t kf_process_restarts(const struct kf_service *service, size_t i)
{
	return process_at(service, i)->restarts;
}

KF_EXPORT uint32_t kf_process_guards(const struct kf_service *service, size_t i)
{
	return process_at(service, i)->guards;
}

KF_EXPORT const char *kf_process_version(const struct kf_service *service, size_t i)
{
	return process_at(service, i)->version;
}

static bool peer_valid(const struct kf_client_entry *entry)
{
	return packet_string_valid(entry->reader_name, sizeof(entry->reader_name)) &&
	       packet_string_valid(entry->name, sizeof(entry->name)) &&
	       packet_string_valid(entry->txn, sizeof(entry->txn));
}

KF_EXPORT int kf_peer_list(struct kf_client *client, struct kf_peers **out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	_cleanup_(freep) struct kf_peers *peers = NULL;
	const struct kf_clients *list;
	struct rows rows = { 0 };
	int r;

	(void)call_begin(&call, client, KF_CLIENTS);
	if (!client || !out)
		return -EINVAL;
	r = call_run(&call, "cannot list the clients");
	if (r < 0)
		return r;
	list = call_reply(&call);
	r = rows_begin(call_get(&call, kf_clients, clients), list->n_clients,
		       sizeof(struct kf_client_entry), &rows);
	if (r < 0)
		return call_reply_broken(&call, "the list of clients has another length than it says");
	peers = calloc(1, sizeof(*peers) + rows.n * sizeof(peers->rows[0]));
	if (!peers)
		return call_no_memory(&call);
	for (; peers->n < rows.n; peers->n++) {
		rows_copy(&rows, peers->n, &peers->rows[peers->n].entry,
			  sizeof(struct kf_client_entry));
		if (!peer_valid(&peers->rows[peers->n].entry))
			return call_reply_broken(&call, "a client's description is malformed");
	}
	*out = take_ptr(peers);
	return 0;
}

KF_EXPORT size_t kf_peers_count(const struct kf_peers *peers)
{
	return peers ? peers->n : 0;
}

KF_EXPORT const struct kf_peer *kf_peers_at(const struct kf_peers *peers, size_t i)
{
	return peers && i < peers->n ? &peers->rows[i] : NULL;
}

KF_EXPORT struct kf_peers *kf_peers_free(struct kf_peers *peers)
{
	free(peers);
	return NULL;
}

#define PEER_NUMBER(name, field) \
	KF_EXPORT uint32_t kf_peer_##name(const struct kf_peer *peer) \
	{ \
		return peer->entry.field; \
	}
#define PEER_TEXT(name, field) \
	KF_EXPORT const char *kf_peer_##name(const struct kf_peer *peer) \
	{ \
		return peer->entry.field; \
	}

PEER_NUMBER(number, client)
PEER_NUMBER(uid, uid)
PEER_NUMBER(pid, pid)
PEER_NUMBER(flags, flags)
PEER_NUMBER(keys, n_keys)
PEER_NUMBER(waiting, n_waiting)
PEER_NUMBER(age_ms, age_ms)
PEER_NUMBER(held_ms, held_ms)
PEER_NUMBER(left_ms, left_ms)
PEER_TEXT(name, name)
PEER_TEXT(transaction, txn)
PEER_TEXT(reader, reader_name)
