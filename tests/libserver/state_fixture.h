/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/libserver/state_fixture.h - A state directory with one card enrolled, and the steps of a
 * voyage with it.
 */
#pragma once

#include "base/cleanup.h"
#include "keyferry/server.h"
#include "format/keys.h"
#include "libserver/json/challenge.h"
#include "tests/libserver/fakecard.h"

FIXTURE(state)
{
	char dir[40], path[64];
	struct fakecard card;
	struct kf_state *state;
	struct kf_error e;
};

static inline void command(const char *format, const char *arg)
{
	char line[256];

	(void)snprintf(line, sizeof(line), "%s %s", format, arg);
	if (system(line) != 0)	/* NOLINT(cert-env33-c) */
		TEST_FAIL("failed: %s", line);
}

static inline int enroll(struct fixture_state *self, const struct fakecard *card, const struct blob *crl)
{
	return kf_state_enroll(self->state, card->cert_der.p, card->cert_der.n, card->root_der.p,
			       card->root_der.n, crl ? crl->p : NULL, crl ? crl->n : 0, 1,
			       &self->e);
}

FIXTURE_SETUP(state)
{
	(void)snprintf(self->dir, sizeof(self->dir), "/tmp/kf-state-XXXXXX");
	ASSERT_NOT_NULL(mkdtemp(self->dir));
	(void)snprintf(self->path, sizeof(self->path), "%s/s", self->dir);
	ASSERT_EQ(0, kf_state_init(self->path, NULL, 0, &self->e));
	ASSERT_EQ(0, kf_state_open(self->path, NULL, 0, &self->state, &self->e));
	fakecard_init(&self->card, NULL);
	ASSERT_EQ(0, enroll(self, &self->card, NULL));
}

FIXTURE_TEARDOWN(state)
{
	kf_state_close(self->state);
	fakecard_deinit(&self->card);
	command("rm -rf", self->dir);
}

static inline void new_nonce(struct fixture_state *self, uint8_t nonce[static KF_NONCE_SIZE])
{
	struct challenge_file file;
	char *json = NULL;
	size_t len = 0;

	ASSERT_EQ(0, kf_state_challenge(self->state, "FAKE-1", 3600, &json, &len, &self->e));
	ASSERT_EQ(0, challenge_file_parse(BYTES(json, len), &file, NULL));
	memcpy(nonce, file.nonce, KF_NONCE_SIZE);
	free(json);
}

static inline int verify(struct fixture_state *self, const char *name, int any, const char *json,
		  struct kf_verified_offer **out)
{
	return kf_state_offer(self->state, name, any, json, strlen(json), out, &self->e);
}

static inline struct kf_keypair *new_pair(enum kf_purpose purpose)
{
	struct kf_keypair *pair = NULL;
	EVP_PKEY *key = NULL;
	char *pem;

	ASSERT_EQ(0, key_generate(KF_KEY_EC_P256, &key));
	pem = fakecard_pem(key);
	ASSERT_EQ(0, kf_keypair_from_pem(pem, strlen(pem), NULL, 0, &pair, NULL));
	ASSERT_EQ(0, kf_keypair_set_purpose(pair, purpose, NULL));
	EVP_PKEY_free(key);
	free(pem);
	return pair;
}

static inline int seal(struct fixture_state *self, const struct kf_verified_offer *offer, char **cargo)
{
	struct kf_keypair *pair = new_pair(KF_PURPOSE_SIGN);
	struct kf_seal_request request = {
		.size = sizeof(request), .offer = offer, .pair = pair,
	};
	size_t len = 0;
	int r = kf_state_seal(self->state, &request, cargo, &len, &self->e);

	kf_keypair_free(pair);
	return r;
}

/* A whole voyage up to the cargo. */
static inline char *sealed_cargo(struct fixture_state *self)
{
	struct kf_verified_offer *offer = NULL;
	uint8_t nonce[KF_NONCE_SIZE];
	char *json, *cargo = NULL;

	new_nonce(self, nonce);
	json = fakecard_offer(&self->card, nonce, NULL);
	ASSERT_EQ(0, verify(self, NULL, 0, json, &offer));
	ASSERT_EQ(0, seal(self, offer, &cargo));
	kf_verified_offer_free(offer);
	free(json);
	return cargo;
}
