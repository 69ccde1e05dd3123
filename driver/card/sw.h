/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/card/sw.h - What a status word means to us [7816-4 status bytes]. Status words are data;
 * this is the one place where they become an errno of proto.h. Pure.
 */
#pragma once

#include <stdint.h>

/**
 * struct sw_meaning - one status word in the words of proto.h
 * @error:	0, or the negative errno
 * @reason:	enum kf_reason that goes with it, or 0
 * @detail:	the number that goes with it: tries left for a wrong PIN; else 0
 */
struct sw_meaning {
	int error;
	uint16_t reason;
	uint32_t detail;
};

/*
 * 9000 is 0. What is no status word at all, or should have been followed below us (61xx, 6Cxx), is
 * -EBADMSG; what has no row is -EREMOTEIO, with the word itself in the reply.
 */
struct sw_meaning sw_meaning(uint16_t sw);
