// SPDX-License-Identifier: LGPL-2.1-or-later
/* libserver/schsm/ticket.c - JSON, strict both ways. */
#include "libserver/schsm/ticket.h"
#include "base/error.h"
#include "format/keys.h"
#include "format/schsm/dkek_blob.h"
#include "libserver/json/names.h"
#include "libserver/tickets.h"

#define TICKET_FORMAT "keyferry-dkek-ticket"

static void take_proof(struct json_in *in, struct fleet_ticket *ticket)
{
	ticket->operation = fleet_take_operation(in);
	if (proof_is_signature(ticket->operation))
		json_in_copy(in, "challenge", ticket->challenge, sizeof(ticket->challenge));
	else if (ticket->operation != PROOF_NONE)
		json_in_digest(in, "answer_sha256", ticket->expected);
}

int fleet_ticket_parse(struct bytes text, struct fleet_ticket *out, struct kf_error *e)
{
	_cleanup_(fleet_ticket_deinit) struct fleet_ticket ticket = FLEET_TICKET_INIT;
	struct json_in in = json_in_begin(text, TICKET_FORMAT, "ticket", e);
	int r;

	fleet_take_serial(&in, ticket.serial);
	json_in_copy(&in, "sid", ticket.sid, sizeof(ticket.sid));
	ticket.container = fleet_take_container(&in);
	ticket.key_type = fleet_take_key_type(&in);
	ticket.purpose = fleet_take_purpose(&in, ticket.key_type);
	json_in_copy(&in, "check_value", ticket.kcv, sizeof(ticket.kcv));
	json_in_blob(&in, "blob", DKEK_BLOB_MAX, &ticket.blob);
	if (json_in_has(&in, "public_key"))
		json_in_blob(&in, "public_key", SPKI_MAX, &ticket.spki);
	ticket.grade = json_in_grade(&in, "grade");
	take_proof(&in, &ticket);
	ticket.sealed = json_in_time(&in, "sealed");
	r = json_in_end(&in);
	if (r < 0)
		return error_what(e, r, "cannot read the ticket");
	*out = ticket;
	ticket = FLEET_TICKET_INIT;
	return 0;
}

int fleet_ticket_write(const struct fleet_ticket *ticket, char **text, size_t *len,
		       struct kf_error *e)
{
	json_t *object = json_out_begin(TICKET_FORMAT);

	fleet_put_serial(&object, ticket->serial);
	json_out(&object, "sid", json_out_bytes(BYTES_OF(ticket->sid)));
	json_out(&object, "container", json_integer(ticket->container));
	json_out(&object, "key_type", json_string(key_type_name(ticket->key_type)));
	json_out(&object, "purpose", json_string(purpose_name(ticket->purpose)));
	json_out(&object, "check_value", json_out_bytes(BYTES_OF(ticket->kcv)));
	json_out(&object, "blob", json_out_bytes(blob_bytes(&ticket->blob)));
	if (ticket->spki.n != 0)
		json_out(&object, "public_key", json_out_bytes(blob_bytes(&ticket->spki)));
	json_out(&object, "grade", json_string(grade_name(ticket->grade)));
	json_out(&object, "operation", json_string(proof_operation_name(ticket->operation)));
	if (proof_is_signature(ticket->operation))
		json_out(&object, "challenge", json_out_bytes(BYTES_OF(ticket->challenge)));
	else if (ticket->operation != PROOF_NONE)
		json_out(&object, "answer_sha256", json_out_digest(ticket->expected));
	json_out(&object, "sealed", json_out_time(ticket->sealed));
	return json_out_end(object, text, len, e);
}

int fleet_ticket_keep(const struct kf_state *state, const struct fleet_ticket *ticket,
		      struct kf_error *e)
{
	_cleanup_(freep) char *text = NULL;
	size_t len = 0;
	int r = fleet_ticket_write(ticket, &text, &len, e);

	return r < 0 ? r : tickets_keep(&state->tickets, ticket->sid, BYTES(text, len), e);
}

void fleet_ticket_deinit(struct fleet_ticket *ticket)
{
	wipe(ticket->challenge, sizeof(ticket->challenge));
	blob_deinit(&ticket->blob);
	blob_deinit(&ticket->spki);
}
