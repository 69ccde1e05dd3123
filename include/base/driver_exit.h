/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base/driver_exit.h - What a driver's exit status tells the monitor, which acts on it:
 * keyferry-driver(8), "EXIT STATUS".
 */
#pragma once

enum driver_exit {
	DRIVER_EXIT_DONE = 0,	/* card removed, reader or broker gone: start a fresh one if it is there */
	DRIVER_EXIT_FAILED = 1,	/* again after a pause */
	DRIVER_EXIT_USAGE = 2,
	DRIVER_EXIT_HELD = 3,	/* another program has claimed the interface: again when it lets go */
	DRIVER_EXIT_REFUSED = 4,	/* its descriptors cannot be worked with: not again until replugged */
};
