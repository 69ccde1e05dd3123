/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/json/key_url.h - The identifier of a key-encryption key as a .byok file carries it, and as
 * Key Vault makes them: https://HOST[:PORT]/keys/NAME[/VERSION]. Whether two are the same, format/kid.h
 * knows.
 */
#pragma once

#include "base/bytes.h"

#define KEY_URL_MAX 255

/*
 * Judges the shape alone; whether there is such a key, only its owner knows.
 *
 * Return: NULL for a good one, else what is wrong with it: "has no \"/keys/\" behind its host".
 */
const char *key_url_fault(const char *url);
