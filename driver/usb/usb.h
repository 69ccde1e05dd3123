/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/usb/usb.h - A pipe to a real reader: libusb on a usbfs node that the monitor opened.
 */
#pragma once

#include "driver/pipe.h"

/**
 * usb_pipe_new - wraps an open device node
 * @fd:		of /dev/bus/usb/BBB/DDD, open for reading and writing; taken over, also on failure
 * @out:	the pipe; the caller closes it with pipe_close(). No interface is claimed yet
 *
 * A device that does not answer GET_CONFIGURATION holds this up for one second.
 *
 * Return: 0; -ENODEV the device has gone; -EINVAL @fd is no USB device node; -EACCES it cannot be
 * written to; -EBADMSG its descriptors end early; -ENOMEM; -EIO libusb failed.
 */
int usb_pipe_new(int fd, struct pipe **out);
