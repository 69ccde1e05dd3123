/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/link/request.c - A handler turns one request into one verb of the card driver. It reads a
 * parsed request, fills the reply's struct and lays parts into the service's buffer; whatever goes
 * with an error was said by the card and is added behind it, in one place.
 */
#include "driver/link/request.h"

#include "driver/link/hook.h"

#include <stddef.h>

/* What a row needs besides the request itself. */
enum needs {
	NEEDS_NOTHING,
	NEEDS_SLOT,
	NEEDS_CARD,		/* a card that answered to reset */
};

#define NO_VERB		SIZE_MAX
#define VERB(name)	offsetof(struct card_driver, name)

/**
 * struct call - one request on its way through
 * @s:		the service
 * @seat:	the slot it is about; NULL: about none, or one that is not there
 * @request:	parsed
 * @body:	its struct
 * @reply:	to be filled; starts as a copy of the request's struct
 * @out:	where parts are laid
 * @deadline:	of the request
 */
struct call {
	struct service *s;
	struct seat *seat;
	const struct packet *request;
	struct packet *reply;
	struct packer out;
	struct deadline deadline;
};

struct rule {
	uint32_t request;
	enum needs needs;
	size_t verb;		/* offset in struct card_driver, or NO_VERB */
	int (*handle)(struct call *call);
};

#define IN(call, type)		((const struct type *)packet_read((call)->request))
#define OUT(call, type)		((struct type *)packet_body((call)->reply))
#define PART(call, type, field)	packet_get((call)->request, type, field)

static const struct card_driver *driver_of(const struct call *call)
{
	return call->seat->card->driver;
}

/* The part that was laid since @start; set even if empty. */
static struct bytes laid_since(const struct call *call, size_t start)
{
	return bytes_slice(pack_done(&call->out), start, SIZE_MAX);
}

#define SET_PART(call, type, field, start) \
	packet_set((call)->reply, type, field, laid_since(call, start))

/* --- the driver itself --- */

static enum kf_exchange exchange_of(enum ccid_level level)
{
	switch (level) {
	case CCID_LEVEL_TPDU:
		return KF_EXCHANGE_TPDU;
	case CCID_LEVEL_SHORT_APDU:
		return KF_EXCHANGE_SHORT_APDU;
	case CCID_LEVEL_EXTENDED_APDU:
		return KF_EXCHANGE_EXTENDED_APDU;
	}
	return KF_EXCHANGE_UNKNOWN;
}

static int on_hello(struct call *call)
{
	const struct ccid_desc *desc = &call->s->reader->desc;
	struct kf_drv_hello *out = OUT(call, kf_drv_hello);

	if (call->s->greeted)
		return -EPROTO;
	if (out->version != KF_PROTO_VERSION)
		return -EPROTO;
	*out = (struct kf_drv_hello){
		.version = KF_PROTO_VERSION,
		.features = (desc->pin_support & 1 ? KF_FEATURE_PIN_VERIFY : 0) |
			    (desc->pin_support & 2 ? KF_FEATURE_PIN_CHANGE : 0),
		.exchange = exchange_of(desc->level),
		.max_message = desc->max_message,
		.vendor = desc->vendor,
		.product = desc->product,
		.guards = call->s->guards,
	};
	if (reader_is_silent(call->s->reader)) {
		out->features |= KF_FEATURE_POLLED;
		call->s->reader->watch = false;
		call->s->told_silent = true;
	}
	packet_set_string(out->product_name, call->s->reader->name);
	packet_set_string(out->driver_version, KF_VERSION);
	out->n_slots = desc->n_slots;
	out->busy_slots = desc->busy_slots;
	call->s->greeted = true;
	return 0;
}

static int on_power_cycle(struct call *call)
{
	struct kf_drv_power_cycle *out = OUT(call, kf_drv_power_cycle);
	int r;

	/* Not one that nobody was told of, and that this process may have no business with (seat.c). */
	if (call->seat->holds == SEAT_EMPTY)
		return -ENOMEDIUM;
	r = seat_power_up(call->seat, call->deadline);
	if (r < 0)
		return r;
	out->atr_len = (uint32_t)call->seat->card->atr.n;
	memset(out->atr, 0, sizeof(out->atr));
	memcpy(out->atr, call->seat->card->atr.p, call->seat->card->atr.n);
	return 0;
}

static int on_watch(struct call *call)
{
	struct kf_drv_watch *out = OUT(call, kf_drv_watch);
	int r = reader_watch(call->s->reader, out->flags & KF_DRV_WATCH_ON, call->deadline);

	if (r < 0)
		return r;
	out->behind = service_behind(call->s);
	return 0;
}

/* A card without a verb for it, or a card nobody knows, can only be made to forget by a reset. */
static int on_drop(struct call *call)
{
	struct card *card = call->seat->card;
	int r;

	OUT(call, kf_drv_drop)->flags = 0;
	if (card->driver && card->driver->drop)
		return card->driver->drop(card);
	r = seat_power_up(call->seat, call->deadline);
	if (r == 0)
		OUT(call, kf_drv_drop)->flags = KF_DRV_DROPPED_KEYS;
	return r;
}

static int on_logout(struct call *call)
{
	return driver_of(call)->drop(call->seat->card);
}

static int on_apdu(struct call *call)
{
	int r = card_raw(call->seat->card, PART(call, kf_apdu, command), &call->out);

	if (r == 0)
		SET_PART(call, kf_apdu, response, 0);
	return r;
}

/* The status word goes to the broker as a number, for it has to judge it and reads no card's bytes. */
static int on_relay_apdu(struct call *call)
{
	struct bytes response, sw;
	int r = card_raw(call->seat->card, PART(call, kf_relay_apdu, command), &call->out);

	if (r < 0)
		return r;
	response = laid_since(call, 0);
	sw = bytes_slice(response, response.n - 2, 2);
	OUT(call, kf_relay_apdu)->sw = (uint32_t)(sw.p[0] << 8 | sw.p[1]);
	SET_PART(call, kf_relay_apdu, response, 0);
	return 0;
}

/* --- the card --- */

static int on_card_info(struct call *call)
{
	struct kf_card_info info = { 0 };
	int r;

	r = driver_of(call)->info(call->seat->card, &info);
	if (r < 0)
		return r;
	card_describe(call->seat->card, &info);
	packet_set_string(info.driver, driver_of(call)->name);
	*OUT(call, kf_card_info) = info;
	return 0;
}

static int on_device_cert(struct call *call)
{
	int r = driver_of(call)->device_cert(call->seat->card, &call->out);

	if (r == 0)
		SET_PART(call, kf_device_cert, chain, 0);
	return r;
}

/* --- PINs --- */

static int on_pin_status(struct call *call)
{
	return driver_of(call)->pin_status(call->seat->card, OUT(call, kf_pin_status));
}

static int on_pin_verify(struct call *call)
{
	const struct card_pin pin = {
		.id = IN(call, kf_pin_verify)->pin,
		.last_try = IN(call, kf_pin_verify)->flags & KF_PIN_LAST_TRY,
		.value = PART(call, kf_pin_verify, value),
	};

	return driver_of(call)->pin_verify(call->seat->card, &pin);
}

static int on_pin_change(struct call *call)
{
	const struct card_pin pin = {
		.id = IN(call, kf_pin_change)->pin,
		.last_try = IN(call, kf_pin_change)->flags & KF_PIN_LAST_TRY,
		.value = PART(call, kf_pin_change, old_value),
		.new_value = PART(call, kf_pin_change, new_value),
	};

	return driver_of(call)->pin_change(call->seat->card, &pin);
}

static int on_pin_unblock(struct call *call)
{
	const struct card_pin pin = {
		.id = IN(call, kf_pin_unblock)->pin,
		.last_try = IN(call, kf_pin_unblock)->flags & KF_PIN_LAST_TRY,
		.value = PART(call, kf_pin_unblock, puk),
		.new_value = PART(call, kf_pin_unblock, new_value),
	};

	return driver_of(call)->pin_unblock(call->seat->card, &pin);
}

static int on_pin_pad(struct call *call,
		      int (*verb)(struct card *card, const struct card_pin *pin))
{
	const struct card_pin pin = {
		.id = IN(call, kf_pin_pad)->pin,
		.last_try = IN(call, kf_pin_pad)->flags & KF_PIN_LAST_TRY,
	};

	return verb(call->seat->card, &pin);
}

static int on_pin_pad_verify(struct call *call)
{
	return on_pin_pad(call, driver_of(call)->pin_pad_verify);
}

static int on_pin_pad_change(struct call *call)
{
	return on_pin_pad(call, driver_of(call)->pin_pad_change);
}

/* --- containers --- */

static int on_container_list(struct call *call)
{
	uint32_t n = 0;
	int r = driver_of(call)->container_list(call->seat->card, &n, &call->out);

	if (r < 0)
		return r;
	OUT(call, kf_container_list)->n_containers = n;
	SET_PART(call, kf_container_list, containers, 0);
	return 0;
}

static int on_container_info(struct call *call)
{
	int r = driver_of(call)->container_info(call->seat->card, OUT(call, kf_container_info),
						&call->out);

	if (r < 0)
		return r;
	SET_PART(call, kf_container_info, spki, 0);
	return 0;
}

static int on_container_create(struct call *call)
{
	int r = driver_of(call)->container_create(call->seat->card, OUT(call, kf_container_create),
						  &call->out);

	if (r == 0)
		SET_PART(call, kf_container_create, spki, 0);
	return r;
}

static int on_container_delete(struct call *call)
{
	return driver_of(call)->container_delete(call->seat->card,
						 IN(call, kf_container_delete)->container);
}

static int on_cert_store(struct call *call)
{
	return driver_of(call)->cert_store(call->seat->card, IN(call, kf_cert_store)->container,
					   PART(call, kf_cert_store, cert));
}

static int on_cert_read(struct call *call)
{
	const struct kf_cert_read *want = IN(call, kf_cert_read);
	int (*read)(struct card *card, uint32_t container, struct packer *out) =
		want->flags & KF_CERT_VOUCHER ? driver_of(call)->voucher_read
					      : driver_of(call)->cert_read;
	int r = read ? read(call->seat->card, want->container, &call->out) : -EOPNOTSUPP;

	if (r == 0)
		SET_PART(call, kf_cert_read, cert, 0);
	return r;
}

/* --- key use --- */

static int on_sign(struct call *call)
{
	int r = driver_of(call)->sign(call->seat->card, IN(call, kf_sign),
				      PART(call, kf_sign, digest), &call->out);

	if (r == 0)
		SET_PART(call, kf_sign, signature, 0);
	return r;
}

static int on_decrypt(struct call *call)
{
	int r = driver_of(call)->decrypt(call->seat->card, IN(call, kf_decrypt),
					 PART(call, kf_decrypt, input),
					 PART(call, kf_decrypt, label), &call->out);

	if (r == 0)
		SET_PART(call, kf_decrypt, output, 0);
	return r;
}

static int on_agree(struct call *call)
{
	int r = driver_of(call)->agree(call->seat->card, IN(call, kf_agree)->container,
				       PART(call, kf_agree, peer), &call->out);

	if (r == 0)
		SET_PART(call, kf_agree, secret, 0);
	return r;
}

static int on_cipher(struct call *call)
{
	int r = driver_of(call)->cipher(call->seat->card, OUT(call, kf_cipher),
					PART(call, kf_cipher, aad), PART(call, kf_cipher, input),
					&call->out);

	if (r == 0)
		SET_PART(call, kf_cipher, output, 0);
	return r;
}

/* --- KEKs and BYOK --- */

static int on_kek_create(struct call *call)
{
	int r = driver_of(call)->kek_create(call->seat->card, OUT(call, kf_kek_create),
					    PART(call, kf_kek_create, puk),
					    PART(call, kf_kek_create, name), &call->out);

	if (r == 0)
		SET_PART(call, kf_kek_create, attestation, 0);
	return r;
}

static int on_kek_list(struct call *call)
{
	uint32_t n = 0;
	int r = driver_of(call)->kek_list(call->seat->card, &n, &call->out);

	if (r < 0)
		return r;
	OUT(call, kf_kek_list)->n_keks = n;
	SET_PART(call, kf_kek_list, keks, 0);
	return 0;
}

static int on_kek_attest(struct call *call)
{
	int r = driver_of(call)->kek_attest(call->seat->card, IN(call, kf_kek_attest)->container,
					    &call->out);

	if (r == 0)
		SET_PART(call, kf_kek_attest, attestation, 0);
	return r;
}

static int on_kek_set(struct call *call)
{
	return driver_of(call)->kek_set(call->seat->card, IN(call, kf_kek_set),
					PART(call, kf_kek_set, puk));
}

static int on_byok_import(struct call *call)
{
	struct kf_byok_import *out = OUT(call, kf_byok_import);
	struct bytes spki = BYTES_NONE;
	size_t n;
	int r;

	out->check_len = 0;
	memset(out->check_value, 0, sizeof(out->check_value));
	r = driver_of(call)->byok_import(call->seat->card, out, PART(call, kf_byok_import, kid),
					 PART(call, kf_byok_import, blob), &call->out, &spki);
	if (r < 0)
		return r;
	n = call->out.n;
	packet_set(call->reply, kf_byok_import, receipt, bytes_slice(pack_done(&call->out), 0, n));
	pack_bytes(&call->out, spki);
	r = pack_end(&call->out);
	if (r == 0)
		SET_PART(call, kf_byok_import, spki, n);
	return r;
}

/* --- cards with a DKEK --- */

static int on_card_init(struct call *call)
{
	return driver_of(call)->init(call->seat->card, IN(call, kf_card_init),
				     PART(call, kf_card_init, so_pin),
				     PART(call, kf_card_init, pin),
				     PART(call, kf_card_init, label));
}

static int on_dkek_status(struct call *call)
{
	uint32_t n = 0;
	int r = driver_of(call)->dkek_status(call->seat->card, &n, &call->out);

	if (r < 0)
		return r;
	OUT(call, kf_dkek_status)->n_dkeks = n;
	SET_PART(call, kf_dkek_status, dkeks, 0);
	return 0;
}

static int on_dkek_share(struct call *call)
{
	return driver_of(call)->dkek_share(call->seat->card, &OUT(call, kf_dkek_share)->entry,
					   PART(call, kf_dkek_share, share));
}

static int on_dkek_domain(struct call *call)
{
	return driver_of(call)->dkek_domain(call->seat->card, IN(call, kf_dkek_domain));
}

static int on_blob_wrap(struct call *call)
{
	int r = driver_of(call)->blob_wrap(call->seat->card, IN(call, kf_blob_wrap)->container,
					   &call->out);

	if (r == 0)
		SET_PART(call, kf_blob_wrap, blob, 0);
	return r;
}

static int on_blob_unwrap(struct call *call)
{
	const struct card_blob blob = {
		.blob = PART(call, kf_blob_unwrap, blob),
		.cert = PART(call, kf_blob_unwrap, cert),
		.label = PART(call, kf_blob_unwrap, label),
		.id = PART(call, kf_blob_unwrap, id),
	};

	return driver_of(call)->blob_unwrap(call->seat->card, OUT(call, kf_blob_unwrap), &blob);
}

/* --- injection --- */

static int on_offer(struct call *call)
{
	const struct card_driver *driver = driver_of(call);
	size_t chain;
	int r;

	r = driver->offer(call->seat->card, OUT(call, kf_offer), &call->out);
	if (r < 0)
		return r;
	chain = call->out.n;
	packet_set(call->reply, kf_offer, statement, bytes_slice(pack_done(&call->out), 0, chain));
	if (!driver->device_cert)
		return 0;
	r = driver->device_cert(call->seat->card, &call->out);
	if (r == 0)
		SET_PART(call, kf_offer, chain, chain);
	return r;
}

static int on_session_import(struct call *call)
{
	struct kf_session_import *out = OUT(call, kf_session_import);
	struct card_session *session;
	int r;

	r = card_session_new(&call->seat->card->sessions, &session);
	if (r < 0)
		return r;
	r = driver_of(call)->session_import(call->seat->card, IN(call, kf_session_import),
					    PART(call, kf_session_import, input), session, &call->out);
	if (r < 0) {
		card_session_drop(session);
		return r;
	}
	out->key = session->key;
	out->next_item = session->next_item;
	out->algorithm = session->algorithm;
	out->target = session->container;
	SET_PART(call, kf_session_import, output, 0);
	return 0;
}

static struct card_session *session_of(struct call *call, uint64_t key)
{
	return card_session_find(&call->seat->card->sessions, key);
}

static int on_prop_get(struct call *call)
{
	struct card_session *session = session_of(call, IN(call, kf_key_prop)->key);
	int r;

	if (!session)
		return -EBADF;
	r = card_session_get(session, IN(call, kf_key_prop)->prop, &call->out);
	if (r == 0)
		SET_PART(call, kf_key_prop, value, 0);
	return r;
}

static int on_prop_set(struct call *call)
{
	struct card_session *session = session_of(call, IN(call, kf_key_prop)->key);

	if (!session)
		return -EBADF;
	return card_session_set(session, IN(call, kf_key_prop)->prop,
				PART(call, kf_key_prop, value));
}

static int on_process(struct call *call)
{
	struct card_session *session = session_of(call, IN(call, kf_process)->key);
	int r;

	if (!session)
		return -EBADF;
	r = driver_of(call)->process(call->seat->card, session, OUT(call, kf_process),
				     PART(call, kf_process, item), &call->out);
	if (r == 0)
		SET_PART(call, kf_process, receipt, 0);
	return r;
}

static int on_key_destroy(struct call *call)
{
	struct card_session *session = session_of(call, IN(call, kf_key_destroy)->key);
	int r;

	if (!session)
		return -EBADF;
	r = driver_of(call)->session_destroy(call->seat->card, session);
	if (r == 0)
		card_session_drop(session);
	return r;
}

static int on_receipt_get(struct call *call)
{
	int r = driver_of(call)->receipt_get(call->seat->card, IN(call, kf_receipt_get), &call->out);

	if (r == 0)
		SET_PART(call, kf_receipt_get, receipt, 0);
	return r;
}

static const struct rule rules[] = {
	{ KF_DRV_HELLO,		NEEDS_NOTHING,	NO_VERB,		on_hello },
	{ KF_DRV_POWER_CYCLE,	NEEDS_SLOT,	NO_VERB,		on_power_cycle },
	{ KF_DRV_DROP,		NEEDS_CARD,	NO_VERB,		on_drop },
	{ KF_DRV_WATCH,		NEEDS_NOTHING,	NO_VERB,		on_watch },
	{ KF_APDU,		NEEDS_CARD,	NO_VERB,		on_apdu },
	{ KF_RELAY_APDU,	NEEDS_CARD,	NO_VERB,		on_relay_apdu },

	{ KF_CARD_INFO,		NEEDS_CARD,	VERB(info),		on_card_info },
	{ KF_DEVICE_CERT,	NEEDS_CARD,	VERB(device_cert),	on_device_cert },

	{ KF_PIN_STATUS,	NEEDS_CARD,	VERB(pin_status),	on_pin_status },
	{ KF_PIN_VERIFY,	NEEDS_CARD,	VERB(pin_verify),	on_pin_verify },
	{ KF_PIN_CHANGE,	NEEDS_CARD,	VERB(pin_change),	on_pin_change },
	{ KF_PIN_UNBLOCK,	NEEDS_CARD,	VERB(pin_unblock),	on_pin_unblock },
	{ KF_PIN_PAD_VERIFY,	NEEDS_CARD,	VERB(pin_pad_verify),	on_pin_pad_verify },
	{ KF_PIN_PAD_CHANGE,	NEEDS_CARD,	VERB(pin_pad_change),	on_pin_pad_change },
	{ KF_PIN_LOGOUT,	NEEDS_CARD,	VERB(drop),		on_logout },

	{ KF_CONTAINER_LIST,	NEEDS_CARD,	VERB(container_list),	on_container_list },
	{ KF_CONTAINER_INFO,	NEEDS_CARD,	VERB(container_info),	on_container_info },
	{ KF_CONTAINER_CREATE,	NEEDS_CARD,	VERB(container_create),	on_container_create },
	{ KF_CONTAINER_DELETE,	NEEDS_CARD,	VERB(container_delete),	on_container_delete },
	{ KF_CERT_STORE,	NEEDS_CARD,	VERB(cert_store),	on_cert_store },
	{ KF_CERT_READ,		NEEDS_CARD,	VERB(cert_read),	on_cert_read },

	{ KF_SIGN,		NEEDS_CARD,	VERB(sign),		on_sign },
	{ KF_DECRYPT,		NEEDS_CARD,	VERB(decrypt),		on_decrypt },
	{ KF_AGREE,		NEEDS_CARD,	VERB(agree),		on_agree },

	{ KF_CIPHER,		NEEDS_CARD,	VERB(cipher),		on_cipher },

	{ KF_KEK_CREATE,	NEEDS_CARD,	VERB(kek_create),	on_kek_create },
	{ KF_KEK_LIST,		NEEDS_CARD,	VERB(kek_list),		on_kek_list },
	{ KF_KEK_ATTEST,	NEEDS_CARD,	VERB(kek_attest),	on_kek_attest },
	{ KF_KEK_SET,		NEEDS_CARD,	VERB(kek_set),		on_kek_set },
	{ KF_BYOK_IMPORT,	NEEDS_CARD,	VERB(byok_import),	on_byok_import },

	{ KF_CARD_INIT,		NEEDS_CARD,	VERB(init),		on_card_init },
	{ KF_DKEK_STATUS,	NEEDS_CARD,	VERB(dkek_status),	on_dkek_status },
	{ KF_DKEK_SHARE,	NEEDS_CARD,	VERB(dkek_share),	on_dkek_share },
	{ KF_DKEK_DOMAIN,	NEEDS_CARD,	VERB(dkek_domain),	on_dkek_domain },
	{ KF_BLOB_WRAP,		NEEDS_CARD,	VERB(blob_wrap),	on_blob_wrap },
	{ KF_BLOB_UNWRAP,	NEEDS_CARD,	VERB(blob_unwrap),	on_blob_unwrap },

	{ KF_OFFER,		NEEDS_CARD,	VERB(offer),		on_offer },
	{ KF_SESSION_IMPORT,	NEEDS_CARD,	VERB(session_import),	on_session_import },
	{ KF_KEY_PROP_GET,	NEEDS_CARD,	VERB(session_import),	on_prop_get },
	{ KF_KEY_PROP_SET,	NEEDS_CARD,	VERB(session_import),	on_prop_set },
	{ KF_PROCESS,		NEEDS_CARD,	VERB(process),		on_process },
	{ KF_KEY_DESTROY,	NEEDS_CARD,	VERB(session_destroy),	on_key_destroy },
	{ KF_RECEIPT_GET,	NEEDS_CARD,	VERB(receipt_get),	on_receipt_get },
};

static const struct rule *rule_find(uint32_t request)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (_IOC_NR(rules[i].request) == _IOC_NR(request))
			return &rules[i];
	return NULL;
}

/* Every verb is a pointer to a function; all of them look alike when none is set. */
static bool has_verb(const struct card_driver *driver, size_t verb)
{
	const uint8_t *at = (const uint8_t *)driver + verb;

	return !bytes_are_zero(BYTES(at, sizeof(void (*)(void))));
}

static int check(const struct call *call, const struct rule *rule)
{
	const struct service *s = call->s;

	if (!rule)
		return -ENOTTY;
	if (!s->greeted && rule->request != KF_DRV_HELLO)
		return -EPROTO;
	if (rule->needs == NEEDS_NOTHING)
		return 0;
	if (!call->seat)
		return -EINVAL;
	if (rule->needs == NEEDS_SLOT)
		return 0;
	if (!call->seat->card)
		return -ENOMEDIUM;
	if (rule->verb == NO_VERB)
		return 0;
	return driver_of(call) && has_verb(driver_of(call), rule->verb) ? 0 : -EOPNOTSUPP;
}

static int run(struct call *call, const struct rule *rule)
{
	int r = check(call, rule);

	if (r < 0)
		return r;
	if (rule->needs == NEEDS_CARD && rule->handle != on_apdu && rule->handle != on_relay_apdu)
		r = card_begin(call->seat->card, call->deadline);
	return r < 0 ? r : rule->handle(call);
}

static struct deadline deadline_of(const struct packet *request)
{
	uint32_t ms = request->header.deadline_ms;

	if (ms == 0)
		ms = KF_DEADLINE_DEFAULT_MS;
	return deadline_in(ms < KF_DEADLINE_MAX_MS ? ms : KF_DEADLINE_MAX_MS);
}

/* Requests that name a session key, and with it the slot it lives in. */
static bool names_a_key(uint32_t request)
{
	return request == KF_KEY_PROP_GET || request == KF_KEY_PROP_SET || request == KF_PROCESS ||
	       request == KF_KEY_DESTROY;
}

static struct seat *seat_of_key(struct service *s, uint64_t key)
{
	for (unsigned int i = 0; i < s->reader->desc.n_slots; i++)
		if (s->seats[i].card && card_session_find(&s->seats[i].card->sessions, key))
			return &s->seats[i];
	return &s->seats[0];	/* where it will not be found either */
}

static struct seat *seat_of(struct service *s, const struct packet *request)
{
	const void *body = packet_read(request);
	uint32_t number = request->shape->request;
	uint64_t slot;

	if (names_a_key(number))
		return seat_of_key(s, *(const uint64_t *)body);
	if (number == KF_DRV_DROP)
		slot = ((const struct kf_drv_drop *)body)->slot;
	else if (number == KF_DRV_POWER_CYCLE)
		slot = ((const struct kf_drv_power_cycle *)body)->slot;
	else
		slot = *(const uint64_t *)body;		/* context */
	return slot < s->reader->desc.n_slots ? &s->seats[slot] : NULL;
}

/* What goes with an error: the card's words, or which end of the wire it was. */
static void explain(const struct call *call, struct kf_header *header)
{
	const struct service *s = call->s;
	const struct card *card = call->seat ? call->seat->card : NULL;

	if (card) {
		header->sw = card->said.sw;
		header->reason = card->said.reason;
		header->detail = card->said.detail;
	}
	if (header->reason != KF_REASON_NONE)
		return;
	if (header->result == -ENODEV)
		header->reason = KF_REASON_READER_GONE;
	if (header->result == -EPROTO && !s->greeted)
		header->reason = KF_REASON_NO_HELLO;
}

void request_serve(struct service *s, int error, const struct packet *request,
		   struct packet *reply)
{
	struct call call = {
		.s = s, .request = request, .reply = reply,
		.out = pack_begin(s->out, SERVICE_OUT_MAX),
		.deadline = deadline_of(request),
	};
	int r = error;

	*reply = packet_reply(request, 0);
	if (error == 0) {
		call.seat = seat_of(s, request);
		if (call.seat && call.seat->card)
			card_begin_raw(call.seat->card, call.deadline);
		memcpy(reply->body.raw, request->body.raw, sizeof(reply->body.raw));
		for (size_t i = 0; i < SHAPE_FIELDS; i++)
			hook_bytes(request->parts[i]);
		r = run(&call, rule_find(request->header.request));
	}
	s->out_n = call.out.n;
	if (r < 0) {
		struct packet failed = packet_reply(request, r);

		*reply = failed;
		if (error == 0)
			explain(&call, &reply->header);
	}
	if (call.seat && call.seat->card)
		card_forget(call.seat->card);
}
