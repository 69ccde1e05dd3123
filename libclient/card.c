/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libclient/card.c - What the card is and can: one snapshot, asked for property by property as the
 * minidriver's CardGetProperty is.
 */
#include "libclient/blob.h"
#include "libclient/serial.h"

struct kf_card {
	struct kf_card_info info;
	char serial[SERIAL_TEXT_SIZE];
};

KF_EXPORT int kf_card_read(struct kf_context *context, struct kf_card **out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	_cleanup_(freep) struct kf_card *card = NULL;
	int r;

	(void)call_begin_card(&call, context, KF_CARD_INFO);
	if (!context || !out)
		return -EINVAL;
	r = call_run(&call, "cannot read the card's properties");
	if (r < 0)
		return r;
	card = calloc(1, sizeof(*card));
	if (!card)
		return call_no_memory(&call);
	memcpy(&card->info, call_reply(&call), sizeof(card->info));
	if (card->info.atr_len > KF_ATR_MAX || card->info.serial_len > KF_SERIAL_MAX ||
	    card->info.aid_len > KF_AID_MAX)
		return call_reply_broken(&call, "a length in the card's properties is out of range");
	serial_text(BYTES(card->info.serial, card->info.serial_len), card->serial);
	*out = take_ptr(card);
	return 0;
}

KF_EXPORT struct kf_card *kf_card_free(struct kf_card *card)
{
	free(card);
	return NULL;
}

KF_EXPORT uint32_t kf_card_value(const struct kf_card *card, enum kf_card_property property)
{
	const struct kf_card_info *info = &card->info;

	switch (property) {
	case KF_CP_KEY_IMPORT:		return info->key_import;
	case KF_CP_KEY_TYPES:		return info->key_types;
	case KF_CP_EXCHANGE_TYPES:	return info->exchange_types;
	case KF_CP_CIPHERS:		return info->ciphers;
	case KF_CP_CHAINING_MODES:	return info->chain_modes;
	case KF_CP_PADDINGS:		return info->paddings;
	case KF_CP_CIPHER_PADDINGS:	return info->cipher_paddings;
	case KF_CP_HASHES:		return info->hashes;
	case KF_CP_METHODS:		return info->methods;
	case KF_CP_FUNCTIONS:		return info->functions;
	case KF_CP_PURPOSES:		return info->purposes;
	case KF_CP_CONTAINERS:		return info->n_containers;
	case KF_CP_MAX_ITEM:		return info->max_item;
	case KF_CP_FREE_BYTES:		return info->free_bytes;
	case KF_CP_PINS:		return info->pins;
	case KF_CP_VERIFIED:		return info->verified;
	case KF_CP_FLAGS:		return info->flags;
	case KF_CP_LEVEL:		return info->level;
	case KF_CP_APP_VERSION:		return info->app_version;
	case KF_CP_GENERATION:		return info->generation;
	case KF_CP_UNWRAP_TYPES:	return info->unwrap_types;
	case KF_CP_UNWRAP_HASHES:	return info->unwrap_hashes;
	}
	return 0;
}

KF_EXPORT uint32_t kf_card_tries(const struct kf_card *card, uint32_t pin)
{
	return pin < KF_PINS_MAX ? card->info.tries[pin] : KF_TRIES_UNKNOWN;
}

KF_EXPORT const char *kf_card_serial(const struct kf_card *card)
{
	return card->serial;
}

KF_EXPORT const char *kf_card_driver(const struct kf_card *card)
{
	return card->info.driver;
}

KF_EXPORT const char *kf_card_label(const struct kf_card *card)
{
	return card->info.label;
}

KF_EXPORT const uint8_t *kf_card_atr(const struct kf_card *card, size_t *len)
{
	*len = card->info.atr_len;
	return card->info.atr;
}

KF_EXPORT const uint8_t *kf_card_aid(const struct kf_card *card, size_t *len)
{
	*len = card->info.aid_len;
	return card->info.aid;
}

KF_EXPORT int kf_device_cert(struct kf_context *context, struct kf_blob **out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	int r;

	(void)call_begin_card(&call, context, KF_DEVICE_CERT);
	if (!context || !out)
		return -EINVAL;
	r = call_run(&call, "cannot read the device certificate");
	if (r < 0)
		return r;
	return blob_new(&call, call_get(&call, kf_device_cert, chain), out);
}

KF_EXPORT int kf_card_reset(struct kf_context *context)
{
	_cleanup_(call_end) struct call call = CALL_INIT;

	(void)call_begin_card(&call, context, KF_CARD_RESET);
	if (!context)
		return -EINVAL;
	return call_run(&call, "cannot reset the card");
}
