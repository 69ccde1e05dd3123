// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libserver/offer_test.c - Every check of an offer, each with an offer that fails it alone.
 *
 * Faces: libserver/server.c libserver/challenge.c
 */
#include "keyferry/server.h"
#include "format/keys.h"
#include "libserver/json/challenge.h"
#include "tests/keys/keys.h"
#include "tests/libserver/fakecard.h"

#include <openssl/rand.h>

FIXTURE(offer)
{
	struct fakecard card;
	struct kf_server *server;
	struct kf_enrolled *enrolled;
	uint8_t nonce[KF_NONCE_SIZE];
	struct kf_error e;
};

FIXTURE_SETUP(offer)
{
	fakecard_init(&self->card, NULL);
	ASSERT_EQ(0, kf_server_new(&self->server, NULL));
	kf_server_allow_virtual(self->server, 1);
	ASSERT_EQ(0, kf_enrolled_new(self->server, self->card.cert_der.p, self->card.cert_der.n,
				     self->card.root_der.p, self->card.root_der.n, NULL, 0,
				     &self->enrolled, &self->e));
	ASSERT_EQ(0, kf_nonce_new(self->nonce, NULL));
}

FIXTURE_TEARDOWN(offer)
{
	kf_enrolled_free(self->enrolled);
	kf_server_free(self->server);
	fakecard_deinit(&self->card);
}

static int verify(struct fixture_offer *self, const struct fakecard_bend *bend,
		  struct kf_verified_offer **out)
{
	char *json = fakecard_offer(&self->card, self->nonce, bend);
	int r = kf_offer_verify(self->server, self->enrolled, self->nonce, json, strlen(json), out,
				&self->e);

	free(json);
	return r;
}

#define REFUSED(self, r, bend, text) do { \
	struct kf_verified_offer *offer_ = NULL; \
	EXPECT_EQ(r, verify(self, bend, &offer_)); \
	EXPECT_NULL(offer_); \
	EXPECT_STREQ("the offer is refused", (self)->e.what); \
	EXPECT_NE(0, strlen((self)->e.rule)); \
	EXPECT_NE(0, strlen((self)->e.next)); \
	if (!strstr((self)->e.why, text)) \
		TEST_FAIL("wanted \"%s\" in \"%s\"", text, (self)->e.why); \
} while (0)

TEST_F(offer, a_good_offer_tells_what_the_card_signed)
{
	struct kf_verified_offer *offer = NULL;
	const struct statement *s = &self->card.statement;

	ASSERT_EQ(0, verify(self, NULL, &offer));
	EXPECT_STREQ("FAKE-1", kf_verified_offer_serial(offer));
	EXPECT_STREQ(kf_enrolled_fingerprint(self->enrolled),
		     kf_verified_offer_fingerprint(offer));
	EXPECT_EQ(3, kf_verified_offer_container(offer));
	EXPECT_EQ(KF_METHOD_RSA, kf_verified_offer_method(offer));
	EXPECT_EQ(KF_KEY_RSA_3072, kf_verified_offer_exchange_type(offer));
	EXPECT_EQ(KF_GRADE_A_VIRTUAL, kf_verified_offer_grade(offer));
	EXPECT_STREQ("A-virtual", kf_grade_name(kf_verified_offer_grade(offer)));
	EXPECT_MEMEQ(s->sid, kf_verified_offer_sid(offer), KF_SID_SIZE);
	EXPECT_MEMEQ(self->card.h, kf_verified_offer_hash(offer), KF_DIGEST_SIZE);
	EXPECT_MEMEQ(self->nonce, kf_verified_offer_nonce(offer), KF_NONCE_SIZE);
	EXPECT_NULL(kf_verified_offer_holds(offer));
	EXPECT_FALSE(kf_verified_offer_is_signed(offer));
	EXPECT_TRUE(kf_verified_offer_takes(offer, KF_KEY_EC_P256));
	EXPECT_FALSE(kf_verified_offer_takes(offer, KF_KEY_AES_128));
	kf_verified_offer_free(offer);
}

static EVP_PKEY *swapped;

static void swap_key(struct offer_file *file)
{
	uint8_t spki[SPKI_MAX];
	struct packer p = pack_begin(spki, sizeof(spki));

	ASSERT_EQ(0, some_key(KF_KEY_RSA_2048, &swapped));
	ASSERT_EQ(0, key_spki(swapped, &p));
	ASSERT_EQ(0, blob_set(&file->exchange_key, pack_done(&p)));
	EVP_PKEY_free(swapped);
}

TEST_F(offer, a_swapped_exchange_key_is_refused)
{
	REFUSED(self, -EACCES, &(struct fakecard_bend){ .file = swap_key }, "swapped");
}

TEST_F(offer, another_card_of_the_same_maker_is_refused)
{
	struct fakecard other;

	fakecard_init_sibling(&other, &self->card, &(struct fakecard_style){ .serial = "FAKE-1" });
	fakecard_deinit(&self->card);
	self->card = other;
	REFUSED(self, -EACCES, NULL, "another card");
}

TEST_F(offer, an_answer_to_another_challenge_is_refused)
{
	uint8_t wanted[KF_NONCE_SIZE];
	char *json = fakecard_offer(&self->card, self->nonce, NULL);
	struct kf_verified_offer *offer = NULL;

	ASSERT_EQ(0, kf_nonce_new(wanted, NULL));
	EXPECT_EQ(-EACCES, kf_offer_verify(self->server, self->enrolled, wanted, json,
					   strlen(json), &offer, &self->e));
	EXPECT_NULL(offer);
	free(json);
}

static void flip_signature(struct offer_file *file)
{
	file->signature.p[file->signature.n - 1] ^= 1;
}

static void flip_statement(struct offer_file *file)
{
	file->statement.p[file->statement.n - 1] ^= 1;
}

TEST_F(offer, what_the_card_did_not_sign_is_refused)
{
	REFUSED(self, -EACCES, &(struct fakecard_bend){ .file = flip_signature }, "signature");
	REFUSED(self, -EACCES, &(struct fakecard_bend){ .file = flip_statement }, "signature");
}

static void other_purpose(struct statement *s) { s->purpose = KF_PURPOSE_DECRYPT; }
static void other_origin(struct statement *s) { s->origin = KF_ORIGIN_INJECTED; }
static void other_level(struct statement *s) { s->level = KF_LEVEL_CHIP; }
static void other_serial(struct statement *s) { s->serial[0] = 'G'; }
static void other_device(struct statement *s) { s->device[0] ^= 1; }
static void other_exchange(struct statement *s) { s->exchange[0] ^= 1; }
static void other_type(struct statement *s) { s->exchange_type = KF_KEY_RSA_4096; }
static void other_method(struct statement *s) { s->methods.v[0] = KF_METHOD_ECDH; }
static void no_method(struct statement *s) { s->methods.n = 0; }
static void no_padding(struct statement *s) { s->paddings.n = 0; }
static void no_suite(struct statement *s) { s->suites.n = 0; }
static void no_items(struct statement *s) { s->limit_items = 0; }
static void no_tries(struct statement *s) { s->limit_tries = 0; }

TEST_F(offer, each_signed_fact_has_to_be_what_it_must)
{
	static const struct {
		void (*bend)(struct statement *s);
		const char *why;
	} rows[] = {
		{ other_purpose, "exchange only" }, { other_origin, "generated" },
		{ other_level, "virtual" },	    { other_serial, "serial" },
		{ other_device, "certificate" },    { other_exchange, "swapped" },
		{ other_type, "type" },		    { other_method, "method" },
		{ no_method, "no method" },
		{ no_padding, "OAEP" },		    { no_suite, "AES" },
		{ no_items, "limits" },		    { no_tries, "limits" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		REFUSED(self, -EACCES, &(struct fakecard_bend){ .statement = rows[i].bend },
			rows[i].why);
}

static void json_serial(struct offer_file *f) { f->serial[0] = 'G'; }
static void json_container(struct offer_file *f) { f->container = 4; }
static void json_sid(struct offer_file *f) { f->sid[0] ^= 1; }
static void json_nonce(struct offer_file *f) { f->nonce[0] ^= 1; }
static void json_method(struct offer_file *f) { f->method = KF_METHOD_ECDH; }

TEST_F(offer, json_that_disagrees_with_the_signed_bytes_is_refused)
{
	static const struct {
		void (*bend)(struct offer_file *f);
		const char *member;
	} rows[] = {
		{ json_serial, "serial" }, { json_container, "container" }, { json_sid, "sid" },
		{ json_nonce, "nonce" },   { json_method, "method" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		REFUSED(self, -EACCES, &(struct fakecard_bend){ .file = rows[i].bend },
			rows[i].member);
}

static void statement_trails(struct offer_file *file)
{
	struct blob longer = BLOB_INIT;
	uint8_t buf[STATEMENT_MAX + 1] = { 0 };

	memcpy(buf, file->statement.p, file->statement.n);
	ASSERT_EQ(0, blob_set(&longer, BYTES(buf, file->statement.n + 1)));
	blob_deinit(&file->statement);
	file->statement = longer;
}

static void key_trails(struct offer_file *file)
{
	struct blob longer = BLOB_INIT;
	uint8_t buf[SPKI_MAX + 1] = { 0 };

	memcpy(buf, file->exchange_key.p, file->exchange_key.n);
	ASSERT_EQ(0, blob_set(&longer, BYTES(buf, file->exchange_key.n + 1)));
	blob_deinit(&file->exchange_key);
	file->exchange_key = longer;
}

TEST_F(offer, trailing_bytes_are_refused)
{
	REFUSED(self, -EACCES, &(struct fakecard_bend){ .file = statement_trails }, "signature");
	REFUSED(self, -EACCES, &(struct fakecard_bend){ .file = key_trails }, "swapped");
}

TEST_F(offer, a_small_exchange_key_is_refused_unless_set_otherwise)
{
	struct kf_verified_offer *offer = NULL;

	EVP_PKEY_free(self->card.exchange);
	ASSERT_EQ(0, some_key(KF_KEY_RSA_2048, &self->card.exchange));
	REFUSED(self, -EACCES, NULL, "2048 bits");
	ASSERT_EQ(0, kf_server_set_exchange_bits(self->server, 2048, NULL));
	EXPECT_EQ(0, verify(self, NULL, &offer));
	kf_verified_offer_free(offer);
	ASSERT_EQ(0, kf_server_set_exchange_bits(self->server, 4096, NULL));
	REFUSED(self, -EACCES, NULL, "4096");
	EXPECT_EQ(-EINVAL, kf_server_set_exchange_bits(self->server, 1024, NULL));
}

TEST_F(offer, methods_are_an_explicit_list)
{
	const uint8_t none[1] = { 0 }, twice[] = { KF_METHOD_RSA, KF_METHOD_RSA };
	const uint8_t later[] = { 5 }, rsa[] = { KF_METHOD_RSA };
	const uint8_t both[] = { KF_METHOD_ECDH, KF_METHOD_RSA };
	struct kf_verified_offer *offer = NULL;
	uint8_t list[4];

	EXPECT_EQ(-EINVAL, kf_server_set_methods(self->server, rsa, 0, NULL));
	EXPECT_EQ(-EINVAL, kf_server_set_methods(self->server, none, 1, NULL));
	EXPECT_EQ(-EINVAL, kf_server_set_methods(self->server, twice, 2, NULL));
	EXPECT_EQ(-EINVAL, kf_server_set_methods(self->server, later, 1, NULL));
	EXPECT_EQ(0, kf_server_set_methods(self->server, rsa, 1, NULL));
	ASSERT_EQ(1u, kf_server_methods(self->server, list));
	EXPECT_EQ(KF_METHOD_RSA, list[0]);

	EXPECT_EQ(0, kf_server_set_methods(self->server, both, 1, NULL));
	REFUSED(self, -EACCES, NULL, "no method that this server accepts");
	EXPECT_EQ(0, kf_server_set_methods(self->server, both, 2, NULL));
	EXPECT_EQ(0, verify(self, NULL, &offer));
	EXPECT_EQ(KF_METHOD_RSA, kf_verified_offer_method(offer));
	kf_verified_offer_free(offer);
}

static void attests_all(struct statement *s)
{
	s->methods = (struct number_list){ 4, { KF_METHOD_SHARED, KF_METHOD_RSA, KF_METHOD_DERIVED,
						KF_METHOD_ECDH } };
}

/* [SECURITY section 3]: whoever asks the card for the worse of two gets the better asked for. */
TEST_F(offer, the_servers_order_chooses_among_what_the_card_attests)
{
	const uint8_t lists[][3] = {
		{ KF_METHOD_ECDH, KF_METHOD_RSA, KF_METHOD_SHARED },
		{ KF_METHOD_DERIVED, KF_METHOD_RSA, KF_METHOD_ECDH },
		{ KF_METHOD_RSA, KF_METHOD_ECDH, KF_METHOD_DERIVED },
	};
	static const char *const wanted[] = { "method ecdh", "method derived", NULL };
	const struct fakecard_bend bend = { .statement = attests_all };
	struct kf_verified_offer *offer = NULL;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		ASSERT_EQ(0, kf_server_set_methods(self->server, lists[i], 3, NULL));
		if (!wanted[i]) {
			EXPECT_EQ(0, verify(self, &bend, &offer));
			EXPECT_EQ(KF_METHOD_RSA, kf_verified_offer_method(offer));
			kf_verified_offer_free(offer);
			continue;
		}
		REFUSED(self, -EACCES, &bend, "by method rsa");
		EXPECT_NOT_NULL(strstr(self->e.next, wanted[i]));
	}
}

static uint8_t known_sender[KF_DIGEST_SIZE];

static void one_injector(struct statement *s)
{
	s->n_injectors = 2;
	memset(s->injectors[0], 1, KF_DIGEST_SIZE);
	memcpy(s->injectors[1], known_sender, KF_DIGEST_SIZE);
}

TEST_F(offer, a_card_that_knows_senders_wants_ours_among_them)
{
	const struct fakecard_bend bend = { .statement = one_injector };
	struct kf_verified_offer *offer = NULL;
	EVP_PKEY *key = NULL;
	char *pem;

	REFUSED(self, -ENOKEY, &bend, "no key to sign");
	ASSERT_EQ(0, key_generate(KF_KEY_EC_P256, &key));
	pem = fakecard_pem(key);
	ASSERT_EQ(0, kf_server_set_injector(self->server, pem, strlen(pem), NULL, 0, NULL));
	REFUSED(self, -EACCES, &bend, "as a sender");
	ASSERT_EQ(0, kf_server_injector_hash(self->server, known_sender));
	EXPECT_EQ(0, verify(self, &bend, &offer));
	EXPECT_TRUE(kf_verified_offer_is_signed(offer));
	kf_verified_offer_free(offer);
	EVP_PKEY_free(key);
	free(pem);
}

TEST_F(offer, every_truncation_of_the_file_is_refused)
{
	char *json = fakecard_offer(&self->card, self->nonce, NULL);
	struct kf_verified_offer *offer = NULL;

	for (size_t n = 0; n + 2 < strlen(json); n += 7)
		EXPECT_EQ(-EBADMSG, kf_offer_verify(self->server, self->enrolled, self->nonce,
						    json, n, &offer, NULL));
	free(json);
}

TEST_F(offer, a_revoked_card_is_refused_though_it_was_enrolled_before)
{
	struct blob crl = fakecard_crl(&self->card, true, 60);
	struct kf_enrolled *card = NULL;

	EXPECT_EQ(-EACCES, kf_enrolled_new(self->server, self->card.cert_der.p,
					   self->card.cert_der.n, self->card.root_der.p,
					   self->card.root_der.n, crl.p, crl.n, &card, &self->e));
	EXPECT_STREQ("it was revoked", self->e.why);
	EXPECT_NULL(card);
	blob_deinit(&crl);
}

TEST_F(offer, the_challenge_file_carries_the_nonce)
{
	struct challenge_file file;
	char *json = NULL;
	size_t len = 0;

	ASSERT_EQ(0, kf_challenge_write(self->enrolled, self->nonce, 1000, 4600, &json, &len,
					NULL));
	ASSERT_EQ(0, challenge_file_parse(BYTES(json, len), &file, NULL));
	EXPECT_STREQ("FAKE-1", file.serial);
	EXPECT_MEMEQ(self->nonce, file.nonce, KF_NONCE_SIZE);
	EXPECT_EQ(4600, file.expires);
	free(json);
	EXPECT_EQ(-EINVAL, kf_challenge_write(self->enrolled, self->nonce, 5, 5, &json, &len,
					      NULL));
}

TEST_F(offer, a_chip_is_grade_a_and_its_certificate_must_agree)
{
	struct fakecard chip;
	struct kf_enrolled *card = NULL;
	struct kf_verified_offer *offer = NULL;
	char *json;

	fakecard_init(&chip, &(struct fakecard_style){ .chip = true });
	kf_server_allow_virtual(self->server, 0);
	ASSERT_EQ(0, kf_enrolled_new(self->server, chip.cert_der.p, chip.cert_der.n,
				     chip.root_der.p, chip.root_der.n, NULL, 0, &card, NULL));
	json = fakecard_offer(&chip, self->nonce, NULL);
	ASSERT_EQ(0, kf_offer_verify(self->server, card, self->nonce, json, strlen(json), &offer,
				     NULL));
	EXPECT_EQ(KF_GRADE_A, kf_verified_offer_grade(offer));
	EXPECT_STREQ("A", kf_grade_name(kf_verified_offer_grade(offer)));
	free(json);
	kf_verified_offer_free(offer);
	kf_enrolled_free(card);
	fakecard_deinit(&chip);
}
