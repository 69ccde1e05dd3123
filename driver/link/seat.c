/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/link/seat.c - Nothing is repeated here after a transport error: the card is powered again,
 * which forgets everything unfinished, and the broker is told that it was.
 *
 * A card's exploit must not meet the next card (SECURITY section 7). So once a card has left, no
 * seat of this process powers another: where one comes, the process ends and a fresh one sees it.
 */
#include "driver/link/seat.h"

#include "driver/link/service.h"

#define POWER_UP_MS	30000u
#define POWER_OFF_MS	2000u
#define SETTLE_MS	10000u	/* a reader that has to be brought back into step, on top of that */
#define KEYS_OF_A_SEAT	(1ull << 48)

void seat_init(struct seat *seat, struct service *service, struct slot *slot)
{
	*seat = (struct seat){
		.service = service, .slot = slot, .last_key = slot->index * KEYS_OF_A_SEAT,
	};
}

static void card_down(struct seat *seat)
{
	if (seat->card)
		seat->last_key = seat->card->sessions.last_key;
	seat->card = card_free(seat->card);
	seat->io = card_io_free(seat->io);
}

void seat_deinit(struct seat *seat)
{
	if (seat->card)
		(void)slot_power_off(seat->slot, deadline_in(POWER_OFF_MS));
	card_down(seat);
}

static void complain(const struct seat *seat, const char *what, int error)
{
	if (seat->service->complain)
		seat->service->complain(what, error);
}

int seat_power_up(struct seat *seat, struct deadline deadline)
{
	_cleanup_(card_freep) struct card *card = NULL;
	const char *why = NULL;
	int r;

	card_down(seat);
	r = card_io_new(seat->slot, deadline, &seat->io, &why);
	if (r < 0 && why)
		complain(seat, why, r);
	if (r < 0)
		return r;
	r = card_new(seat->io, &card);
	if (r == 0) {
		card->trace = seat->service->trace;
		card->sessions.last_key = seat->last_key;
		card->deadline = deadline;
		r = card_identify(card, seat->service->drivers);
	}
	if (r < 0) {
		card = card_free(card);
		seat->io = card_io_free(seat->io);
		return r;
	}
	seat->card = take_ptr(card);
	return 0;
}

static int announce(struct seat *seat, enum kf_change change)
{
	struct packet packet = packet_event(KF_DRV_EVENT);
	struct kf_drv_event *event = packet_body(&packet);

	seat->owes = false;
	event->slot = seat->slot->index;
	event->change = change;
	if (seat->card && seat->card->driver) {
		struct kf_card_info info = { 0 };

		packet_set_string(event->card, seat->card->driver->name);
		event->flags = seat->card->driver->flags;
		card_describe(seat->card, &info);
		event->flags |= info.flags;
		event->serial_len = info.serial_len;
		memcpy(event->serial, info.serial, sizeof(event->serial));
	}
	if (seat->card) {
		event->atr_len = (uint32_t)seat->card->atr.n;
		memcpy(event->atr, seat->card->atr.p, seat->card->atr.n);
	}
	return link_event(&seat->service->link, &packet);
}

static int removed(struct seat *seat)
{
	card_down(seat);
	seat->holds = SEAT_EMPTY;
	seat->service->spent = true;
	return announce(seat, KF_CHANGE_CARD_REMOVED);
}

/* With a single slot there is nothing that somebody could want from us in the meantime. */
static int tell_powering(const struct seat *seat, uint32_t ms)
{
	struct packet packet = packet_event(KF_DRV_POWERING);
	struct kf_drv_powering *powering = packet_body(&packet);

	if (seat->service->reader->desc.n_slots == 1)
		return 0;
	powering->slot = seat->slot->index;
	powering->ms = ms;
	return link_event(&seat->service->link, &packet);
}

/* Powers what is in the slot and tells what became of it; @change if it answers. */
static int bring_up(struct seat *seat, enum kf_change change)
{
	int r, told;

	if (seat->holds == SEAT_EMPTY && seat->service->spent) {
		seat->service->leave = true;
		return 0;
	}
	r = tell_powering(seat, POWER_UP_MS + SETTLE_MS);
	if (r < 0)
		return r;
	seat->service->powered = true;
	service_watch(seat->service);
	r = seat_power_up(seat, deadline_in(POWER_UP_MS));
	if (r == -ENODEV || r == -ECANCELED || r == -ENOMEM)
		return r;
	told = tell_powering(seat, 0);
	if (told < 0)
		return told;
	if (r == -ENOMEDIUM)
		return seat->holds == SEAT_EMPTY ? 0 : removed(seat);
	if (r < 0)
		complain(seat, "the card in the slot cannot be used", r);
	seat->holds = r == 0 ? SEAT_CARD : SEAT_MUTE;
	return announce(seat, r == 0 ? change : KF_CHANGE_CARD_MUTE);
}

static bool is_good(const struct seat *seat)
{
	return seat->card && !seat->card->lost && seat->slot->state == SLOT_READY;
}

bool seat_has_left(const struct seat *seat)
{
	/* moved, but not empty: swapped */
	return seat->holds != SEAT_EMPTY && (!slot_has_card(seat->slot) || seat->moved);
}

bool seat_owes(struct seat *seat)
{
	if (seat->holds == SEAT_EMPTY)
		seat->owes |= slot_has_card(seat->slot);
	else
		seat->owes |= seat_has_left(seat) || (seat->holds == SEAT_CARD && !is_good(seat));
	return seat->owes;
}

static int follow(struct seat *seat)
{
	int r;

	if (seat->holds == SEAT_EMPTY)
		return slot_has_card(seat->slot) ? bring_up(seat, KF_CHANGE_CARD_INSERTED) : 0;
	if (seat_has_left(seat)) {
		r = removed(seat);
		seat->service->leave |= slot_has_card(seat->slot);
		return r;
	}
	if (seat->holds == SEAT_MUTE || is_good(seat))
		return 0;
	return bring_up(seat, KF_CHANGE_CARD_RESET);
}

int seat_follow(struct seat *seat)
{
	int r = follow(seat);

	seat->moved = false;
	if (r == 0 && seat->owes && seat->holds == SEAT_EMPTY && !seat->service->leave)
		r = announce(seat, KF_CHANGE_CARD_REMOVED);	/* it came and went meanwhile */
	return r;
}

int seat_first_look(struct seat *seat)
{
	int r = slot_has_card(seat->slot) ? bring_up(seat, KF_CHANGE_CARD_INSERTED) : 0;

	seat->moved = false;
	if (r == 0 && seat->holds == SEAT_EMPTY && !seat->service->leave)
		r = announce(seat, KF_CHANGE_CARD_REMOVED);
	return r;
}
