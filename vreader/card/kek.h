/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vreader/card/kek.h - What KEKs of this card can be; in ascending order. */
#pragma once

#include "base/bytes.h"

/* Key types that a KEK may unwrap, purposes it may give, OAEP hashes: a byte each. */
struct bytes kek_key_types(void);
struct bytes kek_purposes(void);
struct bytes kek_hashes(void);
