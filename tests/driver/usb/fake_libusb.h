/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/driver/usb/fake_libusb.h - In place of libusb and of the device node, for what can be decided
 * without a device: deadlines, cancels, who owns a buffer, what a status means. Transfers stay in
 * the air until a test lands them; a real device is in tests/vm.
 */
#pragma once

#include "base/bytes.h"

#include <libusb-1.0/libusb.h>

#define FAKE_FLIGHTS 16

/**
 * struct fake_landing - what becomes of the next transfer on @endpoint
 * @data:	bytes that came in
 * @n:		bytes moved
 */
struct fake_landing {
	uint8_t endpoint;
	enum libusb_transfer_status status;
	const char *data;
	size_t n;
};

/**
 * struct fake - the world of the test
 * @landings:	used in order by the first transfer that fits; one that finds none stays in the air
 * @stuck:	a cancelled transfer never lands
 * @partial:	bytes that a cancelled transfer had moved
 * @refuse:	what libusb_submit_transfer() says instead of 0
 * @claim:	what libusb_claim_interface() says
 * @claimed, @hung_up: what the node says
 * @hang_up_late: it says so only to who waits
 * @submitted, @cancelled, @freed, @resets, @endpoint_resets, @exits: counts
 * @last:	the last transfer submitted, and its first bytes
 */
struct fake {
	struct fake_landing landings[FAKE_FLIGHTS];
	unsigned int n_landings;
	bool stuck, claimed, hung_up, hang_up_late;
	size_t partial;
	int refuse, claim;
	unsigned int submitted, cancelled, freed, resets, endpoint_resets, exits;
	struct {
		uint8_t endpoint, type, flags;
		int length;
		uint8_t bytes[16];
	} last;
};

extern struct fake fake;

/* Lands the transfer that is in the air on @endpoint. */
void fake_land(uint8_t endpoint, enum libusb_transfer_status status, const char *data, size_t n);
void fake_expect(uint8_t endpoint, enum libusb_transfer_status status, const char *data, size_t n);
bool fake_is_flying(uint8_t endpoint);
