// SPDX-License-Identifier: LGPL-2.1-or-later
/* libserver/json/receipt.c - Member by member, in the order of docs/formats.md 8.4. */
#include "libserver/json/receipt.h"
#include "base/error.h"

enum { SIGNED_RECEIPT_MAX = 4096 };	/* a bound; the DER parser behind this is narrower */

static void take_receipts(struct json_in *in, struct receipt_file *file)
{
	json_t *array = json_in_array(in, "receipts", 1, KF_ITEMS_MAX);
	uint32_t last = 0;

	if (in->r < 0)
		return;
	file->receipts = calloc(json_array_size(array), sizeof(*file->receipts));
	if (!file->receipts) {
		in->r = -ENOMEM;
		return;
	}
	file->n = json_array_size(array);
	for (size_t i = 0; i < file->n && in->r == 0; i++) {
		struct json_in one = json_in_enter(in, array, i);
		struct receipt_entry *entry = &file->receipts[i];

		entry->number = (uint32_t)json_in_number(&one, "number", KF_ITEMS_MAX);
		if (entry->number <= last)
			json_in_fail(&one, "number", "does not ascend from 1");
		last = entry->number;
		json_in_blob(&one, "receipt", SIGNED_RECEIPT_MAX, &entry->receipt);
		json_in_leave(in, &one);
	}
}

int receipt_file_parse(struct bytes text, struct receipt_file *out, struct kf_error *e)
{
	_cleanup_(receipt_file_deinit) struct receipt_file file = RECEIPT_FILE_INIT;
	struct json_in in = json_in_begin(text, "keyferry-receipt", "receipt", e);
	int r;

	json_in_serial(&in, "serial", file.serial);
	json_in_copy(&in, "sid", file.sid, sizeof(file.sid));
	take_receipts(&in, &file);
	r = json_in_end(&in);
	if (r < 0)
		return error_what(e, r, "cannot read the receipt");
	*out = file;
	file = RECEIPT_FILE_INIT;
	return 0;
}

static json_t *receipts_out(const struct receipt_file *file)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < file->n; i++) {
		json_t *one = json_object();

		json_out(&one, "number", json_integer(file->receipts[i].number));
		json_out(&one, "receipt", json_out_bytes(blob_bytes(&file->receipts[i].receipt)));
		if (json_array_append_new(array, one) < 0) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}

int receipt_file_write(const struct receipt_file *file, char **text, size_t *len,
		       struct kf_error *e)
{
	json_t *object = json_out_begin("keyferry-receipt");

	json_out(&object, "serial", json_string(file->serial));
	json_out(&object, "sid", json_out_bytes(BYTES_OF(file->sid)));
	json_out(&object, "receipts", receipts_out(file));
	return json_out_end(object, text, len, e);
}

void receipt_file_deinit(struct receipt_file *file)
{
	for (size_t i = 0; i < file->n; i++)
		blob_deinit(&file->receipts[i].receipt);
	free(file->receipts);
	file->receipts = NULL;
	file->n = 0;
}
