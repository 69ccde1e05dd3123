// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libserver/state_test.c - Nonces are spent once, durably, before there is a cargo; receipts
 * are compared with what this directory remembers.
 *
 * Faces: libserver/cards.c
 */
#include "base/cleanup.h"
#include "keyferry/server.h"
#include "format/keys.h"
#include "libserver/json/challenge.h"
#include "tests/libserver/fakecard.h"

#include <sys/stat.h>
#include <sys/wait.h>

FIXTURE(state)
{
	char dir[40], path[64];
	struct fakecard card;
	struct kf_state *state;
	struct kf_error e;
};

static void command(const char *format, const char *arg)
{
	char line[256];

	(void)snprintf(line, sizeof(line), "%s %s", format, arg);
	if (system(line) != 0)
		TEST_FAIL("failed: %s", line);
}

static int enroll(struct fixture_state *self, const struct fakecard *card, const struct blob *crl)
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

static void new_nonce(struct fixture_state *self, uint8_t nonce[static KF_NONCE_SIZE])
{
	struct challenge_file file;
	char *json = NULL;
	size_t len = 0;

	ASSERT_EQ(0, kf_state_challenge(self->state, "FAKE-1", 3600, &json, &len, &self->e));
	ASSERT_EQ(0, challenge_file_parse(BYTES(json, len), &file, NULL));
	memcpy(nonce, file.nonce, KF_NONCE_SIZE);
	free(json);
}

static int verify(struct fixture_state *self, const char *name, int any, const char *json,
		  struct kf_verified_offer **out)
{
	return kf_state_offer(self->state, name, any, json, strlen(json), out, &self->e);
}

static struct kf_keypair *new_pair(enum kf_purpose purpose)
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

static int seal(struct fixture_state *self, const struct kf_verified_offer *offer, char **cargo)
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
static char *sealed_cargo(struct fixture_state *self)
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

TEST_F(state, a_voyage_is_sealed_and_proved)
{
	struct kf_receipt_report *report = NULL;
	char *cargo = sealed_cargo(self), *receipt = fakecard_receipt(&self->card, cargo, 0, NULL);

	EXPECT_EQ(0, kf_state_receipt(self->state, NULL, receipt, strlen(receipt), &report,
				      &self->e));
	EXPECT_EQ(KF_GRADE_A_VIRTUAL, kf_receipt_report_grade(report));
	report = kf_receipt_report_free(report);
	EXPECT_EQ(0, kf_state_receipt(self->state, "FAKE-1", receipt, strlen(receipt), &report,
				      NULL));
	report = kf_receipt_report_free(report);
	EXPECT_EQ(-ENOENT, kf_state_receipt(self->state, "FAKE-2", receipt, strlen(receipt),
					    &report, NULL));
	free(cargo);
	free(receipt);
}

TEST_F(state, a_nonce_is_spent_once)
{
	struct kf_verified_offer *offer = NULL, *again = NULL;
	uint8_t nonce[KF_NONCE_SIZE];
	char *json, *cargo = NULL;

	new_nonce(self, nonce);
	json = fakecard_offer(&self->card, nonce, NULL);
	ASSERT_EQ(0, verify(self, NULL, 0, json, &offer));
	ASSERT_EQ(0, verify(self, NULL, 0, json, &again));	/* looking spends nothing */
	ASSERT_EQ(0, seal(self, offer, &cargo));
	free(cargo);
	cargo = NULL;
	EXPECT_EQ(-EACCES, seal(self, again, &cargo));
	EXPECT_NOT_NULL(strstr(self->e.why, "used before"));
	EXPECT_NULL(cargo);
	kf_verified_offer_free(again);
	again = NULL;
	EXPECT_EQ(-EACCES, verify(self, NULL, 0, json, &again));
	kf_verified_offer_free(offer);
	free(json);
}

TEST_F(state, a_nonce_never_issued_is_refused)
{
	struct kf_verified_offer *offer = NULL;
	uint8_t nonce[KF_NONCE_SIZE] = { 1 };
	char *json = fakecard_offer(&self->card, nonce, NULL);

	EXPECT_EQ(-EACCES, verify(self, NULL, 0, json, &offer));
	EXPECT_NOT_NULL(strstr(self->e.why, "never issued"));
	free(json);
}

TEST_F(state, an_expired_nonce_is_refused_and_costs_nothing_else)
{
	struct kf_verified_offer *offer = NULL;
	struct challenge_file file;
	char *json = NULL, *text;
	size_t len = 0;

	ASSERT_EQ(0, kf_state_challenge(self->state, "FAKE-1", 1, &json, &len, NULL));
	ASSERT_EQ(0, challenge_file_parse(BYTES(json, len), &file, NULL));
	text = fakecard_offer(&self->card, file.nonce, NULL);
	(void)usleep(2100000);
	EXPECT_EQ(-EACCES, verify(self, NULL, 0, text, &offer));
	EXPECT_NOT_NULL(strstr(self->e.why, "expired"));
	free(json);
	free(text);
	EXPECT_EQ(-EINVAL, kf_state_challenge(self->state, "FAKE-1", 0, &json, &len, NULL));
	EXPECT_EQ(-EINVAL, kf_state_challenge(self->state, "FAKE-1", 31 * 86400, &json, &len,
					      NULL));
}

TEST_F(state, two_seals_of_one_offer_at_once_make_one_cargo)
{
	struct kf_verified_offer *offer = NULL;
	uint8_t nonce[KF_NONCE_SIZE];
	char *json;
	int won = 0;

	new_nonce(self, nonce);
	json = fakecard_offer(&self->card, nonce, NULL);
	self->state = kf_state_close(self->state);
	for (int i = 0; i < 4; i++) {
		char *cargo = NULL;

		if (fork() != 0)
			continue;
		if (kf_state_open(self->path, NULL, 0, &self->state, NULL) < 0 ||
		    verify(self, NULL, 0, json, &offer) < 0 || seal(self, offer, &cargo) < 0)
			_exit(1);
		_exit(0);
	}
	for (int i = 0; i < 4; i++) {
		int status = 0;

		ASSERT_LT(0, wait(&status));
		won += WIFEXITED(status) && WEXITSTATUS(status) == 0;
	}
	EXPECT_EQ(1, won);
	free(json);
}

TEST_F(state, the_offer_of_another_enrolled_card_is_refused_by_name_and_by_nonce)
{
	struct kf_verified_offer *offer = NULL;
	struct fakecard other;
	uint8_t nonce[KF_NONCE_SIZE];
	char *json;

	fakecard_init_sibling(&other, &self->card, &(struct fakecard_style){ .serial = "FAKE-2" });
	ASSERT_EQ(0, enroll(self, &other, NULL));
	new_nonce(self, nonce);		/* for FAKE-1 */
	json = fakecard_offer(&other, nonce, NULL);
	EXPECT_EQ(-EACCES, verify(self, NULL, 0, json, &offer));
	EXPECT_EQ(-EACCES, verify(self, "FAKE-2", 0, json, &offer));
	free(json);
	json = fakecard_offer(&self->card, nonce, NULL);
	EXPECT_EQ(-EACCES, verify(self, "FAKE-2", 0, json, &offer));
	EXPECT_EQ(-EINVAL, verify(self, "FAKE-1", 1, json, &offer));
	EXPECT_EQ(0, verify(self, "FAKE-1", 0, json, &offer));
	kf_verified_offer_free(offer);
	free(json);
	fakecard_deinit(&other);
}

/* Verified by the library itself, with a nonce of this state that is another card's. */
TEST_F(state, an_offer_verified_elsewhere_cannot_spend_another_cards_nonce)
{
	struct kf_server *server = kf_state_server(self->state);
	struct kf_verified_offer *offer = NULL;
	struct kf_enrolled *enrolled = NULL;
	struct fakecard other;
	uint8_t nonce[KF_NONCE_SIZE];
	char *json, *cargo = NULL;

	kf_server_allow_virtual(server, 1);
	fakecard_init_sibling(&other, &self->card, &(struct fakecard_style){ .serial = "SIB" });
	new_nonce(self, nonce);
	json = fakecard_offer(&other, nonce, NULL);
	ASSERT_EQ(0, kf_enrolled_new(server, other.cert_der.p, other.cert_der.n, other.root_der.p,
				     other.root_der.n, NULL, 0, &enrolled, NULL));
	ASSERT_EQ(0, kf_offer_verify(server, enrolled, nonce, json, strlen(json), &offer, NULL));
	EXPECT_EQ(-EACCES, seal(self, offer, &cargo));
	EXPECT_NOT_NULL(strstr(self->e.why, "another card"));
	EXPECT_NULL(cargo);
	kf_verified_offer_free(offer);
	kf_enrolled_free(enrolled);
	fakecard_deinit(&other);
	free(json);
}

TEST_F(state, any_genuine_takes_a_sibling_but_no_stranger)
{
	struct kf_verified_offer *offer = NULL;
	struct kf_receipt_report *report = NULL;
	struct fakecard sibling, stranger;
	uint8_t nonce[KF_NONCE_SIZE];
	char *json, *cargo = NULL, *receipt;

	kf_server_allow_virtual(kf_state_server(self->state), 1);
	new_nonce(self, nonce);
	fakecard_init(&stranger, NULL);
	json = fakecard_offer(&stranger, nonce, NULL);
	EXPECT_EQ(-EACCES, verify(self, NULL, 1, json, &offer));
	free(json);
	fakecard_deinit(&stranger);

	fakecard_init_sibling(&sibling, &self->card, &(struct fakecard_style){ .serial = "SIB" });
	json = fakecard_offer(&sibling, nonce, NULL);
	EXPECT_EQ(-EACCES, verify(self, NULL, 0, json, &offer));
	ASSERT_EQ(0, verify(self, NULL, 1, json, &offer));
	ASSERT_EQ(0, seal(self, offer, &cargo));
	receipt = fakecard_receipt(&sibling, cargo, 0, NULL);
	EXPECT_EQ(0, kf_state_receipt(self->state, NULL, receipt, strlen(receipt), &report,
				      &self->e));
	kf_receipt_report_free(report);
	kf_verified_offer_free(offer);
	free(json);
	free(cargo);
	free(receipt);
	fakecard_deinit(&sibling);
}

/* Cards are looked through by fingerprint, so by chance: some strangers come before and after. */
static void enroll_strangers(struct fixture_state *self)
{
	static const char *const serials[] = { "X-1", "X-2", "X-3", "X-4", "X-5", "X-6" };

	for (size_t i = 0; i < sizeof(serials) / sizeof(serials[0]); i++) {
		struct fakecard stranger;

		fakecard_init(&stranger, &(struct fakecard_style){ .serial = serials[i] });
		ASSERT_EQ(0, enroll(self, &stranger, NULL));
		fakecard_deinit(&stranger);
	}
}

TEST_F(state, a_card_revoked_later_is_refused_everywhere)
{
	struct kf_verified_offer *offer = NULL;
	struct kf_receipt_report *report = NULL;
	struct kf_enrolled *card = NULL;
	struct blob old = fakecard_crl(&self->card, false, 600);
	struct blob crl = fakecard_crl(&self->card, true, 60);
	char *cargo = sealed_cargo(self), *receipt = fakecard_receipt(&self->card, cargo, 0, NULL);
	uint8_t nonce[KF_NONCE_SIZE];
	char *json, *challenge = NULL;
	unsigned int n = 0;
	size_t len;

	new_nonce(self, nonce);
	json = fakecard_offer(&self->card, nonce, NULL);
	EXPECT_EQ(0, kf_state_set_crl(self->state, old.p, old.n, &n, &self->e));
	EXPECT_EQ(1, n);
	EXPECT_EQ(0, kf_state_card(self->state, "FAKE-1", &card, &self->e));
	kf_enrolled_free(card);
	EXPECT_EQ(0, kf_state_set_crl(self->state, crl.p, crl.n, &n, &self->e));
	EXPECT_EQ(-EACCES, kf_state_set_crl(self->state, old.p, old.n, &n, &self->e));
	EXPECT_EQ(-EACCES, verify(self, NULL, 0, json, &offer));
	EXPECT_NOT_NULL(strstr(self->e.why, "revoked"));
	enroll_strangers(self);
	kf_server_allow_virtual(kf_state_server(self->state), 1);
	EXPECT_EQ(-EACCES, verify(self, NULL, 1, json, &offer));
	EXPECT_NOT_NULL(strstr(self->e.why, "revoked"));
	EXPECT_EQ(-EACCES, kf_state_challenge(self->state, "FAKE-1", 60, &challenge, &len, NULL));
	EXPECT_EQ(-EACCES, kf_state_receipt(self->state, NULL, receipt, strlen(receipt), &report,
					    NULL));
	blob_deinit(&old);
	blob_deinit(&crl);
	free(json);
	free(cargo);
	free(receipt);
}

/* Whatever its own record says: the state knows the root's list. */
TEST_F(state, a_list_is_not_forgotten_by_enrolling_again_nor_missed_by_a_sibling)
{
	struct fakecard sibling;
	struct kf_enrolled *card = NULL;
	struct blob old = fakecard_crl(&self->card, false, 600);
	struct blob crl = fakecard_crl(&self->card, true, 60);
	unsigned int n = 0;

	fakecard_init_sibling(&sibling, &self->card, &(struct fakecard_style){ .serial = "SIB" });
	ASSERT_EQ(0, kf_state_set_crl(self->state, crl.p, crl.n, &n, &self->e));
	EXPECT_EQ(-EACCES, enroll(self, &self->card, NULL));
	EXPECT_NOT_NULL(strstr(self->e.why, "revoked"));
	EXPECT_EQ(-EACCES, enroll(self, &self->card, &old));
	EXPECT_NOT_NULL(strstr(self->e.why, "revoked"));
	EXPECT_EQ(-EACCES, kf_state_card(self->state, "FAKE-1", &card, &self->e));

	/* The sibling is not on it, and stands under the newest list from then on. */
	EXPECT_EQ(0, enroll(self, &sibling, NULL));
	EXPECT_EQ(0, kf_state_card(self->state, "SIB", &card, &self->e));
	card = kf_enrolled_free(card);
	fakecard_deinit(&sibling);
	blob_deinit(&old);
	blob_deinit(&crl);
}

TEST_F(state, a_list_enrolled_with_one_card_holds_for_all_of_its_root)
{
	struct fakecard sibling;
	struct kf_enrolled *card = NULL;
	struct kf_verified_offer *offer = NULL;
	struct blob crl = fakecard_crl(&self->card, true, 60);
	uint8_t nonce[KF_NONCE_SIZE];
	char *json;

	new_nonce(self, nonce);
	json = fakecard_offer(&self->card, nonce, NULL);
	fakecard_init_sibling(&sibling, &self->card, &(struct fakecard_style){ .serial = "SIB" });
	EXPECT_EQ(0, kf_state_card(self->state, "FAKE-1", &card, &self->e));
	card = kf_enrolled_free(card);
	ASSERT_EQ(0, enroll(self, &sibling, &crl));
	EXPECT_EQ(-EACCES, kf_state_card(self->state, "FAKE-1", &card, &self->e));
	EXPECT_NOT_NULL(strstr(self->e.why, "revoked"));
	EXPECT_EQ(-EACCES, verify(self, NULL, 0, json, &offer));
	EXPECT_NOT_NULL(strstr(self->e.why, "revoked"));
	free(json);
	fakecard_deinit(&sibling);
	blob_deinit(&crl);
}

TEST_F(state, a_receipt_without_a_ticket_is_not_ours)
{
	struct kf_receipt_report *report = NULL;
	char *cargo = sealed_cargo(self), *receipt = fakecard_receipt(&self->card, cargo, 0, NULL);

	command("rm", strcat(strcpy((char[128]){ 0 }, self->path), "/tickets/*.json"));
	EXPECT_EQ(-ENOENT, kf_state_receipt(self->state, NULL, receipt, strlen(receipt), &report,
					    &self->e));
	free(cargo);
	free(receipt);
}

static int make_recipient(struct fixture_state *self, struct kf_archive_recipient **out)
{
	char line[256], path[64], cert[8192];
	FILE *f;
	size_t n;

	(void)snprintf(line, sizeof(line), "openssl req -x509 -newkey rsa:2048 -nodes -keyout "
		       "/dev/null -out %s/c.pem -subj /CN=a -addext "
		       "keyUsage=critical,keyEncipherment 2>/dev/null", self->dir);
	ASSERT_EQ(0, system(line));
	(void)snprintf(path, sizeof(path), "%s/c.pem", self->dir);
	f = fopen(path, "re");
	n = fread(cert, 1, sizeof(cert), f);
	(void)fclose(f);
	return kf_archive_recipient_new(cert, n, NULL, 0, out, &self->e);
}

TEST_F_TIMEOUT(state, an_archive_that_cannot_be_written_spends_no_nonce, 30)
{
	struct kf_keypair *pair = new_pair(KF_PURPOSE_DERIVE);
	struct kf_archive_recipient *to = NULL;
	struct kf_verified_offer *offer = NULL;
	struct kf_seal_request request = { .size = sizeof(request), .pair = pair };
	uint8_t nonce[KF_NONCE_SIZE];
	char *json, *cargo = NULL, path[64];
	struct stat st;
	size_t len = 0;

	ASSERT_EQ(0, make_recipient(self, &to));
	new_nonce(self, nonce);
	json = fakecard_offer(&self->card, nonce, NULL);
	ASSERT_EQ(0, verify(self, NULL, 0, json, &offer));
	request.offer = offer;
	request.recipient = to;
	EXPECT_EQ(-EINVAL, kf_state_seal(self->state, &request, &cargo, &len, &self->e));
	request.archive_path = "/nonexistent/a.p7m";
	EXPECT_EQ(-ENOENT, kf_state_seal(self->state, &request, &cargo, &len, &self->e));
	request.archive_path = self->path;
	EXPECT_EQ(-EEXIST, kf_state_seal(self->state, &request, &cargo, &len, &self->e));
	(void)snprintf(path, sizeof(path), "%s/a.p7m", self->dir);
	request.archive_path = path;
	ASSERT_EQ(0, kf_keypair_set_purpose(pair, KF_PURPOSE_SIGN, NULL));
	EXPECT_EQ(-EACCES, kf_state_seal(self->state, &request, &cargo, &len, &self->e));
	EXPECT_NE(0, stat(path, &st));
	ASSERT_EQ(0, kf_keypair_set_purpose(pair, KF_PURPOSE_DERIVE, NULL));
	EXPECT_EQ(0, kf_state_seal(self->state, &request, &cargo, &len, &self->e));
	ASSERT_EQ(0, stat(path, &st));
	EXPECT_EQ(0600, st.st_mode & 07777);
	EXPECT_LT(500, st.st_size);
	free(cargo);
	free(json);
	kf_verified_offer_free(offer);
	kf_archive_recipient_free(to);
	kf_keypair_free(pair);
}

TEST_F(state, its_files_are_closed_to_others)
{
	struct kf_state *again = NULL;

	self->state = kf_state_close(self->state);
	ASSERT_EQ(0, chmod(self->path, 0750));
	EXPECT_EQ(-EACCES, kf_state_open(self->path, NULL, 0, &again, &self->e));
	ASSERT_EQ(0, chmod(self->path, 0700));
	command("chmod 644", strcat(strcpy((char[128]){ 0 }, self->path), "/injector.pem"));
	EXPECT_EQ(-EACCES, kf_state_open(self->path, NULL, 0, &again, &self->e));
	command("chmod 600", strcat(strcpy((char[128]){ 0 }, self->path), "/injector.pem"));
	EXPECT_EQ(0, kf_state_open(self->path, NULL, 0, &again, &self->e));
	kf_state_close(again);
}

TEST_F(state, it_is_made_once_and_in_a_directory_of_its_own)
{
	EXPECT_EQ(-EEXIST, kf_state_init(self->path, NULL, 0, &self->e));
	EXPECT_EQ(-EEXIST, kf_state_init(self->dir, NULL, 0, &self->e));	/* holds "s" */
	self->state = kf_state_close(self->state);
	command("rm", strcat(strcpy((char[128]){ 0 }, self->path), "/state.json"));
	EXPECT_EQ(-ENOENT, kf_state_open(self->path, NULL, 0, &self->state, &self->e));
	EXPECT_EQ(0, kf_state_init(self->path, NULL, 0, &self->e));	/* as after a crash */
}

TEST_F(state, a_serial_has_one_certificate)
{
	struct fakecard twin;

	fakecard_init_sibling(&twin, &self->card, NULL);
	EXPECT_EQ(-EEXIST, enroll(self, &twin, NULL));
	EXPECT_EQ(0, enroll(self, &self->card, NULL));	/* the same again is fine */
	fakecard_deinit(&twin);
}

TEST_F(state, a_locked_injector_key_is_asked_for_when_it_is_needed)
{
	struct kf_state *locked = NULL;
	uint8_t hash[KF_DIGEST_SIZE];
	char path[64];

	(void)snprintf(path, sizeof(path), "%s/locked", self->dir);
	ASSERT_EQ(0, kf_state_init(path, "secret words", 12, &self->e));
	EXPECT_EQ(1, kf_state_needs_passphrase(path, NULL));
	EXPECT_EQ(0, kf_state_needs_passphrase(self->path, NULL));
	EXPECT_EQ(-EKEYREJECTED, kf_state_open(path, "other words", 11, &locked, &self->e));
	ASSERT_EQ(0, kf_state_open(path, NULL, 0, &locked, &self->e));
	EXPECT_EQ(-ENOENT, kf_server_injector_hash(kf_state_server(locked), hash));
	kf_state_close(locked);
	ASSERT_EQ(0, kf_state_open(path, "secret words", 12, &locked, &self->e));
	EXPECT_EQ(0, kf_server_injector_hash(kf_state_server(locked), hash));
	kf_state_close(locked);
}
