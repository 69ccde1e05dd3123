/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A store that does not know what it holds refuses all work (store.h), so it is replaced as a whole.
 * The lock belongs to the old one and has to go first.
 */
#include "vreader/state/disk.h"

#include <stdlib.h>

struct disk {
	struct store *store;
	char *dir;
};

int disk_open(const char *dir, struct disk **out)
{
	_cleanup_(disk_freep) struct disk *disk = calloc(1, sizeof(*disk));
	int r;

	if (!disk)
		return -ENOMEM;
	disk->dir = strdup(dir);
	if (!disk->dir)
		return -ENOMEM;
	r = store_open(dir, STORE_EXISTING, NULL, &disk->store);
	if (r < 0)
		return r;
	*out = take_ptr(disk);
	return 0;
}

struct disk *disk_free(struct disk *disk)
{
	if (!disk)
		return NULL;
	disk->store = store_free(disk->store);
	free(disk->dir);
	free(disk);
	return NULL;
}

int disk_load(void *disk, struct secret *out)
{
	struct disk *d = disk;

	return d->store ? store_load(d->store, out) : -EIO;
}

int disk_commit(void *disk, struct bytes blob)
{
	struct disk *d = disk;

	return d->store ? store_commit(d->store, blob) : -EIO;
}

int disk_reopen(void *disk)
{
	struct disk *d = disk;

	d->store = store_free(d->store);
	return store_open(d->dir, STORE_EXISTING, NULL, &d->store);
}
