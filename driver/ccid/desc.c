/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/ccid/desc.c - One walk over the configuration descriptor collects what belongs to the
 * chosen interface; then each fact is judged. The walk ends for any input: a descriptor of
 * fewer than two bytes is malformed, so every step moves on.
 */
#include "driver/ccid/desc.h"

#include <errno.h>

enum {
	DESC_DEVICE = 0x01,
	DESC_CONFIG = 0x02,
	DESC_INTERFACE = 0x04,
	DESC_ENDPOINT = 0x05,
	DESC_CCID = 0x21,
};

enum { CLASS_CCID = 0x0b, CLASS_VENDOR = 0xff };

#define CLASS_DESC_LEN	54
#define LEVEL_TPDU	0x00010000u
#define LEVEL_SHORT	0x00020000u
#define LEVEL_EXTENDED	0x00040000u
#define LEVEL_MASK	(LEVEL_TPDU | LEVEL_SHORT | LEVEL_EXTENDED)
#define MESSAGE_APDU	271	/* 10 + 261, the longest short APDU */
#define BLOCK_FRAME	3	/* NAD, PCB, LEN */
#define PAYLOAD_MIN	7	/* an APDU of one data byte; a block is shorter */

/* What the walk knows. @class_seen: a class descriptor was there, good or bad. */
struct walk {
	struct ccid_desc desc;
	int wanted;
	bool found, inside, class_seen, class_good;
	uint8_t protocol;
	uint32_t claimed;	/* level bits */
};

static int fail(const char **why, int r, const char *sentence)
{
	*why = sentence;
	return r;
}

static int parse_device(struct bytes device, struct ccid_desc *desc)
{
	struct unpacker u = unpack_begin(device);

	if (unpack_u8(&u) != 18 || unpack_u8(&u) != DESC_DEVICE)
		return -EBADMSG;
	unpack_skip(&u, 6);			/* bcdUSB, class triple, bMaxPacketSize0 */
	desc->vendor = unpack_le16(&u);
	desc->product = unpack_le16(&u);
	desc->release = unpack_le16(&u);
	desc->maker_string = unpack_u8(&u);
	desc->product_string = unpack_u8(&u);
	desc->serial_string = unpack_u8(&u);
	unpack_skip(&u, 1);			/* bNumConfigurations */
	return unpack_end(&u);
}

static void enter_interface(struct walk *w, struct unpacker *u)
{
	uint8_t number = unpack_u8(u);
	uint8_t alternate = unpack_u8(u);
	uint8_t class, protocol;

	unpack_skip(u, 1);			/* bNumEndpoints: counted by the walk instead */
	class = unpack_u8(u);
	unpack_skip(u, 1);			/* bInterfaceSubClass */
	protocol = unpack_u8(u);
	w->inside = false;
	if (u->bad || w->found || alternate != 0 || (w->wanted >= 0 && w->wanted != number))
		return;
	if (class != CLASS_CCID &&
	    !(class == CLASS_VENDOR && quirk_has(w->desc.quirks, QUIRK_VENDOR_CLASS)))
		return;
	w->found = w->inside = true;
	w->desc.interface = number;
	w->protocol = protocol;
}

static void take_endpoint(struct walk *w, struct unpacker *u)
{
	struct ccid_desc *desc = &w->desc;
	uint8_t address = unpack_u8(u);
	uint8_t kind = unpack_u8(u) & 0x03;		/* 2 bulk, 3 interrupt */
	uint16_t packet = unpack_le16(u) & 0x07ff;
	bool in = (address & 0x80) != 0;

	if (u->bad)
		return;
	if (kind == 2 && in && !desc->ep_in) {
		desc->ep_in = address;
		desc->in_packet = packet;
	} else if (kind == 2 && !in && !desc->ep_out) {
		desc->ep_out = address;
		desc->out_packet = packet;
	} else if (kind == 3 && in && !desc->ep_interrupt && packet != 0) {
		desc->ep_interrupt = address;
		desc->interrupt_packet = packet;
	} else {
		desc->warnings |= CCID_WARN_ENDPOINTS;
	}
}

/* [CCID 5.1], field by field; @u stands behind bDescriptorType. */
static void take_class(struct walk *w, struct unpacker *u, size_t len)
{
	struct ccid_desc desc = w->desc;
	uint8_t max_slot;
	uint32_t max_ifsd;

	w->class_seen = true;
	if (w->class_good) {
		w->desc.warnings |= CCID_WARN_SECOND;
		return;
	}
	unpack_skip(u, 2);			/* bcdCCID: nonsense in the field */
	max_slot = unpack_u8(u);
	desc.voltages = unpack_u8(u) & 0x07;
	desc.protocols = unpack_le32(u) & (CCID_T0 | CCID_T1);
	desc.clock_khz = unpack_le32(u);
	unpack_skip(u, 5);			/* dwMaximumClock, bNumClockSupported */
	desc.rate = unpack_le32(u);
	desc.max_rate = unpack_le32(u);
	desc.n_rates = unpack_u8(u);
	max_ifsd = unpack_le32(u);
	unpack_skip(u, 8);			/* dwSynchProtocols, dwMechanical */
	desc.features = unpack_le32(u);
	desc.max_message = unpack_le32(u);
	unpack_skip(u, 4);			/* bClassGetResponse, bClassEnvelope, wLcdLayout */
	desc.pin_support = unpack_u8(u) & 0x03;
	desc.busy_slots = unpack_u8(u);		/* one command at a time, whatever it says */
	if (u->bad)
		return;
	if (len > CLASS_DESC_LEN)
		desc.warnings |= CCID_WARN_LENGTH;
	if (max_slot >= CCID_SLOTS_MAX)
		desc.warnings |= CCID_WARN_SLOTS;
	desc.n_slots = max_slot < CCID_SLOTS_MAX ? (uint8_t)(max_slot + 1) : CCID_SLOTS_MAX;
	desc.max_ifsd = max_ifsd == 0 ? 32 : max_ifsd > 254 ? 254 : (uint8_t)max_ifsd;
	w->claimed = desc.features & LEVEL_MASK;
	desc.features &= ~LEVEL_MASK;
	w->desc = desc;
	w->class_good = true;
}

static int walk_config(struct walk *w, struct bytes config)
{
	struct unpacker u = unpack_begin(config);
	uint8_t config_len = unpack_u8(&u);
	uint8_t config_type = unpack_u8(&u);
	uint16_t total = unpack_le16(&u);

	if (config_len < 9 || config_type != DESC_CONFIG || total != config.n)
		return -EBADMSG;
	unpack_skip(&u, config_len - 4u);
	while (u.left != 0) {
		uint8_t len = unpack_u8(&u);
		uint8_t type = unpack_u8(&u);
		struct unpacker body;

		if (len < 2)
			return -EBADMSG;
		body = unpack_begin(unpack_bytes(&u, len - 2u));
		if (type == DESC_INTERFACE)
			enter_interface(w, &body);
		else if (type == DESC_ENDPOINT && w->inside)
			take_endpoint(w, &body);
		else if (type == DESC_CCID && w->inside)
			take_class(w, &body, len);
	}
	return unpack_end(&u);
}

static int judge_endpoints(struct walk *w, const char **why)
{
	const struct ccid_desc *desc = &w->desc;

	if (w->protocol == 2 || (w->protocol == 1 && !(desc->ep_in && desc->ep_out &&
						       desc->ep_interrupt)))
		return fail(why, -EOPNOTSUPP, "it is an ICCD token (bInterfaceProtocol 1 or 2, "
			    "no bulk endpoints), and only CCID readers are served");
	if (w->protocol == 1)
		w->desc.warnings |= CCID_WARN_PROTOCOL;
	if (!desc->ep_in || !desc->ep_out)
		return fail(why, -EBADMSG, "its CCID interface lacks a bulk endpoint");
	if (desc->in_packet == 0 || desc->out_packet == 0)
		return fail(why, -EBADMSG, "a bulk endpoint has wMaxPacketSize 0");
	return 0;
}

static int judge_message(struct ccid_desc *desc, const char **why)
{
	if (desc->quirks->max_message != 0) {
		desc->max_message = desc->quirks->max_message;
		desc->warnings |= CCID_WARN_MESSAGE;
	}
	if (desc->max_message < CCID_HEADER_LEN + PAYLOAD_MIN)
		return fail(why, -EBADMSG, "dwMaxCCIDMessageLength leaves no room for a payload");
	if (desc->max_message > CCID_MESSAGE_MAX) {
		desc->max_message = CCID_MESSAGE_MAX;
		desc->warnings |= CCID_WARN_MESSAGE;
	}
	return 0;
}

static uint32_t level_claimed(const struct walk *w)
{
	if (quirk_has(w->desc.quirks, QUIRK_AT_TPDU))
		return LEVEL_TPDU;
	if (quirk_has(w->desc.quirks, QUIRK_AT_SHORT))
		return LEVEL_SHORT;
	return quirk_has(w->desc.quirks, QUIRK_AT_EXTENDED) ? LEVEL_EXTENDED : w->claimed;
}

/* The only claim, or of several the most capable that the message length can carry. */
static int judge_level(struct walk *w, const char **why)
{
	uint32_t claimed = level_claimed(w);
	bool several = (claimed & (claimed - 1)) != 0;

	if (claimed == 0)
		return fail(why, -EOPNOTSUPP, "it works at character level only (dwFeatures names "
			    "no exchange level), which is not supported");
	if (several) {
		w->desc.warnings |= CCID_WARN_LEVELS;
		if (w->desc.max_message < MESSAGE_APDU)
			claimed &= -claimed;		/* the lowest bit */
	}
	if (claimed & LEVEL_EXTENDED)
		w->desc.level = CCID_LEVEL_EXTENDED_APDU;
	else if (claimed & LEVEL_SHORT)
		w->desc.level = CCID_LEVEL_SHORT_APDU;
	else
		w->desc.level = CCID_LEVEL_TPDU;
	return 0;
}

static void judge_details(struct ccid_desc *desc)
{
	const uint32_t both = CCID_AUTO_NEGOTIATION | CCID_AUTO_PPS;

	if (desc->quirks->max_ifsd != 0)
		desc->max_ifsd = desc->quirks->max_ifsd;
	if (desc->busy_slots == 0 || desc->busy_slots > desc->n_slots)
		desc->busy_slots = desc->busy_slots == 0 ? 1 : desc->n_slots;
	if (quirk_has(desc->quirks, QUIRK_NO_PINPAD))
		desc->pin_support = 0;
	if ((desc->features & both) == both) {
		desc->features &= ~(uint32_t)CCID_AUTO_PPS;
		desc->warnings |= CCID_WARN_PPS;
	}
}

int ccid_desc_parse(struct bytes device, struct bytes config, int interface,
		    const struct quirks *quirks, struct ccid_desc *out, const char **why)
{
	struct walk w = { .wanted = interface };
	int r;

	if (parse_device(device, &w.desc) < 0)
		return fail(why, -EBADMSG, "its device descriptor is not 18 bytes of type 1");
	w.desc.quirks = quirks ? quirks : quirks_find(w.desc.vendor, w.desc.product,
						      w.desc.release);
	if (walk_config(&w, config) < 0)
		return fail(why, -EBADMSG, "the lengths in its configuration descriptor disagree");
	if (!w.found)
		return fail(why, -EOPNOTSUPP, "it has no CCID interface (class 0x0B)");
	r = judge_endpoints(&w, why);
	if (r < 0)
		return r;
	if (!w.class_good)
		return fail(why, -EBADMSG, w.class_seen ?
			    "its CCID class descriptor is shorter than 54 bytes" :
			    "its CCID interface has no class descriptor (type 0x21)");
	r = judge_message(&w.desc, why);
	if (r < 0)
		return r;
	r = judge_level(&w, why);
	if (r < 0)
		return r;
	judge_details(&w.desc);
	*out = w.desc;
	return 0;
}

bool ccid_desc_reaches(const struct ccid_desc *desc, uint32_t bps)
{
	if (desc->rates.n != 0)
		return rates_have(&desc->rates, bps);
	return bps != 0 && bps <= desc->max_rate;
}

uint8_t ccid_desc_ifsd(const struct ccid_desc *desc, unsigned int edc_len)
{
	size_t frame = BLOCK_FRAME + edc_len;
	size_t room = ccid_desc_payload(desc);

	if (room <= frame)
		return 1;
	return room - frame < desc->max_ifsd ? (uint8_t)(room - frame) : desc->max_ifsd;
}
