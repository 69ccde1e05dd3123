/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/vm/gadget.h - A CCID reader that is a USB device: FunctionFS on dummy_hcd, in a virtual
 * machine, as root. It does on the bus what a socket cannot say. It knows GetSlotStatus, IccPowerOn,
 * IccPowerOff and ABORT as a good reader does, at short APDU level with one card in. An APDU is
 * answered by what its INS says, below; any other INS but SELECT by 90 00.
 *
 * The bus is full speed: bulk packets have 64 bytes.
 */
#pragma once

#include "base/bytes.h"

#include <pthread.h>
#include <stdatomic.h>

#define GADGET_PACKET	64
#define GADGET_READERS	2

/* What an APDU asks the device to do. */
enum gadget_ins {
	INS_SIZED = 0x30,		/* a message of P1 P2 bytes in all, ended as USB says */
	INS_NO_ZERO_PACKET = 0x31,	/* the same without the empty packet behind a full one */
	INS_SPLIT = 0x32,		/* ten bytes, short; then the payload */
	INS_STALL_IN = 0x33,		/* no answer, bulk IN halts */
	INS_STALL_OUT = 0x34,		/* answered; then bulk OUT halts */
	INS_PARTIAL_OUT = 0x35,		/* answered; of the next message one packet is taken, then a halt */
	INS_DEAF = 0x36,		/* answered; then P1 P2 ms without taking a packet */
	INS_SILENT = 0x37,		/* never answered */
	INS_UNPLUG = 0x38,		/* unplugged instead of an answer */
	INS_DEAD = 0x39,		/* not answered, nor anything else until the device is reset */
	INS_SELECT = 0xa4,		/* 6A 82: no application is known here */
};

/* When it is unplugged by itself, instead of an answer. */
enum gadget_end {
	ENDS_NEVER,
	ENDS_AT_RATES,			/* GET_DATA_RATES, while the driver makes itself a picture */
	ENDS_AT_STATUS,			/* the first look at the slot */
	ENDS_AT_POWER_ON,
};

/**
 * struct gadget_shape - what is plugged in
 * @vendor, @product: 0: 1209:2702
 * @n_readers:	CCID interfaces, 1 or 2
 * @no_interrupt: without an interrupt endpoint
 * @by_packet:	reads bulk OUT a packet at a time, so that it sees empty ones
 * @always_active: says of the card that it is powered, whether it is or not; QEMU's reader does
 * @keyboard:	a HID interface in front, served by usb_f_hid
 * @end:	how it goes
 */
struct gadget_shape {
	uint16_t vendor, product;
	unsigned int n_readers;
	bool no_interrupt, by_packet, always_active, keyboard;
	enum gadget_end end;
};

/**
 * struct gadget_reader - one CCID interface
 * @ep0, @out, @in, @notice: its endpoints in FunctionFS
 * @dead:	see INS_DEAD
 * @mute_control: class requests are not answered
 * @heard, @slot_status, @power_ons, @apdus: bulk messages taken, and of those some
 * @enables:	times the host configured the device
 * @aborts:	ABORT requests
 * @zero_packets: empty bulk OUT packets, where they can be told
 */
struct gadget_reader {
	struct gadget *gadget;
	int ep0, out, in, notice;
	char dir[64];
	pthread_t control_thread, bulk_thread;
	atomic_bool ending, mute_control, dead, powered;
	atomic_uint heard, slot_status, power_ons, apdus, enables, aborts, zero_packets;
};

struct gadget {
	struct gadget_shape shape;
	char name[16], config_dir[64], udc[32];
	struct gadget_reader *readers[GADGET_READERS];
	atomic_bool plugged;
};

/* Makes it, serves it and plugs it in; fails the test if that does not work. */
void gadget_start(struct gadget *gadget, const struct gadget_shape *shape);
void gadget_stop(struct gadget *gadget);
void gadget_plug(struct gadget *gadget);
void gadget_unplug(struct gadget *gadget);

/* The device's node, once the kernel has configured it. Return: a descriptor. */
int gadget_open(const struct gadget *gadget);
/* Its folder in sysfs. */
void gadget_sysfs(const struct gadget *gadget, char *out, size_t cap);

/* Sends an interrupt message, waits until the host took it. Return: 0 or a negative errno. */
int gadget_notify(struct gadget_reader *reader, struct bytes message);
/* Halts the interrupt endpoint. */
void gadget_stall_notices(struct gadget_reader *reader);

/* Reads a file as a line. Return: false if there is none. */
bool gadget_read_file(const char *dir, const char *name, char *out, size_t cap);
