/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/state/disk.h - The non-volatile memory of a card that lives in a directory: a store, and
 * how to begin with it again after a commit of which nobody knows whether it holds. @disk is void
 * where a card's table of functions wants it so.
 */
#pragma once

#include "vreader/state/store.h"

struct disk;

/* Return: 0, or what store_open() says of an existing directory. */
int disk_open(const char *dir, struct disk **out);
struct disk *disk_free(struct disk *disk);
DEFINE_CLEANUP(struct disk *, disk_free);

/* store_load() and store_commit(); -EIO as well while the store could not be opened again. */
int disk_load(void *disk, struct secret *out);
int disk_commit(void *disk, struct bytes blob);

/* After -EIO: the store anew, from what its files say. Return: 0, or as disk_open(). */
int disk_reopen(void *disk);
