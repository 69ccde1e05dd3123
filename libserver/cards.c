// SPDX-License-Identifier: LGPL-2.1-or-later
/* libserver/cards.c - A record is only as good as what parses out of it again. */
#include "libserver/cards.h"
#include "base/error.h"

#include <time.h>

#define FILE_MAX JSON_TEXT_MAX
#define CRL_MAX (JSON_TEXT_MAX / 2)
#define NAME_SIZE (HEX_DIGEST_SIZE + 5)

static int parse(struct bytes text, struct kf_enrolled **out, struct kf_error *e)
{
	_cleanup_(blob_deinit) struct blob cert = BLOB_INIT, root = BLOB_INIT, crl = BLOB_INIT;
	char serial[KF_SERIAL_MAX + 1];
	struct json_in in = json_in_begin(text, "keyferry-device", "enrolled card", e);
	bool allow_virtual;
	int r;

	json_in_serial(&in, "serial", serial);
	json_in_blob(&in, "certificate", KF_CERT_MAX, &cert);
	json_in_blob(&in, "root", FILE_MAX, &root);
	if (json_in_has(&in, "crl"))
		json_in_blob(&in, "crl", CRL_MAX, &crl);
	allow_virtual = json_in_bool(&in, "allow_virtual");
	(void)json_in_time(&in, "enrolled");
	r = json_in_end(&in);
	if (r == 0)
		r = enrolled_load(blob_bytes(&cert), blob_bytes(&root), blob_bytes(&crl),
				  allow_virtual, out, e);
	return r;
}

static void name_of(const char *fingerprint, char out[static NAME_SIZE])
{
	(void)snprintf(out, NAME_SIZE, "%.64s.json", fingerprint);
}

int cards_load(const struct folder *cards, const char *fingerprint, struct kf_enrolled **out,
	       struct kf_error *e)
{
	_cleanup_(blob_deinit) struct blob text = BLOB_INIT;
	_cleanup_(kf_enrolled_freep) struct kf_enrolled *card = NULL;
	char name[NAME_SIZE];
	int r;

	name_of(fingerprint, name);
	r = folder_read(cards, name, FILE_MAX, &text, e);
	if (r == 0)
		r = parse(blob_bytes(&text), &card, e);
	if (r == 0 && strcmp(card->fingerprint, fingerprint) != 0)
		r = error_why(e, -EBADMSG, "the state directory", "restore it from a backup",
			      "the record of card %s holds another certificate", fingerprint);
	if (r == 0)
		*out = take_ptr(card);
	return r;
}

int cards_store(const struct folder *cards, const struct kf_enrolled *card, struct kf_error *e)
{
	_cleanup_(blob_deinit) struct blob root = BLOB_INIT, crl = BLOB_INIT;
	_cleanup_(freep) char *text = NULL;
	json_t *object = NULL;
	char name[NAME_SIZE];
	size_t len = 0;
	int r;

	r = cert_der(card->root, &root);
	if (r == 0 && card->crl)
		r = crl_der(card->crl, &crl);
	if (r == 0 && crl.n > CRL_MAX)
		r = error_why(e, -EFBIG, "512 KiB", "ask the maker for a partitioned list",
			      "the revocation list is too long");
	if (r < 0)
		return r;
	object = json_out_begin("keyferry-device");
	json_out(&object, "serial", json_string(card->facts.serial));
	json_out(&object, "certificate", json_out_bytes(blob_bytes(&card->der)));
	json_out(&object, "root", json_out_bytes(blob_bytes(&root)));
	if (card->crl)
		json_out(&object, "crl", json_out_bytes(blob_bytes(&crl)));
	json_out(&object, "allow_virtual", json_boolean(card->allow_virtual));
	json_out(&object, "enrolled", json_out_time(time(NULL)));
	r = json_out_end(object, &text, &len, e);
	name_of(card->fingerprint, name);
	return r < 0 ? r : folder_write(cards, name, BYTES(text, len), e);
}

int cards_each(const struct folder *cards, int (*visit)(void *arg, struct kf_enrolled *card),
	       void *arg, struct kf_error *e)
{
	char **names = NULL;
	size_t n = 0;
	int r = folder_list(cards, &names, &n);

	for (size_t i = 0; r == 0 && i < n; i++) {
		_cleanup_(kf_enrolled_freep) struct kf_enrolled *card = NULL;
		char fingerprint[HEX_DIGEST_SIZE];

		(void)snprintf(fingerprint, sizeof(fingerprint), "%s", names[i]);
		if (strlen(names[i]) != NAME_SIZE - 1)
			continue;
		r = cards_load(cards, fingerprint, &card, e);
		if (r == 0)
			r = visit(arg, card);
	}
	names_free(names, n);
	return r;
}

struct search {
	const char *name;
	char found[HEX_DIGEST_SIZE];
};

static int compare(void *arg, struct kf_enrolled *card)
{
	struct search *search = arg;

	if (strcmp(card->facts.serial, search->name) != 0 &&
	    strcasecmp(card->fingerprint, search->name) != 0)
		return 0;
	memcpy(search->found, card->fingerprint, sizeof(search->found));
	return 1;
}

int cards_find(const struct folder *cards, const char *name, char out[static HEX_DIGEST_SIZE],
	       struct kf_error *e)
{
	struct search search = { .name = name };
	int r = cards_each(cards, compare, &search, e);

	if (r < 0)
		return r;
	if (r == 0)
		return error_why(e, -ENOENT, "the right card, not just a genuine one",
				 "enroll it first with keyferry server enroll",
				 "no card %s is enrolled", name);
	memcpy(out, search.found, HEX_DIGEST_SIZE);
	return 0;
}
