/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/cmd_key.c - keyferry key sign, encrypt, decrypt, derive, mac. The message is hashed here and only its
 * digest goes to the card; signatures come out as openssl dgst -verify wants them. What an AES key
 * encrypts is AES-GCM's nonce, ciphertext and tag, one behind the other.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "format/numbers.h"
#include "tools/client_cmds.h"
#include "tools/pem.h"
#include "tools/tool.h"

#include <fcntl.h>
#include <openssl/evp.h>

#define GCM_EXTRA (KF_GCM_IV_SIZE + KF_GCM_TAG_SIZE)
#define CIPHERTEXT_MAX (KF_CIPHER_MAX + GCM_EXTRA)
#define KEY_FILE_MAX 65536

static const struct hash_name {
	const char *name;
	enum kf_hash hash;
	size_t size;
} hash_names[] = {
	{ "sha1", KF_HASH_SHA1, 20 },	  { "sha256", KF_HASH_SHA256, 32 },
	{ "sha384", KF_HASH_SHA384, 48 }, { "sha512", KF_HASH_SHA512, 64 },
};

static const struct hash_name *hash_find(const char *name)
{
	for (size_t i = 0; i < sizeof(hash_names) / sizeof(hash_names[0]); i++)
		if (strcmp(hash_names[i].name, name) == 0)
			return &hash_names[i];
	return NULL;
}

/* Hashes everything from @fd. Return: 0, -errno. */
static int hash_fd(int fd, const char *name, uint8_t out[static EVP_MAX_MD_SIZE])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	static const size_t step = 65536;
	_cleanup_(freep) uint8_t *buf = malloc(step);
	int r = md && buf && EVP_DigestInit_ex(md, EVP_get_digestbyname(name), NULL) ? 0 : -ENOMEM;

	while (r == 0) {
		ssize_t n = read(fd, buf, step);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			r = -errno;
		else if (n == 0)
			break;
		else if (!EVP_DigestUpdate(md, buf, (size_t)n))
			r = -EIO;
	}
	if (r == 0 && !EVP_DigestFinal_ex(md, out, NULL))
		r = -EIO;
	EVP_MD_CTX_free(md);
	return r;
}

static int hash_file(struct tool *tool, const char *path, const char *name,
		     uint8_t out[static EVP_MAX_MD_SIZE])
{
	bool standard = strcmp(path, "-") == 0;
	_cleanup_(fd_closep) int fd = standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
					       : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct kf_error e = KF_ERROR_INIT;
	int r;

	r = fd < 0 ? -errno : hash_fd(fd, name, out);
	if (r == 0)
		return UI_OK;
	(void)error_why(&e, r, "the file system", "check the path and its permissions", "%s",
			strerror(-r));
	(void)error_what(&e, r, "cannot read %s", path);
	return tool_fail_with(tool, &e);
}

/* Opens the card, and gives the PIN where the key wants one. */
static int open_key(struct tool *tool, uint32_t number, const char *name, uint32_t *type)
{
	_cleanup_(secret_deinit) struct secret pin = SECRET_INIT;
	struct kf_container *c = NULL;
	bool wants_pin;
	int code = tool_open(tool);

	if (code != UI_OK)
		return code;
	if (kf_container_read(tool->context, number, &c) < 0)
		return tool_fail(tool);
	*type = kf_container_key_type(c);
	wants_pin = kf_container_flags(c) & KF_CONTAINER_PIN;
	c = kf_container_free(c);
	if (!wants_pin)
		return UI_OK;
	code = tool_ask_pin(tool, "PIN", &pin);
	if (code == UI_OK)
		code = tool_hold(tool, name);
	if (code == UI_OK && kf_pin_verify(tool->context, KF_PIN_USER, (const char *)pin.p, pin.n,
					   tool->last_try ? KF_PIN_LAST_TRY : 0) < 0)
		code = tool_fail(tool);
	return code;
}

/* Writes what the card gave and gives it back. */
static int write_blob(struct tool *tool, const char *out, struct kf_blob *blob, mode_t mode)
{
	int code = tool_write(tool, out, BYTES(kf_blob_data(blob), kf_blob_size(blob)), mode);

	if (code == UI_OK && strcmp(out, "-") != 0)
		code = ui_json(&tool->ui, json_pack("{s:s,s:I}", "file", out, "bytes",
						    (json_int_t)kf_blob_size(blob)));
	(void)kf_blob_free(blob);
	return code;
}

struct sign_args {
	uint32_t number;
	const char *hash, *in, *out;
	bool pss;
};

static int sign(struct tool *tool, const struct sign_args *a, const struct hash_name *hash)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	struct kf_blob *signature = NULL;
	uint32_t type = 0, padding;
	int code = hash_file(tool, a->in, a->hash, digest);

	if (code == UI_OK)
		code = open_key(tool, a->number, "sign", &type);
	if (code != UI_OK)
		return code;
	padding = !key_type_is_rsa((enum kf_key_type)type) ? KF_PADDING_NONE :
		  a->pss ? KF_PADDING_PSS : KF_PADDING_PKCS1;
	if (kf_sign(tool->context, a->number, padding, hash->hash, digest, hash->size,
		    &signature) < 0)
		return tool_fail(tool);
	return write_blob(tool, a->out, signature, 0644);
}

static int cmd_sign(int argc, char **argv)
{
	struct sign_args a = { KF_CONTAINER_ANY, "sha256", "-", NULL, false };
	const struct arg args[] = {
		{ "container", 'c', ARG_NUMBER, &a.number, "N", "which key" },
		{ "hash", 0, ARG_TEXT, &a.hash, "HASH", "sha256 sha384 sha512 (sha256)" },
		{ "pss", 0, ARG_FLAG, &a.pss, NULL, "RSASSA-PSS, salt as long as the hash" },
		{ "in", 'i', ARG_TEXT, &a.in, "FILE", "what to sign (standard input)" },
		{ "output", 'o', ARG_TEXT, &a.out, "FILE", "where the signature goes" },
		ARG_END
	};
	struct tool tool = TOOL_INIT("keyferry key sign");
	const struct hash_name *hash;
	int code;

	if (!tool_parse(&tool, "Signs a file with a key in the card: RSASSA-PKCS1-v1_5 or PSS, "
			"ECDSA.", args, argc, argv, &code))
		return code;
	hash = hash_find(a.hash);
	if (!hash)
		return ui_usage(&tool.ui, "there is no hash '%s'", a.hash);
	if (a.number == KF_CONTAINER_ANY || !a.out)
		return ui_usage(&tool.ui, "which key, and where to? --container N -o FILE");
	code = sign(&tool, &a, hash);
	tool_close(&tool);
	return code;
}

struct decrypt_args {
	uint32_t number;
	const char *padding, *hash, *in, *out;
};

static int read_input(struct tool *tool, const char *path, size_t max, uint8_t **text, size_t *n)
{
	struct kf_error e = KF_ERROR_INIT;

	if (ui_file_read(path, max, text, n, &e) < 0)
		return tool_fail_with(tool, &e);
	return UI_OK;
}

/* --- AES-CMAC --- */

static int mac(struct tool *tool, uint32_t number, const char *in, const char *out)
{
	_cleanup_(freep) uint8_t *input = NULL;
	uint8_t made[KF_CMAC_SIZE];
	uint32_t type = 0;
	size_t n = 0;
	int code = read_input(tool, in, KF_CIPHER_MAX, &input, &n);

	if (code == UI_OK)
		code = open_key(tool, number, "mac", &type);
	if (code == UI_OK && kf_aes_cmac(tool->context, number, input, n, made) < 0)
		code = tool_fail(tool);
	if (code == UI_OK)
		code = tool_write(tool, out, BYTES_OF(made), 0644);
	if (code == UI_OK && strcmp(out, "-") != 0)
		code = ui_json(&tool->ui, json_pack("{s:s,s:I}", "file", out, "bytes", (json_int_t)sizeof(made)));
	return code;
}

static int cmd_mac(int argc, char **argv)
{
	const char *in = "-", *out = NULL;
	uint32_t number = KF_CONTAINER_ANY;
	const struct arg args[] = {
		{ "container", 'c', ARG_NUMBER, &number, "N", "which key" },
		{ "in", 'i', ARG_TEXT, &in, "FILE", "as much as the card takes at once (standard input)" },
		{ "output", 'o', ARG_TEXT, &out, "FILE", "where the 16 bytes go" },
		ARG_END
	};
	struct tool tool = TOOL_INIT("keyferry key mac");
	int code;

	if (!tool_parse(&tool, "Authenticates a file with an AES key in the card, by AES-CMAC.", args, argc,
			argv, &code))
		return code;
	if (number == KF_CONTAINER_ANY || !out)
		return ui_usage(&tool.ui, "which key, and where to? --container N -o FILE");
	code = mac(&tool, number, in, out);
	tool_close(&tool);
	return code;
}

/* --- AES-GCM --- */

static int write_sealed(struct tool *tool, const char *out, const uint8_t iv[static KF_GCM_IV_SIZE],
			struct bytes text, const uint8_t tag[static KF_GCM_TAG_SIZE])
{
	uint8_t buf[CIPHERTEXT_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	int code;

	pack_bytes(&p, BYTES(iv, KF_GCM_IV_SIZE));
	pack_bytes(&p, text);
	pack_bytes(&p, BYTES(tag, KF_GCM_TAG_SIZE));
	code = tool_write(tool, out, pack_done(&p), 0644);
	if (code == UI_OK && strcmp(out, "-") != 0)
		code = ui_json(&tool->ui, json_pack("{s:s,s:I}", "file", out, "bytes", (json_int_t)p.n));
	return code;
}

static int encrypt(struct tool *tool, uint32_t number, const char *in, const char *out)
{
	_cleanup_(freep) uint8_t *input = NULL;
	uint8_t iv[KF_GCM_IV_SIZE], tag[KF_GCM_TAG_SIZE];
	struct kf_blob *text = NULL;
	uint32_t type = 0;
	size_t n = 0;
	int code = read_input(tool, in, KF_CIPHER_MAX, &input, &n);

	if (code == UI_OK)
		code = open_key(tool, number, "encrypt", &type);
	if (code == UI_OK && kf_aes_gcm_encrypt(tool->context, number, NULL, 0, input, n, iv, tag,
						&text) < 0)
		code = tool_fail(tool);
	if (code == UI_OK)
		code = write_sealed(tool, out, iv, BYTES(kf_blob_data(text), kf_blob_size(text)), tag);
	(void)kf_blob_free(text);
	return code;
}

static int cmd_encrypt(int argc, char **argv)
{
	const char *in = "-", *out = NULL;
	uint32_t number = KF_CONTAINER_ANY;
	const struct arg args[] = {
		{ "container", 'c', ARG_NUMBER, &number, "N", "which key" },
		{ "in", 'i', ARG_TEXT, &in, "FILE", "at most 4096 bytes (standard input)" },
		{ "output", 'o', ARG_TEXT, &out, "FILE", "where nonce, ciphertext and tag go" },
		ARG_END
	};
	struct tool tool = TOOL_INIT("keyferry key encrypt");
	int code;

	if (!tool_parse(&tool, "Encrypts with an AES key in the card, by AES-GCM.", args, argc, argv,
			&code))
		return code;
	if (number == KF_CONTAINER_ANY || !out)
		return ui_usage(&tool.ui, "which key, and where to? --container N -o FILE");
	code = encrypt(&tool, number, in, out);
	tool_close(&tool);
	return code;
}

/* Return: as kf_aes_gcm_decrypt(); -EBADMSG it is too short to be one. */
static int open_sealed(struct kf_context *context, uint32_t number, struct bytes sealed,
		       struct kf_blob **out)
{
	struct bytes iv = bytes_slice(sealed, 0, KF_GCM_IV_SIZE), text, tag;

	if (sealed.n < GCM_EXTRA)
		return -EBADMSG;
	text = bytes_slice(sealed, iv.n, sealed.n - GCM_EXTRA);
	tag = bytes_slice(sealed, iv.n + text.n, KF_GCM_TAG_SIZE);
	return kf_aes_gcm_decrypt(context, number, iv.p, tag.p, NULL, 0, text.p, text.n, out);
}

/* --- decrypt --- */

static int decrypt_sealed(struct tool *tool, uint32_t number, struct bytes sealed, const char *out)
{
	struct kf_blob *plain = NULL;
	struct kf_error e = KF_ERROR_INIT;
	int r = open_sealed(tool->context, number, sealed, &plain);

	if (r == -EBADMSG) {
		(void)error_why(&e, r, "keyferry key encrypt", "give what that wrote",
				"it is shorter than a nonce and a tag");
		(void)error_what(&e, r, "cannot decrypt with the AES key in container %u", number);
		return tool_fail_with(tool, &e);
	}
	return r < 0 ? tool_fail(tool) : write_blob(tool, out, plain, 0600);
}

static int decrypt(struct tool *tool, const struct decrypt_args *a, const struct hash_name *hash)
{
	bool oaep = strcmp(a->padding, "oaep") == 0;
	_cleanup_(freep) uint8_t *input = NULL;
	struct kf_blob *plain = NULL;
	uint32_t type = 0;
	size_t n = 0;
	int code = read_input(tool, a->in, CIPHERTEXT_MAX, &input, &n);

	if (code == UI_OK)
		code = open_key(tool, a->number, "decrypt", &type);
	if (code != UI_OK)
		return code;
	if (key_type_is_aes((enum kf_key_type)type))
		return decrypt_sealed(tool, a->number, BYTES(input, n), a->out);
	if (kf_decrypt(tool->context, a->number, oaep ? KF_PADDING_OAEP : KF_PADDING_PKCS1,
		       oaep ? hash->hash : KF_HASH_NONE, input, n, &plain) < 0)
		return tool_fail(tool);
	return write_blob(tool, a->out, plain, 0600);
}

static int cmd_decrypt(int argc, char **argv)
{
	struct decrypt_args a = { KF_CONTAINER_ANY, "oaep", "sha256", "-", NULL };
	const struct arg args[] = {
		{ "container", 'c', ARG_NUMBER, &a.number, "N", "which key" },
		{ "padding", 0, ARG_TEXT, &a.padding, "PADDING", "oaep pkcs1 (oaep)" },
		{ "hash", 0, ARG_TEXT, &a.hash, "HASH", "of OAEP: sha1 sha256 sha384 sha512 (sha256)" },
		{ "in", 'i', ARG_TEXT, &a.in, "FILE", "the ciphertext (standard input)" },
		{ "output", 'o', ARG_TEXT, &a.out, "FILE", "where the plaintext goes, mode 0600" },
		ARG_END
	};
	struct tool tool = TOOL_INIT("keyferry key decrypt");
	const struct hash_name *hash;
	int code;

	if (!tool_parse(&tool, "Decrypts with an RSA key in the card, or with an AES key "
			"what keyferry key encrypt made.", args, argc, argv, &code))
		return code;
	hash = hash_find(a.hash);
	if (!hash)
		return ui_usage(&tool.ui, "there is no hash '%s'", a.hash);
	if (strcmp(a.padding, "oaep") != 0 && strcmp(a.padding, "pkcs1") != 0)
		return ui_usage(&tool.ui, "there is no padding '%s'", a.padding);
	if (a.number == KF_CONTAINER_ANY || !a.out)
		return ui_usage(&tool.ui, "which key, and where to? --container N -o FILE");
	code = decrypt(&tool, &a, hash);
	tool_close(&tool);
	return code;
}

static int take_peer(struct tool *tool, const char *path, struct bytes *point)
{
	_cleanup_(freep) uint8_t *text = NULL;
	struct kf_error e = KF_ERROR_INIT;
	size_t n = 0;
	int code = read_input(tool, path, KEY_FILE_MAX, &text, &n), r;

	if (code != UI_OK)
		return code;
	r = pem_take_point(BYTES(text, n), point, &e);
	if (r == 0)
		return UI_OK;
	(void)error_what(&e, r, "cannot take the peer's key from %s", path);
	return tool_fail_with(tool, &e);
}

static int derive(struct tool *tool, uint32_t number, const char *peer, const char *out)
{
	struct bytes point = BYTES_NONE;
	struct kf_blob *x = NULL;
	uint32_t type = 0;
	int code = take_peer(tool, peer, &point);

	if (code == UI_OK)
		code = open_key(tool, number, "derive", &type);
	if (code == UI_OK && kf_agree(tool->context, number, point.p, point.n, &x) < 0)
		code = tool_fail(tool);
	pem_free(point);
	return code != UI_OK ? code : write_blob(tool, out, x, 0600);
}

static int cmd_derive(int argc, char **argv)
{
	const char *peer = NULL, *out = NULL;
	uint32_t number = KF_CONTAINER_ANY;
	const struct arg args[] = {
		{ "container", 'c', ARG_NUMBER, &number, "N", "which key" },
		{ "peer", 0, ARG_TEXT, &peer, "FILE", "the other side's public key, PEM or DER" },
		{ "output", 'o', ARG_TEXT, &out, "FILE", "where the x coordinate goes, mode 0600" },
		ARG_END
	};
	struct tool tool = TOOL_INIT("keyferry key derive");
	int code;

	if (!tool_parse(&tool, "Agrees on a secret by ECDH. It is the bare x coordinate: put it "
			"through a KDF before use.", args, argc, argv, &code))
		return code;
	if (number == KF_CONTAINER_ANY || !peer || !out)
		return ui_usage(&tool.ui, "--container N --peer FILE -o FILE are needed");
	code = derive(&tool, number, peer, out);
	tool_close(&tool);
	return code;
}

int cmd_key(int argc, char **argv)
{
	static const struct cmd cmds[] = {
		{ "sign", "sign a file", cmd_sign },
		{ "encrypt", "encrypt with AES", cmd_encrypt },
		{ "decrypt", "decrypt with RSA or AES", cmd_decrypt },
		{ "derive", "agree on a secret by ECDH", cmd_derive },
		{ "mac", "authenticate with AES", cmd_mac },
	};

	return cmd_dispatch("keyferry key", cmds, 5, argc, argv);
}
