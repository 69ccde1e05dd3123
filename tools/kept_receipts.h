/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/kept_receipts.h - The receipt file of a cargo that is on its way into a card: written anew with each
 * item, and read when a run that was broken off is taken up. A card keeps its last 16 receipts, and a cargo has
 * up to 64 items.
 */
#pragma once

#include "keyferry/keyferry.h"
#include "libserver/json/cargo.h"

/*
 * Takes from the file @path, if there is one and it is of this cargo, the receipts that belong to its items; any
 * other file is left to be written over, as it always was. "-" has none.
 *
 * Return: 0, -errno the file cannot be read, -ENOMEM.
 */
int kept_receipts_restore(const char *path, const struct cargo_file *cargo,
			  struct kf_injection *injection, struct kf_error *e);

/* Replaces the file by all the receipts there are, durably. Return: how many, -errno. */
int kept_receipts_write(const char *path, const struct cargo_file *cargo,
			const struct kf_injection *injection, struct kf_error *e);
