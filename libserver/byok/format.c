// SPDX-License-Identifier: LGPL-2.1-or-later
/* libserver/byok/format.c - The rows, and what they make of a plan. */
#include "libserver/byok/format.h"
#include "base/error.h"
#include "format/numbers.h"
#include "libserver/byok/kek.h"

#define BIT(number) (UINT32_C(1) << (unsigned int)(number))
#define RSA_3072_4096 (BIT(KF_KEY_RSA_3072) | BIT(KF_KEY_RSA_4096))
#define RSA_ALL (BIT(KF_KEY_RSA_2048) | RSA_3072_4096)
#define AES_ALL (BIT(KF_KEY_AES_128) | BIT(KF_KEY_AES_192) | BIT(KF_KEY_AES_256))
#define SHA_1_256 (BIT(KF_HASH_SHA1) | BIT(KF_HASH_SHA256))
#define SHA_ALL (SHA_1_256 | BIT(KF_HASH_SHA384) | BIT(KF_HASH_SHA512))

static const struct byok_format rows[] = {
	{ KF_BYOK_AZURE, "azure", OUTER_FILE, RSA_ALL, SHA_1_256 | BIT(KF_HASH_SHA384), KF_HASH_SHA1,
	  0, AES_ALL, false },
	{ KF_BYOK_AWS, "aws", OUTER_BINARY, RSA_ALL, SHA_1_256, KF_HASH_SHA256, SHA_1_256,
	  BIT(KF_KEY_AES_256), true },
	{ KF_BYOK_GCP, "gcp", OUTER_BINARY, RSA_3072_4096, SHA_1_256, KF_HASH_SHA256,
	  BIT(KF_HASH_SHA256), BIT(KF_KEY_AES_256), false },
	{ KF_BYOK_VAULT, "vault", OUTER_BASE64, BIT(KF_KEY_RSA_4096), SHA_ALL, KF_HASH_SHA256, 0,
	  AES_ALL, false },
	{ KF_BYOK_PKCS11, "pkcs11", OUTER_BINARY, RSA_ALL, SHA_ALL, KF_HASH_SHA1, SHA_ALL, AES_ALL,
	  false },
};

enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

const struct byok_format *byok_format(enum kf_byok_format format)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if (rows[i].format == format)
			return &rows[i];
	return NULL;
}

const char *byok_hash_words(enum kf_hash hash)
{
	static const char *const words[] = { "no hash", "SHA-1", "SHA-256", "SHA-384", "SHA-512" };

	return hash > KF_HASH_NONE && hash <= KF_HASH_SHA512 ? words[hash] : words[0];
}

int kf_byok_format_from_name(const char *name, enum kf_byok_format *out)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		if (strcmp(rows[i].name, name) == 0) {
			*out = rows[i].format;
			return 0;
		}
	}
	return -EINVAL;
}

const char *kf_byok_format_name(enum kf_byok_format format)
{
	const struct byok_format *row = byok_format(format);

	return row ? row->name : NULL;
}

/* --- a plan --- */

static bool has(uint32_t bits, int number)
{
	return number >= 0 && number < 32 && (bits & BIT(number)) != 0;
}

__attribute__((format(printf, 3, 4)))
static int refused(struct kf_error *e, const char *next, const char *why, ...)
{
	char text[KF_ERROR_TEXT_MAX];
	va_list args;

	va_start(args, why);
	error_text_vset(text, why, args);
	va_end(args);
	return error_why(e, -EINVAL, "docs/byok.md 3", next, "%s", text);
}

static int check_target(const struct kf_byok_kek *kek, enum kf_key_type target, struct kf_error *e)
{
	if (kek->trust != KEK_ATTESTED || number_list_has(&kek->statement.key_types, (uint8_t)target))
		return 0;
	return refused(e, "have a KEK made that may unwrap such keys",
		       "the card unwraps no key of type %s under this KEK", key_type_name(target));
}

static int check_kek(const struct byok_format *row, const struct kf_byok_kek *kek,
		     struct kf_error *e)
{
	if (has(row->keks, kek->type))
		return 0;
	return refused(e, "have the receiver make its KEK of the right size",
		       "format %s has no KEK of type %s", row->name, key_type_name(kek->type));
}

/* A KEK in a card has one hash, and the card has signed for it. */
static int settle_hash(const struct byok_format *row, const struct kf_byok_kek *kek,
		       struct kf_byok_plan *plan, struct kf_error *e)
{
	bool attested = kek->trust == KEK_ATTESTED;

	if (plan->hash == KF_HASH_NONE)
		plan->hash = attested ? kek->statement.hash : row->hash;
	if (attested && plan->hash != kek->statement.hash)
		return refused(e, "leave the hash out",
			       "the card does OAEP under this KEK with %s, and not with %s",
			       byok_hash_words(kek->statement.hash), byok_hash_words(plan->hash));
	if (has(row->hashes, plan->hash))
		return 0;
	return refused(e, "leave the hash out: the format has its own",
		       "format %s does not do OAEP with %s", row->name, byok_hash_words(plan->hash));
}

static int settle_mode(const struct byok_format *row, enum kf_key_type target,
		       struct kf_byok_plan *plan, struct kf_error *e)
{
	bool secret = has(AES_ALL, target);

	if (secret && !has(row->secrets, target))
		return refused(e, "take another key, or another format",
			       "format %s takes no AES key of this size", row->name);
	if (plan->mode == KF_BYOK_MODE_FORMAT)
		plan->mode = secret && row->secrets_direct ? KF_BYOK_MODE_DIRECT
							   : KF_BYOK_MODE_HYBRID;
	if (plan->mode == KF_BYOK_MODE_HYBRID && secret && row->secrets_direct)
		return refused(e, "leave the mode out, or use the direct one",
			       "format %s takes an AES key under OAEP alone", row->name);
	if (plan->mode == KF_BYOK_MODE_DIRECT && !has(row->direct, plan->hash))
		return refused(e, "leave out --direct, or name another hash",
			       "format %s takes nothing under OAEP alone with %s", row->name,
			       byok_hash_words(plan->hash));
	return 0;
}

static int check_trust(const struct kf_byok_kek *kek, struct kf_error *e)
{
	if (kek->trust != KEK_UNTRUSTED)
		return 0;
	return error_why(e, -EACCES, "SECURITY section 8",
			 "have the receiver's card attest it, or get its fingerprint another way",
			 "nobody vouches for the KEK: whoever swapped it would read the key");
}

int byok_plan_settle(struct kf_byok_plan *plan, const struct kf_byok_kek *kek,
		     enum kf_key_type target, struct kf_error *e)
{
	const struct byok_format *row = byok_format(plan->format);
	int r;

	if (plan->size < sizeof(*plan) || !row || plan->mode > KF_BYOK_MODE_DIRECT)
		return refused(e, "name one of azure, aws, gcp, vault, pkcs11",
			       "there is no such format or mode");
	r = check_trust(kek, e);
	if (r == 0)
		r = check_kek(row, kek, e);
	if (r == 0)
		r = check_target(kek, target, e);
	if (r == 0)
		r = settle_hash(row, kek, plan, e);
	return r < 0 ? r : settle_mode(row, target, plan, e);
}

int kf_byok_plan_settle(struct kf_byok_plan *plan, const struct kf_byok_kek *kek,
			enum kf_key_type target, struct kf_error *e)
{
	return error_what(e, byok_plan_settle(plan, kek, target, e), "cannot wrap the key so");
}
