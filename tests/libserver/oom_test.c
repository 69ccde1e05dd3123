// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libserver/oom_test.c - Every allocation of a parse, a seal and a proof fails once, OpenSSL's
 * and jansson's among them. What must hold: the answer says that memory ran out, and blames neither
 * card nor file; nothing comes half; and where the nonce is gone without a cargo, the words say so.
 */
#include "libserver/json/cargo.h"
#include "libserver/json/receipt.h"
#include "libserver/ticket.h"
#include "tests/keys/keys.h"
#include "tests/libserver/server_fixture.h"
#include "tests/libserver/state_fixture.h"
#include "tests/oom_all.h"

#include <jansson.h>

enum { CALLS_MAX = 100000 };

/*
 * jansson 2.14 loses the bytes of a token whose buffer cannot grow and then runs past its end. No
 * caller can help that, so the growing (to a power of two, from 32) is the one thing that succeeds.
 */
static void *json_malloc(size_t n)
{
	return n >= 32 && (n & (n - 1)) == 0 ? OOM_BEHIND(malloc)(n) : malloc(n);
}

struct oom {
	struct bytes text, other;
	struct kf_error e;
	void *arg;
};

/* The first 60 one by one, those that follow in steps of @step. Return: how many @call makes. */
static long each_fails_once(int (*call)(struct oom *), struct oom *oom, long step)
{
	(void)call(oom);		/* what is made once for the whole process */
	for (long n = 0; n < CALLS_MAX; n += n < 60 ? 1 : step) {
		bool all;
		int r;

		oom->e = (struct kf_error)KF_ERROR_INIT;
		oom_in = n;
		r = call(oom);
		all = oom_in >= 0;
		oom_in = -1;
		if (all) {
			EXPECT_EQ(0, r);
			return n;
		}
		/* Some allocations OpenSSL can do without: then the result has to be the usual one. */
		if (r != 0 && r != -ENOMEM)
			TEST_FAIL("allocation %ld: %d (%s: %s)", n, r, oom->e.what, oom->e.why);
	}
	return CALLS_MAX;
}

static int parse_challenge(struct oom *oom)
{
	struct challenge_file file;

	return challenge_file_parse(oom->text, &file, &oom->e);
}

static int parse_offer(struct oom *oom)
{
	struct offer_file file = OFFER_FILE_INIT;
	int r = offer_file_parse(oom->text, &file, &oom->e);

	offer_file_deinit(&file);
	return r;
}

static int parse_cargo(struct oom *oom)
{
	struct cargo_file file = CARGO_FILE_INIT;
	int r = cargo_file_parse(oom->text, &file, &oom->e);

	cargo_file_deinit(&file);
	return r;
}

static int parse_receipt(struct oom *oom)
{
	struct receipt_file file = RECEIPT_FILE_INIT;
	int r = receipt_file_parse(oom->text, &file, &oom->e);

	receipt_file_deinit(&file);
	return r;
}

static int parse_ticket(struct oom *oom)
{
	struct ticket ticket = TICKET_INIT;
	int r = ticket_parse(oom->text, &ticket, &oom->e);

	ticket_deinit(&ticket);
	return r;
}

static int prove(struct oom *oom)
{
	struct kf_receipt_report *report = NULL;
	int r = kf_receipt_verify(oom->text.p, oom->text.n, oom->other.p, oom->other.n, &report,
				  &oom->e);

	kf_receipt_report_free(report);
	return r;
}

static int read_pair(struct oom *oom)
{
	struct kf_keypair *pair = NULL;
	int r = kf_keypair_from_pem(oom->text.p, oom->text.n, NULL, 0, &pair, &oom->e);

	kf_keypair_free(pair);
	return r;
}

static int verify_offer(struct oom *oom)
{
	struct voyage *v = oom->arg;
	struct kf_verified_offer *offer = NULL;
	int r = kf_offer_verify(v->server, v->enrolled, v->card.statement.nonce, oom->text.p,
				oom->text.n, &offer, &oom->e);

	kf_verified_offer_free(offer);
	return r;
}

static int enrol(struct oom *oom)
{
	struct voyage *v = oom->arg;
	struct kf_enrolled *card = NULL;
	int r = kf_enrolled_new(v->server, v->card.cert_der.p, v->card.cert_der.n,
				v->card.root_der.p, v->card.root_der.n, NULL, 0, &card, &oom->e);

	kf_enrolled_free(card);
	return r;
}

static int parse_byok(struct oom *oom)
{
	struct kf_byok *byok = NULL;
	int r = kf_byok_parse(oom->text.p, oom->text.n, 0, &byok, &oom->e);

	kf_byok_free(byok);
	return r;
}

static int wrap(struct oom *oom)
{
	const struct kf_byok_plan plan = { .size = sizeof(plan), .format = KF_BYOK_AZURE };
	const struct kf_byok_label label = {
		.size = sizeof(label), .kid = "https://v/keys/k", .hash = KF_HASH_SHA1, .generator = "g",
	};
	struct kf_byok_kek *kek = NULL;
	struct kf_byok_target *target = NULL;
	uint8_t *blob = NULL, *file = NULL;
	size_t len = 0;
	int r = kf_byok_kek_new(oom->other.p, oom->other.n, &kek, &oom->e);

	if (r == 0) {
		kf_byok_kek_take_unattested(kek);
		r = kf_byok_target_from_pem(oom->text.p, oom->text.n, NULL, 0, &target, &oom->e);
	}
	if (r == 0)
		r = kf_byok_wrap(kek, target, &plan, &blob, &len, &oom->e);
	if (r == 0)
		r = kf_byok_write(KF_BYOK_AZURE, &label, blob, len, &file, &len, &oom->e);
	free(file);
	free(blob);
	kf_byok_target_free(target);
	kf_byok_kek_free(kek);
	return r;
}

static struct bytes text_of(const char *text)
{
	return BYTES(text, strlen(text));
}

static char *challenge_text(const struct voyage *v)
{
	const uint8_t nonce[KF_NONCE_SIZE] = { 1 };
	char *text = NULL;
	size_t len = 0;

	ASSERT_EQ(0, kf_challenge_write(v->enrolled, nonce, 1000, 2000, &text, &len, NULL));
	return text;
}

TEST_TIMEOUT(out_of_memory_is_told_and_blames_nobody, 300)
{
	struct kf_keypair *pair = voyage_pair(KF_KEY_EC_P256);
	struct oom oom = { 0 };
	char *cargo, *ticket, *receipt, *offer, *pem, *challenge;
	EVP_PKEY *key = NULL;
	struct voyage v;

	json_set_alloc_funcs(json_malloc, free);
	voyage_init(&v, true, NULL);
	voyage_seal(&v, pair, 1, &cargo, &ticket);
	receipt = fakecard_receipt(&v.card, cargo, 0, NULL);
	oom.text = text_of(cargo);
	EXPECT_LT(10, each_fails_once(parse_cargo, &oom, 1));
	challenge = challenge_text(&v);
	oom.text = text_of(challenge);
	EXPECT_LT(10, each_fails_once(parse_challenge, &oom, 1));
	oom.text = text_of(receipt);
	EXPECT_LT(10, each_fails_once(parse_receipt, &oom, 1));
	oom.text = text_of(ticket);
	EXPECT_LT(10, each_fails_once(parse_ticket, &oom, 1));
	oom.other = text_of(receipt);
	EXPECT_LT(100, each_fails_once(prove, &oom, 1));
	offer = fakecard_offer(&v.card, v.card.statement.nonce,
			       &(struct fakecard_bend){ .statement = voyage_one_sender });
	oom.text = text_of(offer);
	EXPECT_LT(10, each_fails_once(parse_offer, &oom, 1));
	oom.arg = &v;
	EXPECT_LT(100, each_fails_once(verify_offer, &oom, 1));
	EXPECT_LT(100, each_fails_once(enrol, &oom, 1));
	ASSERT_EQ(0, key_generate(KF_KEY_EC_P256, &key));
	pem = fakecard_pem(key);
	oom.text = text_of(pem);
	EXPECT_LT(20, each_fails_once(read_pair, &oom, 1));
	EVP_PKEY_free(key);
	free(pem);
	/* Steps of a prime, for time: both primes of the key are tested in each round. */
	ASSERT_EQ(0, some_key(KF_KEY_RSA_2048, &key));
	pem = fakecard_pem(key);
	oom.text = text_of(pem);
	EXPECT_LT(100, each_fails_once(read_pair, &oom, 13));
	EVP_PKEY_free(key);
	free(pem);
	free(challenge);
	free(offer);
	free(receipt);
	free(ticket);
	free(cargo);
	kf_keypair_free(pair);
	voyage_deinit(&v);
}

TEST_TIMEOUT(wrapping_out_of_memory_blames_nobody, 300)
{
	const struct kf_byok_label label = {
		.size = sizeof(label), .kid = "https://v/keys/k", .hash = KF_HASH_SHA1, .generator = "g",
	};
	struct oom oom = { 0 };
	uint8_t spki[SPKI_MAX], blob[272] = { 1 }, *file = NULL;
	struct packer p = pack_begin(spki, sizeof(spki));
	EVP_PKEY *key = NULL;
	size_t len = 0;
	char *pem;

	json_set_alloc_funcs(json_malloc, free);
	ASSERT_EQ(0, kf_byok_write(KF_BYOK_AZURE, &label, blob, sizeof(blob), &file, &len, NULL));
	oom.text = BYTES(file, len);
	EXPECT_LT(10, each_fails_once(parse_byok, &oom, 1));
	free(file);
	ASSERT_EQ(0, key_spki(fakecard_exchange_key(), &p));
	oom.other = pack_done(&p);
	ASSERT_EQ(0, key_generate(KF_KEY_EC_P256, &key));
	pem = fakecard_pem(key);
	oom.text = text_of(pem);
	EXPECT_LT(100, each_fails_once(wrap, &oom, 1));
	EVP_PKEY_free(key);
	free(pem);
}

/* One seal with a fresh offer in which the @n-th allocation fails. Return: whether it got through. */
static bool seal_without(struct fixture_state *self, long n)
{
	struct kf_verified_offer *offer = NULL;
	struct kf_keypair *pair = new_pair(KF_PURPOSE_SIGN);
	uint8_t nonce[KF_NONCE_SIZE];
	char *json, *cargo = NULL, *again = NULL;
	struct kf_seal_request request = { .size = sizeof(request), .pair = pair };
	size_t len = 0;
	bool all;
	int r;

	new_nonce(self, nonce);
	json = fakecard_offer(&self->card, nonce, NULL);
	ASSERT_EQ(0, verify(self, NULL, 0, json, &offer));
	request.offer = offer;
	self->e = (struct kf_error)KF_ERROR_INIT;
	oom_in = n;
	r = kf_state_seal(self->state, &request, &cargo, &len, &self->e);
	all = oom_in >= 0;
	oom_in = -1;
	EXPECT_EQ(r == 0, cargo != NULL);
	if (r < 0) {
		struct kf_error e = KF_ERROR_INIT;
		int second = kf_state_seal(self->state, &request, &again, &len, &e);

		if (r != -ENOMEM)
			TEST_FAIL("allocation %ld: %d (%s)", n, r, self->e.why);
		/* Spent and told so, or still good: nothing else. */
		EXPECT_EQ(second < 0, strstr(self->e.next, "this one is spent") != NULL);
		EXPECT_TRUE(second == 0 || (second == -EACCES && strstr(e.why, "used before")));
	}
	kf_verified_offer_free(offer);
	kf_keypair_free(pair);
	free(again);
	free(cargo);
	free(json);
	return all;
}

/* Steps of a prime, for time: a seal writes to the disk, and allocates some thousand times. */
TEST_F_TIMEOUT(state, a_seal_leaves_a_good_offer_or_says_it_is_spent, 300)
{
	long n = 0;

	json_set_alloc_funcs(json_malloc, free);
	ASSERT_TRUE(seal_without(self, CALLS_MAX));
	while (n < CALLS_MAX && !seal_without(self, n))
		n += n < 60 ? 1 : 13;
	EXPECT_LT(100, n);
	EXPECT_LT(n, CALLS_MAX);
	self->state = kf_state_close(self->state);
	ASSERT_EQ(0, kf_state_open(self->path, NULL, 0, &self->state, &self->e));
	EXPECT_TRUE(seal_without(self, CALLS_MAX));
}
