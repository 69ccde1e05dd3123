/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A driver that was taken over. The input is a list of records, u8 how, u8 which, le16 length,
 * bytes: a frame as it stands, an event, or the body of a reply to what the driver was asked.
 */
#include "tests/fuzz/broker_rig.h"

enum { AS_IS = 1, EVENT = 2, FAILED = 4, NOT_NOW = 8 };

static void send_reply(struct fuzz_rig *rig, const struct packet *ask, uint8_t how,
		       struct bytes data)
{
	struct packet reply = packet_reply(ask, how & FAILED && data.n > 0 ? -data.p[0] - 1 : 0);
	size_t n = shape_size(ask->shape);

	if (data.n != 0)
		memcpy(packet_body(&reply), data.p, data.n < n ? data.n : n);
	for (size_t i = 0; i < SHAPE_FIELDS; i++)
		if (ask->shape->fields[i].kind == SHAPE_PART_OUT)
			reply.parts[i] = bytes_slice(data, n, 64);
	if (how & FAILED)
		reply.header.reason = data.n > 1 ? data.p[1] : 0;
	fuzz_send(rig->driver, &reply);
}

static void send_event(struct fuzz_rig *rig, struct bytes data)
{
	struct packet event = packet_event(KF_DRV_EVENT);
	size_t n = sizeof(struct kf_drv_event);

	if (data.n != 0)
		memcpy(packet_body(&event), data.p, data.n < n ? data.n : n);
	fuzz_send(rig->driver, &event);
}

static void client_asks(struct fuzz_rig *rig, uint8_t which)
{
	const struct shape *shape = shape_at(which);
	struct packet ask;

	if (!shape)
		return;
	ask = packet_request(shape->request, 0, 0);
	memcpy(packet_body(&ask), shape->request == KF_PROCESS || shape->request == KF_KEY_DESTROY ?
	       &rig->key : &rig->context, 8);
	for (size_t i = 0; i < SHAPE_FIELDS; i++)
		if (shape->fields[i].kind == SHAPE_PART_IN)
			ask.parts[i] = BYTES("1234", 4);
	if (shape->request == KF_PIN_VERIFY)
		((struct kf_pin_verify *)packet_body(&ask))->pin = KF_PIN_USER;
	fuzz_ask(rig, ask);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct unpacker u = unpack_begin(BYTES(data, size));
	struct fuzz_rig rig;
	struct packet ask;

	fuzz_rig_init(&rig);
	while (u.left > 0 && !u.bad) {
		uint8_t how = unpack_u8(&u), which = unpack_u8(&u);
		size_t n = unpack_le16(&u);
		struct bytes bytes = unpack_bytes(&u, n < u.left ? n : u.left);

		client_asks(&rig, which);
		if (how & NOT_NOW)
			continue;
		if (how & AS_IS)
			(void)wire_send(rig.driver, bytes, MSG_DONTWAIT);
		else if (how & EVENT && bytes.n > 0)
			send_event(&rig, bytes);
		else if (fuzz_driver_get(&rig, &ask) && ask.shape && bytes.n > 0)
			send_reply(&rig, &ask, how, bytes);
		fuzz_turns(&rig);
		fuzz_drain(&rig);
	}
	fuzz_rig_deinit(&rig);
	return 0;
}
