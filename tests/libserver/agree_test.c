// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Faces: libserver/establish.c
 *
 * Method ecdh on the server, judged by a card made of format/.
 */
#include "format/agree.h"
#include "libserver/ticket.h"
#include "tests/libserver/server_fixture.h"

FIXTURE(agree)
{
	struct voyage v;
	char *cargo, *ticket;
};

FIXTURE_VARIANT(agree)
{
	enum kf_key_type type;
};

FIXTURE_VARIANT_ADD(agree, p256) { KF_KEY_EC_P256 };
FIXTURE_VARIANT_ADD(agree, p384) { KF_KEY_EC_P384 };
FIXTURE_VARIANT_ADD(agree, x25519) { KF_KEY_X25519 };

FIXTURE_SETUP(agree)
{
	struct kf_keypair *pair = voyage_pair(KF_KEY_EC_P256);

	voyage_init_by(&self->v, true, variant->type, NULL);
	voyage_seal(&self->v, pair, 2, &self->cargo, &self->ticket);
	kf_keypair_free(pair);
}

FIXTURE_TEARDOWN(agree)
{
	free(self->cargo);
	free(self->ticket);
	voyage_deinit(&self->v);
}

static int verify(struct fixture_agree *self, void (*bend)(struct receipt *r))
{
	return voyage_verify(&self->v, self->cargo, self->ticket, bend);
}

static void other_confirmation(struct receipt *r) { r->confirmation[15] ^= 1; }
static void no_confirmation(struct receipt *r) { r->confirms = false; }
static void method_rsa(struct receipt *r)
{
	r->method = KF_METHOD_RSA;
	r->confirms = false;
}

TEST_F(agree, the_card_opens_what_was_sealed_and_confirms)
{
	struct fakecard_opened opened;

	ASSERT_EQ(KF_METHOD_ECDH, kf_verified_offer_method(self->v.offer));
	EXPECT_EQ(KF_GRADE_A_VIRTUAL, kf_verified_offer_grade(self->v.offer));
	ASSERT_EQ(0, fakecard_open(&self->v.card, self->cargo, 2, self->v.injector, &opened));
	EXPECT_TRUE(opened.sender_is_valid);
	EXPECT_EQ(KF_METHOD_ECDH, opened.body.method);
	EVP_PKEY_free(opened.key);
	EXPECT_EQ(0, verify(self, NULL));
}

TEST_F(agree, a_card_that_does_not_confirm_proves_nothing)
{
	EXPECT_EQ(-EACCES, verify(self, other_confirmation));
	EXPECT_NOT_NULL(strstr(self->v.e.why, "does not confirm"));
	EXPECT_EQ(-EBADMSG, verify(self, no_confirmation));
	EXPECT_EQ(-EACCES, verify(self, method_rsa));
}

static struct ticket read_ticket(const char *text)
{
	struct ticket ticket = TICKET_INIT;

	ASSERT_EQ(0, ticket_parse(BYTES(text, strlen(text)), &ticket, NULL));
	return ticket;
}

/* Each cargo has an ephemeral pair of its own, even for one offer. */
TEST_F(agree, no_two_cargos_agree_on_the_same)
{
	struct kf_keypair *pair = voyage_pair(KF_KEY_EC_P256);
	struct cargo_file a = CARGO_FILE_INIT, b = CARGO_FILE_INIT;
	struct ticket s, t;
	char *cargo, *ticket;

	voyage_seal(&self->v, pair, 1, &cargo, &ticket);
	ASSERT_EQ(0, cargo_file_parse(BYTES(self->cargo, strlen(self->cargo)), &a, NULL));
	ASSERT_EQ(0, cargo_file_parse(BYTES(cargo, strlen(cargo)), &b, NULL));
	EXPECT_EQ(a.input.n, b.input.n);
	EXPECT_MEMNE(a.input.p, b.input.p, 32);
	s = read_ticket(self->ticket);
	t = read_ticket(ticket);
	EXPECT_MEMNE(s.confirmation, t.confirmation, CONFIRMATION_SIZE);
	ticket_deinit(&s);
	ticket_deinit(&t);
	cargo_file_deinit(&a);
	cargo_file_deinit(&b);
	free(cargo);
	free(ticket);
	kf_keypair_free(pair);
}

TEST_F(agree, nobody_brings_a_session_key_and_none_is_wrapped)
{
	const uint8_t s1[KF_S1_SIZE] = { 1 };
	struct kf_md_key *key = NULL;
	uint8_t *wrapped = NULL;
	size_t len;

	EXPECT_EQ(-EOPNOTSUPP, kf_md_import_session_key(self->v.server, self->v.offer, s1,
							sizeof(s1), 1, &key, NULL));
	EXPECT_EQ(-EOPNOTSUPP, kf_session_key_wrap(self->v.offer, s1, &wrapped, &len, NULL));
	ASSERT_EQ(0, kf_md_import_session_key(self->v.server, self->v.offer, NULL, 0, 1, &key, NULL));
	EXPECT_EQ(-EOPNOTSUPP, kf_md_wrap_session_key(key, &wrapped, &len, NULL));
	/* The ephemeral point, and the confirmation behind it. */
	ASSERT_EQ(0, kf_md_session_input(key, &wrapped, &len, NULL));
	EXPECT_EQ(agree_point_size(variant->type) + CONFIRMATION_SIZE, len);
	if (variant->type != KF_KEY_X25519)
		EXPECT_EQ(4, wrapped[0]);
	free(wrapped);
	kf_md_destroy_key(key);
}

/* --- what a client could say in place of what the card said --- */

static int offer_with(struct fixture_agree *self, void (*statement)(struct statement *s),
		      void (*file)(struct offer_file *file))
{
	struct fakecard_bend bend = { .statement = statement, .file = file };

	return voyage_offer_bent(&self->v, &bend);
}

static void says_rsa(struct offer_file *file) { file->method = KF_METHOD_RSA; }
static void signs_rsa(struct statement *s) { voyage_one_sender(s); s->methods.v[0] = KF_METHOD_RSA; }
static void signs_both(struct statement *s)
{
	voyage_one_sender(s);
	s->methods = (struct number_list){ 2, { KF_METHOD_RSA, KF_METHOD_ECDH } };
}
static void signs_device(struct statement *s) { voyage_one_sender(s); s->purpose = KF_PURPOSE_DERIVE; }
static void signs_injected(struct statement *s) { voyage_one_sender(s); s->origin = KF_ORIGIN_INJECTED; }

TEST_F(agree, a_method_cannot_be_swapped)
{
	EXPECT_EQ(0, offer_with(self, voyage_one_sender, NULL));
	EXPECT_EQ(-EACCES, offer_with(self, voyage_one_sender, says_rsa));
	EXPECT_EQ(-EACCES, offer_with(self, signs_rsa, says_rsa));
	EXPECT_EQ(0, offer_with(self, signs_both, NULL));
	EXPECT_EQ(-EACCES, offer_with(self, signs_both, says_rsa));
	EXPECT_EQ(-EACCES, offer_with(self, signs_device, NULL));
	EXPECT_EQ(-EACCES, offer_with(self, signs_injected, NULL));
}

TEST_F(agree, a_server_that_wants_rsa_takes_no_curve)
{
	const uint8_t rsa[] = { KF_METHOD_RSA };

	ASSERT_EQ(0, kf_server_set_methods(self->v.server, rsa, 1, NULL));
	EXPECT_EQ(-EACCES, offer_with(self, voyage_one_sender, NULL));
	EXPECT_NOT_NULL(strstr(self->v.e.why, "no method that this server accepts"));
	EXPECT_EQ(-EACCES, offer_with(self, signs_both, NULL));
	EXPECT_STREQ("make an offer by method rsa", self->v.e.next);
}

TEST_F(agree, a_curve_for_something_else_serves_no_method)
{
	fakecard_use(&self->v.card, KF_KEY_EC_P521);
	EXPECT_EQ(-EACCES, offer_with(self, voyage_one_sender, NULL));
}
