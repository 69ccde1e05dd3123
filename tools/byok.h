/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/byok.h - The subcommands of keyferry byok, and what they share.
 */
#pragma once

#include "base/cleanup.h"
#include "keyferry/server.h"
#include "tools/cmd.h"
#include "tools/ui.h"

int cmd_byok_wrap(int argc, char **argv);
int cmd_byok_inspect(int argc, char **argv);
int cmd_byok_verify(int argc, char **argv);
int cmd_byok_convert(int argc, char **argv);
int cmd_byok_receipt(int argc, char **argv);

enum { BYOK_KEY_MAX = 64 << 10, BYOK_FILE_MAX = 1 << 20 };

DEFINE_CLEANUP(struct kf_byok_kek *, kf_byok_kek_free);
DEFINE_CLEANUP(struct kf_byok_target *, kf_byok_target_free);
DEFINE_CLEANUP(struct kf_server *, kf_server_free);

/* Whose word it is that a KEK is the receiver's: a card's. */
struct byok_voucher {
	const char *attestation, *root, *crl, *device;
	bool allow_virtual;
};

struct byok_blob;

/* Reads a wrapped key, in whatever form it is; @out is BYOK_BLOB_INIT. Return: 0, -errno. */
int byok_read_blob(const char *path, struct byok_blob *out, struct kf_error *e);

/* Reads a KEK; nobody trusts it yet. Return: 0, -errno. */
int byok_read_kek(const char *path, struct kf_byok_kek **out, struct kf_error *e);
int byok_attest_kek(const struct byok_voucher *voucher, struct kf_byok_kek *kek, struct kf_error *e);

/* As openssl prints them, too: either case, colons between; @out of @cap bytes. Return: 0, -EINVAL. */
int byok_parse_digits(const char *text, uint8_t *out, size_t cap, size_t *n);

/* Return: UI_OK and the number in *@out, or the exit code, told. NULL: KF_HASH_NONE. */
int byok_hash_arg(const struct ui *ui, const char *text, enum kf_hash *out);
/* The same; NULL: azure. */
int byok_format_arg(const struct ui *ui, const char *text, enum kf_byok_format *out);

/* Reads a private key, asking for its passphrase if it has one (descriptor -1: at the terminal). */
int byok_read_key(const char *path, int passphrase_fd, struct kf_byok_target **out, struct kf_error *e);

/* "p256, public key 3f..", or "aes256, check value 12ab34"; the caller frees. NULL: no memory. */
char *byok_target_text(const struct kf_byok_target *target);
/* The same as members of @object, which takes NULL. */
void byok_target_json(json_t *object, const struct kf_byok_target *target);
