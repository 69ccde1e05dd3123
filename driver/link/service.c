/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/link/service.c - The loop: news of the broker and of the reader, one at a time. Requests
 * are in request.c, the comings and goings of a card in seat.c.
 */
#include "driver/link/service.h"

#include "base/secret.h"
#include "driver/link/request.h"

#include <poll.h>

#define DISPATCH_MS	5000u

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

void service_watch(struct service *s)
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
	for (unsigned int i = 0; i < reader->desc.n_slots; i++)
		seat_init(&s->seats[i], s, &reader->slots[i]);
	s->drivers = drivers;
	return 0;
}

void service_deinit(struct service *s)
{
	if (s->reader) {
		s->reader->pipe->wake = WAKE_NONE;
		for (unsigned int i = 0; i < s->reader->desc.n_slots; i++)
			seat_deinit(&s->seats[i]);
	}
	free(s->out);
	link_deinit(&s->link);
	*s = SERVICE_INIT;
}

static void take_changes(struct service *s)
{
	struct slot *slot;

	while ((slot = reader_take_change(s->reader)))
		s->seats[slot->index].moved = true;
}

uint32_t service_behind(struct service *s)
{
	uint32_t behind = 0;

	take_changes(s);
	for (unsigned int i = 0; i < s->reader->desc.n_slots; i++)
		if (seat_owes(&s->seats[i]))
			behind |= 1u << i;
	return behind;
}

static bool has_a_card(const struct service *s)
{
	bool any = false;

	for (unsigned int i = 0; i < s->reader->desc.n_slots; i++)
		any |= s->seats[i].holds != SEAT_EMPTY;
	return any;
}

/* The interrupt endpoint failed after the greeting: the broker knows when anybody is interested. */
static int tell_silent(struct service *s)
{
	struct packet packet = packet_event(KF_DRV_SILENT);

	if (s->told_silent || !reader_is_silent(s->reader))
		return 0;
	s->told_silent = true;
	s->reader->watch = false;
	return link_event(&s->link, &packet);
}

/* Before any card is powered: whether one may be hangs on whether another has left (seat.c). */
static int follow_the_departed(struct service *s)
{
	int r = 0;

	for (unsigned int i = 0; i < s->looked && r == 0; i++)
		if (seat_has_left(&s->seats[i]))
			r = seat_follow(&s->seats[i]);
	return r;
}

static bool has_looked(const struct service *s)
{
	return s->looked == s->reader->desc.n_slots;
}

/* Unlike later looks at a slot it tells of emptiness. */
static int first_look(struct service *s)
{
	int r = 0;

	for (; r == 0 && !has_looked(s) && !s->leave && !s->powered; s->looked++) {
		service_watch(s);
		r = slot_probe(&s->reader->slots[s->looked], deadline_in(DISPATCH_MS));
		if (r == -ENODEV)
			return r;
		take_changes(s);
		r = seat_first_look(&s->seats[s->looked]);
	}
	return r;
}

/* The first look at the next slot takes turns with what becomes of the cards before it. */
static int take_turn(struct service *s)
{
	if (s->turn < s->looked)
		return seat_follow(&s->seats[s->turn++]);
	s->turn = 0;
	return first_look(s);
}

/*
 * To power a card may take half a minute, and what was asked meanwhile is put off by that once
 * [protocol 6]: so it is one card a round, and then whoever has asked has his turn.
 */
static int follow_seats(struct service *s)
{
	int r = 0;

	for (unsigned int i = 0; i <= s->looked && r == 0 && !s->leave && !s->powered; i++)
		r = take_turn(s);
	if (!s->powered)
		s->turn = 0;
	return r;
}

static int dispatch(struct service *s)
{
	int r;

	s->powered = false;
	service_watch(s);
	r = reader_dispatch(s->reader, deadline_in(DISPATCH_MS));
	if (r == -ENODEV)
		return r;
	take_changes(s);
	r = tell_silent(s);
	if (r == 0)
		r = follow_the_departed(s);
	if (r == 0)
		r = follow_seats(s);
	s->leave |= s->spent && !has_a_card(s);
	return r;
}

static int serve(struct service *s)
{
	struct packet request, reply;
	int r;

	r = link_receive(&s->link, &request);
	if (r == -EAGAIN)
		return 0;
	if (r == -ECONNRESET || r == -EPROTO)
		return r;
	service_watch(s);
	request_serve(s, r, &request, &reply);
	r = link_reply(&s->link, &reply);
	wipe(s->out, s->out_n);
	return r;
}

/* The next round is due at once, behind a request that may have come. */
static int news_in_ms(struct service *s)
{
	if (!s->greeted)
		return -1;
	return s->powered ? 0 : reader_prepare_poll(s->reader);
}

static int wait_for_news(struct service *s, bool *reader_news)
{
	struct pollfd fds[] = {
		{ .fd = s->link.fd, .events = POLLIN },
		{ .fd = reader_fd(s->reader), .events = POLLIN },
	};
	int n = poll(fds, 2, news_in_ms(s));

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
	if (!reader_news || !s->greeted)
		return 0;
	return dispatch(s);
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
