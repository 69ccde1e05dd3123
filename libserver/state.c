// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/state.c - The directory, its lock, and the order of a seal: whatever may fail first,
 * then the nonce is spent, then archive and ticket are on disk, then there is a cargo.
 */
#include "libserver/state.h"
#include "base/error.h"
#include "base/io.h"
#include "libserver/archive.h"
#include "libserver/cards.h"
#include "libserver/md.h"
#include "libserver/nonces.h"
#include "libserver/pem.h"
#include "libserver/receipt.h"

#include <openssl/err.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#define RULE_PRIVATE "server files are private: mode 0700, one owner"

enum { PEM_MAX = 4096, TTL_MAX = 30 * 24 * 3600, TICKET_NAME_SIZE = 2 * KF_SID_SIZE + 6 };

/* --- making one --- */

static int open_folders(const char *dir, bool make, struct kf_state *state, struct kf_error *e)
{
	int (*open_one)(int, const char *, struct folder *, struct kf_error *) =
		make ? folder_make : folder_open;
	int r = open_one(AT_FDCWD, dir, &state->top, e);

	if (r == 0 && !make && !folder_has(&state->top, "state.json"))
		r = error_why(e, -ENOENT, "the state directory",
			      "make one with keyferry server init --state DIR",
			      "%s holds no keyferry state", dir);
	if (r == 0)
		r = open_one(state->top.fd, "devices", &state->cards, e);
	if (r == 0)
		r = open_one(state->top.fd, "nonces", &state->fresh, e);
	if (r == 0)
		r = open_one(state->fresh.fd, "used", &state->used, e);
	if (r == 0)
		r = open_one(state->top.fd, "tickets", &state->tickets, e);
	return r;
}

static int take_lock(struct kf_state *state, struct kf_error *e)
{
	int r;

	state->lock = openat(state->top.fd, "lock",
			     O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (state->lock < 0)
		return error_why(e, -errno, "the state directory", "check its permissions",
				 "cannot open its lock");
	do
		r = flock(state->lock, LOCK_EX) < 0 ? -errno : 0;
	while (r == -EINTR);
	return r;
}

static struct kf_state *state_new(void)
{
	struct kf_state *state = malloc(sizeof(*state));

	if (state)
		*state = (struct kf_state){
			.lock = -1, .top = FOLDER_INIT, .cards = FOLDER_INIT,
			.fresh = FOLDER_INIT, .used = FOLDER_INIT, .tickets = FOLDER_INIT,
		};
	return state;
}

struct kf_state *kf_state_close(struct kf_state *state)
{
	if (!state)
		return NULL;
	folder_deinit(&state->cards);
	folder_deinit(&state->fresh);
	folder_deinit(&state->used);
	folder_deinit(&state->tickets);
	folder_deinit(&state->top);
	kf_server_free(state->server);
	state->lock = fd_close(state->lock);
	free(state);
	return NULL;
}

/* An interrupted init may be repeated; somebody else's files may not be mixed with ours. */
static int check_empty(const char *dir, const struct kf_state *state, struct kf_error *e)
{
	static const char *const ours[] = {
		"lock", "injector.pem", "injector.pub.pem", "devices", "nonces", "tickets", NULL,
	};
	int r;

	if (folder_has(&state->top, "state.json"))
		return error_why(e, -EEXIST, "a state is made once",
				 "use it, or name another directory",
				 "%s holds a keyferry state already", dir);
	r = folder_holds_only(&state->top, ours);
	if (r == 0)
		return error_why(e, -EEXIST, "a state has a directory of its own",
				 "name a new or empty directory", "%s is not empty", dir);
	return r < 0 ? r : 0;
}

static int write_injector(const struct kf_state *state, struct bytes passphrase,
			  struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret pem = SECRET_INIT;
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	_cleanup_(freep) char *public = NULL;
	int r;

	r = key_generate(KF_KEY_EC_P256, &key);
	if (r == 0)
		r = secret_init(&pem, PEM_MAX);
	if (r == 0)
		r = pem_private_key_write(key, passphrase, &pem);
	if (r == 0)
		r = folder_write(&state->top, "injector.pem", secret_bytes(&pem), e);
	if (r == 0)
		r = kf_server_set_injector(state->server, pem.p, pem.n, passphrase.p,
					   passphrase.n, e);
	if (r == 0)
		r = kf_server_injector_public(state->server, &public, e);
	if (r == 0)
		r = folder_write(&state->top, "injector.pub.pem", BYTES(public, strlen(public)), e);
	return r;
}

static int write_mark(const struct kf_state *state, bool encrypted, struct kf_error *e)
{
	_cleanup_(freep) char *text = NULL;
	json_t *object = json_out_begin("keyferry-state");
	size_t len = 0;
	int r;

	json_out(&object, "injector_encrypted", json_boolean(encrypted));
	json_out(&object, "made", json_out_time(time(NULL)));
	r = json_out_end(object, &text, &len, e);
	return r < 0 ? r : folder_create(&state->top, "state.json", BYTES(text, len), e);
}

int kf_state_init(const char *dir, const void *passphrase, size_t passphrase_len,
		  struct kf_error *e)
{
	_cleanup_(kf_state_closep) struct kf_state *state = state_new();
	int r = state ? 0 : -ENOMEM;

	if (r == 0)
		r = folder_make(AT_FDCWD, dir, &state->top, e);
	if (r == 0)
		r = check_empty(dir, state, e);
	if (r == 0)
		r = take_lock(state, e);
	if (r == 0) {
		folder_deinit(&state->top);
		r = open_folders(dir, true, state, e);
	}
	if (r == 0)
		r = check_empty(dir, state, e);		/* somebody may have held the lock */
	if (r == 0)
		r = kf_server_new(&state->server, e);
	if (r == 0)
		r = write_injector(state, BYTES(passphrase, passphrase_len), e);
	if (r == 0)
		r = write_mark(state, passphrase_len > 0, e);
	/* Its own name stands in a directory that is not ours: nothing else syncs that one. */
	if (r == 0 && syncfs(state->top.fd) < 0)
		r = -errno;
	return error_what(e, r, "cannot make a server state in %s", dir);
}

/* --- opening --- */

static int read_mark(const struct kf_state *state, bool *encrypted, struct kf_error *e)
{
	_cleanup_(blob_deinit) struct blob text = BLOB_INIT;
	struct json_in in;
	int r = folder_read(&state->top, "state.json", PEM_MAX, &text, e);

	if (r < 0)
		return r;
	in = json_in_begin(blob_bytes(&text), "keyferry-state", "state", e);
	*encrypted = json_in_bool(&in, "injector_encrypted");
	(void)json_in_time(&in, "made");
	return json_in_end(&in);
}

static int load_injector(struct kf_state *state, struct bytes passphrase, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret pem = SECRET_INIT;
	int r = folder_read_secret(&state->top, "injector.pem", PEM_MAX, &pem, e);

	if (r < 0)
		return r;
	if (pem_is_encrypted(secret_bytes(&pem)) && passphrase.n == 0) {
		state->locked_injector = true;
		return 0;
	}
	return kf_server_set_injector(state->server, pem.p, pem.n, passphrase.p, passphrase.n, e);
}

int kf_state_open(const char *dir, const void *passphrase, size_t passphrase_len,
		  struct kf_state **out, struct kf_error *e)
{
	_cleanup_(kf_state_closep) struct kf_state *state = state_new();
	bool encrypted;
	int r = state ? 0 : -ENOMEM;

	if (r == 0)
		r = open_folders(dir, false, state, e);
	if (r == 0)
		r = take_lock(state, e);
	if (r == 0)
		r = read_mark(state, &encrypted, e);
	if (r == 0)
		r = kf_server_new(&state->server, e);
	if (r == 0)
		r = load_injector(state, BYTES(passphrase, passphrase_len), e);
	if (r < 0)
		return error_what(e, r, "cannot open the server state %s", dir);
	*out = take_ptr(state);
	return 0;
}

int kf_state_needs_passphrase(const char *dir, struct kf_error *e)
{
	_cleanup_(kf_state_closep) struct kf_state *state = state_new();
	bool encrypted = false;
	int r = state ? 0 : -ENOMEM;

	if (r == 0)
		r = open_folders(dir, false, state, e);
	if (r == 0)
		r = read_mark(state, &encrypted, e);
	if (r < 0)
		return error_what(e, r, "cannot open the server state %s", dir);
	return encrypted;
}

struct kf_server *kf_state_server(struct kf_state *state)
{
	return state->server;
}

/* --- cards --- */

static int check_serial_is_free(struct kf_state *state, const struct kf_enrolled *card,
				struct kf_error *e)
{
	char found[HEX_DIGEST_SIZE];
	int r = cards_find(&state->cards, card->facts.serial, found, e);

	if (r == -ENOENT || (r == 0 && strcmp(found, card->fingerprint) == 0))
		return 0;
	if (r < 0)
		return r;
	return error_why(e, -EEXIST, "one certificate for a serial",
			 "look at it with keyferry server show",
			 "another certificate of card %s is enrolled", card->facts.serial);
}

static bool crl_is_newer(const X509_CRL *crl, const X509_CRL *than)
{
	return ASN1_TIME_compare(X509_CRL_get0_lastUpdate(crl), X509_CRL_get0_lastUpdate(than)) > 0;
}

static void replace_list(struct kf_enrolled *card, X509_CRL *crl)
{
	X509_CRL_up_ref(crl);
	X509_CRL_free(card->crl);
	card->crl = crl;
}

/* The newest list of a root is that of all its cards, whichever of them it came with. */
struct sharing {
	struct kf_state *state;
	struct kf_enrolled *card;
	struct kf_error *e;
};

static int take_newer_list(void *arg, struct kf_enrolled *known)
{
	struct kf_enrolled *card = ((struct sharing *)arg)->card;

	if (known->crl && crl_is_of(known->crl, card->root) &&
	    (!card->crl || crl_is_newer(known->crl, card->crl)))
		replace_list(card, known->crl);
	return 0;
}

static int give_newer_list(void *arg, struct kf_enrolled *known)
{
	struct sharing *sharing = arg;
	X509_CRL *crl = sharing->card->crl;

	if (!crl || !crl_is_of(crl, known->root) || (known->crl && !crl_is_newer(crl, known->crl)))
		return 0;
	replace_list(known, crl);
	return cards_store(&sharing->state->cards, known, sharing->e);
}

int kf_state_enroll(struct kf_state *state, const void *cert, size_t cert_len, const void *root,
		    size_t root_len, const void *crl, size_t crl_len, int allow_virtual,
		    struct kf_error *e)
{
	_cleanup_(kf_enrolled_freep) struct kf_enrolled *card = NULL;
	struct sharing sharing = { .state = state, .e = e };
	int r;

	r = enrolled_load(BYTES(cert, cert_len), BYTES(root, root_len),
			  crl ? BYTES(crl, crl_len) : BYTES_NONE, allow_virtual != 0, &card, e);
	sharing.card = card;
	if (r == 0)
		r = cards_each(&state->cards, take_newer_list, &sharing, e);
	if (r == 0)
		r = enrolled_check(card, e);
	if (r == 0)
		r = check_serial_is_free(state, card, e);
	if (r == 0)
		r = cards_each(&state->cards, give_newer_list, &sharing, e);
	if (r == 0)
		r = cards_store(&state->cards, card, e);
	return error_what(e, r, "cannot enroll the card");
}

struct new_crl {
	struct kf_state *state;
	X509_CRL *crl;
	unsigned int n;
	struct kf_error *e;
};

/* Revocation must not be undone by an old list. */
static int give_crl(void *arg, struct kf_enrolled *card)
{
	struct new_crl *new = arg;

	if (!crl_is_of(new->crl, card->root))
		return 0;
	if (card->crl && ASN1_TIME_compare(X509_CRL_get0_lastUpdate(new->crl),
					   X509_CRL_get0_lastUpdate(card->crl)) < 0)
		return error_why(new->e, -EACCES, "lists are replaced by newer ones only",
				 "get the root's current list",
				 "the list is older than the one enrolled for card %s",
				 card->facts.serial);
	replace_list(card, new->crl);
	new->n++;
	return cards_store(&new->state->cards, card, new->e);
}

int kf_state_set_crl(struct kf_state *state, const void *crl, size_t crl_len,
		     unsigned int *n_cards, struct kf_error *e)
{
	_cleanup_(X509_CRL_freep) X509_CRL *list = NULL;
	struct new_crl new = { .state = state, .e = e };
	int r;

	if (crl_parse(BYTES(crl, crl_len), &list) < 0)
		r = error_why(e, -EBADMSG, "X.509 revocation list, DER or PEM",
			      "check that it is the right file", "it cannot be read");
	else
		r = 0;
	new.crl = list;
	if (r == 0)
		r = cards_each(&state->cards, give_crl, &new, e);
	if (r == 0 && new.n == 0)
		r = error_why(e, -ENOENT, "a list signed by an enrolled root",
			      "check that it is the maker's list",
			      "no enrolled root has issued it");
	if (r < 0)
		return error_what(e, r, "cannot take the revocation list");
	*n_cards = new.n;
	return 0;
}

static int load_card(struct kf_state *state, const char *name, struct kf_enrolled **out,
		     struct kf_error *e)
{
	char fingerprint[HEX_DIGEST_SIZE];
	int r = cards_find(&state->cards, name, fingerprint, e);

	return r < 0 ? r : cards_load(&state->cards, fingerprint, out, e);
}

int kf_state_card(struct kf_state *state, const char *name, struct kf_enrolled **out,
		  struct kf_error *e)
{
	_cleanup_(kf_enrolled_freep) struct kf_enrolled *card = NULL;
	int r = load_card(state, name, &card, e);

	if (r == 0)
		r = enrolled_check(card, e);
	if (r < 0)
		return error_what(e, r, "cannot use card %s", name);
	*out = take_ptr(card);
	return 0;
}

struct visitor {
	int (*visit)(void *arg, const char *serial, const char *fingerprint, int is_virtual,
		     int refused);
	void *arg;
};

static int visit_card(void *arg, struct kf_enrolled *card)
{
	struct visitor *visitor = arg;

	return visitor->visit(visitor->arg, card->facts.serial, card->fingerprint,
			      card->facts.is_virtual, enrolled_check(card, NULL));
}

int kf_state_each_card(struct kf_state *state,
		       int (*visit)(void *arg, const char *serial, const char *fingerprint,
				    int is_virtual, int refused),
		       void *arg, struct kf_error *e)
{
	struct visitor visitor = { visit, arg };

	return cards_each(&state->cards, visit_card, &visitor, e);
}

/* --- challenge --- */

static int issue(struct kf_state *state, const struct kf_enrolled *card, int64_t ttl, char **json,
		 size_t *len, struct kf_error *e)
{
	uint8_t nonce[KF_NONCE_SIZE];
	struct nonce_record record = { .issued = time(NULL) };
	int r;

	if (ttl < 1 || ttl > TTL_MAX)
		return error_why(e, -EINVAL, "1 second to 30 days", "name a shorter time",
				 "a time to live of %lld seconds", (long long)ttl);
	record.expires = record.issued + ttl;
	memcpy(record.device, card->fingerprint, sizeof(record.device));
	r = kf_nonce_new(nonce);
	if (r == 0)
		r = nonces_issue(&state->fresh, &state->used, nonce, &record, e);
	if (r == 0)
		r = kf_challenge_write(card, nonce, record.issued, record.expires, json, len, e);
	return r;
}

int kf_state_challenge(struct kf_state *state, const char *card, int64_t ttl, char **json,
		       size_t *len, struct kf_error *e)
{
	_cleanup_(kf_enrolled_freep) struct kf_enrolled *enrolled = NULL;
	int r = kf_state_card(state, card, &enrolled, e);

	if (r == 0)
		r = issue(state, enrolled, ttl, json, len, e);
	return error_what(e, r, "cannot make a challenge for card %s", card);
}

/* --- offer --- */

struct genuine {
	struct bytes cert;
	bool allow_virtual;
	struct kf_enrolled *found;
	struct kf_error *e;
	int refused;			/* by its own root if that is enrolled, else by any */
};

/* Why its issuer refuses it is worth telling; that a foreign root does, is not. */
static int note_refusal(struct genuine *genuine, const struct kf_enrolled *root,
			const struct kf_enrolled *other, int r, const struct kf_error *why)
{
	/* By the signature: names may well be the same. */
	bool issuer = other && X509_verify(other->cert, X509_get0_pubkey(root->root)) == 1;

	ERR_clear_error();
	if (r == -ENOMEM)
		return r;
	if (genuine->refused < 0 && !issuer)
		return 0;
	genuine->refused = r;
	if (genuine->e)
		*genuine->e = *why;
	return 0;
}

/* Under whose root, with whose list, does this certificate stand? */
static int try_root(void *arg, struct kf_enrolled *card)
{
	struct genuine *genuine = arg;
	_cleanup_(kf_enrolled_freep) struct kf_enrolled *other = NULL;
	_cleanup_(blob_deinit) struct blob root = BLOB_INIT, crl = BLOB_INIT;
	struct kf_error why = KF_ERROR_INIT;
	int r = cert_der(card->root, &root);

	if (r == 0 && card->crl)
		r = crl_der(card->crl, &crl);
	if (r == 0)
		r = enrolled_load(genuine->cert, blob_bytes(&root), blob_bytes(&crl),
				  genuine->allow_virtual, &other, &why);
	if (r == 0)
		r = enrolled_check(other, &why);
	if (r < 0)
		return note_refusal(genuine, card, other, r, &why);
	other->any_genuine = true;
	/* Found once is not enough: another entry of the same root may have the list it is on. */
	kf_enrolled_free(genuine->found);
	genuine->found = take_ptr(other);
	return 0;
}

struct revocation {
	const struct kf_enrolled *card;
	struct kf_error *e;
};

static int ask_every_list(void *arg, struct kf_enrolled *card)
{
	struct revocation *ask = arg;

	if (!card->crl || !crl_is_of(card->crl, ask->card->root))
		return 0;
	return cert_check_path(ask->card->cert, card->root, card->crl, true, ask->e);
}

static int find_genuine(struct kf_state *state, struct bytes cert, bool allow_virtual,
			struct kf_enrolled **out, struct kf_error *e)
{
	struct genuine genuine = { .cert = cert, .allow_virtual = allow_virtual, .e = e };
	struct revocation ask = { .e = e };
	int r = cards_each(&state->cards, try_root, &genuine, e);

	if (r == 0 && !genuine.found)
		r = genuine.refused < 0 ? genuine.refused :
		    error_why(e, -EACCES, "any genuine card under an enrolled root",
			      "enroll a card of this maker first", "no card is enrolled");
	ask.card = genuine.found;
	if (r == 0)
		r = cards_each(&state->cards, ask_every_list, &ask, e);
	if (r < 0) {
		kf_enrolled_free(genuine.found);
		return r;
	}
	*out = genuine.found;
	return 0;
}

/* The nonce says which card; an explicit name has to agree. */
static int find_card(struct kf_state *state, const char *name, const char *fingerprint,
		     struct kf_enrolled **out, struct kf_error *e)
{
	_cleanup_(kf_enrolled_freep) struct kf_enrolled *card = NULL;
	char named[HEX_DIGEST_SIZE];
	int r;

	if (name) {
		r = cards_find(&state->cards, name, named, e);
		if (r < 0)
			return r;
		if (strcmp(named, fingerprint) != 0)
			return error_why(e, -EACCES,
					 "the right card, not just a genuine one (SECURITY section 3)",
					 "name the card it was made for",
					 "it was made for another card than %s", name);
	}
	r = cards_load(&state->cards, fingerprint, &card, e);
	if (r == 0)
		r = enrolled_check(card, e);
	if (r == 0)
		*out = take_ptr(card);
	return r;
}

static int verify_offer(struct kf_state *state, const char *name, bool any_genuine,
			struct bytes json, struct kf_verified_offer **out, struct kf_error *e)
{
	_cleanup_(kf_enrolled_freep) struct kf_enrolled *card = NULL;
	_cleanup_(freep) uint8_t *cert = NULL;
	struct nonce_record record;
	uint8_t nonce[KF_NONCE_SIZE];
	size_t cert_len = 0;
	int r;

	r = kf_offer_peek(json.p, json.n, nonce, &cert, &cert_len, e);
	if (r == 0)
		r = nonces_find(&state->fresh, &state->used, nonce, time(NULL), &record, e);
	if (r < 0)
		return r;
	if (any_genuine)
		r = find_genuine(state, BYTES(cert, cert_len), state->server->allow_virtual, &card,
				 e);
	else
		r = find_card(state, name, record.device, &card, e);
	return r < 0 ? r : kf_offer_verify(state->server, card, nonce, json.p, json.n, out, e);
}

int kf_state_offer(struct kf_state *state, const char *card, int any_genuine, const void *json,
		   size_t len, struct kf_verified_offer **out, struct kf_error *e)
{
	int r;

	if (card && any_genuine)
		r = error_why(e, -EINVAL, "one or the other", "leave one away",
			      "a card is named and any genuine card is accepted");
	else
		r = verify_offer(state, card, any_genuine != 0, BYTES(json, len), out, e);
	return error_what(e, r, "the offer is refused");
}

/* --- seal --- */

static int check_request(const struct kf_seal_request *request, struct kf_error *e)
{
	const struct kf_verified_offer *offer = request->offer;
	struct stat st;

	if (request->size != sizeof(*request) || !offer || !request->pair ||
	    !request->recipient != !request->archive_path)
		return error_why(e, -EINVAL, "struct kf_seal_request",
				 "set size, offer and pair; recipient and path together",
				 "the request is incomplete");
	if (request->archive_path && lstat(request->archive_path, &st) == 0)
		return error_why(e, -EEXIST, "archives are never overwritten",
				 "name another file", "%s exists", request->archive_path);
	return md_check_pair(offer, request->pair, &offer->statement.holds, e);
}

static int archive_failed(const char *path, int r, struct kf_error *e)
{
	return error_why(e, r, "the archive is durable before a cargo exists",
			 "check the folder; then get a new offer, this one is spent if it was the "
			 "disk", "cannot write %s: %s", path, strerror(-r));
}

/**
 * struct sealing - what a seal has in hand between its steps
 * @archive:	envelope, not yet on disk; empty: none wanted
 * @archive_fd:	its file, made before the nonce is spent, so that a bad path costs nothing
 */
struct sealing {
	struct blob archive;
	int archive_fd;
	struct kf_md_key *key;
};

#define SEALING_INIT ((struct sealing){ .archive_fd = -1 })

static void sealing_deinit(struct sealing *sealing)
{
	blob_deinit(&sealing->archive);
	sealing->archive_fd = fd_close(sealing->archive_fd);
	sealing->key = kf_md_destroy_key(sealing->key);
}

static int prepare_archive(const struct kf_seal_request *request, struct sealing *sealing,
			   struct kf_error *e)
{
	int r;

	if (!request->recipient)
		return 0;
	r = kf_archive_seal(request->recipient, request->offer, request->pair,
			    request->archive_signing_key, &sealing->archive.p,
			    &sealing->archive.n, e);
	if (r < 0)
		return r;
	sealing->archive_fd = open(request->archive_path,
				   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (sealing->archive_fd < 0)
		return archive_failed(request->archive_path, -errno, e);
	return 0;
}

static int keep_archive(const struct kf_seal_request *request, const struct sealing *sealing,
			struct kf_error *e)
{
	int r;

	if (sealing->archive_fd < 0)
		return 0;
	r = io_write(sealing->archive_fd, blob_bytes(&sealing->archive));
	if (r == 0 && fsync(sealing->archive_fd) < 0)
		r = -errno;
	if (r == 0)
		r = io_sync_parent(request->archive_path);
	return r < 0 ? archive_failed(request->archive_path, r, e) : 0;
}

static int seal_item(const struct kf_seal_request *request, struct sealing *sealing,
		     struct kf_error *e)
{
	_cleanup_(freep) uint8_t *item = NULL;
	size_t len = 0;
	int r;

	r = kf_md_set_chaining_mode(sealing->key, KF_CHAIN_CBC, e);
	if (r == 0)
		r = kf_md_set_iv(sealing->key, NULL, 0, e);
	if (r == 0)
		r = kf_md_encrypt_data(sealing->key, KF_FUNCTION_IMPORT_KEYPAIR, request->pair,
				       &item, &len, e);
	return r;
}

static int keep_ticket(const struct kf_state *state, const struct sealing *sealing,
		       struct kf_error *e)
{
	_cleanup_(freep) char *text = NULL;
	char sid[2 * KF_SID_SIZE + 1], name[TICKET_NAME_SIZE];
	size_t len = 0;
	int r = kf_md_ticket(sealing->key, &text, &len, e);

	if (r < 0)
		return r;
	hex_print(BYTES_OF(sealing->key->ticket.sid), sid);
	(void)snprintf(name, sizeof(name), "%s.json", sid);
	return folder_create(&state->tickets, name, BYTES(text, len), e);
}

static int seal(struct kf_state *state, const struct kf_seal_request *request,
		struct sealing *sealing, char **cargo, size_t *len, struct kf_error *e)
{
	struct nonce_record record;
	const uint8_t *nonce = request->offer->statement.nonce;
	int r;

	/* The offer may have been verified long ago, and not by this state. */
	r = nonces_find(&state->fresh, &state->used, nonce, time(NULL), &record, e);
	if (r == 0 && !request->offer->any_genuine &&
	    strcmp(record.device, request->offer->fingerprint) != 0)
		r = error_why(e, -EACCES,
			      "the right card, not just a genuine one (SECURITY section 3)",
			      "make a challenge for this card",
			      "the offer is of another card than its challenge was made for");
	if (r == 0)
		r = prepare_archive(request, sealing, e);
	if (r == 0)
		r = nonces_spend(&state->fresh, &state->used, nonce, e);
	if (r < 0 && sealing->archive_fd >= 0)
		(void)unlink(request->archive_path);	/* ours, and still empty */
	if (r == 0)
		r = keep_archive(request, sealing, e);
	if (r == 0)
		r = kf_md_import_session_key(state->server, request->offer, NULL, 0, 1,
					     &sealing->key, e);
	if (r == 0)
		r = seal_item(request, sealing, e);
	if (r == 0)
		r = keep_ticket(state, sealing, e);
	if (r == 0)
		r = kf_md_cargo(sealing->key, cargo, len, e);
	return r;
}

int kf_state_seal(struct kf_state *state, const struct kf_seal_request *request, char **cargo,
		  size_t *len, struct kf_error *e)
{
	_cleanup_(sealing_deinit) struct sealing sealing = SEALING_INIT;
	int r = check_request(request, e);

	if (r == 0)
		r = seal(state, request, &sealing, cargo, len, e);
	return error_what(e, r, "cannot seal the key");
}

/* --- receipt --- */

static int load_ticket(struct kf_state *state, const uint8_t sid[static KF_SID_SIZE],
		       struct blob *out, struct kf_error *e)
{
	char text[2 * KF_SID_SIZE + 1], name[TICKET_NAME_SIZE];
	int r;

	hex_print(BYTES(sid, KF_SID_SIZE), text);
	(void)snprintf(name, sizeof(name), "%s.json", text);
	r = folder_read(&state->tickets, name, JSON_TEXT_MAX, out, e);
	if (r == -ENOENT)
		return error_why(e, -ENOENT, "receipts are compared with tickets",
				 "verify it where the key was sealed",
				 "this server has sealed no cargo %s", text);
	return r;
}

/* The card that signed must still be one we trust, and the one that was named. */
static int check_signer(struct kf_state *state, const char *name, struct bytes text,
			struct kf_error *e)
{
	_cleanup_(ticket_deinit) struct ticket ticket = TICKET_INIT;
	_cleanup_(kf_enrolled_freep) struct kf_enrolled *card = NULL;
	char device[HEX_DIGEST_SIZE];
	int r = ticket_parse(text, &ticket, e);

	if (r < 0)
		return r;
	hex_print(BYTES_OF(ticket.device), device);
	if (name || !ticket.any_genuine)
		return find_card(state, name, device, &card, e);
	/* Virtual or not was decided, and recorded in the grade, when it was sealed. */
	return find_genuine(state, blob_bytes(&ticket.certificate), true, &card, e);
}

int kf_state_receipt(struct kf_state *state, const char *card, const void *json, size_t len,
		     struct kf_receipt_report **out, struct kf_error *e)
{
	_cleanup_(blob_deinit) struct blob ticket = BLOB_INIT;
	uint8_t sid[KF_SID_SIZE];
	int r;

	r = kf_receipt_peek(json, len, sid, e);
	if (r == 0)
		r = load_ticket(state, sid, &ticket, e);
	if (r == 0)
		r = check_signer(state, card, blob_bytes(&ticket), e);
	if (r == 0)
		r = kf_receipt_verify(ticket.p, ticket.n, json, len, out, e);
	return error_what(e, r, "the receipt is refused");
}
