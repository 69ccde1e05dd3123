// SPDX-License-Identifier: LGPL-2.1-or-later
/* tests/libserver/archive_test.c - The openssl command opens what we archive, and says how. */
#include "base/cleanup.h"
#include "format/hash.h"
#include "tests/keys/keys.h"
#include "tests/libserver/server_fixture.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

FIXTURE(archive)
{
	struct voyage v;
	struct kf_keypair *pair;
	EVP_PKEY *key;
	char *pem;
	char dir[32];
	struct kf_error e;
};

/* A recipient's certificate as its owner would make it, by the command. */
static void command(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void command(const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (system(line) != 0)
		TEST_FAIL("failed: %s", line);
}

static char *slurp(const struct fixture_archive *self, const char *name, size_t *len)
{
	char path[64], *text = calloc(1, 65536);
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", self->dir, name);
	f = fopen(path, "re");
	ASSERT_NOT_NULL(f);
	*len = fread(text, 1, 65535, f);
	(void)fclose(f);
	return text;
}

static void put_key(struct fixture_archive *self, unsigned int index, const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", self->dir, name);
	ASSERT_EQ(0, prepared_rsa_save(2048, index, path));
}

FIXTURE_SETUP(archive)
{
	(void)snprintf(self->dir, sizeof(self->dir), "/tmp/kf-archive-XXXXXX");
	ASSERT_NOT_NULL(mkdtemp(self->dir));
	voyage_init(&self->v, false, NULL);
	ASSERT_EQ(0, some_key(KF_KEY_RSA_2048, &self->key));
	self->pem = fakecard_pem(self->key);
	ASSERT_EQ(0, kf_keypair_from_pem(self->pem, strlen(self->pem), NULL, 0, &self->pair, NULL));
	ASSERT_EQ(0, kf_keypair_set_purpose(self->pair, KF_PURPOSE_DECRYPT, NULL));
	put_key(self, 1, "k.pem");
	command("cd %s && openssl req -x509 -key k.pem -out c.pem -subj /CN=archive "
		"-addext keyUsage=critical,keyEncipherment 2>/dev/null", self->dir);
}

FIXTURE_TEARDOWN(archive)
{
	kf_keypair_free(self->pair);
	EVP_PKEY_free(self->key);
	free(self->pem);
	voyage_deinit(&self->v);
	command("rm -rf %s", self->dir);
}

static struct kf_archive_recipient *recipient(struct fixture_archive *self, const char *name)
{
	struct kf_archive_recipient *out = NULL;
	size_t len;
	char *cert = slurp(self, name, &len);

	if (kf_archive_recipient_new(cert, len, NULL, 0, &out, &self->e) < 0)
		EXPECT_NULL(out);
	free(cert);
	return out;
}

TEST_F_TIMEOUT(archive, the_openssl_command_opens_it, 30)
{
	struct kf_archive_recipient *to = recipient(self, "c.pem");
	char path[64], *text;
	uint8_t *der = NULL;
	size_t len = 0;
	FILE *f;

	ASSERT_NOT_NULL(to);
	ASSERT_EQ(0, kf_archive_seal(to, self->v.offer, self->pair, 0, &der, &len, &self->e));
	(void)snprintf(path, sizeof(path), "%s/a.p7m", self->dir);
	f = fopen(path, "we");
	ASSERT_EQ(len, fwrite(der, 1, len, f));
	(void)fclose(f);
	free(der);
	kf_archive_recipient_free(to);

	command("cd %s && openssl cms -decrypt -inform DER -in a.p7m -inkey k.pem -out a.txt && "
		"openssl pkey -in a.txt -out got.pem", self->dir);
	text = slurp(self, "a.txt", &len);
	EXPECT_EQ(0, strncmp(text, "keyferry-archive: 1\nserial: FAKE-1\ncontainer: 3\n", 47));
	free(text);
	text = slurp(self, "got.pem", &len);
	EXPECT_STREQ(self->pem, text);
	free(text);
	command("cd %s && openssl cms -cmsout -print -inform DER -in a.p7m >p.txt && "
		"grep -q authEnvelopedData p.txt && grep -q aes-256-gcm p.txt && "
		"grep -q rsaesOaep p.txt && grep -q sha256 p.txt", self->dir);
}

TEST_F_TIMEOUT(archive, an_aes_key_is_the_last_line, 30)
{
	static const uint8_t bytes[16] = { 0xae, 0x5c, [15] = 0x01 };
	struct kf_archive_recipient *to = recipient(self, "c.pem");
	struct kf_keypair *key = NULL;
	char path[64], *text;
	uint8_t *der = NULL;
	size_t len = 0;
	FILE *f;

	ASSERT_NOT_NULL(to);
	ASSERT_EQ(0, kf_keypair_from_raw(bytes, sizeof(bytes), &key, &self->e));
	ASSERT_EQ(0, kf_archive_seal(to, self->v.offer, key, 0, &der, &len, &self->e));
	(void)snprintf(path, sizeof(path), "%s/aes.p7m", self->dir);
	f = fopen(path, "we");
	ASSERT_EQ(len, fwrite(der, 1, len, f));
	(void)fclose(f);
	free(der);
	kf_archive_recipient_free(to);
	kf_keypair_free(key);
	command("cd %s && openssl cms -decrypt -inform DER -in aes.p7m -inkey k.pem | tail -n 1 >aes.hex",
		self->dir);
	text = slurp(self, "aes.hex", &len);
	EXPECT_STREQ("ae5c0000000000000000000000000001\n", text);
	free(text);
}

TEST_F(archive, a_key_that_only_signs_has_no_copy_unless_insisted)
{
	struct kf_archive_recipient *to = recipient(self, "c.pem");
	uint8_t *der = NULL;
	size_t len = 0;

	ASSERT_EQ(0, kf_keypair_set_purpose(self->pair, KF_PURPOSE_SIGN, NULL));
	EXPECT_EQ(-EACCES, kf_archive_seal(to, self->v.offer, self->pair, 0, &der, &len, NULL));
	EXPECT_EQ(0, kf_archive_seal(to, self->v.offer, self->pair, 1, &der, &len, NULL));
	free(der);
	kf_archive_recipient_free(to);
}

TEST_F_TIMEOUT(archive, recipients_are_checked, 30)
{
	struct kf_archive_recipient *to = NULL;
	char *cert, *root, *other;
	size_t cert_len, root_len, other_len;

	put_key(self, 0, "rk.pem");
	command("cd %s && openssl req -x509 -key rk.pem -out plain.pem "
		"-subj /CN=x -addext keyUsage=critical,digitalSignature 2>/dev/null && "
		"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout n.pem "
		"-out ec.pem -subj /CN=x -addext keyUsage=critical,keyEncipherment 2>/dev/null && "
		"openssl req -new -key k.pem -subj /CN=leaf -out leaf.csr 2>/dev/null && "
		"openssl req -x509 -key rk.pem -out root.pem -subj /CN=root 2>/dev/null && printf keyUsage=keyEncipherment >ext && "
		"openssl x509 -req -in leaf.csr -CA root.pem -CAkey rk.pem -extfile ext -days 1 "
		"-out leaf.pem 2>/dev/null", self->dir);
	EXPECT_NULL(recipient(self, "plain.pem"));
	EXPECT_NOT_NULL(strstr(self->e.why, "keyEncipherment"));
	EXPECT_NULL(recipient(self, "ec.pem"));
	EXPECT_NULL(recipient(self, "leaf.pem"));
	EXPECT_NOT_NULL(strstr(self->e.next, "--archive-root"));
	EXPECT_NULL(recipient(self, "k.pem"));

	cert = slurp(self, "leaf.pem", &cert_len);
	root = slurp(self, "root.pem", &root_len);
	other = slurp(self, "c.pem", &other_len);
	EXPECT_EQ(0, kf_archive_recipient_new(cert, cert_len, root, root_len, &to, &self->e));
	kf_archive_recipient_free(to);
	EXPECT_EQ(-EACCES, kf_archive_recipient_new(cert, cert_len, other, other_len, &to, NULL));
	free(cert);
	free(root);
	free(other);
}
