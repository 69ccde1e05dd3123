/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/card/offer.h - What the card can take, as GET DATA and the statement both say it.
 */
#pragma once

#include "base/bytes.h"

/* Key types for generation and import, a byte each. */
struct bytes offer_key_types(void);
