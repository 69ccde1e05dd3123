// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/establish.c - A method a function: each puts S1 into the handle, what the card needs for it
 * into the cargo, and what the card will confirm into the ticket.
 */
#include "libserver/establish.h"
#include "base/error.h"
#include "format/agree.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "format/seal.h"
#include "format/shared.h"
#include "libserver/master.h"
#include "libserver/random.h"

enum { INPUT_MAX = 512 };

static int wrap(const struct kf_verified_offer *offer, const struct secret *s1, struct blob *out)
{
	uint8_t buf[INPUT_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	int r = session_key_wrap(offer->exchange, offer->h, s1, &p);

	return r < 0 ? r : blob_set(out, pack_done(&p));
}

/* What is not wrapped nobody chooses: S1 comes of both sides' keys. */
int establish_check_wraps(const struct kf_verified_offer *offer, struct kf_error *e)
{
	if (offer->method == KF_METHOD_RSA)
		return 0;
	return error_why(e, -EOPNOTSUPP, "docs/card-application.md 5.3",
			 "give no session key: it is made with the cargo",
			 "method %s wraps no session key", method_name(offer->method));
}

int kf_session_key_wrap(const struct kf_verified_offer *offer, const uint8_t s1[KF_S1_SIZE],
			uint8_t **wrapped, size_t *len, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret copy = SECRET_INIT;
	struct blob out = BLOB_INIT;
	int r = establish_check_wraps(offer, e);

	if (r == 0)
		r = secret_init(&copy, KF_S1_SIZE);
	if (r == 0)
		r = secret_set(&copy, BYTES(s1, KF_S1_SIZE));
	if (r == 0)
		r = wrap(offer, &copy, &out);
	if (r < 0)
		return error_what(e, r, "cannot wrap the session key");
	*wrapped = out.p;
	*len = out.n;
	return 0;
}

static int take_s1(struct kf_md_key *key, struct bytes s1, struct kf_error *e)
{
	int r = secret_init(&key->s1, KF_S1_SIZE);

	if (r == 0)
		r = secret_resize(&key->s1, KF_S1_SIZE);
	if (r < 0)
		return r;
	if (s1.p)
		return secret_set(&key->s1, s1);
	return random_secret(key->s1.p, KF_S1_SIZE, e);
}

/* --- method ecdh --- */

static int agree(struct kf_md_key *key, EVP_PKEY *ephemeral, struct packer *input,
		 struct agreed *agreed)
{
	uint8_t fixed[AGREE_POINT_MAX];
	struct packer card = pack_begin(fixed, sizeof(fixed));
	struct agree_facts facts = {
		.type = key->offer->statement.exchange_type, .h = key->offer->h,
	};
	int r = agree_point(key->offer->exchange, &card);

	if (r == 0)
		r = agree_point(ephemeral, input);
	if (r < 0)
		return r;
	facts.fixed = pack_done(&card);
	facts.ephemeral = pack_done(input);
	r = agree_ephemeral(ephemeral, &facts, agreed);
	if (r < 0)
		return r;
	pack_bytes(input, BYTES_OF(agreed->host));
	return pack_end(input);
}

/* The ephemeral pair lives in here: one for each cargo [SP 800-56A 5.6.3.3]. */
static int establish_ecdh(struct kf_md_key *key, struct kf_error *e)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *ephemeral = NULL;
	uint8_t buf[INPUT_MAX];
	struct packer input = pack_begin(buf, sizeof(buf));
	struct agreed agreed = { .s1 = &key->s1 };
	int r = secret_init(&key->s1, KF_S1_SIZE);

	if (r == 0)
		r = key_generate(key->offer->statement.exchange_type, &ephemeral);
	if (r == 0)
		r = agree(key, ephemeral, &input, &agreed);
	if (r == -EBADMSG)
		r = error_why(e, -EACCES, "SECURITY section 9, ECDH", "distrust that card",
			      "the card's EXCHANGE key is no proper point");
	if (r < 0)
		return r;
	key->ticket.confirms = true;
	memcpy(key->ticket.confirmation, agreed.card, sizeof(key->ticket.confirmation));
	return blob_set(&key->cargo.input, pack_done(&input));
}

/* --- methods by a SHARED key --- */

/* [SECURITY section 9, 3]: a challenge of ours must not be the card's. */
static int challenge(const struct kf_verified_offer *offer, uint8_t out[static CHALLENGE_SIZE],
		     struct kf_error *e)
{
	int r;

	do
		r = random_public(out, CHALLENGE_SIZE, e);
	while (r == 0 && bytes_equal(BYTES(out, CHALLENGE_SIZE), BYTES_OF(offer->shared.challenge)));
	return r;
}

static int derive(struct kf_md_key *key, struct shared_facts *facts, struct agreed *agreed,
		  struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret shared = SECRET_INIT;
	const struct kf_verified_offer *offer = key->offer;
	int r = master_derive(key->server, offer->method, offer->statement.origin,
			      offer->statement.serial, &shared, e);

	facts->method = offer->method;
	facts->h = offer->h;
	facts->sid = offer->statement.sid;
	facts->serial = offer->statement.serial;
	facts->card = offer->shared.challenge;
	if (r == 0)
		r = secret_init(&key->s1, KF_S1_SIZE);
	return r < 0 ? r : shared_establish(&shared, facts, agreed);
}

static int establish_shared(struct kf_md_key *key, struct kf_error *e)
{
	const uint8_t *id = key->server->injector_hash;	/* check_import() saw that there is one */
	uint8_t ours[CHALLENGE_SIZE], buf[INPUT_MAX];
	struct packer input = pack_begin(buf, sizeof(buf));
	struct shared_facts facts = { .server = id, .host = ours };
	struct agreed agreed = { .s1 = &key->s1 };
	int r = challenge(key->offer, ours, e);

	if (r == 0)
		r = derive(key, &facts, &agreed, e);
	if (r < 0)
		return r;
	if (method_confirms(key->offer->method))
		pack_bytes(&input, BYTES(id, SERVER_ID_SIZE));
	pack_bytes(&input, BYTES_OF(ours));
	if (method_confirms(key->offer->method)) {
		pack_bytes(&input, BYTES_OF(agreed.host));
		key->ticket.confirms = true;
		memcpy(key->ticket.confirmation, agreed.card, sizeof(key->ticket.confirmation));
	}
	return blob_set(&key->cargo.input, pack_done(&input));
}

int establish(struct kf_md_key *key, struct bytes s1, struct kf_error *e)
{
	int r;

	if (method_is_shared(key->offer->method))
		return establish_shared(key, e);
	if (key->offer->method == KF_METHOD_ECDH)
		return establish_ecdh(key, e);
	r = take_s1(key, s1, e);
	return r < 0 ? r : wrap(key->offer, &key->s1, &key->cargo.input);
}
