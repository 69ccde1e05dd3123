// SPDX-License-Identifier: LGPL-2.1-or-later
/* libserver/json/offer.c - Member by member, in the order of docs/formats.md 8.2. */
#include "libserver/json/offer.h"
#include "base/error.h"
#include "format/numbers.h"
#include "libserver/json/names.h"

/* Far above what the DER parsers behind this accept; only a bound. */
enum { DER_MAX = 8192 };

int offer_file_parse(struct bytes text, struct offer_file *out, struct kf_error *e)
{
	_cleanup_(offer_file_deinit) struct offer_file file = OFFER_FILE_INIT;
	struct json_in in = json_in_begin(text, "keyferry-offer", "offer", e);
	int r;

	json_in_serial(&in, "serial", file.serial);
	file.container = json_in_target(&in, "container");
	json_in_copy(&in, "sid", file.sid, sizeof(file.sid));
	json_in_copy(&in, "nonce", file.nonce, sizeof(file.nonce));
	file.method = json_in_method(&in, "method");
	json_in_blob(&in, "exchange_key", DER_MAX, &file.exchange_key);
	json_in_blob(&in, "device_certificate", KF_CERT_MAX, &file.device_certificate);
	json_in_blob(&in, "statement", DER_MAX, &file.statement);
	json_in_blob(&in, "signature", DER_MAX, &file.signature);
	r = json_in_end(&in);
	if (r < 0)
		return error_what(e, r, "cannot read the offer");
	*out = file;
	file = OFFER_FILE_INIT;
	return 0;
}

int offer_file_write(const struct offer_file *file, char **text, size_t *len, struct kf_error *e)
{
	json_t *object = json_out_begin("keyferry-offer");

	json_out(&object, "serial", json_string(file->serial));
	json_out(&object, "container", json_integer(file->container));
	json_out(&object, "sid", json_out_bytes(BYTES_OF(file->sid)));
	json_out(&object, "nonce", json_out_bytes(BYTES_OF(file->nonce)));
	json_out(&object, "method", json_string(method_name(file->method)));
	json_out(&object, "exchange_key", json_out_bytes(blob_bytes(&file->exchange_key)));
	json_out(&object, "device_certificate",
		 json_out_bytes(blob_bytes(&file->device_certificate)));
	json_out(&object, "statement", json_out_bytes(blob_bytes(&file->statement)));
	json_out(&object, "signature", json_out_bytes(blob_bytes(&file->signature)));
	return json_out_end(object, text, len, e);
}

void offer_file_deinit(struct offer_file *file)
{
	blob_deinit(&file->exchange_key);
	blob_deinit(&file->device_certificate);
	blob_deinit(&file->statement);
	blob_deinit(&file->signature);
}
