/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/sandbox.h - The broker talks over sockets it was handed or accepted, and has nothing
 * else to do in this world.
 */
#pragma once

#include <stdint.h>

/*
 * Closes this process in, for good: no file system, no new socket, process or program. Call it when
 * all that is opened is open, before the first byte of a client is read.
 *
 * @guards: KF_GUARD_ bits that are in force. Return: 0; a negative errno, on which to end.
 */
int broker_sandbox(uint32_t *guards);
