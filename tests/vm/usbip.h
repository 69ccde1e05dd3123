/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/vm/usbip.h - A device whose every answer on the bus is ours, the standard requests
 * included, that a gadget leaves to its kernel: USB/IP into vhci_hcd, over a socketpair. It is
 * enumerated as a CCID reader, and then answers nothing at all.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

/**
 * struct usbip - one device, on port 0
 * @configuration_asked: GET_CONFIGURATION requests, which are not answered
 * @commands:	bulk OUT transfers, which are taken
 */
struct usbip {
	int fd;
	pthread_t thread;
	atomic_uint configuration_asked, commands;
};

/* Attaches it; fails the test if that does not work, skips it where there is no vhci_hcd. */
void usbip_start(struct usbip *device);
/* Waits for the node. Return: a descriptor. */
int usbip_open(const struct usbip *device);
void usbip_stop(struct usbip *device);
