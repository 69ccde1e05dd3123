// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/voyage.c - What a state remembers between the files of a voyage: which card a challenge
 * was made for, and what was sealed that a receipt has to match. The seal between them is sealing.c.
 */
#include "base/error.h"
#include "libserver/nonces.h"
#include "libserver/offer.h"
#include "libserver/receipt.h"
#include "libserver/signer.h"
#include "libserver/tickets.h"

#include <time.h>

enum { TTL_MAX = 30 * 24 * 3600 };

/* --- challenge --- */

static int issue(struct kf_state *state, const struct kf_enrolled *card, int64_t ttl, char **json,
		 size_t *len, struct kf_error *e)
{
	uint8_t nonce[KF_NONCE_SIZE];
	struct nonce_record record = { .issued = time(NULL) };
	int r;

	if (ttl < 1 || ttl > TTL_MAX)
		return error_why(e, -EINVAL, "1 second to 30 days", "name a shorter time",
				 "a time to live of %lld seconds", (long long)ttl);
	record.expires = record.issued + ttl;
	memcpy(record.device, card->fingerprint, sizeof(record.device));
	r = kf_nonce_new(nonce, e);
	if (r == 0)
		r = nonces_issue(&state->fresh, &state->used, nonce, &record, e);
	if (r == 0)
		r = kf_challenge_write(card, nonce, record.issued, record.expires, json, len, e);
	return r;
}

int kf_state_challenge(struct kf_state *state, const char *card, int64_t ttl, char **json,
		       size_t *len, struct kf_error *e)
{
	_cleanup_(kf_enrolled_freep) struct kf_enrolled *enrolled = NULL;
	int r = kf_state_card(state, card, &enrolled, e);

	if (r == 0)
		r = issue(state, enrolled, ttl, json, len, e);
	return error_what(e, r, "cannot make a challenge for card %s", card);
}

/* --- offer --- */

static int verify_offer(struct kf_state *state, const char *name, bool any_genuine,
			struct bytes json, struct kf_verified_offer **out, struct kf_error *e)
{
	_cleanup_(kf_enrolled_freep) struct kf_enrolled *card = NULL;
	_cleanup_(freep) uint8_t *cert = NULL;
	struct nonce_record record;
	uint8_t nonce[KF_NONCE_SIZE];
	size_t cert_len = 0;
	int r;

	r = kf_offer_peek(json.p, json.n, nonce, &cert, &cert_len, e);
	if (r == 0)
		r = nonces_find(&state->fresh, &state->used, nonce, time(NULL), &record, e);
	if (r < 0)
		return r;
	if (any_genuine)
		r = signer_genuine(state, BYTES(cert, cert_len), state->server->allow_virtual, &card,
				 e);
	else
		r = signer_named(state, name, record.device, &card, e);
	return r < 0 ? r : kf_offer_verify(state->server, card, nonce, json.p, json.n, out, e);
}

int kf_state_offer(struct kf_state *state, const char *card, int any_genuine, const void *json,
		   size_t len, struct kf_verified_offer **out, struct kf_error *e)
{
	int r;

	if (card && any_genuine)
		r = error_why(e, -EINVAL, "one or the other", "leave one away",
			      "a card is named and any genuine card is accepted");
	else
		r = verify_offer(state, card, any_genuine != 0, BYTES(json, len), out, e);
	return error_what(e, r, "the offer is refused");
}

/* --- receipt --- */

/* The card that signed must still be one we trust, and the one that was named. */
static int check_signer(struct kf_state *state, const char *name, struct bytes text,
			struct kf_error *e)
{
	_cleanup_(ticket_deinit) struct ticket ticket = TICKET_INIT;
	_cleanup_(kf_enrolled_freep) struct kf_enrolled *card = NULL;
	char device[HEX_DIGEST_SIZE];
	int r = ticket_parse(text, &ticket, e);

	if (r < 0)
		return r;
	hex_print(BYTES_OF(ticket.device), device);
	if (name || !ticket.any_genuine)
		return signer_named(state, name, device, &card, e);
	/* Virtual or not was decided, and recorded in the grade, when it was sealed. */
	return signer_genuine(state, blob_bytes(&ticket.certificate), true, &card, e);
}

int kf_state_receipt(struct kf_state *state, const char *card, const void *json, size_t len,
		     struct kf_receipt_report **out, struct kf_error *e)
{
	_cleanup_(blob_deinit) struct blob ticket = BLOB_INIT;
	uint8_t sid[KF_SID_SIZE];
	int r;

	r = kf_receipt_peek(json, len, sid, e);
	if (r == 0)
		r = tickets_load(&state->tickets, sid, &ticket, e);
	if (r == 0)
		r = check_signer(state, card, blob_bytes(&ticket), e);
	if (r == 0)
		r = kf_receipt_verify(ticket.p, ticket.n, json, len, out, e);
	return error_what(e, r, "the receipt is refused");
}
