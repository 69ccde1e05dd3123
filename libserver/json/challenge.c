// SPDX-License-Identifier: LGPL-2.1-or-later
/* libserver/json/challenge.c - Member by member, in the order of docs/formats.md 8.1. */
#include "libserver/json/challenge.h"
#include "base/error.h"

int challenge_file_parse(struct bytes text, struct challenge_file *out, struct kf_error *e)
{
	struct json_in in = json_in_begin(text, "keyferry-challenge", "challenge", e);
	struct challenge_file file;
	int r;

	json_in_serial(&in, "serial", file.serial);
	json_in_digest(&in, "device", file.device);
	json_in_copy(&in, "nonce", file.nonce, sizeof(file.nonce));
	file.issued = json_in_time(&in, "issued");
	file.expires = json_in_time(&in, "expires");
	if (file.expires <= file.issued)
		json_in_fail(&in, "expires", "is not after \"issued\"");
	r = json_in_end(&in);
	if (r == 0)
		*out = file;
	return error_what(e, r, "cannot read the challenge");
}

int challenge_file_write(const struct challenge_file *file, char **text, size_t *len,
			 struct kf_error *e)
{
	json_t *object = json_out_begin("keyferry-challenge");

	json_out(&object, "serial", json_string(file->serial));
	json_out(&object, "device", json_out_digest(file->device));
	json_out(&object, "nonce", json_out_bytes(BYTES_OF(file->nonce)));
	json_out(&object, "issued", json_out_time(file->issued));
	json_out(&object, "expires", json_out_time(file->expires));
	return json_out_end(object, text, len, e);
}
