// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/cmd_seal_fleet.c - keyferry seal --card schsm: a key wrapped under a DKEK, with no card and no
 * offer. What such a blob is not is said each time (SECURITY section 8): it opens on every card of the
 * fleet, for ever.
 */
#include "base/error.h"
#include "format/numbers.h"
#include "format/ossl.h"
#include "libserver/json/object.h"
#include "tools/args.h"
#include "tools/seal_offer.h"


enum { FILE_MAX = 1 << 20, LIST_MAX = 64 };

DEFINE_CLEANUP(struct kf_fleet *, kf_fleet_free);

/* The command line; the last ones are made of the texts before them. */
struct seal_fleet {
	const char *card, *dir, *key, *aes, *out, *dkek, *device, *label, *cert;
	struct arg_texts shares;
	uint32_t container;
	const char *usage_text, *ops_text;
	const char *archive_cert, *archive_root, *archive_out;
	bool allow_rewrap, on_host, archive_signing_key;
	int passphrase_fd, share_password_fd;
	enum kf_purpose usage;
	uint8_t ops[LIST_MAX];
	size_t n_ops;
};

/* --- the DKEK --- */

struct share_progress {
	const struct ui *ui;
	const char *path;
};

static void tell_progress(void *arg, unsigned int percent)
{
	const struct share_progress *progress = arg;

	if (percent % 5 == 0)
		ui_progress(progress->ui, "opening %s: %u %%", progress->path, percent);
}

static int add_share_file(const struct ui *ui, const struct seal_fleet *want, const char *path,
			  struct kf_fleet *fleet, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret password = SECRET_INIT;
	_cleanup_(freep) uint8_t *file = NULL;
	struct share_progress progress = { ui, path };
	struct kf_fleet_share_file share = {
		.size = sizeof(share), .progress = tell_progress, .arg = &progress,
	};
	char prompt[256];
	int r = ui_file_read(path, FILE_MAX, &file, &share.file_len, e);

	if (r < 0)
		return r;
	(void)snprintf(prompt, sizeof(prompt), "Password of %.200s", path);
	r = passphrase_get(want->share_password_fd, prompt, &password, e);
	if (r < 0)
		return r;
	share.file = file;
	share.password = password.p;
	share.password_len = password.n;
	return kf_fleet_add_share_file(fleet, &share, e);
}

static int add_dkek(const char *path, struct kf_fleet *fleet, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret dkek = SECRET_INIT;
	int r = ui_secret_from_file(path, KF_FLEET_SHARE_SIZE + 1, &dkek, e);

	return r < 0 ? r : kf_fleet_add_share(fleet, dkek.p, dkek.n, e);
}

static int read_fleet(const struct ui *ui, const struct seal_fleet *want, struct kf_fleet **out,
		      struct kf_error *e)
{
	_cleanup_(kf_fleet_freep) struct kf_fleet *fleet = NULL;
	int r = kf_fleet_new(&fleet, e);

	if (r == 0 && want->dkek)
		r = add_dkek(want->dkek, fleet, e);
	for (size_t i = 0; r == 0 && i < want->shares.n; i++)
		r = add_share_file(ui, want, want->shares.v[i], fleet, e);
	if (r < 0)
		return r;
	kf_fleet_set_on_host(fleet, want->on_host);
	*out = take_ptr(fleet);
	return 0;
}

/* --- the key and what goes with it --- */

/* What there is to tell of a key that is gone. */
struct sealed_key {
	enum kf_key_type type;
	enum kf_purpose purpose;
	char hash[HEX_DIGEST_SIZE];
	enum kf_grade grade;
};

static int read_pair(const struct seal_fleet *want, struct kf_keypair **out, struct sealed_key *key,
		     struct kf_error *e)
{
	int r = seal_key_read(want->key, want->passphrase_fd, out, e);

	if (r == 0 && want->usage_text)
		r = kf_keypair_set_purpose(*out, want->usage, e);
	if (r < 0)
		return r;
	key->type = kf_keypair_type(*out);
	key->purpose = kf_keypair_purpose(*out);
	hex_print(BYTES(kf_keypair_hash(*out), KF_DIGEST_SIZE), key->hash);
	return 0;
}

static int read_aes(const struct seal_fleet *want, struct secret *out, struct sealed_key *key,
		    struct kf_error *e)
{
	int r = ui_secret_from_file(want->aes, 64, out, e);

	key->purpose = KF_PURPOSE_CIPHER;
	key->type = out->n == 16 ? KF_KEY_AES_128 : out->n == 24 ? KF_KEY_AES_192 : KF_KEY_AES_256;
	return r;
}

static int read_recipient(const struct seal_fleet *want, struct kf_archive_recipient **out,
			  struct kf_error *e)
{
	_cleanup_(freep) uint8_t *cert = NULL, *root = NULL;
	size_t cert_len = 0, root_len = 0;
	int r = 0;

	if (!want->archive_cert)
		return 0;
	r = ui_file_read(want->archive_cert, FILE_MAX, &cert, &cert_len, e);
	if (r == 0 && want->archive_root)
		r = ui_file_read(want->archive_root, FILE_MAX, &root, &root_len, e);
	if (r == 0)
		r = kf_archive_recipient_new(cert, cert_len, root, root_len, out, e);
	return r;
}

static int wrap(const struct seal_fleet *want, struct kf_state *state, struct kf_fleet_seal *request,
		struct sealed_key *key, struct kf_error *e)
{
	_cleanup_(kf_archive_recipient_freep) struct kf_archive_recipient *recipient = NULL;
	_cleanup_(kf_keypair_freep) struct kf_keypair *pair = NULL;
	_cleanup_(secret_deinit) struct secret aes = SECRET_INIT;
	_cleanup_(freep) uint8_t *cert = NULL;
	_cleanup_(freep) char *cargo = NULL;
	size_t len = 0;
	int r = want->key ? read_pair(want, &pair, key, e) : read_aes(want, &aes, key, e);

	if (r == 0 && want->cert)
		r = ui_file_read(want->cert, FILE_MAX, &cert, &request->cert_len, e);
	if (r == 0)
		r = read_recipient(want, &recipient, e);
	if (r < 0)
		return r;
	request->pair = pair;
	request->secret = aes.p;
	request->secret_len = aes.n;
	request->cert = cert;
	request->recipient = recipient;
	r = kf_state_fleet_seal(state, request, &cargo, &len, e);
	pair = kf_keypair_free(pair);	/* before the cargo goes out, whatever that may wait for */
	secret_deinit(&aes);
	return r < 0 ? r : ui_file_write(want->out, BYTES(cargo, len), 0644, e);
}

/* --- what is told --- */

static int report(const struct ui *ui, const struct seal_fleet *want, const struct kf_fleet *fleet,
		  const struct sealed_key *key)
{
	char kcv[2 * KF_FLEET_CHECK_SIZE + 1];
	const char *grade = kf_grade_name(key->grade);

	hex_print(BYTES(kf_fleet_check_value(fleet), KF_FLEET_CHECK_SIZE), kcv);
	ui_say(ui, "cargo:     %s", want->out);
	ui_say(ui, "card:      %s", want->device ? want->device : "any SmartCard-HSM with this DKEK");
	ui_say(ui, "DKEK:      %s", kcv);
	ui_say(ui, "container: %u", want->container);
	ui_say(ui, "key:       %s, %s%s%s", key_type_name(key->type), purpose_name(key->purpose),
	       key->hash[0] ? ", " : "", key->hash);
	if (want->archive_out)
		ui_say(ui, "archive:   %s", want->archive_out);
	ui_say(ui, "grade:     %s, once the receipt is verified", grade);
	ui_say(ui, "note:      the blob opens on every card with this DKEK, for ever, and is bound to "
		   "nothing: no card, no container, no PIN policy");
	ui_say(ui, "note:      such a card signs no receipt; the key itself will have to answer a "
		   "challenge");
	if (want->allow_rewrap)
		ui_say(ui, "note:      whoever has the DKEK and the card's PIN may take the key out again");
	return ui_json(ui, json_pack(
		"{s:s,s:s,s:s*,s:s,s:i,s:s,s:s,s:s*,s:s*,s:s,s:b,s:b,s:b}", "cargo", want->out, "card",
		"schsm", "serial", want->device, "dkek_check_value", kcv, "container",
		(int)want->container, "key_type", key_type_name(key->type), "purpose",
		purpose_name(key->purpose), "public_key_sha256", key->hash[0] ? key->hash : NULL,
		"archive", want->archive_out, "grade", grade, "bound_to_one_card", 0,
		"policy_enforced", 0, "may_be_wrapped_again", want->allow_rewrap));
}

static int seal(const struct ui *ui, const struct seal_fleet *want)
{
	_cleanup_(kf_state_closep) struct kf_state *state = NULL;
	_cleanup_(kf_fleet_freep) struct kf_fleet *fleet = NULL;
	struct sealed_key key = { 0 };
	struct kf_error e = KF_ERROR_INIT;
	struct kf_fleet_seal request = {
		.size = sizeof(request), .container = want->container,
		.algorithms = want->ops_text ? want->ops : NULL, .n_algorithms = want->n_ops,
		.allow_rewrap = want->allow_rewrap, .serial = want->device, .label = want->label,
		.archive_path = want->archive_out, .archive_signing_key = want->archive_signing_key,
	};
	int r;

	ossl_secure_heap();	/* keys are read from here on, but none of the state's: a blob has no sender */
	r = server_state_open(want->dir, &state, &e);
	if (r == 0)
		r = read_fleet(ui, want, &fleet, &e);
	request.fleet = fleet;
	if (r == 0)
		r = wrap(want, state, &request, &key, &e);
	if (r == 0)
		r = kf_state_fleet_grade(state, fleet, &key.grade, &e);
	if (error_what(&e, r, "cannot seal the key") < 0)
		return ui_fail(ui, &e);
	return strcmp(want->out, "-") == 0 ? UI_OK : report(ui, want, fleet, &key);
}

/* --- the command line --- */

/* "10,11,18", or "any" for the empty list. */
static int parse_ops(struct seal_fleet *want)
{
	const char *text = want->ops_text;

	if (strcmp(text, "any") == 0)
		return 0;
	for (;; text += 3) {
		char pair[3] = "";

		if (want->n_ops == LIST_MAX || strnlen(text, 2) < 2)
			return -EINVAL;
		memcpy(pair, text, 2);
		if (hex_parse(pair, &want->ops[want->n_ops], 1) < 0)
			return -EINVAL;
		want->n_ops++;
		if (text[2] == '\0')
			return 0;
		if (text[2] != ',')
			return -EINVAL;
	}
}

static int check_texts(const struct ui *ui, struct seal_fleet *want)
{
	if (strcmp(want->card, "schsm") != 0)
		return ui_usage(ui, "--card %s is not schsm", want->card);
	if (!want->dir || !want->key == !want->aes || !want->out || want->container == 0)
		return ui_usage(ui, "--state, --key or --raw, --container and -o are needed");
	if (!want->dkek && want->shares.n == 0)
		return ui_usage(ui, "--dkek or --share is needed");
	if (want->usage_text && (!want->key || purpose_from_name(want->usage_text, &want->usage) < 0))
		return ui_usage(ui, "--usage %s is not sign, decrypt or derive of a key pair",
				want->usage_text);
	if (want->ops_text && parse_ops(want) < 0)
		return ui_usage(ui, "--ops wants two lower-case hexadecimal digits each, like 30,40, or any");
	if (!want->archive_cert != !want->archive_out)
		return ui_usage(ui, "--archive-cert and --archive-out belong together");
	if (want->aes && want->archive_cert)
		return ui_usage(ui, "--archive-cert keeps key pairs, not what --raw gives");
	if (want->archive_root && !want->archive_cert)
		return ui_usage(ui, "--archive-root belongs to --archive-cert");
	return UI_OK;
}

int cmd_seal_fleet(int argc, char **argv)
{
	struct ui ui = { .command = "keyferry seal --card schsm" };
	struct seal_fleet want = {
		.passphrase_fd = -1, .share_password_fd = -1,
	};
	int code;
	const struct arg args[] = {
		{ "card", 0, ARG_TEXT, &want.card, "NAME", "schsm: SmartCard-HSM, Nitrokey HSM 2" },
		{ "state", 0, ARG_TEXT, &want.dir, "DIR", "the server's state" },
		{ "dkek", 0, ARG_TEXT, &want.dkek, "FILE", "32 bytes: the DKEK, or one share of it" },
		{ "share", 0, ARG_TEXTS, &want.shares, "FILE",
		  "a password-protected share; again for each" },
		{ "share-password-fd", 0, ARG_FD, &want.share_password_fd, "N",
		  "their passwords, a line each, in their order" },
		{ "key", 0, ARG_TEXT, &want.key, "PEM", "the private key; - is stdin" },
		{ "raw", 0, ARG_TEXT, &want.aes, "FILE", "an AES key in its place: its 16, 24 or 32 bytes" },
		{ "container", 0, ARG_NUMBER, &want.container, "KID", "key id on the card, 1 to 253" },
		{ "output", 'o', ARG_TEXT, &want.out, "FILE", "where to write the cargo" },
		{ "usage", 0, ARG_TEXT, &want.usage_text, "USE", "sign (default), decrypt, derive" },
		{ "ops", 0, ARG_TEXT, &want.ops_text, "LIST",
		  "what the card shall allow, like 30,40 (default: what USE needs)" },
		{ "allow-rewrap", 0, ARG_FLAG, &want.allow_rewrap, NULL,
		  "LIST may be any, or have 92: the key may be wrapped out again" },
		{ "device", 0, ARG_TEXT, &want.device, "SERIAL", "our own client takes no other card" },
		{ "name", 0, ARG_TEXT, &want.label, "TEXT", "what to call the key on the card" },
		{ "cert", 0, ARG_TEXT, &want.cert, "PEM", "X.509 of the key, to lie beside it" },
		{ "dkek-on-host", 0, ARG_FLAG, &want.on_host, NULL,
		  "a host saw shares on their way to the cards: grade C" },
		{ "archive-cert", 0, ARG_TEXT, &want.archive_cert, "PEM",
		  "keep a copy for this certificate" },
		{ "archive-root", 0, ARG_TEXT, &want.archive_root, "PEM", "what it is checked by" },
		{ "archive-out", 0, ARG_TEXT, &want.archive_out, "FILE", "where to keep it" },
		{ "archive-signing-key", 0, ARG_FLAG, &want.archive_signing_key, NULL,
		  "even of a key that only signs" },
		{ "passphrase-fd", 0, ARG_FD, &want.passphrase_fd, "N",
		  "passphrase of the private key" },
		{ "json", 0, ARG_FLAG, &ui.json, NULL, "print one JSON object" },
		ARG_END
	};
	const struct arg_tables tables = {
		"Wrap a private key for all SmartCard-HSMs with one DKEK. The blob opens on each of them, for "
		"ever.", args, NULL,
	};

	if (!args_parse(&ui, &tables, argc, argv, &code))
		return code;
	code = check_texts(&ui, &want);
	return code != UI_OK ? code : seal(&ui, &want);
}
