/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/driver/card/schsm_script.h"

static void expect(struct script *s, struct bytes want, struct bytes data, uint16_t sw)
{
	uint8_t answer[4200];
	struct packer p = pack_begin(answer, sizeof(answer));

	pack_bytes(&p, data);
	pack_be16(&p, sw);
	ASSERT_FALSE(p.bad);
	script_add(s, want, pack_done(&p));
}

/* One command with data and, if @le, the longest Le, in the form the driver sends it. */
static void command(struct script *s, uint32_t head, struct bytes data, bool le, struct bytes answer, uint16_t sw)
{
	uint8_t want[4200];
	struct packer p = pack_begin(want, sizeof(want));

	pack_be(&p, head, 4);
	if (data.n != 0 && (le || data.n > 255)) {
		pack_u8(&p, 0);
		pack_be16(&p, (uint16_t)data.n);
	} else if (data.n != 0) {
		pack_u8(&p, (uint8_t)data.n);
	}
	pack_bytes(&p, data);
	if (le && data.n == 0)
		pack_u8(&p, 0);
	if (le)
		pack_be16(&p, 0);
	ASSERT_FALSE(p.bad);
	expect(s, pack_done(&p), answer, sw);
}

void schsm_script_file(struct script *s, uint16_t fid, const uint8_t *content, size_t n)
{
	static const uint8_t start[] = { 0x54, 2, 0, 0 };

	command(s, 0x00b10000u | fid, BYTES_OF(start), true, content ? BYTES(content, n) : BYTES_NONE,
		content ? 0x9000 : 0x6a82);
}

void schsm_script_delete(struct script *s, uint16_t fid, uint16_t sw)
{
	const uint8_t name[] = { (uint8_t)(fid >> 8), (uint8_t)fid };

	command(s, 0x00e40200, BYTES_OF(name), false, BYTES_NONE, sw);
}

void schsm_script_write(struct script *s, uint16_t fid, struct bytes content, uint16_t sw)
{
	uint8_t buf[1024];
	struct packer p = pack_begin(buf, sizeof(buf));

	schsm_script_delete(s, fid, 0x6a82);
	pack_be(&p, 0x54020000, 4);
	tlv_pack(&p, 0x53, content);
	command(s, 0x00d70000u | fid, pack_done(&p), false, BYTES_NONE, sw);
}

void schsm_script_files(struct script *s, const char *list)
{
	uint8_t files[256];
	size_t n = script_hex(list, files, sizeof(files));

	command(s, 0x80580000, BYTES_NONE, true, BYTES(files, n), 0x9000);
}

void schsm_script_dkek(struct script *s, uint8_t domain, const char *answer, uint16_t sw)
{
	uint8_t buf[64];
	size_t n = answer ? script_hex(answer, buf, sizeof(buf)) : 0;

	command(s, 0x80520000u | domain, BYTES_NONE, true, BYTES(buf, n), sw);
}

void schsm_script_tries(struct script *s, uint8_t reference, uint16_t sw)
{
	command(s, 0x00200000u | reference, BYTES_NONE, false, BYTES_NONE, sw);
}

void schsm_script_open(struct script *s)
{
	static const struct card_driver *const drivers[] = { &schsm_card_driver, NULL };

	script_blank(s);
	script_expect(s, SCHSM_SELECT, SCHSM_FCP);
	schsm_script_file(s, SCHSM_DEVICE_CERT, NULL, 0);
	schsm_script_file(s, SCHSM_TOKEN_INFO, NULL, 0);
	ASSERT_EQ(0, card_identify(s->card, drivers));
	ASSERT_TRUE(s->card->driver == &schsm_card_driver);
}
