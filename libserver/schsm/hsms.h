/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/schsm/hsms.h - The folder of SmartCard-HSMs: FINGERPRINT.json each, with its certificates, the
 * root they lead up to, and whether a virtual card was allowed. States made before there was such a folder
 * have none, which is as good as an empty one.
 */
#pragma once

#include "libserver/folder.h"
#include "libserver/schsm/hsm.h"

/* Calls @visit for each, by fingerprint, until it does not return 0. */
int hsms_each(const struct folder *hsms, int (*visit)(void *arg, struct kf_hsm *hsm), void *arg,
	      struct kf_error *e);

/* The fingerprint of the card that @name (serial or fingerprint) names. Return: 0, -ENOENT. */
int hsms_find(const struct folder *hsms, const char *name, char out[static HEX_DIGEST_SIZE],
	      struct kf_error *e);
