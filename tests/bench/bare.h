/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/bench/bare.h - What OpenSSL has to compute for one seal of docs/card-application.md 6, and nothing
 * round it: no file, no DER, no JSON, no key parsed, no algorithm looked up. The peer of a whole seal.
 */
#pragma once

#include "format/numbers.h"

struct bare;

/* @exchange: type of the EXCHANGE key, for methods that have one. Ends the program on failure. */
struct bare *bare_new(enum kf_method method, enum kf_key_type exchange);
struct bare *bare_free(struct bare *bare);

/* One seal of a P-256 key for one offer. */
void bare_seal(struct bare *bare);
