/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What goes wrong beside the answers: endpoints, packets of the connection, interrupts, aborts.
 */
#include "vreader/reader/misbehave_own.h"

#include "vreader/reader/spoil.h"

#include <sys/socket.h>

static bool stall(struct line *line, struct bytes message)
{
	(void)message;
	line_halt(line, SHAPE_EP_IN);
	return true;
}

static bool stall_out(struct line *line, struct bytes message)
{
	(void)message;
	line_halt(line, SHAPE_EP_OUT);
	return true;
}

static bool nak(struct line *line, struct bytes message)
{
	(void)message;
	line->deaf = true;
	return true;
}

static bool unknown_kind(struct line *line, struct bytes message)
{
	line_send(line, (enum line_kind)0x7f, message);
	return true;
}

static bool empty_packet(struct line *line, struct bytes message)
{
	(void)message;
	(void)send(line->fd, "", 0, MSG_NOSIGNAL);
	return true;
}

static bool second_descriptors(struct line *line, struct bytes message)
{
	uint8_t buf[256];
	struct packer p = pack_begin(buf, sizeof(buf));

	(void)message;
	shape_pack_descriptors(line->dev.shape, &p);
	line_send(line, LINE_DESCRIPTORS, pack_done(&p));
	return false;
}

static bool bad_descriptors(struct line *line, struct bytes message)
{
	uint8_t buf[256];
	struct packer p = pack_begin(buf, sizeof(buf));

	(void)message;
	shape_pack_descriptors(line->dev.shape, &p);
	buf[36] = 0;			/* bLength of the class descriptor: a loop that trusts it hangs */
	line_send(line, LINE_DESCRIPTORS, pack_done(&p));
	return true;
}

static bool interrupt_flood(struct line *line, struct bytes message)
{
	(void)message;
	for (int i = 0; i < 1000; i++)
		line_send(line, LINE_INTERRUPT, BYTES("\x50\x03", 2));
	return false;
}

static bool interrupt_garbage(struct line *line, struct bytes message)
{
	(void)message;
	line_send(line, LINE_INTERRUPT, BYTES_NONE);
	line_send(line, LINE_INTERRUPT, BYTES("\x50", 1));
	line_send(line, LINE_INTERRUPT, BYTES("\x50\xff\xff\xff", 4));
	line_send(line, LINE_INTERRUPT, BYTES("\x51", 1));
	line_send(line, LINE_INTERRUPT, BYTES("\x77\x00\x00", 3));
	return false;
}


static bool abort_stall(struct line *line, struct bytes message)
{
	(void)line;
	return message.n == 0;		/* stalls the control request; the bulk one goes on alone */
}

static bool abort_ignore(struct line *line, struct bytes message)
{
	(void)line;
	return message.n != 0;
}

const struct misbehaviour misbehave_pipes[] = {
	{ "stall", MISBEHAVE_REPLY, ONCE, 1, stall, "the IN endpoint halts instead of the answer" },
	{ "stall-out", MISBEHAVE_COMMAND, ONCE, 1, stall_out,
	  "the OUT endpoint halts; the command is not carried out" },
	{ "nak", MISBEHAVE_COMMAND, ONCE, 1, nak, "stops reading, for ever" },
	{ "unknown-kind", MISBEHAVE_REPLY, ONCE, 1, unknown_kind, "a packet of kind 7f" },
	{ "empty-packet", MISBEHAVE_REPLY, ONCE, 1, empty_packet, "a packet without a kind" },
	{ "second-descriptors", MISBEHAVE_REPLY, ONCE, 1, second_descriptors,
	  "descriptors again, in mid-session" },
	{ "no-descriptors", MISBEHAVE_CONNECT, FROM_ON, 1, spoil_withhold,
	  "says nothing when connected" },
	{ "bad-descriptors", MISBEHAVE_CONNECT, FROM_ON, 1, bad_descriptors,
	  "the class descriptor has length 0" },
	{ "interrupt-flood", MISBEHAVE_COMMAND, FROM_ON, 1, interrupt_flood,
	  "1000 slot changes before each command" },
	{ "interrupt-garbage", MISBEHAVE_COMMAND, FROM_ON, 1, interrupt_garbage,
	  "five malformed interrupt messages" },
	{ "abort-stall", MISBEHAVE_ABORT, FROM_ON, 1, abort_stall, "stalls the ABORT request" },
	{ "abort-ignore", MISBEHAVE_ABORT, FROM_ON, 1, abort_ignore, "does not see bulk Abort" },
	{ 0 }
};
