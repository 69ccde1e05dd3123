/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/usb/node.h - The usbfs node of a device, as a descriptor that somebody else opened: the
 * descriptors it gives to read, and the few questions that libusb has no call for.
 */
#pragma once

#include "base/bytes.h"

#define NODE_DEVICE_LEN	18	/* the device descriptor [USB 2.0, 9.6.1] */
#define NODE_CONFIGS	8	/* the kernel keeps no more */

/* Return: 0, or -EINVAL if @fd is no USB device node, -EACCES if it cannot be written to. */
int node_check(int fd);

/**
 * node_read_device - the device descriptor, as it was on the wire
 *
 * The kernel gives the numbers in it in host order; here they are little-endian again.
 * Return: 0; -ENODEV it has gone; -EBADMSG it is not 18 bytes.
 */
int node_read_device(int fd, uint8_t out[static NODE_DEVICE_LEN]);

/**
 * node_read_config - the configuration descriptor with all that belongs to it
 * @value:	bConfigurationValue, or -1 for the first one
 * @out:	allocated; the caller frees it
 * @n:		its length, as wTotalLength says and the node had it
 *
 * Return: 0; -ENOENT there is none of that value; -EBADMSG the node ends before it does; -ENODEV;
 * -ENOMEM.
 */
int node_read_config(int fd, int value, uint8_t **out, size_t *n);

/* The device was unplugged, or its node is of no use any more. */
bool node_hung_up(int fd);

/* Waits for that, @ms at most. */
bool node_hangs_up_within(int fd, int ms);

/*
 * Whether @interface is still claimed through usbfs. A reset of the device by whomever ends every
 * claim, and the next transfer would take it again in silence, with a card that was reset.
 */
bool node_is_claimed(int fd, uint8_t interface);

/*
 * Forgets the host's half of an endpoint's state, its data toggle. The other half is the device's,
 * and has to have been told. Return: 0, -ENODEV, -EIO.
 */
int node_reset_endpoint(int fd, uint8_t endpoint);
