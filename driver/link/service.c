/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/link/service.c - The loop and the card's comings and goings; requests are in request.c.
 * Nothing is repeated here after a transport error: the card is powered again, which forgets
 * everything unfinished, and the broker is told that it was.
 */
#include "driver/link/service.h"

#include "base/secret.h"
#include "driver/link/request.h"

#include <poll.h>

#define POWER_UP_MS	30000u
#define DISPATCH_MS	5000u
#define POWER_OFF_MS	2000u

static int on_wake(void *arg)
{
	struct service *s = arg;
	int r = link_wake(&s->link);

	if (r == 1) {
		s->reader->pipe->wake.fd = -1;
		return 0;
	}
	return r;
}

/* Watches the link in the waits to come; a packet that had to wait switched that off. */
static void watch(struct service *s)
{
	s->reader->pipe->wake = (struct wake){ .fd = s->link.fd, .ready = on_wake, .arg = s };
}

int service_init(struct service *s, int link_fd, struct reader *reader,
		 const struct card_driver *const *drivers)
{
	int r;

	s->out = malloc(SERVICE_OUT_MAX);
	if (!s->out)
		return -ENOMEM;
	r = link_init(&s->link, link_fd);
	if (r < 0) {
		free(s->out);
		*s = SERVICE_INIT;
		return r;
	}
	s->reader = reader;
	s->slot = &reader->slots[0];
	s->drivers = drivers;
	return 0;
}

static void card_down(struct service *s)
{
	if (s->card)
		s->last_key = s->card->sessions.last_key;
	s->card = card_free(s->card);
	s->io = card_io_free(s->io);
}

void service_deinit(struct service *s)
{
	if (s->reader) {
		s->reader->pipe->wake = WAKE_NONE;
		if (s->card)		/* verified PINs and sessions end with us */
			(void)slot_power_off(s->slot, deadline_in(POWER_OFF_MS));
	}
	card_down(s);
	free(s->out);
	link_deinit(&s->link);
	*s = SERVICE_INIT;
}

int service_power_up(struct service *s, struct deadline deadline)
{
	_cleanup_(card_freep) struct card *card = NULL;
	const char *why = NULL;
	int r;

	card_down(s);
	r = card_io_new(s->slot, deadline, &s->io, &why);
	if (r < 0 && why && s->complain)
		s->complain(why, r);
	if (r < 0)
		return r;
	r = card_new(s->io, &card);
	if (r == 0) {
		card->trace = s->trace;
		card->sessions.last_key = s->last_key;
		card->deadline = deadline;
		r = card_identify(card, s->drivers);
	}
	if (r < 0) {
		card = card_free(card);
		s->io = card_io_free(s->io);
		return r;
	}
	s->card = take_ptr(card);
	return 0;
}

static int announce(struct service *s, enum kf_change change)
{
	struct packet packet = packet_event(KF_DRV_EVENT);
	struct kf_drv_event *event = packet_body(&packet);

	event->change = change;
	if (s->card && s->card->driver) {
		struct kf_card_info info = { 0 };

		packet_set_string(event->card, s->card->driver->name);
		event->flags = s->card->driver->flags;
		card_describe(s->card, &info);
		event->flags |= info.flags;
		event->serial_len = info.serial_len;
		memcpy(event->serial, info.serial, sizeof(event->serial));
	}
	if (s->card) {
		event->atr_len = (uint32_t)s->card->atr.n;
		memcpy(event->atr, s->card->atr.p, s->card->atr.n);
	}
	return link_event(&s->link, &packet);
}

static int removed(struct service *s)
{
	card_down(s);
	s->leave = true;
	return announce(s, KF_CHANGE_CARD_REMOVED);
}

/* Powers what is in the slot and tells what became of it; @change if it answers. */
static int bring_up(struct service *s, enum kf_change change)
{
	int r;

	watch(s);
	r = service_power_up(s, deadline_in(POWER_UP_MS));
	if (r == -ENODEV || r == -ECANCELED || r == -ENOMEM)
		return r;
	if (r == -ENOMEDIUM)
		return s->holds == SERVICE_EMPTY ? 0 : removed(s);
	if (r < 0 && s->complain)
		s->complain("the card in the slot cannot be used", r);
	s->holds = r == 0 ? SERVICE_CARD : SERVICE_MUTE;
	return announce(s, r == 0 ? change : KF_CHANGE_CARD_MUTE);
}

static bool take_change(struct service *s)
{
	struct slot *slot;
	bool ours = false;

	while ((slot = reader_take_change(s->reader)))
		ours |= slot == s->slot;
	return ours;
}

/* Compares the slot with what the broker was told. */
static int follow(struct service *s)
{
	bool changed = take_change(s);
	bool good = s->card && !s->card->lost && s->slot->state == SLOT_READY;

	if (s->holds == SERVICE_EMPTY)
		return slot_has_card(s->slot) ? bring_up(s, KF_CHANGE_CARD_INSERTED) : 0;
	if (!slot_has_card(s->slot) || changed)
		return removed(s);	/* changed, but not empty: it was swapped */
	if (s->holds == SERVICE_MUTE)
		return 0;
	return good ? 0 : bring_up(s, KF_CHANGE_CARD_RESET);
}

static int dispatch(struct service *s)
{
	int r;

	watch(s);
	r = reader_dispatch(s->reader, deadline_in(DISPATCH_MS));
	if (r == -ENODEV)
		return r;
	return follow(s);
}

/* The first look at the slot; unlike later ones it tells of emptiness, too. */
static int first_look(struct service *s)
{
	int r;

	watch(s);
	r = slot_probe(s->slot, deadline_in(DISPATCH_MS));
	if (r == -ENODEV)
		return r;
	(void)take_change(s);
	r = slot_has_card(s->slot) ? bring_up(s, KF_CHANGE_CARD_INSERTED) : 0;
	if (r == 0 && s->holds == SERVICE_EMPTY)
		r = announce(s, KF_CHANGE_CARD_REMOVED);
	return r;
}

static int serve(struct service *s)
{
	bool was_greeted = s->greeted;
	struct packet request, reply;
	int r;

	r = link_receive(&s->link, &request);
	if (r == -EAGAIN)
		return 0;
	if (r == -ECONNRESET || r == -EPROTO)
		return r;
	watch(s);
	request_serve(s, r, &request, &reply);
	r = link_reply(&s->link, &reply);
	wipe(s->out, s->out_n);
	if (r < 0)
		return r;
	return s->greeted && !was_greeted ? first_look(s) : 0;
}

static int wait_for_news(struct service *s, bool *reader_news)
{
	struct pollfd fds[] = {
		{ .fd = s->link.fd, .events = POLLIN },
		{ .fd = reader_fd(s->reader), .events = POLLIN },
	};
	int timeout_ms = s->greeted ? reader_timeout_ms(s->reader) : -1;
	int n = poll(fds, 2, timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	*reader_news = n == 0 || fds[1].revents != 0;
	return fds[0].revents != 0 ? 1 : 0;
}

static int step(struct service *s)
{
	bool reader_news = false;
	int r;

	r = wait_for_news(s, &reader_news);
	if (r < 0)
		return r;
	if (r > 0) {
		r = serve(s);
		if (r < 0)
			return r;
		reader_news = true;	/* an operation may have put interrupts aside */
	}
	return reader_news && s->greeted ? dispatch(s) : 0;
}

int service_run(struct service *s)
{
	int r = 0;

	while (r == 0 && !s->leave)
		r = step(s);
	if (s->link.broken)
		return -EPROTO;
	if (s->link.gone || r == -ECONNRESET || r == -ENODEV)
		return 0;
	return r;
}
