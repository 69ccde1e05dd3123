/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/schsm/prkd.h - The description that lies beside a key of a SmartCard-HSM: a PKCS#15
 * PrivateKeyObject or SecretKeyObject [PKCS#15 6.3, 6.5], written by whoever made the key and read by
 * whoever wants to find it. By it OpenSC and we see the same keys. Pure.
 */
#pragma once

#include "base/bytes.h"
#include "keyferry/types.h"

#define PRKD_MAX 256
#define PRKD_MARK_SIZE 12

/* Outer tag: which of PKCS#15's key objects it is. */
enum prkd_kind { PRKD_RSA = 0x30, PRKD_EC = 0xa0, PRKD_AES = 0xa8 };

/* KeyUsageFlags [PKCS#15 6.2.6]: bit 0 of the string is the top one here. */
enum {
	PRKD_ENCRYPT = 0x8000,
	PRKD_DECRYPT = 0x4000,
	PRKD_SIGN = 0x2000,
	PRKD_UNWRAP = 0x0400,
	PRKD_VERIFY = 0x0200,
	PRKD_DERIVE = 0x0080,
};

/**
 * struct prkd - what stands in a description
 * @kind:	enum prkd_kind; 0: there is none
 * @usage:	PRKD_
 * @bits:	of modulus, field or key; 0: not said
 * @local:	made on the card, it says
 * @label:	for people, NUL-terminated
 * @id:		by which programs find it
 * @mark:	what two keys differ by that are called alike and have no public half, %PRKD_MARK_SIZE bytes if
 *		@marked; nobody but who compares descriptions looks at it
 */
struct prkd {
	uint8_t kind;
	uint16_t usage;
	uint32_t bits;
	bool local;
	char label[KF_KEY_LABEL_MAX + 1];
	uint8_t id[KF_KEY_ID_MAX];
	uint8_t id_len;
	uint8_t mark[PRKD_MARK_SIZE];
	bool marked;
};

/* PRKD_ of a key that is for @purposes, bits by enum kf_purpose. */
uint16_t prkd_usage(enum kf_key_type type, uint32_t purposes);

/*
 * How a key of one purpose is described where it did not come to be on the card; @label has at most
 * %KF_KEY_LABEL_MAX bytes.
 */
struct prkd prkd_of(enum kf_key_type type, enum kf_purpose purpose, const char *label, uint8_t id);
/*
 * Lenient, as foreign programs write it: what we do not look for is passed over, in any order inside
 * its part. Return: 0, -EBADMSG.
 */
int prkd_parse(struct bytes der, struct prkd *out);
/* Return: 0, -EMSGSIZE. */
int prkd_pack(const struct prkd *prkd, struct packer *out);
