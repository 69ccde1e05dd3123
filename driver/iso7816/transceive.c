/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/iso7816/transceive.c - apdu_exchange(): from one struct apdu to as many APDUs as it takes,
 * and back to one response. All pieces of the command go through io->command, which is wiped after
 * each; the answer grows in io->response.
 */
#include "driver/iso7816/card_io.h"

#include "base/secret.h"

#include <errno.h>

enum { INS_GET_RESPONSE = 0xc0 };

#define SW_MORE(sw)	((sw) >> 8 == 0x61)
#define SW_WRONG_LE(sw)	((sw) >> 8 == 0x6c)
#define SHORT_HEAD	6	/* CLA INS P1 P2 Lc Le */

/* The xx of 61xx and 6Cxx; 0 means 256. */
static uint32_t sw_count(uint16_t sw)
{
	return (sw & 0xff) != 0 ? sw & 0xffu : APDU_SHORT_LE;
}

/* One APDU; its data is appended to io->response behind @got, its status word goes to @sw. */
static int once(struct card_io *io, const struct apdu *apdu, struct deadline deadline,
		size_t *got, uint16_t *sw)
{
	struct packer p = pack_begin(io->command, APDU_COMMAND_MAX);
	struct unpacker u;
	size_t n = 0;
	int r;

	apdu_pack(&p, apdu);
	if (pack_end(&p) < 0)
		return -EINVAL;
	io->command_used = p.n;
	r = card_transmit(io, pack_done(&p), io->response + *got, APDU_RESPONSE_MAX - *got, &n,
			  deadline);
	wipe(io->command, io->command_used);
	io->command_used = 0;
	if (r < 0) {
		io->response_used = APDU_RESPONSE_MAX;	/* who knows how far it came */
		return r;
	}
	io->response_used = *got + n;
	*got += n - 2;
	u = unpack_begin(BYTES(io->response + *got, 2));
	*sw = unpack_be16(&u);
	return 0;
}

/* 6Cxx: the card did nothing and says which Le it wants [7816-4 SW 6Cxx]. */
static int once_with_right_le(struct card_io *io, const struct apdu *apdu,
			      struct deadline deadline, size_t *got, uint16_t *sw)
{
	struct apdu again = *apdu;
	size_t start = *got;
	int r = once(io, &again, deadline, got, sw);

	for (unsigned int i = 0; r == 0 && SW_WRONG_LE(*sw) && i < limits.wrong_le; i++) {
		again.le = sw_count(*sw);
		*got = start;
		r = once(io, &again, deadline, got, sw);
	}
	return r;
}

/*
 * What 61xx offers, but no more than the command asked for [7816-4 SW 61xx]; 0: it has that. No Le
 * did not know that there would be anything, and the greatest short one means all there is.
 */
static uint32_t still_wanted(const struct apdu *apdu, size_t got, uint16_t sw)
{
	uint32_t offered = sw_count(sw);

	if (apdu->le == 0 || apdu->le >= APDU_SHORT_LE)
		return offered;
	if (got >= apdu->le)
		return 0;
	return apdu->le - got < offered ? (uint32_t)(apdu->le - got) : offered;
}

static int get_responses(struct card_io *io, const struct apdu *apdu, struct deadline deadline,
			 size_t *got, uint16_t *sw)
{
	unsigned int empty = 0;

	for (unsigned int round = 0; SW_MORE(*sw); round++) {
		struct apdu more = {
			.cla = apdu_interindustry(apdu->cla), .ins = INS_GET_RESPONSE,
			.le = still_wanted(apdu, *got, *sw),
		};
		size_t before = *got;
		int r;

		if (more.le == 0)
			return 0;
		if (round == limits.get_responses)
			return -EBADMSG;
		if (*got >= APDU_LE_MAX)
			return -EBADMSG;
		r = once_with_right_le(io, &more, deadline, got, sw);
		if (r < 0)
			return r;
		empty = *got == before ? empty + 1 : 0;
		if (empty >= limits.get_responses_empty && SW_MORE(*sw))
			return -EBADMSG;
	}
	return 0;
}

/* Data bytes that one APDU of a chain can carry. */
static size_t piece_max(const struct card_io *io)
{
	size_t room = io->max_command - SHORT_HEAD;

	return room < APDU_SHORT_DATA ? room : APDU_SHORT_DATA;
}

/* [7816-4 command chaining]: each part but the last must be answered 9000. */
static int send_links(struct card_io *io, struct apdu *apdu, struct deadline deadline,
		      uint16_t *sw)
{
	size_t most = piece_max(io);

	*sw = APDU_OK;
	while (apdu->data.n > most) {
		struct apdu link = {
			.cla = apdu->cla | CLA_CHAIN, .ins = apdu->ins,
			.p1 = apdu->p1, .p2 = apdu->p2, .data = bytes_slice(apdu->data, 0, most),
		};
		size_t got = 0;
		int r = once(io, &link, deadline, &got, sw);

		if (r < 0 || *sw != APDU_OK)
			return r;
		apdu->data = bytes_slice(apdu->data, most, apdu->data.n);
	}
	if (apdu->le > APDU_SHORT_LE)
		apdu->le = APDU_SHORT_LE;	/* the rest comes by 61xx */
	return 0;
}

static bool fits(const struct card_io *io, const struct apdu *apdu)
{
	/* Header, Lc, Le. */
	return io->extended || (apdu_is_short(apdu) && apdu->data.n <= piece_max(io));
}

static int exchange(struct card_io *io, const struct apdu *apdu, struct deadline deadline,
		    size_t *got, uint16_t *sw)
{
	struct apdu last = *apdu;
	int r;

	if (!fits(io, apdu)) {
		if (!io->chaining && apdu->data.n > piece_max(io))
			return -EOPNOTSUPP;
		r = send_links(io, &last, deadline, sw);
		if (r < 0 || *sw != APDU_OK)
			return r;
	}
	r = once_with_right_le(io, &last, deadline, got, sw);
	return r < 0 ? r : get_responses(io, apdu, deadline, got, sw);
}

int apdu_exchange(struct card_io *io, const struct apdu *apdu, struct deadline deadline,
		  struct apdu_response *out)
{
	uint16_t sw = 0;
	size_t got = 0;
	int r;

	assert(apdu->data.n == 0 || apdu->data.p + apdu->data.n <= io->response ||
	       apdu->data.p >= io->response + APDU_RESPONSE_MAX);
	card_io_wipe(io);
	io->ran = false;
	if (apdu->data.n > UINT16_MAX || apdu->le > APDU_LE_MAX)
		return -EINVAL;
	r = exchange(io, apdu, deadline, &got, &sw);
	if (r < 0) {
		card_io_wipe(io);
		return r;
	}
	*out = (struct apdu_response){ BYTES(io->response, got), sw };
	return 0;
}
