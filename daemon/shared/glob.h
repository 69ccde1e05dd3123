/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/shared/glob.h - Patterns over names of readers: "*" is any text, "?" any one character,
 * all else itself. Not fnmatch(3): what a device calls itself is matched here, and this takes time
 * in proportion to both lengths at worst, whatever the pattern.
 */
#pragma once

#include <stdbool.h>

/* Whether @pattern matches all of @text. */
bool glob_match(const char *pattern, const char *text);
