/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/iso7816/card_io.c - Start-up and life of a card_io, and the guard in front of the link.
 * How an APDU travels is in link.c, what a command with its chaining is in transceive.c.
 */
#include "driver/iso7816/card_io.h"

#include "driver/iso7816/link.h"
#include "driver/iso7816/pps.h"
#include "driver/iso7816/start.h"

#include "base/cleanup.h"
#include "base/secret.h"

#include <errno.h>
#include <stdlib.h>

DEFINE_CLEANUP(struct card_io *, card_io_free);

static int fail(const char **why, int r, const char *sentence)
{
	*why = sentence;
	return r;
}

static const struct ccid_desc *desc_of(const struct card_io *io)
{
	return io->slot->x->desc;
}

/* --- start --- */

/* [7816-3 PPS], in an XfrBlock like any other block. */
static int negotiate(struct card_io *io, const struct start_plan *plan, struct deadline deadline)
{
	uint8_t request[PPS_MAX];
	struct packer p = pack_begin(request, sizeof(request));
	struct ccid_reply reply;
	int r;

	pps_pack(&p, plan->protocol, plan->fidi);
	r = slot_block(io->slot, 0, 0, pack_done(&p), limits.answer_min_ms, deadline, &reply);
	if (r < 0)
		return r;
	if (reply.outcome == CCID_FAILED)
		return -EIO;
	return pps_parse(reply.data, plan->protocol, plan->fidi, &io->fidi);
}

/* What the reader refuses to be told it keeps as it is; libccid has lived with that for years. */
static int configure(struct card_io *io, const struct start_plan *plan, struct deadline deadline)
{
	struct ccid_parameters parameters = start_parameters(plan, &io->atr, io->fidi);
	int r;

	if (!plan->set_parameters)
		return 0;
	r = slot_set_parameters(io->slot, &parameters, deadline);
	if (r == 0 && plan->set_rate && io->fidi != FIDI_DEFAULT) {
		uint32_t clock = desc_of(io)->clock_khz;

		r = slot_set_rate(io->slot, clock, iso_rate(io->fidi, clock), deadline);
		/* It took the parameters, and most readers draw the rate from them. */
		return r == -EOPNOTSUPP ? 0 : r;
	}
	if (r != -EOPNOTSUPP)
		return r;
	/* A speed that the reader does not take must not be left with the card alone. */
	return plan->pps && io->fidi != FIDI_DEFAULT ? -EIO : 0;
}

static int speak(struct card_io *io, const struct start_plan *plan, struct deadline deadline)
{
	io->protocol = plan->protocol;
	if (desc_of(io)->level != CCID_LEVEL_TPDU || plan->protocol == 0)
		return 0;
	t1_init(&io->t1, io->atr.ifsc, io->atr.crc, plan->ifsd);
	if (plan->reader_ifs)
		t1_assume_ifs(&io->t1);
	return t1_wants_ifs(&io->t1) ? link_negotiate_ifs(io, deadline) : 0;
}

/* From the ATR to a card that is ready. Return: 0, -EAGAIN try again carefully, or an error. */
static int start(struct card_io *io, bool careful, struct deadline deadline, const char **why)
{
	struct start_plan plan;
	int r = slot_power_on(io->slot, deadline);

	if (r < 0)
		return fail(why, r, r == -EIO ? "the card gives no answer to reset" : NULL);
	if (atr_parse(slot_atr(io->slot), &io->atr) < 0) {
		slot_reject(io->slot, deadline);
		return fail(why, -EBADMSG, "the card's answer to reset is malformed");
	}
	if (start_plan_make(desc_of(io), &io->atr, careful, &plan) < 0) {
		slot_reject(io->slot, deadline);
		return fail(why, -EOPNOTSUPP, "the card's transmission protocol is not supported "
			    "with this reader");
	}
	io->fidi = plan.pps ? FIDI_DEFAULT : plan.fidi;
	r = plan.pps ? negotiate(io, &plan, deadline) : 0;
	if (r == 0)
		r = configure(io, &plan, deadline);
	if (r == 0)
		r = speak(io, &plan, deadline);
	if (r == 0) {
		slot_accept(io->slot);
		return 0;
	}
	slot_fault(io->slot);
	/* What was negotiated was too much for one of the two [7816-3 PPS]. */
	if ((r == -EIO || r == -EBADMSG || r == -ETIMEDOUT) && !careful &&
	    (plan.fidi != FIDI_DEFAULT || plan.protocol != io->atr.first))
		return -EAGAIN;
	return fail(why, r, "the card answers to reset but not to what follows");
}

static void describe(struct card_io *io)
{
	io->link_extended = link_max_command(io) > 261;
	io->max_command = link_max_command(io);
	/* A card that does not speak about itself gets the benefit of the doubt. */
	io->chaining = !io->atr.has_capabilities || io->atr.chaining;
	/* At T=0 a chain is as good as an ENVELOPE, and better known to cards. */
	io->extended = io->link_extended && io->atr.extended &&
		       !(link_is_t0(io) && io->chaining);
	io->generation = io->slot->generation;
}

int card_io_reset(struct card_io *io, struct deadline deadline, const char **why)
{
	int r;

	*why = NULL;
	if (!io->slot)
		return -EOPNOTSUPP;
	t1_deinit(&io->t1);
	r = start(io, false, deadline, why);
	if (r == -EAGAIN)
		r = start(io, true, deadline, why);
	if (r < 0)
		return r;
	describe(io);
	return 0;
}

/* --- life --- */

int card_io_new_with(const struct card_io_ops *ops, struct card_io **out)
{
	_cleanup_(card_io_freep) struct card_io *io = calloc(1, sizeof(*io));

	if (!io)
		return -ENOMEM;
	io->command = malloc(APDU_COMMAND_MAX);
	io->response = malloc(APDU_RESPONSE_MAX);
	if (!io->command || !io->response)
		return -ENOMEM;
	io->ops = ops;
	io->protocol = 1;
	io->extended = io->link_extended = io->chaining = true;
	io->max_command = APDU_COMMAND_MAX;
	*out = take_ptr(io);
	return 0;
}

int card_io_new(struct slot *slot, struct deadline deadline, struct card_io **out,
		const char **why)
{
	_cleanup_(card_io_freep) struct card_io *io = NULL;
	int r;

	*why = NULL;
	r = card_io_new_with(link_ops(slot->x->desc), &io);
	if (r < 0)
		return r;
	io->slot = slot;
	r = card_io_reset(io, deadline, why);
	if (r < 0)
		return r;
	*out = take_ptr(io);
	return 0;
}

struct card_io *card_io_free(struct card_io *io)
{
	if (!io)
		return NULL;
	if (io->command)
		wipe(io->command, io->command_used);
	if (io->response)
		wipe(io->response, io->response_used);
	t1_deinit(&io->t1);
	free(io->command);
	free(io->response);
	free(io);
	return NULL;
}

bool card_io_is_current(const struct card_io *io)
{
	return !io->slot || (io->slot->state == SLOT_READY &&
			     io->slot->generation == io->generation);
}

void card_io_allow_extended(struct card_io *io)
{
	io->extended = io->link_extended;
}

void card_io_wipe(struct card_io *io)
{
	wipe(io->response, io->response_used);
	io->response_used = 0;
}

/* --- one APDU --- */

static int check_current(const struct card_io *io)
{
	if (card_io_is_current(io))
		return 0;
	return slot_has_card(io->slot) ? -ESTALE : -ENOMEDIUM;
}

int card_transmit(struct card_io *io, struct bytes command, uint8_t *response, size_t cap,
		  size_t *n, struct deadline deadline)
{
	struct apdu apdu;
	bool extended;
	size_t got = 0;
	int r;

	io->ran = false;
	if (apdu_parse(command, &apdu, &extended) < 0)
		return -EINVAL;
	if (!apdu_is_legal(&apdu, io->protocol == 0) || command.n > io->max_command ||
	    (extended && !io->link_extended))
		return -EOPNOTSUPP;
	r = check_current(io);
	if (r == 0)
		r = io->ops->transmit(io, command, response, cap, &got, deadline);
	if (r < 0)
		return r;
	if (got < 2)
		return -EBADMSG;	/* no status word: the link refuses that already */
	*n = got;
	return 0;
}
