/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The reader describes itself at full speed. At high speed a bulk packet has 512 bytes, and an
 * interval counts in powers of two of 125 us [USB 2.0 9.6.6]; nothing else differs.
 */
#include "vreader/gadget/function.h"

#include <linux/usb/functionfs.h>

enum {
	DESC_INTERFACE = 0x04,
	DESC_ENDPOINT = 0x05,
	DESC_CCID = 0x21,
	DEVICE_LEN = 18,
	CONFIG_LEN = 9,
	INTERFACE_LEN = 9,
	CLASS_LEN = 54, /* the kernel takes no other length */
	ENDPOINT_LEN = 7,
	HIGH_SPEED_PACKET = 512,
	TRANSFER_INTERRUPT = 3,
};

static int take_endpoint(struct function *f, struct bytes desc)
{
	if (f->n_endpoints == FUNCTION_ENDPOINTS_MAX || desc.n != ENDPOINT_LEN)
		return -EBADMSG;
	f->addresses[f->n_endpoints] = desc.p[2];
	f->endpoints[f->n_endpoints++] = desc;
	return 0;
}

static int take_descriptor(struct function *f, uint8_t type, struct bytes desc)
{
	switch (type) {
	case DESC_INTERFACE:
		if (f->interface.n != 0 || desc.n != INTERFACE_LEN)
			return -EBADMSG;
		f->interface = desc;
		return 0;
	case DESC_CCID:
		if (f->class.n != 0 || desc.n != CLASS_LEN)
			return -EBADMSG;
		f->class = desc;
		return 0;
	case DESC_ENDPOINT: return take_endpoint(f, desc);
	default: return -EBADMSG;
	}
}

int function_parse(struct bytes descriptors, struct function *out)
{
	struct unpacker u = unpack_begin(descriptors);
	struct function f = { 0 };

	unpack_skip(&u, DEVICE_LEN + CONFIG_LEN);
	while (!u.bad && u.left != 0) {
		struct unpacker head = u;
		uint8_t len = unpack_u8(&head);
		uint8_t type = unpack_u8(&head);
		struct bytes desc = unpack_bytes(&u, len);

		if (len < 2 || u.bad || take_descriptor(&f, type, desc) < 0)
			return -EBADMSG;
	}
	if (unpack_end(&u) < 0 || f.interface.n == 0 || f.class.n == 0 || f.n_endpoints < 2)
		return -EBADMSG;
	*out = f;
	return 0;
}

/* bInterval: 2 to the power of (n - 1) microframes, an eighth of a millisecond each. */
static uint8_t high_speed_interval(uint8_t ms)
{
	unsigned int microframes = ms * 8u;
	uint8_t n = 1;

	while (n < 16 && 2u << (n - 1) <= microframes)
		n++;
	return n;
}

static void pack_endpoint(const struct bytes desc, bool high_speed, struct packer *p)
{
	struct unpacker u = unpack_begin(desc);
	uint8_t kind, interval;
	uint16_t packet;

	pack_bytes(p, unpack_bytes(&u, 3));
	kind = unpack_u8(&u);
	packet = unpack_le16(&u);
	interval = unpack_u8(&u);
	if (high_speed && kind == TRANSFER_INTERRUPT)
		interval = high_speed_interval(interval);
	else if (high_speed)
		packet = HIGH_SPEED_PACKET;
	pack_u8(p, kind);
	pack_le16(p, packet);
	pack_u8(p, interval);
}

static void pack_speed(const struct function *f, bool high_speed, struct packer *p)
{
	pack_bytes(p, f->interface);
	pack_bytes(p, f->class);
	for (size_t i = 0; i < f->n_endpoints; i++)
		pack_endpoint(f->endpoints[i], high_speed, p);
}

void function_pack_descriptors(const struct function *f, struct packer *p)
{
	size_t each = f->interface.n + f->class.n + f->n_endpoints * ENDPOINT_LEN;
	uint32_t count = (uint32_t)(2 + f->n_endpoints);

	pack_le32(p, FUNCTIONFS_DESCRIPTORS_MAGIC_V2);
	pack_le32(p, (uint32_t)(5 * 4 + 2 * each));
	pack_le32(p, FUNCTIONFS_HAS_FS_DESC | FUNCTIONFS_HAS_HS_DESC);
	pack_le32(p, count); /* at full speed */
	pack_le32(p, count); /* at high speed */
	pack_speed(f, false, p);
	pack_speed(f, true, p);
}

void function_pack_strings(struct packer *p)
{
	pack_le32(p, FUNCTIONFS_STRINGS_MAGIC);
	pack_le32(p, 4 * 4);
	pack_le32(p, 0); /* the interface has no name, */
	pack_le32(p, 0); /* in no language */
}
