// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libserver/sealing_test.c - A nonce is spent once, durably, before there is a cargo.
 */
#include "tests/keys/keys.h"
#include "tests/libserver/state_fixture.h"

#include <sys/stat.h>
#include <sys/wait.h>

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

TEST_F(state, a_method_that_left_the_list_since_spends_no_nonce)
{
	const uint8_t rsa[] = { KF_METHOD_RSA }, ecdh[] = { KF_METHOD_ECDH };
	struct kf_verified_offer *offer = NULL;
	uint8_t nonce[KF_NONCE_SIZE];
	char *json, *cargo = NULL;

	new_nonce(self, nonce);
	json = fakecard_offer(&self->card, nonce, NULL);
	ASSERT_EQ(0, verify(self, NULL, 0, json, &offer));
	ASSERT_EQ(0, kf_state_set_methods(self->state, ecdh, 1, NULL));
	EXPECT_EQ(-EACCES, seal(self, offer, &cargo));
	EXPECT_STREQ("the server's list of methods", self->e.rule);
	EXPECT_NULL(cargo);
	ASSERT_EQ(0, kf_state_set_methods(self->state, rsa, 1, NULL));
	EXPECT_EQ(0, seal(self, offer, &cargo));
	kf_verified_offer_free(offer);
	free(cargo);
	free(json);
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

static int make_recipient(struct fixture_state *self, struct kf_archive_recipient **out)
{
	char line[256], path[64], cert[8192];
	FILE *f;
	size_t n;

	(void)snprintf(path, sizeof(path), "%s/k.pem", self->dir);
	ASSERT_EQ(0, prepared_rsa_save(2048, 0, path));
	(void)snprintf(line, sizeof(line), "cd %s && openssl req -x509 -key k.pem -out c.pem -subj /CN=a "
		       "-addext keyUsage=critical,keyEncipherment 2>/dev/null", self->dir);
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

/* A ticket of this session id is there already: the last thing that can fail, and after the nonce. */
TEST_F(state, who_loses_nonce_and_cargo_is_told_so_and_keeps_no_archive)
{
	struct kf_keypair *pair = new_pair(KF_PURPOSE_DERIVE);
	struct kf_archive_recipient *to = NULL;
	struct kf_verified_offer *offer = NULL;
	uint8_t nonce[KF_NONCE_SIZE];
	char *json, *cargo = NULL, path[128], sid[2 * KF_SID_SIZE + 1], archive[64];
	struct kf_seal_request request = {
		.size = sizeof(request), .pair = pair, .archive_path = archive,
	};
	struct stat st;
	size_t len = 0;

	(void)snprintf(archive, sizeof(archive), "%s/a.p7m", self->dir);
	ASSERT_EQ(0, make_recipient(self, &to));
	new_nonce(self, nonce);
	json = fakecard_offer(&self->card, nonce, NULL);
	ASSERT_EQ(0, verify(self, NULL, 0, json, &offer));
	hex_print(BYTES(kf_verified_offer_sid(offer), KF_SID_SIZE), sid);
	(void)snprintf(path, sizeof(path), "%s/tickets/%s.json", self->path, sid);
	command("touch", path);
	request.offer = offer;
	request.recipient = to;
	EXPECT_EQ(-EEXIST, kf_state_seal(self->state, &request, &cargo, &len, &self->e));
	EXPECT_NULL(cargo);
	EXPECT_STREQ("cannot seal the key", self->e.what);
	EXPECT_NOT_NULL(strstr(self->e.next, "this one is spent"));
	EXPECT_NE(0, stat(archive, &st));
	EXPECT_EQ(-EACCES, seal(self, offer, &cargo));
	EXPECT_NOT_NULL(strstr(self->e.why, "used before"));
	kf_verified_offer_free(offer);
	kf_archive_recipient_free(to);
	kf_keypair_free(pair);
	free(json);
}

TEST_F(state, more_items_than_a_cargo_holds_spend_no_nonce)
{
	struct kf_keypair *pair = new_pair(KF_PURPOSE_SIGN);
	const struct kf_keypair *pairs[KF_ITEMS_MAX + 1];
	struct kf_verified_offer *offer = NULL;
	struct kf_seal_request request = { .size = sizeof(request), .pairs = pairs, .n_pairs = KF_ITEMS_MAX + 1 };
	uint8_t nonce[KF_NONCE_SIZE];
	char *json, *cargo = NULL;
	size_t len = 0;

	for (size_t i = 0; i < request.n_pairs; i++)
		pairs[i] = pair;
	new_nonce(self, nonce);
	json = fakecard_offer(&self->card, nonce, NULL);
	ASSERT_EQ(0, verify(self, NULL, 0, json, &offer));
	request.offer = offer;
	EXPECT_EQ(-EINVAL, kf_state_seal(self->state, &request, &cargo, &len, &self->e));
	EXPECT_NOT_NULL(strstr(self->e.why, "65 items"));
	EXPECT_NULL(cargo);
	EXPECT_EQ(0, seal(self, offer, &cargo));
	free(cargo);
	free(json);
	kf_verified_offer_free(offer);
	kf_keypair_free(pair);
}
