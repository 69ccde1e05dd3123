/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/sandbox.h - The driver talks to one reader and one broker over descriptors it was handed.
 * It is the process that hostile bytes reach first, so this is the tightest of the sandboxes.
 */
#pragma once

#include <stdint.h>

/*
 * Closes this process in, for good. Call it when the transport is up, before anything that the
 * reader sent is looked at.
 *
 * @guards: KF_GUARD_ bits that are in force. Return: 0; a negative errno, on which to end.
 */
int driver_sandbox(uint32_t *guards);
