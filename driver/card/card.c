/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/card/card.c - The one way to the card for all card drivers. A transport error loses the
 * card on the spot, and nothing is ever sent twice.
 */
#include "driver/card/card.h"

#include "driver/card/match.h"
#include "driver/card/sw.h"
#include "driver/iso7816/card_io.h"
#include "driver/iso7816/pad.h"

#include <limits.h>

#define INS_SELECT_FILE		0xa4
#define INS_MANAGE_CHANNEL	0x70

int card_new(struct card_io *io, struct card **out)
{
	struct card *card = calloc(1, sizeof(*card));

	if (!card)
		return -ENOMEM;
	card->io = io;
	card->atr = BYTES(io->atr.raw, io->atr.raw_n);
	card->deadline = DEADLINE_NEVER;
	*out = card;
	return 0;
}

struct card *card_free(struct card *card)
{
	if (!card)
		return NULL;
	if (card->driver && card->driver->close)
		card->driver->close(card);
	card_forget(card);
	free(card);
	return NULL;
}

int card_identify(struct card *card, const struct card_driver *const *drivers)
{
	const struct card_driver *driver = NULL;
	unsigned int strength = UINT_MAX;
	int r = 0;

	while (!card->driver) {
		strength = card_match_next(drivers, card->atr, strength, &driver);
		if (strength == 0)
			break;
		r = driver->open(card);
		if (r == 0)
			card->driver = driver;
		else if (card->lost || r != -ENXIO)
			break;
		else
			r = 0;
	}
	card->said = (struct card_said){ 0 };
	card_forget(card);
	return r;
}

void card_begin_raw(struct card *card, struct deadline deadline)
{
	card->said = (struct card_said){ 0 };
	card->deadline = deadline;
}

int card_begin(struct card *card, struct deadline deadline)
{
	int r;

	card_begin_raw(card, deadline);
	if (!card->elsewhere || !card->driver || !card->driver->select)
		return 0;
	r = card->driver->select(card);
	if (r == 0)
		card->elsewhere = false;
	return r;
}

void card_forget(struct card *card)
{
	card_io_wipe(card->io);
}

/* Which commands carry a secret whose very length is nobody's business. */
static bool is_pin_command(uint8_t cla, uint8_t ins)
{
	/* SmartCard-HSM: the PINs of a new card, a share of its DKEK. */
	if ((cla & 0x80) && (ins == 0x50 || ins == 0x52))
		return true;
	return ins == 0x20 || ins == 0x21 || ins == 0x24 || ins == 0x26 || ins == 0x28 || ins == 0x2c;
}

static void trace_command(const struct card *card, const struct apdu *apdu, int error,
			  const struct apdu_response *answer)
{
	struct card_trace trace = {
		.header = { apdu->cla, apdu->ins, apdu->p1, apdu->p2 },
		.n_data = apdu->data.n,
		.hide_data = is_pin_command(apdu->cla, apdu->ins),
		.error = error,
	};

	if (!card->trace)
		return;
	if (error == 0) {
		trace.n_answer = answer->data.n;
		trace.sw = answer->sw;
	}
	card->trace(&trace);
}

static int transport_failed(struct card *card, int r)
{
	card->lost = card->io->ran || !card_io_is_current(card->io);
	card->said = (struct card_said){
		.reason = card->io->ran ? KF_REASON_ON_CARD : KF_REASON_NONE,
	};
	return r;
}

/*
 * What never reached the card leaves it as it was. What may have leaves nothing to build on: a
 * second command would be right after only one of the two outcomes.
 */
static int exchange(struct card *card, const struct apdu *apdu, struct apdu_response *answer)
{
	int r;

	if (card->lost)
		return -EIO;
	r = apdu_exchange(card->io, apdu, card->deadline, answer);
	trace_command(card, apdu, r, answer);
	return r < 0 ? transport_failed(card, r) : 0;
}

int card_call(struct card *card, const struct card_command *command, struct bytes *data)
{
	const struct apdu apdu = {
		.cla = command->cla, .ins = command->ins, .p1 = command->p1, .p2 = command->p2,
		.data = command->data, .le = command->answers ? APDU_LE_MAX : 0,
	};
	struct apdu_response answer;
	struct sw_meaning meaning;
	int r;

	r = exchange(card, &apdu, &answer);
	if (r < 0)
		return r;
	meaning = sw_meaning(answer.sw);
	if (command->also != 0 && answer.sw == command->also)
		meaning = (struct sw_meaning){ .error = 0 };
	card->said = (struct card_said){
		.sw = answer.sw != APDU_OK ? answer.sw : 0,
		.reason = meaning.reason,
		.detail = meaning.detail,
	};
	*data = meaning.error == 0 ? answer.data : BYTES_NONE;
	return meaning.error;
}

/* What the person did, where the card was not asked at all. */
static int at_the_keys(struct card *card, enum pad_outcome outcome)
{
	static const struct { int error; uint16_t reason; } said[] = {
		[PAD_SENT] = { 0, KF_REASON_NONE },
		[PAD_CANCELLED] = { -ECANCELED, KF_REASON_PAD_CANCELLED },
		[PAD_TIMEOUT] = { -ETIMEDOUT, KF_REASON_PAD_TIMEOUT },
		[PAD_MISMATCH] = { -EINVAL, KF_REASON_PAD_MISMATCH },
		[PAD_LENGTH] = { -EINVAL, KF_REASON_PAD_LENGTH },
	};

	return card_say(card, said[outcome].error, said[outcome].reason, 0);
}

int card_pad(struct card *card, const struct pad *pad)
{
	const struct apdu shown = { .ins = pad->ins, .p2 = pad->p2 };
	enum pad_outcome outcome = PAD_SENT;
	struct apdu_response answer = { .sw = 0 };
	struct sw_meaning meaning;
	int r;

	if (card->lost)
		return -EIO;
	if (!pad_is_there(card->io, pad->modify))
		return card_say(card, -EOPNOTSUPP, KF_REASON_NO_PINPAD, 0);
	r = pad_exchange(card->io, pad, card->deadline, &outcome, &answer.sw);
	trace_command(card, &shown, r, &answer);
	if (r == -EOPNOTSUPP)
		return card_say(card, r, KF_REASON_NO_PINPAD, 0);
	if (r < 0)
		return transport_failed(card, r);
	if (outcome != PAD_SENT)
		return at_the_keys(card, outcome);
	meaning = sw_meaning(answer.sw);
	card->said = (struct card_said){
		.sw = meaning.error < 0 ? answer.sw : 0,
		.reason = meaning.reason,
		.detail = meaning.detail,
	};
	return meaning.error;
}

int card_raw(struct card *card, struct bytes command, struct packer *response)
{
	struct apdu_response answer;
	struct apdu apdu;
	int r;

	if (apdu_parse(command, &apdu, NULL) < 0 || !apdu_is_legal(&apdu, card->io->protocol == 0))
		return -EINVAL;
	if (apdu.ins == INS_SELECT_FILE || apdu.ins == INS_MANAGE_CHANNEL)
		card->elsewhere = true;
	r = exchange(card, &apdu, &answer);
	if (r < 0)
		return r;
	pack_bytes(response, answer.data);
	pack_be16(response, answer.sw);
	return pack_end(response);
}

void card_describe(const struct card *card, struct kf_card_info *info)
{
	memcpy(info->atr, card->atr.p, card->atr.n);
	info->atr_len = (uint32_t)card->atr.n;
	if (!card->driver)
		return;
	info->flags |= card->driver->flags;
	if (card->driver->describe)
		card->driver->describe(card, info);
}
