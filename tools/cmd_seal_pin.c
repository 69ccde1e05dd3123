// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/cmd_seal_pin.c - keyferry seal pin: a help desk's order to a card to set, unblock or present
 * a PIN. The PINs come from the terminal or a descriptor, never from the command line, and are wiped
 * before the cargo is written out.
 */
#include "base/error.h"
#include "libserver/json/object.h"
#include "tools/args.h"
#include "tools/master_token.h"
#include "tools/seal_offer.h"

DEFINE_CLEANUP(struct kf_pin_order *, kf_pin_order_free);

/* The command line. */
struct seal_pin {
	const char *dir, *out;
	struct seal_offer offer;
	bool set, set_puk, unblock, authenticate;
	uint32_t least_tries;
	int pin_fd, injector_passphrase_fd, token_pin_fd;
};

static const char *action(const struct seal_pin *want)
{
	return want->set ? "set" : want->set_puk ? "set-puk" :
	       want->unblock ? "unblock" : "authenticate";
}

/* Typed at a terminal, a value nobody sees is typed twice; a descriptor does not mistype. */
static int ask_fresh(const struct seal_pin *want, struct secret *out, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret again = SECRET_INIT;
	int r = passphrase_get(want->pin_fd, want->set_puk ? "New PUK" : "New PIN", out, e);

	if (r < 0 || want->pin_fd >= 0)
		return r;
	r = passphrase_get(-1, want->set_puk ? "New PUK again" : "New PIN again", &again, e);
	if (r < 0 || secret_equal(out, &again))
		return r;
	return error_why(e, -EINVAL, "a new value is given twice", "try again", "the two differ");
}

static int make_order(const struct seal_pin *want, struct kf_pin_order **out, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret proof = SECRET_INIT, fresh = SECRET_INIT;
	bool by_puk = want->unblock || want->set_puk;
	int r = passphrase_get(want->pin_fd, by_puk ? "The card's PUK" : "The card's PIN", &proof, e);

	if (r == 0 && !want->authenticate)
		r = ask_fresh(want, &fresh, e);
	if (r < 0)
		return r;
	if (want->authenticate)
		r = kf_pin_order_authenticate(proof.p, proof.n, 0, out, e);
	else if (want->unblock)
		r = kf_pin_order_unblock(proof.p, proof.n, fresh.p, fresh.n, out, e);
	else
		r = kf_pin_order_change(want->set_puk ? KF_PIN_PUK : KF_PIN_USER, proof.p, proof.n,
					fresh.p, fresh.n, out, e);
	if (r == 0 && want->least_tries)
		r = kf_pin_order_set_least_tries(*out, want->least_tries, e);
	return r;
}

static int report(const struct ui *ui, const struct seal_pin *want,
		  const struct kf_verified_offer *offer)
{
	const char *grade = kf_grade_name(kf_verified_offer_grade(offer));

	ui_say(ui, "cargo:     %s", want->out);
	ui_say(ui, "card:      %s%s", kf_verified_offer_serial(offer),
	       want->offer.any_genuine ? " (any genuine card was accepted)" : "");
	ui_say(ui, "order:     %s", action(want));
	ui_say(ui, "grade:     %s, once the receipt is verified", grade);
	return ui_json(ui, json_pack("{s:s,s:s,s:s,s:b,s:s,s:s}", "cargo", want->out, "serial",
				     kf_verified_offer_serial(offer), "device",
				     kf_verified_offer_fingerprint(offer), "any_genuine",
				     want->offer.any_genuine, "order", action(want), "grade",
				     grade));
}

static int seal_and_write(const struct seal_pin *want, struct kf_state *state,
			  const struct kf_verified_offer *offer, struct kf_pin_order **order,
			  struct kf_error *e)
{
	_cleanup_(freep) char *cargo = NULL;
	const struct kf_seal_request request = {
		.size = sizeof(request), .offer = offer, .pin_order = *order,
	};
	size_t len = 0;
	int r = kf_state_seal(state, &request, &cargo, &len, e);

	*order = kf_pin_order_free(*order);
	return r < 0 ? r : seal_cargo_write(want->out, BYTES(cargo, len), e);
}

static int seal(const struct ui *ui, const struct seal_pin *want)
{
	_cleanup_(master_token_close) struct master_token token = MASTER_TOKEN_INIT;
	_cleanup_(kf_state_closep) struct kf_state *state = NULL;
	_cleanup_(kf_verified_offer_freep) struct kf_verified_offer *offer = NULL;
	_cleanup_(kf_pin_order_freep) struct kf_pin_order *order = NULL;
	struct kf_error e = KF_ERROR_INIT;
	int r = server_state_unlock(want->dir, want->injector_passphrase_fd, &state, &e);

	if (r == 0)
		r = master_token_attach(&token, state, want->token_pin_fd, &e);
	if (r == 0)
		r = seal_offer_read(&want->offer, state, &offer, &e);
	if (r == 0)
		r = make_order(want, &order, &e);
	if (r == 0)
		r = seal_and_write(want, state, offer, &order, &e);
	if (error_what(&e, r, "cannot seal the order about a PIN") < 0)
		return ui_fail(ui, &e);
	return strcmp(want->out, "-") == 0 ? UI_OK : report(ui, want, offer);
}

static int check(const struct ui *ui, const struct seal_pin *want)
{
	if (want->set + want->set_puk + want->unblock + want->authenticate != 1)
		return ui_usage(ui, "one of --set, --unblock, --authenticate or --set-puk is needed");
	if (!want->dir || !want->offer.path || !want->out)
		return ui_usage(ui, "--state, --offer and -o are needed");
	if (want->offer.device && want->offer.any_genuine)
		return ui_usage(ui, "--device and --any-genuine exclude each other");
	return UI_OK;
}

int cmd_seal_pin(int argc, char **argv)
{
	struct ui ui = { .command = "keyferry seal pin" };
	struct seal_pin want = {
		.pin_fd = -1, .injector_passphrase_fd = -1, .token_pin_fd = -1,
	};
	int code;
	const struct arg args[] = {
		{ "set", 0, ARG_FLAG, &want.set, NULL, "replace the PIN, by the old one" },
		{ "unblock", 0, ARG_FLAG, &want.unblock, NULL, "set a new PIN, by the PUK" },
		{ "authenticate", 0, ARG_FLAG, &want.authenticate, NULL,
		  "present the PIN for whoever injects this" },
		{ "set-puk", 0, ARG_FLAG, &want.set_puk, NULL, "replace the PUK, by the old one" },
		{ "state", 0, ARG_TEXT, &want.dir, "DIR", "the server's state" },
		{ "offer", 0, ARG_TEXT, &want.offer.path, "FILE",
		  "what the card offered (keyferry offer --pins)" },
		{ "output", 'o', ARG_TEXT, &want.out, "FILE", "where to write the cargo" },
		{ "least-tries", 0, ARG_NUMBER, &want.least_tries, "N",
		  "the card refuses when fewer are left (default 2)" },
		{ "pin-fd", 0, ARG_FD, &want.pin_fd, "N",
		  "a line each: the PIN or PUK that proves it, the new value" },
		{ "device", 0, ARG_TEXT, &want.offer.device, "D",
		  "it must be this card (default: the challenge's)" },
		{ "any-genuine", 0, ARG_FLAG, &want.offer.any_genuine, NULL,
		  "accept any card under an enrolled root" },
		{ "allow-virtual", 0, ARG_FLAG, &want.offer.allow_virtual, NULL,
		  "with --any-genuine: it may be software" },
		{ "exchange-bits", 0, ARG_NUMBER, &want.offer.exchange_bits, "N",
		  "smallest EXCHANGE key (default 3072)" },
		{ "injector-passphrase-fd", 0, ARG_FD, &want.injector_passphrase_fd, "N",
		  "passphrase of the injector key" },
		{ "token-pin-fd", 0, ARG_FD, &want.token_pin_fd, "N",
		  "PIN of the token that the master of shared keys is in" },
		{ "json", 0, ARG_FLAG, &ui.json, NULL, "print one JSON object" },
		ARG_END
	};
	const struct arg_tables tables = {
		"Seal an order about a PIN for one card. The machine it is inserted into does not "
		"see the PIN.", args, NULL };

	if (!args_parse(&ui, &tables, argc, argv, &code))
		return code;
	code = check(&ui, &want);
	return code != UI_OK ? code : seal(&ui, &want);
}
