/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Faces: vreader/card/maker.c vreader/card/keyfile.c vreader/card/blank.c vreader/card/card.c
 *
 * Cards in real directories, from the maker's hands to the first command.
 */
#include "format/ossl.h"
#include "tests/harness.h"
#include "tests/vreader/card/tray.h"
#include "vreader/card/maker.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

FIXTURE(bench)
{
	char dir[32];
	char state[64], other[64], maker[64];
	char why[VCARD_WHY_MAX];
	struct secret pin, puk;
};

FIXTURE_SETUP(bench)
{
	memcpy(self->dir, "/tmp/kf-card-XXXXXX", 20);
	ASSERT_NOT_NULL(mkdtemp(self->dir));
	(void)snprintf(self->state, sizeof(self->state), "%s/card", self->dir);
	(void)snprintf(self->other, sizeof(self->other), "%s/other", self->dir);
	(void)snprintf(self->maker, sizeof(self->maker), "%s/maker", self->dir);
	self->pin = self->puk = SECRET_INIT;
	ASSERT_EQ(0, secret_init(&self->pin, 32));
	ASSERT_EQ(0, secret_init(&self->puk, 32));
}

FIXTURE_TEARDOWN(bench)
{
	char command[64];

	secret_deinit(&self->pin);
	secret_deinit(&self->puk);
	(void)snprintf(command, sizeof(command), "rm -rf %s", self->dir);
	EXPECT_EQ(0, system(command));
}

static int make(struct fixture_bench *self, const char *dir, const char *serial, const char *maker)
{
	struct bytes injector = tray_spki(TRAY_INJECTOR);
	struct vcard_personalisation want = {
		.state_dir = dir,
		.serial = serial,
		.injectors = &injector,
		.n_injectors = 1,
		.maker_dir = maker,
		.new_pin = &self->pin,
		.new_puk = &self->puk,
	};

	memset(self->why, 0, sizeof(self->why));
	return vcard_personalise(&want, self->why);
}

static X509 *load(const char *dir, const char *name)
{
	char path[128];
	FILE *file;
	X509 *cert;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "re");
	ASSERT_NOT_NULL(file);
	cert = PEM_read_X509(file, NULL, NULL, NULL);
	(void)fclose(file);
	ASSERT_NOT_NULL(cert);
	return cert;
}

TEST_F(bench, a_new_card_opens_and_knows_its_pin)
{
	struct vcard *card;
	uint8_t select[] = { 0x00, 0xa4, 0x04, 0x0c, 0x0a, 0xf0, 0x6b, 0x65, 0x79, 0x66, 0x65, 0x72,
			     0x72, 0x79, 0x01 };
	uint8_t verify[64] = { 0x00, 0x20, 0x00, 0x81, 0x08 };
	static uint8_t buf[VCARD_RESPONSE_MAX];
	struct packer out = pack_begin(buf, sizeof(buf));

	ASSERT_EQ(0, make(self, self->state, "KF-7", NULL));
	EXPECT_EQ(8u, self->pin.n);
	EXPECT_EQ(12u, self->puk.n);
	memcpy(verify + 5, self->pin.p, 8);
	ASSERT_EQ(0, vcard_open(self->state, &card, self->why));
	EXPECT_EQ(-EIO, vcard_process(card, BYTES_OF(select), &out));	/* not powered */
	vcard_power_on(card);
	EXPECT_EQ(0, vcard_process(card, BYTES_OF(select), &out));
	EXPECT_EQ(0, vcard_process(card, BYTES(verify, 13), &out));
	EXPECT_MEMEQ("\x90\0\x90\0", buf, 4);
	EXPECT_EQ(sizeof(vcard_atr_default), vcard_atr(card).n);
	vcard_free(card);
}

TEST_F(bench, a_card_is_in_one_reader_at_a_time)
{
	struct vcard *card, *again;

	ASSERT_EQ(0, make(self, self->state, "KF-7", NULL));
	ASSERT_EQ(0, vcard_open(self->state, &card, self->why));
	EXPECT_EQ(-EBUSY, vcard_open(self->state, &again, self->why));
	EXPECT_NOT_NULL(strstr(self->why, "another process"));
	vcard_free(card);
	EXPECT_EQ(-ENOENT, vcard_open(self->other, &again, self->why));
	EXPECT_NOT_NULL(strstr(self->why, "personalise"));
}

static int make_with_keks(struct fixture_bench *self, const struct vcard_kek *keks, size_t n)
{
	const struct vcard_personalisation want = {
		.state_dir = self->state,
		.serial = "KF-RIG",
		.keks = keks,
		.n_keks = n,
		.new_pin = &self->pin,
		.new_puk = &self->puk,
	};

	memset(self->why, 0, sizeof(self->why));
	return vcard_personalise(&want, self->why);
}

TEST_F(bench, a_rigs_card_has_the_keks_it_was_given_and_says_so)
{
	unsigned char *der = NULL;
	int n = i2d_PrivateKey(tray_key(TRAY_RSA3072), &der);
	const struct vcard_kek keks[] = {
		{ "https://card.example/keys/kek/1", KF_HASH_SHA1, BYTES(der, (size_t)n) },
		{ "other", KF_HASH_SHA512, BYTES(der, (size_t)n) },
	};
	const struct container *c;
	struct vcard *base;
	const struct card *card;

	ASSERT_EQ(0, make_with_keks(self, keks, 2));
	ASSERT_EQ(0, vcard_open(self->state, &base, self->why));
	card = (const struct card *)base;
	c = &card->state->containers[15];
	EXPECT_EQ(KF_PURPOSE_KEK, c->purpose);
	EXPECT_EQ(KF_ORIGIN_FACTORY, c->origin);
	EXPECT_EQ(KF_KEY_RSA_3072, card_key_type(c->key));
	EXPECT_BYTES_EQ(tray_spki(TRAY_RSA3072), card_key_spki(c->key));
	EXPECT_BYTES_EQ(BYTES(keks[0].name, strlen(keks[0].name)), blob_bytes(c->kek.name));
	EXPECT_EQ(KF_HASH_SHA512, card->state->containers[14].kek.hash);
	EXPECT_EQ(10u, c->kek.key_types.n);
	vcard_free(base);
	OPENSSL_clear_free(der, (size_t)n);
}

TEST_F(bench, a_kek_that_cannot_be_makes_no_card)
{
	unsigned char *der = NULL, *ec = NULL;
	int n = i2d_PrivateKey(tray_key(TRAY_RSA), &der), m = i2d_PrivateKey(tray_key(TRAY_P256), &ec);
	struct bytes key = BYTES(der, (size_t)n);
	const struct vcard_kek rows[][2] = {
		{ { "a name", KF_HASH_SHA1, key } },
		{ { "a", 9, key } },
		{ { "a", KF_HASH_SHA1, BYTES(ec, (size_t)m) } },
		{ { "a", KF_HASH_SHA1, BYTES(der, (size_t)n - 1) } },
		{ { "Kek", KF_HASH_SHA1, key }, { "kEK", KF_HASH_SHA1, key } },
	};
	struct vcard_kek many[APP_CONTAINERS + 1];
	char names[APP_CONTAINERS + 1][4];
	struct vcard *card;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (make_with_keks(self, rows[i], rows[i][1].name ? 2 : 1) != -EINVAL)
			TEST_FAIL("row %zu makes one", i);
		EXPECT_NE('\0', self->why[0]);
	}
	for (size_t i = 0; i <= APP_CONTAINERS; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "%zu", i);
		many[i] = (struct vcard_kek){ names[i], KF_HASH_SHA1, key };
	}
	EXPECT_EQ(-EINVAL, make_with_keks(self, many, APP_CONTAINERS + 1));
	EXPECT_EQ(-ENOENT, vcard_open(self->state, &card, self->why));
	OPENSSL_clear_free(der, (size_t)n);
	OPENSSL_clear_free(ec, (size_t)m);
}

TEST_F(bench, a_card_is_made_once)
{
	ASSERT_EQ(0, make(self, self->state, "KF-7", NULL));
	EXPECT_EQ(-EEXIST, make(self, self->state, "KF-7", NULL));
	EXPECT_NOT_NULL(strstr(self->why, "already"));
}

TEST_F(bench, the_certificate_is_as_the_page_has_it)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *root_key = NULL;
	X509 *cert, *root;
	X509_NAME *subject;
	ASN1_OBJECT *mark = OBJ_txt2obj("2.25.315007932491006175092051259904916213513.2", 1);
	ASN1_OBJECT *usage = OBJ_txt2obj("2.25.315007932491006175092051259904916213513.1", 1);
	EXTENDED_KEY_USAGE *eku;
	int at, critical;
	X509_EXTENSION *extension;

	ASSERT_EQ(0, make(self, self->state, "KF-7.a", self->maker));
	cert = load(self->state, "card.pem");
	root = load(self->state, "root.pem");
	root_key = X509_get_pubkey(root);
	EXPECT_EQ(1, X509_verify(cert, root_key));
	EXPECT_EQ(X509_V_OK, X509_check_issued(root, cert));
	EXPECT_EQ(X509_VERSION_3, X509_get_version(cert));

	subject = X509_get_subject_name(cert);
	EXPECT_EQ(1, X509_NAME_entry_count(subject));
	at = X509_NAME_get_index_by_NID(subject, NID_serialNumber, -1);
	ASSERT_EQ(0, at);
	EXPECT_STREQ("KF-7.a", (const char *)ASN1_STRING_get0_data(
			     X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));

	EXPECT_EQ((uint32_t)KU_DIGITAL_SIGNATURE, X509_get_key_usage(cert));
	EXPECT_EQ(0u, X509_get_extension_flags(cert) & EXFLAG_CA);
	eku = X509_get_ext_d2i(cert, NID_ext_key_usage, &critical, NULL);
	ASSERT_NOT_NULL(eku);
	EXPECT_EQ(1, critical);
	EXPECT_EQ(1, sk_ASN1_OBJECT_num(eku));
	EXPECT_EQ(0, OBJ_cmp(usage, sk_ASN1_OBJECT_value(eku, 0)));

	at = X509_get_ext_by_OBJ(cert, mark, -1);
	ASSERT_GE(at, 0);
	extension = X509_get_ext(cert, at);
	EXPECT_EQ(1, X509_EXTENSION_get_critical(extension));
	EXPECT_EQ(2, ASN1_STRING_length(X509_EXTENSION_get_data(extension)));
	EXPECT_MEMEQ("\x05\0", ASN1_STRING_get0_data(X509_EXTENSION_get_data(extension)), 2);

	EXTENDED_KEY_USAGE_free(eku);
	ASN1_OBJECT_free(mark);
	ASN1_OBJECT_free(usage);
	X509_free(cert);
	X509_free(root);
}

TEST_F(bench, cards_of_one_maker_share_its_root_and_can_be_revoked)
{
	char command[1024];
	struct stat st;

	ASSERT_EQ(0, make(self, self->state, "KF-7", self->maker));
	ASSERT_EQ(0, make(self, self->other, "KF-8", self->maker));
	(void)snprintf(command, sizeof(command), "%s/root.key", self->maker);
	ASSERT_EQ(0, stat(command, &st));
	EXPECT_EQ(0600u, st.st_mode & 0777);
	(void)snprintf(command, sizeof(command),
		       "cd %s && cmp -s card/root.pem other/root.pem && : >index && "
		       "printf '[ca]\\ndefault_ca=m\\n[m]\\ndatabase=index\\ndefault_md=sha256\\n' >cnf && "
		       "ca='openssl ca -config cnf -keyfile maker/root.key -cert maker/root.pem' && "
		       "$ca -revoke other/card.pem 2>log && $ca -gencrl -crldays 30 -out crl.pem 2>>log && "
		       "v='openssl verify -ignore_critical -crl_check -CRLfile crl.pem -CAfile maker/root.pem' && "
		       "$v card/card.pem >>log 2>&1 && ! $v other/card.pem >>log 2>&1", self->dir);
	EXPECT_EQ(0, system(command));
}

TEST_F(bench, a_kill_between_key_and_certificate_of_the_root_heals)
{
	char path[128];

	ASSERT_EQ(0, make(self, self->state, "KF-7", self->maker));
	(void)snprintf(path, sizeof(path), "%s/root.pem", self->maker);
	ASSERT_EQ(0, unlink(path));
	EXPECT_EQ(0, make(self, self->other, "KF-8", self->maker));
	EXPECT_EQ(0, access(path, R_OK));
}

TEST_F(bench, a_foreign_root_certificate_is_refused)
{
	char command[256];

	ASSERT_EQ(0, make(self, self->state, "KF-7", self->maker));
	(void)snprintf(command, sizeof(command), "cp %s/card.pem %s/root.pem", self->state, self->maker);
	ASSERT_EQ(0, system(command));
	EXPECT_EQ(-EBADMSG, make(self, self->other, "KF-8", self->maker));
	EXPECT_NOT_NULL(strstr(self->why, "--maker"));
	EXPECT_EQ(-ENOENT, vcard_open(self->other, &(struct vcard *){ NULL }, self->why));
}

TEST_F(bench, what_makes_no_card_is_refused_in_words)
{
	struct bytes nine[9];
	struct vcard_personalisation want = {
		.state_dir = self->state, .serial = "KF-7", .injectors = nine, .n_injectors = 9,
		.new_pin = &self->pin, .new_puk = &self->puk,
	};
	struct secret shorter = self->pin;

	EXPECT_EQ(-EINVAL, make(self, self->state, "", NULL));
	EXPECT_EQ(-EINVAL, make(self, self->state, "a_b", NULL));
	EXPECT_EQ(-EINVAL, make(self, self->state, "123456789012345678901234567890123", NULL));
	for (size_t i = 0; i < 9; i++)
		nine[i] = tray_spki(TRAY_INJECTOR);
	EXPECT_EQ(-EINVAL, vcard_personalise(&want, self->why));
	EXPECT_NOT_NULL(strstr(self->why, "8 injector"));
	nine[0] = tray_spki(TRAY_P384);
	want.n_injectors = 1;
	EXPECT_EQ(-EINVAL, vcard_personalise(&want, self->why));
	EXPECT_NOT_NULL(strstr(self->why, "P-256"));
	want.n_injectors = 0;
	shorter.n = 3;
	want.pin = &shorter;
	EXPECT_EQ(-EINVAL, vcard_personalise(&want, self->why));
	EXPECT_NOT_NULL(strstr(self->why, "4 to 32"));
	EXPECT_NE(0, access(self->state, F_OK));
}
