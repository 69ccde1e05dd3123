/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * IMPORT SESSION KEY and DESTROY SESSION (docs/card-application.md 5.3, 5.6): the only thing an
 * EXCHANGE or a SHARED key ever does, each type in its method.
 */
#include "vreader/card/session.h"

#include "format/agree.h"
#include "format/hash.h"
#include "format/ossl.h"
#include "format/seal.h"
#include "format/shared.h"
#include "vreader/card/command.h"
#include "vreader/card/offer.h"
#include "vreader/card/tlv.h"

struct session *session_find(struct card *card, unsigned int number)
{
	if (number < 1 || number > APP_SESSIONS_MAX || card->sessions[number - 1].s1.n == 0)
		return NULL;
	return &card->sessions[number - 1];
}

void session_destroy_all(struct card *card, const uint8_t sid[static KF_SID_SIZE])
{
	for (size_t i = 0; i < APP_SESSIONS_MAX; i++) {
		if (memcmp(card->sessions[i].sid, sid, KF_SID_SIZE) == 0)
			secret_clear(&card->sessions[i].s1);
	}
}

/* The length stays, which is what makes a session one: its number must not become another client's. */
void session_forget_gone(struct card *card)
{
	for (size_t i = 0; i < APP_SESSIONS_MAX; i++) {
		if (!state_find_offer(card->state, card->sessions[i].sid))
			wipe(card->sessions[i].s1.p, card->sessions[i].s1.cap);
	}
}

static struct session *session_free_one(struct card *card)
{
	for (size_t i = 0; i < APP_SESSIONS_MAX; i++) {
		if (card->sessions[i].s1.n == 0)
			return &card->sessions[i];
	}
	return NULL;
}

/* How long the input of a method is: as the EXCHANGE key says, which is a public fact. */
static size_t input_size(const struct offer *offer)
{
	enum kf_key_type type = card_key_type(offer->key);

	switch ((enum kf_method)offer->method) {
	case KF_METHOD_SHARED:
		return CHALLENGE_SIZE;
	case KF_METHOD_DERIVED:
		return SERVER_ID_SIZE + CHALLENGE_SIZE + CONFIRMATION_SIZE;
	case KF_METHOD_ECDH:
		return agree_point_size(type) + CONFIRMATION_SIZE;
	default:
		return key_type_size(type);
	}
}

/* All of these are public facts: nothing has been opened yet. */
CHECK(import_check)
{
	struct unpacker u = unpack_begin(request->data);
	const struct offer *offer;

	request->import.sid = tlv_take(&u, 0x80);
	request->import.input = tlv_take(&u, 0x81);
	if (unpack_end(&u) < 0 || request->import.sid.n != KF_SID_SIZE)
		return SW_DATA;
	offer = state_find_offer(card->state, request->import.sid.p);
	if (!offer || offer->method != request->p1)
		return SW_REFUSED;
	if (request->import.input.n != input_size(offer))
		return SW_DATA;
	request->pin_needed = offer->target != KF_CONTAINER_PINS;
	request->import.session = session_free_one(card);
	return request->import.session ? SW_OK : SW_FULL;
}

/* --- method rsa --- */

/* Does not tell a key that opened from one that did not [SECURITY section 6]. */
static int import_rsa(const struct offer *offer, struct bytes input, struct session *session)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *exchange = NULL;
	int r = card_key_open(offer->key, &exchange);

	return r < 0 ? r : session_key_unwrap(exchange, offer->hash, input, &session->s1);
}

/* --- methods by a SHARED key --- */

static int derive(const struct state *state, const struct offer *offer, struct bytes input,
		  struct agreed *agreed)
{
	_cleanup_(secret_deinit) struct secret key = SECRET_INIT;
	struct shared_info info = { 0 };
	struct shared_facts facts = {
		.method = (enum kf_method)offer->method, .h = offer->hash, .sid = offer->sid,
		.serial = state->serial, .server = input.p, .card = info.challenge,
	};
	int r = shared_info_parse(card_key_spki(offer->key), &info);

	facts.host = offer->method == KF_METHOD_DERIVED ? input.p + SERVER_ID_SIZE : input.p;
	if (r == 0)
		r = secret_init(&key, SHARED_KEY_SIZE);
	if (r == 0)
		r = secret_set(&key, card_key_private(offer->key));
	return r < 0 ? r : shared_establish(&key, &facts, agreed);
}

/* Nobody confirms: a wrong key shows at the item, as with method rsa. */
static int import_shared(const struct state *state, const struct offer *offer, struct bytes input,
			 struct session *session)
{
	struct agreed agreed = { .s1 = &session->s1 };

	return derive(state, offer, input, &agreed);
}

/* A challenge that comes back is an answer of our own, reflected [SECURITY section 9, 3]. */
static bool is_reflected(const struct offer *offer, struct bytes input)
{
	struct shared_info info;

	if (offer->method != KF_METHOD_DERIVED ||
	    shared_info_parse(card_key_spki(offer->key), &info) < 0)
		return false;
	return bytes_equal(BYTES_OF(info.challenge),
			   bytes_slice(input, SERVER_ID_SIZE, CHALLENGE_SIZE));
}

/* --- methods that confirm --- */

static int agree(const struct offer *offer, struct bytes point, struct agreed *agreed)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *exchange = NULL;
	uint8_t fixed[AGREE_POINT_MAX];
	struct packer p = pack_begin(fixed, sizeof(fixed));
	struct agree_facts facts = {
		.type = card_key_type(offer->key), .ephemeral = point, .h = offer->hash,
	};
	int r = card_key_open(offer->key, &exchange);

	if (r == 0)
		r = agree_point(exchange, &p);
	facts.fixed = pack_done(&p);
	return r < 0 ? r : agree_static(exchange, &facts, agreed);
}

/* The try comes back, and from now on this input alone opens the offer. Return: as card_commit(). */
static int note_opening(struct card *card, const uint8_t *sid, const uint8_t *opening)
{
	_cleanup_(state_freep) struct state *next = NULL;
	struct offer *offer;
	int r = card_begin(card, &next);

	if (r < 0)
		return r;
	offer = state_find_offer(next, sid);
	offer->tries++;
	offer->opened = true;
	memcpy(offer->opening, opening, sizeof(offer->opening));
	return card_commit(card, &next);
}

/*
 * The try is spent before anything is opened, and the server's confirmation is compared before anything
 * else changes. Whatever is wrong, the point or the confirmation, as much was derived up to here.
 */
static int import_confirmed(struct card *card, const struct request *request,
			    struct session *session)
{
	struct bytes input = request->import.input;
	struct bytes facts = bytes_slice(input, 0, input.n - CONFIRMATION_SIZE);
	struct bytes shown = bytes_slice(input, facts.n, CONFIRMATION_SIZE);
	struct agreed agreed = { .s1 = &session->s1 };
	uint8_t opening[KF_DIGEST_SIZE];
	const struct offer *offer;
	bool again;
	int r = offer_spend_try(card, request->import.sid.p);

	if (r != 0)
		return r;
	offer = state_find_offer(card->state, request->import.sid.p);
	r = sha256(input, opening);
	if (r == 0)
		r = offer->method == KF_METHOD_ECDH ? agree(offer, facts, &agreed)
						    : derive(card->state, offer, input, &agreed);
	if (r < 0)
		return r;
	again = !offer->opened || bytes_equal(BYTES_OF(offer->opening), BYTES_OF(opening));
	if (!bytes_equal_ct(BYTES_OF(agreed.host), shown) || !again || is_reflected(offer, input))
		return SW_REFUSED;
	memcpy(session->confirmation, agreed.card, sizeof(session->confirmation));
	return note_opening(card, request->import.sid.p, opening);
}

RUN(import_run)
{
	const struct offer *offer = state_find_offer(card->state, request->import.sid.p);
	enum kf_method method = (enum kf_method)offer->method;
	struct session *session = request->import.session;
	int r;

	if (method_confirms(method))
		r = import_confirmed(card, request, session);
	else if (method == KF_METHOD_SHARED)
		r = import_shared(card->state, offer, request->import.input, session);
	else
		r = import_rsa(offer, request->import.input, session);
	if (r != 0) {
		secret_clear(&session->s1);
		return r;
	}
	memcpy(session->sid, request->import.sid.p, sizeof(session->sid));
	tlv_put_number(out, 0x80, (uint64_t)(session - card->sessions) + 1, 1);
	if (method_confirms(method))
		tlv_put(out, 0x81, BYTES_OF(session->confirmation));
	return SW_OK;
}

CHECK(destroy_check)
{
	request->session = session_find(card, request->number);
	return request->session ? SW_OK : SW_NO_OBJECT;
}

RUN(destroy_run)
{
	(void)card;
	(void)out;
	secret_clear(&request->session->s1);
	return SW_OK;
}
