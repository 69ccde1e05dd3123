// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/cmd_seal_batch.c - keyferry seal batch: many keys for one card in one cargo. A list says which
 * goes where; nothing is sealed before every line of it is in order and every key was read.
 */
#include "base/error.h"
#include "format/numbers.h"
#include "libserver/json/object.h"
#include "tools/args.h"
#include "tools/master_token.h"
#include "tools/seal_offer.h"

enum { LIST_MAX = 64 << 10 };

/**
 * struct batch - the keys of a list, in its order
 * @n:		how many
 */
struct batch {
	size_t n;
	struct kf_keypair *pairs[KF_ITEMS_MAX];
};

static void batch_deinit(struct batch *batch)
{
	for (size_t i = 0; i < batch->n; i++)
		batch->pairs[i] = kf_keypair_free(batch->pairs[i]);
	batch->n = 0;
}

/* The command line. */
struct seal_batch {
	const char *list, *dir, *out;
	struct seal_offer offer;
	struct seal_archive archive;
	int passphrase_fd, injector_passphrase_fd, token_pin_fd;
};

static int wrong_line(struct kf_error *e, unsigned int line, const char *why)
{
	return error_why(e, -EINVAL, "keyferry-seal(1), A BATCH",
			 "write CONTAINER USE FILE, then no-pin or replaces=HASH where wanted",
			 "line %u: %s", line, why);
}

/* What may stand behind the file. */
static int take_option(struct kf_keypair *pair, const char *word, unsigned int line,
		       struct kf_error *e)
{
	static const char replaces[] = "replaces=";
	uint8_t hash[KF_DIGEST_SIZE];

	if (strcmp(word, "no-pin") == 0)
		return kf_keypair_set_policy(pair, 0, 0, e);
	if (strncmp(word, replaces, sizeof(replaces) - 1) != 0 ||
	    hex_parse(word + sizeof(replaces) - 1, hash, sizeof(hash)) < 0)
		return wrong_line(e, line, "an option is neither no-pin nor replaces= with 64 digits");
	kf_keypair_set_replaces(pair, hash);
	return 0;
}

/* @text is cut into words. Return: 0 with one pair more, -errno. */
static int take_line(const struct seal_batch *want, char *text, unsigned int line,
		     struct batch *batch, struct kf_error *e)
{
	char *rest = NULL, *number = strtok_r(text, " \t", &rest);
	char *use = strtok_r(NULL, " \t", &rest), *file = strtok_r(NULL, " \t", &rest), *word;
	struct kf_keypair **pair = &batch->pairs[batch->n];
	enum kf_purpose purpose;
	uint64_t container;
	int r;

	if (!file)
		return wrong_line(e, line, "it has fewer than three words");
	if (ui_parse_number(number, UINT8_MAX, &container) < 0)
		return wrong_line(e, line, "the first word is not the number of a container");
	if (purpose_from_name(use, &purpose) < 0)
		return wrong_line(e, line, "the second word is not sign, decrypt, derive or cipher");
	if (batch->n == KF_ITEMS_MAX)
		return wrong_line(e, line, "a batch has at most 64 keys");
	r = purpose == KF_PURPOSE_CIPHER ? seal_raw_read(file, pair, e)
					 : seal_key_read(file, want->passphrase_fd, pair, e);
	if (r < 0)
		return r;
	batch->n++;
	r = kf_keypair_set_purpose(*pair, purpose, e);
	if (r == 0)
		r = kf_keypair_set_container(*pair, (unsigned int)container, e);
	while (r == 0 && (word = strtok_r(NULL, " \t", &rest)))
		r = take_option(*pair, word, line, e);
	return r;
}

/* Empty lines and those that begin with # are for people. */
static int read_batch(const struct seal_batch *want, struct batch *batch, struct kf_error *e)
{
	_cleanup_(freep) uint8_t *text = NULL;
	char *at, *end;
	unsigned int line = 0;
	size_t n = 0;
	int r = ui_file_read(want->list, LIST_MAX, &text, &n, e);

	if (r < 0)
		return r;
	if (strlen((const char *)text) != n)
		return wrong_line(e, 1, "the list is not text");
	for (at = (char *)text; r == 0 && at && *at; at = end) {
		line++;
		end = strchr(at, '\n');
		if (end)
			*end++ = '\0';
		if (at[strspn(at, " \t")] != '\0' && *at != '#')
			r = take_line(want, at, line, batch, e);
	}
	if (r == 0 && batch->n == 0)
		r = wrong_line(e, line, "the list names no key");
	return r;
}

static int report(const struct ui *ui, const struct seal_batch *want,
		  const struct kf_verified_offer *offer, size_t n)
{
	const char *grade = kf_grade_name(kf_verified_offer_grade(offer));
	const char *sender = kf_verified_offer_is_signed(offer) ? "signed" : "unauthenticated";

	ui_say(ui, "cargo:     %s", want->out);
	ui_say(ui, "card:      %s", kf_verified_offer_serial(offer));
	ui_say(ui, "keys:      %zu", n);
	ui_say(ui, "sender:    %s", sender);
	ui_say(ui, "grade:     %s, once the receipt is verified", grade);
	return ui_json(ui, json_pack("{s:s,s:s,s:s,s:I,s:s,s:s}", "cargo", want->out, "serial",
				     kf_verified_offer_serial(offer), "device",
				     kf_verified_offer_fingerprint(offer), "keys", (json_int_t)n,
				     "sender", sender, "grade", grade));
}

/* The keys are gone before the cargo is written. */
static int seal_and_write(const struct seal_batch *want, struct kf_state *state,
			  const struct kf_verified_offer *offer, struct batch *batch,
			  struct kf_error *e)
{
	_cleanup_(kf_archive_recipient_freep) struct kf_archive_recipient *recipient = NULL;
	_cleanup_(freep) char *cargo = NULL;
	struct kf_seal_request request = {
		.size = sizeof(request), .offer = offer, .n_pairs = batch->n,
		.pairs = (const struct kf_keypair *const *)batch->pairs,
		.archive_path = want->archive.out, .archive_signing_key = want->archive.signing_key,
	};
	size_t len = 0;
	int r = seal_archive_read(&want->archive, &recipient, e);

	request.recipient = recipient;
	if (r == 0)
		r = kf_state_seal(state, &request, &cargo, &len, e);
	batch_deinit(batch);
	return r < 0 ? r : seal_cargo_write(want->out, BYTES(cargo, len), e);
}

static int seal(const struct ui *ui, const struct seal_batch *want)
{
	_cleanup_(master_token_close) struct master_token token = MASTER_TOKEN_INIT;
	_cleanup_(kf_state_closep) struct kf_state *state = NULL;
	_cleanup_(kf_verified_offer_freep) struct kf_verified_offer *offer = NULL;
	_cleanup_(batch_deinit) struct batch batch = { 0 };
	struct kf_error e = KF_ERROR_INIT;
	size_t n;
	int r = server_state_unlock(want->dir, want->injector_passphrase_fd, &state, &e);

	if (r == 0)
		r = master_token_attach(&token, state, want->token_pin_fd, &e);
	if (r == 0)
		r = seal_offer_read(&want->offer, state, &offer, &e);
	if (r == 0)
		r = read_batch(want, &batch, &e);
	n = batch.n;
	if (r == 0)
		r = seal_and_write(want, state, offer, &batch, &e);
	if (error_what(&e, r, "cannot seal the batch") < 0)
		return ui_fail(ui, &e);
	return strcmp(want->out, "-") == 0 ? UI_OK : report(ui, want, offer, n);
}

int cmd_seal_batch(int argc, char **argv)
{
	struct ui ui = { .command = "keyferry seal batch" };
	struct seal_batch want = {
		.passphrase_fd = -1, .injector_passphrase_fd = -1, .token_pin_fd = -1,
	};
	int code;
	const struct arg args[] = {
		{ "LIST", 0, ARG_WORD, &want.list, NULL,
		  "a line a key: CONTAINER USE FILE [no-pin] [replaces=HASH]" },
		{ "state", 0, ARG_TEXT, &want.dir, "DIR", "the server's state" },
		{ "offer", 0, ARG_TEXT, &want.offer.path, "FILE",
		  "what the card offered (keyferry offer --batch)" },
		{ "output", 'o', ARG_TEXT, &want.out, "FILE", "where to write the cargo" },
		{ "device", 0, ARG_TEXT, &want.offer.device, "D",
		  "it must be this card (default: the challenge's)" },
		{ "exchange-bits", 0, ARG_NUMBER, &want.offer.exchange_bits, "N",
		  "smallest EXCHANGE key (default 3072)" },
		{ "archive-cert", 0, ARG_TEXT, &want.archive.cert, "PEM",
		  "keep a copy of each key for this certificate" },
		{ "archive-root", 0, ARG_TEXT, &want.archive.root, "PEM", "what it is checked by" },
		{ "archive-out", 0, ARG_TEXT, &want.archive.out, "DIR", "where to keep them: 1.cms, 2.cms, ..." },
		{ "archive-signing-key", 0, ARG_FLAG, &want.archive.signing_key, NULL,
		  "even of keys that only sign" },
		{ "passphrase-fd", 0, ARG_FD, &want.passphrase_fd, "N",
		  "passphrases of the private keys, a line each" },
		{ "injector-passphrase-fd", 0, ARG_FD, &want.injector_passphrase_fd, "N",
		  "passphrase of the injector key" },
		{ "token-pin-fd", 0, ARG_FD, &want.token_pin_fd, "N",
		  "PIN of the token that the master of shared keys is in" },
		{ "json", 0, ARG_FLAG, &ui.json, NULL, "print one JSON object" },
		ARG_END
	};
	const struct arg_tables tables = { "Seal many private keys for one card, in one cargo.",
					   args, NULL };

	if (!args_parse(&ui, &tables, argc, argv, &code))
		return code;
	if (!want.dir || !want.offer.path || !want.out)
		return ui_usage(&ui, "--state, --offer and -o are needed");
	code = seal_archive_check(&ui, &want.archive);
	return code != UI_OK ? code : seal(&ui, &want);
}
