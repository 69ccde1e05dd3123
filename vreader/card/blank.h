/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/card/blank.h - The directory in which a card of any application is about to be made, and how
 * it is said that none can be.
 */
#pragma once

#include "vreader/state/store.h"
#include "vreader/vcard.h"

/* Before anything is made: two cards in one directory would be one too many. Return: 0, or with @why an errno. */
int blank_open(const char *dir, struct store **out, char why[static VCARD_WHY_MAX]);

/* Puts the reason into @why. Return: @r. */
__attribute__((format(printf, 3, 4)))
int blank_refuse(char why[static VCARD_WHY_MAX], int r, const char *format, ...);
