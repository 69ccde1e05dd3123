// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/byok/receipt.c - A card's word for what it has unwrapped, compared with what was sent, field by
 * field in the order of docs/formats.md 12. The blob says nothing of container, purpose and policy: these
 * are the importer's choice within what the KEK allows, so whoever cares says what they have to be.
 */
#include "base/error.h"
#include "format/hash.h"
#include "format/kek_receipt.h"
#include "format/kid.h"
#include "format/ossl.h"
#include "libserver/byok/kek.h"

#define RULE "receipt against blob and KEK, docs/formats.md 12"
#define NEXT "ask for the card's receipt of this blob again; if it repeats, do not use the key"

/**
 * struct kf_byok_proof - a receipt that holds
 * @spki:	of a key pair, of @spki_len bytes; 0: an AES key
 * @mark:	of an AES key
 */
struct kf_byok_proof {
	struct kek_receipt receipt;
	enum kf_grade grade;
	uint8_t spki[SPKI_MAX];
	size_t spki_len;
	struct key_mark mark;
};

DEFINE_CLEANUP(struct kf_byok_proof *, kf_byok_proof_free);

static int refuse(struct kf_error *e, const char *why)
{
	return error_why(e, -EACCES, RULE, NEXT, "%s", why);
}

static bool digests_equal(const uint8_t a[static KF_DIGEST_SIZE], const uint8_t b[static KF_DIGEST_SIZE])
{
	return bytes_equal(BYTES(a, KF_DIGEST_SIZE), BYTES(b, KF_DIGEST_SIZE));
}

/* What is not as the KEK's attestation has it, in words; NULL: nothing. */
static const char *other_kek(const struct kek_receipt *r, const struct kf_byok_kek *kek)
{
	const struct kek_statement *s = &kek->statement;

	if (!digests_equal(r->device, s->device))
		return "it is of another device certificate";
	if (strcmp(r->serial, s->serial) != 0)
		return "it names another serial";
	if (!digests_equal(r->kek, kek->hash))
		return "it names another KEK";
	if (r->kek_origin != s->origin || r->hash != s->hash)
		return "the card contradicts its attestation of the KEK";
	if (!number_list_has(&s->key_types, r->key_type) || !number_list_has(&s->purposes, r->purpose))
		return "the KEK does not allow what the card says it has done";
	return NULL;
}

/* The same for what was asked. */
static const char *other_key(const struct kek_receipt *r, const struct kf_byok_proof_request *q)
{
	if (q->key_type != KF_KEY_NONE && q->key_type != r->key_type)
		return "the key has another type";
	if (q->purpose != KF_PURPOSE_NONE && q->purpose != r->purpose)
		return "the key is for another use";
	if (r->policy.pin_needed != (r->pin != 0))
		return "PIN and policy contradict each other";
	if (!r->policy.pin_needed && !q->allow_no_pin)
		return "the key can be used without a PIN";
	if (r->policy.not_after != 0)
		return "the key has an end that nobody asked for";
	if (r->origin != KF_ORIGIN_INJECTED_OPEN)
		return "the container says that the key came another way";
	return NULL;
}

static int check_blob(const struct kek_receipt *r, const struct kf_byok_proof_request *q, struct kf_error *e)
{
	uint8_t digest[KF_DIGEST_SIZE];
	int err = sha256(BYTES(q->blob, q->blob_len), digest);

	if (err == 0 && !digests_equal(r->blob, digest))
		err = refuse(e, "the card has unwrapped another blob");
	return err;
}

static int check_kid(const struct kf_byok_kek *kek, const char *kid, struct kf_error *e)
{
	const char *name = kek->statement.name;

	if (!kid || kid_fits(BYTES(kid, strlen(kid)), BYTES(name, strlen(name))) != KID_OTHER)
		return 0;
	return error_why(e, -EACCES, RULE, "give the attestation of the KEK it was wrapped for",
			 "the file was wrapped for another KEK than %s", name);
}

/* The public value that the card computed from what it had unwrapped. */
static int take_evidence(struct kf_byok_proof *proof, struct kf_error *e)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	struct bytes evidence = proof->receipt.evidence;
	enum kf_key_type type = KF_KEY_NONE;
	int r;

	if (key_type_is_aes(proof->receipt.key_type)) {
		r = key_mark_parse(evidence, &proof->mark);
		type = proof->mark.key_type;
	} else {
		r = spki_parse(evidence, &key, &type);
		proof->spki_len = evidence.n <= sizeof(proof->spki) ? evidence.n : 0;
		memcpy(proof->spki, evidence.p, proof->spki_len);
	}
	if (r == -ENOMEM)
		return r;
	return r < 0 || type != proof->receipt.key_type ? refuse(e, "the public value in it is malformed") : 0;
}

static int check_evidence(const struct kf_byok_proof *proof, const struct kf_byok_proof_request *q,
			  struct kf_error *e)
{
	bool is_pair = proof->spki_len > 0;
	uint8_t digest[KF_DIGEST_SIZE];
	int r = sha256(BYTES(proof->spki, proof->spki_len), digest);

	if (r < 0)
		return r;
	if (q->public_hash && (!is_pair || !digests_equal(digest, q->public_hash)))
		return refuse(e, "the card holds another key than was sent");
	if (q->check_value && (is_pair || !bytes_equal(BYTES(q->check_value, KF_CHECK_VALUE_SIZE),
						       BYTES_OF(proof->mark.check))))
		return refuse(e, "the card holds another key than was sent");
	return 0;
}

static int not_in_form(struct kf_error *e)
{
	return error_why(e, -EBADMSG, "docs/formats.md 12", "get the file again from the client",
			 "the receipt is not in form");
}

/* Believed from the signature on. */
static int prove(struct kf_byok_proof *proof, const struct kf_byok_kek *kek,
		 const struct kf_byok_proof_request *q, struct kf_error *e)
{
	struct signed_receipt outer;
	const char *why;
	int r;

	if (signed_receipt_parse(BYTES(q->receipt, q->receipt_len), &outer) < 0)
		return not_in_form(e);
	r = ecdsa_verify(kek->device, outer.receipt, BYTES_NONE, outer.signature);
	if (r == -EBADMSG)
		return refuse(e, "the card's signature does not hold");
	if (r < 0)
		return r;
	if (kek_receipt_parse(outer.receipt, &proof->receipt) < 0)
		return not_in_form(e);
	why = other_kek(&proof->receipt, kek);
	r = why ? refuse(e, why) : check_blob(&proof->receipt, q, e);
	if (r == 0)
		r = check_kid(kek, q->kid, e);
	why = other_key(&proof->receipt, q);
	if (r == 0 && why)
		r = refuse(e, why);
	if (r == 0)
		r = take_evidence(proof, e);
	return r < 0 ? r : check_evidence(proof, q, e);
}

static int verify(const struct kf_byok_kek *kek, const struct kf_byok_proof_request *q,
		  struct kf_byok_proof **out, struct kf_error *e)
{
	_cleanup_(kf_byok_proof_freep) struct kf_byok_proof *proof = NULL;
	int r;

	if (q->size < sizeof(*q) || !q->receipt || !q->blob)
		return -EINVAL;
	if (kek->trust != KEK_ATTESTED)
		return error_why(e, -EACCES, RULE, "give the KEK's attestation: it says whose signature counts",
				 "no card has attested this KEK");
	proof = calloc(1, sizeof(*proof));
	if (!proof)
		return -ENOMEM;
	r = prove(proof, kek, q, e);
	if (r < 0)
		return r;
	proof->receipt.evidence = BYTES_NONE;	/* it borrowed from the request */
	proof->grade = kf_byok_kek_grade(kek);
	*out = take_ptr(proof);
	return 0;
}

int kf_byok_receipt_verify(const struct kf_byok_kek *kek, const struct kf_byok_proof_request *request,
			   struct kf_byok_proof **out, struct kf_error *e)
{
	return error_what(e, verify(kek, request, out, e), "the import is not proved");
}

struct kf_byok_proof *kf_byok_proof_free(struct kf_byok_proof *proof)
{
	free(proof);
	return NULL;
}

uint32_t kf_byok_proof_value(const struct kf_byok_proof *proof, enum kf_byok_proof_fact fact)
{
	switch (fact) {
	case KF_BYOK_PROOF_TYPE:      return proof->receipt.key_type;
	case KF_BYOK_PROOF_PURPOSE:   return proof->receipt.purpose;
	case KF_BYOK_PROOF_CONTAINER: return proof->receipt.container;
	case KF_BYOK_PROOF_PIN:	      return proof->receipt.pin;
	case KF_BYOK_PROOF_COUNTER:   return proof->receipt.counter;
	case KF_BYOK_PROOF_GRADE:     return proof->grade;
	}
	return 0;
}

const uint8_t *kf_byok_proof_public(const struct kf_byok_proof *proof, size_t *len)
{
	*len = proof->spki_len;
	return proof->spki_len > 0 ? proof->spki : NULL;
}

const uint8_t *kf_byok_proof_check_value(const struct kf_byok_proof *proof)
{
	return proof->spki_len > 0 ? NULL : proof->mark.check;
}

const char *kf_byok_proof_serial(const struct kf_byok_proof *proof)
{
	return proof->receipt.serial;
}
