/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptors straight down, a line a field, in the order of [USB 2.0 9.6] and [CCID 5.1]. The
 * same bytes stand as an example in docs/vreader.md, and a test compares the two.
 */
#include "vreader/reader/shape.h"

enum {
	DEVICE_LEN = 18,
	CONFIG_LEN = 9,
	INTERFACE_LEN = 9,
	CLASS_LEN = 54,
	ENDPOINT_LEN = 7,
	FEATURES_AUTOMATIC = 0xba,	/* parameters, voltage, clock, baud rate, PPS [CCID dwFeatures] */
	FEATURE_AUTOMATIC_IFSD = 0x400,
	FEATURE_TPDU = 0x10000,
	FEATURE_SHORT_APDU = 0x20000,
	FEATURE_EXTENDED_APDU = 0x40000,
};

static uint32_t features(const struct shape *shape)
{
	if (shape_is_tpdu(shape))
		return (shape->manual ? 0 : FEATURES_AUTOMATIC) | FEATURE_TPDU;
	return FEATURES_AUTOMATIC | FEATURE_AUTOMATIC_IFSD |
	       (shape->level == SHAPE_SHORT ? FEATURE_SHORT_APDU : FEATURE_EXTENDED_APDU);
}

static void pack_device(const struct shape *shape, struct packer *p)
{
	pack_u8(p, DEVICE_LEN);
	pack_u8(p, 0x01);		/* DEVICE */
	pack_le16(p, 0x0200);		/* bcdUSB */
	pack_zero(p, 3);		/* class, subclass, protocol: in the interface */
	pack_u8(p, 64);			/* bMaxPacketSize0 */
	pack_le16(p, shape->vendor);
	pack_le16(p, shape->product);
	pack_le16(p, 0x0100);		/* bcdDevice */
	pack_u8(p, 1);			/* iManufacturer */
	pack_u8(p, 2);			/* iProduct */
	pack_u8(p, 3);			/* iSerialNumber */
	pack_u8(p, 1);			/* bNumConfigurations */
}

/* At 4 MHz: the default, and what the cards' TA1 asks for, D = 12. */
static const uint32_t rates[] = { 10752, 129032 };

static unsigned int n_rates(const struct shape *shape)
{
	return shape->manual ? sizeof(rates) / sizeof(rates[0]) : 0;
}

void shape_pack_rates(const struct shape *shape, struct packer *p)
{
	for (unsigned int i = 0; i < n_rates(shape); i++)
		pack_le32(p, rates[i]);
}

static void pack_class(const struct shape *shape, struct packer *p)
{
	pack_u8(p, CLASS_LEN);
	pack_u8(p, 0x21);
	pack_le16(p, 0x0110);		/* bcdCCID */
	pack_u8(p, shape->n_slots - 1);	/* bMaxSlotIndex */
	pack_u8(p, 0x07);		/* bVoltageSupport: 5 V, 3 V, 1.8 V */
	pack_le32(p, 0x03);		/* dwProtocols: T=0 and T=1 */
	pack_le32(p, 4000);		/* dwDefaultClock, kHz */
	pack_le32(p, 4000);		/* dwMaximumClock */
	pack_u8(p, 0);			/* bNumClockSupported: no list */
	pack_le32(p, rates[0]);		/* dwDataRate: 4 MHz / 372 */
	pack_le32(p, shape->manual ? rates[1] : rates[0]);	/* dwMaxDataRate */
	pack_u8(p, n_rates(shape));	/* bNumDataRatesSupported; 0: no list */
	pack_le32(p, 254);		/* dwMaxIFSD */
	pack_le32(p, 0);		/* dwSynchProtocols */
	pack_le32(p, 0);		/* dwMechanical */
	pack_le32(p, features(shape));
	pack_le32(p, shape->max_message);
	pack_u8(p, 0xff);		/* bClassGetResponse: that of the command */
	pack_u8(p, 0xff);		/* bClassEnvelope: likewise */
	pack_le16(p, 0);		/* wLcdLayout */
	pack_u8(p, shape->keypad ? 3 : 0);	/* bPINSupport: verify, modify */
	pack_u8(p, 1);			/* bMaxCCIDBusySlots */
}

static void pack_endpoint(struct packer *p, uint8_t address, uint8_t kind, uint16_t packet,
			  uint8_t interval)
{
	pack_u8(p, ENDPOINT_LEN);
	pack_u8(p, 0x05);		/* ENDPOINT */
	pack_u8(p, address);
	pack_u8(p, kind);		/* bmAttributes: 2 bulk, 3 interrupt */
	pack_le16(p, packet);
	pack_u8(p, interval);
}

void shape_pack_descriptors(const struct shape *shape, struct packer *p)
{
	uint8_t endpoints = shape->interrupt ? 3 : 2;

	pack_device(shape, p);
	pack_u8(p, CONFIG_LEN);
	pack_u8(p, 0x02);		/* CONFIGURATION */
	pack_le16(p, CONFIG_LEN + INTERFACE_LEN + CLASS_LEN + endpoints * ENDPOINT_LEN);
	pack_u8(p, 1);			/* bNumInterfaces */
	pack_u8(p, 1);			/* bConfigurationValue */
	pack_u8(p, 0);			/* iConfiguration */
	pack_u8(p, 0x80);		/* bmAttributes: bus powered */
	pack_u8(p, 50);			/* bMaxPower: 100 mA */
	pack_u8(p, INTERFACE_LEN);
	pack_u8(p, 0x04);		/* INTERFACE */
	pack_u8(p, 0);			/* bInterfaceNumber */
	pack_u8(p, 0);			/* bAlternateSetting */
	pack_u8(p, endpoints);
	pack_u8(p, 0x0b);		/* bInterfaceClass: smart card */
	pack_zero(p, 3);		/* subclass, protocol: CCID with bulk pipes; no name */
	pack_class(shape, p);
	pack_endpoint(p, SHAPE_EP_OUT, 2, SHAPE_PACKET_LEN, 0);
	pack_endpoint(p, SHAPE_EP_IN, 2, SHAPE_PACKET_LEN, 0);
	if (shape->interrupt)
		pack_endpoint(p, SHAPE_EP_INTERRUPT, 3, 8, 16);
}

int shape_pack_string(const struct shape *shape, uint8_t index, struct packer *p)
{
	const char *const strings[] = { NULL, "keyferry", "keyferry virtual reader", shape->serial };
	const char *s;

	if (index >= sizeof(strings) / sizeof(strings[0]))
		return -ENOENT;
	if (index == 0) {
		pack_u8(p, 4);
		pack_u8(p, 0x03);	/* STRING */
		pack_le16(p, 0x0409);	/* US English, the only one */
		return 0;
	}
	s = strings[index];
	pack_u8(p, (uint8_t)(2 + 2 * strlen(s)));
	pack_u8(p, 0x03);
	for (; *s; s++)
		pack_le16(p, (uint8_t)*s);
	return 0;
}
