/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tests/driver/card/kek_script.h - Lines for a scripted card that has KEKs. */
#pragma once

#include "format/kek_statement.h"
#include "tests/driver/card/script.h"

/* P-256 and RSA 2048, AES 256; SIGN, DECRYPT, CIPHER: what script_kek() allows */
#define SCRIPT_KEK_TYPES	(1u << KF_KEY_RSA_2048 | 1u << KF_KEY_EC_P256 | 1u << KF_KEY_AES_256)

/* E5 of container @c, and of one that holds no KEK. */
void script_kek(struct script *s, uint8_t c, const char *name, enum kf_hash hash, bool enabled);
void script_kek_none(struct script *s, uint8_t c);
/* A SignedKekStatement in form. */
void script_attestation(struct packer *p);
