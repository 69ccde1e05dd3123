// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/cmd_seal.c - keyferry seal: the moment a private key passes through this host. It is read
 * straight into locked memory, and wiped before the cargo is written out.
 */
#include "base/error.h"
#include "format/numbers.h"
#include "libserver/json/object.h"
#include "libserver/json/time.h"
#include "tools/args.h"
#include "tools/master_token.h"
#include "tools/seal_offer.h"


/* The command line; the last four are made of the texts before them. */
struct seal {
	const char *dir, *key, *raw, *out;
	struct seal_offer offer;
	const char *usage_text, *replace_text, *not_after_text;
	const char *methods_text;
	struct seal_archive archive;
	bool no_pin;
	int passphrase_fd, injector_passphrase_fd, token_pin_fd;
	uint8_t methods[METHODS_MAX];
	enum kf_purpose usage;
	bool replaces;
	uint8_t replace[KF_DIGEST_SIZE];
	int64_t not_after;
};

/* --- the key --- */

static int prepare_key(const struct seal *want, struct kf_keypair **out, struct kf_error *e)
{
	_cleanup_(kf_keypair_freep) struct kf_keypair *pair = NULL;
	int r = want->raw ? seal_raw_read(want->raw, &pair, e)
			  : seal_key_read(want->key, want->passphrase_fd, &pair, e);

	if (r == 0 && want->usage_text)
		r = kf_keypair_set_purpose(pair, want->usage, e);
	if (r == 0)
		r = kf_keypair_set_policy(pair, !want->no_pin, want->not_after, e);
	if (r < 0)
		return r;
	if (want->replaces)
		kf_keypair_set_replaces(pair, want->replace);
	*out = take_ptr(pair);
	return 0;
}

/* --- all together --- */

/* What there is to tell of a key that is gone. */
struct sealed_key {
	enum kf_key_type type;
	enum kf_purpose purpose;
	char hash[HEX_DIGEST_SIZE];
};

static struct sealed_key describe(const struct kf_keypair *pair)
{
	struct sealed_key key = {
		.type = kf_keypair_type(pair), .purpose = kf_keypair_purpose(pair),
	};

	hex_print(BYTES(kf_keypair_hash(pair), KF_DIGEST_SIZE), key.hash);
	return key;
}

static int report(const struct ui *ui, const struct seal *want,
		  const struct kf_verified_offer *offer, const struct sealed_key *key)
{
	const char *grade = kf_grade_name(kf_verified_offer_grade(offer));
	const char *sender = kf_verified_offer_is_signed(offer) ? "signed" : "unauthenticated";

	ui_say(ui, "cargo:     %s", want->out);
	ui_say(ui, "card:      %s%s", kf_verified_offer_serial(offer),
	       want->offer.any_genuine ? " (any genuine card was accepted)" : "");
	ui_say(ui, "method:    %s", method_name(kf_verified_offer_method(offer)));
	ui_say(ui, "container: %u", kf_verified_offer_container(offer));
	ui_say(ui, "key:       %s, %s, %s", key_type_name(key->type), purpose_name(key->purpose),
	       key->hash);
	ui_say(ui, "sender:    %s", sender);
	if (want->archive.out)
		ui_say(ui, "archive:   %s", want->archive.out);
	ui_say(ui, "grade:     %s, once the receipt is verified", grade);
	return ui_json(ui, json_pack(
		"{s:s,s:s,s:s,s:b,s:s,s:i,s:s,s:s,s:s,s:s,s:s*,s:s}", "cargo", want->out, "serial",
		kf_verified_offer_serial(offer), "device", kf_verified_offer_fingerprint(offer),
		"any_genuine", want->offer.any_genuine, "method",
		method_name(kf_verified_offer_method(offer)), "container",
		(int)kf_verified_offer_container(offer), "key_type",
		key_type_name(key->type), "purpose", purpose_name(key->purpose),
		"public_key_sha256", key->hash, "sender", sender, "archive", want->archive.out,
		"grade", grade));
}

/* The pair is the callee's to free: before the cargo goes out, whatever that may wait for. */
static int seal_and_write(const struct seal *want, struct kf_state *state,
			  const struct kf_verified_offer *offer, struct kf_keypair **pair,
			  struct kf_error *e)
{
	_cleanup_(kf_archive_recipient_freep) struct kf_archive_recipient *recipient = NULL;
	_cleanup_(freep) char *cargo = NULL;
	struct kf_seal_request request = {
		.size = sizeof(request),
		.offer = offer,
		.pair = *pair,
		.archive_path = want->archive.out,
		.archive_signing_key = want->archive.signing_key,
	};
	size_t len = 0;
	int r = seal_archive_read(&want->archive, &recipient, e);

	request.recipient = recipient;
	if (r == 0)
		r = kf_state_seal(state, &request, &cargo, &len, e);
	*pair = kf_keypair_free(*pair);
	if (r == 0)
		r = seal_cargo_write(want->out, BYTES(cargo, len), e);
	return r;
}

static int seal(const struct ui *ui, const struct seal *want)
{
	_cleanup_(master_token_close) struct master_token token = MASTER_TOKEN_INIT;
	_cleanup_(kf_state_closep) struct kf_state *state = NULL;
	_cleanup_(kf_verified_offer_freep) struct kf_verified_offer *offer = NULL;
	_cleanup_(kf_keypair_freep) struct kf_keypair *pair = NULL;
	struct sealed_key key = { 0 };
	struct kf_error e = KF_ERROR_INIT;
	int r = server_state_unlock(want->dir, want->injector_passphrase_fd, &state, &e);

	if (r == 0)
		r = master_token_attach(&token, state, want->token_pin_fd, &e);
	if (r == 0)
		r = seal_offer_read(&want->offer, state, &offer, &e);
	if (r == 0)
		r = prepare_key(want, &pair, &e);
	if (r == 0) {
		key = describe(pair);
		r = seal_and_write(want, state, offer, &pair, &e);
	}
	if (error_what(&e, r, "cannot seal the key") < 0)
		return ui_fail(ui, &e);
	return strcmp(want->out, "-") == 0 ? UI_OK : report(ui, want, offer, &key);
}

/* --- the command line --- */

static int check_texts(const struct ui *ui, struct seal *want)
{
	if (!want->dir || !want->offer.path || !want->key + !want->raw != 1 || !want->out)
		return ui_usage(ui, "--state, --offer, one of --key and --raw, and -o are needed");
	if (want->usage_text && (purpose_from_name(want->usage_text, &want->usage) < 0 ||
				 (want->usage != KF_PURPOSE_SIGN &&
				  want->usage != KF_PURPOSE_DECRYPT &&
				  want->usage != KF_PURPOSE_DERIVE &&
				  want->usage != KF_PURPOSE_CIPHER)))
		return ui_usage(ui, "--usage %s is not sign, decrypt, derive or cipher",
				want->usage_text);
	want->replaces = want->replace_text != NULL;
	if (want->replaces && hex_parse(want->replace_text, want->replace, KF_DIGEST_SIZE) < 0)
		return ui_usage(ui, "--replace wants 64 lower-case hexadecimal digits");
	if (want->not_after_text && utc_parse(want->not_after_text, &want->not_after) < 0)
		return ui_usage(ui, "--not-after wants a time like 2030-01-31T23:59:59Z");
	if (want->methods_text &&
	    methods_parse(want->methods_text, want->methods, &want->offer.n_methods) < 0)
		return ui_usage(ui, "--methods wants a list, best first, like ecdh,rsa");
	want->offer.methods = want->methods;
	if (want->offer.device && want->offer.any_genuine)
		return ui_usage(ui, "--device and --any-genuine exclude each other");
	return seal_archive_check(ui, &want->archive);
}

/* A card that makes no offers: its keys are wrapped by another rule, and other options. */
static bool is_for_a_fleet(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--card") == 0 || strncmp(argv[i], "--card=", 7) == 0)
			return true;
	}
	return false;
}

int cmd_seal(int argc, char **argv)
{
	struct ui ui = { .command = "keyferry seal" };
	struct seal want = {
		.passphrase_fd = -1, .injector_passphrase_fd = -1, .token_pin_fd = -1,
	};
	int code;
	const struct arg args[] = {
		{ "state", 0, ARG_TEXT, &want.dir, "DIR", "the server's state" },
		{ "offer", 0, ARG_TEXT, &want.offer.path, "FILE", "what the card offered" },
		{ "key", 0, ARG_TEXT, &want.key, "PEM", "the private key; - is stdin" },
		{ "raw", 0, ARG_TEXT, &want.raw, "FILE", "an AES key: its 16, 24 or 32 bytes" },
		{ "output", 'o', ARG_TEXT, &want.out, "FILE", "where to write the cargo" },
		{ "usage", 0, ARG_TEXT, &want.usage_text, "USE",
		  "sign, decrypt, derive, cipher (default: sign; of an AES key cipher)" },
		{ "device", 0, ARG_TEXT, &want.offer.device, "D",
		  "it must be this card (default: the challenge's)" },
		{ "any-genuine", 0, ARG_FLAG, &want.offer.any_genuine, NULL,
		  "accept any card under an enrolled root" },
		{ "allow-virtual", 0, ARG_FLAG, &want.offer.allow_virtual, NULL,
		  "with --any-genuine: it may be software" },
		{ "methods", 0, ARG_TEXT, &want.methods_text, "LIST",
		  "accepted for this offer, best first (default: the state's)" },
		{ "exchange-bits", 0, ARG_NUMBER, &want.offer.exchange_bits, "N",
		  "smallest RSA EXCHANGE key (default 3072)" },
		{ "no-pin", 0, ARG_FLAG, &want.no_pin, NULL, "the key may be used without PIN" },
		{ "not-after", 0, ARG_TEXT, &want.not_after_text, "TIME", "advisory, for people" },
		{ "replace", 0, ARG_TEXT, &want.replace_text, "HASH",
		  "may replace the key with this public key hash" },
		{ "archive-cert", 0, ARG_TEXT, &want.archive.cert, "PEM",
		  "keep a copy for this certificate" },
		{ "archive-root", 0, ARG_TEXT, &want.archive.root, "PEM", "what it is checked by" },
		{ "archive-out", 0, ARG_TEXT, &want.archive.out, "FILE", "where to keep it" },
		{ "archive-signing-key", 0, ARG_FLAG, &want.archive.signing_key, NULL,
		  "even of a key that only signs" },
		{ "passphrase-fd", 0, ARG_FD, &want.passphrase_fd, "N",
		  "passphrase of the private key" },
		{ "injector-passphrase-fd", 0, ARG_FD, &want.injector_passphrase_fd, "N",
		  "passphrase of the injector key" },
		{ "token-pin-fd", 0, ARG_FD, &want.token_pin_fd, "N",
		  "PIN of the token that the master of shared keys is in" },
		{ "json", 0, ARG_FLAG, &ui.json, NULL, "print one JSON object" },
		ARG_END
	};
	const struct arg_tables tables = {
		"Seal a private key for one card. keyferry seal batch seals several, keyferry seal pin an "
		"order about a PIN, keyferry seal shared the keys that a card shares with this server; with "
		"--card schsm it wraps one for SmartCard-HSMs (keyferry seal --card schsm --help).",
		args, NULL };

	if (argc > 1 && strcmp(argv[1], "pin") == 0)
		return cmd_seal_pin(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "batch") == 0)
		return cmd_seal_batch(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "shared") == 0)
		return cmd_seal_shared(argc - 1, argv + 1);
	if (is_for_a_fleet(argc, argv))
		return cmd_seal_fleet(argc, argv);
	if (!args_parse(&ui, &tables, argc, argv, &code))
		return code;
	code = check_texts(&ui, &want);
	return code != UI_OK ? code : seal(&ui, &want);
}
