// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/cmd_attestation.c - keyferry attestation verify: a SmartCard-HSM's word that it made a key. It says
 * where the key was made and nothing else, and so do the words here.
 */
#include "base/error.h"
#include "format/hash.h"
#include "format/keys.h"
#include "format/numbers.h"
#include "format/ossl.h"
#include "libserver/json/object.h"
#include "tools/args.h"
#include "tools/pem.h"
#include "tools/server_state.h"

enum { FILE_MAX = 1 << 16 };

/**
 * struct attestation - the command line, and what came of it
 * @hsm:	the card, checked
 * @spki:	the key it vouched for
 */
struct attestation {
	const char *dir, *device, *voucher, *out;
	struct kf_hsm *hsm;
	uint8_t *spki;
	size_t spki_len;
};

static const char *type_of(struct bytes spki)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	enum kf_key_type type = KF_KEY_NONE;

	return spki_parse(spki, &key, &type) == 0 ? key_type_name(type) : "other";
}

static int report(const struct ui *ui, const struct attestation *a)
{
	const char *grade = kf_grade_name(kf_hsm_grade(a->hsm)), *serial = kf_hsm_serial(a->hsm);
	struct bytes spki = BYTES(a->spki, a->spki_len);
	char hash[HEX_DIGEST_SIZE];
	uint8_t digest[KF_DIGEST_SIZE];

	if (sha256(spki, digest) < 0)
		return UI_FAILED;
	hex_print(BYTES_OF(digest), hash);
	ui_say(ui, "key:       %s, %s", type_of(spki), hash);
	if (a->out)
		ui_say(ui, "public:    %s", a->out);
	ui_say(ui, "attested:  was generated on the card %s", serial);
	ui_say(ui, "grade:     %s, of how it was made", grade);
	ui_say(ui, "note:      the card does not say whether the key may be wrapped out, nor whether it ever was");
	return ui_json(ui, json_pack("{s:s,s:s,s:b,s:s,s:s,s:s*,s:s,s:b}", "serial", serial, "fingerprint",
				     kf_hsm_fingerprint(a->hsm), "was_generated_on_card", 1, "key_type",
				     type_of(spki), "public_key_sha256", hash, "public_key", a->out,
				     "grade", grade, "says_whether_it_left", 0));
}

static int write_public(const struct attestation *a, struct kf_error *e)
{
	struct bytes pem = BYTES_NONE;
	int r = pem_wrap("PUBLIC KEY", BYTES(a->spki, a->spki_len), &pem);

	if (r == 0)
		r = ui_file_write(a->out, pem, 0644, e);
	pem_free(pem);
	return r;
}

static int verify(struct attestation *a, struct kf_error *e)
{
	_cleanup_(kf_state_closep) struct kf_state *state = NULL;
	_cleanup_(freep) uint8_t *voucher = NULL;
	size_t n = 0;
	int r = ui_file_read(a->voucher, FILE_MAX, &voucher, &n, e);

	if (r == 0)
		r = server_state_open(a->dir, &state, e);
	if (r == 0)
		r = kf_state_hsm(state, a->device, &a->hsm, e);
	if (r == 0)
		r = kf_hsm_attests(a->hsm, voucher, n, &a->spki, &a->spki_len, e);
	if (r == 0 && a->out)
		r = write_public(a, e);
	return error_what(e, r, "cannot verify the attestation");
}

static int run(const struct ui *ui, struct attestation *a)
{
	struct kf_error e = KF_ERROR_INIT;
	int code = verify(a, &e) < 0 ? ui_fail(ui, &e) : UI_OK;

	if (code == UI_OK && !(a->out && strcmp(a->out, "-") == 0))
		code = report(ui, a);
	a->hsm = kf_hsm_free(a->hsm);
	free(a->spki);
	return code;
}

static int cmd_attestation_verify(int argc, char **argv)
{
	struct ui ui = { .command = "keyferry attestation verify" };
	struct attestation a = { 0 };
	int code;
	const struct arg args[] = {
		{ "VOUCHER", 0, ARG_WORD, &a.voucher, NULL,
		  "what keyferry container attest wrote; - is stdin" },
		{ "state", 0, ARG_TEXT, &a.dir, "DIR", "the server's state" },
		{ "device", 0, ARG_TEXT, &a.device, "D", "the card it must be, by serial or fingerprint" },
		{ "output", 'o', ARG_TEXT, &a.out, "FILE", "write the public key, PEM; - is stdout" },
		{ "json", 0, ARG_FLAG, &ui.json, NULL, "print one JSON object" },
		ARG_END
	};
	const struct arg_tables tables = {
		"Verify an enrolled SmartCard-HSM's word that it made a key.", args, NULL,
	};

	if (!args_parse(&ui, &tables, argc, argv, &code))
		return code;
	if (!a.dir || !a.device)
		return ui_usage(&ui, "--state and --device are needed");
	return run(&ui, &a);
}

static const struct cmd attestation_cmds[] = {
	{ "verify", "verify a card's word that it made a key", cmd_attestation_verify },
};

int cmd_attestation(int argc, char **argv)
{
	return cmd_dispatch("keyferry attestation", attestation_cmds,
			    sizeof(attestation_cmds) / sizeof(attestation_cmds[0]), argc, argv);
}
