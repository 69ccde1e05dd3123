/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/shared_item.h - A SHARED key on its way into a card (docs/formats.md 6.1), and what the card calls it
 * afterwards: method and mark, which say nothing of the key. Pure.
 */
#pragma once

#include "format/shared.h"

#define SHARED_ITEM_SIZE 39
#define SHARED_MARK_DER_MAX 48

/**
 * struct shared_item - the plaintext
 * @method:	the one that the key is for
 * @key:	SHARED_KEY_SIZE bytes, borrowed
 */
struct shared_item {
	enum kf_method method;
	struct bytes key;
};

/* Writes SHARED_ITEM_SIZE bytes into @out. Return: 0, -EMSGSIZE. */
int shared_item_encode(const struct shared_item *item, struct secret *out);
/* @out borrows from @plain. Return: 0, or -EBADMSG if it is anything but one item in form. */
int shared_item_decode(struct bytes plain, struct shared_item *out);

/* What stands for the public half that a SHARED key has not: @info's method and mark, as DER. */
void shared_mark_pack(struct packer *p, const struct shared_info *info);
