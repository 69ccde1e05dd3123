// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/byok/attestation.c - A KEK is the receiver's because the receiver's card says so. Every fact
 * comes from what the DEVICE key has signed; the file's copies are for people, and have to be the same.
 */
#include "base/error.h"
#include "format/hash.h"
#include "format/kek_statement.h"
#include "format/ossl.h"
#include "libserver/byok/kek.h"
#include "libserver/enrolled.h"
#include "libserver/json/kek.h"

#include <strings.h>

#define RULE "docs/formats.md 10"

static int check_device(const struct kf_enrolled *card, const char *device, struct kf_error *e)
{
	if (strcmp(device, card->facts.serial) == 0 || strcasecmp(device, card->fingerprint) == 0)
		return 0;
	return error_why(e, -EACCES, "the right card, not just a genuine one: SECURITY section 3",
			 "get the attestation of the card you mean",
			 "it is of card %s", card->facts.serial);
}

static int check_copies(const struct kek_file *file, const struct kek_statement *s,
			struct kf_error *e)
{
	if (strcmp(file->serial, s->serial) == 0 && strcmp(file->name, s->name) == 0)
		return 0;
	return error_why(e, -EACCES, "JSON copies equal the signed bytes (docs/formats.md 8)",
			 "get the attestation again from the client",
			 "its serial or name is not what the card has signed");
}

static int check_card(const struct kf_enrolled *card, const struct kek_statement *s,
		      struct kf_error *e)
{
	bool is_virtual = s->level == KF_LEVEL_VIRTUAL;

	if (strcmp(s->serial, card->facts.serial) == 0 && is_virtual == card->facts.is_virtual &&
	    bytes_equal(BYTES_OF(s->device), BYTES_OF(card->digest)))
		return 0;
	return error_why(e, -EACCES, RULE, "do not use this card",
			 "the card signed what its certificate contradicts");
}

/* [SECURITY section 5]: a key that was known outside is no better protection than that. */
static int check_origin(const struct kek_statement *s, struct kf_error *e)
{
	if (s->origin == KF_ORIGIN_GENERATED)
		return 0;
	return error_why(e, -EACCES, RULE ", origin",
			 "have a KEK made on the card; for a test rig, give its --kek-fingerprint",
			 "the KEK was loaded into the card from outside, so somebody may have kept it");
}

static int check_key(const struct kf_byok_kek *kek, const struct signed_statement *signed_,
		     const struct kek_statement *s, struct kf_error *e)
{
	uint8_t hash[KF_DIGEST_SIZE];
	int r = sha256(signed_->key, hash);

	if (r < 0)
		return r;
	if (bytes_equal(BYTES_OF(hash), BYTES_OF(kek->hash)) && s->kek_type == kek->type &&
	    bytes_equal(BYTES_OF(s->kek), BYTES_OF(kek->hash)))
		return 0;
	return error_why(e, -EACCES, RULE, "get the KEK and its attestation again, together",
			 "what the card attests is another key");
}

/* Believed from the signature on: what comes before it is form. */
static int verify(struct kf_byok_kek *kek, const struct kf_enrolled *card,
		  const struct kek_file *file, struct kf_error *e)
{
	struct signed_statement signed_ = { 0 };
	struct kek_statement s = { 0 };
	int r = signed_statement_parse(blob_bytes(&file->statement), &signed_);

	if (r == 0)
		r = kek_statement_parse(signed_.statement, &s);
	if (r < 0)
		return error_why(e, r, RULE, "get the attestation again from the client",
				 "the statement is not in form");
	r = ecdsa_verify(card->key, signed_.statement, BYTES_NONE, signed_.signature);
	if (r == -EBADMSG)
		return error_why(e, -EACCES, RULE, "do not use this KEK",
				 "the card's signature does not hold");
	if (r == 0)
		r = check_card(card, &s, e);
	if (r == 0)
		r = check_copies(file, &s, e);
	if (r == 0)
		r = check_key(kek, &signed_, &s, e);
	if (r == 0)
		r = check_origin(&s, e);
	if (r < 0)
		return r;
	if (EVP_PKEY_up_ref(card->key) != 1)
		return ossl_end(-EIO);
	EVP_PKEY_free(kek->device);
	kek->device = card->key;
	kek->statement = s;
	kek->trust = KEK_ATTESTED;
	return 0;
}

static int attest(struct kf_byok_kek *kek, const struct kf_server *server,
		  const struct kf_byok_attestation *a, struct kf_error *e)
{
	_cleanup_(kek_file_deinit) struct kek_file file = KEK_FILE_INIT;
	_cleanup_(kf_enrolled_freep) struct kf_enrolled *card = NULL;
	int r = kek_file_parse(BYTES(a->json, a->len), &file, e);

	if (r == 0)
		r = enrolled_load(blob_bytes(&file.device_certificate), BYTES(a->root, a->root_len),
				  a->crl ? BYTES(a->crl, a->crl_len) : BYTES_NONE,
				  server->allow_virtual, &card, e);
	if (r == 0)
		r = enrolled_check(card, e);
	if (r == 0)
		r = check_device(card, a->device, e);
	return r < 0 ? r : verify(kek, card, &file, e);
}

int kf_byok_kek_attest(struct kf_byok_kek *kek, const struct kf_server *server,
		       const struct kf_byok_attestation *attestation, struct kf_error *e)
{
	int r = -EINVAL;

	if (attestation->size >= sizeof(*attestation) && attestation->device && attestation->root)
		r = attest(kek, server, attestation, e);
	return error_what(e, r, "cannot trust the KEK");
}
