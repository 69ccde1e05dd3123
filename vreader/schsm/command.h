/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/schsm/command.h - The command table and what its rows are made of. A row says what the card
 * demands before it works: P1 and P2, whether data may be there, whether the user PIN must have been
 * verified. hsm_answer() judges in this order: lengths, class, instruction, selection, P1 P2, data, PIN.
 */
#pragma once

#include "vreader/card/apdu.h"
#include "vreader/schsm/hsm.h"

enum hsm_data {
	HSM_DATA_NONE,			/* any data is 6700 */
	HSM_DATA_SOME,			/* none is 6700 */
	HSM_DATA_ANY,
};

enum hsm_auth { HSM_AUTH_NONE, HSM_AUTH_USER };

/**
 * struct hsm_request - a command on its way
 * @data:	the data field
 * @ne:		most response bytes wanted
 */
struct hsm_request {
	uint8_t p1, p2;
	struct bytes data;
	size_t ne;
};

/**
 * struct hsm_rule - a row of the table
 * @cla:	00 or 80
 * @p1_last, @p2_last: P1 and P2 may be from @p1 and @p2 to these
 * @run:	writes response data. Return: %SW_OK, another status word, or a negative errno
 */
struct hsm_rule {
	const char *name;
	uint8_t cla, ins, p1, p1_last, p2, p2_last;
	enum hsm_data data;
	enum hsm_auth auth;
	int (*run)(struct hsm *hsm, const struct hsm_request *request, struct packer *out);
};

/* The table, for tests to walk. */
const struct hsm_rule *hsm_rules(size_t *n);

/* Answers one command. Return: the status word. */
uint16_t hsm_answer(struct hsm *hsm, struct bytes command, struct packer *out);

#define HSM_RUN(name) int name(struct hsm *hsm, const struct hsm_request *request, struct packer *out)

/* file.c */
HSM_RUN(hsm_select_app);
HSM_RUN(hsm_select_file);
HSM_RUN(hsm_enumerate);
HSM_RUN(hsm_read_binary);
HSM_RUN(hsm_update_binary);
HSM_RUN(hsm_delete);
/* pin.c */
HSM_RUN(hsm_verify);
HSM_RUN(hsm_change);
HSM_RUN(hsm_reset_retry);
HSM_RUN(hsm_reset_retry_verified);
/* Whether @given is the SO-PIN; a try is spent. Return: 0 and the caller's commit gives the tries back. */
int hsm_so_pin_compare(struct hsm *hsm, struct bytes given);
/* initialize.c */
HSM_RUN(hsm_initialize);
HSM_RUN(hsm_challenge);
HSM_RUN(hsm_pka);
/* generate.c */
HSM_RUN(hsm_generate_pair);
HSM_RUN(hsm_generate_secret);
/* domain.c */
HSM_RUN(hsm_domain_share);
HSM_RUN(hsm_domain_create);
HSM_RUN(hsm_domain_delete);
HSM_RUN(hsm_domain_forget);
/* The check value of a DKEK. Return: 0, -EIO, -ENOMEM. */
int hsm_kcv(struct bytes kek, uint8_t out[static HSM_KCV_SIZE]);
/* wrap.c */
HSM_RUN(hsm_wrap);
HSM_RUN(hsm_unwrap);
/* use.c */
HSM_RUN(hsm_sign);
HSM_RUN(hsm_decipher);
HSM_RUN(hsm_agree);
HSM_RUN(hsm_cipher);
HSM_RUN(hsm_refuse);
/*
 * One use of a key that has a counter is gone, on the disk. @record is of the state before. Return: SW_OK,
 * another status word, a negative errno.
 */
int hsm_spend_use(struct hsm *hsm, const struct hsm_record *record);
/* trust.c */
HSM_RUN(hsm_choose_issuer);
HSM_RUN(hsm_verify_cert);
void hsm_trust_drop(struct hsm_trust *trust);
/* channel.c */
HSM_RUN(hsm_choose_agreement);
HSM_RUN(hsm_authenticate_chip);
void hsm_channel_end(struct hsm_channel *channel);
/* A protected command becomes the one that was meant, its data in @plain. Return: SW_OK, a status word. */
int hsm_channel_open(struct hsm_channel *channel, struct apdu *apdu, struct packer *plain);
/* Its answer. Return: 0, a negative errno. */
int hsm_channel_close(struct hsm_channel *channel, struct bytes data, uint16_t sw,
		      struct packer *out);
