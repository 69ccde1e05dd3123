/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/json/fleet.h - The two files of a key for SmartCard-HSMs with one DKEK (docs/formats.md 15):
 * the cargo, server to client, and what the key answered, back. Neither holds a secret to who has not the
 * DKEK; nobody has signed either.
 */
#pragma once

#include "format/schsm/proof.h"
#include "libserver/json/object.h"

enum {
	FLEET_CARD_MAX = 253,		/* containers; 0 is the device key */
	FLEET_LABEL_MAX = KF_KEY_LABEL_MAX,
	FLEET_KCV_SIZE = 8,
	FLEET_ANSWER_MAX = 512,		/* a signature, or what a challenge decrypts to */
};

/**
 * struct fleet_cargo - a wrapped key and what is to become of it
 * @serial:	the card it is for, which nothing enforces but our own client; empty: any of the fleet
 * @container:	on the card
 * @kcv:	check value of the DKEK
 * @label:	what to call the key; empty: nothing
 * @public_hash: SHA-256 of its SubjectPublicKeyInfo, if @is_pair
 * @certificate: X.509, DER, to be stored beside it; empty: none
 * @operation:	what the key is to do with @input as proof that it is there
 */
struct fleet_cargo {
	char serial[KF_SERIAL_MAX + 1];
	uint8_t sid[KF_SID_SIZE];
	uint32_t container;
	enum kf_key_type key_type;
	enum kf_purpose purpose;
	uint8_t kcv[FLEET_KCV_SIZE];
	char label[FLEET_LABEL_MAX + 1];
	bool is_pair;
	uint8_t public_hash[KF_DIGEST_SIZE];
	struct blob blob;
	struct blob certificate;
	enum kf_grade grade;
	enum proof_operation operation;
	struct blob input;
};

#define FLEET_CARGO_INIT ((struct fleet_cargo){ 0 })

/* Fills @out, which is FLEET_CARGO_INIT. Return: 0, -EBADMSG, -ENOMEM. */
int fleet_cargo_parse(struct bytes text, struct fleet_cargo *out, struct kf_error *e);
int fleet_cargo_write(const struct fleet_cargo *cargo, char **text, size_t *len, struct kf_error *e);
/* For people: UTF-8, 1 to %FLEET_LABEL_MAX bytes, no control characters, as what is shown of the card has none. */
bool fleet_label_is_valid(const char *text);

/* That it says of the blob what the blob says of itself. Return: 0, -EBADMSG. */
int fleet_cargo_check(const struct fleet_cargo *cargo, struct kf_error *e);
void fleet_cargo_deinit(struct fleet_cargo *cargo);

/**
 * struct fleet_receipt - what the key answered
 * @serial:	of the card the client had, it says
 */
struct fleet_receipt {
	char serial[KF_SERIAL_MAX + 1];
	uint8_t sid[KF_SID_SIZE];
	uint32_t container;
	struct blob answer;
};

#define FLEET_RECEIPT_INIT ((struct fleet_receipt){ 0 })

int fleet_receipt_parse(struct bytes text, struct fleet_receipt *out, struct kf_error *e);
int fleet_receipt_write(const struct fleet_receipt *receipt, char **text, size_t *len,
			struct kf_error *e);
void fleet_receipt_deinit(struct fleet_receipt *receipt);

/* Members that both files and the ticket have. */
void fleet_take_serial(struct json_in *in, char out[static KF_SERIAL_MAX + 1]);
void fleet_put_serial(json_t **object, const char *serial);
uint32_t fleet_take_container(struct json_in *in);
enum kf_key_type fleet_take_key_type(struct json_in *in);
/* One that keys of @type have. */
enum kf_purpose fleet_take_purpose(struct json_in *in, enum kf_key_type type);
enum proof_operation fleet_take_operation(struct json_in *in);

/* Whether @text is a file of the fleet's, for who has one of two kinds; looks at nothing but "format". */
bool fleet_is_cargo(struct bytes text);
bool fleet_is_receipt(struct bytes text);
