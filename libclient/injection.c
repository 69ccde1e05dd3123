/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libclient/injection.c - A cargo's way into the card [SECURITY section 4].
 *
 *	          receipt there                     answered
 *	ABSENT -----------------> STORED    ABSENT -----------> INSTALLED
 *	   | sent, way broke                          asked again: receipt there
 *	   '-----------------> UNKNOWN -----------------------> INSTALLED
 *	                          '---- asked again: none ----> ABSENT
 *
 * The card installs an item and stores its receipt in one commit, so the receipt alone decides.
 * UNKNOWN stays only when the card cannot be asked within the deadline.
 */
#include "libclient/blob.h"
#include "libclient/explain.h"
#include "libclient/serial.h"

#include <poll.h>

#define SETTLE_PAUSE_MS 200

struct item {
	enum kf_function function;
	uint8_t iv[KF_IV_SIZE];
	uint32_t chaining;
	uint8_t *der;
	size_t len;
	enum kf_injection_outcome outcome;
	struct kf_blob *receipt;
};

/**
 * struct kf_injection - see keyferry.h
 * @n:		items added; item number i is items[i - 1]
 * @done:	called behind each item that is in the card, or NULL
 */
struct kf_injection {
	char serial[SERIAL_TEXT_SIZE];
	uint8_t sid[KF_SID_SIZE];
	enum kf_method method;
	uint8_t *wrapped;
	size_t wrapped_len;
	size_t n;
	int (*done)(void *arg, uint32_t number);
	void *done_arg;
	struct item items[KF_ITEMS_MAX];
};

static uint8_t *copy_of(const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n);

	if (copy)
		memcpy(copy, p, n);
	return copy;
}

KF_EXPORT int kf_injection_new(const char *serial, const uint8_t sid[KF_SID_SIZE],
			       enum kf_method method, const uint8_t *wrapped, size_t len,
			       struct kf_injection **out)
{
	struct kf_injection *injection;

	if (!serial || !sid || !wrapped || len == 0 || !out ||
	    strlen(serial) >= sizeof(injection->serial))
		return -EINVAL;
	injection = calloc(1, sizeof(*injection));
	if (!injection)
		return -ENOMEM;
	injection->wrapped = copy_of(wrapped, len);
	if (!injection->wrapped) {
		free(injection);
		return -ENOMEM;
	}
	memcpy(injection->serial, serial, strlen(serial));
	memcpy(injection->sid, sid, KF_SID_SIZE);
	injection->method = method;
	injection->wrapped_len = len;
	*out = injection;
	return 0;
}

KF_EXPORT int kf_injection_add(struct kf_injection *injection, enum kf_function function,
			       const uint8_t iv[KF_IV_SIZE], uint32_t chaining,
			       const uint8_t *item, size_t len)
{
	struct item *at;

	if (!injection || !iv || !item || len == 0 || len > KF_ITEM_MAX)
		return -EINVAL;
	if (injection->n == KF_ITEMS_MAX)
		return -ENOSPC;
	at = &injection->items[injection->n];
	at->der = copy_of(item, len);
	if (!at->der)
		return -ENOMEM;
	at->len = len;
	at->function = function;
	at->chaining = chaining;
	memcpy(at->iv, iv, KF_IV_SIZE);
	injection->n++;
	return 0;
}

KF_EXPORT struct kf_injection *kf_injection_free(struct kf_injection *injection)
{
	if (!injection)
		return NULL;
	for (size_t i = 0; i < injection->n; i++) {
		free(injection->items[i].der);
		injection->items[i].receipt = kf_blob_free(injection->items[i].receipt);
	}
	free(injection->wrapped);
	free(injection);
	return NULL;
}

KF_EXPORT int kf_injection_restore(struct kf_injection *injection, uint32_t number,
				   const uint8_t *receipt, size_t len)
{
	struct item *item;
	struct kf_blob *kept;

	if (!injection || number < 1 || number > injection->n || !receipt || len == 0)
		return -EINVAL;
	item = &injection->items[number - 1];
	kept = blob_copy(BYTES(receipt, len));
	if (!kept)
		return -ENOMEM;
	(void)kf_blob_free(item->receipt);
	item->receipt = kept;
	item->outcome = KF_INJECTION_STORED;
	return 0;
}

/* A cargo given to the wrong card would cost a try of an offer there, or tell that there is one. */
static int check_card(const struct kf_injection *injection, struct kf_context *context)
{
	struct kf_card *card = NULL;
	int r;

	r = kf_card_read(context, &card);
	if (r < 0)
		return r;
	if (strcmp(kf_card_serial(card), injection->serial) != 0) {
		r = error_why(&context->client->failure.error, -EINVAL, "docs/formats.md 8.3",
			      "insert that card, or have a cargo sealed for this one",
			      "this card is %s, the cargo is for %s", kf_card_serial(card),
			      injection->serial);
		(void)error_what(&context->client->failure.error, r, "cannot inject the cargo");
	}
	card = kf_card_free(card);
	return r;
}

/* Return: 0 the receipt is in @item, -ENOENT there is none, other -errno. */
static int take_receipt(const struct kf_injection *injection, struct kf_context *context,
			size_t i, struct item *item)
{
	return kf_receipt_read(context, injection->sid, (uint32_t)(i + 1), &item->receipt);
}

KF_EXPORT int kf_injection_find(struct kf_injection *injection, struct kf_context *context)
{
	int r;

	if (!injection || !context || !context->client)
		return -EINVAL;
	r = check_card(injection, context);
	for (size_t i = 0; r == 0 && i < injection->n; i++) {
		struct item *item = &injection->items[i];

		if (item->receipt)
			continue;
		item->outcome = KF_INJECTION_ABSENT;
		r = take_receipt(injection, context, i, item);
		if (r == 0)
			item->outcome = KF_INJECTION_STORED;
		else if (r == -ENOENT)
			r = 0;
	}
	if (r == 0)
		context->client->failure = (struct failure){ .error = KF_ERROR_INIT };
	return r;
}

static bool all_there(const struct kf_injection *injection)
{
	for (size_t i = 0; i < injection->n; i++)
		if (!injection->items[i].receipt)
			return false;
	return injection->n > 0;
}

/* Asks once. Return: 0, -ENOENT as take_receipt(); -EINVAL: another card; else try again. */
static int ask_again(const struct kf_injection *injection, struct kf_context *context, size_t i,
		     struct item *item, uint32_t left_ms)
{
	struct kf_client *client = context->client;
	int r;

	if (!client->connected) {
		r = client_reconnect(client);
		if (r < 0)
			return client->path ? -EAGAIN : -ENOTCONN;
	}
	r = context_reopen(context, left_ms);
	if (r < 0)
		return r == -ECANCELED ? r : -EAGAIN;
	r = check_card(injection, context);
	if (r < 0)
		return r == -EINVAL || r == -ECANCELED ? r : -EAGAIN;
	r = take_receipt(injection, context, i, item);
	return r == 0 || r == -ENOENT || r == -ECANCELED ? r : -EAGAIN;
}

static enum kf_injection_outcome settle(const struct kf_injection *injection,
					struct kf_context *context, size_t i, struct item *item)
{
	struct failure kept = context->client->failure;
	int64_t until = client_now_ms() + client_deadline_ms(context->client);
	int64_t left;
	int r;

	for (;;) {
		left = until - client_now_ms();
		r = left > 0 ? ask_again(injection, context, i, item, (uint32_t)left) : -ETIMEDOUT;
		if (r != -EAGAIN)
			break;
		(void)poll(NULL, 0, SETTLE_PAUSE_MS);
	}
	context->client->failure = kept;
	return r == 0 ? KF_INJECTION_INSTALLED :
	       r == -ENOENT ? KF_INJECTION_ABSENT : KF_INJECTION_UNKNOWN;
}

static int send_item(struct kf_context *context, kf_key_handle key, struct item *item)
{
	uint8_t mode[4];
	struct packer p = pack_begin(mode, sizeof(mode));
	int r;

	pack_le32(&p, item->chaining);
	r = kf_key_set_property(context, key, KF_PROP_CHAINING_MODE, mode, sizeof(mode));
	if (r == 0)
		r = kf_key_set_property(context, key, KF_PROP_IV, item->iv, sizeof(item->iv));
	return r;
}

/* Return: 0 installed; -errno, with the outcome settled as far as it can be. */
static int install(const struct kf_injection *injection, struct kf_context *context,
		   kf_key_handle key, size_t i, struct item *item)
{
	int r;

	r = send_item(context, key, item);
	if (r < 0)
		return r;
	r = kf_process(context, key, item->function, item->der, item->len, &item->receipt);
	if (r == 0) {
		item->outcome = KF_INJECTION_INSTALLED;
		return 0;
	}
	if (!call_in_doubt(context->client, r))
		return r;
	item->outcome = settle(injection, context, i, item);
	if (item->outcome == KF_INJECTION_UNKNOWN)
		error_text_set(context->client->failure.error.next,
			       "run the same inject again: it asks the card first and installs "
			       "nothing twice");
	return r;
}

static int first_of(int r, int next)
{
	return r < 0 ? r : next;
}

/* The PIN where one is given, S1, then every item that is missing, in order. */
static int install_missing(struct kf_injection *injection, struct kf_context *context,
			   const char *pin, size_t len, uint32_t flags, kf_key_handle *key)
{
	int r;

	r = pin ? kf_pin_verify(context, KF_PIN_USER, pin, len, flags) : 0;
	if (r == 0)
		r = kf_session_import(context, injection->sid, injection->method,
				      injection->wrapped, injection->wrapped_len, key);
	for (size_t i = 0; r == 0 && i < injection->n; i++) {
		if (!injection->items[i].receipt)
			r = install(injection, context, *key, i, &injection->items[i]);
		if (injection->items[i].receipt && injection->done)
			r = first_of(r, injection->done(injection->done_arg, (uint32_t)i + 1));
	}
	return r;
}

/* Gives back key and transaction; what the caller reads as the last error stays. */
static void clean_up(struct kf_context *context, kf_key_handle key)
{
	struct failure kept = context->client->failure;

	if (key != 0)
		(void)kf_key_destroy(context, key);
	(void)kf_transaction_end(context, 0);
	context->client->failure = kept;
}

KF_EXPORT int kf_injection_run(struct kf_injection *injection, struct kf_context *context,
			       const char *pin, size_t len, uint32_t flags)
{
	kf_key_handle key = 0;
	int r;

	r = kf_injection_find(injection, context);
	if (r < 0 || all_there(injection))
		return r;
	r = kf_transaction_begin(context, "inject", KF_TXN_MAX_MS);
	if (r < 0)
		return r;
	r = install_missing(injection, context, pin, len, flags, &key);
	clean_up(context, key);
	if (r < 0 && all_there(injection)) {	/* the answer was lost, the receipt was not */
		context->client->failure = (struct failure){ .error = KF_ERROR_INIT };
		return 0;
	}
	return r;
}

KF_EXPORT void kf_injection_on_item(struct kf_injection *injection,
				    int (*done)(void *arg, uint32_t number), void *arg)
{
	if (!injection)
		return;
	injection->done = done;
	injection->done_arg = arg;
}

KF_EXPORT size_t kf_injection_count(const struct kf_injection *injection)
{
	return injection ? injection->n : 0;
}

static const struct item *item_at(const struct kf_injection *injection, uint32_t number)
{
	static const struct item none = { 0 };

	return number >= 1 && number <= injection->n ? &injection->items[number - 1] : &none;
}

KF_EXPORT enum kf_injection_outcome kf_injection_outcome(const struct kf_injection *injection,
							 uint32_t number)
{
	return item_at(injection, number)->outcome;
}

KF_EXPORT const uint8_t *kf_injection_receipt(const struct kf_injection *injection,
					      uint32_t number, size_t *len)
{
	const struct kf_blob *receipt = item_at(injection, number)->receipt;

	*len = kf_blob_size(receipt);
	return kf_blob_data(receipt);
}
