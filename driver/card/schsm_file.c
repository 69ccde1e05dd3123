/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/card/schsm_file.c - READ and UPDATE BINARY with an offset in the data field [7816-4, odd INS], in
 * pieces as the link carries them. A card that answers more than there can be, or nothing for ever,
 * is cut off by the caller's buffer.
 */
#include "driver/card/schsm.h"

#include "driver/iso7816/card_io.h"
#include "driver/iso7816/tlv.h"
#include "format/numbers.h"

enum { INS_READ = 0xb1, INS_UPDATE = 0xd7, INS_ENUMERATE = 0x58 };
enum { SW_END_OF_FILE = 0x6282, SW_BEHIND_END = 0x6b00 };
enum { PIECE_LONG = 900, PIECE_SHORT = 240 };
#define LIST_MAX (2 * 3 * 256)

/* How long the first data object of @b is, head and all; 0: that is not to be seen from its front. */
static size_t object_size(struct bytes b)
{
	struct unpacker u = unpack_begin(b);
	uint8_t first = unpack_u8(&u);
	size_t n;

	if ((first & 0x1f) == 0x1f)
		while (unpack_u8(&u) & 0x80)
			;
	n = unpack_u8(&u);
	if (n == 0x81)
		n = unpack_u8(&u);
	else if (n == 0x82)
		n = unpack_be16(&u);
	else if (n >= 0x80)
		return 0;
	return u.bad ? 0 : n + (b.n - u.left);
}

/* One piece. Return: 0 with nothing in it at the end. */
static int read_piece(struct card *card, uint16_t fid, size_t offset, struct bytes *piece)
{
	uint8_t at[] = { 0x54, 2, (uint8_t)(offset >> 8), (uint8_t)offset };
	const struct card_command read = {
		.ins = INS_READ, .p1 = (uint8_t)(fid >> 8), .p2 = (uint8_t)fid, .data = BYTES_OF(at),
		.answers = true, .also = SW_END_OF_FILE,
	};
	int r = schsm_call(card, &read, piece);

	if (r == -EREMOTEIO && card->said.sw == SW_BEHIND_END && offset != 0) {
		*piece = BYTES_NONE;
		return 0;
	}
	return r;
}

int schsm_file_read(struct card *card, uint16_t fid, bool one, uint8_t *buf, size_t cap, size_t *n)
{
	struct packer p = pack_begin(buf, cap);
	struct bytes piece;
	size_t whole;
	int r;

	do {
		r = read_piece(card, fid, p.n, &piece);
		if (r < 0)
			return r;
		pack_bytes(&p, piece);
		if (pack_end(&p) < 0)
			return -EBADMSG;
		whole = one ? object_size(pack_done(&p)) : 0;
	} while (piece.n != 0 && card->said.sw != SW_END_OF_FILE && (whole == 0 || p.n < whole));
	card->said = (struct card_said){ 0 };
	*n = whole != 0 && whole < p.n ? whole : p.n;
	return *n != 0 ? 0 : -ENOENT;
}

static int write_piece(struct card *card, uint16_t fid, size_t offset, struct bytes piece)
{
	uint8_t buf[PIECE_LONG + 16];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct card_command update = {
		.ins = INS_UPDATE, .p1 = (uint8_t)(fid >> 8), .p2 = (uint8_t)fid,
	};

	pack_be(&p, 0x5402, 2);
	pack_be16(&p, (uint16_t)offset);
	tlv_pack(&p, 0x53, piece);
	assert(!p.bad);
	update.data = pack_done(&p);
	return schsm_do(card, &update);
}

int schsm_file_write(struct card *card, uint16_t fid, struct bytes content)
{
	size_t most = card->io->extended ? PIECE_LONG : PIECE_SHORT;
	int r = schsm_file_delete(card, fid);

	for (size_t at = 0; r == 0 && at < content.n; at += most)
		r = write_piece(card, fid, at, bytes_slice(content, at, most));
	return r;
}

int schsm_file_delete(struct card *card, uint16_t fid)
{
	uint8_t name[] = { (uint8_t)(fid >> 8), (uint8_t)fid };
	const struct card_command delete = { .ins = INS_DELETE, .p1 = 2, .data = BYTES_OF(name) };
	int r = schsm_do(card, &delete);

	return r == -ENOENT ? 0 : r;
}

static void note(uint8_t bits[static 32], uint8_t low)
{
	bits[low / 8] = (uint8_t)(bits[low / 8] | 1u << (low % 8));
}

int schsm_files_read(struct card *card, struct schsm_files *out)
{
	const struct card_command enumerate = {
		.cla = 0x80, .ins = INS_ENUMERATE, .answers = true,
	};
	struct schsm_files files = { 0 };
	struct unpacker u;
	struct bytes list;
	int r = schsm_call(card, &enumerate, &list);

	if (r < 0)
		return r;
	if (list.n % 2 != 0 || list.n > LIST_MAX)
		return -EBADMSG;
	u = unpack_begin(list);
	while (u.left != 0) {
		uint8_t kind = unpack_u8(&u), low = unpack_u8(&u);

		if (kind == SCHSM_KEY)
			note(files.key, low);
		else if (kind == SCHSM_PRKD)
			note(files.prkd, low);
		else if (kind == SCHSM_CERT)
			note(files.cert, low);
	}
	*out = files;
	return 0;
}
