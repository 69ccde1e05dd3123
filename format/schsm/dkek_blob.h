/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/schsm/dkek_blob.h - A key wrapped under the DKEK, as WRAP KEY makes it and UNWRAP KEY takes it
 * [card dossier 2.6]. Its header is public and authenticated; the key in it is encrypted.
 *
 * Whoever has the DKEK can make one and open one, on every card that has it and for ever: a blob is bound
 * to no card, no container and no time.
 */
#pragma once

#include "format/schsm/dkek.h"
#include "format/schsm/dkek_key.h"

enum {
	DKEK_ALGORITHMS_MAX = 64,	/* ids in the list of what is allowed */
	DKEK_BLOB_MAX = 1280,		/* RSA-4096 with a full list: 1163 */
	DKEK_ALGORITHM_WRAP = 0x92,	/* may leave the card again, under the same DKEK */
};

/**
 * struct dkek_blob - what can be read without the DKEK; borrowed from the blob
 * @kcv:	DKEK_KCV_SIZE bytes: of the DKEK it is under
 * @algorithms:	P2 of each operation allowed; empty: all are, wrapping among them
 */
struct dkek_blob {
	struct bytes kcv;
	enum dkek_type type;
	struct bytes algorithms;
};

/* Return: 0, -EBADMSG. */
int dkek_blob_parse(struct bytes blob, struct dkek_blob *out);

/* Whether a card would wrap the key out again. */
bool dkek_blob_may_leave(const struct dkek_blob *blob);

/*
 * Wraps @key. @random makes the blob, and may be used once; the caller gives it so that the same blob can
 * be had again.
 *
 * Return: 0; -EINVAL for a list that is too long, or a key without private half; -EOPNOTSUPP for a key
 * of no type or size that a blob has; -EMSGSIZE, -EIO, -ENOMEM.
 */
int dkek_blob_make(const struct dkek *dkek, const struct dkek_key *key, struct bytes algorithms,
		   const uint8_t random[static DKEK_RANDOM_SIZE], struct packer *out);

/*
 * Opens @blob. The MAC comes first: nothing is decrypted that whoever made it did not write.
 *
 * Return: 0 and a key owned by the caller; -EBADMSG whatever is wrong: header, check value, MAC,
 * padding, a field or the key; -EIO, -ENOMEM.
 */
int dkek_blob_open(const struct dkek *dkek, struct bytes blob, struct dkek_key *out);
