/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/schsm/dkek.h - The device key encryption key of a SmartCard-HSM, which every card of a fleet
 * has: made of 32-byte shares, told by its check value, and good for two keys [card dossier 2.4].
 */
#pragma once

#include "base/secret.h"

enum {
	DKEK_SIZE = 32,
	DKEK_KCV_SIZE = 8,
};

/**
 * struct dkek - the shares so far
 * @value:	their XOR, DKEK_SIZE bytes
 */
struct dkek {
	struct secret value;
};

#define DKEK_INIT ((struct dkek){ SECRET_INIT })

/* No share yet. Return: 0, -ENOMEM, and what secret_init() says. */
int dkek_init(struct dkek *dkek);

/* Return: 0, -EINVAL unless @share has DKEK_SIZE bytes. */
int dkek_add_share(struct dkek *dkek, struct bytes share);

/* The check value. Return: 0, -EIO. */
int dkek_kcv(const struct dkek *dkek, uint8_t out[static DKEK_KCV_SIZE]);

/* K_ENC and K_MAC, AES-256 both, each into a secret with room for it. Return: 0, -EIO, -ENOMEM. */
int dkek_keys(const struct dkek *dkek, struct secret *enc, struct secret *mac);

static inline void dkek_deinit(struct dkek *dkek)
{
	secret_deinit(&dkek->value);
}
