// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/cmd_seal_shared.c - keyferry seal shared: a card gets the keys that methods shared and derived work with from
 * the server itself, so that its maker never had them.
 */
#include "base/error.h"
#include "format/numbers.h"
#include "libserver/json/object.h"
#include "tools/args.h"
#include "tools/master_token.h"
#include "tools/seal_offer.h"

enum { N_SHARED = 2 };

/* The command line. */
struct seal_shared {
	const char *dir, *out;
	struct seal_offer offer;
	const char *replace_text[N_SHARED];
	uint8_t replace[N_SHARED][KF_DIGEST_SIZE];
	int injector_passphrase_fd, token_pin_fd;
};

static const enum kf_method methods[N_SHARED] = { KF_METHOD_SHARED, KF_METHOD_DERIVED };

static int report(const struct ui *ui, const struct seal_shared *want,
		  const struct kf_verified_offer *offer)
{
	const char *grade = kf_grade_name(kf_verified_offer_grade(offer));

	ui_say(ui, "cargo:     %s", want->out);
	ui_say(ui, "card:      %s", kf_verified_offer_serial(offer));
	ui_say(ui, "method:    %s", method_name(kf_verified_offer_method(offer)));
	ui_say(ui, "keys:      shared, derived");
	ui_say(ui, "grade:     %s, once the receipt is verified", grade);
	return ui_json(ui, json_pack("{s:s,s:s,s:s,s:s,s:[s,s],s:s}", "cargo", want->out, "serial",
				     kf_verified_offer_serial(offer), "device",
				     kf_verified_offer_fingerprint(offer), "method",
				     method_name(kf_verified_offer_method(offer)), "keys", "shared",
				     "derived", "grade", grade));
}

static int seal_and_write(const struct seal_shared *want, struct kf_state *state,
			  const struct kf_verified_offer *offer, struct kf_error *e)
{
	_cleanup_(freep) char *cargo = NULL;
	struct kf_shared_order orders[N_SHARED];
	const struct kf_seal_request request = {
		.size = sizeof(request), .offer = offer, .shared = orders, .n_shared = N_SHARED,
	};
	size_t len = 0;
	int r;

	for (size_t i = 0; i < N_SHARED; i++)
		orders[i] = (struct kf_shared_order){
			methods[i], want->replace_text[i] ? want->replace[i] : NULL,
		};
	r = kf_state_seal(state, &request, &cargo, &len, e);
	return r < 0 ? r : seal_cargo_write(want->out, BYTES(cargo, len), e);
}

static int seal(const struct ui *ui, const struct seal_shared *want)
{
	_cleanup_(master_token_close) struct master_token token = MASTER_TOKEN_INIT;
	_cleanup_(kf_state_closep) struct kf_state *state = NULL;
	_cleanup_(kf_verified_offer_freep) struct kf_verified_offer *offer = NULL;
	struct kf_error e = KF_ERROR_INIT;
	int r = server_state_unlock(want->dir, want->injector_passphrase_fd, &state, &e);

	if (r == 0)
		r = master_token_attach(&token, state, want->token_pin_fd, &e);
	if (r == 0)
		r = seal_offer_read(&want->offer, state, &offer, &e);
	if (r == 0)
		r = seal_and_write(want, state, offer, &e);
	if (error_what(&e, r, "cannot seal the shared keys") < 0)
		return ui_fail(ui, &e);
	return strcmp(want->out, "-") == 0 ? UI_OK : report(ui, want, offer);
}

static int check(const struct ui *ui, struct seal_shared *want)
{
	if (!want->dir || !want->offer.path || !want->out)
		return ui_usage(ui, "--state, --offer and -o are needed");
	for (size_t i = 0; i < N_SHARED; i++)
		if (want->replace_text[i] &&
		    hex_parse(want->replace_text[i], want->replace[i], KF_DIGEST_SIZE) < 0)
			return ui_usage(ui, "a mark is 64 lower-case hexadecimal digits");
	return UI_OK;
}

int cmd_seal_shared(int argc, char **argv)
{
	struct ui ui = { .command = "keyferry seal shared" };
	struct seal_shared want = {
		.injector_passphrase_fd = -1, .token_pin_fd = -1,
	};
	int code;
	const struct arg args[] = {
		{ "state", 0, ARG_TEXT, &want.dir, "DIR", "the server's state" },
		{ "offer", 0, ARG_TEXT, &want.offer.path, "FILE",
		  "what the card offered (keyferry offer --shared-keys)" },
		{ "output", 'o', ARG_TEXT, &want.out, "FILE", "where to write the cargo" },
		{ "replace-shared", 0, ARG_TEXT, &want.replace_text[0], "MARK",
		  "may replace the key of method shared with this mark" },
		{ "replace-derived", 0, ARG_TEXT, &want.replace_text[1], "MARK",
		  "may replace the key of method derived with this mark" },
		{ "device", 0, ARG_TEXT, &want.offer.device, "D",
		  "it must be this card (default: the challenge's)" },
		{ "exchange-bits", 0, ARG_NUMBER, &want.offer.exchange_bits, "N",
		  "smallest RSA EXCHANGE key (default 3072)" },
		{ "injector-passphrase-fd", 0, ARG_FD, &want.injector_passphrase_fd, "N",
		  "passphrase of the injector key" },
		{ "token-pin-fd", 0, ARG_FD, &want.token_pin_fd, "N",
		  "PIN of the token that the master of shared keys is in" },
		{ "json", 0, ARG_FLAG, &ui.json, NULL, "print one JSON object" },
		ARG_END
	};
	const struct arg_tables tables = {
		"Seal the keys that a card shares with this server, for methods shared and derived.", args,
		NULL };

	if (!args_parse(&ui, &tables, argc, argv, &code))
		return code;
	code = check(&ui, &want);
	return code != UI_OK ? code : seal(&ui, &want);
}
