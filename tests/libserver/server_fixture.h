/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/libserver/server_fixture.h - A server and a card that have got as far as a verified offer.
 */
#pragma once

#include "keyferry/server.h"
#include "format/keys.h"
#include "libserver/json/cargo.h"
#include "tests/keys/keys.h"
#include "tests/libserver/fakecard.h"

struct voyage {
	struct fakecard card;
	struct kf_server *server;
	struct kf_enrolled *enrolled;
	struct kf_verified_offer *offer;
	EVP_PKEY *injector;		/* or NULL: open import */
	struct kf_error e;
};

static uint8_t voyage_sender[KF_DIGEST_SIZE];
/* By which method a voyage_init_by() with an AES key offers. */
static enum kf_method voyage_shared = KF_METHOD_DERIVED;

enum { VOYAGE_MASTER = 0x4d };

static inline void voyage_one_sender(struct statement *s)
{
	s->n_injectors = 1;
	memcpy(s->injectors[0], voyage_sender, KF_DIGEST_SIZE);
}

/* Of an offer about PINs. */
static inline void voyage_pins(struct statement *s)
{
	voyage_one_sender(s);
	s->container = KF_CONTAINER_PINS;
	s->holds.present = false;
}

static inline void voyage_pins_file(struct offer_file *file)
{
	file->container = KF_CONTAINER_PINS;
}

/* Up to the verified offer; @bend_statement may be NULL, @exchange KF_KEY_NONE for the RSA key. */
static inline void voyage_init_by(struct voyage *v, bool with_injector, enum kf_key_type exchange,
				  void (*bend_statement)(struct statement *s))
{
	struct fakecard_bend bend = {
		.statement = bend_statement,
		.file = bend_statement == voyage_pins ? voyage_pins_file : NULL,
	};
	uint8_t nonce[KF_NONCE_SIZE];
	char *json;

	*v = (struct voyage){ 0 };
	fakecard_init(&v->card, NULL);
	if (exchange == KF_KEY_AES_256)
		fakecard_share(&v->card, voyage_shared, VOYAGE_MASTER);
	else if (exchange != KF_KEY_NONE)
		fakecard_use(&v->card, exchange);
	ASSERT_EQ(0, kf_server_new(&v->server, NULL));
	if (exchange == KF_KEY_AES_256) {
		const uint8_t methods[] = { KF_METHOD_DERIVED, KF_METHOD_SHARED };
		uint8_t master[SHARED_KEY_SIZE];

		memset(master, VOYAGE_MASTER, sizeof(master));
		ASSERT_EQ(0, kf_server_set_methods(v->server, methods, 2, NULL));
		ASSERT_EQ(0, kf_server_set_master(v->server, master, sizeof(master), NULL));
	}
	kf_server_allow_virtual(v->server, 1);
	if (with_injector) {
		char *pem;

		ASSERT_EQ(0, key_generate(KF_KEY_EC_P256, &v->injector));
		pem = fakecard_pem(v->injector);
		ASSERT_EQ(0, kf_server_set_injector(v->server, pem, strlen(pem), NULL, 0, NULL));
		ASSERT_EQ(0, kf_server_injector_hash(v->server, voyage_sender));
		if (!bend_statement)
			bend.statement = voyage_one_sender;
		free(pem);
	}
	ASSERT_EQ(0, kf_enrolled_new(v->server, v->card.cert_der.p, v->card.cert_der.n,
				     v->card.root_der.p, v->card.root_der.n, NULL, 0,
				     &v->enrolled, NULL));
	ASSERT_EQ(0, kf_nonce_new(nonce, NULL));
	json = fakecard_offer(&v->card, nonce, &bend);
	ASSERT_EQ(0, kf_offer_verify(v->server, v->enrolled, nonce, json, strlen(json), &v->offer,
				     &v->e));
	free(json);
}

static inline void voyage_init(struct voyage *v, bool with_injector,
			       void (*bend_statement)(struct statement *s))
{
	voyage_init_by(v, with_injector, KF_KEY_NONE, bend_statement);
}

static inline void voyage_deinit(struct voyage *v)
{
	kf_verified_offer_free(v->offer);
	kf_enrolled_free(v->enrolled);
	kf_server_free(v->server);
	EVP_PKEY_free(v->injector);
	fakecard_deinit(&v->card);
}

/* What the server says to an offer of the card that is bent like that. */
static inline int voyage_offer_bent(struct voyage *v, const struct fakecard_bend *bend)
{
	struct kf_verified_offer *offer = NULL;
	uint8_t nonce[KF_NONCE_SIZE];
	char *json;
	int r;

	ASSERT_EQ(0, kf_nonce_new(nonce, NULL));
	json = fakecard_offer(&v->card, nonce, bend);
	r = kf_offer_verify(v->server, v->enrolled, nonce, json, strlen(json), &offer, &v->e);
	kf_verified_offer_free(offer);
	free(json);
	return r;
}

/* A fresh key as the server would get it. */
static inline struct kf_keypair *voyage_pair(enum kf_key_type type)
{
	struct kf_keypair *pair = NULL;
	EVP_PKEY *key = NULL;
	char *pem;

	ASSERT_EQ(0, some_key(type, &key));
	pem = fakecard_pem(key);
	ASSERT_EQ(0, kf_keypair_from_pem(pem, strlen(pem), NULL, 0, &pair, NULL));
	free(pem);
	EVP_PKEY_free(key);
	return pair;
}

/* Seals @pair @items times (each replacing the one before) and gives cargo and ticket. */
static inline void voyage_seal(struct voyage *v, struct kf_keypair *pair, unsigned int items,
			       char **cargo, char **ticket)
{
	struct kf_md_key *key = NULL;
	size_t len;

	ASSERT_EQ(0, kf_md_import_session_key(v->server, v->offer, NULL, 0, items, &key, NULL));
	ASSERT_EQ(0, kf_md_set_chaining_mode(key, KF_CHAIN_CBC, NULL));
	for (unsigned int i = 0; i < items; i++) {
		uint8_t *item = NULL;

		ASSERT_EQ(0, kf_md_set_iv(key, NULL, 0, NULL));
		ASSERT_EQ(0, kf_md_encrypt_data(key, key_type_function(kf_keypair_type(pair)), pair,
						&item, &len, &v->e));
		free(item);
		kf_keypair_set_replaces(pair, kf_keypair_hash(pair));
	}
	ASSERT_EQ(0, kf_md_cargo(key, cargo, &len, NULL));
	ASSERT_EQ(0, kf_md_ticket(key, ticket, &len, NULL));
	kf_md_destroy_key(key);
}

/* What the server says of the card's receipt for @cargo, in which @bend changed something. */
static inline int voyage_verify(struct voyage *v, const char *cargo, const char *ticket,
				void (*bend)(struct receipt *r))
{
	struct fakecard_receipt_bend how = { .receipt = bend };
	char *json = fakecard_receipt(&v->card, cargo, 0, &how);
	struct kf_receipt_report *report = NULL;
	int r = kf_receipt_verify(ticket, strlen(ticket), json, strlen(json), &report, &v->e);

	kf_receipt_report_free(report);
	free(json);
	return r;
}
