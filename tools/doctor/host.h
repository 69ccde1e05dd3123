/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/doctor/host.h - The machine below the service: kernel USB, uevents, the udev rule, who may
 * open the readers' nodes and who has. Reads sysfs, /dev and /proc; changes nothing.
 */
#pragma once

#include "tools/doctor/ledger.h"

#include <limits.h>
#include <stdint.h>

#define HOST_READERS 64

/**
 * struct host_reader - a USB interface of the CCID class
 * @vendor, @product: ids
 * @protocol:	bInterfaceProtocol; not 0: ICCD, which nobody here serves
 * @node:	its device node, behind struct host.root
 * @serial:	iSerial as sysfs has it, not to be trusted; empty if none
 */
struct host_reader {
	uint16_t vendor, product;
	uint8_t protocol;
	char node[PATH_MAX];
	char serial[128];
};

/**
 * struct host - one machine, or the image of one
 * @root:	stands before /sys, /dev, /etc and the like; "" for the running one
 * @readers:	what host_check() found
 */
struct host {
	const char *root;
	struct host_reader readers[HOST_READERS];
	size_t n_readers;
};

/* All checks of this file, in order, from the bottom up. */
void host_check(struct host *host, struct ledger *ledger);

/* A short attribute below @root, without its line end. Return: 0 or a negative errno. */
int host_attribute(const char *root, const char *path, char *out, size_t cap);
