/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/leak.c - The hook of leaky_driver, which is keyferry-driver but for this file: it
 * keeps a copy of each PIN and item it was handed, and of what is in an item, which it opens with
 * the struct opener at the end of its own program. A control for the planted-secret search, which has
 * to find both there (SECURITY section 10). Never installed.
 */
#include "tests/e2e/leak.h"

#include "base/cleanup.h"
#include "driver/link/hook.h"
#include "format/keys.h"
#include "format/seal.h"

#include <stdio.h>
#include <stdlib.h>

#define KEPT_MAX	64

static void *kept[KEPT_MAX];
static unsigned int n_kept;
static struct opener opener;
static bool can_open;

/* Before main(), which closes itself in. */
__attribute__((constructor)) static void learn(void)
{
	_cleanup_(fclosep) FILE *program = fopen("/proc/self/exe", "re");

	can_open = program && fseek(program, -(long)sizeof(opener), SEEK_END) == 0 &&
		   fread(&opener, sizeof(opener), 1, program) == 1;
}

static void keep(struct bytes part)
{
	void **place = &kept[n_kept++ % KEPT_MAX];

	free(*place);
	*place = malloc(part.n);
	if (*place)
		memcpy(*place, part.p, part.n);
}

static void open_item(const struct item *item)
{
	_cleanup_(item_keys_deinit) struct item_keys keys = ITEM_KEYS_INIT;
	_cleanup_(secret_deinit) struct secret s1 = SECRET_INIT, plain = SECRET_INIT;
	struct item_place place = {
		.method = item->body.method, .function = item->body.function,
		.number = item->body.number,
	};

	memcpy(place.h, opener.h, sizeof(place.h));
	if (secret_init(&s1, KF_S1_SIZE) == 0 && secret_init(&plain, KEY_PLAIN_MAX + 16) == 0 &&
	    secret_set(&s1, BYTES_OF(opener.s1)) == 0 && item_keys_derive(&keys, &s1, &place) == 0 &&
	    item_decrypt(&keys, item->body.iv, item->body.ciphertext, &plain) == 0)
		keep(secret_bytes(&plain));
}

void hook_bytes(struct bytes part)
{
	struct item item;

	if (part.n == 0)
		return;
	keep(part);
	if (can_open && item_parse(part, &item) == 0)
		open_item(&item);
}
