/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/schsm/wrapped_file.h - The file of sc-hsm-tool --wrap-key: SEQUENCE { OCTET STRING blob, PrKD,
 * certificate } [card dossier 2.6], where the last two are as they lay on the card beside the key, or
 * absent.
 */
#pragma once

#include "base/bytes.h"
#include "keyferry/types.h"

enum { WRAPPED_FILE_MAX = 8192, WRAPPED_LABEL_MAX = 64 };

/**
 * struct wrapped_file - its parts, borrowed
 * @prkd:	PKCS#15 description of the key, whole; may be empty
 * @cert:	X.509 certificate, card-verifiable one, or request for the latter, whole; may be empty
 */
struct wrapped_file {
	struct bytes blob, prkd, cert;
};

/* Return: 0, -EBADMSG. */
int wrapped_file_parse(struct bytes der, struct wrapped_file *out);
/* Return: 0, -EMSGSIZE. */
int wrapped_file_pack(const struct wrapped_file *file, struct packer *out);

/* How the key is called in @prkd; empty: it does not say, or says what nobody could show. */
struct bytes wrapped_prkd_label(struct bytes prkd);
