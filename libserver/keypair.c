// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/keypair.c - The card would refuse an inconsistent key with its uniform refusal, which
 * tells nobody why; so it is refused here, in words.
 */
#include "libserver/keypair.h"
#include "base/error.h"
#include "format/hash.h"
#include "format/ossl.h"
#include "libserver/pem.h"

#include <openssl/err.h>

static int check_consistent(EVP_PKEY *key, struct kf_error *e)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	int good = ctx ? EVP_PKEY_check(ctx) : 0;

	ERR_clear_error();
	if (good == 1)
		return 0;
	return error_why(e, -EINVAL, "docs/card-application.md 5.4 step 6", "make a new key",
			 "its numbers do not belong together");
}

/*
 * What the card will check in step 6, so that a key it cannot take is refused before it travels.
 * The key is then the one the card will have: an EC key from a file may carry its curve by numbers,
 * or a compressed point, and would have another public key hash than the receipt.
 */
static int pass_through_plain(EVP_PKEY **key, enum kf_key_type type, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret plain = SECRET_INIT;
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *again = NULL;
	int r;

	r = secret_init(&plain, KEY_PLAIN_MAX);
	if (r < 0)
		return r;
	r = key_plain_encode(*key, &plain);
	if (r == 0)
		r = key_plain_decode(secret_bytes(&plain), type, &again);
	if (r == -EBADMSG || r == -EINVAL)
		return error_why(e, -EINVAL, "docs/card-application.md 5.4 step 6",
				 "make a new key", "it is not a pair this card can check: two "
				 "primes of half the size each, exponent from 65537");
	if (r < 0)
		return r;
	EVP_PKEY_free(*key);
	*key = take_ptr(again);
	return 0;
}

static int take_key(struct kf_keypair *pair, struct kf_error *e)
{
	uint8_t spki[SPKI_MAX];
	struct packer p = pack_begin(spki, sizeof(spki));
	int r;

	if (key_type_of(pair->key, &pair->type) < 0)
		return error_why(e, -EOPNOTSUPP, "docs/card-application.md 1.2",
				 "use RSA 2048, 3072, 4096 or EC P-256, P-384, P-521",
				 "the card knows no key of this type or size");
	r = check_consistent(pair->key, e);
	if (r == 0)
		r = pass_through_plain(&pair->key, pair->type, e);
	if (r == 0)
		r = key_spki(pair->key, &p);
	if (r == 0)
		r = sha256(pack_done(&p), pair->hash);
	return r;
}

int kf_keypair_from_pem(const void *pem, size_t len, const void *passphrase,
			size_t passphrase_len, struct kf_keypair **out, struct kf_error *e)
{
	_cleanup_(kf_keypair_freep) struct kf_keypair *pair = calloc(1, sizeof(*pair));
	int r;

	if (!pair)
		return error_what(e, -ENOMEM, "cannot read the private key");
	pair->purpose = KF_PURPOSE_SIGN;
	pair->policy.pin_needed = true;
	r = pem_private_key(BYTES(pem, len), BYTES(passphrase, passphrase_len), &pair->key, e);
	if (r == 0)
		r = take_key(pair, e);
	if (r < 0)
		return error_what(e, r, "cannot take the private key");
	*out = take_ptr(pair);
	return 0;
}

struct kf_keypair *kf_keypair_free(struct kf_keypair *pair)
{
	if (pair)
		EVP_PKEY_free(pair->key);	/* which clears the private numbers */
	free(pair);
	return NULL;
}

enum kf_key_type kf_keypair_type(const struct kf_keypair *pair)
{
	return pair->type;
}

enum kf_purpose kf_keypair_purpose(const struct kf_keypair *pair)
{
	return pair->purpose;
}

const uint8_t *kf_keypair_hash(const struct kf_keypair *pair)
{
	return pair->hash;
}

int kf_keypair_set_purpose(struct kf_keypair *pair, enum kf_purpose purpose, struct kf_error *e)
{
	if (!key_type_suits(pair->type, purpose)) {
		(void)error_why(e, -EINVAL, "docs/card-application.md 1.2",
				"RSA keys sign or decrypt, EC keys sign or derive",
				"a key of type %s does not do that", key_type_name(pair->type));
		return error_what(e, -EINVAL, "cannot set the usage");
	}
	pair->purpose = purpose;
	return 0;
}

int kf_keypair_set_policy(struct kf_keypair *pair, int pin_needed, int64_t not_after,
			  struct kf_error *e)
{
	if (not_after < 0) {
		(void)error_why(e, -EINVAL, "docs/formats.md 5", "name a time after 1970",
				"the not-after time is negative");
		return error_what(e, -EINVAL, "cannot set the policy");
	}
	pair->policy = (struct key_policy){ pin_needed != 0, (uint64_t)not_after };
	return 0;
}

void kf_keypair_set_replaces(struct kf_keypair *pair, const uint8_t hash[KF_DIGEST_SIZE])
{
	pair->replaces = (struct spki_hash){ .present = hash != NULL };
	if (hash)
		memcpy(pair->replaces.digest, hash, KF_DIGEST_SIZE);
}
