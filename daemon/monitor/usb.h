/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/usb.h - A CCID interface of a USB device, as sysfs shows it. One interface is one
 * reader; a device may have several, and others, which are none of our business: nothing here opens,
 * claims or detaches a device (usb_open() does the first, in the driver's process).
 */
#pragma once

#include "base/bytes.h"
#include "keyferry/proto.h"

#define USB_PATH	32	/* "1-2.3.4:1.0", with the NUL */
#define USB_INTERFACES	32	/* the kernel's limit, and that of the privilege mask */
#define USB_TEXT	128	/* [USB string descriptor]: 126 characters */
#define USB_MAJOR	189
#define USB_DEVICE_DESC	18

/**
 * struct usb_roots - where the kernel shows its devices; tests have their own
 * @sysfs, @dev: "/sys", "/dev"
 * @major:	of device nodes: %USB_MAJOR
 */
struct usb_roots {
	const char *sysfs, *dev;
	uint32_t major;
};

#define USB_ROOTS ((struct usb_roots){ "/sys", "/dev", USB_MAJOR })

/**
 * struct usb_reader - one CCID interface
 * @dir:	the device's directory in sysfs; once the device is gone nothing can be read there,
 *		and its number may belong to another
 * @path:	"1-2.3:1.0": bus, ports, configuration, interface
 * @port:	bytes of @path that name the port: "1-2.3"
 * @bus, @number: its address, which changes with each plugging
 * @vendor, @product: as it claims
 * @interface:	[USB bInterfaceNumber]
 * @serial:	as it claims, once usb_name() has read it; of one device it does not change
 */
struct usb_reader {
	int dir;
	char path[USB_PATH];
	size_t port;
	uint32_t bus, number;
	uint16_t vendor, product;
	uint8_t interface;
	char serial[USB_TEXT];
};

/* Readers from before the class had a number: class 0xFF, and CCID for all that. */
struct usb_id {
	uint16_t vendor, product;
};
#define USB_VENDOR_CLASS 9
extern const struct usb_id usb_vendor_class[USB_VENDOR_CLASS];

#define USB_READER_INIT ((struct usb_reader){ .dir = -1 })

/*
 * Calls @found for each CCID interface there is, in the order of their paths; what it is given ends
 * with the call, unless it takes ->dir. One that vanishes while it is looked at is left out.
 *
 * Return: 0; -ENOENT where the kernel has no USB.
 */
int usb_list(const struct usb_roots *roots, void (*found)(struct usb_reader *usb, void *data),
	     void *data);

/* Whether it is still the same plugging of the same device, and the interface is there. */
bool usb_alive(const struct usb_reader *usb);

/* Whether another program, or a kernel driver, has claimed the interface. */
bool usb_held(const struct usb_reader *usb);

/*
 * "Vendor-Product-Serial@1-2.3:1.0": the same after each replug, unique by the path behind the '@',
 * which no text of a device can contain. Return: 0; -EAGAIN: the device is busy now.
 */
int usb_name(struct usb_reader *usb, char out[static KF_NAME_MAX]);

/* "1-2.3", the port its device is plugged into. */
static inline void usb_port(const struct usb_reader *usb, char out[static USB_PATH])
{
	memset(out, 0, USB_PATH);
	memcpy(out, usb->path, usb->port);
}

/* What is wrong with its node for us: 0, -ENOENT not there yet, -EACCES not ours, -ESTALE another's. */
int usb_node(const struct usb_reader *usb, const struct usb_roots *roots);

/*
 * Opens the node, sees that it is this device's, and gives up all rights but those on the one
 * interface. Waits as long as the device makes it, which is why the driver's process does it.
 *
 * Return: a descriptor; -ESTALE: the number belongs to another device by now.
 */
int usb_open(const struct usb_reader *usb, const struct usb_roots *roots);

void usb_deinit(struct usb_reader *usb);
