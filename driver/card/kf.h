/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/card/kf.h - The card driver of our own card application (docs/card-application.md): what
 * its source files share. kf.c opens and describes the card; kf_pin.c, kf_container.c, kf_key.c and
 * kf_inject.c, kf_kek.c and kf_byok.c each speak for one noun of that page.
 */
#pragma once

#include "driver/card/card.h"
#include "format/numbers.h"

#define KF_RESPONSE_MAX		APP_DATA_MAX

/**
 * struct kf_card - the public facts, read once when the card is opened
 * @info:	as KF_CARD_INFO answers, but for PIN state
 * @serial:	NUL-terminated
 * @suites:	bits by item suite
 * @max_command: longest data field the card takes
 * @max_cert:	longest certificate it keeps
 * @n_injectors: senders it knows; 0: open import
 * @injectors:	their SPKI hashes
 */
struct kf_card {
	struct kf_card_info info;
	char serial[KF_SERIAL_MAX + 1];
	uint32_t suites;
	uint32_t max_command;
	uint32_t max_cert;
	size_t n_injectors;
	uint8_t injectors[APP_INJECTORS_MAX][KF_DIGEST_SIZE];
};

/**
 * struct kf_place - one container as the card tells it [card-application 4.2, E3]
 * @spki:	public value, for AES a mark; borrowed from the card's answer, good until the next command
 */
struct kf_place {
	bool occupied;
	uint8_t key_type, purpose, origin;
	bool pin_needed, used;
	struct bytes spki;
	uint32_t cert_len;
	uint64_t not_after;
};

static inline struct kf_card *kf_of(const struct card *card)
{
	return card->private;
}

#define POLICY_PIN	0x01u		/* bit 0 of a container's policy [card-application 4.2] */

static inline int kf_number_check(const struct card *card, uint32_t container)
{
	return container < kf_of(card)->info.n_containers ? 0 : -EINVAL;
}

/* card_call() that also names the PIN where the card wants one first. */
int kf_call(struct card *card, const struct card_command *command, struct bytes *data);
/* A command that answers nothing; -EBADMSG if it does. */
int kf_do(struct card *card, const struct card_command *command);

/* GET DATA [card-application 4.2]. */
int kf_get_data(struct card *card, uint16_t what, struct bytes *data);
/* The content of one container; -EINVAL if the card has no such number. */
int kf_place_get(struct card *card, uint32_t container, struct kf_place *out);
/* @container itself, or for KF_CONTAINER_ANY the first empty one: -ENOSPC if all are full. */
int kf_place_choose(struct card *card, uint32_t container, uint32_t *out);

/* A byte each; a number we have never heard of is a newer card's and no harm. */
uint32_t kf_bits_of(struct bytes numbers);

/* SECURITY section 7: what would spend the last try of PIN or PUK is refused unless asked for. */
int kf_pin_guard(struct card *card, uint32_t id, bool last_try);

int kf_pin_status(struct card *card, struct kf_pin_status *pin);
int kf_pin_verify(struct card *card, const struct card_pin *pin);
int kf_pin_change(struct card *card, const struct card_pin *pin);
int kf_pin_pad_verify(struct card *card, const struct card_pin *pin);
int kf_pin_pad_change(struct card *card, const struct card_pin *pin);
int kf_pin_unblock(struct card *card, const struct card_pin *pin);
int kf_pin_drop(struct card *card);

int kf_container_list(struct card *card, uint32_t *n, struct packer *entries);
int kf_container_info(struct card *card, struct kf_container_info *info, struct packer *spki);
int kf_container_create(struct card *card, struct kf_container_create *want, struct packer *spki);
int kf_container_delete(struct card *card, uint32_t container);
int kf_container_convert(struct card *card, uint32_t container);
int kf_cert_store(struct card *card, uint32_t container, struct bytes cert);
int kf_cert_read(struct card *card, uint32_t container, struct packer *cert);

int kf_sign(struct card *card, const struct kf_sign *how, struct bytes digest,
	    struct packer *signature);
int kf_decrypt(struct card *card, const struct kf_decrypt *how, struct bytes input,
	       struct bytes label, struct packer *output);
int kf_agree(struct card *card, uint32_t container, struct bytes peer, struct packer *secret);

int kf_cipher(struct card *card, struct kf_cipher *how, struct bytes aad, struct bytes input,
	      struct packer *output);

int kf_kek_create(struct card *card, struct kf_kek_create *want, struct bytes puk,
		  struct bytes name, struct packer *attestation);
int kf_kek_list(struct card *card, uint32_t *n, struct packer *entries);
int kf_kek_attest(struct card *card, uint32_t container, struct packer *attestation);
int kf_kek_set(struct card *card, const struct kf_kek_set *what, struct bytes puk);
int kf_byok_import(struct card *card, struct kf_byok_import *import, struct bytes kid,
		   struct bytes blob, struct packer *receipt, struct bytes *spki);

int kf_offer(struct card *card, struct kf_offer *offer, struct packer *statement);
int kf_session_import(struct card *card, const struct kf_session_import *how, struct bytes input,
		      struct card_session *session, struct packer *output);
int kf_process(struct card *card, struct card_session *session, struct kf_process *process,
	       struct bytes item, struct packer *receipt);
int kf_receipt_get(struct card *card, const struct kf_receipt_get *which, struct packer *receipt);
int kf_session_destroy(struct card *card, struct card_session *session);
