/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/schsm/round.c - Making is sticky: the first command that does not fit is told once, at the end. An answer
 * is opened with the counter that its command had, so none can stand for another.
 */
#include "libserver/schsm/round.h"

enum { LE_SHORT = 256 };

void round_begin(struct round *round)
{
	round->n = round->answered = 0;
	round->failed = 0;
	round->last = false;
}

static struct turn *turn_new(struct round *round, uint16_t expect)
{
	struct turn *turn;

	if (round->failed == 0 && round->n == ROUND_COMMANDS_MAX)
		round->failed = -EMSGSIZE;
	if (round->failed < 0)
		return NULL;
	turn = &round->turns[round->n++];
	*turn = (struct turn){ .expect = expect };
	return turn;
}

/* [7816-3 short command] */
static int write_apdu(struct turn *turn, const struct sm_command *command, uint8_t cla, struct bytes data,
		      uint32_t le)
{
	struct packer p = pack_begin(turn->apdu, sizeof(turn->apdu));

	if (data.n > 255 || le > LE_SHORT)
		return -EMSGSIZE;
	pack_u8(&p, cla);
	pack_u8(&p, command->ins);
	pack_u8(&p, command->p1);
	pack_u8(&p, command->p2);
	if (data.n != 0) {
		pack_u8(&p, (uint8_t)data.n);
		pack_bytes(&p, data);
	}
	if (le != 0)
		pack_u8(&p, le & 0xff);
	turn->n = p.n;
	return pack_end(&p);
}

void round_plain(struct round *round, const struct sm_command *command, uint16_t expect)
{
	struct turn *turn = turn_new(round, expect);

	if (turn)
		round->failed = write_apdu(turn, command, command->cla, command->data, command->le);
}

static int seal(struct turn *turn, struct sm *sm, const struct sm_command *command)
{
	uint8_t buf[ROUND_APDU_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	int r;

	turn->sealed = true;
	r = sm_protect_ahead(sm, command, &p, &turn->sm);
	return r < 0 ? r : write_apdu(turn, command, command->cla | SM_CLA, pack_done(&p), LE_SHORT);
}

void round_sealed(struct round *round, struct sm *sm, const struct sm_command *command, uint16_t expect)
{
	struct turn *turn = turn_new(round, expect);

	if (turn)
		round->failed = seal(turn, sm, command);
}

void round_changes(struct round *round)
{
	if (round->n != 0)
		round->turns[round->n - 1].changes = true;
}

int round_end(const struct round *round)
{
	return round->failed;
}

static int open_answer(struct turn *turn, struct sm *sm, struct bytes data, uint16_t sw)
{
	struct packer p = pack_begin(turn->data, sizeof(turn->data));
	int r;

	if (turn->sealed) {
		r = sm_open_turn(sm, &turn->sm, data, sw, &p, &turn->sw);
	} else {
		pack_bytes(&p, data);
		turn->sw = sw;
		r = pack_end(&p);
	}
	turn->data_n = r == 0 ? p.n : 0;
	return r == -EMSGSIZE ? -EBADMSG : r;
}

int round_answer(struct round *round, struct sm *sm, struct bytes response)
{
	struct unpacker u = unpack_begin(response);
	struct bytes data;
	uint16_t sw;
	int r;

	if (round_is_answered(round))
		return -EPROTO;
	if (response.n < 2)
		return -EBADMSG;
	data = unpack_bytes(&u, response.n - 2);
	sw = unpack_be16(&u);
	r = open_answer(&round->turns[round->answered], sm, data, sw);
	if (r == 0)
		round->answered++;
	return r;
}

const struct turn *round_turn(const struct round *round, size_t i)
{
	return i < round->answered ? &round->turns[i] : NULL;
}

const struct turn *round_refused(const struct round *round)
{
	for (size_t i = 0; i < round->answered; i++)
		if (round->turns[i].expect == ROUND_OK && round->turns[i].sw != ROUND_OK)
			return &round->turns[i];
	return NULL;
}

bool round_matters(const struct round *round)
{
	for (size_t i = 0; i < round->n; i++) {
		const struct turn *turn = &round->turns[i];
		bool refused = i < round->answered && turn->expect == ROUND_OK && turn->sw != ROUND_OK;

		if (turn->changes && !refused)
			return true;
	}
	return false;
}
