// SPDX-License-Identifier: LGPL-2.1-or-later
/* libserver/json/cargo.c - Member by member, in the order of docs/formats.md 8.3. */
#include "libserver/json/cargo.h"
#include "base/error.h"
#include "format/item.h"
#include "format/numbers.h"
#include "libserver/json/names.h"

enum { INPUT_MAX = 512 };		/* S1 under RSA-4096; of other methods it is shorter */

static void take_session_key(struct json_in *in, struct cargo_file *file)
{
	struct json_in key = json_in_object(in, "session_key");

	json_in_expect(&key, "algorithm", "AES-256");
	if (file->method == KF_METHOD_RSA) {
		json_in_expect(&key, "padding", "oaep-sha256");
		json_in_blob(&key, "wrapped", INPUT_MAX, &file->input);
	} else {
		json_in_blob(&key, "input", INPUT_MAX, &file->input);
	}
	json_in_leave(in, &key);
}

static void take_item(struct json_in *in, uint32_t number, struct cargo_item *item)
{
	item->number = (uint32_t)json_in_number(in, "number", KF_ITEMS_MAX);
	if (item->number != number)
		json_in_fail(in, "number", "is not the next one");
	item->function = json_in_function(in, "function");
	if (function_is_about_pins(item->function)) {
		item->pin = json_in_pin(in, "pin");
	} else {
		item->key_type = json_in_key_type(in, "key_type");
		item->purpose = json_in_purpose(in, "purpose");
	}
	item->container = json_in_target(in, "container");
	json_in_copy(in, "iv", item->iv, sizeof(item->iv));
	json_in_expect(in, "chaining_mode", "ChainingModeCBC");
	json_in_blob(in, "item", KF_ITEM_MAX, &item->item);
}

static void take_items(struct json_in *in, struct cargo_file *file)
{
	json_t *array = json_in_array(in, "items", 1, KF_ITEMS_MAX);
	size_t n = json_array_size(array);

	if (in->r < 0)
		return;
	file->items = calloc(n, sizeof(*file->items));
	if (!file->items) {
		in->r = -ENOMEM;
		return;
	}
	file->n_items = n;
	for (size_t i = 0; i < n && in->r == 0; i++) {
		struct json_in item = json_in_enter(in, array, i);

		take_item(&item, (uint32_t)i + 1, &file->items[i]);
		json_in_leave(in, &item);
	}
}

int cargo_file_parse(struct bytes text, struct cargo_file *out, struct kf_error *e)
{
	_cleanup_(cargo_file_deinit) struct cargo_file file = CARGO_FILE_INIT;
	struct json_in in = json_in_begin(text, "keyferry-cargo", "cargo", e);
	int r;

	json_in_serial(&in, "serial", file.serial);
	json_in_copy(&in, "sid", file.sid, sizeof(file.sid));
	file.container = json_in_target(&in, "container");
	file.method = json_in_method(&in, "method");
	json_in_digest_or_null(&in, "sender", file.sender, &file.signed_by);
	file.grade = json_in_grade(&in, "grade");
	take_session_key(&in, &file);
	take_items(&in, &file);
	r = json_in_end(&in);
	if (r < 0)
		return error_what(e, r, "cannot read the cargo");
	*out = file;
	file = CARGO_FILE_INIT;
	return 0;
}

/* --- copies --- */

static bool senders_agree(const struct cargo_file *file, const struct spki_hash *sender)
{
	return sender->present == file->signed_by &&
	       (!sender->present ||
		bytes_equal(BYTES_OF(sender->digest), BYTES_OF(file->sender)));
}

/* The first member that the item contradicts; NULL: none. */
static const char *contradicted(const struct cargo_file *file, const struct cargo_item *item,
				const struct item_body *sealed)
{
	if (strcmp(file->serial, sealed->serial) != 0)
		return "serial";
	if (!bytes_equal(BYTES_OF(file->sid), BYTES_OF(sealed->sid)))
		return "sid";
	if ((file->container != KF_CONTAINER_BATCH && file->container != sealed->container) ||
	    item->container != sealed->container)
		return "container";
	if (file->method != sealed->method)
		return "method";
	if (!senders_agree(file, &sealed->sender))
		return "sender";
	if (item->number != sealed->number)
		return "number";
	if (item->function != sealed->function)
		return "function";
	if (item->key_type != sealed->key_type)
		return "key_type";
	if (item->purpose != sealed->purpose)
		return "purpose";
	if (item->pin != (function_is_about_pins(sealed->function) ? sealed->pin : 0))
		return "pin";
	if (!bytes_equal(BYTES_OF(item->iv), BYTES_OF(sealed->iv)))
		return "iv";
	return NULL;
}

int cargo_file_check(const struct cargo_file *file, struct kf_error *e)
{
	static const char next[] = "get the cargo again from the server";

	for (size_t i = 0; i < file->n_items; i++) {
		const struct cargo_item *item = &file->items[i];
		const char *name;
		struct item sealed;

		if (item_parse(blob_bytes(&item->item), &sealed) < 0)
			return error_why(e, -EBADMSG, "docs/formats.md 5", next,
					 "item %u is not in form", item->number);
		name = contradicted(file, item, &sealed.body);
		if (name)
			return error_why(e, -EBADMSG,
					 "JSON copies equal the sealed bytes (docs/formats.md 8)",
					 next, "its \"%s\" is not what item %u says", name,
					 item->number);
	}
	return 0;
}

/* --- writing --- */

static json_t *item_out(const struct cargo_item *item)
{
	json_t *object = json_object();

	json_out(&object, "number", json_integer(item->number));
	json_out(&object, "function", json_string(function_name(item->function)));
	if (function_is_about_pins(item->function)) {
		json_out(&object, "pin", json_integer(item->pin));
	} else {
		json_out(&object, "key_type", json_string(key_type_name(item->key_type)));
		json_out(&object, "purpose", json_string(purpose_name(item->purpose)));
	}
	json_out(&object, "container", json_integer(item->container));
	json_out(&object, "iv", json_out_bytes(BYTES_OF(item->iv)));
	json_out(&object, "chaining_mode", json_string("ChainingModeCBC"));
	json_out(&object, "item", json_out_bytes(blob_bytes(&item->item)));
	return object;
}

static json_t *items_out(const struct cargo_file *file)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < file->n_items; i++) {
		if (json_array_append_new(array, item_out(&file->items[i])) < 0) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}

static json_t *session_key_out(const struct cargo_file *file)
{
	json_t *object = json_object();

	json_out(&object, "algorithm", json_string("AES-256"));
	if (file->method == KF_METHOD_RSA)
		json_out(&object, "padding", json_string("oaep-sha256"));
	json_out(&object, file->method == KF_METHOD_RSA ? "wrapped" : "input",
		 json_out_bytes(blob_bytes(&file->input)));
	return object;
}

int cargo_file_write(const struct cargo_file *file, char **text, size_t *len, struct kf_error *e)
{
	json_t *object = json_out_begin("keyferry-cargo");

	json_out(&object, "serial", json_string(file->serial));
	json_out(&object, "sid", json_out_bytes(BYTES_OF(file->sid)));
	json_out(&object, "container", json_integer(file->container));
	json_out(&object, "method", json_string(method_name(file->method)));
	json_out(&object, "sender", file->signed_by ? json_out_digest(file->sender) : json_null());
	json_out(&object, "grade", json_string(grade_name(file->grade)));
	json_out(&object, "session_key", session_key_out(file));
	json_out(&object, "items", items_out(file));
	return json_out_end(object, text, len, e);
}

void cargo_file_deinit(struct cargo_file *file)
{
	blob_deinit(&file->input);
	for (size_t i = 0; i < file->n_items; i++)
		blob_deinit(&file->items[i].item);
	free(file->items);
	file->items = NULL;
	file->n_items = 0;
}
