/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/schsm/allowed.h"
#include "format/numbers.h"

static const uint8_t rsa_sign[] = { 0x20, 0x30, 0x31, 0x33, 0x34, 0x35, 0x40, 0x41, 0x43, 0x44, 0x45 };
static const uint8_t rsa_decrypt[] = { 0x21, 0x22, 0x23 };
static const uint8_t ec_sign[] = { 0x70, 0x71, 0x73, 0x74, 0x75 };
static const uint8_t ec_derive[] = { 0x80 };
static const uint8_t aes_cipher[] = { 0x10, 0x11, 0x18 };

struct bytes allowed_by_default(enum kf_key_type type, enum kf_purpose purpose)
{
	if (key_type_is_rsa(type) && purpose == KF_PURPOSE_SIGN)
		return BYTES_OF(rsa_sign);
	if (key_type_is_rsa(type) && purpose == KF_PURPOSE_DECRYPT)
		return BYTES_OF(rsa_decrypt);
	if (key_type_is_ec(type) && purpose == KF_PURPOSE_SIGN)
		return BYTES_OF(ec_sign);
	if (key_type_is_ec(type) && purpose == KF_PURPOSE_DERIVE)
		return BYTES_OF(ec_derive);
	if (key_type_is_aes(type) && purpose == KF_PURPOSE_CIPHER)
		return BYTES_OF(aes_cipher);
	return BYTES_NONE;
}

bool allowed_has(struct bytes list, uint8_t algorithm)
{
	return list.n == 0 || memchr(list.p, algorithm, list.n) != NULL;
}
