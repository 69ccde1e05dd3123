// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/state.c - The directory and its lock: made in an order in which an interrupted init can
 * be repeated, and opened whole or not at all.
 */
#include "libserver/state.h"
#include "base/error.h"
#include "format/keys.h"
#include "format/numbers.h"
#include "format/ossl.h"
#include "libserver/json/object.h"
#include "libserver/master.h"
#include "libserver/pem.h"
#include "libserver/policy.h"

#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

enum { PEM_MAX = 4096 };

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
	if (r == 0 && make)
		r = open_one(state->top.fd, "hsms", &state->hsms, e);
	if (r == 0 && make)
		r = open_one(state->top.fd, "dkeks", &state->dkeks, e);
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
			.hsms = FOLDER_INIT, .dkeks = FOLDER_INIT,
			.fresh = FOLDER_INIT, .used = FOLDER_INIT, .tickets = FOLDER_INIT,
			.passphrase = SECRET_INIT, .master_place = MASTER_PLACE_INIT,
		};
	return state;
}

struct kf_state *kf_state_close(struct kf_state *state)
{
	if (!state)
		return NULL;
	folder_deinit(&state->cards);
	folder_deinit(&state->hsms);
	folder_deinit(&state->dkeks);
	folder_deinit(&state->fresh);
	folder_deinit(&state->used);
	folder_deinit(&state->tickets);
	folder_deinit(&state->top);
	kf_server_free(state->server);
	secret_deinit(&state->passphrase);
	master_place_deinit(&state->master_place);
	state->lock = fd_close(state->lock);
	free(state);
	return NULL;
}

/* An interrupted init may be repeated; somebody else's files may not be mixed with ours. */
static int check_empty(const char *dir, const struct kf_state *state, struct kf_error *e)
{
	static const char *const ours[] = {
		"lock", "injector.pem", "injector.pub.pem", "devices", "hsms", "dkeks",
		"nonces", "tickets", NULL,
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

/* One that opened nothing is not kept: nobody could open again what it closes. */
static int keep_passphrase(struct kf_state *state, struct bytes passphrase)
{
	int r = secret_init(&state->passphrase, passphrase.n);

	return r < 0 ? r : secret_set(&state->passphrase, passphrase);
}

static int load_injector(struct kf_state *state, struct bytes passphrase, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret pem = SECRET_INIT;
	int r = folder_read_secret(&state->top, "injector.pem", PEM_MAX, &pem, e);
	bool encrypted = r == 0 && pem_is_encrypted(secret_bytes(&pem));

	if (r < 0)
		return r;
	state->locked = encrypted && passphrase.n == 0;
	if (state->locked)
		return 0;
	r = kf_server_set_injector(state->server, pem.p, pem.n, passphrase.p, passphrase.n, e);
	return r == 0 && encrypted ? keep_passphrase(state, passphrase) : r;
}

/* A file left by a move that was interrupted is the same master, and is not looked at. */
static int load_master(struct kf_state *state, struct kf_error *e)
{
	struct kf_server *server = state->server;
	int r = master_place_load(&state->top, &state->master_place, e);

	if (r < 0 || !state->master_place.module)
		return r < 0 ? r : master_load(&state->top, server, secret_bytes(&state->passphrase), e);
	server->master_away = true;
	memcpy(server->check, state->master_place.check, sizeof(server->check));
	return 0;
}

/* Folders that an older state has not: under the lock, as whoever had it before may have made them. */
static int open_newer_folders(struct kf_state *state, struct kf_error *e)
{
	int r = 0;

	if (folder_has(&state->top, "hsms"))
		r = folder_open(state->top.fd, "hsms", &state->hsms, e);
	if (r == 0 && folder_has(&state->top, "dkeks"))
		r = folder_open(state->top.fd, "dkeks", &state->dkeks, e);
	return r;
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
		r = open_newer_folders(state, e);
	if (r == 0)
		r = read_mark(state, &encrypted, e);
	if (r == 0)
		r = kf_server_new(&state->server, e);
	if (r == 0)
		r = policy_load(&state->top, state->server, e);
	if (r == 0)
		r = load_injector(state, BYTES(passphrase, passphrase_len), e);
	if (r == 0)
		r = load_master(state, e);
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

int state_need_folder(struct kf_state *state, const char *name, struct folder *folder, struct kf_error *e)
{
	int r;

	if (folder->fd >= 0)
		return 0;
	r = folder_make(state->top.fd, name, folder, e);
	return r == 0 && fsync(state->top.fd) < 0 ? -errno : r;
}

/* What a move that was interrupted has left goes when the keeper has proved that it has the same. */
static int try_keeper(struct kf_state *state, struct kf_error *e)
{
	int r = master_try_keeper(state->server, e);

	return r < 0 || !state->server->master_away ? r : master_remove(&state->top, e);
}

int state_need_master(struct kf_state *state, struct kf_error *e)
{
	if (state->server->master_away || state->server->keeper.mac)
		return try_keeper(state, e);
	if (state->locked)
		return error_why(e, -ENOKEY, "the state is encrypted", "give its passphrase",
				 "the master of shared keys is locked");
	return state->server->master.n ? 0 : master_make(&state->top, state->server,
							 secret_bytes(&state->passphrase), e);
}

int kf_state_share(struct kf_state *state, const char *serial, const char *path,
		   struct kf_error *e)
{
	int r = 0;

	if (!serial_is_valid(BYTES(serial, strlen(serial))))
		r = error_why(e, -EINVAL, "docs/card-application.md 1",
			      "a serial is 1 to 32 of A-Z a-z 0-9 . -", "%s is no serial", serial);
	if (r == 0)
		r = state_need_master(state, e);
	if (r == 0)
		r = master_share(state->server, serial, path, e);
	return error_what(e, r, "cannot make the shared keys of card %s", serial);
}

int kf_state_set_methods(struct kf_state *state, const uint8_t *methods, size_t n,
			 struct kf_error *e)
{
	int r = kf_server_set_methods(state->server, methods, n, e);

	if (r == 0)
		r = policy_keep(&state->top, state->server, e);
	return error_what(e, r, "cannot set the methods");
}

struct kf_server *kf_state_server(struct kf_state *state)
{
	return state->server;
}
