// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/cmd_byok_wrap.c - keyferry byok wrap. Whether the KEK is believed is settled before a key is
 * read; the key is gone again before the result is written out, whatever that may wait for.
 */
#include "base/error.h"
#include "format/hash.h"
#include "format/kid.h"
#include "format/numbers.h"
#include "format/ossl.h"
#include "format/wrapped.h"
#include "libserver/json/key_url.h"
#include "libserver/json/object.h"
#include "tools/args.h"
#include "tools/byok.h"
#include "tools/byok_source.h"


/* The command line; the last ones are made of texts before them. */
struct wrap {
	const char *kek, *kid, *out;
	struct byok_voucher voucher;
	const char *fingerprint_text;
	const char *key, *raw;
	struct key_name source;
	const char *id_text;
	uint8_t id[SOURCE_ID_MAX];
	const char *format_text, *hash_text;
	bool unattested, direct, allow_extract;
	int passphrase_fd, pin_fd;
	enum kf_byok_format format;
	enum kf_hash hash;
	uint8_t fingerprint[KF_DIGEST_SIZE];
};

/* What there is to tell of a key that is gone. */
struct wrapped {
	struct kf_byok_plan plan;
	char *key_text;
	json_t *key_json;
	uint8_t *blob;
	size_t len;
	enum source_way way;		/* of a key in a token, or 0 */
	bool zeros;
};

static void wrapped_deinit(struct wrapped *w)
{
	free(w->key_text);
	free(w->blob);
	json_decref(w->key_json);
}

/* --- the KEK --- */

static int read_kek(const struct wrap *want, struct kf_byok_kek **out, struct kf_error *e)
{
	_cleanup_(kf_byok_kek_freep) struct kf_byok_kek *kek = NULL;
	int r = byok_read_kek(want->kek, &kek, e);

	if (r == 0 && want->voucher.attestation)
		r = byok_attest_kek(&want->voucher, kek, e);
	else if (r == 0 && want->fingerprint_text)
		r = kf_byok_kek_expect(kek, want->fingerprint, e);
	else if (r == 0 && want->unattested)
		kf_byok_kek_take_unattested(kek);
	if (r == 0)
		*out = take_ptr(kek);
	return r;
}

/* The identifier that goes into the file; the card's own word for it, if there is one, has to agree. */
static int settle_kid(struct wrap *want, const struct kf_byok_kek *kek, struct kf_error *e)
{
	const char *name = kf_byok_kek_name(kek);

	if (want->format != KF_BYOK_AZURE)
		return 0;
	if (!want->kid)
		want->kid = name;
	if (!want->kid || key_url_fault(want->kid))
		return error_why(e, -EINVAL, "docs/byok.md 2",
				 "name it with --kid as its owner does: https://VAULT/keys/NAME/VERSION",
				 "the KEK's identifier %s",
				 want->kid ? key_url_fault(want->kid) : "is missing");
	if (name && kid_fits(BYTES(want->kid, strlen(want->kid)), BYTES(name, strlen(name))) == KID_OTHER)
		return error_why(e, -EACCES, "the attested name, docs/formats.md 10",
				 "leave --kid out, or get the KEK it names",
				 "the card calls this KEK %s", name);
	return 0;
}

/* --- the key --- */

static int read_raw(const char *path, struct kf_byok_target **out, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret key = SECRET_INIT;
	int r = ui_secret_from_file(path, BYOK_KEY_MAX, &key, e);

	return r < 0 ? r : kf_byok_target_from_raw(key.p, key.n, out, e);
}

static int wrap_target(const struct kf_byok_kek *kek, const struct kf_byok_target *target,
		       struct wrapped *w, struct kf_error *e)
{
	int r = kf_byok_plan_settle(&w->plan, kek, kf_byok_target_type(target), e);

	w->key_text = byok_target_text(target);
	w->key_json = json_object();
	byok_target_json(w->key_json, target);
	if (r == 0)
		r = kf_byok_wrap(kek, target, &w->plan, &w->blob, &w->len, e);
	return r;
}

/* Asked for, or read: nothing is sent to a token that has no need of one. */
static int get_pin(const struct wrap *want, struct secret *pin, struct kf_error *e)
{
	int r = secret_init(pin, SOURCE_PIN_MAX);

	if (r < 0)
		return r;
	return want->pin_fd >= 0 ? ui_secret_from_fd(want->pin_fd, pin, e)
				 : ui_secret_ask("PIN of the token", pin, e);
}

static int tell_source(const struct byok_source *source, struct wrapped *w)
{
	const char *type = key_type_name(source->type);
	uint8_t digest[KF_DIGEST_SIZE];
	char hash[HEX_DIGEST_SIZE] = "";
	int n;

	if (source->spki_len > 0 && sha256(BYTES(source->spki, source->spki_len), digest) == 0)
		hex_print(BYTES_OF(digest), hash);
	n = asprintf(&w->key_text, "%s%s%s", type, *hash ? ", public key " : "", hash);
	if (n < 0)
		w->key_text = NULL;
	w->key_json = json_pack("{s:s,s:s*}", "key_type", type, "public_key_sha256",
				*hash ? hash : NULL);
	return w->key_text && w->key_json ? 0 : -ENOMEM;
}

/* Public facts: what no blob under this KEK can be is not written as one. */
static int check_length(const struct kf_byok_kek *kek, bool direct, size_t n, struct kf_error *e)
{
	size_t modulus = key_type_size(kf_byok_kek_type(kek));

	if (direct ? n == modulus : wrapped_fits(n, modulus))
		return 0;
	return error_why(e, -EBADMSG, "PKCS #11, CKM_RSA_AES_KEY_WRAP", "try the module with pkcs11-tool",
			 "the token made %zu bytes, which is no key wrapped under this KEK", n);
}

static int wrap_in_token(const struct wrap *want, const struct kf_byok_kek *kek, struct wrapped *w,
			 struct kf_error *e)
{
	_cleanup_(byok_source_close) struct byok_source source = BYOK_SOURCE_INIT;
	_cleanup_(secret_deinit) struct secret pin = SECRET_INIT;
	struct source_wrap order = { .allow_extract = want->allow_extract };
	struct packer blob;
	int r = get_pin(want, &pin, e);

	if (r == 0)
		r = byok_source_open(&source, &want->source, &pin, e);
	secret_clear(&pin);
	if (r == 0)
		r = tell_source(&source, w);
	if (r == 0)
		r = kf_byok_plan_settle(&w->plan, kek, source.type, e);
	if (r < 0)
		return r;
	w->blob = malloc(SOURCE_BLOB_MAX);
	if (!w->blob)
		return -ENOMEM;
	blob = pack_begin(w->blob, SOURCE_BLOB_MAX);
	order.kek.p = kf_byok_kek_public(kek, &order.kek.n);
	order.hash = w->plan.hash;
	order.direct = w->plan.mode == KF_BYOK_MODE_DIRECT;
	r = byok_source_wrap(&source, &order, &blob, &w->way, &w->zeros, e);
	w->len = blob.n;
	return r < 0 ? r : check_length(kek, order.direct, blob.n, e);
}

static int wrap_key(const struct wrap *want, const struct kf_byok_kek *kek, struct wrapped *w,
		    struct kf_error *e)
{
	_cleanup_(kf_byok_target_freep) struct kf_byok_target *target = NULL;
	int r;

	if (want->source.module)
		return wrap_in_token(want, kek, w, e);
	r = want->key ? byok_read_key(want->key, want->passphrase_fd, &target, e)
		      : read_raw(want->raw, &target, e);
	return r < 0 ? r : wrap_target(kek, target, w, e);
}

static int write_result(const struct wrap *want, const struct wrapped *w, struct kf_error *e)
{
	const struct kf_byok_label label = {
		.size = sizeof(label), .kid = want->kid, .hash = w->plan.hash,
		.generator = "keyferry " KF_VERSION,
	};
	_cleanup_(freep) uint8_t *text = NULL;
	size_t len = 0;
	int r = kf_byok_write(want->format, &label, w->blob, w->len, &text, &len, e);

	return r < 0 ? r : ui_file_write(want->out, BYTES(text, len), 0644, e);
}

/* --- all together --- */

static const char *vouched(const struct wrap *want)
{
	return want->voucher.attestation ? "attested by the card" : want->fingerprint_text
		       ? "its fingerprint was given" : "NOBODY VOUCHES FOR IT";
}

static int report(const struct ui *ui, const struct wrap *want, const struct kf_byok_kek *kek,
		  const struct wrapped *w)
{
	const char *grade = kf_grade_name(kf_byok_kek_grade(kek));
	const char *kek_type = key_type_name(kf_byok_kek_type(kek));
	const char *mode = w->plan.mode == KF_BYOK_MODE_DIRECT ? "direct" : "hybrid";
	char hash[HEX_DIGEST_SIZE];

	hex_print(BYTES(kf_byok_kek_hash(kek), KF_DIGEST_SIZE), hash);
	ui_say(ui, "file:   %s", want->out);
	ui_say(ui, "key:    %s", w->key_text);
	ui_say(ui, "kek:    %s, %s (%s)", kek_type, hash, vouched(want));
	if (want->format == KF_BYOK_AZURE)
		ui_say(ui, "kid:    %s", want->kid);
	ui_say(ui, "format: %s, %s, OAEP with %s, %zu bytes", kf_byok_format_name(want->format), mode,
	       hash_name(w->plan.hash), w->len);
	if (w->way)
		ui_say(ui, "source: wrapped %s; the key was never returned to our code%s",
		       byok_way_words(w->way), w->way == SOURCE_EXTRACTED ? ", but for this" : "");
	if (w->zeros)
		ui_say(ui, "note:   the token puts up to 7 zero bytes behind the key; keyferry's cards pass "
		       "over them, other receivers may not");
	ui_say(ui, "grade:  %s", grade);
	return ui_json(ui, json_pack("{s:s,s:O,s:s,s:s,s:s,s:s*,s:s,s:s,s:s,s:i,s:s,s:s*,s:b}", "file", want->out,
				     "key", w->key_json, "kek_type", kek_type, "kek_sha256", hash,
				     "kek_trust", want->voucher.attestation ? "attested" : want->fingerprint_text
				     ? "fingerprint" : "none", "kid",
				     want->format == KF_BYOK_AZURE ? want->kid : NULL, "format",
				     kf_byok_format_name(want->format), "mode", mode, "hash",
				     hash_name(w->plan.hash), "blob_bytes", (int)w->len, "grade", grade,
				     "source", w->way ? byok_way_words(w->way) : NULL, "zeros", w->zeros));
}

static int wrap(const struct ui *ui, struct wrap *want)
{
	_cleanup_(kf_byok_kek_freep) struct kf_byok_kek *kek = NULL;
	_cleanup_(wrapped_deinit) struct wrapped w = { 0 };
	struct kf_error e = KF_ERROR_INIT;
	int r;

	ossl_secure_heap();
	r = read_kek(want, &kek, &e);
	if (r == 0)
		r = settle_kid(want, kek, &e);
	w.plan = (struct kf_byok_plan){
		.size = sizeof(w.plan), .format = want->format, .hash = want->hash,
		.mode = want->direct ? KF_BYOK_MODE_DIRECT : KF_BYOK_MODE_FORMAT,
	};
	if (r == 0)
		r = wrap_key(want, kek, &w, &e);
	if (r == 0)
		r = write_result(want, &w, &e);
	if (error_what(&e, r, "cannot wrap the key") < 0)
		return ui_fail(ui, &e);
	return strcmp(want->out, "-") == 0 ? UI_OK : report(ui, want, kek, &w);
}

/* --- the command line --- */

static int parse_fingerprint(const char *text, uint8_t out[static KF_DIGEST_SIZE])
{
	size_t n;

	return byok_parse_digits(text, out, KF_DIGEST_SIZE, &n) == 0 && n == KF_DIGEST_SIZE ? 0 : -EINVAL;
}

/* A name that finds nothing would find any key. */
static int check_name(const struct ui *ui, struct wrap *want)
{
	size_t n = 0;

	if (want->source.label && !*want->source.label)
		return ui_usage(ui, "--label is empty");
	if (want->id_text && byok_parse_digits(want->id_text, want->id, sizeof(want->id), &n) < 0)
		return ui_usage(ui, "--id wants hexadecimal digits, at most %d bytes", SOURCE_ID_MAX);
	want->source.id = BYTES(want->id, n);
	return UI_OK;
}

static int check_trust(const struct ui *ui, struct wrap *want)
{
	int n = !!want->voucher.attestation + !!want->fingerprint_text + want->unattested;

	if (n != 1)
		return ui_usage(ui, "whose is the KEK? Give one of --kek-attestation, --kek-fingerprint "
				"and --insecure-unattested");
	if (want->voucher.attestation && (!want->voucher.root || !want->voucher.device))
		return ui_usage(ui, "--kek-attestation needs --root and --device");
	if (!want->voucher.attestation && (want->voucher.root || want->voucher.device || want->voucher.crl || want->voucher.allow_virtual))
		return ui_usage(ui, "--root, --crl, --device and --allow-virtual belong to "
				"--kek-attestation");
	if (want->fingerprint_text && parse_fingerprint(want->fingerprint_text, want->fingerprint) < 0)
		return ui_usage(ui, "--kek-fingerprint wants 64 hexadecimal digits");
	return UI_OK;
}

static int check_texts(const struct ui *ui, struct wrap *want)
{
	int code;

	if (!want->kek || !want->out)
		return ui_usage(ui, "--kek and -o are needed");
	if (!!want->key + !!want->raw + !!want->source.module != 1)
		return ui_usage(ui, "give one of --key, --raw and --pkcs11");
	if (want->source.module && (!want->source.token || (!want->source.label && !want->id_text)))
		return ui_usage(ui, "--pkcs11 needs --token, and --label or --id");
	if (!want->source.module && (want->source.token || want->source.label || want->id_text ||
				     want->pin_fd >= 0 || want->allow_extract))
		return ui_usage(ui, "--token, --label, --id, --pin-fd and --allow-extract belong to "
				"--pkcs11");
	code = check_name(ui, want);
	if (code == UI_OK)
		code = byok_format_arg(ui, want->format_text, &want->format);
	if (code == UI_OK)
		code = byok_hash_arg(ui, want->hash_text, &want->hash);
	return code == UI_OK ? check_trust(ui, want) : code;
}

int cmd_byok_wrap(int argc, char **argv)
{
	struct ui ui = { .command = "keyferry byok wrap" };
	struct wrap want = { .passphrase_fd = -1, .pin_fd = -1 };
	int code;
	const struct arg args[] = {
		{ "kek", 0, ARG_TEXT, &want.kek, "PEM", "the receiver's key-encryption key" },
		{ "kid", 0, ARG_TEXT, &want.kid, "ID", "its identifier: https://VAULT/keys/NAME/VERSION" },
		{ "kek-attestation", 0, ARG_TEXT, &want.voucher.attestation, "FILE",
		  "what the receiving card says of it" },
		{ "root", 0, ARG_TEXT, &want.voucher.root, "FILE", "the card maker's root certificate" },
		{ "crl", 0, ARG_TEXT, &want.voucher.crl, "FILE", "the root's revocation list" },
		{ "device", 0, ARG_TEXT, &want.voucher.device, "D", "the card, by serial or fingerprint" },
		{ "allow-virtual", 0, ARG_FLAG, &want.voucher.allow_virtual, NULL, "the card may be software" },
		{ "kek-fingerprint", 0, ARG_TEXT, &want.fingerprint_text, "HEX",
		  "SHA-256 of the KEK, from elsewhere" },
		{ "insecure-unattested", 0, ARG_FLAG, &want.unattested, NULL,
		  "wrap though nobody vouches for it" },
		{ "key", 0, ARG_TEXT, &want.key, "PEM", "the private key to wrap; - is stdin" },
		{ "raw", 0, ARG_TEXT, &want.raw, "FILE", "an AES key: its 16, 24 or 32 bytes" },
		{ "pkcs11", 0, ARG_TEXT, &want.source.module, "MODULE", "the key is in a token of this module" },
		{ "token", 0, ARG_TEXT, &want.source.token, "T", "the token's label" },
		{ "label", 0, ARG_TEXT, &want.source.label, "L", "the key's label" },
		{ "id", 0, ARG_TEXT, &want.id_text, "HEX", "the key's CKA_ID" },
		{ "pin-fd", 0, ARG_FD, &want.pin_fd, "N", "read the token's PIN from a descriptor" },
		{ "allow-extract", 0, ARG_FLAG, &want.allow_extract, NULL,
		  "even if this machine's memory sees what protects the key" },
		{ "format", 0, ARG_TEXT, &want.format_text, "NAME",
		  "azure (default), aws, gcp, vault, pkcs11" },
		{ "hash", 0, ARG_TEXT, &want.hash_text, "NAME",
		  "of OAEP: sha1, sha256, sha384, sha512" },
		{ "direct", 0, ARG_FLAG, &want.direct, NULL, "OAEP alone, without an AES key" },
		{ "output", 'o', ARG_TEXT, &want.out, "FILE", "where to write; - is stdout" },
		{ "passphrase-fd", 0, ARG_FD, &want.passphrase_fd, "N",
		  "passphrase of the private key" },
		{ "json", 0, ARG_FLAG, &ui.json, NULL, "print one JSON object" },
		ARG_END
	};
	const struct arg_tables tables = { "Wrap a key for a key-encryption key.", args, NULL };

	if (!args_parse(&ui, &tables, argc, argv, &code))
		return code;
	code = check_texts(&ui, &want);
	return code != UI_OK ? code : wrap(&ui, &want);
}
