// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libserver/master_place.h"
#include "base/error.h"
#include "libserver/keeper.h"
#include "libserver/master.h"
#include "libserver/state.h"

enum { FILE_MAX = 16384, TEXT_MAX = 4096, ID_MAX = 64 };

static const char file_name[] = "master.json";

void master_place_deinit(struct master_place *place)
{
	free(place->module);
	free(place->token);
	free(place->label);
	blob_deinit(&place->id);
	*place = MASTER_PLACE_INIT;
}

/* --- names --- */

static bool is_text(const char *text)
{
	json_t *value = text && *text && strlen(text) <= TEXT_MAX ? json_string(text) : NULL;
	bool is = value != NULL;	/* which is of UTF-8 alone */

	json_decref(value);
	return is;
}

/* Whatever is wrong with the names, or NULL. */
static const char *fault(const char *module, const char *token, const char *label, struct bytes id)
{
	if (!is_text(module) || module[0] != '/')
		return "the module is not named by its whole path";
	if (!is_text(token))
		return "the token is not named";
	if (label ? !is_text(label) : id.n == 0)
		return "the key is not named";
	return id.n > ID_MAX ? "the key's id is too long" : NULL;
}

int master_place_set(struct master_place *place, const struct kf_master_place *from, struct kf_error *e)
{
	struct bytes id = from->id ? BYTES(from->id, from->id_len) : BYTES_NONE;
	const char *wrong = from->size == sizeof(*from)
			    ? fault(from->module, from->token, from->label, id) : "its size is not set";

	if (wrong)
		return error_why(e, -EINVAL, "a state is used from any folder, docs/formats.md 9",
				 "name module, token and key", "%s", wrong);
	place->module = strdup(from->module);
	place->token = strdup(from->token);
	place->label = from->label ? strdup(from->label) : NULL;
	if (!place->module || !place->token || !from->label != !place->label)
		return -ENOMEM;
	return id.n > 0 ? blob_set(&place->id, id) : 0;
}

/* --- the file --- */

static char *take_text(struct json_in *in, const char *name)
{
	char *copy = in->r == 0 ? strdup(json_in_text(in, name)) : NULL;

	if (in->r == 0 && !copy)
		in->r = -ENOMEM;
	return copy;
}

static void take(struct json_in *in, struct master_place *place)
{
	const char *wrong;

	place->module = take_text(in, "module");
	place->token = take_text(in, "token");
	if (json_in_has(in, "label"))
		place->label = take_text(in, "label");
	if (json_in_has(in, "id"))
		json_in_blob(in, "id", ID_MAX, &place->id);
	json_in_copy(in, "check", place->check, sizeof(place->check));
	wrong = in->r == 0 ? fault(place->module, place->token, place->label, blob_bytes(&place->id)) : NULL;
	if (wrong)
		json_in_fail(in, "module", wrong);
}

int master_place_load(const struct folder *top, struct master_place *place, struct kf_error *e)
{
	_cleanup_(master_place_deinit) struct master_place found = MASTER_PLACE_INIT;
	_cleanup_(blob_deinit) struct blob text = BLOB_INIT;
	struct json_in in;
	int r;

	if (!folder_has(top, file_name))
		return 0;
	r = folder_read(top, file_name, FILE_MAX, &text, e);
	if (r < 0)
		return r;
	in = json_in_begin(blob_bytes(&text), "keyferry-master", "master", e);
	take(&in, &found);
	r = json_in_end(&in);
	if (r < 0)
		return r;
	*place = found;
	found = MASTER_PLACE_INIT;
	return 0;
}

int master_place_keep(const struct folder *top, const struct master_place *place, struct kf_error *e)
{
	_cleanup_(freep) char *text = NULL;
	json_t *object = json_out_begin("keyferry-master");
	size_t len = 0;
	int r;

	json_out(&object, "module", json_string(place->module));
	json_out(&object, "token", json_string(place->token));
	if (place->label)
		json_out(&object, "label", json_string(place->label));
	if (place->id.n > 0)
		json_out(&object, "id", json_out_bytes(blob_bytes(&place->id)));
	json_out(&object, "check", json_out_bytes(BYTES_OF(place->check)));
	r = json_out_end(object, &text, &len, e);
	return r < 0 ? r : folder_write(top, file_name, BYTES(text, len), e);
}

/* --- of a state --- */

int kf_state_master_place(const struct kf_state *state, struct kf_master_place *out)
{
	const struct master_place *place = &state->master_place;

	if (!place->module)
		return -ENOENT;
	if (out->size != sizeof(*out))
		return -EINVAL;
	*out = (struct kf_master_place){
		.size = sizeof(*out), .module = place->module, .token = place->token,
		.label = place->label, .id = place->id.p, .id_len = place->id.n,
	};
	return 0;
}

/* Cards have keys of the one there is, so another one would be of no use to them. */
static int check_same(struct kf_state *state, const struct master_place *place, struct kf_error *e)
{
	struct kf_server *server = state->server;
	uint8_t check[KF_MASTER_CHECK_SIZE];
	int r = 0;

	/* The file decides, and not a keeper that somebody has set before. */
	if (!server->master_away)
		r = kf_server_set_master_keeper(server, NULL, e);
	if (r == 0 && !server->master_away)
		r = master_load(&state->top, server, secret_bytes(&state->passphrase), e);
	if (r < 0)
		return r;
	r = kf_server_master_check(server, check, e);
	if (r < 0)
		return r == -EACCES ? 0 : r;	/* there is none */
	if (bytes_equal(BYTES_OF(check), BYTES_OF(place->check)))
		return 0;
	return error_why(e, -EEXIST, "cards have keys of the state's master",
			 "bring the same master into the token, or begin with a new state",
			 "the token's key is another master than the state's");
}

static int adopt(struct kf_state *state, struct master_place *place, const struct kf_master_keeper *keeper,
		 struct kf_error *e)
{
	int r = kf_server_set_master_keeper(state->server, keeper, e);

	if (r < 0)
		return r;
	state->server->master_away = true;
	memcpy(state->server->check, place->check, sizeof(place->check));
	master_place_deinit(&state->master_place);
	state->master_place = *place;
	*place = MASTER_PLACE_INIT;
	return 0;
}

static int move(struct kf_state *state, struct master_place *place, const struct kf_master_place *to,
		const struct kf_master_keeper *keeper, struct kf_error *e)
{
	int r = master_place_set(place, to, e);

	if (r == 0 && (keeper->size != sizeof(*keeper) || !keeper->mac))
		r = -EINVAL;
	if (r == 0)
		r = keeper_check(keeper, place->check, e);
	if (r == 0)
		r = check_same(state, place, e);
	if (r == 0)
		r = master_place_keep(&state->top, place, e);
	if (r == 0)
		r = adopt(state, place, keeper, e);
	return r < 0 ? r : master_remove(&state->top, e);
}

int kf_state_move_master(struct kf_state *state, const struct kf_master_place *to,
			 const struct kf_master_keeper *keeper, struct kf_error *e)
{
	_cleanup_(master_place_deinit) struct master_place place = MASTER_PLACE_INIT;

	return error_what(e, move(state, &place, to, keeper, e), "cannot take the master that is in a token");
}
