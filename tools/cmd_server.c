// SPDX-License-Identifier: LGPL-2.1-or-later
/* tools/cmd_server.c - keyferry server: make a state, and keep its list of cards. */
#include "base/error.h"
#include "format/numbers.h"
#include "libserver/json/object.h"
#include "tools/args.h"
#include "tools/master_token.h"
#include "tools/server_state.h"
#include "tools/table.h"

enum { PEM_MAX = 1 << 20 };

static void freep_file(uint8_t **data)
{
	free(*data);
	*data = NULL;
}

/* --- init --- */

static int init(struct ui *ui, const char *dir, bool encrypt, int passphrase_fd)
{
	_cleanup_(secret_deinit) struct secret passphrase = SECRET_INIT, again = SECRET_INIT;
	struct kf_error e = KF_ERROR_INIT;
	int r = 0;

	if (encrypt || passphrase_fd >= 0)
		r = passphrase_get(passphrase_fd, "New passphrase of the injector key",
				   &passphrase, &e);
	if (r == 0 && passphrase.n > 0 && passphrase_fd < 0)
		r = passphrase_get(-1, "The same once more", &again, &e);
	if (r == 0 && again.p && !secret_equal(&passphrase, &again))
		r = error_why(&e, -EINVAL, "typed twice, to be sure", "try again",
			      "the two passphrases differ");
	if (r == 0)
		r = kf_state_init(dir, passphrase.p, passphrase.n, &e);
	if (error_what(&e, r, "cannot make a server state") < 0)
		return ui_fail(ui, &e);
	ui_say(ui, "state:    %s", dir);
	ui_say(ui, "injector: %s/injector.pub.pem (for the cards' maker)", dir);
	return ui_json(ui, json_pack("{s:s,s:o}", "state", dir, "injector",
				     json_sprintf("%s/injector.pub.pem", dir)));
}

static int cmd_server_init(int argc, char **argv)
{
	struct ui ui = { .command = "keyferry server init" };
	const char *dir = NULL;
	bool encrypt = false;
	int fd = -1, code;
	const struct arg args[] = {
		{ "state", 0, ARG_TEXT, &dir, "DIR", "directory to make" },
		{ "passphrase", 0, ARG_FLAG, &encrypt, NULL, "encrypt the injector key; asks" },
		{ "passphrase-fd", 0, ARG_FD, &fd, "N", "the same, read from descriptor N" },
		{ "json", 0, ARG_FLAG, &ui.json, NULL, "print one JSON object" },
		ARG_END
	};
	const struct arg_tables tables = { "Make a server state with a fresh injector key.", args,
					   NULL };

	if (!args_parse(&ui, &tables, argc, argv, &code))
		return code;
	if (!dir)
		return ui_usage(&ui, "--state is missing");
	return init(&ui, dir, encrypt, fd);
}

/* --- enroll --- */

struct enroll {
	const char *dir, *cert, *root, *crl;
	bool allow_virtual;
};

/* How a card-verifiable certificate begins, and neither DER nor PEM of an X.509 one. */
static bool is_of_an_hsm(const uint8_t *cert, size_t len)
{
	return len >= 2 && cert[0] == 0x7f && cert[1] == 0x21;
}

static int refuse_crl(struct kf_error *e)
{
	return error_why(e, -EINVAL, "certificates of SmartCard-HSMs, docs/formats.md 16",
			 "leave out --crl; a card that is lost is forgotten: keyferry server forget",
			 "there are no revocation lists for such a card");
}

static int enroll_files(const struct enroll *want, struct kf_state *state, struct kf_error *e)
{
	_cleanup_(freep_file) uint8_t *cert = NULL, *root = NULL, *crl = NULL;
	size_t cert_len = 0, root_len = 0, crl_len = 0;
	int r;

	r = ui_file_read(want->cert, PEM_MAX, &cert, &cert_len, e);
	if (r == 0)
		r = ui_file_read(want->root, PEM_MAX, &root, &root_len, e);
	if (r == 0 && want->crl)
		r = ui_file_read(want->crl, PEM_MAX, &crl, &crl_len, e);
	if (r == 0 && is_of_an_hsm(cert, cert_len))
		return want->crl ? refuse_crl(e)
				 : kf_state_hsm_enroll(state, cert, cert_len, root, root_len,
						       want->allow_virtual, e);
	if (r == 0)
		r = kf_state_enroll(state, cert, cert_len, root, root_len, crl, crl_len,
				    want->allow_virtual, e);
	return r;
}

static int enroll(const struct ui *ui, const struct enroll *want)
{
	_cleanup_(kf_state_closep) struct kf_state *state = NULL;
	struct kf_error e = KF_ERROR_INIT;
	int r;

	r = server_state_open(want->dir, &state, &e);
	if (r == 0)
		r = enroll_files(want, state, &e);
	if (error_what(&e, r, "cannot enroll the card") < 0)
		return ui_fail(ui, &e);
	ui_say(ui, "enrolled: %s", want->cert);
	return ui_json(ui, json_pack("{s:s}", "enrolled", want->cert));
}

static int cmd_server_enroll(int argc, char **argv)
{
	struct ui ui = { .command = "keyferry server enroll" };
	struct enroll want = { 0 };
	int code;
	const struct arg args[] = {
		{ "state", 0, ARG_TEXT, &want.dir, "DIR", "the server's state" },
		{ "cert", 0, ARG_TEXT, &want.cert, "FILE", "the card's device certificate, or of a "
		  "SmartCard-HSM what card show --cert wrote" },
		{ "root", 0, ARG_TEXT, &want.root, "FILE", "its maker's root certificate" },
		{ "crl", 0, ARG_TEXT, &want.crl, "FILE", "the root's revocation list" },
		{ "allow-virtual", 0, ARG_FLAG, &want.allow_virtual, NULL,
		  "the card may be software" },
		{ "json", 0, ARG_FLAG, &ui.json, NULL, "print one JSON object" },
		ARG_END
	};
	const struct arg_tables tables = { "Remember a card that keys may be sealed for.", args,
					   NULL };

	if (!args_parse(&ui, &tables, argc, argv, &code))
		return code;
	if (!want.dir || !want.cert || !want.root)
		return ui_usage(&ui, "--state, --cert and --root are needed");
	return enroll(&ui, &want);
}

/* --- list --- */

static const struct table_column list_columns[] = {
	{ "SERIAL", TABLE_TEXT }, { "CARD", TABLE_TEXT }, { "LEVEL", TABLE_TEXT },
	{ "STATUS", TABLE_TEXT }, { "FINGERPRINT", TABLE_TEXT },
};

/* Rows of one kind of card. */
struct list {
	struct libscols_table *table;
	const char *card;
};

static int list_row(void *arg, const char *serial, const char *fingerprint, int is_virtual,
		    int refused)
{
	const struct list *list = arg;
	struct libscols_line *row = table_row(list->table);

	table_cell(row, 0, "%s", serial);
	table_cell(row, 1, "%s", list->card);
	table_cell(row, 2, "%s", is_virtual ? "virtual" : "chip");
	table_cell(row, 3, "%s", refused ? "refused" : "ok");
	table_cell(row, 4, "%s", fingerprint);
	return 0;
}

static int list_all(struct kf_state *state, struct libscols_table *table, struct kf_error *e)
{
	struct list own = { table, "keyferry" }, hsms = { table, "schsm" };
	int r = kf_state_each_card(state, list_row, &own, e);

	return r < 0 ? r : kf_state_each_hsm(state, list_row, &hsms, e);
}

static int cmd_server_list(int argc, char **argv)
{
	struct ui ui = { .command = "keyferry server list" };
	_cleanup_(kf_state_closep) struct kf_state *state = NULL;
	struct kf_error e = KF_ERROR_INIT;
	struct libscols_table *table = NULL;
	const char *dir = NULL;
	int code, r;
	const struct arg args[] = {
		{ "state", 0, ARG_TEXT, &dir, "DIR", "the server's state" },
		{ "json", 0, ARG_FLAG, &ui.json, NULL, "print one JSON object" },
		ARG_END
	};
	const struct arg_tables tables = { "List the enrolled cards.", args, NULL };

	if (!args_parse(&ui, &tables, argc, argv, &code))
		return code;
	if (!dir)
		return ui_usage(&ui, "--state is missing");
	r = server_state_open(dir, &state, &e);
	if (r < 0)
		return ui_fail(&ui, &e);
	code = table_new(&ui, "cards", list_columns, sizeof(list_columns) / sizeof(list_columns[0]), &table);
	if (code != UI_OK)
		return code;
	r = list_all(state, table, &e);
	if (r == 0)
		return table_print(table);
	table_drop(table);		/* half a list under --json would be a second object */
	return ui_fail(&ui, &e);
}

/* --- show --- */

static int show_facts(const struct ui *ui, const char *card, const char *serial, bool is_virtual,
		      const char *fingerprint)
{
	const char *level = is_virtual ? "virtual" : "chip";

	ui_say(ui, "serial:      %s", serial);
	ui_say(ui, "card:        %s", card);
	ui_say(ui, "level:       %s", level);
	ui_say(ui, "fingerprint: %s", fingerprint);
	ui_say(ui, "status:      ok");
	return ui_json(ui, json_pack("{s:s,s:s,s:s,s:s,s:s}", "serial", serial, "card", card, "level", level,
				     "fingerprint", fingerprint, "status", "ok"));
}

static int show(const struct ui *ui, const char *dir, const char *name)
{
	_cleanup_(kf_state_closep) struct kf_state *state = NULL;
	struct kf_error e = KF_ERROR_INIT;
	struct kf_enrolled *card = NULL;
	struct kf_hsm *hsm = NULL;
	int r, code;

	r = server_state_open(dir, &state, &e);
	if (r == 0)
		r = kf_state_card(state, name, &card, &e);
	if (r == -ENOENT && state)
		r = kf_state_hsm(state, name, &hsm, &e);
	if (r < 0)
		return ui_fail(ui, &e);
	code = card ? show_facts(ui, "keyferry", kf_enrolled_serial(card), kf_enrolled_is_virtual(card),
				 kf_enrolled_fingerprint(card))
		    : show_facts(ui, "schsm", kf_hsm_serial(hsm), kf_hsm_is_virtual(hsm),
				 kf_hsm_fingerprint(hsm));
	kf_enrolled_free(card);
	kf_hsm_free(hsm);
	return code;
}

static int cmd_server_show(int argc, char **argv)
{
	struct ui ui = { .command = "keyferry server show" };
	const char *dir = NULL, *device = NULL;
	int code;
	const struct arg args[] = {
		{ "state", 0, ARG_TEXT, &dir, "DIR", "the server's state" },
		{ "device", 0, ARG_TEXT, &device, "D", "serial or fingerprint" },
		{ "json", 0, ARG_FLAG, &ui.json, NULL, "print one JSON object" },
		ARG_END
	};
	const struct arg_tables tables = {
		"Show an enrolled card, or say why it is refused today.", args, NULL,
	};

	if (!args_parse(&ui, &tables, argc, argv, &code))
		return code;
	if (!dir || !device)
		return ui_usage(&ui, "--state and --device are needed");
	return show(&ui, dir, device);
}

/* --- forget --- */

static int forget(const struct ui *ui, const char *dir, const char *name)
{
	_cleanup_(kf_state_closep) struct kf_state *state = NULL;
	struct kf_error e = KF_ERROR_INIT;
	int r = server_state_open(dir, &state, &e);

	if (r == 0)
		r = kf_state_hsm_forget(state, name, &e);
	if (r < 0)
		return ui_fail(ui, &e);
	ui_say(ui, "forgotten: %s", name);
	return ui_json(ui, json_pack("{s:s}", "forgotten", name));
}

static int cmd_server_forget(int argc, char **argv)
{
	struct ui ui = { .command = "keyferry server forget" };
	const char *dir = NULL, *device = NULL;
	int code;
	const struct arg args[] = {
		{ "state", 0, ARG_TEXT, &dir, "DIR", "the server's state" },
		{ "device", 0, ARG_TEXT, &device, "D", "a SmartCard-HSM, by serial or fingerprint" },
		{ "json", 0, ARG_FLAG, &ui.json, NULL, "print one JSON object" },
		ARG_END
	};
	const struct arg_tables tables = {
		"Forget a SmartCard-HSM: what it signs counts no more. Other cards are revoked, by crl.", args,
		NULL,
	};

	if (!args_parse(&ui, &tables, argc, argv, &code))
		return code;
	if (!dir || !device)
		return ui_usage(&ui, "--state and --device are needed");
	return forget(&ui, dir, device);
}

/* --- dkek --- */

struct dkek {
	const char *dir, *check_value;
	bool on_host, complete;
};

static const struct table_column dkek_columns[] = {
	{ "CHECK VALUE", TABLE_TEXT }, { "GRADE", TABLE_TEXT }, { "ON HOST", TABLE_BOOL },
	{ "COMPLETE", TABLE_BOOL }, { "CARDS", TABLE_NUMBER },
};

static int dkek_row(void *arg, const struct kf_dkek_facts *facts)
{
	struct libscols_line *row = table_row(arg);
	char text[2 * KF_FLEET_CHECK_SIZE + 1];

	hex_print(BYTES(facts->check_value, KF_FLEET_CHECK_SIZE), text);
	table_cell(row, 0, "%s", text);
	table_cell(row, 1, "%s", kf_grade_name(facts->grade));
	table_cell(row, 2, "%d", facts->on_host);
	table_cell(row, 3, "%d", facts->complete);
	table_cell(row, 4, "%zu", facts->n_cards);
	return 0;
}

static int list_dkeks(const struct ui *ui, struct kf_state *state)
{
	struct libscols_table *table = NULL;
	struct kf_error e = KF_ERROR_INIT;
	int code = table_new(ui, "dkeks", dkek_columns, sizeof(dkek_columns) / sizeof(dkek_columns[0]),
			     &table);

	if (code != UI_OK)
		return code;
	if (kf_state_each_dkek(state, dkek_row, table, &e) == 0)
		return table_print(table);
	table_drop(table);
	return ui_fail(ui, &e);
}

/* In the digits that keyferry dkek status shows, or in those of keyferry seal. */
static int parse_check_value(const char *text, uint8_t out[static KF_FLEET_CHECK_SIZE])
{
	char lower[2 * KF_FLEET_CHECK_SIZE + 2];

	(void)snprintf(lower, sizeof(lower), "%s", text);
	for (char *c = lower; *c; c++)
		*c = *c >= 'A' && *c <= 'F' ? (char)(*c + 'a' - 'A') : *c;
	return hex_parse(lower, out, KF_FLEET_CHECK_SIZE);
}

static int note_dkek(const struct dkek *want, struct kf_state *state, struct kf_error *e)
{
	uint8_t check_value[KF_FLEET_CHECK_SIZE];
	const struct kf_dkek_note note = {
		.size = sizeof(note), .check_value = check_value, .on_host = want->on_host,
		.complete = want->complete,
	};

	if (parse_check_value(want->check_value, check_value) < 0)
		return error_why(e, -EINVAL, "a check value has 16 hexadecimal digits",
				 "keyferry dkek status shows a card's", "%s is none", want->check_value);
	return kf_state_dkek_note(state, &note, e);
}

static int do_dkek(const struct ui *ui, const struct dkek *want)
{
	_cleanup_(kf_state_closep) struct kf_state *state = NULL;
	struct kf_error e = KF_ERROR_INIT;
	int r = server_state_open(want->dir, &state, &e);

	if (r == 0 && want->check_value)
		r = note_dkek(want, state, &e);
	if (error_what(&e, r, "cannot note how the DKEK came to its cards") < 0)
		return ui_fail(ui, &e);
	return list_dkeks(ui, state);
}

static int cmd_server_dkek(int argc, char **argv)
{
	struct ui ui = { .command = "keyferry server dkek" };
	struct dkek want = { 0 };
	int code;
	const struct arg args[] = {
		{ "state", 0, ARG_TEXT, &want.dir, "DIR", "the server's state" },
		{ "check-value", 0, ARG_TEXT, &want.check_value, "HEX", "the DKEK to note something of" },
		{ "on-host", 0, ARG_FLAG, &want.on_host, NULL,
		  "a host has seen a share of it: grade C, for good" },
		{ "complete", 0, ARG_FLAG, &want.complete, NULL,
		  "you vouch that its shares came to no card by a way that is not noted" },
		{ "json", 0, ARG_FLAG, &ui.json, NULL, "print one JSON object" },
		ARG_END
	};
	const struct arg_tables tables = {
		"Show, or note, how the shares of DKEKs came to their cards.", args, NULL,
	};

	if (!args_parse(&ui, &tables, argc, argv, &code))
		return code;
	if (!want.dir)
		return ui_usage(&ui, "--state is missing");
	if (!want.check_value != !(want.on_host || want.complete))
		return ui_usage(&ui, "--check-value and what to note of it belong together");
	return do_dkek(&ui, &want);
}

/* --- crl --- */

static int set_crl(const struct ui *ui, const char *dir, const char *path)
{
	_cleanup_(kf_state_closep) struct kf_state *state = NULL;
	_cleanup_(freep_file) uint8_t *crl = NULL;
	struct kf_error e = KF_ERROR_INIT;
	unsigned int n = 0;
	size_t len = 0;
	int r;

	r = ui_file_read(path, PEM_MAX, &crl, &len, &e);
	if (r == 0)
		r = server_state_open(dir, &state, &e);
	if (r == 0)
		r = kf_state_set_crl(state, crl, len, &n, &e);
	if (r < 0)
		return ui_fail(ui, &e);
	ui_say(ui, "revocation list enrolled for %u card%s", n, n == 1 ? "" : "s");
	return ui_json(ui, json_pack("{s:i}", "cards", (int)n));
}

static int cmd_server_crl(int argc, char **argv)
{
	struct ui ui = { .command = "keyferry server crl" };
	const char *dir = NULL, *crl = NULL;
	int code;
	const struct arg args[] = {
		{ "state", 0, ARG_TEXT, &dir, "DIR", "the server's state" },
		{ "crl", 0, ARG_TEXT, &crl, "FILE", "the root's current revocation list" },
		{ "json", 0, ARG_FLAG, &ui.json, NULL, "print one JSON object" },
		ARG_END
	};
	const struct arg_tables tables = {
		"Take a newer revocation list for all cards of the root that issued it.", args,
		NULL,
	};

	if (!args_parse(&ui, &tables, argc, argv, &code))
		return code;
	if (!dir || !crl)
		return ui_usage(&ui, "--state and --crl are needed");
	return set_crl(&ui, dir, crl);
}

/* --- methods --- */

static int show_methods(const struct ui *ui, struct kf_state *state)
{
	uint8_t methods[METHODS_MAX];
	size_t n = kf_server_methods(kf_state_server(state), methods);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		const char *name = method_name((enum kf_method)methods[i]);

		ui_say(ui, "%zu. %s", i + 1, name);
		(void)json_array_append_new(list, json_string(name));
	}
	return ui_json(ui, json_pack("{s:o}", "methods", list));
}

static int do_methods(const struct ui *ui, const char *dir, const uint8_t *methods, size_t n)
{
	_cleanup_(kf_state_closep) struct kf_state *state = NULL;
	struct kf_error e = KF_ERROR_INIT;
	int r = server_state_open(dir, &state, &e);

	if (r == 0 && n > 0)
		r = kf_state_set_methods(state, methods, n, &e);
	return r < 0 ? ui_fail(ui, &e) : show_methods(ui, state);
}

static int cmd_server_methods(int argc, char **argv)
{
	struct ui ui = { .command = "keyferry server methods" };
	const char *dir = NULL, *list = NULL;
	uint8_t methods[METHODS_MAX];
	size_t n = 0;
	int code;
	const struct arg args[] = {
		{ "state", 0, ARG_TEXT, &dir, "DIR", "the server's state" },
		{ "set", 0, ARG_TEXT, &list, "LIST", "the methods accepted from now on, best first" },
		{ "json", 0, ARG_FLAG, &ui.json, NULL, "print one JSON object" },
		ARG_END
	};
	const struct arg_tables tables = {
		"Show, or set, by which methods session keys may be established.", args, NULL,
	};

	if (!args_parse(&ui, &tables, argc, argv, &code))
		return code;
	if (!dir)
		return ui_usage(&ui, "--state is missing");
	if (list && methods_parse(list, methods, &n) < 0)
		return ui_usage(&ui, "--set wants a list, best first, like ecdh,rsa");
	return do_methods(&ui, dir, methods, n);
}

/* --- shared --- */

/* Descriptors that the secrets which open a state are read from. */
struct fds {
	int passphrase, token_pin;
};

static int share(const struct ui *ui, const char *dir, struct fds fds, const char *serial,
		 const char *path)
{
	_cleanup_(master_token_close) struct master_token token = MASTER_TOKEN_INIT;
	_cleanup_(kf_state_closep) struct kf_state *state = NULL;
	struct kf_error e = KF_ERROR_INIT;
	int r = server_state_unlock(dir, fds.passphrase, &state, &e);

	if (r == 0)
		r = master_token_attach(&token, state, fds.token_pin, &e);
	if (r == 0)
		r = kf_state_share(state, serial, path, &e);
	if (r < 0)
		return ui_fail(ui, &e);
	ui_say(ui, "shared keys of %s: %s", serial, path);
	ui_say(ui, "Give them to the card (keyferry-vreader personalise --shared-key), then delete them.");
	return ui_json(ui, json_pack("{s:s,s:s}", "serial", serial, "file", path));
}

static int cmd_server_shared(int argc, char **argv)
{
	struct ui ui = { .command = "keyferry server shared" };
	const char *dir = NULL, *serial = NULL, *path = NULL;
	struct fds fds = { -1, -1 };
	int code;
	const struct arg args[] = {
		{ "state", 0, ARG_TEXT, &dir, "DIR", "the server's state" },
		{ "serial", 0, ARG_TEXT, &serial, "SERIAL", "the card they are for" },
		{ "output", 'o', ARG_TEXT, &path, "FILE", "a new file; secret" },
		{ "passphrase-fd", 0, ARG_FD, &fds.passphrase, "N",
		  "passphrase of the state, from descriptor N" },
		{ "token-pin-fd", 0, ARG_FD, &fds.token_pin, "N",
		  "PIN of the token that the master is in, from descriptor N" },
		{ "json", 0, ARG_FLAG, &ui.json, NULL, "print one JSON object" },
		ARG_END
	};
	const struct arg_tables tables = {
		"Make the keys that one card shares with this server, for its maker.", args, NULL,
	};

	if (!args_parse(&ui, &tables, argc, argv, &code))
		return code;
	if (!dir || !serial || !path)
		return ui_usage(&ui, "--state, --serial and -o are needed");
	return share(&ui, dir, fds, serial, path);
}

static const struct cmd server_cmds[] = {
	{ "init", "make a state with a fresh injector key", cmd_server_init },
	{ "enroll", "remember a card that keys may be sealed for", cmd_server_enroll },
	{ "list", "list the enrolled cards", cmd_server_list },
	{ "show", "show one card, or why it is refused", cmd_server_show },
	{ "forget", "forget a SmartCard-HSM", cmd_server_forget },
	{ "dkek", "show or note how shares of a DKEK came to cards", cmd_server_dkek },
	{ "crl", "take a newer revocation list", cmd_server_crl },
	{ "methods", "show or set how session keys are established", cmd_server_methods },
	{ "master", "show where the master of shared keys is, or have it in a token", cmd_server_master },
	{ "shared", "make the keys that one card shares with this server", cmd_server_shared },
};

int cmd_server(int argc, char **argv)
{
	return cmd_dispatch("keyferry server", server_cmds,
			    sizeof(server_cmds) / sizeof(server_cmds[0]), argc, argv);
}
