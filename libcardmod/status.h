/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/status.h - From our errno and reason to the interface's codes, and back to an errno
 * for what this library refuses by itself.
 */
#pragma once

#include "keyferry/cardmod.h"

/* @r: 0 or a negative errno of either library; @reason: enum kf_reason that came with it, or 0. */
DWORD status_from_errno(int r, uint32_t reason);

/* The errno that comes nearest to @status; 0 for success. */
int status_to_errno(DWORD status);
