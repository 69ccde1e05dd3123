/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/ccid/quirks.c - The table. The first row that matches counts, so a row for old firmware
 * stands above one for all.
 */
#include "driver/ccid/quirks.h"

#include <stddef.h>

#define ALL 0xffff

static const struct quirks none = { .seen = "" };

static const struct quirks table[] = {
	{ 0x04e6, 0xe003, ALL, QUIRK_POLL | QUIRK_VENDOR_CLASS, 0, 48,
	  "SCM SPR532: frames over 64 bytes hang it, removals get lost (scdaemon)" },
	{ 0x04e6, 0x5115, ALL, QUIRK_NO_ZERO_PACKET, 271, 0,
	  "SCM SCR335: says 263 where 271 works; knows no empty packets (libccid)" },
	{ 0x04e6, 0xe001, ALL, QUIRK_NO_ZERO_PACKET, 271, 0,
	  "SCM SCR331: says 263 where 271 works; knows no empty packets (libccid)" },
	{ 0x058f, 0x9540, ALL, QUIRK_NO_PPS | QUIRK_NO_PARAMETERS, 0, 0,
	  "AU9540: fails at high rates, and at SetParameters (libccid)" },
	{ 0x0b97, 0x7762, ALL, QUIRK_NO_PPS, 0, 0,
	  "O2Micro Oz776: 9600 bit/s alone, no PPS (libccid)" },
	{ 0x0b97, 0x7772, ALL, QUIRK_NO_PPS, 0, 0,
	  "O2Micro Oz776: 9600 bit/s alone, no PPS (libccid)" },
	/* From before the class had a number; daemon/monitor/usb.c has the same ids. */
	{ 0x046a, 0x003e, ALL, QUIRK_VENDOR_CLASS, 0, 0, "Cherry SmartTerminal, ST-2 series (libccid)" },
	{ 0x04e6, 0x5111, ALL, QUIRK_VENDOR_CLASS, 0, 0, "SCM SCR331-DI (libccid)" },
	{ 0x04e6, 0x5120, ALL, QUIRK_VENDOR_CLASS, 0, 0, "SCM SCR331-DI NTTCom (libccid)" },
	{ 0x04e6, 0x5121, ALL, QUIRK_VENDOR_CLASS, 0, 0, "SCM SDI010 (libccid)" },
	{ 0x08e6, 0x1359, ALL, QUIRK_VENDOR_CLASS, 0, 0, "VeriSign secure storage token (libccid)" },
	{ 0x08e6, 0xace0, ALL, QUIRK_VENDOR_CLASS, 0, 0, "VeriSign secure token (libccid)" },
	{ 0x413c, 0x2100, ALL, QUIRK_VENDOR_CLASS, 0, 0, "Dell SK-3106 keyboard (libccid)" },
	{ 0x0b81, 0x0200, ALL, QUIRK_SLOW_START, 0, 0,
	  "CL1356D: needs a second before it is used, and up to 60 for an answer (libccid)" },
	{ 0x0d46, 0x3010, ALL, QUIRK_AT_SHORT, 0, 0,
	  "KOBIL TriB@nk: claims extended APDUs, does not deliver (LudovicRousseau/CCID#85)" },
	{ 0x076b, 0x3022, ALL, QUIRK_AT_TPDU, 0, 0,
	  "OMNIKEY CardMan 3021: claims APDUs, takes TPDUs (libccid)" },
	{ 0x076b, 0x3a21, ALL, QUIRK_AT_EXTENDED | QUIRK_NO_PINPAD, 0, 0,
	  "OMNIKEY Aviator: claims short APDUs, but chains; no keypad (libccid)" },
	{ 0x076b, 0x3031, ALL, QUIRK_AT_EXTENDED | QUIRK_NO_PINPAD, 0, 0,
	  "OMNIKEY 3x21: claims short APDUs, but chains; no keypad (libccid)" },
	{ 0x076b, 0x6632, ALL, QUIRK_AT_EXTENDED | QUIRK_NO_PINPAD, 0, 0,
	  "OMNIKEY 6121: claims short APDUs, but chains; no keypad (libccid)" },
	{ 0x046a, 0x00a7, ALL, QUIRK_AT_EXTENDED | QUIRK_NO_PINPAD, 0, 0,
	  "Cherry Smart Terminal xx44: claims short APDUs, but chains; no keypad (libccid)" },
	{ 0x0bf8, 0x1024, ALL, QUIRK_AT_EXTENDED | QUIRK_NO_PINPAD, 0, 0,
	  "Fujitsu D323: claims short APDUs, but chains; no keypad (libccid)" },
	{ 0x046a, 0x00a1, 0x0100, QUIRK_AT_EXTENDED, 0, 0,
	  "Cherry KC 1000 SC, firmware 1.00: claims short APDUs, but chains (libccid)" },
	{ 0x03f0, 0x1024, ALL, QUIRK_NO_PINPAD, 0, 0,
	  "HP smart card keyboard: the PIN leaks as key presses (libccid)" },
	{ 0x03f0, 0x0036, ALL, QUIRK_NO_PINPAD, 0, 0,
	  "HP smart card keyboard: the PIN leaks as key presses (libccid)" },
	{ 0x0bf8, 0x1017, ALL, QUIRK_NO_PINPAD, 0, 0,
	  "Fujitsu smart card keyboard: the PIN leaks as key presses (libccid)" },
	{ 0x0783, 0x0006, ALL, QUIRK_NO_PINPAD, 0, 0,
	  "C3PO LTC31: claims a keypad it does not have (libccid)" },
	{ 0x09be, 0x0002, ALL, QUIRK_VENDOR_CLASS, 0, 254,
	  "MySmartPad: says another dwMaxIFSD than it has (libccid)" },
	{ 0x0529, 0x0620, 0x0013, QUIRK_NO_IFSD, 0, 0,
	  "SafeNet eToken 5100, firmware 0.12 and 0.13: dislikes S(IFS) (libccid)" },
	{ 0x08e6, 0x4433, ALL, QUIRK_NO_ABORT | QUIRK_NO_PINPAD, 0, 0,
	  "QEMU usb-ccid: stalls ABORT, claims a keypad it does not have (QEMU 7.2)" },
};

const struct quirks *quirks_find(uint16_t vendor, uint16_t product, uint16_t release)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].vendor == vendor && table[i].product == product &&
		    release <= table[i].last_release)
			return &table[i];
	return &none;
}
