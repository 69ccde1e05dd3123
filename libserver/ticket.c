// SPDX-License-Identifier: LGPL-2.1-or-later
/* libserver/ticket.c - JSON, strict both ways, like the four files. */
#include "libserver/ticket.h"
#include "base/error.h"
#include "libserver/json/names.h"

enum { PIN_MAX = 255 };

static void take_key(struct json_in *in, struct ticket_item *item)
{
	item->key_type = json_in_key_type(in, "key_type");
	item->purpose = json_in_purpose(in, "purpose");
	item->policy.pin_needed = json_in_bool(in, "pin_needed");
	item->policy.not_after = json_in_number(in, "not_after", INT64_MAX);
	json_in_digest(in, "public_key_sha256", item->key);
	if (item->function == KF_FUNCTION_IMPORT_SECRET)
		json_in_copy(in, "key_proof", item->proof, sizeof(item->proof));
}

static void take_item(struct json_in *in, uint32_t number, struct ticket_item *item)
{
	if (json_in_number(in, "number", KF_ITEMS_MAX) != number)
		json_in_fail(in, "number", "is not the next one");
	json_in_digest(in, "item_sha256", item->sha256);
	item->function = json_in_function(in, "function");
	item->method = json_in_method(in, "method");
	item->container = json_in_target(in, "container");
	item->pin = (uint32_t)json_in_number(in, "pin", PIN_MAX);
	if (!function_is_about_pins(item->function))
		take_key(in, item);
	json_in_digest_or_null(in, "sender", item->sender.digest, &item->sender.present);
	item->grade = json_in_grade(in, "grade");
}

static void take_items(struct json_in *in, struct ticket *ticket)
{
	json_t *array = json_in_array(in, "items", 1, KF_ITEMS_MAX);

	if (in->r < 0)
		return;
	ticket->items = calloc(json_array_size(array), sizeof(*ticket->items));
	if (!ticket->items) {
		in->r = -ENOMEM;
		return;
	}
	ticket->n_items = json_array_size(array);
	for (size_t i = 0; i < ticket->n_items && in->r == 0; i++) {
		struct json_in item = json_in_enter(in, array, i);

		take_item(&item, (uint32_t)i + 1, &ticket->items[i]);
		json_in_leave(in, &item);
	}
}

/* Of a method that confirms; else absent. */
static void take_confirmation(struct json_in *in, struct ticket *ticket)
{
	ticket->confirms = json_in_has(in, "confirmation");
	if (ticket->confirms)
		json_in_copy(in, "confirmation", ticket->confirmation, sizeof(ticket->confirmation));
}

int ticket_parse(struct bytes text, struct ticket *out, struct kf_error *e)
{
	_cleanup_(ticket_deinit) struct ticket ticket = TICKET_INIT;
	struct json_in in = json_in_begin(text, "keyferry-ticket", "ticket", e);
	int r;

	json_in_serial(&in, "serial", ticket.serial);
	json_in_digest(&in, "device", ticket.device);
	json_in_blob(&in, "device_certificate", KF_CERT_MAX, &ticket.certificate);
	ticket.any_genuine = json_in_bool(&in, "any_genuine");
	json_in_copy(&in, "sid", ticket.sid, sizeof(ticket.sid));
	json_in_digest(&in, "statement_sha256", ticket.h);
	json_in_copy(&in, "nonce", ticket.nonce, sizeof(ticket.nonce));
	json_in_digest(&in, "exchange_sha256", ticket.exchange);
	take_confirmation(&in, &ticket);
	ticket.sealed = json_in_time(&in, "sealed");
	take_items(&in, &ticket);
	r = json_in_end(&in);
	if (r < 0)
		return error_what(e, r, "cannot read the ticket");
	*out = ticket;
	ticket = TICKET_INIT;
	return 0;
}

static void put_key(json_t **object, const struct ticket_item *item)
{
	json_out(object, "key_type", json_string(key_type_name(item->key_type)));
	json_out(object, "purpose", json_string(purpose_name(item->purpose)));
	json_out(object, "pin_needed", json_boolean(item->policy.pin_needed));
	json_out(object, "not_after", json_integer((json_int_t)item->policy.not_after));
	json_out(object, "public_key_sha256", json_out_digest(item->key));
	if (item->function == KF_FUNCTION_IMPORT_SECRET)
		json_out(object, "key_proof", json_out_bytes(BYTES_OF(item->proof)));
}

static json_t *item_out(const struct ticket_item *item, uint32_t number)
{
	json_t *object = json_object();

	json_out(&object, "number", json_integer(number));
	json_out(&object, "item_sha256", json_out_digest(item->sha256));
	json_out(&object, "function", json_string(function_name(item->function)));
	json_out(&object, "method", json_string(method_name(item->method)));
	json_out(&object, "container", json_integer(item->container));
	json_out(&object, "pin", json_integer(item->pin));
	if (!function_is_about_pins(item->function))
		put_key(&object, item);
	json_out(&object, "sender", item->sender.present ? json_out_digest(item->sender.digest)
							 : json_null());
	json_out(&object, "grade", json_string(grade_name(item->grade)));
	return object;
}

static json_t *items_out(const struct ticket *ticket)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < ticket->n_items; i++) {
		json_t *item = item_out(&ticket->items[i], (uint32_t)i + 1);

		if (json_array_append_new(array, item) < 0) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}

int ticket_write(const struct ticket *ticket, char **text, size_t *len, struct kf_error *e)
{
	json_t *object = json_out_begin("keyferry-ticket");

	json_out(&object, "serial", json_string(ticket->serial));
	json_out(&object, "device", json_out_digest(ticket->device));
	json_out(&object, "device_certificate",
		 json_out_bytes(blob_bytes(&ticket->certificate)));
	json_out(&object, "any_genuine", json_boolean(ticket->any_genuine));
	json_out(&object, "sid", json_out_bytes(BYTES_OF(ticket->sid)));
	json_out(&object, "statement_sha256", json_out_digest(ticket->h));
	json_out(&object, "nonce", json_out_bytes(BYTES_OF(ticket->nonce)));
	json_out(&object, "exchange_sha256", json_out_digest(ticket->exchange));
	if (ticket->confirms)
		json_out(&object, "confirmation", json_out_bytes(BYTES_OF(ticket->confirmation)));
	json_out(&object, "sealed", json_out_time(ticket->sealed));
	json_out(&object, "items", items_out(ticket));
	return json_out_end(object, text, len, e);
}

void ticket_deinit(struct ticket *ticket)
{
	blob_deinit(&ticket->certificate);
	free(ticket->items);
	ticket->items = NULL;
	ticket->n_items = 0;
}
