/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/kek_statement.h - What a card says about a key-encryption key, signed by its DEVICE key
 * (docs/formats.md 10). Pure. A statement that leaves kek_statement_parse() is of a KEK that could
 * be; whether it is true, and whether its origin is good enough, is for the verifier.
 */
#pragma once

#include "base/bytes.h"
#include "format/numbers.h"
#include "format/statement.h"

#define KEK_STATEMENT_CONTEXT "keyferry/kek/v1"
#define KEK_STATEMENT_MAX 1024		/* DER of the longest statement fits */

/**
 * struct kek_statement - the signed facts, in the order of docs/formats.md 10
 * @serial:	NUL-terminated
 * @device:	SHA-256 of the device certificate
 * @kek:	SPKI hash of the KEK, its id
 * @kek_type:	RSA
 * @origin:	KF_ORIGIN_GENERATED, or KF_ORIGIN_FACTORY: the maker loaded it and may know it
 * @name:	NUL-terminated; see kid.h
 * @hash:	of OAEP and its MGF1
 * @key_types:	what it unwraps, ascending
 * @purposes:	what that may be for, ascending
 */
struct kek_statement {
	enum kf_level level;
	char serial[KF_SERIAL_MAX + 1];
	uint8_t device[KF_DIGEST_SIZE];
	uint8_t kek[KF_DIGEST_SIZE];
	enum kf_key_type kek_type;
	enum kf_origin origin;
	uint32_t container;
	char name[KF_KID_MAX + 1];
	enum kf_hash hash;
	struct number_list key_types;
	struct number_list purposes;
};

/* Return: 0, or -EBADMSG if @der is anything but one statement in form. */
int kek_statement_parse(struct bytes der, struct kek_statement *out);
void kek_statement_pack(struct packer *p, const struct kek_statement *statement);

/*
 * What a KEK may be allowed to unwrap [card-application 7.1]: lists that ascend, of keys that can
 * be unwrapped at all, each type with a purpose for it and each purpose with a type.
 */
bool kek_allows_sense(const struct number_list *key_types, const struct number_list *purposes);
