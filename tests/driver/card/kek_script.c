/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/driver/card/kek_script.h"

void script_kek(struct script *s, uint8_t c, const char *name, enum kf_hash hash, bool enabled)
{
	static const uint8_t types[] = { KF_KEY_RSA_2048, KF_KEY_EC_P256, KF_KEY_AES_256 };
	static const uint8_t purposes[] = { KF_PURPOSE_SIGN, KF_PURPOSE_DECRYPT, KF_PURPOSE_CIPHER };
	const uint8_t h = (uint8_t)hash, on = enabled;
	uint8_t buf[400], outer[410];
	struct packer p = pack_begin(buf, sizeof(buf)), o = pack_begin(outer, sizeof(outer));

	tlv_pack(&p, 0x80, BYTES(name, strlen(name)));
	tlv_pack(&p, 0x81, BYTES(&h, 1));
	tlv_pack(&p, 0x82, BYTES_OF(types));
	tlv_pack(&p, 0x83, BYTES_OF(purposes));
	tlv_pack(&p, 0x84, BYTES(&on, 1));
	tlv_pack(&o, 0xe5, pack_done(&p));
	script_get_data(s, (uint16_t)(0x0130 + c), pack_done(&o), 0x9000);
}

void script_kek_none(struct script *s, uint8_t c)
{
	script_get_data(s, (uint16_t)(0x0130 + c), BYTES_NONE, 0x6a88);
}

void script_attestation(struct packer *p)
{
	const struct kek_statement s = {
		.level = KF_LEVEL_VIRTUAL, .serial = SCRIPT_SERIAL, .kek_type = KF_KEY_RSA_2048,
		.origin = KF_ORIGIN_GENERATED, .container = 5, .name = "kek", .hash = KF_HASH_SHA1,
		.key_types = { 1, { KF_KEY_EC_P256 } }, .purposes = { 1, { KF_PURPOSE_SIGN } },
	};
	uint8_t buf[KEK_STATEMENT_MAX];
	struct packer inner = pack_begin(buf, sizeof(buf));

	kek_statement_pack(&inner, &s);
	signed_statement_pack(p, &(struct signed_statement){
		pack_done(&inner), BYTES("sig", 3), BYTES("\x30\x00", 2) });
}
