/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/card/kf_inject.c - Offer, session key, item, receipt [card-application 5]. Whatever can be
 * read off public data is compared here first and refused in specific words (SECURITY section 6);
 * behind that the card alone judges, with one uniform word. An item that was sent is never sent
 * again: after a lost answer the receipt is what tells.
 */
#include "driver/card/kf.h"

#include "driver/card/fields.h"
#include "format/hash.h"
#include "format/item.h"
#include "format/kek_receipt.h"
#include "format/receipt.h"
#include "format/shared.h"
#include "format/statement.h"

#define INPUT_MAX	512u		/* S1 under RSA 4096; of other methods it is shorter */

static int conditions_mean_purpose(struct card *card, int r)
{
	if (r == -EREMOTEIO && card->said.sw == SW_CONDITIONS)
		card->said.reason = KF_REASON_KEY_PURPOSE;
	return r;
}

/* --- offer --- */

static int offer_check(const struct card *card, struct kf_offer *offer)
{
	const struct kf_card_info *info = &kf_of(card)->info;

	if (offer->method == KF_METHOD_NONE || offer->method > KF_METHOD_ECDH)
		return -EINVAL;
	if (!(info->methods & 1u << offer->method))
		return -EOPNOTSUPP;
	if (offer->n_items > KF_ITEMS_MAX)
		return -EINVAL;
	if (!(offer->flags & KF_OFFER_EXISTING) && offer->exchange_container != 0)
		return -EINVAL;
	if (offer->flags & KF_OFFER_EXISTING && method_is_shared((enum kf_method)offer->method))
		return -EINVAL;			/* a SHARED key lies in no container */
	if (offer->exchange_type == KF_KEY_NONE)
		return 0;
	if (offer->exchange_type >= 32)
		return -EINVAL;
	if (!key_type_serves((enum kf_key_type)offer->exchange_type, (enum kf_method)offer->method))
		return -EINVAL;
	if (method_is_shared((enum kf_method)offer->method))
		return 0;
	return info->exchange_types & 1u << offer->exchange_type ? 0 : -EOPNOTSUPP;
}

/* A container's key as EXCHANGE: converted now, unless it is one already. */
static int exchange_from_container(struct card *card, struct kf_offer *offer)
{
	struct kf_place place;
	int r;

	r = kf_place_get(card, offer->exchange_container, &place);
	if (r < 0)
		return r;
	if (!place.occupied)
		return -ENOENT;
	if (offer->exchange_type != KF_KEY_NONE && offer->exchange_type != place.key_type)
		return -EINVAL;
	if (!key_type_serves((enum kf_key_type)place.key_type, (enum kf_method)offer->method))
		return -EINVAL;
	offer->exchange_type = place.key_type;
	if (place.purpose == KF_PURPOSE_EXCHANGE)
		return 0;
	return kf_container_convert(card, offer->exchange_container);
}

/* The card's default: the smallest type that a server's policy takes (SECURITY section 3). */
static int exchange_default(const struct card *card, struct kf_offer *offer)
{
	static const enum kf_key_type order[] = {
		KF_KEY_RSA_3072, KF_KEY_RSA_4096, KF_KEY_RSA_2048,
		KF_KEY_EC_P256, KF_KEY_EC_P384, KF_KEY_X25519,
	};

	if (method_is_shared((enum kf_method)offer->method)) {
		offer->exchange_type = KF_KEY_AES_256;
		return 0;
	}
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (kf_of(card)->info.exchange_types & 1u << order[i] &&
		    key_type_serves(order[i], (enum kf_method)offer->method)) {
			offer->exchange_type = order[i];
			return 0;
		}
	}
	return -EOPNOTSUPP;
}

/* What the card answers has to be about what it was asked; whether it is true, the server finds. */
static int statement_check(const struct card *card, struct bytes data, struct kf_offer *offer)
{
	struct signed_statement s;
	struct statement said;
	int r;

	r = signed_statement_parse(data, &s);
	if (r < 0)
		return r;
	r = statement_parse(s.statement, &said);
	if (r < 0)
		return r;
	if (memcmp(said.nonce, offer->nonce, KF_NONCE_SIZE) != 0 ||
	    strcmp(said.serial, kf_of(card)->serial) != 0 ||
	    said.container != offer->container || said.exchange_type != offer->exchange_type ||
	    said.purpose != (method_is_shared((enum kf_method)offer->method) ? KF_PURPOSE_SHARED
									     : KF_PURPOSE_EXCHANGE) ||
	    !number_list_has(&said.methods, (uint8_t)offer->method))
		return -EBADMSG;
	memcpy(offer->sid, said.sid, KF_SID_SIZE);
	return 0;
}

static int offer_send(struct card *card, const struct kf_offer *offer, struct bytes *data)
{
	uint8_t buf[64];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct card_command command = { .cla = 0x80, .ins = INS_OFFER, .answers = true };

	tlv_pack(&p, 0x80, BYTES(offer->nonce, KF_NONCE_SIZE));
	field_put_uint(&p, 0x81, offer->container, 1);
	field_put_uint(&p, 0x82, offer->method, 1);
	field_put_uint(&p, 0x83, offer->exchange_type, 1);
	if (offer->flags & KF_OFFER_EXISTING)
		field_put_uint(&p, 0x84, offer->exchange_container, 1);
	assert(!p.bad);
	command.data = pack_done(&p);
	return conditions_mean_purpose(card, kf_call(card, &command, data));
}

/* An offer about PINs or SHARED keys is for no container, and only for senders that the card knows. */
static int target_choose(struct card *card, uint32_t container, uint32_t *out)
{
	if (container == KF_CONTAINER_BATCH)
		return 0;
	if (container != KF_CONTAINER_PINS && container != KF_CONTAINER_SHARED)
		return kf_place_choose(card, container, out);
	if (!(kf_of(card)->info.functions &
	      1u << (container == KF_CONTAINER_PINS ? KF_FUNCTION_CHANGE_AUTHENTICATOR
						    : KF_FUNCTION_IMPORT_SECRET)))
		return -EOPNOTSUPP;
	return kf_of(card)->n_injectors ? 0 : card_say(card, -EREMOTEIO, KF_REASON_SENDER, 0);
}

int kf_offer(struct card *card, struct kf_offer *offer, struct packer *statement)
{
	struct kf_offer want = *offer;
	struct bytes data;
	int r;

	r = offer_check(card, &want);
	if (r < 0)
		return r;
	r = target_choose(card, want.container, &want.container);
	if (r < 0)
		return r;
	if (want.flags & KF_OFFER_EXISTING)
		r = exchange_from_container(card, &want);
	else if (want.exchange_type == KF_KEY_NONE)
		r = exchange_default(card, &want);
	if (r < 0)
		return r;
	r = offer_send(card, &want, &data);
	if (r < 0)
		return r;
	r = statement_check(card, data, &want);
	if (r < 0)
		return r;
	if (!(want.flags & KF_OFFER_EXISTING))
		want.exchange_container = KF_CONTAINER_ANY;
	*offer = want;
	pack_bytes(statement, data);
	return pack_end(statement);
}

/* --- session key --- */

static bool padding_suits(const struct kf_session_import *how)
{
	if (how->method == KF_METHOD_RSA)
		return how->padding == KF_PADDING_OAEP && how->hash == KF_HASH_SHA256;
	return how->padding == KF_PADDING_NONE && how->hash == KF_HASH_NONE;
}

/* The card knows its own key; this only spares it what can be for none. */
static size_t input_least(enum kf_method method)
{
	if (method == KF_METHOD_RSA)
		return 256;
	return 32 + (method_confirms(method) ? CONFIRMATION_SIZE : 0);
}

static int import_check(struct card *card, const struct kf_session_import *how, struct bytes input)
{
	struct kf_place place;
	int r;

	if (how->method == KF_METHOD_NONE || how->method > KF_METHOD_ECDH)
		return -EINVAL;
	if (!(kf_of(card)->info.methods & 1u << how->method))
		return -EOPNOTSUPP;
	if (how->algorithm != KF_KEY_NONE && how->algorithm != KF_KEY_AES_256)
		return -EOPNOTSUPP;
	if (!padding_suits(how))
		return -EOPNOTSUPP;
	if (input.n < input_least((enum kf_method)how->method) || input.n > INPUT_MAX)
		return -EINVAL;
	if (how->container == KF_CONTAINER_ANY)
		return 0;
	r = kf_place_get(card, how->container, &place);
	if (r < 0)
		return r;
	return place.occupied && place.purpose == KF_PURPOSE_EXCHANGE ? 0 : -EINVAL;
}

/* E4 [card-application 5.8]. A sid that is not pending is left to the card to refuse. */
static int pending_find(struct card *card, struct card_session *session)
{
	const struct card_command list = { .cla = 0x80, .ins = INS_LIST_PENDING, .answers = true };
	struct unpacker u;
	struct bytes data;
	int r;

	r = kf_call(card, &list, &data);
	if (r < 0)
		return r;
	u = unpack_begin(data);
	while (!u.bad && u.left != 0) {
		struct unpacker offer = unpack_begin(field_take(&u, 0xe4));
		struct bytes sid = field_take(&offer, 0x80);
		uint32_t container = (uint32_t)field_take_uint(&offer, 0x81, 1);
		uint32_t next_item;

		(void)field_take_uint(&offer, 0x82, 1);	/* tries left */
		next_item = (uint32_t)field_take_uint(&offer, 0x83, 2);
		if (unpack_end(&offer) < 0 || sid.n != KF_SID_SIZE || next_item == 0)
			return -EBADMSG;
		if (!bytes_equal(sid, BYTES_OF(session->sid)))
			continue;
		session->container = container;
		session->next_item = next_item;
	}
	return unpack_end(&u);
}

/* What the card answers: its number for the session and, as the method says, its confirmation. */
static int session_parse(struct bytes data, struct card_session *session, struct packer *output)
{
	struct unpacker u = unpack_begin(data);
	struct bytes confirmation = BYTES_NONE;

	session->ref = (uint32_t)field_take_uint(&u, 0x80, 1);
	if (method_confirms((enum kf_method)session->method)) {
		confirmation = field_take(&u, 0x81);
		if (confirmation.n != CONFIRMATION_SIZE)
			unpack_fail(&u);
	}
	if (unpack_end(&u) < 0 || session->ref == 0)
		return -EBADMSG;
	pack_bytes(output, confirmation);
	return pack_end(output);
}

int kf_session_import(struct card *card, const struct kf_session_import *how, struct bytes input,
		      struct card_session *session, struct packer *output)
{
	uint8_t buf[2 + KF_SID_SIZE + 4 + INPUT_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct card_command import = {
		.cla = 0x80, .ins = INS_IMPORT_SESSION, .p1 = (uint8_t)how->method,
		.answers = true,
	};
	struct bytes data;
	int r;

	r = import_check(card, how, input);
	if (r < 0)
		return r;
	memcpy(session->sid, how->sid, KF_SID_SIZE);
	session->method = how->method;
	session->algorithm = KF_KEY_AES_256;
	r = pending_find(card, session);
	if (r < 0)
		return r;
	tlv_pack(&p, 0x80, BYTES_OF(session->sid));
	tlv_pack(&p, 0x81, input);
	assert(!p.bad);
	import.data = pack_done(&p);
	r = kf_call(card, &import, &data);
	if (r < 0)
		return r;
	return session_parse(data, session, output);
}

int kf_session_destroy(struct card *card, struct card_session *session)
{
	const struct card_command destroy = {
		.cla = 0x80, .ins = INS_DESTROY_SESSION, .p2 = (uint8_t)session->ref,
	};
	int r;

	if (session->ref == 0)
		return 0;			/* gone with its last item */
	r = kf_do(card, &destroy);
	return r == -ENOENT ? 0 : r;
}

/* --- item --- */

static int item_refused(struct card *card, enum kf_item_field field)
{
	return card_say(card, -EINVAL, KF_REASON_ITEM, field);
}

/* Which container it is for, or that it is for none, and by an offer that was about PINs. */
static bool container_fits(const struct kf_card *kf, const struct card_session *session,
			   const struct item_body *body)
{
	if (function_is_about_pins(body->function) != (body->container == KF_CONTAINER_PINS))
		return false;
	if ((body->purpose == KF_PURPOSE_SHARED) != (body->container == KF_CONTAINER_SHARED))
		return false;
	return (body->container < kf->info.n_containers || body->container == KF_CONTAINER_PINS ||
		body->container == KF_CONTAINER_SHARED) &&
	       (session->container == KF_CONTAINER_ANY || body->container == session->container ||
		(session->container == KF_CONTAINER_BATCH && body->container < kf->info.n_containers));
}

static bool pin_fits(const struct item_body *body)
{
	if (function_is_about_pins(body->function))
		return (body->pin == KF_PIN_USER || body->pin == KF_PIN_PUK) &&
		       !body->policy.pin_needed;
	return body->pin == (body->policy.pin_needed ? KF_PIN_USER : 0);
}

static bool key_type_fits(const struct kf_card *kf, const struct item_body *body)
{
	if (function_is_about_pins(body->function))
		return body->key_type == KF_KEY_NONE;
	if (key_type_function(body->key_type) != body->function)
		return false;
	return key_type_is_aes(body->key_type) || kf->info.key_types & 1u << body->key_type;
}

static bool purpose_fits(const struct item_body *body)
{
	if (function_is_about_pins(body->function))
		return body->purpose == KF_PURPOSE_NONE;
	if (body->container == KF_CONTAINER_SHARED)
		return body->purpose == KF_PURPOSE_SHARED && body->key_type == KF_KEY_AES_256;
	return key_type_suits(body->key_type, body->purpose);
}

static int item_check_fields(struct card *card, const struct card_session *session,
			     const struct kf_process *process, const struct item_body *body)
{
	const struct kf_card *kf = kf_of(card);

	if ((uint32_t)body->suite >= 32 || !(kf->suites & 1u << body->suite))
		return item_refused(card, KF_ITEM_SUITE);
	if (body->method != session->method)
		return item_refused(card, KF_ITEM_METHOD);
	if (body->function != process->function)
		return item_refused(card, KF_ITEM_FUNCTION);
	if (memcmp(body->sid, session->sid, KF_SID_SIZE) != 0)
		return item_refused(card, KF_ITEM_SID);
	if (body->number != session->next_item || body->count < body->number)
		return item_refused(card, KF_ITEM_NUMBER);
	if (strcmp(body->serial, kf->serial) != 0)
		return item_refused(card, KF_ITEM_SERIAL);
	if (!container_fits(kf, session, body))
		return item_refused(card, KF_ITEM_CONTAINER);
	if (!pin_fits(body))
		return item_refused(card, KF_ITEM_PIN);
	if (!key_type_fits(kf, body))
		return item_refused(card, KF_ITEM_KEY_TYPE);
	if (!purpose_fits(body))
		return item_refused(card, KF_ITEM_PURPOSE);
	if (session->iv_len != 0 && !bytes_equal(BYTES_OF(session->iv), BYTES_OF(body->iv)))
		return item_refused(card, KF_ITEM_IV);
	if (body->ciphertext.n == 0 || body->ciphertext.n % KF_IV_SIZE != 0)
		return item_refused(card, KF_ITEM_CIPHERTEXT);
	return 0;
}

/* The card knows its senders, or, if it knows none, takes items that name none. */
static int item_check_sender(struct card *card, const struct item *item)
{
	const struct kf_card *kf = kf_of(card);
	const struct spki_hash *sender = &item->body.sender;
	bool known = kf->n_injectors == 0 && !sender->present;

	for (size_t i = 0; sender->present && i < kf->n_injectors; i++)
		known |= memcmp(kf->injectors[i], sender->digest, KF_DIGEST_SIZE) == 0;
	if (!known || (item->signature.n != 0) != sender->present)
		return card_say(card, -EREMOTEIO, KF_REASON_SENDER, 0);
	return 0;
}

/* An occupied container is only replaced by an item that names what it holds (SECURITY 2). */
static int item_check_target(struct card *card, const struct item_body *body)
{
	uint8_t holds[KF_DIGEST_SIZE];
	struct kf_place place;
	int r;

	if (function_is_about_pins(body->function))
		return body->replaces.present ? item_refused(card, KF_ITEM_REPLACES) : 0;
	if (body->container == KF_CONTAINER_SHARED)
		return 0;			/* nobody but the card knows which of them it has */
	r = kf_place_get(card, body->container, &place);
	if (r < 0)
		return r;
	if (!place.occupied)
		return body->replaces.present ? item_refused(card, KF_ITEM_REPLACES) : 0;
	if (sha256(place.spki, holds) < 0)
		return -EIO;
	if (!body->replaces.present || memcmp(holds, body->replaces.digest, sizeof(holds)) != 0)
		return card_say(card, -EEXIST, KF_REASON_ITEM, KF_ITEM_REPLACES);
	if (place.purpose <= KF_PURPOSE_SESSION)
		return card_say(card, -EREMOTEIO, KF_REASON_KEY_PURPOSE, 0);
	return 0;
}

/* The two words of step 7 [card-application 5.4]. */
static int conditions_mean(struct card *card, const struct item_body *body, int r)
{
	if (!function_is_about_pins(body->function))
		return conditions_mean_purpose(card, r);
	if (r == -EREMOTEIO && card->said.sw == SW_CONDITIONS)
		card->said.reason = KF_REASON_PIN_LEAST;
	return r;
}

static int item_check(struct card *card, const struct card_session *session,
		      const struct kf_process *process, const struct item *item)
{
	int r;

	r = item_check_fields(card, session, process, &item->body);
	if (r < 0)
		return r;
	r = item_check_sender(card, item);
	return r < 0 ? r : item_check_target(card, &item->body);
}

static int receipt_check(struct bytes data, const uint8_t sid[static KF_SID_SIZE],
			 uint32_t number, struct receipt *out)
{
	struct signed_receipt s;
	int r;

	r = signed_receipt_parse(data, &s);
	if (r < 0)
		return r;
	r = receipt_parse(s.receipt, out);
	if (r < 0)
		return r;
	return memcmp(out->sid, sid, KF_SID_SIZE) == 0 && out->number == number ? 0 : -EBADMSG;
}

/* Of a key that came under a KEK: the sid is of its blob, and the item is 0 [card-application 7.4]. */
static int import_receipt_check(struct bytes data, const uint8_t sid[static KF_SID_SIZE])
{
	struct signed_receipt s;
	struct kek_receipt r;

	if (signed_receipt_parse(data, &s) < 0 || kek_receipt_parse(s.receipt, &r) < 0)
		return -EBADMSG;
	return memcmp(r.blob, sid, KF_SID_SIZE) == 0 ? 0 : -EBADMSG;
}

/* The receipt of the item that was just sent, not of any other. */
static int receipt_check_item(struct bytes data, struct bytes item_der,
			      const struct item_body *body, struct receipt *receipt)
{
	uint8_t digest[KF_DIGEST_SIZE];
	int r;

	r = receipt_check(data, body->sid, body->number, receipt);
	if (r < 0)
		return r;
	if (sha256(item_der, digest) < 0)
		return -EIO;
	return memcmp(receipt->item, digest, sizeof(digest)) == 0 &&
	       receipt->container == body->container ? 0 : -EBADMSG;
}

static void session_advance(struct card_session *session, const struct item_body *body)
{
	session->next_item = body->number + 1;
	session->iv_len = 0;			/* an IV was for one item */
	if (body->number == body->count)
		session->ref = 0;		/* [card-application 5.4, step 8] */
}

int kf_process(struct card *card, struct card_session *session, struct kf_process *process,
	       struct bytes item_der, struct packer *receipt)
{
	struct card_command command = {
		.cla = 0x80, .ins = INS_PROCESS, .p2 = (uint8_t)session->ref, .data = item_der,
		.answers = true,
	};
	struct receipt said;
	struct item item;
	struct bytes data;
	int r;

	if (process->function == KF_FUNCTION_NONE || process->function > KF_FUNCTION_IMPORT_SECRET)
		return -EINVAL;
	if (item_der.n > kf_of(card)->info.max_item || item_parse(item_der, &item) < 0)
		return item_refused(card, KF_ITEM_FORM);
	if (!(kf_of(card)->info.functions & 1u << process->function))
		return -EOPNOTSUPP;
	if (session->ref == 0)
		return -EPROTO;			/* the last item of this session is installed */
	r = item_check(card, session, process, &item);
	if (r < 0)
		return r;
	command.p1 = (uint8_t)process->function;
	r = conditions_mean(card, &item.body, kf_call(card, &command, &data));
	if (r < 0)
		return r;
	session_advance(session, &item.body);
	if (receipt_check_item(data, item_der, &item.body, &said) < 0)
		return card_say(card, -EBADMSG, KF_REASON_ON_CARD, 0);
	process->container = said.container;
	process->item_no = said.number;
	pack_bytes(receipt, data);
	return pack_end(receipt);
}

int kf_receipt_get(struct card *card, const struct kf_receipt_get *which, struct packer *receipt)
{
	uint8_t buf[2 + KF_SID_SIZE + 4];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct card_command get = { .cla = 0x80, .ins = INS_GET_RECEIPT, .answers = true };
	struct receipt said;
	struct bytes data;
	int r;

	if (which->item_no > UINT16_MAX)
		return -EINVAL;
	tlv_pack(&p, 0x80, BYTES(which->sid, KF_SID_SIZE));
	field_put_uint(&p, 0x81, which->item_no, 2);
	get.data = pack_done(&p);
	r = kf_call(card, &get, &data);
	if (r < 0)
		return r;
	r = which->item_no == 0 ? import_receipt_check(data, which->sid) :
				  receipt_check(data, which->sid, which->item_no, &said);
	if (r < 0)
		return r;
	pack_bytes(receipt, data);
	return pack_end(receipt);
}
