/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/sandbox.h - The monitor opens devices and starts programs, and what holds it back
 * holds them back, too. So it keeps what it and their start-up need, and no more: nothing is written
 * but device nodes, nothing is made but its socket, nothing is run but our own programs and the
 * system's libraries. Broker and driver close themselves in further, as soon as they can.
 */
#pragma once

#include <stdint.h>

struct monitor;

/*
 * Closes this process in, and its children to come, for good. Call it when the programs have been
 * found, before the first is started.
 *
 * Not where --driver or --broker name programs: nobody knows what those need. Then @guards says so.
 *
 * @guards: KF_GUARD_ bits that are in force. Return: 0; a negative errno, on which to end.
 */
int monitor_sandbox(const struct monitor *monitor, uint32_t *guards);
