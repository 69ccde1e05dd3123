/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/schsm/public.h - The public half of a key, out of what lies beside it on a card.
 */
#pragma once

#include "base/bytes.h"

#include <openssl/types.h>

/*
 * @der: X.509, a card-verifiable certificate, or a request for one with or without a device's signature round it;
 * nobody's signature is looked at. Return: 0 and a key owned by the caller, -EBADMSG, -EIO, -ENOMEM.
 */
int public_of(struct bytes der, EVP_PKEY **out);
