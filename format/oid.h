/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/oid.h - What keys are called in DER: contents of OBJECT IDENTIFIERs.
 */
#pragma once

#include "base/bytes.h"
#include "format/numbers.h"

/* rsaEncryption [RFC 8017 A], id-ecPublicKey [RFC 5480 2.1.1] */
static const uint8_t oid_rsa[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01 };
static const uint8_t oid_ec[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01 };

/* [RFC 5480 2.1.1.1], P-256K [SEC 2]. Return: empty if @type is of no curve. */
static inline struct bytes oid_of_curve(enum kf_key_type type)
{
	static const uint8_t p256[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
	static const uint8_t p384[] = { 0x2b, 0x81, 0x04, 0x00, 0x22 };
	static const uint8_t p521[] = { 0x2b, 0x81, 0x04, 0x00, 0x23 };
	static const uint8_t p256k[] = { 0x2b, 0x81, 0x04, 0x00, 0x0a };

	switch (type) {
	case KF_KEY_EC_P256:  return BYTES_OF(p256);
	case KF_KEY_EC_P384:  return BYTES_OF(p384);
	case KF_KEY_EC_P521:  return BYTES_OF(p521);
	case KF_KEY_EC_P256K: return BYTES_OF(p256k);
	default:	      return BYTES_NONE;
	}
}
