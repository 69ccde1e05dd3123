/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/secret_mark.h - What a receipt shows of a secret key, which has no public half
 * (docs/formats.md 7.1): what it is called, and that the card has it. Pure.
 */
#pragma once

#include "base/bytes.h"
#include "format/item.h"

#define SECRET_MARK_MAX 80		/* DER */

/**
 * struct secret_mark - evidence of an item that brought a secret key
 * @key:	DER of the value that stands for the key's public half: its KeyMark, or SharedMark; borrowed
 * @proof:	CMAC over the key under K(receipt) of the item, format/seal.h
 */
struct secret_mark {
	struct bytes key;
	uint8_t proof[ITEM_MAC_SIZE];
};

/* Return: 0, or -EBADMSG if @der is anything but one such value in form; @key is not looked into. */
int secret_mark_parse(struct bytes der, struct secret_mark *out);
void secret_mark_pack(struct packer *p, const struct secret_mark *mark);
