// SPDX-License-Identifier: LGPL-2.1-or-later
/* libserver/json/kek.c - Member by member, in the order of docs/formats.md 8.5. */
#include "libserver/json/kek.h"
#include "base/error.h"
#include "format/kid.h"

/* Above what the DER parser behind this accepts; only a bound. */
enum { SIGNED_STATEMENT_MAX = 4096 };

static void take_name(struct json_in *in, char out[static KF_KID_MAX + 1])
{
	const char *text = json_in_text(in, "name");

	if (in->r < 0)
		return;
	if (!kid_is_valid(BYTES(text, strlen(text))))
		json_in_fail(in, "name", "is not the name of a KEK");
	else
		(void)snprintf(out, KF_KID_MAX + 1, "%s", text);
}

int kek_file_parse(struct bytes text, struct kek_file *out, struct kf_error *e)
{
	_cleanup_(kek_file_deinit) struct kek_file file = KEK_FILE_INIT;
	struct json_in in = json_in_begin(text, "keyferry-kek", "KEK's attestation", e);
	int r;

	json_in_serial(&in, "serial", file.serial);
	take_name(&in, file.name);
	json_in_blob(&in, "device_certificate", KF_CERT_MAX, &file.device_certificate);
	json_in_blob(&in, "statement", SIGNED_STATEMENT_MAX, &file.statement);
	r = json_in_end(&in);
	if (r < 0)
		return error_what(e, r, "cannot read the KEK's attestation");
	*out = file;
	file = KEK_FILE_INIT;
	return 0;
}

int kek_file_write(const struct kek_file *file, char **text, size_t *len, struct kf_error *e)
{
	json_t *object = json_out_begin("keyferry-kek");

	json_out(&object, "serial", json_string(file->serial));
	json_out(&object, "name", json_string(file->name));
	json_out(&object, "device_certificate",
		 json_out_bytes(blob_bytes(&file->device_certificate)));
	json_out(&object, "statement", json_out_bytes(blob_bytes(&file->statement)));
	return json_out_end(object, text, len, e);
}

void kek_file_deinit(struct kek_file *file)
{
	blob_deinit(&file->device_certificate);
	blob_deinit(&file->statement);
}
