// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/enrolment.c - The cards a state knows, and the revocation lists of their roots. A list
 * belongs to a root, not to the card it came with: the newest one holds for every card under it,
 * and no older one ever replaces it.
 */
#include "libserver/state.h"
#include "base/error.h"
#include "libserver/cards.h"
#include "libserver/schsm/hsms.h"

static int check_serial_is_free(struct kf_state *state, const struct kf_enrolled *card,
				struct kf_error *e)
{
	char found[HEX_DIGEST_SIZE];
	int r = cards_find(&state->cards, card->facts.serial, found, e);

	if (r == 0 && strcmp(found, card->fingerprint) == 0)
		return 0;
	if (r == -ENOENT)
		r = hsms_find(&state->hsms, card->facts.serial, found, e);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	return error_why(e, -EEXIST, "one certificate for a serial",
			 "look at it with keyferry server show",
			 "another certificate of card %s is enrolled", card->facts.serial);
}

static bool crl_is_newer(const X509_CRL *crl, const X509_CRL *than)
{
	return ASN1_TIME_compare(X509_CRL_get0_lastUpdate(crl), X509_CRL_get0_lastUpdate(than)) > 0;
}

static void replace_list(struct kf_enrolled *card, X509_CRL *crl)
{
	X509_CRL_up_ref(crl);
	X509_CRL_free(card->crl);
	card->crl = crl;
}

/* The newest list of a root is that of all its cards, whichever of them it came with. */
struct sharing {
	struct kf_state *state;
	struct kf_enrolled *card;
	struct kf_error *e;
};

static int take_newer_list(void *arg, struct kf_enrolled *known)
{
	struct kf_enrolled *card = ((struct sharing *)arg)->card;

	if (known->crl && crl_is_of(known->crl, card->root) &&
	    (!card->crl || crl_is_newer(known->crl, card->crl)))
		replace_list(card, known->crl);
	return 0;
}

static int give_newer_list(void *arg, struct kf_enrolled *known)
{
	struct sharing *sharing = arg;
	X509_CRL *crl = sharing->card->crl;

	if (!crl || !crl_is_of(crl, known->root) || (known->crl && !crl_is_newer(crl, known->crl)))
		return 0;
	replace_list(known, crl);
	return cards_store(&sharing->state->cards, known, sharing->e);
}

int kf_state_enroll(struct kf_state *state, const void *cert, size_t cert_len, const void *root,
		    size_t root_len, const void *crl, size_t crl_len, int allow_virtual,
		    struct kf_error *e)
{
	_cleanup_(kf_enrolled_freep) struct kf_enrolled *card = NULL;
	struct sharing sharing = { .state = state, .e = e };
	int r;

	r = enrolled_load(BYTES(cert, cert_len), BYTES(root, root_len),
			  crl ? BYTES(crl, crl_len) : BYTES_NONE, allow_virtual != 0, &card, e);
	sharing.card = card;
	if (r == 0)
		r = cards_each(&state->cards, take_newer_list, &sharing, e);
	if (r == 0)
		r = enrolled_check(card, e);
	if (r == 0)
		r = check_serial_is_free(state, card, e);
	if (r == 0)
		r = cards_each(&state->cards, give_newer_list, &sharing, e);
	if (r == 0)
		r = cards_store(&state->cards, card, e);
	return error_what(e, r, "cannot enroll the card");
}

struct new_crl {
	struct kf_state *state;
	X509_CRL *crl;
	unsigned int n;
	struct kf_error *e;
};

/* Revocation must not be undone by an old list. */
static int give_crl(void *arg, struct kf_enrolled *card)
{
	struct new_crl *new = arg;

	if (!crl_is_of(new->crl, card->root))
		return 0;
	if (card->crl && ASN1_TIME_compare(X509_CRL_get0_lastUpdate(new->crl),
					   X509_CRL_get0_lastUpdate(card->crl)) < 0)
		return error_why(new->e, -EACCES, "lists are replaced by newer ones only",
				 "get the root's current list",
				 "the list is older than the one enrolled for card %s",
				 card->facts.serial);
	replace_list(card, new->crl);
	new->n++;
	return cards_store(&new->state->cards, card, new->e);
}

int kf_state_set_crl(struct kf_state *state, const void *crl, size_t crl_len,
		     unsigned int *n_cards, struct kf_error *e)
{
	_cleanup_(X509_CRL_freep) X509_CRL *list = NULL;
	struct new_crl new = { .state = state, .e = e };
	int r;

	r = crl_parse(BYTES(crl, crl_len), &list, e);
	if (r == 0)
		r = crl_check_strength(list, e);
	new.crl = list;
	if (r == 0)
		r = cards_each(&state->cards, give_crl, &new, e);
	if (r == 0 && new.n == 0)
		r = error_why(e, -ENOENT, "a list signed by an enrolled root",
			      "check that it is the maker's list",
			      "no enrolled root has issued it");
	if (r < 0)
		return error_what(e, r, "cannot take the revocation list");
	*n_cards = new.n;
	return 0;
}

static int load_card(struct kf_state *state, const char *name, struct kf_enrolled **out,
		     struct kf_error *e)
{
	char fingerprint[HEX_DIGEST_SIZE];
	int r = cards_find(&state->cards, name, fingerprint, e);

	return r < 0 ? r : cards_load(&state->cards, fingerprint, out, e);
}

int kf_state_card(struct kf_state *state, const char *name, struct kf_enrolled **out,
		  struct kf_error *e)
{
	_cleanup_(kf_enrolled_freep) struct kf_enrolled *card = NULL;
	int r = load_card(state, name, &card, e);

	if (r == 0)
		r = enrolled_check(card, e);
	if (r < 0)
		return error_what(e, r, "cannot use card %s", name);
	*out = take_ptr(card);
	return 0;
}

struct visitor {
	int (*visit)(void *arg, const char *serial, const char *fingerprint, int is_virtual,
		     int refused);
	void *arg;
};

static int visit_card(void *arg, struct kf_enrolled *card)
{
	struct visitor *visitor = arg;

	return visitor->visit(visitor->arg, card->facts.serial, card->fingerprint,
			      card->facts.is_virtual, enrolled_check(card, NULL));
}

int kf_state_each_card(struct kf_state *state,
		       int (*visit)(void *arg, const char *serial, const char *fingerprint,
				    int is_virtual, int refused),
		       void *arg, struct kf_error *e)
{
	struct visitor visitor = { visit, arg };

	return cards_each(&state->cards, visit_card, &visitor, e);
}
