// SPDX-License-Identifier: LGPL-2.1-or-later
/* libserver/enrolled.c - Parsed once, checked again at every use: time passes and lists grow. */
#include "libserver/enrolled.h"
#include "base/error.h"
#include "format/hash.h"

static int load(struct kf_enrolled *card, struct bytes cert, struct bytes root, struct bytes crl,
		struct kf_error *e)
{
	int r;

	r = cert_parse(cert, "card's certificate", &card->cert, e);
	if (r == 0)
		r = cert_parse(root, "root certificate", &card->root, e);
	if (r == 0)
		r = cert_check_root(card->root, e);
	if (r == 0 && crl.n > 0)
		r = crl_parse(crl, &card->crl, e);
	if (r == 0)
		r = cert_der(card->cert, &card->der);
	if (r < 0)
		return r;
	if (card->der.n > KF_CERT_MAX)
		return error_why(e, -EBADMSG, "docs/formats.md 2: 4096 bytes",
				 "check that it is the right file",
				 "the card's certificate is too long");
	if (card->crl && !crl_is_of(card->crl, card->root))
		return error_why(e, -EACCES, "a list signed by the root", "get the root's own list",
				 "the revocation list was not issued by this root");
	r = cert_check_device(card->cert, &card->facts, e);
	if (r < 0)
		return r;
	card->key = X509_get0_pubkey(card->cert);
	r = sha256(blob_bytes(&card->der), card->digest);
	hex_print(BYTES_OF(card->digest), card->fingerprint);
	return r;
}

int enrolled_load(struct bytes cert, struct bytes root, struct bytes crl, bool allow_virtual,
		  struct kf_enrolled **out, struct kf_error *e)
{
	_cleanup_(kf_enrolled_freep) struct kf_enrolled *card = calloc(1, sizeof(*card));
	int r;

	if (!card)
		return -ENOMEM;
	card->allow_virtual = allow_virtual;
	r = load(card, cert, root, crl, e);
	if (r == 0)
		*out = take_ptr(card);
	return r;
}

int enrolled_check(const struct kf_enrolled *card, struct kf_error *e)
{
	if (card->facts.is_virtual && !card->allow_virtual)
		return error_why(e, -EACCES, "virtual cards, SECURITY section 3",
				 "allow it with --allow-virtual if you mean a test card",
				 "card %s is virtual: software, not a chip", card->facts.serial);
	return cert_check_path(card->cert, card->root, card->crl, true, e);
}

int kf_enrolled_new(const struct kf_server *server, const void *cert, size_t cert_len,
		    const void *root, size_t root_len, const void *crl, size_t crl_len,
		    struct kf_enrolled **out, struct kf_error *e)
{
	_cleanup_(kf_enrolled_freep) struct kf_enrolled *card = NULL;
	int r;

	r = enrolled_load(BYTES(cert, cert_len), BYTES(root, root_len),
			  crl ? BYTES(crl, crl_len) : BYTES_NONE, server->allow_virtual, &card, e);
	if (r == 0)
		r = enrolled_check(card, e);
	if (r == 0)
		*out = take_ptr(card);
	return error_what(e, r, "cannot take the card's certificate");
}

struct kf_enrolled *kf_enrolled_free(struct kf_enrolled *card)
{
	if (!card)
		return NULL;
	X509_free(card->cert);
	X509_free(card->root);
	X509_CRL_free(card->crl);
	blob_deinit(&card->der);
	free(card);
	return NULL;
}

const char *kf_enrolled_serial(const struct kf_enrolled *card)
{
	return card->facts.serial;
}

const char *kf_enrolled_fingerprint(const struct kf_enrolled *card)
{
	return card->fingerprint;
}

int kf_enrolled_is_virtual(const struct kf_enrolled *card)
{
	return card->facts.is_virtual;
}
