// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libserver/enrolled_test.c - What is not a device certificate under the root is not enrolled.
 *
 * Faces: libserver/cert.c
 */
#include "keyferry/server.h"
#include "tests/libserver/fakecard.h"

#include <openssl/pem.h>

static int take(struct fakecard *card, bool allow_virtual, struct bytes crl, struct kf_error *e)
{
	struct kf_server *server = NULL;
	struct kf_enrolled *out = NULL;
	int r;

	ASSERT_EQ(0, kf_server_new(&server, NULL));
	kf_server_allow_virtual(server, allow_virtual);
	r = kf_enrolled_new(server, card->cert_der.p, card->cert_der.n, card->root_der.p,
			    card->root_der.n, crl.p, crl.n, &out, e);
	EXPECT_EQ(r == 0, out != NULL);
	kf_enrolled_free(out);
	kf_server_free(server);
	return r;
}

TEST(a_virtual_card_needs_permission)
{
	struct kf_error e = KF_ERROR_INIT;
	struct fakecard card;

	fakecard_init(&card, NULL);
	EXPECT_EQ(-EACCES, take(&card, false, BYTES_NONE, &e));
	EXPECT_NOT_NULL(strstr(e.why, "virtual"));
	EXPECT_EQ(0, take(&card, true, BYTES_NONE, &e));
	fakecard_deinit(&card);
}

TEST(a_chip_needs_none)
{
	struct fakecard card;

	fakecard_init(&card, &(struct fakecard_style){ .chip = true });
	EXPECT_EQ(0, take(&card, false, BYTES_NONE, NULL));
	fakecard_deinit(&card);
}

TEST(each_rule_of_the_profile_is_checked)
{
	static const struct {
		struct fakecard_style style;
		const char *why;
	} rows[] = {
		{ { .is_ca = true }, "CA" },
		{ { .no_usage = true }, "digitalSignature" },
		{ { .other_extended_usage = true }, "extended key usage" },
		{ { .not_critical_virtual = true }, "virtual extension" },
		{ { .unknown_critical = true }, "critical extension" },
		{ { .rsa_key = true }, "P-256" },
		{ { .no_serial = true }, "serial number" },
		{ { .serial = "with space" }, "serial number" },
		{ { .soft_constraints = true }, "basic constraints" },
		{ { .soft_usage = true }, "digitalSignature" },
		{ { .soft_extended = true }, "extended key usage" },
		{ { .two_serials = true }, "serial number" },
		{ { .weak_signature = true }, "weaker" },
		{ { .weak_signature = true, .rsa_root = true }, "weaker" },
		{ { .weak_signature = true, .rsa_root = true, .pss = true }, "weaker" },
		{ { .expired = true }, "expired" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kf_error e = KF_ERROR_INIT;
		struct fakecard card;

		fakecard_init(&card, &rows[i].style);
		EXPECT_EQ(-EACCES, take(&card, true, BYTES_NONE, &e));
		if (!strstr(e.why, rows[i].why))
			TEST_FAIL("row %zu: wanted \"%s\" in \"%s\"", i, rows[i].why, e.why);
		fakecard_deinit(&card);
	}
}

TEST(only_its_own_root_will_do)
{
	struct fakecard card, other;
	struct blob root;

	fakecard_init(&card, NULL);
	fakecard_init(&other, NULL);
	root = card.root_der;
	card.root_der = other.root_der;
	EXPECT_EQ(-EACCES, take(&card, true, BYTES_NONE, NULL));	/* same name, other key */
	card.root_der = card.cert_der;
	EXPECT_EQ(-EACCES, take(&card, true, BYTES_NONE, NULL));	/* not a CA at all */
	card.root_der = root;
	EXPECT_EQ(0, take(&card, true, BYTES_NONE, NULL));
	card.cert_der.n--;
	EXPECT_EQ(-EBADMSG, take(&card, true, BYTES_NONE, NULL));
	card.cert_der.n++;
	fakecard_deinit(&card);
	fakecard_deinit(&other);
}

TEST(the_list_is_of_the_root_current_and_consulted)
{
	struct fakecard card, other;
	struct blob clean, revoked, foreign;
	struct kf_error e = KF_ERROR_INIT;

	fakecard_init(&card, NULL);
	fakecard_init(&other, NULL);
	clean = fakecard_crl(&card, false, 60);
	revoked = fakecard_crl(&card, true, 60);
	foreign = fakecard_crl(&other, false, 60);
	EXPECT_EQ(0, take(&card, true, blob_bytes(&clean), NULL));
	EXPECT_EQ(-EACCES, take(&card, true, blob_bytes(&revoked), &e));
	EXPECT_STREQ("it was revoked", e.why);
	EXPECT_EQ(-EACCES, take(&card, true, blob_bytes(&foreign), NULL));
	EXPECT_EQ(-EBADMSG, take(&card, true, BYTES("junk", 4), NULL));
	blob_deinit(&clean);
	blob_deinit(&revoked);
	blob_deinit(&foreign);
	fakecard_deinit(&card);
	fakecard_deinit(&other);
}

/* ECDSA, RSASSA-PKCS1 and RSASSA-PSS, which says its hash elsewhere. */
FIXTURE(maker) { struct fakecard card; };
FIXTURE_VARIANT(maker) { struct fakecard_style style; };
FIXTURE_VARIANT_ADD(maker, ecdsa) { { 0 } };
FIXTURE_VARIANT_ADD(maker, pkcs1) { { .rsa_root = true } };
FIXTURE_VARIANT_ADD(maker, pss) { { .rsa_root = true, .pss = true } };
FIXTURE_SETUP(maker) { fakecard_init(&self->card, &variant->style); }
FIXTURE_TEARDOWN(maker) { fakecard_deinit(&self->card); }

TEST_F(maker, a_certificate_signed_with_sha_256_is_taken)
{
	EXPECT_EQ(0, take(&self->card, true, BYTES_NONE, NULL));
}

TEST_F(maker, a_list_signed_more_weakly_than_certificates_is_refused)
{
	const struct { const EVP_MD *md; int r; } rows[] = {
		{ EVP_sha1(), -EACCES }, { EVP_sha224(), -EACCES }, { EVP_sha256(), 0 },
		{ EVP_sha384(), 0 }, { EVP_sha512(), 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct blob crl = fakecard_crl_signed(&self->card, false, 60, rows[i].md);
		struct kf_error e = KF_ERROR_INIT;

		EXPECT_EQ(rows[i].r, take(&self->card, true, blob_bytes(&crl), &e));
		EXPECT_EQ(rows[i].r < 0, strstr(e.why, "list's signature is weaker") != NULL);
		blob_deinit(&crl);
	}
}

static char *pem_text(X509 *cert, X509 *and_then)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text, *copy;
	long n;

	ASSERT_EQ(1, PEM_write_bio_X509(bio, cert));
	if (and_then)
		ASSERT_EQ(1, PEM_write_bio_X509(bio, and_then));
	n = BIO_get_mem_data(bio, &text);
	copy = calloc(1, (size_t)n + 1);	/* not strndup(): no zero ends what a BIO holds */
	ASSERT_NOT_NULL(copy);
	memcpy(copy, text, (size_t)n);
	BIO_free(bio);
	return copy;
}

/* Not the first of them in silence: the second may be the one that was meant. */
TEST(a_file_with_two_certificates_is_refused)
{
	struct fakecard card;
	struct kf_error e = KF_ERROR_INIT;
	struct blob der;
	char *one, *two;

	fakecard_init(&card, NULL);
	one = pem_text(card.cert, NULL);
	two = pem_text(card.cert, card.root);
	der = card.cert_der;
	card.cert_der = (struct blob){ (uint8_t *)one, strlen(one) };
	EXPECT_EQ(0, take(&card, true, BYTES_NONE, &e));
	card.cert_der = (struct blob){ (uint8_t *)two, strlen(two) };
	EXPECT_EQ(-EBADMSG, take(&card, true, BYTES_NONE, &e));
	EXPECT_NOT_NULL(strstr(e.why, "more than one"));
	card.cert_der = der;
	free(one);
	free(two);
	fakecard_deinit(&card);
}
