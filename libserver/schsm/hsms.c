// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/schsm/hsms.c - Which SmartCard-HSMs a state knows. There are no revocation lists for their
 * certificates, so a card that is lost is forgotten, and then nothing it signed counts any more.
 */
#include "libserver/schsm/hsms.h"
#include "base/error.h"
#include "libserver/cards.h"
#include "libserver/state.h"

#include <time.h>

#define NAME_SIZE (HEX_DIGEST_SIZE + 5)

/* --- records --- */

static int parse(struct bytes text, struct kf_hsm **out, struct kf_error *e)
{
	_cleanup_(blob_deinit) struct blob file = BLOB_INIT, root = BLOB_INIT;
	char serial[KF_SERIAL_MAX + 1];
	struct json_in in = json_in_begin(text, "keyferry-schsm", "enrolled card", e);
	bool allow_virtual;
	int r;

	json_in_serial(&in, "serial", serial);
	json_in_blob(&in, "certificates", HSM_CHAIN_MAX, &file);
	json_in_blob(&in, "root", CVC_MAX, &root);
	allow_virtual = json_in_bool(&in, "allow_virtual");
	(void)json_in_time(&in, "enrolled");
	r = json_in_end(&in);
	return r < 0 ? r : hsm_load(blob_bytes(&file), blob_bytes(&root), allow_virtual, out, e);
}

static void name_of(const char *fingerprint, char out[static NAME_SIZE])
{
	(void)snprintf(out, NAME_SIZE, "%.64s.json", fingerprint);
}

static int load(const struct folder *hsms, const char *fingerprint, struct kf_hsm **out,
		struct kf_error *e)
{
	_cleanup_(kf_hsm_freep) struct kf_hsm *hsm = NULL;
	_cleanup_(blob_deinit) struct blob text = BLOB_INIT;
	char name[NAME_SIZE];
	int r;

	name_of(fingerprint, name);
	r = folder_read(hsms, name, JSON_TEXT_MAX, &text, e);
	if (r == 0)
		r = parse(blob_bytes(&text), &hsm, e);
	if (r == 0 && strcmp(hsm->fingerprint, fingerprint) != 0)
		r = error_why(e, -EBADMSG, "the state directory", "restore it from a backup",
			      "the record of card %s holds another certificate", fingerprint);
	if (r == 0)
		*out = take_ptr(hsm);
	return r;
}

static int store(const struct folder *hsms, const struct kf_hsm *hsm, struct kf_error *e)
{
	_cleanup_(freep) char *text = NULL;
	json_t *object = json_out_begin("keyferry-schsm");
	char name[NAME_SIZE];
	size_t len = 0;
	int r;

	json_out(&object, "serial", json_string(hsm->serial));
	json_out(&object, "certificates", json_out_bytes(blob_bytes(&hsm->file)));
	json_out(&object, "root", json_out_bytes(blob_bytes(&hsm->root)));
	json_out(&object, "allow_virtual", json_boolean(hsm->allow_virtual));
	json_out(&object, "enrolled", json_out_time(time(NULL)));
	r = json_out_end(object, &text, &len, e);
	name_of(hsm->fingerprint, name);
	return r < 0 ? r : folder_write(hsms, name, BYTES(text, len), e);
}

/* --- looking through them --- */

int hsms_each(const struct folder *hsms, int (*visit)(void *arg, struct kf_hsm *hsm), void *arg,
	      struct kf_error *e)
{
	char **names = NULL;
	size_t n = 0;
	int r = hsms->fd < 0 ? 0 : folder_list(hsms, &names, &n);

	for (size_t i = 0; r == 0 && i < n; i++) {
		_cleanup_(kf_hsm_freep) struct kf_hsm *hsm = NULL;
		char fingerprint[HEX_DIGEST_SIZE];

		(void)snprintf(fingerprint, sizeof(fingerprint), "%s", names[i]);
		if (strlen(names[i]) != NAME_SIZE - 1)
			continue;
		r = load(hsms, fingerprint, &hsm, e);
		if (r == 0)
			r = visit(arg, hsm);
	}
	names_free(names, n);
	return r;
}

struct search {
	const char *name;
	char found[HEX_DIGEST_SIZE];
};

static int compare(void *arg, struct kf_hsm *hsm)
{
	struct search *search = arg;

	if (strcmp(hsm->serial, search->name) != 0 && strcasecmp(hsm->fingerprint, search->name) != 0)
		return 0;
	memcpy(search->found, hsm->fingerprint, sizeof(search->found));
	return 1;
}

int hsms_find(const struct folder *hsms, const char *name, char out[static HEX_DIGEST_SIZE],
	      struct kf_error *e)
{
	struct search search = { .name = name };
	int r = hsms_each(hsms, compare, &search, e);

	if (r < 0)
		return r;
	if (r == 0)
		return error_why(e, -ENOENT, "the right card, not just a genuine one",
				 "enroll it first with keyferry server enroll",
				 "no SmartCard-HSM %s is enrolled", name);
	memcpy(out, search.found, HEX_DIGEST_SIZE);
	return 0;
}

/* --- enrolling and forgetting --- */

/* Neither kind of card may have the name of another, or nobody knows which one was meant. */
static int check_serial_is_free(struct kf_state *state, const struct kf_hsm *hsm, struct kf_error *e)
{
	char found[HEX_DIGEST_SIZE];
	int r = hsms_find(&state->hsms, hsm->serial, found, e);

	if (r == 0 && strcmp(found, hsm->fingerprint) == 0)
		return 0;
	if (r == -ENOENT)
		r = cards_find(&state->cards, hsm->serial, found, e);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : error_why(e, -EEXIST, "one certificate for a serial",
				     "look at it with keyferry server show",
				     "another certificate of card %s is enrolled", hsm->serial);
}

int kf_state_hsm_enroll(struct kf_state *state, const void *chain, size_t chain_len, const void *root,
			size_t root_len, int allow_virtual, struct kf_error *e)
{
	_cleanup_(kf_hsm_freep) struct kf_hsm *hsm = NULL;
	int r = hsm_load(BYTES(chain, chain_len), BYTES(root, root_len), allow_virtual != 0, &hsm, e);

	if (r == 0)
		r = hsm_check(hsm, e);
	if (r == 0)
		r = check_serial_is_free(state, hsm, e);
	if (r == 0)
		r = state_need_folder(state, "hsms", &state->hsms, e);
	if (r == 0)
		r = store(&state->hsms, hsm, e);
	return error_what(e, r, "cannot enroll the card");
}

int kf_state_hsm(struct kf_state *state, const char *name, struct kf_hsm **out, struct kf_error *e)
{
	_cleanup_(kf_hsm_freep) struct kf_hsm *hsm = NULL;
	char fingerprint[HEX_DIGEST_SIZE];
	int r = hsms_find(&state->hsms, name, fingerprint, e);

	if (r == 0)
		r = load(&state->hsms, fingerprint, &hsm, e);
	if (r == 0)
		r = hsm_check(hsm, e);
	if (r == 0)
		*out = take_ptr(hsm);
	return error_what(e, r, "cannot use card %s", name);
}

int kf_state_hsm_forget(struct kf_state *state, const char *name, struct kf_error *e)
{
	char fingerprint[HEX_DIGEST_SIZE], file[NAME_SIZE];
	int r = hsms_find(&state->hsms, name, fingerprint, e);

	if (r == 0) {
		name_of(fingerprint, file);
		r = folder_remove(&state->hsms, file);
	}
	if (r == 0 && fsync(state->hsms.fd) < 0)
		r = -errno;
	return error_what(e, r, "cannot forget card %s", name);
}

struct visitor {
	int (*visit)(void *arg, const char *serial, const char *fingerprint, int is_virtual,
		     int refused);
	void *arg;
};

static int visit_hsm(void *arg, struct kf_hsm *hsm)
{
	struct visitor *visitor = arg;

	return visitor->visit(visitor->arg, hsm->serial, hsm->fingerprint, kf_hsm_is_virtual(hsm),
			      hsm_check(hsm, NULL));
}

int kf_state_each_hsm(struct kf_state *state,
		      int (*visit)(void *arg, const char *serial, const char *fingerprint,
				   int is_virtual, int refused),
		      void *arg, struct kf_error *e)
{
	struct visitor visitor = { visit, arg };

	return hsms_each(&state->hsms, visit_hsm, &visitor, e);
}
