/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/ccid/desc.h - What a reader says about itself, in the descriptors of its USB device, as
 * one typed value. What leaves ccid_desc_parse() is in range: counts are clamped to what we use,
 * lengths to what we allocate, and the level is one that the message length can carry.
 */
#pragma once

#include "base/bytes.h"
#include "driver/ccid/quirks.h"
#include "driver/ccid/rates.h"

#define CCID_HEADER_LEN		10
#define CCID_MESSAGE_MAX	65554	/* 10 + the longest command APDU, 65544 */
#define CCID_SLOTS_MAX		32

enum ccid_level { CCID_LEVEL_TPDU, CCID_LEVEL_SHORT_APDU, CCID_LEVEL_EXTENDED_APDU };

/* [CCID dwFeatures] */
enum ccid_feature {
	CCID_AUTO_PARAMETERS = 0x00000002,
	CCID_AUTO_ACTIVATION = 0x00000004,
	CCID_AUTO_VOLTAGE = 0x00000008,
	CCID_AUTO_CLOCK = 0x00000010,
	CCID_AUTO_BAUD = 0x00000020,
	CCID_AUTO_NEGOTIATION = 0x00000040,
	CCID_AUTO_PPS = 0x00000080,
	CCID_AUTO_IFSD = 0x00000400,
};

/* Leniencies that the field demands; counted by being said, never silent. */
enum ccid_warning {
	CCID_WARN_LENGTH = 1 << 0,	/* class descriptor longer than 54 bytes */
	CCID_WARN_SECOND = 1 << 1,	/* more than one class descriptor */
	CCID_WARN_ENDPOINTS = 1 << 2,	/* surplus or isochronous endpoints */
	CCID_WARN_SLOTS = 1 << 3,	/* more than 32 slots claimed */
	CCID_WARN_MESSAGE = 1 << 4,	/* dwMaxCCIDMessageLength clamped or overridden */
	CCID_WARN_LEVELS = 1 << 5,	/* several exchange levels claimed */
	CCID_WARN_PROTOCOL = 1 << 6,	/* bInterfaceProtocol 1 with bulk endpoints */
	CCID_WARN_PPS = 1 << 7,		/* 0x40 and 0x80 of dwFeatures exclude each other */
};

/* dwProtocols */
#define CCID_T0 0x1u
#define CCID_T1 0x2u

/**
 * struct ccid_desc - one CCID interface
 * @vendor, @product, @release: idVendor, idProduct, bcdDevice
 * @maker_string, @product_string, @serial_string: indices, 0 for none
 * @interface:	bInterfaceNumber
 * @ep_out, @ep_in, @ep_interrupt: addresses; @ep_interrupt 0 if there is none
 * @out_packet, @in_packet, @interrupt_packet: wMaxPacketSize, never 0 where the endpoint exists
 * @n_slots:	1 to CCID_SLOTS_MAX
 * @voltages:	bVoltageSupport: 1 5 V, 2 3 V, 4 1.8 V
 * @protocols:	CCID_T0, CCID_T1
 * @clock_khz:	dwDefaultClock, may be 0
 * @rate, @max_rate: dwDataRate and dwMaxDataRate in bit/s, may be 0
 * @n_rates:	bNumDataRatesSupported; 0: any between the two
 * @rates:	what the reader said when asked for them; not from the descriptor, see rates_read()
 * @max_ifsd:	32 to 254; see ccid_desc_ifsd()
 * @features:	dwFeatures without the level bits
 * @level:	how APDUs travel
 * @max_message: largest whole message, 17 to CCID_MESSAGE_MAX
 * @pin_support: bPINSupport: 1 verify, 2 modify
 * @busy_slots:	bMaxCCIDBusySlots, 1 to @n_slots; told on, we never use more than one
 * @warnings:	enum ccid_warning
 * @quirks:	the row for this product
 */
struct ccid_desc {
	uint16_t vendor, product, release;
	uint8_t maker_string, product_string, serial_string;
	uint8_t interface;
	uint8_t ep_out, ep_in, ep_interrupt;
	uint16_t out_packet, in_packet, interrupt_packet;
	uint8_t n_slots;
	uint8_t voltages;
	uint32_t protocols;
	uint32_t clock_khz, rate, max_rate;
	uint8_t n_rates;
	struct rates rates;
	uint8_t max_ifsd;
	uint32_t features;
	enum ccid_level level;
	uint32_t max_message;
	uint8_t pin_support;
	uint8_t busy_slots;
	uint32_t warnings;
	const struct quirks *quirks;
};

/**
 * ccid_desc_parse - judges the descriptors of one device
 * @device:	the device descriptor
 * @config:	the configuration descriptor with all that belongs to it
 * @interface:	bInterfaceNumber wanted, or -1 for the first CCID interface
 * @quirks:	the row to apply, or NULL to look it up by the device's ids
 * @out:	the value
 * @why:	on failure, a sentence that says what is wrong
 *
 * Return: 0; -EBADMSG the descriptors contradict themselves; -EOPNOTSUPP no CCID interface, or one
 * that we do not serve.
 */
int ccid_desc_parse(struct bytes device, struct bytes config, int interface,
		    const struct quirks *quirks, struct ccid_desc *out, const char **why);

/* True if the reader can drive a card at @bps. */
bool ccid_desc_reaches(const struct ccid_desc *desc, uint32_t bps);

/* The IFSD to ask for: what reader and message length allow with @edc_len bytes of checksum. */
uint8_t ccid_desc_ifsd(const struct ccid_desc *desc, unsigned int edc_len);

static inline bool ccid_desc_has(const struct ccid_desc *desc, enum ccid_feature feature)
{
	return (desc->features & (uint32_t)feature) != 0;
}

/* Longest payload of one message. */
static inline size_t ccid_desc_payload(const struct ccid_desc *desc)
{
	return desc->max_message - CCID_HEADER_LEN;
}
