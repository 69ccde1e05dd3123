/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libclient/container.c - Containers and the certificates in them. */
#include "libclient/blob.h"
#include "libclient/rows.h"

struct kf_container {
	struct kf_container_entry entry;
	struct kf_blob *public_key;
	uint32_t check_len;
	uint8_t check_value[KF_CHECK_VALUE_SIZE];
};

struct kf_containers {
	size_t n;
	struct kf_container rows[];
};

KF_EXPORT int kf_container_list(struct kf_context *context, struct kf_containers **out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	const struct kf_container_list *list;
	struct kf_containers *containers;
	struct rows rows = { 0 };
	int r;

	(void)call_begin_card(&call, context, KF_CONTAINER_LIST);
	if (!context || !out)
		return -EINVAL;
	r = call_run(&call, "cannot list the containers");
	if (r < 0)
		return r;
	list = call_reply(&call);
	r = rows_begin(call_get(&call, kf_container_list, containers), list->n_containers,
		       sizeof(struct kf_container_entry), &rows);
	if (r < 0)
		return call_reply_broken(&call,
					 "the list of containers has another length than it says");
	containers = calloc(1, sizeof(*containers) + rows.n * sizeof(containers->rows[0]));
	if (!containers)
		return call_no_memory(&call);
	for (; containers->n < rows.n; containers->n++)
		rows_copy(&rows, containers->n, &containers->rows[containers->n].entry,
			  sizeof(struct kf_container_entry));
	*out = containers;
	return 0;
}

KF_EXPORT size_t kf_containers_count(const struct kf_containers *containers)
{
	return containers ? containers->n : 0;
}

KF_EXPORT const struct kf_container *kf_containers_at(const struct kf_containers *containers,
						      size_t i)
{
	return containers && i < containers->n ? &containers->rows[i] : NULL;
}

KF_EXPORT struct kf_containers *kf_containers_free(struct kf_containers *containers)
{
	free(containers);
	return NULL;
}

DEFINE_CLEANUP(struct kf_container *, kf_container_free);

static int container_new(struct call *call, const struct kf_container_entry *entry,
			 struct bytes spki, struct kf_container **out)
{
	_cleanup_(kf_container_freep) struct kf_container *container = calloc(1, sizeof(*container));
	int r;

	if (!container)
		return call_no_memory(call);
	container->entry = *entry;
	r = spki.n != 0 ? blob_new(call, spki, &container->public_key) : 0;
	if (r < 0)
		return r;
	*out = take_ptr(container);
	return 0;
}

KF_EXPORT int kf_container_read(struct kf_context *context, uint32_t number,
				struct kf_container **out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_container_info *info = call_begin_card(&call, context, KF_CONTAINER_INFO);
	const struct kf_container_info *reply;
	int r;

	if (!context || !out)
		return -EINVAL;
	info->entry.container = number;
	r = call_run(&call, "cannot read container %u", number);
	if (r < 0)
		return r;
	reply = call_reply(&call);
	if (reply->check_len > KF_CHECK_VALUE_SIZE)
		return call_reply_broken(&call, "the check value is longer than one can be");
	r = container_new(&call, &reply->entry, call_get(&call, kf_container_info, spki), out);
	if (r < 0)
		return r;
	(*out)->check_len = reply->check_len;
	memcpy((*out)->check_value, reply->check_value, KF_CHECK_VALUE_SIZE);
	return 0;
}

KF_EXPORT struct kf_container *kf_container_free(struct kf_container *container)
{
	if (!container)
		return NULL;
	container->public_key = kf_blob_free(container->public_key);
	free(container);
	return NULL;
}

KF_EXPORT uint32_t kf_container_number(const struct kf_container *container)
{
	return container->entry.container;
}

KF_EXPORT uint32_t kf_container_key_type(const struct kf_container *container)
{
	return container->entry.key_type;
}

KF_EXPORT uint32_t kf_container_purpose(const struct kf_container *container)
{
	return container->entry.purpose;
}

KF_EXPORT uint32_t kf_container_origin(const struct kf_container *container)
{
	return container->entry.origin;
}

KF_EXPORT uint32_t kf_container_flags(const struct kf_container *container)
{
	return container->entry.flags;
}

KF_EXPORT const uint8_t *kf_container_key_hash(const struct kf_container *container)
{
	return container->entry.holds;
}

KF_EXPORT const uint8_t *kf_container_public_key(const struct kf_container *container, size_t *len)
{
	*len = kf_blob_size(container->public_key);
	return kf_blob_data(container->public_key);
}

KF_EXPORT const uint8_t *kf_container_check_value(const struct kf_container *container, size_t *len)
{
	*len = container->check_len;
	return *len != 0 ? container->check_value : NULL;
}

KF_EXPORT int kf_container_create(struct kf_context *context, uint32_t number,
				  enum kf_key_type key_type, enum kf_purpose purpose,
				  struct kf_container **out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_container_create *create = call_begin_card(&call, context, KF_CONTAINER_CREATE);
	const struct kf_container_create *reply;
	uint32_t made;
	int r;

	if (!context || !out)
		return -EINVAL;
	create->container = number;
	create->key_type = key_type;
	create->purpose = purpose;
	r = call_run(&call, "cannot create a key in the card");
	if (r < 0)
		return r;
	reply = call_reply(&call);
	made = reply->container;
	/* What the card says about it, rather than what we asked for. */
	return kf_container_read(context, made, out);
}

KF_EXPORT int kf_container_delete(struct kf_context *context, uint32_t number)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_container_delete *delete = call_begin_card(&call, context, KF_CONTAINER_DELETE);

	if (!context)
		return -EINVAL;
	delete->container = number;
	return call_run(&call, "cannot delete container %u", number);
}

KF_EXPORT int kf_cert_store(struct kf_context *context, uint32_t number, const uint8_t *cert,
			    size_t len)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_cert_store *store = call_begin_card(&call, context, KF_CERT_STORE);

	if (!context)
		return -EINVAL;
	if ((cert && len == 0) || len > KF_CERT_MAX)
		call_refuse(&call, "a certificate has 1 to 4096 bytes");
	store->container = number;
	call_set(&call, kf_cert_store, cert, cert ? BYTES(cert, len) : BYTES_NONE);
	return call_run(&call, "cannot store the certificate of container %u", number);
}

static int read_beside(struct kf_context *context, uint32_t number, uint32_t flags, const char *what,
		       struct kf_blob **out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_cert_read *read = call_begin_card(&call, context, KF_CERT_READ);
	int r;

	if (!context || !out)
		return -EINVAL;
	read->container = number;
	read->flags = flags;
	r = call_run(&call, "cannot read the %s of container %u", what, number);
	if (r < 0)
		return r;
	return blob_new(&call, call_get(&call, kf_cert_read, cert), out);
}

KF_EXPORT int kf_cert_read(struct kf_context *context, uint32_t number, struct kf_blob **out)
{
	return read_beside(context, number, 0, "certificate", out);
}

KF_EXPORT int kf_voucher_read(struct kf_context *context, uint32_t number, struct kf_blob **out)
{
	return read_beside(context, number, KF_CERT_VOUCHER, "voucher", out);
}
