/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/ccid/pinpad.h"
#include "tests/harness.h"

static const uint8_t verify_apdu[] = { 0x00, 0x20, 0x00, 0x81, 0x00 };

TEST(a_verification_has_its_fields_where_they_belong)
{
	static const uint8_t want[] = {
		0x00, 60, 0x82, 0x00, 0x00, 12, 4, 0x02, 0x01, 0x09, 0x04, 0x00,
		0x00, 0x40, 0x05, 0x00, 0x20, 0x00, 0x81, 0x00,
	};
	const struct pinpad pinpad = {
		.timeout_s = 60, .min = 4, .max = 12, .prologue = { 0x00, 0x40, 0x05 },
		.apdu = BYTES_OF(verify_apdu),
	};
	uint8_t buf[PINPAD_STRUCTURE_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	pinpad_pack(&p, &pinpad);
	EXPECT_BYTES_EQ(BYTES_OF(want), pack_done(&p));
}

TEST(a_modification_has_its_fields_where_they_belong)
{
	static const uint8_t want[] = {
		0x01, 30, 0x82, 0x0c, 0x00, 0x00, 0x0c, 12, 4, 0x03, 0x02, 0x03, 0x09, 0x04,
		0x00, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x20, 0x00, 0x81, 0x00,
	};
	const struct pinpad pinpad = {
		.modify = true, .timeout_s = 30, .min = 4, .max = 12, .block = 12,
		.apdu = BYTES_OF(verify_apdu),
	};
	uint8_t buf[PINPAD_STRUCTURE_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	pinpad_pack(&p, &pinpad);
	EXPECT_BYTES_EQ(BYTES_OF(want), pack_done(&p));
}
