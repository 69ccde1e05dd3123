/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/schsm/hsm.h - The inside of the card with the SmartCard-HSM application: what is in force,
 * what is volatile, and how a change becomes permanent.
 */
#pragma once

#include "format/schsm/cvc.h"
#include "format/schsm/sm.h"
#include "vreader/app.h"
#include "vreader/card/reply.h"
#include "vreader/schsm/codec.h"

enum { HSM_TRUSTED_MAX = 4 };

/**
 * struct hsm_memory - the non-volatile memory a card is built on, and where its RSA keys and nonces come
 * from; replaceable so that a test can cut the power at each commit, need not wait for primes, and meets
 * published vectors
 * @owner:	first argument of @load and @commit
 * @load:	disk_load()
 * @commit:	disk_commit()
 * @make_rsa:	a pair of @bits with public exponent @e
 * @random:	@n bytes; 0 or -EIO
 */
struct hsm_memory {
	void *owner;
	int (*load)(void *owner, struct secret *out);
	int (*commit)(void *owner, struct bytes blob);
	int (*make_rsa)(unsigned int bits, uint64_t e, EVP_PKEY **out);
	int (*random)(uint8_t *out, size_t n);
};

/**
 * struct hsm_trust - the certificates that were verified since power on, behind the root
 * @certs:	whole certificates
 * @issuer:	which one MSE chose: 0 none, 1 the root, 2 @certs[0] and so on
 */
struct hsm_trust {
	struct blob *certs[HSM_TRUSTED_MAX];
	size_t n;
	size_t issuer;
};

/**
 * struct hsm_channel - chip authentication, and the secure messaging that follows
 * @wanted:	MSE named the algorithm, the ephemeral key is due
 */
struct hsm_channel {
	struct sm sm;
	bool wanted;
};

/**
 * struct hsm - the card
 * @state:	what is committed; never changed in place
 * @disk:	behind @memory when the card lives in a directory, else NULL
 * @powered:	contacts are up
 * @mute:	a commit ended in doubt: nothing is answered until power on reads the memory again
 * @selected:	our application is; all below is volatile as well
 * @scratch:	content of 2F10, which is in no non-volatile memory
 * @current:	the selected file, 0 if none
 */
struct hsm {
	struct vcard base;
	struct hsm_memory memory;
	struct hsm_state *state;
	struct disk *disk;
	struct reply reply;
	bool powered;
	bool mute;
	bool selected;
	bool user_verified;
	bool so_verified;
	struct secret scratch;
	uint16_t current;
	struct hsm_trust trust;
	struct hsm_channel channel;
};

/* Of the application in vreader/app.h. */
int hsm_personalise(const struct vcard_personalisation *want, char why[static VCARD_WHY_MAX]);

/* Reads the state out of @memory. Return: 0, what load() says, -EBADMSG, -EPROTONOSUPPORT. */
int hsm_new(const struct hsm_memory *memory, struct hsm **out);
struct hsm *hsm_free(struct hsm *hsm);
DEFINE_CLEANUP(struct hsm *, hsm_free);

/* As in vcard.h; power on is a reset as well. */
void hsm_power_on(struct hsm *hsm);
void hsm_power_off(struct hsm *hsm);
int hsm_process(struct hsm *hsm, struct bytes command, struct packer *response);

/*
 * A change: begin with a copy, alter it, commit it. Both return 0 or what the command has to return: a
 * status word, or a negative errno. After a commit that did not return 0 the state in force is the old
 * one, and *next is still the caller's.
 */
int hsm_begin(const struct hsm *hsm, struct hsm_state **next);
int hsm_commit(struct hsm *hsm, struct hsm_state **next);

/* A change of one key, which is the state's when that has been committed. Return: as hsm_commit(), or %SW_FULL. */
int hsm_keep_key(struct hsm *hsm, struct hsm_record *record);

/* Whoever was logged in is not any more, and nothing is selected that could be gone. */
void hsm_log_out(struct hsm *hsm);

/* The status word for a failure of hsm_put_file() or hsm_put_key(). */
static inline int hsm_full(int r)
{
	return r == -ENOSPC ? SW_FULL : r;
}
