/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/schsm/seal.h - What holds for every blob that we let through, whoever has made it.
 */
#pragma once

#include "base/bytes.h"
#include "keyferry/error.h"

/*
 * [card dossier 2.6]: without a list, or with WRAP (92) in it, whoever has the DKEK takes the key out again.
 * Return: 0, -EACCES, -EINVAL too long.
 */
int fleet_check_list(struct bytes list, bool allow_rewrap, struct kf_error *e);

/* Return: 0, -EINVAL: no card keeps one that long. */
int fleet_check_certificate(size_t n, struct kf_error *e);

/* Where a key goes and what it is called there; @label and @serial may be NULL. Return: 0, -EINVAL. */
int fleet_check_place(uint32_t container, const char *label, const char *serial, struct kf_error *e);
