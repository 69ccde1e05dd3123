/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/libcardmod/session_fixture.h - The card's half between a fake broker and a fake card's offer,
 * up to the receipt the card signs.
 */
#pragma once

#include "format/hash.h"
#include "format/keys.h"
#include "format/receipt.h"
#include "format/statement.h"
#include "libserver/json/receipt.h"
#include "tests/libcardmod/card_fixture.h"
#include "tests/libserver/fakecard.h"

#include <poll.h>

enum { K1 = 2, TARGET = 3, WRAPPED = 384 };

enum { ITEM = 100 };		/* a sealed item, to those who cannot open it */

FIXTURE(session)
{
	struct card_rig r;
	struct fakecard fake;
	BYTE nonce[32];
	CARD_KEY_HANDLE key;
	DWORD len;
};

FIXTURE_SETUP(session)
{
	card_begin(&self->r);
	fakecard_init(&self->fake, NULL);
	self->nonce[0] = 7;
}

FIXTURE_TEARDOWN(session)
{
	fakecard_deinit(&self->fake);
	card_end(&self->r);
}

/* --- the offer --- */

/* What the card answers to OFFER, made from the parts of a fake card's offer file. */
static inline void reply_offer(struct fixture_session *self)
{
	struct packet p = fake_reply_begin(&self->r.f, KF_OFFER, 0);
	struct kf_offer *offer = packet_body(&p);
	struct offer_file file = OFFER_FILE_INIT;
	struct signed_statement parts;
	uint8_t der[4096];
	struct packer packer = pack_begin(der, sizeof(der));
	char *json = fakecard_offer(&self->fake, self->nonce, NULL);

	ASSERT_EQ(0, offer_file_parse(BYTES(json, strlen(json)), &file, NULL));
	parts.statement = blob_bytes(&file.statement);
	parts.signature = blob_bytes(&file.signature);
	parts.key = blob_bytes(&file.exchange_key);
	signed_statement_pack(&packer, &parts);
	ASSERT_EQ(0, pack_end(&packer));
	offer->container = TARGET;
	offer->exchange_container = K1;
	memcpy(offer->sid, file.sid, sizeof(offer->sid));
	packet_set(&p, kf_offer, statement, pack_done(&packer));
	packet_set(&p, kf_offer, chain, blob_bytes(&self->fake.cert_der));
	fake_send(&self->r.f, &p);
	offer_file_deinit(&file);
	free(json);
}

/* The container with the exchange key. */
static inline void reply_k1(struct fixture_session *self, enum kf_key_type type,
			    enum kf_purpose purpose)
{
	card_reply_container(&self->r, card_entry(K1, type, purpose, 0), BYTES_NONE);
}

static inline void reply_k1_and_offer(struct fixture_session *self)
{
	reply_k1(self, KF_KEY_RSA_3072, KF_PURPOSE_EXCHANGE);
	reply_offer(self);
}

static inline DWORD set(struct fixture_session *self, LPCWSTR name, const void *value, size_t n)
{
	CARD_DATA *c = &self->r.card;

	return c->pfnCardSetContainerProperty(c, K1, name, (PBYTE)(uintptr_t)value, (DWORD)n, 0);
}

static inline DWORD get(struct fixture_session *self, LPCWSTR name, void *value, size_t cap)
{
	CARD_DATA *c = &self->r.card;

	return c->pfnCardGetContainerProperty(c, K1, name, value, (DWORD)cap, &self->len, 0);
}

static inline void make_offer(struct fixture_session *self)
{
	static BYTE offer[16384];
	static const DWORD target = TARGET;
	struct packet p;

	ASSERT_EQ(SCARD_S_SUCCESS, set(self, KF_NONCE_PROPERTY, self->nonce, 32));
	ASSERT_EQ(SCARD_S_SUCCESS, set(self, KF_TARGET_PROPERTY, &target, sizeof(target)));
	reply_k1_and_offer(self);
	ASSERT_EQ(SCARD_S_SUCCESS, get(self, KF_STATEMENT_PROPERTY, offer, sizeof(offer)));
	(void)card_asked(&self->r, KF_CONTAINER_INFO, &p);
	const struct kf_offer *asked = card_asked(&self->r, KF_OFFER, &p);

	EXPECT_EQ(KF_OFFER_EXISTING, asked->flags);
	EXPECT_EQ(K1, asked->exchange_container);
	EXPECT_EQ(TARGET, asked->container);
	EXPECT_EQ(1, asked->n_items);
	EXPECT_MEMEQ(self->nonce, asked->nonce, 32);
}

/* --- session keys --- */

static inline void reply_import(struct fixture_session *self)
{
	struct packet p = fake_reply_begin(&self->r.f, KF_SESSION_IMPORT, 0);

	((struct kf_session_import *)packet_body(&p))->key = FAKE_KEY;
	fake_send(&self->r.f, &p);
}

/* Whether @request is among what was asked; forgets all of that. */
static inline bool was_asked(struct fixture_session *self, uint32_t request)
{
	struct pollfd sent = { .fd = self->r.f.peer, .events = POLLIN };
	bool was = false;

	while (poll(&sent, 1, 0) > 0)
		was |= fake_asked(&self->r.f).header.request == request;
	return was;
}

static inline void set_mode_and_iv(struct fixture_session *self)
{
	static const WCHAR cbc[] = CARD_CHAIN_MODE_CBC;
	CARD_DATA *c = &self->r.card;
	const struct kf_key_prop *asked;
	BYTE iv[16] = { 9 };
	struct packet p;

	card_answer(&self->r, KF_KEY_PROP_SET, 0, 0, 0);
	ASSERT_EQ(SCARD_S_SUCCESS,
		  c->pfnCardSetKeyProperty(c, self->key, CKP_CHAINING_MODE,
					   (PBYTE)(uintptr_t)cbc, sizeof(cbc), 0));
	asked = card_asked(&self->r, KF_KEY_PROP_SET, &p);
	EXPECT_EQ(FAKE_KEY, asked->key);
	EXPECT_EQ(KF_PROP_CHAINING_MODE, asked->prop);
	card_answer(&self->r, KF_KEY_PROP_SET, 0, 0, 0);
	ASSERT_EQ(SCARD_S_SUCCESS,
		  c->pfnCardSetKeyProperty(c, self->key, CKP_INITIALIZATION_VECTOR, iv, 16, 0));
	(void)card_asked(&self->r, KF_KEY_PROP_SET, &p);
	EXPECT_BYTES_EQ(BYTES_OF(iv), packet_get(&p, kf_key_prop, value));
}

/* What the card signs when it has installed item @which; @bend may be NULL. */
static inline struct blob make_receipt(struct fixture_session *self, BYTE which,
				       void (*bend)(struct receipt *r))
{
	const struct statement *st = &self->fake.statement;
	uint8_t item[ITEM], spki[SPKI_MAX], der[RECEIPT_MAX], sig[ECDSA_SIG_MAX], all[RECEIPT_MAX];
	struct packer key = pack_begin(spki, sizeof(spki)), p = pack_begin(der, sizeof(der));
	struct packer s = pack_begin(sig, sizeof(sig)), whole = pack_begin(all, sizeof(all));
	struct blob receipt = BLOB_INIT;
	struct receipt r = {
		.number = 1, .function = KF_FUNCTION_IMPORT_KEYPAIR, .method = KF_METHOD_RSA,
		.container = TARGET, .pin = KF_PIN_USER, .key_type = KF_KEY_EC_P256,
		.purpose = KF_PURPOSE_SIGN, .result = RECEIPT_INSTALLED, .counter = 7,
	};

	memset(item, which, sizeof(item));
	ASSERT_EQ(0, sha256(BYTES_OF(item), r.item));
	ASSERT_EQ(0, key_spki(self->fake.device_key, &key));
	memcpy(r.device, st->device, sizeof(r.device));
	memcpy(r.serial, st->serial, sizeof(r.serial));
	memcpy(r.sid, st->sid, sizeof(r.sid));
	memcpy(r.exchange, st->exchange, sizeof(r.exchange));
	r.evidence = pack_done(&key);
	if (bend)
		bend(&r);
	receipt_pack(&p, &r);
	ASSERT_EQ(0, ecdsa_sign(self->fake.device_key, pack_done(&p), BYTES_NONE, &s));
	signed_receipt_pack(&whole, &(struct signed_receipt){ pack_done(&p), pack_done(&s) });
	ASSERT_EQ(0, pack_end(&whole));
	ASSERT_EQ(0, blob_set(&receipt, pack_done(&whole)));
	return receipt;
}

static inline void reply_receipt(struct fixture_session *self, uint32_t request, BYTE which,
				 void (*bend)(struct receipt *r))
{
	struct packet p = fake_reply_begin(&self->r.f, request, 0);
	struct blob receipt = make_receipt(self, which, bend);

	if (request == KF_PROCESS)
		packet_set(&p, kf_process, receipt, blob_bytes(&receipt));
	else
		packet_set(&p, kf_receipt_get, receipt, blob_bytes(&receipt));
	fake_send(&self->r.f, &p);
	blob_deinit(&receipt);
}

