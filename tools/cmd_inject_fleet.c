// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/cmd_inject_fleet.c - keyferry inject of a key wrapped under a DKEK. Such a card signs no receipt, so
 * the new key answers the server's challenge; without an answer it is indeterminate whether the key is
 * there, and that is said and not guessed. A key that lies there already only answers again, and where the card
 * does not tell which key that is, the server learns it from the answer.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "format/numbers.h"
#include "libserver/json/fleet.h"
#include "tools/client_cmds.h"
#include "tools/tool.h"

/* What lies in the container before anything is sent. */
enum found {
	FOUND_NOTHING,			/* or something else: the card says no */
	FOUND_IT,			/* the pair of the cargo */
	FOUND_SOME,			/* a key of its type, and nothing tells which: the answer will */
};

/* One run. */
struct fleet_injection {
	struct tool *tool;
	const struct fleet_how *how;
	struct fleet_cargo cargo;
	char serial[KF_SERIAL_MAX + 1];
	enum found found;
};

static int read_cargo(struct tool *tool, struct bytes text, struct fleet_cargo *out)
{
	struct kf_error e = KF_ERROR_INIT;
	int r = fleet_cargo_parse(text, out, &e);

	if (r == 0)
		r = fleet_cargo_check(out, &e);
	if (r == 0)
		return UI_OK;
	(void)error_what(&e, r, "cannot read the cargo");
	return tool_fail_with(tool, &e);
}

/* Words of our own, where the card is not asked at all. */
__attribute__((format(printf, 4, 5)))
static int refuse(struct tool *tool, int r, const char *next, const char *why, ...)
{
	struct kf_error e = KF_ERROR_INIT;
	char text[sizeof(e.why)];
	va_list args;

	va_start(args, why);
	(void)vsnprintf(text, sizeof(text), why, args);
	va_end(args);
	(void)error_why(&e, r, "a blob opens under its own DKEK alone (docs/formats.md 15)", next, "%s",
			text);
	(void)error_what(&e, r, "cannot inject the key");
	return tool_fail_with(tool, &e);
}

static int check_serial(struct fleet_injection *run)
{
	struct kf_card *card = NULL;

	if (kf_card_read(run->tool->context, &card) < 0)
		return tool_fail(run->tool);
	(void)snprintf(run->serial, sizeof(run->serial), "%s", kf_card_serial(card));
	card = kf_card_free(card);
	if (run->cargo.serial[0] && strcmp(run->cargo.serial, run->serial) != 0)
		return refuse(run->tool, -EACCES, "insert the card that is meant",
			      "the key is for card %s, this is %s", run->cargo.serial, run->serial);
	return UI_OK;
}

/* Before anything is sent: the card itself would say no more than no. */
static int check_dkek(struct fleet_injection *run)
{
	struct kf_dkeks *dkeks = NULL;
	bool found = false;
	char kcv[2 * FLEET_KCV_SIZE + 1];

	if (kf_dkek_status(run->tool->context, &dkeks) < 0)
		return tool_fail(run->tool);
	for (size_t i = 0; i < kf_dkeks_count(dkeks); i++) {
		const uint8_t *check = kf_dkek_check_value(kf_dkeks_at(dkeks, i));

		found |= check && memcmp(check, run->cargo.kcv, FLEET_KCV_SIZE) == 0;
	}
	dkeks = kf_dkeks_free(dkeks);
	if (found)
		return UI_OK;
	hex_print(BYTES_OF(run->cargo.kcv), kcv);
	return refuse(run->tool, -EACCES, "give the card the shares of that DKEK: keyferry dkek",
		      "the card has no DKEK %s", kcv);
}

/* Of a pair without a certificate the card knows not even the curve, of an AES key no more than its size. */
static enum found judge(const struct fleet_cargo *cargo, const struct kf_container *container)
{
	uint32_t type = kf_container_key_type(container);
	size_t n = 0;

	if (type == KF_KEY_NONE)
		return FOUND_NOTHING;
	if (cargo->is_pair && kf_container_public_key(container, &n))
		return memcmp(kf_container_key_hash(container), cargo->public_hash, KF_DIGEST_SIZE) == 0 ?
			FOUND_IT : FOUND_NOTHING;
	return type == cargo->key_type || (cargo->is_pair && type == KF_KEY_OTHER) ? FOUND_SOME : FOUND_NOTHING;
}

/* A repeat of a cargo installs nothing. */
static int look_at_container(struct fleet_injection *run)
{
	struct kf_container *container = NULL;

	run->found = FOUND_SOME;
	if (run->how->prove_only)
		return UI_OK;
	run->found = FOUND_NOTHING;
	if (kf_container_read(run->tool->context, run->cargo.container, &container) < 0)
		return kf_client_error(run->tool->client)->code == -ENOENT ? UI_OK
									     : tool_fail(run->tool);
	run->found = judge(&run->cargo, container);
	container = kf_container_free(container);
	return UI_OK;
}

static int unwrap(struct fleet_injection *run)
{
	const struct fleet_cargo *cargo = &run->cargo;
	const struct kf_unwrap_spec spec = {
		.number = cargo->container,
		.key_type = cargo->key_type,
		.purposes = UINT32_C(1) << cargo->purpose,
		.flags = run->how->allow_rewrap ? KF_BLOB_REWRAP : 0,
		.cert = cargo->certificate.p,
		.cert_len = cargo->certificate.n,
		.label = cargo->label[0] ? cargo->label : NULL,
	};
	bool on_card;
	int code;

	if (run->found != FOUND_NOTHING)
		return UI_OK;
	ui_progress(&run->tool->ui, "the card unwraps the key ...");
	if (kf_blob_unwrap(run->tool->context, &spec, cargo->blob.p, cargo->blob.n, NULL) == 0)
		return UI_OK;
	on_card = kf_client_reason(run->tool->client) == KF_REASON_ON_CARD;
	code = tool_fail(run->tool);
	return on_card ? UI_NOT_PROVED : code;
}

/* --- the proof --- */

static int sign(struct fleet_injection *run, struct kf_blob **out)
{
	const struct fleet_cargo *cargo = &run->cargo;
	uint32_t padding = cargo->operation == PROOF_SIGN_PKCS1 ? KF_PADDING_PKCS1 :
			   cargo->operation == PROOF_SIGN_PSS ? KF_PADDING_PSS : KF_PADDING_NONE;
	uint8_t digest[KF_DIGEST_SIZE];
	int r;

	r = proof_digest(cargo->sid, cargo->input.p, blob_bytes(&cargo->blob), digest);
	return r < 0 ? r : kf_sign(run->tool->context, cargo->container, padding, KF_HASH_SHA256,
				   digest, sizeof(digest), out);
}

static int answer(struct fleet_injection *run, struct kf_blob **out)
{
	static const uint8_t zero[KF_IV_SIZE];
	const struct fleet_cargo *cargo = &run->cargo;
	struct kf_context *context = run->tool->context;

	switch (cargo->operation) {
	case PROOF_SIGN_PKCS1:
	case PROOF_SIGN_PSS:
	case PROOF_SIGN_ECDSA:
		return sign(run, out);
	case PROOF_DECRYPT:
		return kf_decrypt(context, cargo->container, KF_PADDING_PKCS1, KF_HASH_NONE,
				  cargo->input.p, cargo->input.n, out);
	case PROOF_AGREE:
		return kf_agree(context, cargo->container, cargo->input.p, cargo->input.n, out);
	case PROOF_CBC_ENCRYPT:
	case PROOF_CBC_DECRYPT:
		return kf_aes_cbc(context, cargo->container,
				  cargo->operation == PROOF_CBC_DECRYPT ? KF_CIPHER_DECRYPT : 0, zero,
				  cargo->input.p, cargo->input.n, out);
	case PROOF_NONE:
		break;
	}
	return -EOPNOTSUPP;
}

static int indeterminate(struct fleet_injection *run, int r)
{
	struct kf_error e = *kf_client_error(run->tool->client);

	if (run->cargo.operation == PROOF_NONE)
		(void)error_why(&e, r, "a key that may do nothing that proves it, SECURITY section 5",
				"use it, and see", "the card was not asked for a proof");
	error_text_set(e.what, "indeterminate: the key in the card has not answered");
	(void)tool_fail_with(run->tool, &e);
	return UI_NOT_PROVED;
}

/* A signature says what it is for; of anything else the server hears a hash. */
static int take_answer(const struct fleet_injection *run, struct bytes proof, struct blob *out)
{
	uint8_t sent[KF_DIGEST_SIZE];
	int r;

	if (proof_is_signature(run->cargo.operation))
		return blob_set(out, proof);
	r = proof_answer(run->cargo.sid, proof, sent);
	return r < 0 ? r : blob_set(out, BYTES_OF(sent));
}

/* The key is in the card whatever became of the file, and that is said first. */
static int unsaved(struct fleet_injection *run, const struct kf_error *why)
{
	struct kf_error e = *why;

	error_text_set(e.what, "the key is in the card and has answered, but that cannot be written");
	error_text_set(e.why, "%s: %s", why->what, why->why);
	error_text_set(e.next, "%s; then run it again: nothing is installed twice", why->next);
	return tool_fail_with(run->tool, &e);
}

static int save(struct fleet_injection *run, const struct kf_blob *proof)
{
	_cleanup_(fleet_receipt_deinit) struct fleet_receipt receipt = FLEET_RECEIPT_INIT;
	_cleanup_(freep) char *text = NULL;
	struct kf_error e = KF_ERROR_INIT;
	size_t n = 0;
	int r = take_answer(run, BYTES(kf_blob_data(proof), kf_blob_size(proof)), &receipt.answer);

	memcpy(receipt.serial, run->serial, sizeof(receipt.serial));
	memcpy(receipt.sid, run->cargo.sid, sizeof(receipt.sid));
	receipt.container = run->cargo.container;
	if (r == 0)
		r = fleet_receipt_write(&receipt, &text, &n, &e);
	if (r == 0)
		r = ui_file_write(run->how->out, BYTES(text, n), 0644, &e);
	if (error_what(&e, r, "cannot keep the answer") < 0)
		return unsaved(run, &e);
	run->tool->ui.stdout_is_taken |= strcmp(run->how->out, "-") == 0;
	return UI_OK;
}

static int report(struct fleet_injection *run)
{
	const struct fleet_cargo *cargo = &run->cargo;
	const struct ui *ui = &run->tool->ui;
	const char *outcome = run->found == FOUND_NOTHING ? "installed" :
			      run->found == FOUND_IT ? "installed before" : "one was there before";

	if (strcmp(run->how->out, "-") == 0)
		return UI_OK;
	ui_say(ui, "%s %s: %s in container %u", key_type_name(cargo->key_type),
	       purpose_name(cargo->purpose), outcome, cargo->container);
	ui_say(ui, "grade %s, as the server computed it; the blob opens on every card with this DKEK, and "
		   "no policy but the card's PIN is enforced", grade_name(cargo->grade));
	ui_say(ui, "The card signs no receipt: the key has answered the server's challenge.");
	if (run->found == FOUND_SOME)
		ui_say(ui, "Nothing was installed, and the card does not tell which key this is: the server will.");
	ui_say(ui, "Send %s to the server: keyferry receipt verify %s", run->how->out, run->how->out);
	return ui_json(ui, json_pack("{s:s,s:s,s:s,s:I,s:s,s:b,s:b}", "serial", run->serial, "grade",
				     grade_name(cargo->grade), "outcome", outcome, "container",
				     (json_int_t)cargo->container, "receipt", run->how->out,
				     "signed_by_card", 0, "policy_enforced", 0));
}

static int prove(struct fleet_injection *run)
{
	struct kf_blob *proof = NULL;
	int r, code;

	ui_progress(&run->tool->ui, "the new key answers the server's challenge ...");
	r = answer(run, &proof);
	if (r < 0)
		return indeterminate(run, r);
	code = save(run, proof);
	proof = kf_blob_free(proof);
	return code != UI_OK ? code : report(run);
}

int inject_fleet(struct tool *tool, struct bytes text, const struct fleet_how *how)
{
	struct fleet_injection run = { .tool = tool, .how = how };
	int code = read_cargo(tool, text, &run.cargo);

	if (code == UI_OK)
		code = tool_open_verified(tool, "inject");
	if (code == UI_OK)
		code = check_serial(&run);
	if (code == UI_OK)
		code = check_dkek(&run);
	if (code == UI_OK)
		code = look_at_container(&run);
	if (code == UI_OK)
		code = unwrap(&run);
	if (code == UI_OK)
		code = prove(&run);
	fleet_cargo_deinit(&run.cargo);
	return code;
}
