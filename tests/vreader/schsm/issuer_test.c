/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vreader/schsm/issuer.h"

#include "format/ossl.h"
#include "format/schsm/cvc.h"
#include "tests/harness.h"

#include <stdlib.h>
#include <sys/stat.h>

FIXTURE(maker)
{
	char dir[32];
	uint8_t buf[2048];
};

FIXTURE_SETUP(maker)
{
	memcpy(self->dir, "/tmp/kf-maker-XXXXXX", 21);
	ASSERT_NOT_NULL(mkdtemp(self->dir));
}

FIXTURE_TEARDOWN(maker)
{
	char command[64];

	(void)snprintf(command, sizeof(command), "rm -rf %s", self->dir);
	EXPECT_EQ(0, system(command));
}

static bool begins_with_mark(struct bytes name)
{
	return bytes_have_prefix(name, BYTES(ISSUER_MARK, strlen(ISSUER_MARK)));
}

/* Root, issuer, device: each verified by the one before, and each says that it is virtual. */
static void expect_chain(struct fixture_maker *self, const struct issuer *issuer)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *device = NULL, *root_key = NULL, *issuer_key = NULL,
				   *device_key = NULL;
	struct packer p = pack_begin(self->buf, sizeof(self->buf));
	struct cvc root, issuing, cert;
	struct unpacker u;

	ASSERT_EQ(0, issuer_make_pair(&device));
	ASSERT_EQ(0, issuer_certify(issuer, device, "A-1", &p));
	u = unpack_begin(pack_done(&p));
	ASSERT_EQ(0, cvc_take(&u, &cert));
	ASSERT_EQ(0, cvc_take(&u, &issuing));
	ASSERT_EQ(0, unpack_end(&u));
	ASSERT_EQ(0, cvc_parse(issuer_root(issuer), &root));
	ASSERT_EQ(0, cvc_key_load(&root.key, NULL, &root_key));
	ASSERT_EQ(0, cvc_key_load(&issuing.key, NULL, &issuer_key));
	ASSERT_EQ(0, cvc_key_load(&cert.key, NULL, &device_key));
	EXPECT_EQ(0, cvc_verify(&root, root_key, CVC_ECDSA_SHA256));
	EXPECT_EQ(0, cvc_verify(&issuing, root_key, CVC_ECDSA_SHA256));
	EXPECT_EQ(0, cvc_verify(&cert, issuer_key, CVC_ECDSA_SHA256));
	EXPECT_EQ(1, EVP_PKEY_eq(device, device_key));
	EXPECT_BYTES_EQ(root.chr, root.car);
	EXPECT_BYTES_EQ(root.chr, issuing.car);
	EXPECT_BYTES_EQ(issuing.chr, cert.car);
	EXPECT_BYTES_EQ(BYTES("ZZVIRTA-100001", 14), cert.chr);
	EXPECT_TRUE(begins_with_mark(root.chr) && begins_with_mark(issuing.chr));
}

TEST_F(maker, a_maker_for_one_card_certifies_it)
{
	_cleanup_(issuer_freep) struct issuer *issuer = NULL;

	ASSERT_EQ(0, issuer_new(&issuer));
	expect_chain(self, issuer);
}

TEST_F(maker, a_maker_in_a_directory_is_the_same_every_time)
{
	struct issuer *first, *second;

	ASSERT_EQ(0, issuer_open(self->dir, &first));
	expect_chain(self, first);
	ASSERT_EQ(0, issuer_open(self->dir, &second));
	EXPECT_BYTES_EQ(issuer_root(first), issuer_root(second));
	expect_chain(self, second);
	issuer_free(first);
	issuer_free(second);
}

static void path_of(const struct fixture_maker *self, const char *name, char path[static 96])
{
	(void)snprintf(path, 96, "%s/%s", self->dir, name);
}

TEST_F(maker, a_certificate_that_was_lost_is_made_anew_for_the_same_key)
{
	char path[96];
	struct issuer *issuer;

	ASSERT_EQ(0, issuer_open(self->dir, &issuer));
	issuer_free(issuer);
	path_of(self, "schsm-issuer.cvc", path);
	ASSERT_EQ(0, unlink(path));
	ASSERT_EQ(0, issuer_open(self->dir, &issuer));
	expect_chain(self, issuer);
	issuer_free(issuer);
}

TEST_F(maker, keys_are_for_their_owner_alone)
{
	char path[96];
	struct issuer *issuer;
	struct stat st;

	ASSERT_EQ(0, issuer_open(self->dir, &issuer));
	issuer_free(issuer);
	path_of(self, "schsm-root.key", path);
	ASSERT_EQ(0, stat(path, &st));
	EXPECT_EQ(0600u, st.st_mode & 0777);
	ASSERT_EQ(0, chmod(path, 0640));
	EXPECT_EQ(-EACCES, issuer_open(self->dir, &issuer));
	ASSERT_EQ(0, chmod(path, 0600));
	path_of(self, "schsm-root.cvc", path);
	ASSERT_EQ(0, chmod(path, 0666));
	EXPECT_EQ(-EACCES, issuer_open(self->dir, &issuer));
}

static void copy_over(const struct fixture_maker *self, const char *from, const char *to)
{
	char command[256];

	(void)snprintf(command, sizeof(command), "cp %s/%s %s/%s", self->dir, from, self->dir, to);
	ASSERT_EQ(0, system(command));
}

/* Each file is one that fits elsewhere. */
TEST_F(maker, files_that_do_not_fit_together_are_refused)
{
	static const char *const rows[][2] = {
		{ "schsm-root.cvc", "schsm-issuer.cvc" },
		{ "schsm-issuer.cvc", "schsm-root.cvc" },
		{ "schsm-root.key", "schsm-issuer.key" },
		{ "schsm-issuer.key", "schsm-root.key" },
		{ "schsm-root.cvc", "schsm-root.key" },
		{ "schsm-root.key", "schsm-root.cvc" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct issuer *issuer;
		char command[128];

		(void)snprintf(command, sizeof(command), "rm -f %s/schsm-*", self->dir);
		ASSERT_EQ(0, system(command));
		ASSERT_EQ(0, issuer_open(self->dir, &issuer));
		issuer_free(issuer);
		copy_over(self, rows[i][0], rows[i][1]);
		(void)snprintf(command, sizeof(command), "chmod 600 %s/*.key", self->dir);
		ASSERT_EQ(0, system(command));
		EXPECT_EQ(-EBADMSG, issuer_open(self->dir, &issuer));
	}
}

TEST_F(maker, a_name_longer_than_its_field_is_refused)
{
	_cleanup_(issuer_freep) struct issuer *issuer = NULL;
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *device = NULL;
	struct packer p = pack_begin(self->buf, sizeof(self->buf));

	ASSERT_EQ(0, issuer_new(&issuer));
	ASSERT_EQ(0, issuer_make_pair(&device));
	EXPECT_EQ(-EINVAL, issuer_certify(issuer, device, "123456", &p));
	EXPECT_EQ(0u, p.n);
	EXPECT_EQ(0, issuer_certify(issuer, device, "12345", &p));
}
