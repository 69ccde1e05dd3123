/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/ccid/reader.c - Interrupts are hints. They only set bits in wanted; GetSlotStatus decides,
 * at most once per limits.notice_gap_ms, so a reader that floods us with notices costs 20
 * questions a second and not one more.
 */
#include "driver/ccid/reader.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define START_PROBE_MS	3000
#define NOTICES_MAX	64	/* handled per dispatch; the descriptor stays readable for the rest */
#define LANGUAGE	0x0409

static uint32_t all_slots(const struct reader *reader)
{
	return (uint32_t)((1ull << reader->desc.n_slots) - 1);
}

bool reader_is_silent(const struct reader *reader)
{
	return reader->pipe->ep_interrupt == 0 || quirk_has(reader->desc.quirks, QUIRK_POLL);
}

/* --- names --- */

/*
 * Device text ends up in terminals, logs and JSON: everything that is not a printable ASCII
 * character becomes '?', a slash '-', and the quotes that would need escaping "'".
 */
static char harmless(uint16_t unit)
{
	if (unit == '/' || unit == '\\')
		return '-';
	if (unit == '"')
		return '\'';
	return unit >= 0x20 && unit < 0x7f ? (char)unit : '?';
}

/* [USB 2.0, 9.6.7]: bLength, type 3, UTF-16 in little endian. */
static void take_string(struct bytes string, char *out, size_t cap)
{
	struct unpacker u = unpack_begin(string);
	size_t len = unpack_u8(&u);
	size_t n = 0;

	if (unpack_u8(&u) != 0x03 || len < 2 || len > string.n)
		return;
	for (len -= 2; len >= 2 && n + 1 < cap; len -= 2)
		out[n++] = harmless(unpack_le16(&u));
	while (n > 0 && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
}

static void read_string(struct reader *reader, uint8_t index, struct deadline deadline,
			char *out, size_t cap)
{
	struct usb_setup setup = {
		.type = 0x80, .request = 0x06, .value = (uint16_t)(0x0300 | index),
		.index = LANGUAGE, .length = 255,
	};
	uint8_t buf[255];
	size_t n = 0;

	out[0] = '\0';
	if (index == 0)
		return;
	if (pipe_control(reader->pipe, &setup, BYTES_NONE, buf, sizeof(buf),
			 deadline_sooner(deadline, deadline_in(limits.control_ms)), &n) == 0)
		take_string(BYTES(buf, n), out, cap);
}

static void read_names(struct reader *reader, struct deadline deadline)
{
	char maker[READER_NAME_MAX / 2], product[READER_NAME_MAX / 2];

	read_string(reader, reader->desc.maker_string, deadline, maker, sizeof(maker));
	read_string(reader, reader->desc.product_string, deadline, product, sizeof(product));
	read_string(reader, reader->desc.serial_string, deadline, reader->serial,
		    sizeof(reader->serial));
	if (maker[0] != '\0' || product[0] != '\0')
		(void)snprintf(reader->name, sizeof(reader->name), "%s%s%s", maker,
			       maker[0] != '\0' && product[0] != '\0' ? " " : "", product);
	else
		(void)snprintf(reader->name, sizeof(reader->name), "CCID reader %04x:%04x",
			       reader->desc.vendor, reader->desc.product);
}

/* --- life --- */

struct reader *reader_free(struct reader *reader)
{
	if (!reader)
		return NULL;
	exchange_deinit(&reader->exchange);
	reader->pipe = pipe_close(reader->pipe);
	free(reader);
	return NULL;
}

DEFINE_CLEANUP(struct reader *, reader_free);

/* The first question a reader is asked; one that was left mid-transfer may need it repeated. */
static int probe_all(struct reader *reader, struct deadline deadline)
{
	for (unsigned int i = 0; i < reader->desc.n_slots; i++) {
		int r = slot_probe(&reader->slots[i],
				   deadline_sooner(deadline, deadline_in(START_PROBE_MS)));

		if (r == -ENODEV)
			return r;
		if (r < 0)
			reader->wanted |= 1u << i;
	}
	reader->probed_at = clock_ms();
	return 0;
}

static int take_pipe(struct reader *reader, const char **why)
{
	struct pipe *pipe = reader->pipe;
	const struct ccid_desc *desc = &reader->desc;
	int r;

	pipe->interface = desc->interface;
	pipe->ep_out = desc->ep_out;
	pipe->ep_in = desc->ep_in;
	pipe->ep_interrupt = desc->ep_interrupt;
	pipe->in_packet = desc->in_packet;
	pipe->interrupt_packet = desc->interrupt_packet;
	pipe->notice_len = 1 + (desc->n_slots + 3u) / 4;	/* [CCID NotifySlotChange] */
	pipe->no_zero_packet = quirk_has(desc->quirks, QUIRK_NO_ZERO_PACKET);
	r = pipe_claim(pipe);
	*why = r == -EBUSY ? "another program has claimed it" : "its interface cannot be claimed";
	return r;
}

int reader_new(struct pipe *pipe, int interface, struct deadline deadline, struct reader **out,
	       const char **why)
{
	_cleanup_(reader_freep) struct reader *reader = calloc(1, sizeof(*reader));
	int r;

	*why = "out of memory";
	if (!reader) {
		(void)pipe_close(pipe);
		return -ENOMEM;
	}
	reader->pipe = pipe;
	reader->watch = true;
	r = ccid_desc_parse(pipe->device, pipe->config, interface, NULL, &reader->desc, why);
	if (r < 0)
		return r;
	r = take_pipe(reader, why);
	if (r < 0)
		return r;
	*why = "out of memory";
	r = exchange_init(&reader->exchange, pipe, &reader->desc);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < reader->desc.n_slots; i++)
		slot_init(&reader->slots[i], &reader->exchange, (uint8_t)i);
	*why = "it does not answer GetSlotStatus";
	exchange_drain(&reader->exchange);
	r = probe_all(reader, deadline);
	if (r < 0)
		return r;
	read_names(reader, deadline);
	/* Only who drives the card itself has a use for them. */
	if (reader->desc.level == CCID_LEVEL_TPDU &&
	    !ccid_desc_has(&reader->desc, CCID_AUTO_NEGOTIATION))
		rates_read(pipe, reader->desc.interface, reader->desc.n_rates, deadline,
			   &reader->desc.rates);
	*why = NULL;
	*out = take_ptr(reader);
	return 0;
}

/* --- presence --- */

static void take_notices(struct reader *reader, struct bytes messages)
{
	struct unpacker u = unpack_begin(messages);
	struct ccid_notice notice;

	while (ccid_notice_next(&u, reader->desc.n_slots, &notice) > 0)
		if (notice.type == CCID_NOTICE_SLOTS)
			reader->wanted |= notice.changed;
}

static int read_interrupts(struct reader *reader)
{
	uint8_t buf[64];

	for (unsigned int i = 0; i < NOTICES_MAX; i++) {
		size_t n = 0;
		int r = pipe_interrupt_in(reader->pipe, buf, sizeof(buf), &n);

		if (r == -EAGAIN)
			return 0;
		if (r == -EOVERFLOW)
			reader->wanted = all_slots(reader);
		else if (r < 0)
			return r;
		else
			take_notices(reader, BYTES(buf, n));
	}
	return 0;
}

static uint64_t next_probe(const struct reader *reader)
{
	if (reader->exchange.lost)
		return 0;
	if (reader->wanted != 0)
		return reader->probed_at + limits.notice_gap_ms;
	return reader->watch && reader_is_silent(reader) ? reader->probed_at + limits.poll_ms :
	       UINT64_MAX;
}

/*
 * A notice that came while we waited for an answer was taken from the descriptor then, which has
 * nothing more to say of it; and until it is read, the transport may ask for no other.
 */
int reader_prepare_poll(struct reader *reader)
{
	if (read_interrupts(reader) == -ENODEV)
		return 0;
	return deadline_poll_ms((struct deadline){ next_probe(reader) });
}

static int probe_wanted(struct reader *reader, struct deadline deadline)
{
	uint32_t wanted = reader->wanted != 0 ? reader->wanted : all_slots(reader);

	reader->wanted = 0;
	for (unsigned int i = 0; i < reader->desc.n_slots; i++) {
		int r;

		if (!(wanted & 1u << i))
			continue;
		r = slot_probe(&reader->slots[i], deadline);
		if (r == -ENODEV)
			return r;
		if (r < 0)
			reader->wanted |= 1u << i;
	}
	reader->probed_at = clock_ms();
	return 0;
}

int reader_dispatch(struct reader *reader, struct deadline deadline)
{
	int r = read_interrupts(reader);

	if (r < 0)
		return r;
	if (reader->exchange.lost) {
		r = exchange_settle(&reader->exchange, deadline_sooner(deadline,
				    deadline_in(limits.settle_ms)));
		if (r == -ENODEV)
			return r;
	}
	if (reader->exchange.dead)
		return -ENODEV;
	for (unsigned int i = 0; i < reader->desc.n_slots; i++)
		if (slot_check_power(&reader->slots[i]))
			reader->wanted |= 1u << i;
	if (deadline_passed((struct deadline){ next_probe(reader) }))
		return probe_wanted(reader, deadline);
	return 0;
}

int reader_watch(struct reader *reader, bool on, struct deadline deadline)
{
	reader->watch = on;
	if (!on)
		return 0;
	reader->wanted = all_slots(reader);
	return reader_dispatch(reader, deadline);
}

struct slot *reader_take_change(struct reader *reader)
{
	for (unsigned int i = 0; i < reader->desc.n_slots; i++)
		if (slot_take_change(&reader->slots[i]))
			return &reader->slots[i];
	return NULL;
}
