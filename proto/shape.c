/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * proto/shape.c - The table. A new request is a struct in proto.h and a row here; a grown struct
 * keeps its row, and its "last required field" stays what it was in the first version.
 */
#include "proto/shape.h"

#define AT(type, field)		offsetof(struct type, field)
#define SIZE(type, field)	sizeof(((struct type *)0)->field)
#define FIELD(kind_, type, field) \
	{ .kind = (kind_), .off = AT(type, field), .len = SIZE(type, field) }
#define IN(type, field)		FIELD(SHAPE_PART_IN, type, field)
#define OUT(type, field)	FIELD(SHAPE_PART_OUT, type, field)
#define STR_IN(type, field)	FIELD(SHAPE_STRING_IN, type, field)
#define STR_OUT(type, field)	FIELD(SHAPE_STRING_OUT, type, field)
#define STR(type, field)	FIELD(SHAPE_STRING_BOTH, type, field)
#define RES(type, field)	FIELD(SHAPE_RESERVED, type, field)
#define FLAGS(type, field, mask_) \
	{ .kind = SHAPE_FLAGS_IN, .off = AT(type, field), .len = 4, .mask = (mask_) }
#define SHAPE(nr, type, last, ...) \
	{ .request = (nr), .name = #nr, .min = AT(type, last) + SIZE(type, last), \
	  .fields = { __VA_ARGS__ } }

static const struct shape shapes[] = {
	SHAPE(KF_HELLO, kf_hello, name, STR_IN(kf_hello, name), STR_OUT(kf_hello, broker)),
	SHAPE(KF_STATUS, kf_status, processes, OUT(kf_status, processes)),
	SHAPE(KF_CLIENTS, kf_clients, clients, RES(kf_clients, reserved),
	      OUT(kf_clients, clients)),
	SHAPE(KF_EVENTS, kf_events, reserved,
	      FLAGS(kf_events, mask, KF_EVENTS_READER | KF_EVENTS_CARD), RES(kf_events, reserved)),
	SHAPE(KF_CANCEL, kf_cancel, reserved, RES(kf_cancel, reserved)),

	SHAPE(KF_POLICY, kf_policy, rules, RES(kf_policy, reserved), OUT(kf_policy, rules)),

	SHAPE(KF_READER_LIST, kf_reader_list, readers, RES(kf_reader_list, reserved),
	      OUT(kf_reader_list, readers)),
	SHAPE(KF_READER_INFO, kf_reader_info, entry, RES(kf_reader_info, entry.reserved),
	      STR(kf_reader_info, entry.name), STR_OUT(kf_reader_info, entry.card),
	      STR_OUT(kf_reader_info, entry.serial), STR_OUT(kf_reader_info, product_name),
	      STR_OUT(kf_reader_info, driver_version)),
	SHAPE(KF_CONTEXT_OPEN, kf_context_open, name,
	      FLAGS(kf_context_open, flags, KF_OPEN_WAIT), STR_IN(kf_context_open, name)),
	SHAPE(KF_CONTEXT_CLOSE, kf_context_close, context),

	SHAPE(KF_CARD_INFO, kf_card_info, context, RES(kf_card_info, reserved2),
	      RES(kf_card_info, reserved), STR_OUT(kf_card_info, driver),
	      STR_OUT(kf_card_info, label)),
	SHAPE(KF_DEVICE_CERT, kf_device_cert, chain, OUT(kf_device_cert, chain)),
	SHAPE(KF_CARD_RESET, kf_card_reset, context, RES(kf_card_reset, reserved)),

	SHAPE(KF_PIN_STATUS, kf_pin_status, pin),
	SHAPE(KF_PIN_VERIFY, kf_pin_verify, value, FLAGS(kf_pin_verify, flags, KF_PIN_LAST_TRY),
	      IN(kf_pin_verify, value)),
	SHAPE(KF_PIN_CHANGE, kf_pin_change, new_value, FLAGS(kf_pin_change, flags, KF_PIN_LAST_TRY),
	      IN(kf_pin_change, old_value), IN(kf_pin_change, new_value)),
	SHAPE(KF_PIN_UNBLOCK, kf_pin_unblock, new_value,
	      FLAGS(kf_pin_unblock, flags, KF_PIN_LAST_TRY), IN(kf_pin_unblock, puk),
	      IN(kf_pin_unblock, new_value)),
	SHAPE(KF_PIN_PAD_VERIFY, kf_pin_pad, flags, FLAGS(kf_pin_pad, flags, KF_PIN_LAST_TRY)),
	SHAPE(KF_PIN_PAD_CHANGE, kf_pin_pad, flags, FLAGS(kf_pin_pad, flags, KF_PIN_LAST_TRY)),
	SHAPE(KF_PIN_LOGOUT, kf_pin_logout, context),

	SHAPE(KF_CONTAINER_LIST, kf_container_list, containers, RES(kf_container_list, reserved),
	      OUT(kf_container_list, containers)),
	SHAPE(KF_CONTAINER_INFO, kf_container_info, spki, OUT(kf_container_info, spki),
	      RES(kf_container_info, reserved)),
	SHAPE(KF_CONTAINER_CREATE, kf_container_create, spki, FLAGS(kf_container_create, flags, 0),
	      RES(kf_container_create, reserved), OUT(kf_container_create, spki)),
	SHAPE(KF_CONTAINER_DELETE, kf_container_delete, flags,
	      FLAGS(kf_container_delete, flags, 0)),
	SHAPE(KF_CERT_STORE, kf_cert_store, cert, FLAGS(kf_cert_store, flags, 0),
	      IN(kf_cert_store, cert)),
	SHAPE(KF_CERT_READ, kf_cert_read, cert, FLAGS(kf_cert_read, flags, KF_CERT_VOUCHER),
	      OUT(kf_cert_read, cert)),

	SHAPE(KF_SIGN, kf_sign, signature, FLAGS(kf_sign, flags, 0), RES(kf_sign, reserved),
	      IN(kf_sign, digest), OUT(kf_sign, signature)),
	SHAPE(KF_DECRYPT, kf_decrypt, output, FLAGS(kf_decrypt, flags, 0), IN(kf_decrypt, input),
	      IN(kf_decrypt, label), OUT(kf_decrypt, output)),
	SHAPE(KF_AGREE, kf_agree, secret, FLAGS(kf_agree, flags, 0), IN(kf_agree, peer),
	      OUT(kf_agree, secret)),

	SHAPE(KF_CIPHER, kf_cipher, output, FLAGS(kf_cipher, flags, KF_CIPHER_DECRYPT | KF_CIPHER_MAC),
	      RES(kf_cipher, reserved), IN(kf_cipher, aad), IN(kf_cipher, input),
	      OUT(kf_cipher, output)),

	SHAPE(KF_OFFER, kf_offer, chain, FLAGS(kf_offer, flags, KF_OFFER_EXISTING),
	      OUT(kf_offer, statement), OUT(kf_offer, chain)),
	SHAPE(KF_SESSION_IMPORT, kf_session_import, output, RES(kf_session_import, reserved), IN(kf_session_import, input),
	      OUT(kf_session_import, output)),
	SHAPE(KF_KEY_PROP_GET, kf_key_prop, value, RES(kf_key_prop, reserved),
	      OUT(kf_key_prop, value)),
	SHAPE(KF_KEY_PROP_SET, kf_key_prop, value, RES(kf_key_prop, reserved),
	      IN(kf_key_prop, value)),
	SHAPE(KF_PROCESS, kf_process, output, FLAGS(kf_process, flags, 0), IN(kf_process, item),
	      OUT(kf_process, receipt), OUT(kf_process, output)),
	SHAPE(KF_KEY_DESTROY, kf_key_destroy, key),
	SHAPE(KF_RECEIPT_GET, kf_receipt_get, receipt, RES(kf_receipt_get, reserved),
	      OUT(kf_receipt_get, receipt)),

	SHAPE(KF_KEK_CREATE, kf_kek_create, attestation,
	      FLAGS(kf_kek_create, flags, KF_PIN_LAST_TRY), IN(kf_kek_create, puk),
	      IN(kf_kek_create, name), OUT(kf_kek_create, attestation)),
	SHAPE(KF_KEK_LIST, kf_kek_list, keks, RES(kf_kek_list, reserved), OUT(kf_kek_list, keks)),
	SHAPE(KF_KEK_ATTEST, kf_kek_attest, attestation, FLAGS(kf_kek_attest, flags, 0),
	      OUT(kf_kek_attest, attestation)),
	SHAPE(KF_KEK_SET, kf_kek_set, puk, FLAGS(kf_kek_set, flags, KF_PIN_LAST_TRY),
	      RES(kf_kek_set, reserved), IN(kf_kek_set, puk)),
	SHAPE(KF_BYOK_IMPORT, kf_byok_import, spki, FLAGS(kf_byok_import, flags, KF_BYOK_REPLACE),
	      RES(kf_byok_import, reserved), IN(kf_byok_import, kid), IN(kf_byok_import, blob),
	      OUT(kf_byok_import, receipt), OUT(kf_byok_import, spki)),

	SHAPE(KF_APDU, kf_apdu, response, FLAGS(kf_apdu, flags, 0), RES(kf_apdu, reserved),
	      IN(kf_apdu, command), OUT(kf_apdu, response)),
	SHAPE(KF_TXN_BEGIN, kf_txn_begin, name, FLAGS(kf_txn_begin, flags, 0),
	      STR_IN(kf_txn_begin, name)),
	SHAPE(KF_TXN_END, kf_txn_end, reserved, FLAGS(kf_txn_end, flags, KF_TXN_RESET),
	      RES(kf_txn_end, reserved)),

	SHAPE(KF_RELAY_BEGIN, kf_relay_begin, name, FLAGS(kf_relay_begin, flags, 0),
	      RES(kf_relay_begin, reserved), STR_IN(kf_relay_begin, name)),
	SHAPE(KF_RELAY_APDU, kf_relay_apdu, response,
	      FLAGS(kf_relay_apdu, flags, 0), IN(kf_relay_apdu, command),
	      OUT(kf_relay_apdu, response)),
	SHAPE(KF_RELAY_END, kf_relay_end, reserved, FLAGS(kf_relay_end, flags, 0),
	      RES(kf_relay_end, reserved)),

	SHAPE(KF_CARD_INIT, kf_card_init, label,
	      FLAGS(kf_card_init, flags, KF_PIN_LAST_TRY | KF_INIT_UNBLOCKS | KF_INIT_TRANSPORT |
		    KF_INIT_DKEK),
	      IN(kf_card_init, so_pin), IN(kf_card_init, pin), IN(kf_card_init, label)),
	SHAPE(KF_DKEK_STATUS, kf_dkek_status, dkeks, RES(kf_dkek_status, reserved),
	      OUT(kf_dkek_status, dkeks)),
	SHAPE(KF_DKEK_SHARE, kf_dkek_share, share, FLAGS(kf_dkek_share, flags, 0),
	      RES(kf_dkek_share, reserved), IN(kf_dkek_share, share)),
	SHAPE(KF_DKEK_DOMAIN, kf_dkek_domain, flags, FLAGS(kf_dkek_domain, flags, 0)),
	SHAPE(KF_BLOB_WRAP, kf_blob_wrap, blob, FLAGS(kf_blob_wrap, flags, 0),
	      OUT(kf_blob_wrap, blob)),
	SHAPE(KF_BLOB_UNWRAP, kf_blob_unwrap, id,
	      FLAGS(kf_blob_unwrap, flags, KF_BLOB_REPLACE | KF_BLOB_REWRAP),
	      IN(kf_blob_unwrap, blob), IN(kf_blob_unwrap, cert), IN(kf_blob_unwrap, label),
	      IN(kf_blob_unwrap, id)),

	SHAPE(KF_DRV_HELLO, kf_drv_hello, driver_version,
	      STR_OUT(kf_drv_hello, product_name), STR_OUT(kf_drv_hello, driver_version)),
	SHAPE(KF_DRV_DROP, kf_drv_drop, slot, FLAGS(kf_drv_drop, flags, 0)),
	SHAPE(KF_DRV_POWER_CYCLE, kf_drv_power_cycle, atr, RES(kf_drv_power_cycle, reserved2)),
	SHAPE(KF_DRV_WATCH, kf_drv_watch, behind, FLAGS(kf_drv_watch, flags, KF_DRV_WATCH_ON)),

	SHAPE(KF_EVENT, kf_event, entry, RES(kf_event, reserved), RES(kf_event, entry.reserved),
	      STR_OUT(kf_event, entry.name), STR_OUT(kf_event, entry.card),
	      STR_OUT(kf_event, entry.serial)),
	SHAPE(KF_DRV_EVENT, kf_drv_event, atr, RES(kf_drv_event, reserved),
	      STR_OUT(kf_drv_event, card)),
	SHAPE(KF_DRV_SILENT, kf_drv_silent, reserved, RES(kf_drv_silent, reserved)),
	SHAPE(KF_DRV_POWERING, kf_drv_powering, ms),
};

const struct shape *shape_find(uint32_t request)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (_IOC_TYPE(request) == KF_TYPE && _IOC_NR(request) == _IOC_NR(shapes[i].request))
			return &shapes[i];
	return NULL;
}

const struct shape *shape_at(size_t i)
{
	return i < sizeof(shapes) / sizeof(shapes[0]) ? &shapes[i] : NULL;
}
