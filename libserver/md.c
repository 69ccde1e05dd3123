// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/md.c - The life of a handle: made with S1 (establish.c), set up for each item (md_item.c), and
 * at the end turned into a cargo and a ticket.
 */
#include "libserver/md.h"
#include "base/error.h"
#include "libserver/establish.h"
#include "libserver/random.h"

#include <time.h>

enum { BLOCK = 16 };

static int describe(struct kf_md_key *key)
{
	const struct kf_verified_offer *offer = key->offer;
	const struct statement *s = &offer->statement;
	struct cargo_file *cargo = &key->cargo;
	struct ticket *ticket = &key->ticket;

	memcpy(cargo->serial, s->serial, sizeof(cargo->serial));
	memcpy(cargo->sid, s->sid, sizeof(cargo->sid));
	cargo->container = s->container;
	cargo->method = offer->method;
	cargo->signed_by = offer->sender.present;
	memcpy(cargo->sender, offer->sender.digest, sizeof(cargo->sender));
	cargo->grade = offer->grade;

	memcpy(ticket->serial, s->serial, sizeof(ticket->serial));
	memcpy(ticket->device, s->device, sizeof(ticket->device));
	ticket->any_genuine = offer->any_genuine;
	memcpy(ticket->sid, s->sid, sizeof(ticket->sid));
	memcpy(ticket->h, offer->h, sizeof(ticket->h));
	memcpy(ticket->nonce, s->nonce, sizeof(ticket->nonce));
	memcpy(ticket->exchange, s->exchange, sizeof(ticket->exchange));
	ticket->sealed = time(NULL);

	cargo->items = calloc(key->items, sizeof(*cargo->items));
	ticket->items = calloc(key->items, sizeof(*ticket->items));
	if (!cargo->items || !ticket->items)
		return -ENOMEM;
	return blob_set(&ticket->certificate, blob_bytes(&offer->certificate));
}

static int check_import(const struct kf_server *server, const struct kf_verified_offer *offer,
			const void *s1, size_t len, unsigned int items, struct kf_error *e)
{
	uint32_t most = offer->statement.limit_items < KF_ITEMS_MAX ? offer->statement.limit_items
								    : KF_ITEMS_MAX;

	if (s1 && establish_check_wraps(offer, e) < 0)
		return -EOPNOTSUPP;
	if (s1 ? len != KF_S1_SIZE : len != 0)
		return error_why(e, -EINVAL, "docs/card-application.md 6: S1 is 32 bytes",
				 "give 32 random bytes, or none", "a session key of %zu bytes", len);
	if (items < 1 || items > most)
		return error_why(e, -EINVAL, "the limits the card attested",
				 "seal in several voyages", "%u items, where 1 to %u are possible",
				 items, most);
	return offer_check_method(offer, server, e);
}

int kf_md_import_session_key(const struct kf_server *server,
			     const struct kf_verified_offer *offer, const void *s1, size_t len,
			     unsigned int items, struct kf_md_key **out, struct kf_error *e)
{
	_cleanup_(kf_md_destroy_keyp) struct kf_md_key *key = NULL;
	int r;

	r = check_import(server, offer, s1, len, items, e);
	if (r < 0)
		return error_what(e, r, "cannot import the session key");
	key = calloc(1, sizeof(*key));
	if (!key)
		return error_what(e, -ENOMEM, "cannot import the session key");
	key->server = server;
	key->offer = offer;
	key->items = items;
	key->holds = offer->statement.holds;
	r = establish(key, BYTES(s1, len), e);
	if (r == 0)
		r = describe(key);
	if (r < 0)
		return error_what(e, r, "cannot import the session key");
	*out = take_ptr(key);
	return 0;
}

struct kf_md_key *kf_md_destroy_key(struct kf_md_key *key)
{
	if (!key)
		return NULL;
	secret_deinit(&key->s1);
	cargo_file_deinit(&key->cargo);
	ticket_deinit(&key->ticket);
	free(key);
	return NULL;
}

int md_hand_out(const struct blob *b, uint8_t **p, size_t *n)
{
	struct blob copy = BLOB_INIT;
	int r = blob_set(&copy, blob_bytes(b));

	if (r < 0)
		return r;
	*p = copy.p;
	*n = copy.n;
	return 0;
}

int kf_md_wrap_session_key(const struct kf_md_key *key, uint8_t **wrapped, size_t *len,
			   struct kf_error *e)
{
	int r = establish_check_wraps(key->offer, e);

	if (r == 0)
		r = md_hand_out(&key->cargo.input, wrapped, len);
	return error_what(e, r, "cannot hand out the wrapped session key");
}

int kf_md_session_input(const struct kf_md_key *key, uint8_t **input, size_t *len,
			struct kf_error *e)
{
	int r = md_hand_out(&key->cargo.input, input, len);

	return error_what(e, r, "cannot hand out what establishes the session key");
}

/* --- properties --- */

int kf_md_set_chaining_mode(struct kf_md_key *key, uint32_t mode, struct kf_error *e)
{
	if (mode != KF_CHAIN_CBC) {
		(void)error_why(e, -EOPNOTSUPP, "docs/card-application.md 1.2: item suites",
				"set KF_CHAIN_CBC", "items are chained by CBC only");
		return error_what(e, -EOPNOTSUPP, "cannot set the chaining mode");
	}
	key->mode_is_set = true;
	return 0;
}

int kf_md_set_iv(struct kf_md_key *key, const void *iv, size_t len, struct kf_error *e)
{
	int r = 0;

	if (iv ? len != KF_IV_SIZE : len != 0) {
		(void)error_why(e, -EINVAL, "one cipher block", "give 16 bytes, or none",
				"an initialisation vector of %zu bytes", len);
		return error_what(e, -EINVAL, "cannot set the initialisation vector");
	}
	if (iv)
		memcpy(key->iv, iv, KF_IV_SIZE);
	else
		r = random_public(key->iv, KF_IV_SIZE, e);
	if (r < 0)
		return error_what(e, r, "cannot make an initialisation vector");
	key->iv_is_set = true;
	return 0;
}

size_t kf_md_block_length(const struct kf_md_key *key)
{
	(void)key;
	return BLOCK;
}

static int check_complete(const struct kf_md_key *key, struct kf_error *e)
{
	if (key->cargo.n_items == key->items)
		return 0;
	return error_why(e, -EPROTO, "items of one session key", "seal the other items first",
			 "%zu of %u items are made", key->cargo.n_items, key->items);
}

int kf_md_cargo(const struct kf_md_key *key, char **json, size_t *len, struct kf_error *e)
{
	int r = check_complete(key, e);

	if (r == 0)
		r = cargo_file_write(&key->cargo, json, len, e);
	return error_what(e, r, "cannot write the cargo");
}

int kf_md_ticket(const struct kf_md_key *key, char **json, size_t *len, struct kf_error *e)
{
	int r = check_complete(key, e);

	if (r == 0)
		r = ticket_write(&key->ticket, json, len, e);
	return error_what(e, r, "cannot write the ticket");
}
