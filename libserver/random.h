/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/random.h - Random bytes, and words for a machine that has none to give: who reads "I/O
 * error" looks at the disk.
 */
#pragma once

#include "keyferry/error.h"

#include <stddef.h>
#include <stdint.h>

/* Nonces, IVs, names: they will be seen. Return: 0, -EIO, -ENOMEM. */
int random_public(uint8_t *out, size_t n, struct kf_error *e);
/* Keys: from a generator of their own, whose state nothing public gives away. Return: as above. */
int random_secret(uint8_t *out, size_t n, struct kf_error *e);
