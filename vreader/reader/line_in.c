/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the host sends: packets [docs/vreader.md 2], and the control requests in them. */
#include "vreader/reader/line_own.h"

#include <sys/socket.h>

/* A command that would set a second slot to work while one is. */
static bool is_one_too_many(const struct line *line, const struct ccid_dev *dev, uint8_t type)
{
	return line->busy && line->busy != dev && type != CCID_GET_SLOT_STATUS &&
	       type != CCID_ABORT;
}

/* The bMaxCCIDBusySlots that we declare is 1. */
static enum ccid_dev_next on_bulk_for(struct line *line, struct ccid_dev *dev, struct bytes message)
{
	enum ccid_dev_next next = CCID_DEV_IDLE;

	if (is_one_too_many(line, dev, message.p[0]))
		ccid_dev_refuse(dev, message);
	else
		next = ccid_dev_bulk(dev, message);
	if (next == CCID_DEV_RUN)
		line->busy = dev;
	return next;
}

static enum ccid_dev_next on_bulk(struct line *line, struct bytes message)
{
	uint8_t type = message.n != 0 ? message.p[0] : 0;
	struct ccid_dev *dev = message.n > 5 ? line_dev(line, message.p[5]) : NULL;

	if (line->halted_out)
		return CCID_DEV_IDLE;	/* a halted endpoint carries nothing out */
	if (dev && dev != &line->dev)
		return on_bulk_for(line, dev, message);
	if (type == CCID_XFR_BLOCK && misbehave(line, MISBEHAVE_COMMAND, message))
		return CCID_DEV_IDLE;
	if (type == CCID_ABORT && misbehave(line, MISBEHAVE_ABORT, message))
		return CCID_DEV_IDLE;
	line->last_type = type;
	return message.n == 0 ? ccid_dev_bulk(&line->dev, message) :
				on_bulk_for(line, &line->dev, message);
}

static int answer_string(struct line *line, uint8_t index, uint16_t wanted, struct packer *p)
{
	struct packer whole = pack_begin(line->packet, LINE_PACKET_MAX);

	if (shape_pack_string(line->dev.shape, index, &whole) < 0)
		return -ENOENT;
	pack_bytes(p, bytes_slice(pack_done(&whole), 0, wanted));
	return 0;
}

/* [CCID 5.3.3]: a reader without a list stalls. */
static int answer_rates(struct line *line, uint16_t wanted, struct packer *p)
{
	uint8_t buf[64];
	struct packer whole = pack_begin(buf, sizeof(buf));

	shape_pack_rates(line->dev.shape, &whole);
	pack_bytes(p, bytes_slice(pack_done(&whole), 0, wanted));
	return whole.n != 0 ? 0 : -ENOENT;
}

/* [USB 2.0 9.3], [CCID 5.3]. Whatever is not known here stalls, as it would on a device. */
static int on_control(struct line *line, struct bytes body, struct packer *answer)
{
	struct unpacker u = unpack_begin(body);
	uint8_t request_type = unpack_u8(&u);
	uint8_t request = unpack_u8(&u);
	uint16_t value = unpack_le16(&u);
	uint16_t index = unpack_le16(&u);
	uint16_t len = unpack_le16(&u);

	if (unpack_end(&u) < 0)
		return -EINVAL;			/* no request of ours has data going out */
	if (request_type == 0x80 && request == 0x06 && value >> 8 == 0x03)
		return answer_string(line, (uint8_t)value, len, answer);
	if (request_type == 0xa1 && request == 0x03 && index == 0)
		return answer_rates(line, len, answer);
	if (request_type == 0x21 && request == 0x01 && index == 0 && len == 0) {
		struct ccid_dev *dev = line_dev(line, (uint8_t)value);

		if (!dev || (dev == &line->dev && misbehave(line, MISBEHAVE_ABORT, BYTES_NONE)))
			return -EINVAL;
		return ccid_dev_abort(dev, (uint8_t)value, (uint8_t)(value >> 8));
	}
	return -EINVAL;
}

static int answer_control(struct line *line, struct bytes body)
{
	uint8_t buf[256];
	struct packer answer = pack_begin(buf, sizeof(buf));

	if (body.n < 8)
		return -EPROTO;
	pack_u8(&answer, 0x00);
	if (on_control(line, body, &answer) < 0) {
		answer = pack_begin(buf, sizeof(buf));
		pack_u8(&answer, 0x01);		/* stall */
	}
	line_send(line, LINE_CONTROL, pack_done(&answer));
	return 0;
}

static int on_endpoint(struct line *line, struct bytes body)
{
	if (body.n != 2 || body.p[1] != 0x02)	/* clear-halt is all a host can say */
		return -EPROTO;
	if (body.p[0] == SHAPE_EP_IN)
		line->halted_in = false;
	else if (body.p[0] == SHAPE_EP_OUT)
		line->halted_out = false;
	return 0;
}

static int on_packet(struct line *line, struct bytes packet, enum ccid_dev_next *next)
{
	struct unpacker u = unpack_begin(packet);
	uint8_t kind = unpack_u8(&u);
	struct bytes body = unpack_rest(&u);

	switch (kind) {
	case LINE_BULK:
		*next = on_bulk(line, body);
		return 0;
	case LINE_CONTROL:
		return answer_control(line, body);
	case LINE_ENDPOINT:
		return on_endpoint(line, body);
	default:
		return -EPROTO;
	}
}

int line_take_packet(struct line *line, enum ccid_dev_next *next)
{
	struct iovec iov = { line->packet, LINE_PACKET_MAX };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n = recvmsg(line->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		line->over = true;
		return 0;
	}
	if (msg.msg_flags & MSG_TRUNC)
		r = -EPROTO;
	else
		r = on_packet(line, BYTES(line->packet, n), next);
	wipe(line->packet, (size_t)n);		/* it may have carried a PIN */
	if (r < 0)
		line->over = true;
	return r;
}
