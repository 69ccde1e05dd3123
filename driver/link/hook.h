/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/link/hook.h - The seam for the control of the planted-secret search (SECURITY section 10):
 * a driver that leaks on purpose is this driver with another hook.o. Ours does nothing.
 */
#pragma once

#include "base/bytes.h"

/* A byte range that came with a request: a PIN, a sealed item. Borrowed. */
void hook_bytes(struct bytes part);
