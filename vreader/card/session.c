/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * IMPORT SESSION KEY and DESTROY SESSION (docs/card-application.md 5.3, 5.6): the only thing an
 * EXCHANGE key ever does.
 */
#include "vreader/card/session.h"

#include "format/ossl.h"
#include "format/seal.h"
#include "vreader/card/command.h"
#include "vreader/card/tlv.h"

struct session *session_find(struct vcard *card, unsigned int number)
{
	if (number < 1 || number > APP_SESSIONS_MAX || card->sessions[number - 1].s1.n == 0)
		return NULL;
	return &card->sessions[number - 1];
}

void session_destroy_all(struct vcard *card, const uint8_t sid[static KF_SID_SIZE])
{
	for (size_t i = 0; i < APP_SESSIONS_MAX; i++) {
		if (memcmp(card->sessions[i].sid, sid, KF_SID_SIZE) == 0)
			secret_clear(&card->sessions[i].s1);
	}
}

static struct session *session_free_one(struct vcard *card)
{
	for (size_t i = 0; i < APP_SESSIONS_MAX; i++) {
		if (card->sessions[i].s1.n == 0)
			return &card->sessions[i];
	}
	return NULL;
}

/* All of these are public facts: nothing has been opened yet. */
CHECK(import_check)
{
	struct unpacker u = unpack_begin(request->data);
	const struct offer *offer;

	request->import.sid = tlv_take(&u, 0x80);
	request->import.wrapped = tlv_take(&u, 0x81);
	if (unpack_end(&u) < 0 || request->import.sid.n != KF_SID_SIZE)
		return SW_DATA;
	offer = state_find_offer(card->state, request->import.sid.p);
	if (!offer)
		return SW_REFUSED;
	if (request->import.wrapped.n != key_type_size(card_key_type(offer->key)))
		return SW_DATA;
	request->import.session = session_free_one(card);
	return request->import.session ? SW_OK : SW_FULL;
}

RUN(import_run)
{
	const struct offer *offer = state_find_offer(card->state, request->import.sid.p);
	struct session *session = request->import.session;
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *exchange = NULL;
	int r = card_key_open(offer->key, &exchange);

	/* Does not tell a key that opened from one that did not [SECURITY section 6]. */
	if (r == 0)
		r = session_key_unwrap(exchange, offer->hash, request->import.wrapped,
				       &session->s1);
	if (r < 0) {
		secret_clear(&session->s1);
		return r;
	}
	memcpy(session->sid, offer->sid, sizeof(session->sid));
	tlv_put_number(out, 0x80, (uint64_t)(session - card->sessions) + 1, 1);
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
