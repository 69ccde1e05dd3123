/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/driver/link/fake_reader.h"

#include "tests/harness.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static const uint8_t device[] = {
	0x12, 0x01, 0x00, 0x02, 0x00, 0x00, 0x00, 0x40, 0x09, 0x12, 0x01, 0x00, 0x00, 0x01, 0x01,
	0x02, 0x03, 0x01,
};
static const uint8_t config[] = {
	0x09, 0x02, 0x5d, 0x00, 0x01, 0x01, 0x00, 0x80, 0x32, 0x09, 0x04, 0x00, 0x00, 0x03, 0x0b,
	0x00, 0x00, 0x00, 0x36, 0x21, 0x10, 0x01, 0x00, 0x07, 0x03, 0x00, 0x00, 0x00, 0xa0, 0x0f,
	0x00, 0x00, 0xa0, 0x0f, 0x00, 0x00, 0x00, 0x00, 0x2a, 0x00, 0x00, 0x00, 0x2a, 0x00, 0x00,
	0x00, 0xfe, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xba, 0x04,
	0x04, 0x00, 0x12, 0x00, 0x01, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01, 0x07, 0x05, 0x01,
	0x02, 0x40, 0x00, 0x00, 0x07, 0x05, 0x82, 0x02, 0x40, 0x00, 0x00, 0x07, 0x05, 0x83, 0x03,
	0x08, 0x00, 0x10,
};
static const uint8_t atr[] = {
	0x3b, 0xdf, 0x18, 0x00, 0x81, 0x31, 0xfe, 0x45, 0x80, 0x31, 0x81, 0x73, 0x80, 0x01, 0xc0,
	0x57, 'k', 'e', 'y', 'f', 'e', 'r', 'r', 0xed,
};
static const uint8_t select_answer[] = {
	0x6f, 0x0c, 0x84, 0x0a, 0xf0, 0x6b, 0x65, 0x79, 0x66, 0x65, 0x72, 0x72, 0x79, 0x01,
	0x90, 0x00,
};
static const uint8_t facts[] = {
	0xe1, 0x2d, 0x80, 1, 1, 0x81, 1, 'S', 0x82, 1, 2, 0x83, 1, 2, 0x84, 1, 4, 0x85, 1, 0x31,
	0x86, 1, 2, 0x87, 1, 1, 0x88, 1, 1, 0x89, 2, 0x10, 0, 0x8a, 2, 0x20, 0, 0x8b, 2, 0x20, 0,
	0x8c, 1, 8, 0x8d, 1, 4, 0x90, 0x00,
};
static const uint8_t empty_place[] = { 0xe3, 3, 0x80, 1, 0, 0x90, 0x00 };

static struct fake {
	struct pipe pipe;
	enum fake_card card[2];
	bool powered[2];
	bool unplugged, hang, garbage;
	unsigned int power_ons;
	uint8_t answer[256];
	size_t answer_n;
	uint8_t notice[2];
} fake;

unsigned int fake_power_ons(void)
{
	return fake.power_ons;
}

static uint8_t icc(uint8_t slot)
{
	return fake.card[slot] == FAKE_EMPTY ? 2 : fake.powered[slot] ? 0 : 1;
}

static void answer(uint8_t type, const uint8_t *command, uint8_t status, uint8_t error,
		   struct bytes data)
{
	struct packer p = pack_begin(fake.answer, sizeof(fake.answer));

	pack_u8(&p, type);
	pack_le32(&p, (uint32_t)data.n);
	pack_u8(&p, command[5]);
	pack_u8(&p, command[6]);
	pack_u8(&p, (uint8_t)(status << 6 | icc(command[5])));
	pack_u8(&p, error);
	pack_u8(&p, 0);
	pack_bytes(&p, data);
	fake.answer_n = p.n;
}

static void insert(uint8_t slot)
{
	fake.card[slot] = FAKE_OURS;
	fake.powered[slot] = false;
	fake.notice[0] = 0x50;
	fake.notice[1] = 0x0f;
}

static void pull(const uint8_t *command)
{
	fake.card[command[5]] = FAKE_EMPTY;
	fake.powered[command[5]] = false;
	answer(0x80, command, 1, 0xfe, BYTES_NONE);
}

static void apdu(const uint8_t *command, struct bytes c)
{
	uint8_t echo[] = { c.p[1], 0x90, 0x00 };
	uint8_t slot = command[5];
	struct bytes reply = BYTES_OF(echo);

	switch (c.p[1]) {
	case FAKE_HANG:
		fake.hang = true;
		return;
	case FAKE_GARBAGE:
		fake.garbage = true;
		return;
	case FAKE_MOVE:
		insert(!slot);
		pull(command);
		return;
	case FAKE_PULL:
		pull(command);
		return;
	case FAKE_INSERT:
	case FAKE_SWAP:
		insert(!slot);
		break;
	case FAKE_TURMOIL:
		insert(!slot);
		fake.garbage = true;
		return;
	case FAKE_UNPLUG:
		fake.unplugged = true;
		return;
	case FAKE_DEAF:
		fake.pipe.ep_interrupt = 0;
		break;
	case 0xa4:
		reply = fake.card[slot] == FAKE_OURS ? BYTES_OF(select_answer) : BYTES("\x6a\x82", 2);
		break;
	case 0xca:
		if (fake.card[slot] == FAKE_OURS && c.p[2] == 1)
			reply = c.p[3] == 0x00 ? BYTES_OF(facts) : BYTES_OF(empty_place);
		break;
	case 0x20:
		reply = BYTES("\x90\x00", 2);
		break;
	}
	answer(0x80, command, 0, 0, reply);
}

static int bulk_out(struct pipe *pipe, struct bytes t, struct deadline deadline)
{
	uint8_t slot = t.p[5];

	(void)pipe, (void)deadline;
	if (fake.unplugged)
		return -ENODEV;
	ASSERT_LT(slot, 2);
	fake.answer_n = 0;
	fake.hang = fake.garbage = false;
	switch (t.p[0]) {
	case 0x62:
		fake.power_ons++;
		fake.powered[slot] = fake.card[slot] >= FAKE_UNKNOWN;
		if (fake.powered[slot])
			answer(0x80, t.p, 0, 0, BYTES_OF(atr));
		else
			answer(0x80, t.p, 1, 0xfe, BYTES_NONE);
		break;
	case 0x63:
		fake.powered[slot] = false;
		answer(0x81, t.p, 0, 0, BYTES_NONE);
		break;
	case 0x6f:
		apdu(t.p, BYTES(t.p + 10, t.n - 10));
		break;
	case 0x61:
	case 0x6c:
		answer(0x82, t.p, 1, 0, BYTES_NONE);
		break;
	default:
		answer(0x81, t.p, 0, 0, BYTES_NONE);
		break;
	}
	return 0;
}

static int bulk_in(struct pipe *pipe, uint8_t *buf, size_t cap, struct deadline deadline, size_t *n)
{
	if (fake.unplugged)
		return -ENODEV;
	while (fake.answer_n == 0 && !fake.garbage) {
		struct pollfd fd = { .fd = pipe->wake.fd, .events = POLLIN };
		int r = poll(&fd, 1, deadline_poll_ms(deadline));

		if (r == 0)
			return -ETIMEDOUT;
		r = pipe->wake.ready(pipe->wake.arg);
		if (r < 0)
			return r;
	}
	if (fake.garbage) {
		fake.garbage = false;
		memset(buf, 0xee, 12);
		*n = 12;
		return 0;
	}
	ASSERT_LE(fake.answer_n, cap);
	memcpy(buf, fake.answer, fake.answer_n);
	*n = fake.answer_n;
	fake.answer_n = 0;
	return 0;
}

static int interrupt_in(struct pipe *pipe, uint8_t *buf, size_t cap, size_t *n)
{
	(void)cap;
	if (fake.unplugged)
		return -ENODEV;
	if (fake.notice[0] == 0 || pipe->ep_interrupt == 0)
		return -EAGAIN;
	memcpy(buf, fake.notice, sizeof(fake.notice));
	*n = sizeof(fake.notice);
	fake.notice[0] = 0;
	return 0;
}

static int control(struct pipe *pipe, const struct usb_setup *setup, struct bytes out, uint8_t *in,
		   size_t in_cap, struct deadline deadline, size_t *in_n)
{
	(void)pipe, (void)setup, (void)out, (void)in, (void)in_cap, (void)deadline, (void)in_n;
	return -EPIPE;
}

static int clear_halt(struct pipe *pipe, uint8_t endpoint, struct deadline deadline)
{
	(void)pipe, (void)endpoint, (void)deadline;
	return 0;
}

static void close_pipe(struct pipe *pipe)
{
	(void)close(pipe->fd);
}

static const struct pipe_ops ops = {
	.bulk_out = bulk_out, .bulk_in = bulk_in, .interrupt_in = interrupt_in, .control = control,
	.clear_halt = clear_halt, .close = close_pipe,
};

static int make(struct bytes config_of, enum fake_card first, enum fake_card second,
		struct reader **out)
{
	const char *why = "";

	fake = (struct fake){
		.pipe = { .ops = &ops, .fd = eventfd(0, EFD_CLOEXEC), .device = BYTES_OF(device),
			  .config = config_of, .wake = WAKE_NONE },
		.card = { first, second },
	};
	return reader_new(&fake.pipe, -1, deadline_in(5000), out, &why);
}

int fake_reader_new(enum fake_card card, struct reader **out)
{
	return make(BYTES_OF(config), card, FAKE_EMPTY, out);
}

struct reader *fake_reader(enum fake_card card)
{
	struct reader *reader = NULL;

	ASSERT_EQ(0, fake_reader_new(card, &reader));
	return reader;
}

static struct reader *two_slots(enum fake_card first, enum fake_card second, bool silent)
{
	static uint8_t two[sizeof(config)];
	struct reader *reader = NULL;
	size_t n = sizeof(two) - (silent ? 7 : 0);

	memcpy(two, config, sizeof(two));
	two[2] = (uint8_t)n;		/* wTotalLength */
	two[9 + 4] = silent ? 2 : 3;	/* bNumEndpoints */
	two[9 + 9 + 4] = 1;		/* bMaxSlotIndex */
	ASSERT_EQ(0, make(BYTES(two, n), first, second, &reader));
	return reader;
}

struct reader *fake_reader_of_two(enum fake_card first, enum fake_card second)
{
	return two_slots(first, second, false);
}

struct reader *fake_reader_silent(enum fake_card first, enum fake_card second)
{
	return two_slots(first, second, true);
}
