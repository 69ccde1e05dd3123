// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/cmd_server_master.c - keyferry server master: which master the shared keys of cards come from, and
 * having it in a token.
 */
#include "base/error.h"
#include "libserver/json/object.h"
#include "tools/args.h"
#include "tools/byok.h"
#include "tools/master_token.h"
#include "tools/server_state.h"

/* The command line. */
struct server_master {
	const char *dir, *id_text;
	struct key_name key;
	uint8_t id[SOURCE_ID_MAX];
	bool make;
	int passphrase_fd, pin_fd;
};

/* --- showing it --- */

static const char *words(int r, const struct kf_server *server, struct kf_error *e,
			 char check[static 2 * KF_MASTER_CHECK_SIZE + 1])
{
	uint8_t value[KF_MASTER_CHECK_SIZE];
	int known = kf_server_master_check(server, value, e);

	*check = '\0';
	if (known == 0)
		hex_print(BYTES_OF(value), check);
	if (r == 0)
		return "in a token";
	return known == 0 ? "in the state" : known == -ENOKEY ? "in the state, encrypted"
					   : known == -EACCES ? "none yet" : NULL;
}

static int report(const struct ui *ui, struct kf_state *state, const struct master_token *token)
{
	char check[2 * KF_MASTER_CHECK_SIZE + 1], id[2 * SOURCE_ID_MAX + 1] = "";
	struct kf_master_place place = { .size = sizeof(place) };
	struct kf_error e = KF_ERROR_INIT;
	int r = kf_state_master_place(state, &place);
	const char *where = words(r, kf_state_server(state), &e, check);

	if (!where)
		return ui_fail(ui, &e);
	if (place.id_len > 0)
		hex_print(BYTES(place.id, place.id_len), id);
	ui_say(ui, "master: %s", where);
	if (*check)
		ui_say(ui, "check:  %s", check);
	if (r == 0) {
		ui_say(ui, "token:  %s", place.token);
		ui_say(ui, "key:    %s%s%s", place.label ? place.label : "", place.label && *id ? ", id " : *id ? "id " : "", id);
		ui_say(ui, "module: %s", place.module);
	}
	if (token && token->extractable)
		ui_say(ui, "warning: this master can leave its token (CKA_EXTRACTABLE is true): whoever may wrap keys "
		       "there can take it, and with it every key shared with a card");
	return ui_json(ui, json_pack("{s:s,s:s*,s:s*,s:s*,s:s*,s:s*,s:o*}", "master", where, "check",
				     *check ? check : NULL, "token", place.token, "label", place.label, "id",
				     *id ? id : NULL, "module", place.module, "extractable",
				     token ? json_boolean(token->extractable) : NULL));
}

static int show(const struct ui *ui, const struct server_master *want)
{
	_cleanup_(kf_state_closep) struct kf_state *state = NULL;
	struct kf_error e = KF_ERROR_INIT;
	int r = server_state_open(want->dir, &state, &e);

	return r < 0 ? ui_fail(ui, &e) : report(ui, state, NULL);
}

/* --- having it in a token --- */

/* Another master than the state's is of no use, so none is made where there is one. */
static int check_none(struct kf_state *state, struct kf_error *e)
{
	uint8_t check[KF_MASTER_CHECK_SIZE];
	int r = kf_server_master_check(kf_state_server(state), check, e);

	if (r == -EACCES)
		return 0;
	return r < 0 ? r : error_why(e, -EEXIST, "cards have keys of the state's master",
				     "bring that one into the token and leave --make out, or begin with a new state",
				     "the state has a master already");
}

static int move(const struct server_master *want, struct kf_state *state, struct master_token *token,
		struct kf_error *e)
{
	const struct kf_master_place place = {
		.size = sizeof(place), .module = want->key.module, .token = want->key.token,
		.label = want->key.label, .id = want->key.id.p, .id_len = want->key.id.n,
	};
	struct kf_master_keeper keeper = master_token_keeper(token);
	int r = want->make ? check_none(state, e) : 0;

	if (r == 0)
		r = master_token_open(token, e);
	return r < 0 ? r : kf_state_move_master(state, &place, &keeper, e);
}

static int take(const struct ui *ui, const struct server_master *want)
{
	_cleanup_(master_token_close) struct master_token token = MASTER_TOKEN_INIT;
	_cleanup_(kf_state_closep) struct kf_state *state = NULL;
	struct kf_error e = KF_ERROR_INIT;
	int r = server_state_unlock(want->dir, want->passphrase_fd, &state, &e);

	token.name = want->key;
	token.pin_fd = want->pin_fd;
	token.make = want->make;
	if (r == 0)
		r = move(want, state, &token, &e);
	if (error_what(&e, r, "cannot take the master that is in a token") < 0)
		return ui_fail(ui, &e);
	return report(ui, state, &token);
}

/* --- the command line --- */

static int check(const struct ui *ui, struct server_master *want)
{
	size_t n = 0;

	if (!want->dir)
		return ui_usage(ui, "--state is missing");
	if (!want->key.module && (want->key.token || want->key.label || want->id_text || want->make ||
				  want->pin_fd >= 0 || want->passphrase_fd >= 0))
		return ui_usage(ui, "--token, --label, --id, --make, --pin-fd and --passphrase-fd belong to --pkcs11");
	if (want->key.module && (!want->key.token || (!want->key.label && !want->id_text)))
		return ui_usage(ui, "--pkcs11 needs --token, and --label or --id");
	if (want->key.label && !*want->key.label)
		return ui_usage(ui, "--label is empty");
	if (want->id_text && byok_parse_digits(want->id_text, want->id, sizeof(want->id), &n) < 0)
		return ui_usage(ui, "--id wants hexadecimal digits, at most %d bytes", SOURCE_ID_MAX);
	want->key.id = n > 0 ? BYTES(want->id, n) : BYTES_NONE;
	return UI_OK;
}

int cmd_server_master(int argc, char **argv)
{
	struct ui ui = { .command = "keyferry server master" };
	struct server_master want = { .passphrase_fd = -1, .pin_fd = -1 };
	int code;
	const struct arg args[] = {
		{ "state", 0, ARG_TEXT, &want.dir, "DIR", "the server's state" },
		{ "pkcs11", 0, ARG_TEXT, &want.key.module, "MODULE",
		  "from now on the master is in a token of this module" },
		{ "token", 0, ARG_TEXT, &want.key.token, "T", "the token's label" },
		{ "label", 0, ARG_TEXT, &want.key.label, "L", "the key's label" },
		{ "id", 0, ARG_TEXT, &want.id_text, "HEX", "the key's CKA_ID" },
		{ "make", 0, ARG_FLAG, &want.make, NULL, "make the key there, by that name" },
		{ "pin-fd", 0, ARG_FD, &want.pin_fd, "N", "read the token's PIN from a descriptor" },
		{ "passphrase-fd", 0, ARG_FD, &want.passphrase_fd, "N",
		  "passphrase of the state, from descriptor N" },
		{ "json", 0, ARG_FLAG, &ui.json, NULL, "print one JSON object" },
		ARG_END
	};
	const struct arg_tables tables = {
		"Show which master the keys shared with cards come from, or have it in a PKCS #11 token.", args,
		NULL,
	};

	if (!args_parse(&ui, &tables, argc, argv, &code))
		return code;
	code = check(&ui, &want);
	if (code != UI_OK)
		return code;
	return want.key.module ? take(&ui, &want) : show(&ui, &want);
}
