/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/usb/transfer.h - One asynchronous transfer with a buffer of its own, and the wait for it.
 *
 *	             submit                callback
 *	 LANDED --------------> FLYING ----------------> LANDED
 *	                           |  cancelled, and no callback within a second
 *	                           '------------------------------------------> STRAY, for ever
 *
 * The transfer and its buffer belong to libusb and the kernel while it flies. A stray one is never
 * freed nor used again, and with it the device is given up: whoever owns it leaves soon after.
 */
#pragma once

#include "base/bytes.h"
#include "base/deadline.h"
#include "driver/pipe.h"

#include <libusb-1.0/libusb.h>

#define TRANSFER_CANCEL_MS	1000

/**
 * struct flights - where callbacks come from: one libusb context with one device
 * @context:	libusb's, without discovery and thus without threads
 * @fd:		epoll, holds every descriptor of the context: readable when a callback is due
 */
struct flights {
	libusb_context *context;
	int fd;
};

#define FLIGHTS_INIT ((struct flights){ .fd = -1 })

enum transfer_state { TRANSFER_LANDED, TRANSFER_FLYING, TRANSFER_STRAY };

/**
 * struct transfer - see the picture
 * @t:		libusb's, or NULL before the first use
 * @buf:	@cap bytes; wiped by transfer_wipe(), which whoever filled or emptied it calls
 * @n:		bytes moved by the last flight, even if it was cancelled
 * @used:	bytes of @buf to wipe
 * @status:	how that ended
 */
struct transfer {
	struct libusb_transfer *t;
	uint8_t *buf;
	size_t cap, n, used;
	enum transfer_state state;
	enum libusb_transfer_status status;
};

#define TRANSFER_INIT ((struct transfer){ 0 })

/* Return: 0; -ENOMEM, -EIO. */
int flights_init(struct flights *flights);
void flights_deinit(struct flights *flights);

/* Runs the callbacks that are due; never waits. */
void flights_serve(struct flights *flights);

/* Makes room for @cap bytes; only when landed. Return: 0 or -ENOMEM. */
int transfer_reserve(struct transfer *transfer, size_t cap);

/**
 * transfer_submit - takes off
 * @handle:	the device
 * @type:	LIBUSB_TRANSFER_TYPE_*
 * @flags:	LIBUSB_TRANSFER_ADD_ZERO_PACKET or 0
 * @n:		bytes of transfer->buf to send, or to receive at most
 *
 * Return: 0; -ENODEV the device has gone, or the transfer is stray; -EIO the kernel refused.
 */
int transfer_submit(struct transfer *transfer, libusb_device_handle *handle, uint8_t type,
		    uint8_t endpoint, uint8_t flags, size_t n);

/**
 * transfer_await - waits until it has landed
 * @wake:	served meanwhile
 *
 * Return: 0 it landed by itself; -ETIMEDOUT or what wake->ready said: it was cancelled, @n bytes
 * had moved all the same; -ENODEV: it is stray.
 */
int transfer_await(struct transfer *transfer, struct flights *flights, struct wake *wake,
		   struct deadline deadline);

/* Cancels one that flies and waits for its callback. Return: 0 landed; -ENODEV stray. */
int transfer_recall(struct transfer *transfer, struct flights *flights);

/* Wipes what the last flight left in the buffer. */
void transfer_wipe(struct transfer *transfer);

/* Not while it flies. A stray one is left to the end of the process. */
void transfer_deinit(struct transfer *transfer);
