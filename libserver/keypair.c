// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/keypair.c - What private_key.c lets through is a pair the card will take, in the form
 * the card will have it in: its hash is the one in the receipt.
 */
#include "libserver/keypair.h"
#include "base/error.h"
#include "format/aes.h"
#include "format/hash.h"
#include "libserver/pem.h"
#include "libserver/private_key.h"

#include <openssl/evp.h>

static int describe(struct kf_keypair *pair)
{
	uint8_t spki[SPKI_MAX];
	struct packer p = pack_begin(spki, sizeof(spki));
	int r = key_type_of(pair->key, &pair->type);

	if (r == 0)
		r = key_spki(pair->key, &p);
	return r < 0 ? r : sha256(pack_done(&p), pair->hash);
}

static int keypair_new(struct kf_keypair **out)
{
	struct kf_keypair *pair = calloc(1, sizeof(*pair));

	if (!pair)
		return -ENOMEM;
	pair->secret = SECRET_INIT;
	pair->purpose = KF_PURPOSE_SIGN;
	pair->policy.pin_needed = true;
	pair->container = KF_CONTAINER_BATCH;
	*out = pair;
	return 0;
}

int kf_keypair_from_pem(const void *pem, size_t len, const void *passphrase,
			size_t passphrase_len, struct kf_keypair **out, struct kf_error *e)
{
	_cleanup_(kf_keypair_freep) struct kf_keypair *pair = NULL;
	int r = keypair_new(&pair);

	if (r < 0)
		return error_what(e, r, "cannot read the private key");
	r = pem_private_key(BYTES(pem, len), BYTES(passphrase, passphrase_len), &pair->key, e);
	if (r == 0)
		r = describe(pair);
	if (r == 0 && !key_type_is_made(pair->type))
		r = error_why(e, -EOPNOTSUPP, "docs/card-application.md 1.2",
			      "wrap it for a KEK of the card instead: keyferry byok wrap",
			      "a key of type %s comes into a card by unwrapping alone",
			      key_type_name(pair->type));
	if (r < 0)
		return error_what(e, r, "cannot take the private key");
	*out = take_ptr(pair);
	return 0;
}

int kf_keypair_from_der(const void *der, size_t len, struct kf_keypair **out, struct kf_error *e)
{
	_cleanup_(kf_keypair_freep) struct kf_keypair *pair = NULL;
	int r = keypair_new(&pair);

	if (r == 0)
		r = private_key_parse(BYTES(der, len), PRIVATE_KEY_PKCS8, &pair->key, e);
	if (r == 0)
		r = describe(pair);
	if (r < 0)
		return error_what(e, r, "cannot take the private key");
	*out = take_ptr(pair);
	return 0;
}

static int describe_secret(struct kf_keypair *pair)
{
	uint8_t der[KEY_MARK_MAX];
	struct packer p = pack_begin(der, sizeof(der));
	struct key_mark mark;
	int r = aes_mark(secret_bytes(&pair->secret), &mark);

	if (r < 0)
		return r;
	pair->type = mark.key_type;
	pair->purpose = KF_PURPOSE_CIPHER;
	key_mark_pack(&p, &mark);
	return sha256(pack_done(&p), pair->hash);
}

int kf_keypair_from_raw(const void *key, size_t len, struct kf_keypair **out, struct kf_error *e)
{
	_cleanup_(kf_keypair_freep) struct kf_keypair *pair = NULL;
	int r = keypair_new(&pair);

	if (r == 0 && len != 16 && len != 24 && len != 32)
		r = error_why(e, -EINVAL, "docs/card-application.md 1.2",
			      "give the bytes themselves, not their digits",
			      "an AES key has 16, 24 or 32 bytes, not %zu", len);
	if (r == 0)
		r = secret_init(&pair->secret, len);
	if (r == 0)
		r = secret_set(&pair->secret, BYTES(key, len));
	if (r == 0)
		r = describe_secret(pair);
	if (r < 0)
		return error_what(e, r, "cannot take the AES key");
	*out = take_ptr(pair);
	return 0;
}

struct kf_keypair *kf_keypair_free(struct kf_keypair *pair)
{
	if (!pair)
		return NULL;
	EVP_PKEY_free(pair->key);	/* which clears the private numbers */
	secret_deinit(&pair->secret);
	free(pair);
	return NULL;
}

int keypair_plain(const struct kf_keypair *pair, struct secret *out)
{
	int r = secret_init(out, KEY_PLAIN_MAX);

	if (r < 0)
		return r;
	return pair->key ? key_plain_encode(pair->key, out)
			 : secret_set(out, secret_bytes(&pair->secret));
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
				"RSA keys sign or decrypt, EC keys sign or derive, AES keys are for cipher",
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

int kf_keypair_set_container(struct kf_keypair *pair, unsigned int container, struct kf_error *e)
{
	if (container >= APP_CONTAINERS) {
		(void)error_why(e, -EINVAL, "docs/card-application.md 1", "name 0 to 15",
				"no card has a container %u", container);
		return error_what(e, -EINVAL, "cannot set the container");
	}
	pair->container = container;
	return 0;
}

void kf_keypair_set_replaces(struct kf_keypair *pair, const uint8_t hash[KF_DIGEST_SIZE])
{
	pair->replaces = (struct spki_hash){ .present = hash != NULL };
	if (hash)
		memcpy(pair->replaces.digest, hash, KF_DIGEST_SIZE);
}
