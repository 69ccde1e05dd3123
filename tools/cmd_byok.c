// SPDX-License-Identifier: LGPL-2.1-or-later
/* tools/cmd_byok.c - keyferry byok: its table, and what more than one of its rows does. */
#include "base/error.h"
#include "format/hash.h"
#include "format/numbers.h"
#include "libserver/json/object.h"
#include "tools/byok.h"
#include "libserver/json/byok_blob.h"
#include "tools/byok_card.h"
#include "tools/byok_source.h"
#include "tools/server_state.h"

#include <ctype.h>

static const struct cmd byok_cmds[] = {
	{ "kek", "key-encryption keys of a card", cmd_byok_kek },
	{ "import", "have the card unwrap a key", cmd_byok_import },
	{ "wrap", "wrap a key for a key-encryption key", cmd_byok_wrap },
	{ "inspect", "what a wrapped key is, and what is wrong with it", cmd_byok_inspect },
	{ "verify", "open a wrapped key with its KEK, on a test rig", cmd_byok_verify },
	{ "receipt", "what a card says it has unwrapped", cmd_byok_receipt },
	{ "convert", "a wrapped key in the form another receiver takes", cmd_byok_convert },
};

int cmd_byok(int argc, char **argv)
{
	return cmd_dispatch("keyferry byok", byok_cmds, sizeof(byok_cmds) / sizeof(byok_cmds[0]), argc,
			    argv);
}

int byok_read_blob(const char *path, struct byok_blob *out, struct kf_error *e)
{
	_cleanup_(freep) uint8_t *text = NULL;
	size_t len = 0;
	int r = ui_file_read(path, BYOK_FILE_MAX, &text, &len, e);

	return r < 0 ? r : byok_blob_read(BYTES(text, len), out, e);
}

int byok_read_kek(const char *path, struct kf_byok_kek **out, struct kf_error *e)
{
	_cleanup_(freep) uint8_t *pem = NULL;
	size_t len = 0;
	int r = ui_file_read(path, BYOK_FILE_MAX, &pem, &len, e);

	return r < 0 ? r : kf_byok_kek_new(pem, len, out, e);
}

int byok_attest_kek(const struct byok_voucher *voucher, struct kf_byok_kek *kek, struct kf_error *e)
{
	_cleanup_(kf_server_freep) struct kf_server *server = NULL;
	_cleanup_(freep) uint8_t *json = NULL, *root = NULL, *crl = NULL;
	struct kf_byok_attestation a = { .size = sizeof(a), .device = voucher->device };
	int r = kf_server_new(&server, e);

	if (r == 0)
		r = ui_file_read(voucher->attestation, BYOK_FILE_MAX, &json, &a.len, e);
	if (r == 0)
		r = ui_file_read(voucher->root, BYOK_FILE_MAX, &root, &a.root_len, e);
	if (r == 0 && voucher->crl)
		r = ui_file_read(voucher->crl, BYOK_FILE_MAX, &crl, &a.crl_len, e);
	if (r < 0)
		return r;
	kf_server_allow_virtual(server, voucher->allow_virtual);
	a.json = json;
	a.root = root;
	a.crl = crl;
	return kf_byok_kek_attest(kek, server, &a, e);
}

int byok_parse_digits(const char *text, uint8_t *out, size_t cap, size_t *n)
{
	char digits[2 * SOURCE_ID_MAX + 1];
	size_t len = 0;

	for (; *text; text++) {
		if (*text == ':')
			continue;
		if (len == sizeof(digits) - 1)
			return -EINVAL;
		digits[len++] = (char)tolower((unsigned char)*text);
	}
	digits[len] = '\0';
	*n = len / 2;
	return len == 0 || len % 2 != 0 || *n > cap ? -EINVAL : hex_parse(digits, out, *n);
}

int byok_hash_arg(const struct ui *ui, const char *text, enum kf_hash *out)
{
	*out = KF_HASH_NONE;
	if (!text || hash_from_name(text, out) == 0)
		return UI_OK;
	return ui_usage(ui, "--hash %s is not sha1, sha256, sha384 or sha512", text);
}

int byok_format_arg(const struct ui *ui, const char *text, enum kf_byok_format *out)
{
	*out = KF_BYOK_AZURE;
	if (!text || kf_byok_format_from_name(text, out) == 0)
		return UI_OK;
	return ui_usage(ui, "--format %s is not azure, aws, gcp, vault or pkcs11", text);
}

int byok_read_key(const char *path, int passphrase_fd, struct kf_byok_target **out, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret pem = SECRET_INIT, passphrase = SECRET_INIT;
	int r = ui_secret_from_file(path, BYOK_KEY_MAX, &pem, e);

	if (r == 0)
		r = kf_byok_target_from_pem(pem.p, pem.n, NULL, 0, out, e);
	if (r != -ENOKEY)
		return r;
	r = passphrase_get(passphrase_fd, "Passphrase of the private key", &passphrase, e);
	if (r == 0)
		r = kf_byok_target_from_pem(pem.p, pem.n, passphrase.p, passphrase.n, out, e);
	return r;
}

static bool public_hash(const struct kf_byok_target *target, char out[static HEX_DIGEST_SIZE])
{
	uint8_t digest[KF_DIGEST_SIZE];
	size_t n = 0;
	const uint8_t *spki = kf_byok_target_public(target, &n);

	if (!spki || sha256(BYTES(spki, n), digest) < 0)
		return false;
	hex_print(BYTES_OF(digest), out);
	return true;
}

static void check_value(const struct kf_byok_target *target, char out[static 7])
{
	hex_print(BYTES(kf_byok_target_check_value(target), 3), out);
}

char *byok_target_text(const struct kf_byok_target *target)
{
	const char *type = key_type_name(kf_byok_target_type(target));
	char hash[HEX_DIGEST_SIZE] = "", check[7] = "", *text;
	int n;

	if (kf_byok_target_check_value(target)) {
		check_value(target, check);
		n = asprintf(&text, "%s, check value %s", type, check);
	} else {
		(void)public_hash(target, hash);
		n = asprintf(&text, "%s, public key %s", type, hash);
	}
	return n < 0 ? NULL : text;
}

void byok_target_json(json_t *object, const struct kf_byok_target *target)
{
	char hash[HEX_DIGEST_SIZE], check[7];

	(void)json_object_set_new(object, "key_type",
				  json_string(key_type_name(kf_byok_target_type(target))));
	if (kf_byok_target_check_value(target)) {
		check_value(target, check);
		(void)json_object_set_new(object, "check_value", json_string(check));
	} else if (public_hash(target, hash)) {
		(void)json_object_set_new(object, "public_key_sha256", json_string(hash));
	}
}
