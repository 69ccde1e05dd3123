// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/sealing.c - The order of a seal: whatever may fail goes first, then the nonce is spent,
 * then archive and ticket are on disk, then there is a cargo.
 */
#include "base/error.h"
#include "libserver/archive.h"
#include "libserver/archive_file.h"
#include "libserver/md.h"
#include "libserver/nonces.h"
#include "libserver/state.h"
#include "libserver/tickets.h"

#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

/* One container twice can only be meant if the second replaces the first. */
static int check_batch(const struct kf_seal_request *request, struct kf_error *e)
{
	const struct kf_verified_offer *offer = request->offer;
	uint32_t seen = 0;

	if (offer->statement.container != KF_CONTAINER_BATCH)
		return error_why(e, -EACCES, "docs/card-application.md 5.1",
				 "make an offer for a batch: keyferry offer --batch",
				 "the offer is not for a batch");
	for (size_t i = 0; i < request->n_pairs; i++) {
		const struct kf_keypair *pair = request->pairs[i];
		int r = md_check_pair(offer, pair, &offer->statement.holds, e);

		if (r < 0)
			return r;
		if ((seen >> pair->container & 1) && !pair->replaces.present)
			return error_why(e, -EINVAL, "an occupied container is replaced only by name",
					 "name another container, or the key that is replaced",
					 "container %u comes twice", pair->container);
		seen |= UINT32_C(1) << pair->container;
	}
	return 0;
}

/* What is to be in a cargo. */
static size_t count_items(const struct kf_seal_request *request)
{
	return request->n_pairs ? request->n_pairs : request->n_shared ? request->n_shared : 1;
}

/* Before anything is made or spent: a table of archives is as long as the longest cargo. */
static int check_count(const struct kf_seal_request *request, struct kf_error *e)
{
	size_t n = count_items(request);

	if (n > KF_ITEMS_MAX || n > request->offer->statement.limit_items)
		return error_why(e, -EINVAL, "the limits that the card attested", "seal in several voyages",
				 "%zu items are more than a cargo holds", n);
	return 0;
}

static int check_request(const struct kf_state *state, const struct kf_seal_request *request,
			 struct kf_error *e)
{
	const struct kf_verified_offer *offer = request->offer;
	struct stat st;
	int r;

	if (request->size != sizeof(*request) || !offer ||
	    !request->pair + !request->pin_order + !request->n_pairs + !request->n_shared != 3 ||
	    (request->recipient && (request->pin_order || request->n_shared)) ||
	    !request->recipient != !request->archive_path)
		return error_why(e, -EINVAL, "struct kf_seal_request",
				 "set size, offer and a pair, a batch or an order about PINs; for keys "
				 "recipient and path together", "the request is incomplete");
	if (request->pair && request->archive_path && lstat(request->archive_path, &st) == 0)
		return error_why(e, -EEXIST, "archives are never overwritten",
				 "name another file", "%s exists", request->archive_path);
	r = check_count(request, e);
	if (r == 0)
		r = offer_check_method(offer, state->server, e);
	if (r < 0)
		return r;
	if (request->n_pairs)
		return check_batch(request, e);
	if (request->n_shared)
		return md_check_shared(offer, e);
	return request->pair ? md_check_pair(offer, request->pair, &offer->statement.holds, e)
			     : md_check_order(offer, e);
}

/**
 * struct sealing - what a seal has in hand between its steps
 * @archives:	@n_archives of them; none: none wanted
 */
struct sealing {
	struct archive_file archives[KF_ITEMS_MAX];
	size_t n_archives;
	struct kf_md_key *key;
};

static void sealing_deinit(struct sealing *sealing)
{
	for (size_t i = 0; i < sealing->n_archives; i++)
		archive_file_deinit(&sealing->archives[i]);
	sealing->key = kf_md_destroy_key(sealing->key);
}

static int prepare_archive(const struct kf_seal_request *request, const struct kf_keypair *pair,
			   const char *path, struct sealing *sealing, struct kf_error *e)
{
	struct archive_file *file = &sealing->archives[sealing->n_archives];
	int r;

	*file = ARCHIVE_FILE_INIT;
	r = kf_archive_seal(request->recipient, request->offer, pair, request->archive_signing_key,
			    &file->cms.p, &file->cms.n, e);
	if (r < 0)
		return r;
	sealing->n_archives++;
	return archive_file_create(file, path, e);
}

static int prepare_archives(const struct kf_seal_request *request, struct sealing *sealing,
			    struct kf_error *e)
{
	int r = 0;

	if (!request->recipient)
		return 0;
	if (!request->n_pairs)
		return prepare_archive(request, request->pair, request->archive_path, sealing, e);
	for (size_t i = 0; r == 0 && i < request->n_pairs; i++) {
		_cleanup_(freep) char *path = NULL;

		if (asprintf(&path, "%s/%zu.cms", request->archive_path, i + 1) < 0) {
			path = NULL;
			return -ENOMEM;
		}
		r = prepare_archive(request, request->pairs[i], path, sealing, e);
	}
	return r;
}

static int keep_archives(struct sealing *sealing, struct kf_error *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sealing->n_archives; i++)
		r = archive_file_keep(&sealing->archives[i], e);
	return r;
}

static int seal_item(const struct kf_seal_request *request, size_t i, struct sealing *sealing,
		     struct kf_error *e)
{
	const struct kf_keypair *pair = request->n_pairs ? request->pairs[i] : request->pair;
	const struct kf_shared_order *shared = request->n_shared ? &request->shared[i] : NULL;
	_cleanup_(freep) uint8_t *item = NULL;
	size_t len = 0;
	int r;

	r = kf_md_set_chaining_mode(sealing->key, KF_CHAIN_CBC, e);
	if (r == 0)
		r = kf_md_set_iv(sealing->key, NULL, 0, e);
	if (r < 0)
		return r;
	if (shared)
		return kf_md_encrypt_shared(sealing->key, shared->method, shared->replaces, &item, &len,
					    e);
	if (request->pin_order)
		return kf_md_encrypt_pin(sealing->key, request->pin_order, &item, &len, e);
	return kf_md_encrypt_data(sealing->key, key_type_function(pair->type), pair, &item, &len, e);
}

static int seal_items(const struct kf_seal_request *request, struct sealing *sealing,
		      struct kf_error *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count_items(request); i++)
		r = seal_item(request, i, sealing, e);
	return r;
}

static int keep_ticket(const struct kf_state *state, const struct sealing *sealing,
		       struct kf_error *e)
{
	_cleanup_(freep) char *text = NULL;
	size_t len = 0;
	int r = kf_md_ticket(sealing->key, &text, &len, e);

	return r < 0 ? r : tickets_keep(&state->tickets, sealing->key->ticket.sid,
					BYTES(text, len), e);
}

/* Behind the point of no return. */
static int spend_and_seal(struct kf_state *state, const struct kf_seal_request *request,
			  struct sealing *sealing, char **cargo, size_t *len, struct kf_error *e)
{
	int r = nonces_spend(&state->fresh, &state->used, request->offer->statement.nonce, e);

	if (r == 0)
		r = keep_archives(sealing, e);
	if (r == 0)
		r = kf_md_import_session_key(state->server, request->offer, NULL, 0,
					     (unsigned int)count_items(request),
					     &sealing->key, e);
	if (r == 0)
		r = seal_items(request, sealing, e);
	if (r == 0)
		r = keep_ticket(state, sealing, e);
	if (r == 0)
		r = kf_md_cargo(sealing->key, cargo, len, e);
	return r;
}

static const char *what_fails(const struct kf_seal_request *request)
{
	return request->pin_order ? "cannot seal the order about a PIN" :
	       request->n_shared ? "cannot seal the shared keys" : "cannot seal the key";
}

/* Whoever has no cargo and no nonce any more has to hear that trying again is of no use. */
static void say_it_is_spent(const struct kf_seal_request *request, int r, struct kf_error *e)
{
	struct kf_error said;

	(void)error_what(e, r, "%s", what_fails(request));
	if (!e)
		return;
	said = *e;
	error_text_set(e->next, "%s%sget a new offer: this one is spent", said.next,
		       said.next[0] ? "; then " : "");
}

static int seal(struct kf_state *state, const struct kf_seal_request *request,
		struct sealing *sealing, char **cargo, size_t *len, struct kf_error *e)
{
	struct nonce_record record;
	const uint8_t *nonce = request->offer->statement.nonce;
	int r;

	/* The offer may have been verified long ago, and not by this state. */
	r = nonces_find(&state->fresh, &state->used, nonce, time(NULL), &record, e);
	if (r == 0 && !request->offer->any_genuine &&
	    strcmp(record.device, request->offer->fingerprint) != 0)
		r = error_why(e, -EACCES,
			      "the right card, not just a genuine one (SECURITY section 3)",
			      "make a challenge for this card",
			      "the offer is of another card than its challenge was made for");
	if (r == 0 && request->n_shared)
		r = state_need_master(state, e);
	if (r == 0)
		r = prepare_archives(request, sealing, e);
	if (r == 0)
		r = spend_and_seal(state, request, sealing, cargo, len, e);
	if (r < 0 && nonces_are_spent(&state->used, nonce))
		say_it_is_spent(request, r, e);
	for (size_t i = 0; r < 0 && i < sealing->n_archives; i++)
		archive_file_drop(&sealing->archives[i]);
	return r;
}

int kf_state_seal(struct kf_state *state, const struct kf_seal_request *request, char **cargo,
		  size_t *len, struct kf_error *e)
{
	_cleanup_(sealing_deinit) struct sealing sealing = { .n_archives = 0 };
	int r = check_request(state, request, e);

	if (r == 0)
		r = seal(state, request, &sealing, cargo, len, e);
	return error_what(e, r, "%s", what_fails(request));
}
