/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/link/message.h - What keyferry and keyferry-pkcs11 say to each other: questions and their answers, a
 * packet each. A PIN goes one way, a wrapped key comes back, or CMACs under a master, which are halves of cards'
 * keys; no key of the token's passes, and there is no message that could carry one.
 *
 *	open	module, token, key, PIN		->
 *					<-	found	type and public half
 *	wrap	KEK, hash, ways allowed		->
 *					<-	wrapped	the blob
 * or
 *	master	the same as open, and whether to make it ->
 *					<-	ready	whether it may leave the token
 *	mac	bytes				->	as often as wanted
 *					<-	maced	CMAC of them
 *	and instead of any answer	<-	failed	a struct kf_error
 */
#pragma once

#include "base/bytes.h"
#include "base/secret.h"
#include "keyferry/error.h"
#include "keyferry/types.h"

enum {
	SOURCE_PACKET_MAX = 16384,
	SOURCE_TEXT_MAX = 4096,		/* a path */
	SOURCE_ID_MAX = 64,
	SOURCE_PIN_MAX = 256,
	SOURCE_SPKI_MAX = 600,
	SOURCE_BLOB_MAX = 4096,
	MASTER_IN_MAX = 256,
	MASTER_MAC_SIZE = 16,
};

enum source_kind {
	SOURCE_OPEN = 1, SOURCE_FOUND, SOURCE_WRAP, SOURCE_WRAPPED, SOURCE_FAILED,
	MASTER_OPEN, MASTER_READY, MASTER_MAC, MASTER_MACED,
};

/* How the source wrapped, best first. */
enum source_way {
	SOURCE_WHOLE = 1,		/* CKM_RSA_AES_KEY_WRAP */
	SOURCE_TWO_STEPS = 2,		/* OAEP and KWP with an AES key of the source's own */
	SOURCE_DIRECT = 3,		/* OAEP of the key */
	SOURCE_OUR_AES = 4,		/* KWP in the source, with an AES key that was in our memory */
	SOURCE_EXTRACTED = 5,		/* the key itself was in our memory */
};

/* All borrowed from the packet. */
struct source_open {
	struct bytes module, token, label, id, pin;	/* label or id may be empty */
};

struct source_found {
	enum kf_key_type type;
	struct bytes spki;		/* empty: the token did not say, or a secret key */
};

struct source_wrap {
	struct bytes kek;		/* SubjectPublicKeyInfo */
	enum kf_hash hash;
	bool direct, allow_extract;
};

/* @zeros: the plaintext inside ends in up to 7 zero bytes that do not belong to it. */
struct source_wrapped {
	enum source_way way;
	bool zeros;
	struct bytes blob;
};

/* @make: there is none of that name yet, and one is generated there. */
struct master_open {
	struct source_open key;
	bool make;
};

void source_open_pack(struct packer *p, const struct source_open *m);
void source_found_pack(struct packer *p, const struct source_found *m);
void source_wrap_pack(struct packer *p, const struct source_wrap *m);
void source_wrapped_pack(struct packer *p, const struct source_wrapped *m);
void source_failed_pack(struct packer *p, const struct kf_error *e);

/* Return: 0, -EBADMSG another message, or not in form. */
int source_open_parse(struct bytes packet, struct source_open *out);
int source_found_parse(struct bytes packet, struct source_found *out);
int source_wrap_parse(struct bytes packet, struct source_wrap *out);
int source_wrapped_parse(struct bytes packet, struct source_wrapped *out);
int source_failed_parse(struct bytes packet, struct kf_error *out);

/* What a packet says it is; 0: nothing. */
int source_kind_of(struct bytes packet);

void master_open_pack(struct packer *p, const struct master_open *m);
void master_ready_pack(struct packer *p, bool extractable);
void master_mac_pack(struct packer *p, struct bytes in);
void master_maced_pack(struct packer *p, struct bytes mac);

/* Return: as above. */
int master_open_parse(struct bytes packet, struct master_open *out);
int master_ready_parse(struct bytes packet, bool *extractable);
int master_mac_parse(struct bytes packet, struct bytes *in);
int master_maced_parse(struct bytes packet, struct bytes *mac);
