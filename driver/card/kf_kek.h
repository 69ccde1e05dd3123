/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* driver/card/kf_kek.h - A KEK as the card tells it [card-application 4.2, E5]. */
#pragma once

#include "driver/card/kf.h"

/**
 * struct kf_kek - public facts of a KEK
 * @name:	NUL-padded
 * @hash:	enum kf_hash
 * @key_types:	bits by enum kf_key_type: what it may unwrap
 * @purposes:	bits by enum kf_purpose
 */
struct kf_kek {
	char name[KF_KID_MAX + 1];
	uint32_t hash;
	uint32_t key_types, purposes;
	bool enabled;
};

/* Return: 0, -ENOENT no KEK there, -EINVAL the card has no such number, -EBADMSG. */
int kf_kek_get(struct card *card, uint32_t container, struct kf_kek *out);
