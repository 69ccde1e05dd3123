// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/schsm/receipt.c - Serial and container are the client's word, and are passed on as that:
 * nothing a SmartCard-HSM does binds an answer to them.
 */
#include "libserver/schsm/receipt.h"
#include "base/error.h"
#include "libserver/schsm/proof.h"
#include "libserver/state.h"
#include "libserver/tickets.h"

/* Said by nobody who could be held to it, but an honest client that took the wrong card is heard. */
static int check_claims(const struct fleet_ticket *ticket, const struct fleet_receipt *receipt,
			struct kf_error *e)
{
	if (!bytes_equal(BYTES_OF(ticket->sid), BYTES_OF(receipt->sid)))
		return error_why(e, -EACCES, "receipt against ticket", "give the receipt of this cargo",
				 "it is the receipt of another cargo (session id)");
	if (ticket->serial[0] && strcmp(ticket->serial, receipt->serial) != 0)
		return error_why(e, -EACCES, "receipt against ticket", "give the receipt of this card",
				 "it says card %s, the key was wrapped for %s",
				 receipt->serial[0] ? receipt->serial : "unknown", ticket->serial);
	if (ticket->container != receipt->container)
		return error_why(e, -EACCES, "receipt against ticket", "look into the card",
				 "it says container %u, the key was wrapped for %u",
				 receipt->container, ticket->container);
	return 0;
}

static int verify(const struct kf_state *state, const struct fleet_receipt *receipt,
		  struct kf_fleet_proof *proof, struct kf_error *e)
{
	_cleanup_(blob_deinit) struct blob text = BLOB_INIT;
	int r = tickets_load(&state->tickets, receipt->sid, &text, e);

	if (r == 0)
		r = fleet_ticket_parse(blob_bytes(&text), &proof->ticket, e);
	if (r == 0)
		r = check_claims(&proof->ticket, receipt, e);
	if (r == 0)
		r = fleet_answer_check(&proof->ticket, blob_bytes(&receipt->answer), e);
	memcpy(proof->serial, receipt->serial, sizeof(proof->serial));
	proof->container = receipt->container;
	return r;
}

int kf_state_fleet_receipt(struct kf_state *state, const void *json, size_t len,
			   struct kf_fleet_proof **out, struct kf_error *e)
{
	_cleanup_(kf_fleet_proof_freep) struct kf_fleet_proof *proof = calloc(1, sizeof(*proof));
	_cleanup_(fleet_receipt_deinit) struct fleet_receipt receipt = FLEET_RECEIPT_INIT;
	int r = proof ? fleet_receipt_parse(BYTES(json, len), &receipt, e) : -ENOMEM;

	if (r == 0)
		r = verify(state, &receipt, proof, e);
	if (r == 0)
		*out = take_ptr(proof);
	return error_what(e, r, "the receipt is refused");
}

struct kf_fleet_proof *kf_fleet_proof_free(struct kf_fleet_proof *proof)
{
	if (proof)
		fleet_ticket_deinit(&proof->ticket);
	free(proof);
	return NULL;
}

const char *kf_fleet_proof_serial(const struct kf_fleet_proof *proof)
{
	return proof->serial[0] ? proof->serial : NULL;
}

uint32_t kf_fleet_proof_value(const struct kf_fleet_proof *proof, enum kf_fleet_proof_fact fact)
{
	switch (fact) {
	case KF_FLEET_PROOF_TYPE:	return proof->ticket.key_type;
	case KF_FLEET_PROOF_PURPOSE:	return proof->ticket.purpose;
	case KF_FLEET_PROOF_CONTAINER:	return proof->container;
	case KF_FLEET_PROOF_GRADE:	return proof->ticket.grade;
	}
	return 0;
}

const uint8_t *kf_fleet_proof_public(const struct kf_fleet_proof *proof, size_t *len)
{
	*len = proof->ticket.spki.n;
	return *len != 0 ? proof->ticket.spki.p : NULL;
}
