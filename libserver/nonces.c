// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/nonces.c - Spending is one rename: it cannot happen twice, and a crash leaves the nonce
 * fresh or spent. A spent one is kept so that its second use can be told from an invention.
 */
#include "libserver/nonces.h"
#include "base/error.h"

#include <time.h>

#define RULE "a nonce is issued for one card, spent once, and expires (SECURITY section 3)"
#define NEXT "make a new challenge with keyferry challenge"
#define NAME_SIZE (2 * KF_NONCE_SIZE + 6)

enum { FILE_MAX = 4096, KEEP_SECONDS = 30 * 24 * 3600 };

static void name_of(const uint8_t nonce[static KF_NONCE_SIZE], char out[static NAME_SIZE])
{
	char text[2 * KF_NONCE_SIZE + 1];

	hex_print(BYTES(nonce, KF_NONCE_SIZE), text);
	(void)snprintf(out, NAME_SIZE, "%s.json", text);
}

static int record_read(const struct folder *folder, const char *name, struct nonce_record *out,
		       struct kf_error *e)
{
	_cleanup_(blob_deinit) struct blob text = BLOB_INIT;
	struct nonce_record record;
	uint8_t device[KF_DIGEST_SIZE];
	struct json_in in;
	int r = folder_read(folder, name, FILE_MAX, &text, e);

	if (r < 0)
		return r;
	in = json_in_begin(blob_bytes(&text), "keyferry-nonce", "nonce", e);
	json_in_digest(&in, "device", device);
	record.issued = json_in_time(&in, "issued");
	record.expires = json_in_time(&in, "expires");
	hex_print(BYTES_OF(device), record.device);
	r = json_in_end(&in);
	if (r == 0)
		*out = record;
	return r;
}

/* Best effort: what cannot be read or removed is left where it is. */
static void prune(const struct folder *folder, int64_t now)
{
	char **names = NULL;
	size_t n = 0;

	if (folder_list(folder, &names, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		struct nonce_record record;

		if (strlen(names[i]) == NAME_SIZE - 1 &&
		    record_read(folder, names[i], &record, NULL) == 0 &&
		    record.expires < now - KEEP_SECONDS)
			(void)folder_remove(folder, names[i]);
	}
	names_free(names, n);
}

int nonces_issue(const struct folder *fresh, const struct folder *used,
		 const uint8_t nonce[static KF_NONCE_SIZE], const struct nonce_record *record,
		 struct kf_error *e)
{
	_cleanup_(freep) char *text = NULL;
	json_t *object = json_out_begin("keyferry-nonce");
	char name[NAME_SIZE];
	size_t len = 0;
	int r;

	prune(fresh, record->issued);
	prune(used, record->issued);
	json_out(&object, "device", json_string(record->device));
	json_out(&object, "issued", json_out_time(record->issued));
	json_out(&object, "expires", json_out_time(record->expires));
	r = json_out_end(object, &text, &len, e);
	name_of(nonce, name);
	return r < 0 ? r : folder_create(fresh, name, BYTES(text, len), e);
}

static int not_fresh(const struct folder *used, const char *name, struct kf_error *e)
{
	if (folder_has(used, name))
		return error_why(e, -EACCES, RULE, NEXT, "its challenge was used before");
	return error_why(e, -EACCES, RULE, NEXT,
			 "its challenge was never issued by this server");
}

int nonces_find(const struct folder *fresh, const struct folder *used,
		const uint8_t nonce[static KF_NONCE_SIZE], int64_t now,
		struct nonce_record *out, struct kf_error *e)
{
	struct nonce_record record = { 0 };
	char name[NAME_SIZE];
	int r;

	name_of(nonce, name);
	r = record_read(fresh, name, &record, e);
	if (r == -ENOENT)
		return not_fresh(used, name, e);
	if (r < 0)
		return r;
	/* A clock that was set back would stretch the time to live. */
	if (now >= record.expires || now < record.issued)
		return error_why(e, -EACCES, RULE, NEXT, "%s", now < record.issued ?
				 "its challenge is of the future: check this machine's clock" :
				 "its challenge has expired");
	*out = record;
	return 0;
}

bool nonces_are_spent(const struct folder *used, const uint8_t nonce[static KF_NONCE_SIZE])
{
	char name[NAME_SIZE];

	name_of(nonce, name);
	return folder_has(used, name);
}

int nonces_spend(const struct folder *fresh, const struct folder *used,
		 const uint8_t nonce[static KF_NONCE_SIZE], struct kf_error *e)
{
	char name[NAME_SIZE];
	int r;

	name_of(nonce, name);
	r = folder_move(fresh, name, used, e);
	return r == -ENOENT ? not_fresh(used, name, e) : r;
}
