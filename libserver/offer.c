// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/offer.c - The checks of SECURITY section 3, in an order in which nothing is believed
 * before it is signed: certificate, signature, then each fact of the statement, then that the
 * JSON told the same.
 */
#include "libserver/offer.h"
#include "base/error.h"
#include "format/hash.h"
#include "format/keys.h"
#include "libserver/json/offer.h"
#include "libserver/master.h"

#define RULE "SECURITY section 3, statement"
#define ANEW "get a new offer from the card; if it happens again, distrust that machine"

__attribute__((format(printf, 4, 5)))
static int refuse(struct kf_error *e, const char *rule, const char *next, const char *format, ...)
{
	char why[KF_ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	error_text_vset(why, format, args);
	va_end(args);
	return error_why(e, -EACCES, rule, next, "%s", why);
}

static int refuse_copy(const char *member, struct kf_error *e)
{
	return refuse(e, "JSON copies equal the signed bytes (docs/formats.md 8)", ANEW,
		      "its \"%s\" is not what the card signed", member);
}

/* --- card --- */

static int check_card(const struct kf_enrolled *card, const struct offer_file *file,
		      struct kf_error *e)
{
	if (!bytes_equal(blob_bytes(&card->der), blob_bytes(&file->device_certificate)))
		return refuse(e, "the right card, not just a genuine one (SECURITY section 3)",
			      "insert the enrolled card, or enroll this one",
			      "it comes from another card than %s", card->facts.serial);
	return enrolled_check(card, e);
}

static int check_signature(const struct kf_enrolled *card, const struct offer_file *file,
			   struct kf_error *e)
{
	int r = ecdsa_verify(card->key, blob_bytes(&file->statement), BYTES_NONE,
			     blob_bytes(&file->signature));

	if (r != -EBADMSG)
		return r;
	return refuse(e, RULE, ANEW, "the card's signature on the statement does not hold");
}

/* --- statement --- */

static int check_identity(const struct kf_enrolled *card, const struct statement *s,
			  struct kf_error *e)
{
	enum kf_level level = card->facts.is_virtual ? KF_LEVEL_VIRTUAL : KF_LEVEL_CHIP;

	if (!bytes_equal(BYTES_OF(s->device), BYTES_OF(card->digest)))
		return refuse(e, RULE, ANEW, "the statement names another device certificate");
	if (strcmp(s->serial, card->facts.serial) != 0)
		return refuse(e, RULE, ANEW, "the statement names serial %s, the certificate %s",
			      s->serial, card->facts.serial);
	if (s->level != level)
		return refuse(e, RULE, "ask the card's maker",
			      "statement and certificate disagree on whether it is a virtual card");
	return 0;
}

static int check_nonce(const struct statement *s, const uint8_t nonce[static KF_NONCE_SIZE],
		       struct kf_error *e)
{
	if (bytes_equal(BYTES_OF(s->nonce), BYTES(nonce, KF_NONCE_SIZE)))
		return 0;
	return refuse(e, RULE, "make an offer for the newest challenge",
		      "the statement answers another challenge");
}

/*
 * An offer is for one method, whose name no field of the statement has: the type of the EXCHANGE key tells
 * rsa from ecdh, and a SHARED key, which the statement has the hash of, names its own (check_shared()).
 */
static int take_method(struct kf_verified_offer *offer, enum kf_method named, struct kf_error *e)
{
	if (!key_type_serves(offer->statement.exchange_type, named))
		return refuse_copy("method", e);
	offer->method = named;
	return 0;
}

static int check_shared(struct kf_verified_offer *offer, struct bytes info, struct kf_error *e)
{
	const struct statement *s = &offer->statement;
	uint8_t digest[KF_DIGEST_SIZE];
	int r;

	if (s->purpose != KF_PURPOSE_SHARED)
		return refuse(e, RULE, ANEW, "the offered key is not a SHARED key");
	if (s->origin != KF_ORIGIN_FACTORY && (s->origin != KF_ORIGIN_INJECTED || s->n_injectors == 0))
		return refuse(e, RULE, ANEW, "the SHARED key came neither from the card's maker nor from a "
			      "sender it knows");
	r = sha256(info, digest);
	if (r < 0)
		return r;
	if (!bytes_equal(BYTES_OF(digest), BYTES_OF(s->exchange)))
		return refuse(e, RULE, ANEW, "the SHARED key was swapped: it is not the one the card "
					     "signed");
	if (shared_info_parse(info, &offer->shared) < 0)
		return refuse(e, RULE, "ask the card's maker", "the SHARED key is not in form");
	return offer->shared.method == offer->method ? 0 : refuse_copy("method", e);
}

static int check_exchange(struct kf_verified_offer *offer, struct bytes spki, struct kf_error *e)
{
	const struct statement *s = &offer->statement;
	uint8_t digest[KF_DIGEST_SIZE];
	enum kf_key_type type = KF_KEY_NONE;
	int r;

	if (s->purpose != KF_PURPOSE_EXCHANGE)
		return refuse(e, RULE, ANEW, "the offered key is not for exchange only");
	if (s->origin != KF_ORIGIN_GENERATED)
		return refuse(e, RULE, ANEW, "the offered key was not generated on the card");
	r = sha256(spki, digest);
	if (r < 0)
		return r;
	if (!bytes_equal(BYTES_OF(digest), BYTES_OF(s->exchange)))
		return refuse(e, RULE, ANEW, "the EXCHANGE key was swapped: it is not the one the "
					     "card signed");
	r = spki_parse(spki, &offer->exchange, &type);
	if (r == -ENOMEM || r == -EIO)
		return r;
	if (r < 0 || type != s->exchange_type)
		return refuse(e, RULE, ANEW, "the EXCHANGE key is not of the type the card signed");
	return 0;
}

/* --- policy: what the card attests and what the server accepts --- */

/* The first of the server's list that the card attests; %KF_METHOD_NONE: there is none. */
static enum kf_method best_method(const struct kf_server *server, const struct statement *s)
{
	for (size_t i = 0; i < server->n_methods; i++)
		if (number_list_has(&s->methods, server->methods[i]))
			return (enum kf_method)server->methods[i];
	return KF_METHOD_NONE;
}

/*
 * [SECURITY section 3]: the server's list against what the card attests, never what the offer is for, or
 * whoever asks the card would have the choice. Names what is wanted: the client can only offer anew.
 */
static int choose_method(const struct kf_verified_offer *offer, const struct kf_server *server,
			 struct kf_error *e)
{
	enum kf_method best = best_method(server, &offer->statement);
	char next[KF_ERROR_TEXT_MAX];

	if (best == KF_METHOD_NONE)
		return refuse(e, "the server's list of methods",
			      "use another card, or allow one of its methods (keyferry server methods)",
			      "the card can do no method that this server accepts");
	if (best == offer->method)
		return 0;
	error_text_set(next, "make an offer by method %s", method_name(best));
	return refuse(e, "the server's list of methods", next,
		      "it is by method %s, where the server's list and the card agree on %s",
		      method_name(offer->method), method_name(best));
}

/* The injector's hash is the server's id, so that no two servers derive alike. */
static int check_id(const struct kf_verified_offer *offer, const struct kf_server *server,
		    struct kf_error *e)
{
	if (!method_confirms(offer->method) || server->injector)
		return 0;
	return error_why(e, -ENOKEY, "the server's id, docs/card-application.md 6.2",
			 "set the injector key",
			 "method %s names the server by its injector key, and there is none",
			 method_name(offer->method));
}

/* That the card has the key that this server's master gives it; nobody else can tell it so. */
static int check_mark(const struct kf_verified_offer *offer, const struct kf_server *server,
		      struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret key = SECRET_INIT;
	struct shared_info own;
	int r;

	r = master_derive(server, offer->shared.method, offer->statement.origin,
			  offer->statement.serial, &key, e);
	if (r == 0)
		r = shared_info_describe(&key, offer->shared.method, &own);
	if (r < 0)
		return r;
	if (bytes_equal(BYTES_OF(own.mark), BYTES_OF(offer->shared.mark)))
		return 0;
	return refuse(e, "keys shared with this server (docs/card-application.md 6.2)",
		      "use the server the card was personalised for, or another method",
		      "the card's shared key is not one of this server's");
}

int offer_check_method(const struct kf_verified_offer *offer, const struct kf_server *server,
		       struct kf_error *e)
{
	int r = choose_method(offer, server, e);

	if (r < 0 || !method_is_shared(offer->method))
		return r;
	r = check_mark(offer, server, e);
	return r < 0 ? r : check_id(offer, server, e);
}

static int check_policy(const struct kf_server *server, enum kf_method method,
			const struct statement *s, struct kf_error *e)
{
	if (method == KF_METHOD_RSA && key_type_bits(s->exchange_type) < server->exchange_bits)
		return refuse(e, "the server's policy", "offer a larger EXCHANGE key",
			      "the EXCHANGE key has %u bits, %u are wanted",
			      key_type_bits(s->exchange_type), server->exchange_bits);
	if (method == KF_METHOD_RSA && !number_list_has(&s->paddings, WRAP_OAEP_SHA256))
		return refuse(e, "the server's policy", "use another card",
			      "the card does not do OAEP with SHA-256");
	if (!number_list_has(&s->suites, SUITE_AES256_CBC_CMAC))
		return refuse(e, "the server's policy", "use another card",
			      "the card does not do AES-256-CBC with CMAC");
	if (!target_is_valid(s->container) || s->limit_items < 1 || s->limit_tries < 1)
		return refuse(e, "docs/card-application.md 1", "use another card",
			      "container or limits in the statement are out of range");
	return 0;
}

static int choose_sender(struct kf_verified_offer *offer, const struct kf_server *server,
			 struct kf_error *e)
{
	const struct statement *s = &offer->statement;

	if (s->n_injectors == 0 && s->container == KF_CONTAINER_SHARED)
		return refuse(e, "SHARED keys come from known senders alone, SECURITY section 4",
			      "use a card personalised with this server's injector key",
			      "the card knows no sender");
	if (s->n_injectors == 0 && s->container == KF_CONTAINER_PINS)
		return refuse(e, "PINs are set for known senders alone, SECURITY section 4",
			      "use a card personalised with this server's injector key",
			      "the card knows no sender");
	if (s->n_injectors == 0)
		return 0;
	if (!server->injector)
		return error_why(e, -ENOKEY, "senders the card knows, SECURITY section 4",
				 "unlock the injector key",
				 "the card takes signed items only, and there is no key to sign");
	for (size_t i = 0; i < s->n_injectors; i++) {
		if (!bytes_equal(BYTES_OF(s->injectors[i]), BYTES_OF(server->injector_hash)))
			continue;
		offer->sender.present = true;
		memcpy(offer->sender.digest, server->injector_hash, KF_DIGEST_SIZE);
		return 0;
	}
	return refuse(e, "senders the card knows, SECURITY section 4",
		      "use a card personalised with this server's injector key",
		      "the card does not know this server as a sender");
}

/* --- JSON --- */

static int check_copies(const struct kf_verified_offer *offer, const struct offer_file *file,
			struct kf_error *e)
{
	const struct statement *s = &offer->statement;
	const char *differs = NULL;

	if (strcmp(file->serial, s->serial) != 0)
		differs = "serial";
	else if (file->container != s->container)
		differs = "container";
	else if (!bytes_equal(BYTES_OF(file->sid), BYTES_OF(s->sid)))
		differs = "sid";
	else if (!bytes_equal(BYTES_OF(file->nonce), BYTES_OF(s->nonce)))
		differs = "nonce";
	return differs ? refuse_copy(differs, e) : 0;
}

/*
 * S1 comes about in the card alone by every method, so the grade is decided by what the card is; but a key
 * is no better than the one it came under, and what a maker loaded others had (SECURITY section 5). What was
 * injected came under a key of the card's own, or the card says that it is the maker's.
 */
static enum kf_grade compute_grade(const struct kf_verified_offer *offer)
{
	if (offer->statement.origin == KF_ORIGIN_FACTORY)
		return KF_GRADE_C;
	return offer->statement.level == KF_LEVEL_CHIP ? KF_GRADE_A : KF_GRADE_A_VIRTUAL;
}

static int verify(const struct kf_server *server, const struct kf_enrolled *card,
		  const uint8_t nonce[static KF_NONCE_SIZE], const struct offer_file *file,
		  struct kf_verified_offer *offer, struct kf_error *e)
{
	int r;

	r = check_card(card, file, e);
	if (r == 0)
		r = check_signature(card, file, e);
	if (r == 0 && statement_parse(blob_bytes(&file->statement), &offer->statement) < 0)
		r = error_why(e, -EBADMSG, "docs/formats.md 4", "ask the card's maker",
			      "the statement the card signed is not in form");
	if (r == 0)
		r = check_identity(card, &offer->statement, e);
	if (r == 0)
		r = check_nonce(&offer->statement, nonce, e);
	if (r == 0)
		r = take_method(offer, file->method, e);
	if (r == 0 && method_is_shared(offer->method))
		r = check_shared(offer, blob_bytes(&file->exchange_key), e);
	else if (r == 0)
		r = check_exchange(offer, blob_bytes(&file->exchange_key), e);
	if (r == 0)
		r = check_copies(offer, file, e);
	if (r == 0)
		r = offer_check_method(offer, server, e);
	if (r == 0)
		r = check_policy(server, offer->method, &offer->statement, e);
	if (r == 0)
		r = choose_sender(offer, server, e);
	if (r == 0)
		r = statement_hash(blob_bytes(&file->statement), offer->h);
	if (r == 0)
		r = blob_set(&offer->certificate, blob_bytes(&card->der));
	offer->grade = compute_grade(offer);
	offer->any_genuine = card->any_genuine;
	memcpy(offer->fingerprint, card->fingerprint, sizeof(offer->fingerprint));
	return r;
}

int kf_offer_verify(const struct kf_server *server, const struct kf_enrolled *card,
		    const uint8_t nonce[KF_NONCE_SIZE], const void *json, size_t len,
		    struct kf_verified_offer **out, struct kf_error *e)
{
	_cleanup_(kf_verified_offer_freep) struct kf_verified_offer *offer =
		calloc(1, sizeof(*offer));
	_cleanup_(offer_file_deinit) struct offer_file file = OFFER_FILE_INIT;
	int r;

	if (!offer)
		return error_what(e, -ENOMEM, "cannot verify the offer");
	r = offer_file_parse(BYTES(json, len), &file, e);
	if (r == 0)
		r = verify(server, card, nonce, &file, offer, e);
	if (r < 0)
		return error_what(e, r, "the offer is refused");
	*out = take_ptr(offer);
	return 0;
}

int kf_offer_peek(const void *json, size_t len, uint8_t nonce[KF_NONCE_SIZE], uint8_t **cert,
		  size_t *cert_len, struct kf_error *e)
{
	_cleanup_(offer_file_deinit) struct offer_file file = OFFER_FILE_INIT;
	int r = offer_file_parse(BYTES(json, len), &file, e);

	if (r < 0)
		return r;
	memcpy(nonce, file.nonce, KF_NONCE_SIZE);
	if (cert) {
		*cert_len = file.device_certificate.n;
		*cert = take_ptr(file.device_certificate.p);
	}
	return 0;
}

struct kf_verified_offer *kf_verified_offer_free(struct kf_verified_offer *offer)
{
	if (!offer)
		return NULL;
	EVP_PKEY_free(offer->exchange);
	blob_deinit(&offer->certificate);
	free(offer);
	return NULL;
}

const char *kf_verified_offer_serial(const struct kf_verified_offer *offer)
{
	return offer->statement.serial;
}

const char *kf_verified_offer_fingerprint(const struct kf_verified_offer *offer)
{
	return offer->fingerprint;
}

unsigned int kf_verified_offer_container(const struct kf_verified_offer *offer)
{
	return offer->statement.container;
}

enum kf_method kf_verified_offer_method(const struct kf_verified_offer *offer)
{
	return offer->method;
}

enum kf_key_type kf_verified_offer_exchange_type(const struct kf_verified_offer *offer)
{
	return offer->statement.exchange_type;
}

enum kf_grade kf_verified_offer_grade(const struct kf_verified_offer *offer)
{
	return offer->grade;
}

const uint8_t *kf_verified_offer_sid(const struct kf_verified_offer *offer)
{
	return offer->statement.sid;
}

const uint8_t *kf_verified_offer_hash(const struct kf_verified_offer *offer)
{
	return offer->h;
}

const uint8_t *kf_verified_offer_nonce(const struct kf_verified_offer *offer)
{
	return offer->statement.nonce;
}

const uint8_t *kf_verified_offer_holds(const struct kf_verified_offer *offer)
{
	return offer->statement.holds.present ? offer->statement.holds.digest : NULL;
}

int kf_verified_offer_is_signed(const struct kf_verified_offer *offer)
{
	return offer->sender.present;
}

int kf_verified_offer_takes(const struct kf_verified_offer *offer, enum kf_key_type type)
{
	return number_list_has(&offer->statement.key_types, (uint8_t)type);
}

const char *kf_grade_name(enum kf_grade grade)
{
	const char *name = grade_name(grade);

	return name ? name : "U";
}
