/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libclient/context.c - Contexts and transactions. */
#include "libclient/context.h"
#include "libclient/call.h"
#include "libclient/explain.h"
#include "libclient/reader.h"

void context_orphan(struct kf_context *context)
{
	*context->prev = context->next;
	if (context->next)
		context->next->prev = context->prev;
	context->client = NULL;
}

static void context_join(struct kf_context *context, struct kf_client *client)
{
	context->client = client;
	context->next = client->contexts;
	context->prev = &client->contexts;
	if (context->next)
		context->next->prev = &context->next;
	client->contexts = context;
}

static int open_by_name(struct kf_client *client, const char *reader, uint32_t flags,
			uint32_t deadline_ms, uint64_t *out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_context_open *open = call_begin(&call, client, KF_CONTEXT_OPEN);
	const struct kf_context_open *reply;
	int r;

	open->flags = flags;
	packet_set_string(open->name, reader);
	if (strcmp(open->name, reader) != 0)
		call_refuse(&call, "no reader can have such a name");
	call_set_deadline(&call, deadline_ms);
	r = call_run(&call, "cannot open the card in '%s'", reader);
	if (r < 0)
		return r;
	reply = call_reply(&call);
	if (reply->context == 0)
		return call_reply_broken(&call, "the broker gave no handle");
	*out = reply->context;
	return 0;
}

/* The only reader with a card, else the only reader. Which, when there are several, is not ours
 * to guess: a PIN given to the wrong card costs a try. */
static int only_reader(struct kf_client *client, char name[static KF_NAME_MAX])
{
	struct kf_readers *readers = NULL;
	const struct kf_reader *only = NULL;
	size_t n_cards = 0;
	int r;

	r = kf_reader_list(client, &readers);
	if (r < 0)
		return r;
	for (size_t i = 0; i < readers->n; i++) {
		if (readers->rows[i].entry.state != KF_READER_CARD)
			continue;
		only = &readers->rows[i];
		n_cards++;
	}
	if (n_cards == 0 && readers->n == 1)
		only = &readers->rows[0];
	if (only && n_cards <= 1)
		memcpy(name, only->entry.name, KF_NAME_MAX);
	else if (readers->n == 0)
		r = error_why(&client->failure.error, -ENOENT, "the broker",
			      "plug in a reader; keyferry reader list shows it",
			      "there is no reader");
	else
		r = error_why(&client->failure.error, -ENOENT, "one card at a time",
			      "name the reader (--reader); keyferry reader list shows them",
			      "%zu of %zu readers have a card", n_cards, readers->n);
	readers = kf_readers_free(readers);
	return error_what(&client->failure.error, r, "cannot choose a reader");
}

KF_EXPORT int kf_context_open(struct kf_client *client, const char *reader, uint32_t flags,
			      struct kf_context **out)
{
	_cleanup_(freep) struct kf_context *context = NULL;
	int r;

	if (!client || !out)
		return -EINVAL;
	client->failure = (struct failure){ .error = KF_ERROR_INIT };
	context = calloc(1, sizeof(*context));
	if (!context)
		return error_what(&client->failure.error, explain_link(&client->failure, -ENOMEM),
				  "cannot open a card");
	if (reader)
		packet_set_string(context->reader, reader);
	r = reader ? 0 : only_reader(client, context->reader);
	if (r < 0)
		return r;
	r = open_by_name(client, reader ? reader : context->reader, flags, client->deadline_ms,
			 &context->handle);
	if (r < 0)
		return r;
	context->epoch = client->epoch;
	context_join(context, client);
	*out = take_ptr(context);
	return 0;
}

/* Silent: there is nothing a caller could do about a failure, and the last error stays. */
static void close_handle(struct kf_context *context)
{
	struct failure kept = context->client->failure;
	_cleanup_(call_end) struct call call = CALL_INIT;

	(void)call_begin_card(&call, context, KF_CONTEXT_CLOSE);
	(void)call_run(&call, "cannot close the card");
	context->client->failure = kept;
}

int context_reopen(struct kf_context *context, uint32_t deadline_ms)
{
	uint64_t handle = 0;
	int r;

	if (!context->client)
		return -ENOTCONN;
	if (context->epoch == context->client->epoch)
		close_handle(context);
	r = open_by_name(context->client, context->reader, KF_OPEN_WAIT, deadline_ms, &handle);
	if (r < 0)
		return r;
	context->handle = handle;
	context->epoch = context->client->epoch;
	return 0;
}

KF_EXPORT struct kf_context *kf_context_close(struct kf_context *context)
{
	if (!context)
		return NULL;
	if (context->client) {
		if (context->client->connected && context->epoch == context->client->epoch)
			close_handle(context);
		context_orphan(context);
	}
	free(context);
	return NULL;
}

KF_EXPORT struct kf_client *kf_context_client(const struct kf_context *context)
{
	return context ? context->client : NULL;
}

KF_EXPORT int kf_transaction_begin(struct kf_context *context, const char *name, uint32_t hold_ms)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_txn_begin *begin = call_begin_card(&call, context, KF_TXN_BEGIN);

	if (!context || !name)
		return -EINVAL;
	begin->hold_ms = hold_ms > KF_TXN_MAX_MS ? KF_TXN_MAX_MS : hold_ms;
	packet_set_string(begin->name, name);
	return call_run(&call, "cannot get the card for this program alone");
}

KF_EXPORT int kf_transaction_end(struct kf_context *context, uint32_t flags)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_txn_end *end = call_begin_card(&call, context, KF_TXN_END);

	if (!context)
		return -EINVAL;
	end->flags = flags;
	return call_run(&call, "cannot end the transaction");
}

KF_EXPORT int kf_context_features(struct kf_context *context, uint32_t *out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_reader_info *ask = call_begin(&call, context ? context->client : NULL,
						KF_READER_INFO);
	int r;

	if (!context || !out)
		return -EINVAL;
	packet_set_string(ask->entry.name, context->reader);
	r = call_run(&call, "cannot ask what reader \"%s\" can", context->reader);
	if (r == 0)
		*out = ((const struct kf_reader_info *)call_reply(&call))->features;
	return r;
}
