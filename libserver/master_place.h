/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/master_place.h - Where the master of a state is that is not in it (master.json, docs/formats.md 9):
 * names for whoever makes a keeper, and by what the right one is known. The library itself follows none of them.
 */
#pragma once

#include "libserver/folder.h"
#include "libserver/server.h"

/**
 * struct master_place - owned copies of a struct kf_master_place
 * @module:	NULL: the master is not elsewhere
 * @label:	or NULL
 * @check:	of the master
 */
struct master_place {
	char *module, *token, *label;
	struct blob id;
	uint8_t check[KF_MASTER_CHECK_SIZE];
};

#define MASTER_PLACE_INIT ((struct master_place){ .id = BLOB_INIT })

/* @place is MASTER_PLACE_INIT. Return: 0, -EINVAL names that could not be followed, -ENOMEM. */
int master_place_set(struct master_place *place, const struct kf_master_place *from, struct kf_error *e);
/* If the state has one. Return: 0, -EBADMSG damaged, -ENOMEM. */
int master_place_load(const struct folder *top, struct master_place *place, struct kf_error *e);
int master_place_keep(const struct folder *top, const struct master_place *place, struct kf_error *e);
void master_place_deinit(struct master_place *place);
