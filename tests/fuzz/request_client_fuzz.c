/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A hostile client. The input is a list of records, u8 how, u8 which, le16 length, bytes: a frame as
 * it stands, or the body of a well-framed request, with a good handle put in or not.
 */
#include "tests/fuzz/broker_rig.h"

enum { AS_IS = 1, NO_HANDLE = 2, WRONG_SIZE = 4, KEEP_WAITING = 8 };

static void send_body(struct fuzz_rig *rig, uint8_t how, const struct shape *shape,
		      struct bytes data)
{
	static uint8_t buf[KF_PACKET_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	uint32_t nr = shape->request;
	uint8_t body[70000];
	size_t n = data.n;

	if (how & WRONG_SIZE)
		nr = _IOC(_IOC_DIR(nr), KF_TYPE, _IOC_NR(nr), data.n & _IOC_SIZEMASK);
	memset(body, 0, sizeof(body));
	if (n != 0)
		memcpy(body, data.p, n);
	if (n < _IOC_SIZE(nr))
		n = _IOC_SIZE(nr);
	if (!(how & NO_HANDLE) && n >= 8) {
		bool key = _IOC_NR(nr) >= _IOC_NR(KF_KEY_PROP_GET) &&
			   _IOC_NR(nr) <= _IOC_NR(KF_KEY_DESTROY);

		memcpy(body, key ? &rig->key : &rig->context, 8);
	}
	pack_le16(&p, KF_MAGIC);
	pack_u8(&p, KF_PROTO_VERSION);
	pack_u8(&p, KF_KIND_REQUEST);
	pack_le32(&p, (uint32_t)(sizeof(struct kf_header) + n));
	pack_le32(&p, nr);
	pack_le32(&p, ++rig->seq);
	pack_zero(&p, 16);
	pack_bytes(&p, BYTES(body, n));
	(void)wire_send(rig->client, pack_done(&p), MSG_DONTWAIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct unpacker u = unpack_begin(BYTES(data, size));
	struct fuzz_rig rig;

	fuzz_rig_init(&rig);
	while (u.left > 0 && !u.bad) {
		uint8_t how = unpack_u8(&u);
		const struct shape *shape = shape_at(unpack_u8(&u));
		size_t n = unpack_le16(&u);
		struct bytes bytes = unpack_bytes(&u, n < u.left ? n : u.left);

		if (how & AS_IS)
			(void)wire_send(rig.client, bytes, MSG_DONTWAIT);
		else if (shape)
			send_body(&rig, how, shape, bytes);
		fuzz_turns(&rig);
		if (!(how & KEEP_WAITING))
			fuzz_driver_serve(&rig);
		fuzz_drain(&rig);
	}
	fuzz_rig_deinit(&rig);
	return 0;
}
