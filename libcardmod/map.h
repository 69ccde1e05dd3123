/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/map.h - Container map, card identifier and cache file [minidriver 6]. Our card has no
 * file system: the three are written from what it holds, each time they are read.
 */
#pragma once

#include "libcardmod/module.h"

#define MAP_RECORD_SIZE 86
#define MAP_CARD_ID_SIZE 16
#define MAP_CACHE_SIZE 6

/*
 * One record of the container map. The name is a GUID made of the public key's hash: it is the same
 * for all who look, and another when another key takes the place.
 */
void map_record_pack(const struct kf_container *container, struct packer *out);

/* mscp/cmapfile: a record a container. Return: 0, -errno of the card, -EMSGSIZE. */
int map_pack(struct module *module, struct packer *out);

/* cardid: 16 bytes out of the hash of the device certificate, which is the card's for life. */
int map_card_id(struct module *module, struct packer *out);

/*
 * cardcf. Its counters are hashes of what they stand for, so they change when that does, whoever
 * changed it: wContainersFreshness of the containers and their keys, wFilesFreshness of the
 * certificates. bPinsFreshness counts the changes of this context, since a card tells of no others.
 */
int map_cache_pack(struct module *module, struct packer *out);
