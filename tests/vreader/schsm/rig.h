/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/vreader/schsm/rig.h - A virtual SmartCard-HSM whose non-volatile memory is a buffer of the
 * test's, with prepared RSA keys, and the hands of a host to try it with.
 */
#pragma once

#include "vreader/schsm/command.h"

#include <openssl/evp.h>

#define RIG_PIN "648219"
#define RIG_SO_PIN "\x35\x37\x36\x32\x31\x38\x38\x30"
#define RIG_SERIAL "TEST1"
#define RIG_HOLDER "ZZVIRTTEST100001"

/**
 * struct rig - a card and its memory
 * @blob:	what was committed last
 * @commits:	how often
 * @fail_at:	the commit that fails, counted from 1 since rig_fail_at(); 0: none
 * @fail_with:	what it then says
 * @data, @n, @sw: the last response; rig_raw() follows 61xx
 */
struct rig {
	struct hsm *hsm;
	uint8_t blob[HSM_CODEC_MAX];
	size_t blob_len;
	unsigned int commits, fail_at;
	int fail_with;
	uint8_t data[VCARD_RESPONSE_MAX];
	size_t n;
	uint16_t sw;
};

/* As it left its maker, powered, application selected. */
void rig_init(struct rig *rig);
/* Initialised besides, with one DKEK that is complete (rig_share()), user PIN verified. */
void rig_init_ready(struct rig *rig);
void rig_deinit(struct rig *rig);
/* Power cycle on what is in the memory, as after a kill; application selected. */
void rig_restart(struct rig *rig);
void rig_fail_at(struct rig *rig, unsigned int commit, int with);
/* The device key, in place of the one it was made with; its certificate is made anew. */
void rig_set_device(struct rig *rig, EVP_PKEY *device);
/* What the card takes for random from here on, over and over; empty: random. */
void rig_set_random(struct bytes sequence);

/* Whole APDU. Return: the status word, 0 if the card is mute. */
uint16_t rig_raw(struct rig *rig, struct bytes apdu);
/* One command, extended, Le 65536. */
uint16_t rig_send(struct rig *rig, uint8_t cla, uint8_t ins, unsigned int p1p2, struct bytes data);
/* The same, the data field in hexadecimal, blanks allowed. */
uint16_t rig_send_hex(struct rig *rig, uint8_t cla, uint8_t ins, unsigned int p1p2, const char *hex);
static inline struct bytes rig_data(const struct rig *rig)
{
	return BYTES(rig->data, rig->n);
}

uint16_t rig_select(struct rig *rig);
uint16_t rig_verify(struct rig *rig, const char *pin);
/* INITIALIZE with RIG_PIN, RIG_SO_PIN, three tries, options 0001, and @more, a row of TLVs in hexadecimal. */
uint16_t rig_initialize(struct rig *rig, const char *more);
/* 32 bytes: 00 01 .. 1f [card dossier 11.2]. */
struct bytes rig_share(void);

/* A pair on @curve (OpenSSL's name), with @options in hexadecimal behind the template. */
uint16_t rig_generate_ec(struct rig *rig, uint8_t id, const char *curve, const char *options);
uint16_t rig_generate_rsa(struct rig *rig, uint8_t id, unsigned int bits, const char *options);
/* The public key in the last answer, both signatures verified; owned by the caller. */
EVP_PKEY *rig_take_public(const struct rig *rig);

uint16_t rig_read(struct rig *rig, uint16_t fid);
uint16_t rig_write(struct rig *rig, uint16_t fid, struct bytes content);
uint16_t rig_delete(struct rig *rig, uint16_t fid);
/* How many times @fid stands in ENUMERATE's answer. */
unsigned int rig_lists(struct rig *rig, uint16_t fid);
