// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A server believes the SmartCard-HSM that was enrolled, by certificates up to a root that was given, and no
 * other.
 *
 * Faces: libserver/schsm/hsms.c libserver/schsm/voucher.c
 */
#include "libserver/schsm/hsms.h"
#include "format/keys.h"
#include "libserver/state.h"
#include "tests/keys/keys.h"
#include "tests/libserver/schsm/hsm_fixture.h"
#include "tests/libserver/state_fixture.h"

static int take(const struct fakehsm *hsm, struct bytes root, int allow_virtual, struct kf_error *e)
{
	struct kf_server *server = NULL;
	struct kf_hsm *out = NULL;
	int r;

	ASSERT_EQ(0, kf_server_new(&server, e));
	kf_server_allow_virtual(server, allow_virtual);
	r = kf_hsm_new(server, hsm->chain.p, hsm->chain.n, root.p, root.n, &out, e);
	EXPECT_EQ(r == 0, out != NULL);
	if (r == 0)
		EXPECT_EQ(allow_virtual, kf_hsm_is_virtual(out));
	kf_hsm_free(out);
	kf_server_free(server);
	return r;
}

TEST(a_card_is_taken_by_its_certificates_and_its_root)
{
	struct fakehsm hsm, other;
	struct kf_error e = KF_ERROR_INIT;
	uint8_t long_file[HSM_CHAIN_MAX + 1] = { 0 };

	fakehsm_init(&hsm, "DETEST", "A1", NULL);
	fakehsm_init(&other, "DETEST", "A1", NULL);
	EXPECT_EQ(0, take(&hsm, hsm.root_cert, 0, &e));
	EXPECT_EQ(-EACCES, take(&hsm, other.root_cert, 0, &e));
	EXPECT_NOT_NULL(strstr(e.why, "does not hold"));
	EXPECT_EQ(-EBADMSG, take(&hsm, bytes_slice(hsm.root_cert, 0, hsm.root_cert.n - 1), 0, &e));
	EXPECT_NOT_NULL(strstr(e.why, "the root is no card-verifiable certificate"));
	hsm.chain.n--;
	EXPECT_EQ(-EBADMSG, take(&hsm, hsm.root_cert, 0, &e));
	EXPECT_NOT_NULL(strstr(e.next, "card show --cert"));
	hsm.chain = BYTES_OF(long_file);
	EXPECT_EQ(-EBADMSG, take(&hsm, hsm.root_cert, 0, &e));
	fakehsm_deinit(&hsm);
	fakehsm_init(&hsm, "DEMINE", "A1", NULL);
	EXPECT_EQ(-EACCES, take(&hsm, other.root_cert, 0, &e));
	EXPECT_NOT_NULL(strstr(e.why, "has not certified"));
	fakehsm_deinit(&hsm);
	fakehsm_deinit(&other);
}

/* What is longer than its record may be would be a card that cannot be found again. */
TEST(certificates_are_no_longer_than_their_record)
{
	struct kf_error e = KF_ERROR_INIT;
	struct fakehsm hsm;

	fakehsm_init(&hsm, "DETEST", "A1", NULL);
	hsm.padding = HSM_CHAIN_MAX - hsm.chain.n - 40;
	hsm.root_padding = CVC_MAX - hsm.root_cert.n - 40;
	fakehsm_build(&hsm, "A1");
	EXPECT_EQ(0, take(&hsm, hsm.root_cert, 0, &e));
	hsm.padding += 60;
	fakehsm_build(&hsm, "A1");
	EXPECT_EQ(-EBADMSG, take(&hsm, hsm.root_cert, 0, &e));
	EXPECT_NOT_NULL(strstr(e.why, "longer than two certificates"));
	hsm.padding = 0;
	hsm.root_padding += 60;
	fakehsm_build(&hsm, "A1");
	EXPECT_EQ(-EBADMSG, take(&hsm, hsm.root_cert, 0, &e));
	EXPECT_NOT_NULL(strstr(e.why, "the root is no"));
	fakehsm_deinit(&hsm);
}

TEST(a_virtual_card_is_taken_on_purpose_only)
{
	struct fakehsm hsm;
	struct kf_error e = KF_ERROR_INIT;

	fakehsm_init(&hsm, "ZZVIRT", "A1", NULL);
	EXPECT_EQ(-EACCES, take(&hsm, hsm.root_cert, 0, &e));
	EXPECT_NOT_NULL(strstr(e.why, "is virtual"));
	EXPECT_EQ(0, take(&hsm, hsm.root_cert, 1, &e));
	fakehsm_deinit(&hsm);
}

/* The private half stands in every copy of pico-hsm. */
TEST(an_emulators_card_is_taken_on_purpose_only)
{
	struct kf_error e = KF_ERROR_INIT;
	struct fakehsm hsm;
	EVP_PKEY *fixed = NULL;
	uint8_t d[32];

	memset(d, 0xbe, sizeof(d));
	ASSERT_EQ(0, key_from_scalar_on(BYTES_OF(d), "secp256k1", &fixed));
	fakehsm_init(&hsm, "DETEST", "A1", fixed);
	EXPECT_EQ(-EACCES, take(&hsm, hsm.root_cert, 0, &e));
	EXPECT_NOT_NULL(strstr(e.why, "everybody knows"));
	EXPECT_EQ(0, take(&hsm, hsm.root_cert, 1, &e));
	fakehsm_deinit(&hsm);
}

TEST(a_card_is_refused_from_the_day_its_certificate_ends)
{
	static const uint8_t past[] = { 2, 1, 0, 6, 3, 0 };
	struct kf_error e = KF_ERROR_INIT;
	struct fakehsm hsm;

	fakehsm_init(&hsm, "DETEST", "A1", NULL);
	memcpy(hsm.until, past, sizeof(past));
	fakehsm_build(&hsm, "A1");
	EXPECT_EQ(-EACCES, take(&hsm, hsm.root_cert, 0, &e));
	EXPECT_NOT_NULL(strstr(e.why, "out of date"));
	fakehsm_deinit(&hsm);
}

/* --- in a state --- */

static int enroll_hsm(struct fixture_state *self, const struct fakehsm *hsm, int allow_virtual)
{
	return kf_state_hsm_enroll(self->state, hsm->chain.p, hsm->chain.n, hsm->root_cert.p,
				   hsm->root_cert.n, allow_virtual, &self->e);
}

static int find(struct fixture_state *self, const char *name)
{
	struct kf_hsm *hsm = NULL;
	int r = kf_state_hsm(self->state, name, &hsm, &self->e);

	if (r == 0) {
		EXPECT_STREQ("DETESTA1", kf_hsm_serial(hsm));
		EXPECT_EQ(64, strlen(kf_hsm_fingerprint(hsm)));
	}
	kf_hsm_free(hsm);
	return r;
}

static void reopen(struct fixture_state *self)
{
	self->state = kf_state_close(self->state);
	ASSERT_EQ(0, kf_state_open(self->path, NULL, 0, &self->state, &self->e));
}

TEST_F(state, a_card_is_remembered_and_forgotten)
{
	struct fakehsm hsm;

	fakehsm_init(&hsm, "DETEST", "A1", NULL);
	EXPECT_EQ(-ENOENT, find(self, "DETESTA1"));
	EXPECT_EQ(-ENOENT, kf_state_hsm_forget(self->state, "DETESTA1", &self->e));
	ASSERT_EQ(0, enroll_hsm(self, &hsm, 0));
	ASSERT_EQ(0, enroll_hsm(self, &hsm, 0));
	reopen(self);
	EXPECT_EQ(0, find(self, "DETESTA1"));
	EXPECT_EQ(0, kf_state_hsm_forget(self->state, "DETESTA1", &self->e));
	reopen(self);
	EXPECT_EQ(-ENOENT, find(self, "DETESTA1"));
	fakehsm_deinit(&hsm);
}

/* One made before there were such cards. */
TEST_F(state, a_state_without_the_folder_gets_it_with_its_first_card)
{
	struct fakehsm hsm;
	char folder[80];

	fakehsm_init(&hsm, "DETEST", "A1", NULL);
	(void)snprintf(folder, sizeof(folder), "%s/hsms", self->path);
	command("rmdir", folder);
	reopen(self);
	EXPECT_EQ(-ENOENT, find(self, "DETESTA1"));
	EXPECT_EQ(-ENOENT, kf_state_hsm_forget(self->state, "DETESTA1", &self->e));
	ASSERT_EQ(0, enroll_hsm(self, &hsm, 0));
	EXPECT_EQ(0, find(self, "DETESTA1"));
	reopen(self);
	EXPECT_EQ(0, find(self, "DETESTA1"));
	fakehsm_deinit(&hsm);
}

TEST_F(state, whether_a_virtual_card_was_allowed_is_remembered_with_it)
{
	struct fakehsm hsm;
	struct kf_hsm *out = NULL;

	fakehsm_init(&hsm, "ZZVIRT", "A1", NULL);
	EXPECT_EQ(-EACCES, enroll_hsm(self, &hsm, 0));
	EXPECT_EQ(-ENOENT, find(self, "ZZVIRTA1"));
	ASSERT_EQ(0, enroll_hsm(self, &hsm, 1));
	kf_server_allow_virtual(kf_state_server(self->state), 0);
	ASSERT_EQ(0, kf_state_hsm(self->state, "ZZVIRTA1", &out, &self->e));
	EXPECT_TRUE(kf_hsm_is_virtual(out));
	EXPECT_EQ(KF_GRADE_A_VIRTUAL, kf_hsm_grade(out));
	kf_hsm_free(out);
	/* It is judged whenever it is used, not only when it was enrolled. */
	command("sh -c 'sed -i s/true/false/ \"$0\"/hsms/*.json'", self->path);
	EXPECT_EQ(-EACCES, find(self, "ZZVIRTA1"));
	fakehsm_deinit(&hsm);
}

TEST_F(state, a_serial_is_one_cards_of_either_kind)
{
	struct fakehsm hsm, twin, other;
	struct fakecard card;

	fakehsm_init(&hsm, "DETEST", "A1", NULL);
	fakehsm_init(&twin, "DETEST", "A1", NULL);
	ASSERT_EQ(0, enroll_hsm(self, &hsm, 0));
	EXPECT_EQ(-EEXIST, enroll_hsm(self, &twin, 0));
	fakecard_init(&card, &(struct fakecard_style){ .serial = "DETESTA1" });
	EXPECT_EQ(-EEXIST, enroll(self, &card, NULL));
	fakecard_deinit(&card);
	fakecard_init(&card, &(struct fakecard_style){ .serial = "DETESTB2" });
	ASSERT_EQ(0, enroll(self, &card, NULL));
	fakehsm_init(&other, "DETEST", "B2", NULL);
	EXPECT_EQ(-EEXIST, enroll_hsm(self, &other, 0));
	fakecard_deinit(&card);
	fakehsm_deinit(&hsm);
	fakehsm_deinit(&twin);
	fakehsm_deinit(&other);
}

static int count(void *arg, const char *serial, const char *fingerprint, int is_virtual, int refused)
{
	unsigned int *n = arg;

	(void)fingerprint;
	EXPECT_EQ(0, is_virtual);
	EXPECT_EQ(0, refused);
	EXPECT_EQ(0, strncmp(serial, "DETEST", 6));
	(*n)++;
	return 0;
}

TEST_F(state, all_of_them_are_visited)
{
	static const char *const serials[] = { "A1", "A2", "A3" };
	unsigned int n = 0;

	EXPECT_EQ(0, kf_state_each_hsm(self->state, count, &n, &self->e));
	EXPECT_EQ(0, n);
	for (size_t i = 0; i < 3; i++) {
		struct fakehsm hsm;

		fakehsm_init(&hsm, "DETEST", serials[i], NULL);
		ASSERT_EQ(0, enroll_hsm(self, &hsm, 0));
		fakehsm_deinit(&hsm);
	}
	EXPECT_EQ(0, kf_state_each_hsm(self->state, count, &n, &self->e));
	EXPECT_EQ(3, n);
}

TEST_F(state, a_record_of_another_card_is_damage)
{
	struct fakehsm hsm, other;

	fakehsm_init(&hsm, "DETEST", "A1", NULL);
	fakehsm_init(&other, "DETEST", "B2", NULL);
	ASSERT_EQ(0, enroll_hsm(self, &hsm, 0));
	ASSERT_EQ(0, enroll_hsm(self, &other, 0));
	command("sh -c 'cd \"$0/hsms\" && set -- * && cp \"$1\" \"$2\"'", self->path);
	EXPECT_EQ(-EBADMSG, find(self, "DETESTC3"));
	EXPECT_NOT_NULL(strstr(self->e.why, "holds another certificate"));
	fakehsm_deinit(&hsm);
	fakehsm_deinit(&other);
}

/* --- what it vouches for --- */

FIXTURE(vouching)
{
	struct fakehsm hsm, other;
	struct kf_server *server;
	struct kf_hsm *card;
	struct kf_error e;
	EVP_PKEY *key;
	uint8_t buf[CVC_MAX];
	struct bytes voucher;
};

FIXTURE_SETUP(vouching)
{
	fakehsm_init(&self->hsm, "DETEST", "A1", NULL);
	fakehsm_init(&self->other, "DETEST", "B2", NULL);
	self->key = EVP_EC_gen("P-256");
	ASSERT_EQ(0, kf_server_new(&self->server, &self->e));
	ASSERT_EQ(0, kf_hsm_new(self->server, self->hsm.chain.p, self->hsm.chain.n, self->hsm.root_cert.p,
				self->hsm.root_cert.n, &self->card, &self->e));
	self->voucher = fakehsm_vouch(&self->hsm, "A1", self->key, self->key, self->buf, sizeof(self->buf));
}

FIXTURE_TEARDOWN(vouching)
{
	kf_hsm_free(self->card);
	kf_server_free(self->server);
	EVP_PKEY_free(self->key);
	fakehsm_deinit(&self->hsm);
	fakehsm_deinit(&self->other);
}

static int attests(struct fixture_vouching *self)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	enum kf_key_type type;
	uint8_t *spki = NULL;
	size_t n = 0;
	int r = kf_hsm_attests(self->card, self->voucher.p, self->voucher.n, &spki, &n, &self->e);

	EXPECT_EQ(r == 0, spki != NULL);
	if (r == 0) {
		ASSERT_EQ(0, spki_parse(BYTES(spki, n), &key, &type));
		EXPECT_EQ(1, EVP_PKEY_eq(key, self->key));
	}
	free(spki);
	return r;
}

TEST_F(vouching, a_key_it_made_is_attested)
{
	EXPECT_EQ(0, attests(self));
	EXPECT_EQ(KF_GRADE_A, kf_hsm_grade(self->card));
	EVP_PKEY_free(self->key);
	self->key = prepared_rsa(2048, 0);
	self->voucher = fakehsm_vouch(&self->hsm, "A1", self->key, self->key, self->buf, sizeof(self->buf));
	EXPECT_EQ(0, attests(self));
}

TEST_F(vouching, another_cards_word_is_called_that)
{
	self->voucher = fakehsm_vouch(&self->other, "B2", self->key, self->key, self->buf, sizeof(self->buf));
	EXPECT_EQ(-EACCES, attests(self));
	EXPECT_NOT_NULL(strstr(self->e.why, "in the name of DETESTB200001, not of card DETESTA1"));
	/* In this one's name, but signed by that one. */
	self->voucher = fakehsm_vouch(&self->other, "A1", self->key, self->key, self->buf, sizeof(self->buf));
	EXPECT_EQ(-EACCES, attests(self));
	EXPECT_NOT_NULL(strstr(self->e.why, "does not hold"));
}

/* Else whoever has a card's word for one key could put another in its place. */
TEST_F(vouching, the_key_itself_has_signed_too)
{
	self->voucher = fakehsm_vouch(&self->hsm, "A1", self->key, self->other.device, self->buf,
				      sizeof(self->buf));
	EXPECT_EQ(-EACCES, attests(self));
}

TEST_F(vouching, bent_anywhere_it_is_worth_nothing)
{
	for (size_t i = 0; i < self->voucher.n; i++) {
		self->buf[i] ^= 1;
		EXPECT_TRUE(attests(self) < 0);
		self->buf[i] ^= 1;
	}
	for (size_t n = self->voucher.n; n > 0; n--) {
		self->voucher.n = n - 1;
		EXPECT_EQ(-EBADMSG, attests(self));
	}
	EXPECT_NOT_NULL(strstr(self->e.next, "container attest"));
}
