// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/cmd_byok_receipt.c - keyferry byok receipt, and its verify: whoever sent a key sees that the card has
 * it, and what it has become there. That needs no card and no service.
 */
#include "base/error.h"
#include "format/hash.h"
#include "format/numbers.h"
#include "libserver/json/object.h"
#include "tools/args.h"
#include "tools/byok.h"
#include "libserver/json/byok_blob.h"
#include "tools/byok_card.h"
#include "tools/pem.h"

struct receipt_args {
	const char *receipt, *blob, *kek, *out;
	struct byok_voucher voucher;
	const char *type_text, *usage_text, *public_text, *check_text;
	bool allow_no_pin;
	enum kf_key_type type;
	enum kf_purpose purpose;
	uint8_t public_hash[KF_DIGEST_SIZE], check_value[KF_CHECK_VALUE_SIZE];
};

DEFINE_CLEANUP(struct kf_byok_proof *, kf_byok_proof_free);

static int read_kek(const struct receipt_args *a, struct kf_byok_kek **out, struct kf_error *e)
{
	_cleanup_(kf_byok_kek_freep) struct kf_byok_kek *kek = NULL;
	int r = byok_read_kek(a->kek, &kek, e);

	if (r == 0)
		r = byok_attest_kek(&a->voucher, kek, e);
	if (r == 0)
		*out = take_ptr(kek);
	return r;
}

static int prove(const struct receipt_args *a, const struct kf_byok_kek *kek, struct kf_byok_proof **out,
		 struct kf_error *e)
{
	_cleanup_(byok_blob_deinit) struct byok_blob blob = BYOK_BLOB_INIT;
	_cleanup_(freep) uint8_t *receipt = NULL;
	struct kf_byok_proof_request q = {
		.size = sizeof(q), .key_type = a->type, .purpose = a->purpose,
		.public_hash = a->public_text ? a->public_hash : NULL,
		.check_value = a->check_text ? a->check_value : NULL, .allow_no_pin = a->allow_no_pin,
	};
	int r = byok_read_blob(a->blob, &blob, e);	/* in whatever form: the card signed the bytes */

	if (r == 0)
		r = ui_file_read(a->receipt, BYOK_FILE_MAX, &receipt, &q.receipt_len, e);
	if (r < 0)
		return r;
	q.receipt = receipt;
	q.blob = blob.p;
	q.blob_len = blob.n;
	q.kid = *blob.kid ? blob.kid : NULL;
	return kf_byok_receipt_verify(kek, &q, out, e);
}

static int write_public(const char *path, const struct kf_byok_proof *proof, struct kf_error *e)
{
	struct bytes pem = BYTES_NONE;
	size_t n = 0;
	const uint8_t *spki = kf_byok_proof_public(proof, &n);
	int r;

	if (!spki)
		return error_why(e, -EINVAL, "docs/formats.md 3", "leave -o out",
				 "an AES key has no public key to be written");
	r = pem_wrap("PUBLIC KEY", BYTES(spki, n), &pem);
	if (r == 0)
		r = ui_file_write(path, pem, 0644, e);
	pem_free(pem);
	return r;
}

static int report(const struct ui *ui, const struct kf_byok_kek *kek, const struct kf_byok_proof *proof)
{
	const char *type = key_type_name((enum kf_key_type)kf_byok_proof_value(proof, KF_BYOK_PROOF_TYPE));
	const char *usage = purpose_name((enum kf_purpose)kf_byok_proof_value(proof, KF_BYOK_PROOF_PURPOSE));
	const char *grade = kf_grade_name((enum kf_grade)kf_byok_proof_value(proof, KF_BYOK_PROOF_GRADE));
	uint32_t container = kf_byok_proof_value(proof, KF_BYOK_PROOF_CONTAINER);
	bool pin = kf_byok_proof_value(proof, KF_BYOK_PROOF_PIN) != 0;
	const uint8_t *check = kf_byok_proof_check_value(proof);
	char hash[HEX_DIGEST_SIZE] = "", value[2 * KF_CHECK_VALUE_SIZE + 1] = "";
	uint8_t digest[KF_DIGEST_SIZE];
	size_t n = 0;
	const uint8_t *spki = kf_byok_proof_public(proof, &n);

	if (spki && sha256(BYTES(spki, n), digest) == 0)
		hex_print(BYTES_OF(digest), hash);
	if (check)
		hex_print(BYTES(check, KF_CHECK_VALUE_SIZE), value);
	ui_say(ui, "proved: the card has unwrapped this blob");
	ui_say(ui, "card:   %s", kf_byok_proof_serial(proof));
	ui_say(ui, "kek:    %s", kf_byok_kek_name(kek));
	ui_say(ui, "key:    %s, %s %s", type, check ? "check value" : "public key", check ? value : hash);
	ui_say(ui, "usage:  %s, in container %u, %s", usage, container, pin ? "with a PIN" : "WITHOUT A PIN");
	ui_say(ui, "grade:  %s", grade);
	return ui_json(ui, json_pack("{s:b,s:s,s:s,s:s,s:s*,s:s*,s:s,s:i,s:b,s:I,s:s}", "proved", 1, "serial",
				     kf_byok_proof_serial(proof), "kek", kf_byok_kek_name(kek), "key_type", type,
				     "public_key_sha256", spki ? hash : NULL, "check_value", check ? value : NULL,
				     "usage", usage, "container", (int)container, "pin", pin, "counter",
				     (json_int_t)kf_byok_proof_value(proof, KF_BYOK_PROOF_COUNTER), "grade",
				     grade));
}

static int verify(const struct ui *ui, const struct receipt_args *a)
{
	_cleanup_(kf_byok_kek_freep) struct kf_byok_kek *kek = NULL;
	_cleanup_(kf_byok_proof_freep) struct kf_byok_proof *proof = NULL;
	struct kf_error e = KF_ERROR_INIT;
	int r = read_kek(a, &kek, &e);

	if (r == 0)
		r = prove(a, kek, &proof, &e);
	if (r == 0 && a->out)
		r = write_public(a->out, proof, &e);
	if (error_what(&e, r, "the import is not proved") < 0)
		return ui_fail(ui, &e);
	return a->out && strcmp(a->out, "-") == 0 ? UI_OK : report(ui, kek, proof);
}

static int check_texts(const struct ui *ui, struct receipt_args *a)
{
	size_t n = 0;

	if (!a->blob || !a->kek || !a->voucher.attestation || !a->voucher.root || !a->voucher.device)
		return ui_usage(ui, "--blob, --kek, --kek-attestation, --root and --device are needed");
	if (a->type_text && key_type_from_name(a->type_text, &a->type) < 0)
		return ui_usage(ui, "--type %s is no type of key", a->type_text);
	if (a->usage_text && purpose_from_name(a->usage_text, &a->purpose) < 0)
		return ui_usage(ui, "--usage %s is no usage", a->usage_text);
	if (a->public_text && (byok_parse_digits(a->public_text, a->public_hash, KF_DIGEST_SIZE, &n) < 0 ||
			       n != KF_DIGEST_SIZE))
		return ui_usage(ui, "--public-key wants the 64 hexadecimal digits of its SHA-256");
	if (a->check_text && (byok_parse_digits(a->check_text, a->check_value, KF_CHECK_VALUE_SIZE, &n) < 0 ||
			      n != KF_CHECK_VALUE_SIZE))
		return ui_usage(ui, "--check-value wants 6 hexadecimal digits");
	return UI_OK;
}

static int cmd_verify(int argc, char **argv)
{
	struct ui ui = { .command = "keyferry byok receipt verify" };
	struct receipt_args a = { 0 };
	int code;
	const struct arg args[] = {
		{ "RECEIPT", 0, ARG_WORD, &a.receipt, NULL, "what keyferry byok import -o wrote; - is stdin" },
		{ "blob", 0, ARG_TEXT, &a.blob, "FILE", "the wrapped key that was sent, in any form" },
		{ "kek", 0, ARG_TEXT, &a.kek, "PEM", "the KEK it was wrapped for" },
		{ "kek-attestation", 0, ARG_TEXT, &a.voucher.attestation, "FILE", "what the card says of it" },
		{ "root", 0, ARG_TEXT, &a.voucher.root, "FILE", "the card maker's root certificate" },
		{ "crl", 0, ARG_TEXT, &a.voucher.crl, "FILE", "the root's revocation list" },
		{ "device", 0, ARG_TEXT, &a.voucher.device, "D", "the card, by serial or fingerprint" },
		{ "allow-virtual", 0, ARG_FLAG, &a.voucher.allow_virtual, NULL, "the card may be software" },
		{ "type", 0, ARG_TEXT, &a.type_text, "TYPE", "it has to be this" },
		{ "usage", 0, ARG_TEXT, &a.usage_text, "U", "for this: sign, decrypt, derive, cipher" },
		{ "public-key", 0, ARG_TEXT, &a.public_text, "HEX", "with this SHA-256 of its public key" },
		{ "check-value", 0, ARG_TEXT, &a.check_text, "HEX", "or this check value of an AES key" },
		{ "allow-no-pin", 0, ARG_FLAG, &a.allow_no_pin, NULL, "it may be used without a PIN" },
		{ "output", 'o', ARG_TEXT, &a.out, "PEM", "where to write its public key; - is stdout" },
		{ "json", 0, ARG_FLAG, &ui.json, NULL, "print one JSON object" },
		ARG_END
	};
	const struct arg_tables tables = { "Prove that a card has unwrapped a key.", args, NULL };

	if (!args_parse(&ui, &tables, argc, argv, &code))
		return code;
	code = check_texts(&ui, &a);
	return code != UI_OK ? code : verify(&ui, &a);
}

int cmd_byok_receipt(int argc, char **argv)
{
	static const struct cmd cmds[] = {
		{ "verify", "that the card has unwrapped the key, and what it has become", cmd_verify },
		{ "get", "one that was lost, from the card", cmd_byok_receipt_get },
	};

	return cmd_dispatch("keyferry byok receipt", cmds, sizeof(cmds) / sizeof(cmds[0]), argc, argv);
}
