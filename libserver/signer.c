// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/signer.c - The enrolled card by name and nonce, or any card under an enrolled root. For
 * the latter every list of that root is asked, whichever entry it stands in.
 */
#include "libserver/signer.h"
#include "base/error.h"
#include "libserver/cards.h"

#include <openssl/err.h>

struct genuine {
	struct bytes cert;
	bool allow_virtual;
	struct kf_enrolled *found;
	struct kf_error *e;
	int refused;			/* by its own root if that is enrolled, else by any */
};

/* Why its issuer refuses it is worth telling; that a foreign root does, is not. */
static int note_refusal(struct genuine *genuine, const struct kf_enrolled *root,
			const struct kf_enrolled *other, int r, const struct kf_error *why)
{
	/* By the signature: names may well be the same. */
	bool issuer = other && X509_verify(other->cert, X509_get0_pubkey(root->root)) == 1;

	ERR_clear_error();
	if (r == -ENOMEM)
		return r;
	if (genuine->refused < 0 && !issuer)
		return 0;
	genuine->refused = r;
	if (genuine->e)
		*genuine->e = *why;
	return 0;
}

/* Under whose root, with whose list, does this certificate stand? */
static int try_root(void *arg, struct kf_enrolled *card)
{
	struct genuine *genuine = arg;
	_cleanup_(kf_enrolled_freep) struct kf_enrolled *other = NULL;
	_cleanup_(blob_deinit) struct blob root = BLOB_INIT, crl = BLOB_INIT;
	struct kf_error why = KF_ERROR_INIT;
	int r = cert_der(card->root, &root);

	if (r == 0 && card->crl)
		r = crl_der(card->crl, &crl);
	if (r == 0)
		r = enrolled_load(genuine->cert, blob_bytes(&root), blob_bytes(&crl),
				  genuine->allow_virtual, &other, &why);
	if (r == 0)
		r = enrolled_check(other, &why);
	if (r < 0)
		return note_refusal(genuine, card, other, r, &why);
	other->any_genuine = true;
	/* Found once is not enough: another entry of the same root may have the list it is on. */
	kf_enrolled_free(genuine->found);
	genuine->found = take_ptr(other);
	return 0;
}

struct revocation {
	const struct kf_enrolled *card;
	struct kf_error *e;
};

static int ask_every_list(void *arg, struct kf_enrolled *card)
{
	struct revocation *ask = arg;

	if (!card->crl || !crl_is_of(card->crl, ask->card->root))
		return 0;
	return cert_check_path(ask->card->cert, card->root, card->crl, true, ask->e);
}

int signer_genuine(struct kf_state *state, struct bytes cert, bool allow_virtual,
			struct kf_enrolled **out, struct kf_error *e)
{
	struct genuine genuine = { .cert = cert, .allow_virtual = allow_virtual, .e = e };
	struct revocation ask = { .e = e };
	int r = cards_each(&state->cards, try_root, &genuine, e);

	if (r == 0 && !genuine.found)
		r = genuine.refused < 0 ? genuine.refused :
		    error_why(e, -EACCES, "any genuine card under an enrolled root",
			      "enroll a card of this maker first", "no card is enrolled");
	ask.card = genuine.found;
	if (r == 0)
		r = cards_each(&state->cards, ask_every_list, &ask, e);
	if (r < 0) {
		kf_enrolled_free(genuine.found);
		return r;
	}
	*out = genuine.found;
	return 0;
}

int signer_named(struct kf_state *state, const char *name, const char *fingerprint,
		     struct kf_enrolled **out, struct kf_error *e)
{
	_cleanup_(kf_enrolled_freep) struct kf_enrolled *card = NULL;
	char named[HEX_DIGEST_SIZE];
	int r;

	if (name) {
		r = cards_find(&state->cards, name, named, e);
		if (r < 0)
			return r;
		if (strcmp(named, fingerprint) != 0)
			return error_why(e, -EACCES,
					 "the right card, not just a genuine one (SECURITY section 3)",
					 "name the card it was made for",
					 "it was made for another card than %s", name);
	}
	r = cards_load(&state->cards, fingerprint, &card, e);
	if (r == 0)
		r = enrolled_check(card, e);
	if (r == 0)
		*out = take_ptr(card);
	return r;
}
