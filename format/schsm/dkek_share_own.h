/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/schsm/dkek_share_own.h - Share files of any number of rounds: those of the format are half a minute
 * of a test's time, and a thousand tell as much of everything but the number.
 */
#pragma once

#include "format/schsm/dkek_share.h"

/* dkek_share_open() and dkek_share_seal() with @rounds, a multiple of 100, in place of DKEK_ROUNDS. */
int share_open(struct bytes file, struct bytes password, size_t rounds, struct dkek_progress progress,
	       struct secret *out);
int share_seal(struct bytes share, const uint8_t salt[static DKEK_SALT_SIZE], struct bytes password,
	       size_t rounds, struct dkek_progress progress, struct packer *out);
