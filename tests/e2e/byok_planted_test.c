/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/byok_planted_test.c - A key made in a token, sensitive and wrappable, travels to the card.
 * Its plaintext may be in the process of the token's module and in the card, and nowhere else: not in
 * the keyferry that has it wrapped, not in client, broker, driver and monitor at any APDU boundary, not
 * in their system calls and logs. Module and card are the controls: there the search has to hit. The
 * test knows the key because the token wraps it for a KEK of the test's own first. This is a
 * regression test and proves nothing.
 *
 * Needs root, to read other processes' memory, and SoftHSM.
 */
#include "tests/e2e/search.h"

#include "base/cleanup.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "format/pkcs8.h"
#include "format/wrapped.h"
#include "libserver/byok/envelope.h"
#include "tests/keys/keys.h"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKEN_PIN "1234"

static struct outcome o;

FIXTURE(byok)
{
	struct rig rig;
	char module[128];
	struct needles *key;
	pid_t held;			/* a stopped keyferry byok wrap, to be ended whatever comes */
};

FIXTURE_VARIANT(byok)
{
	enum kf_key_type type;
	const char *name;		/* as pkcs11-tool calls it */
	const char *to_keyferry;
};

FIXTURE_VARIANT_ADD(byok, rsa2048) { KF_KEY_RSA_2048, "rsa:2048", "rsa2048" };
FIXTURE_VARIANT_ADD(byok, p256) { KF_KEY_EC_P256, "EC:prime256v1", "p256" };

/* --- the source: a desk with a token, of the server's uid --- */

static const char *softhsm(void)
{
	static const char *const paths[] = { "/usr/lib/softhsm/libsofthsm2.so",
					     "/usr/lib64/softhsm/libsofthsm2.so" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (access(paths[i], R_OK) == 0)
			return paths[i];
	return NULL;
}

/* DIR/@name runs @command with the token in its environment. */
static void with_token(const struct rig *rig, const char *name, const char *command)
{
	search_script(rig, name, "exec env SOFTHSM2_CONF=%s/server/softhsm2.conf %s \"$@\"", rig->dir,
		      command);
}

/* bin/plain is keyferry with the token; bin/wrapping under strace; bin/held stops as hold.c says. */
static void make_desk(struct rig *rig)
{
	const char *cc = getenv("CC");
	char command[256];

	ASSERT_EQ(0, rig_shell("mkdir '%s/server/tokens' && printf 'directories.tokendir = %s/server/tokens\\n"
		       "objectstore.backend = file\\n' >'%s/server/softhsm2.conf' && chown -R %u '%s/server' && "
		       "%s -D_GNU_SOURCE -shared -fPIC -o '%s/lib/hold.so' '%s/tests/e2e/hold.c' -lcrypto",
		       rig->dir, rig->dir, rig->dir, (unsigned)rig->uid[RIG_SERVER], rig->dir,
		       cc ? cc : "cc", rig->dir, getenv("KF_SRC") ? getenv("KF_SRC") : "."));
	with_token(rig, "bin/token", "");
	with_token(rig, "bin/plain", "bin/keyferry");
	with_token(rig, "bin/wrapping", "strace -f -qq -xx -s 100000 -o mail/wrap.strace bin/keyferry");
	(void)snprintf(command, sizeof(command), "LD_PRELOAD=%s/lib/hold.so bin/keyferry", rig->dir);
	with_token(rig, "bin/held", command);
}

static void make_key(struct fixture_byok *self, const char *name)
{
	struct rig *rig = &self->rig;

	rig_run(rig, RIG_SERVER, NULL, &o, "token", "softhsm2-util", "--init-token", "--free", "--label",
		"source", "--pin", TOKEN_PIN, "--so-pin", "12345678", NULL);
	ASSERT_OK(&o);
	rig_run(rig, RIG_SERVER, NULL, &o, "token", "pkcs11-tool", "--module", self->module, "--token-label",
		"source", "--login", "--pin", TOKEN_PIN, "--keypairgen", "--key-type", name, "--label",
		"mine", "--id", "01", "--sensitive", "--extractable", NULL);
	ASSERT_OK(&o);
}

/* The token wraps for a KEK of ours, and what comes out is what the search is for. */
static void learn_key(struct fixture_byok *self, enum kf_key_type type)
{
	_cleanup_(secret_deinit) struct secret plain = SECRET_INIT;
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *kek = NULL, *key = NULL;
	struct rig *rig = &self->rig;
	uint8_t blob[4096];
	FILE *f = fopen(rig_path(rig, "mail/own.pem"), "we");
	size_t n;

	kek = prepared_rsa(2048, 1);
	ASSERT_NOT_NULL(kek);
	ASSERT_NOT_NULL(f);
	ASSERT_EQ(1, PEM_write_PUBKEY(f, kek));
	ASSERT_EQ(0, fclose(f));
	rig_run(rig, RIG_SERVER, TOKEN_PIN, &o, "plain", "byok", "wrap", "--kek", "mail/own.pem",
		"--insecure-unattested", "--format", "pkcs11", "--pkcs11", self->module, "--token", "source",
		"--label", "mine", "--pin-fd", "{pin}", "-o", "mail/own.bin", NULL);
	ASSERT_OK(&o);
	f = fopen(rig_path(rig, "mail/own.bin"), "re");
	ASSERT_NOT_NULL(f);
	n = fread(blob, 1, sizeof(blob), f);
	(void)fclose(f);
	ASSERT_EQ(0, secret_init(&plain, APP_WRAPPED_MAX));
	ASSERT_EQ(0, wrapped_open(kek, KF_HASH_SHA1, BYTES(blob, n), &plain));
	ASSERT_EQ(0, pkcs8_decode(secret_bytes(&plain), type, &key));
	needles_add_pair(self->key, key);
}

/* --- the receiver: its KEK comes from the card --- */

static void make_kek(struct rig *rig)
{
	const char *socket = rig_path(rig, "run/broker.sock");

	rig_run(rig, RIG_STRANGER, RIG_PUK, &o, "keyferry", "--socket", socket, "byok", "kek", "create",
		"--name", "kek1", "--size", "2048", "--pin-fd", "{pin}", NULL);
	ASSERT_OK(&o);
	rig_client(rig, NULL, &o, "byok", "kek", "export", "--name", "kek1", "-o", "mail/kek.pem",
		   "--attestation", "mail/kek.json", NULL);
	ASSERT_OK(&o);
	ASSERT_EQ(0, rig_shell("cp '%s/card/root.pem' '%s/mail/root.pem' && chmod 644 '%s/mail/root.pem'",
			       rig->dir, rig->dir, rig->dir));
}

FIXTURE_SETUP(byok)
{
	static char grant[64];
	struct rig *rig = &self->rig;
	const char *module = softhsm();

	if (getuid() != 0)
		SKIP("needs root, to read other processes' memory");
	if (HARNESS_SANITIZED)
		SKIP("sanitizers keep freed memory on purpose");
	if (!module || rig_shell("command -v softhsm2-util pkcs11-tool strace >/dev/null") != 0)
		SKIP("needs softhsm2, opensc and strace");
	(void)snprintf(self->module, sizeof(self->module), "%s", module);
	self->key = needles_new();
	ASSERT_NOT_NULL(self->key);

	rig_open(rig);
	make_desk(rig);
	make_key(self, variant->name);
	learn_key(self, variant->type);

	rig_make_card(rig);
	(void)snprintf(grant, sizeof(grant), "%u:look,kek", (unsigned)rig->uid[RIG_STRANGER]);
	rig->service_args[0] = "--grant";
	rig->service_args[1] = grant;
	rig_start(rig);
	make_kek(rig);
	rig_stop_service(rig);
	rig_stop_reader(rig);
}

FIXTURE_TEARDOWN(byok)
{
	if (self->held > 0)
		(void)kill(self->held, SIGKILL);
	rig_close(&self->rig);
	needles_free(self->key);
}

/* --- the search --- */

/* keyferry byok wrap, and which stopped: it or its keyferry-pkcs11. */
struct wait_for {
	pid_t program, stopped;
	int status;
	bool done;
};

static bool stopped_or_done(void *data)
{
	struct wait_for *w = data;
	pid_t helper = child_named(w->program, "keyferry-pkcs11");

	w->stopped = helper > 0 && process_is_stopped(helper) ? helper : w->program;
	if (process_is_stopped(w->stopped))
		return true;
	w->status = rig_reap(w->program, 0);
	w->done = w->status != -ETIMEDOUT;
	return w->done;
}

static pid_t start_wrap(struct fixture_byok *self, const char *program)
{
	return rig_spawn(&self->rig, RIG_SERVER, TOKEN_PIN, "mail/wrap.log", program, "byok", "wrap", "--kek",
			 "mail/kek.pem", "--kek-attestation", "mail/kek.json", "--root", "mail/root.pem",
			 "--device", RIG_SERIAL, "--allow-virtual", "--pkcs11", self->module, "--token",
			 "source", "--label", "mine", "--pin-fd", "{pin}", "-o", "mail/key.byok", NULL);
}

/* The module is stopped each time it wraps: the throw-away keys of its trial, and then the key. */
static void search_wrap(struct fixture_byok *self)
{
	struct wait_for w = { .program = start_wrap(self, "held") };
	int held = 0, hits = 0;

	self->held = w.program;
	for (;;) {
		ASSERT_TRUE(rig_until(stopped_or_done, &w, 60000));
		if (w.done)
			break;
		expect_clean_unless_over(self->key, w.program, "keyferry byok wrap", held);
		if (w.stopped != w.program)
			hits += process_has(self->key, w.stopped);
		held++;
		(void)kill(w.stopped, SIGCONT);
	}
	self->held = 0;
	EXPECT_EQ(0, w.status);
	EXPECT_EQ(4, held);		/* two keys of the trial, the key, the end */
	EXPECT_GT(hits, 0);		/* control: the module */
	EXPECT_EQ(0, rig_reap(start_wrap(self, "wrapping"), 60000));
}

static pid_t start_import(struct rig *rig, const char *type)
{
	search_trace_client(rig);
	return rig_spawn(rig, RIG_CLIENT, RIG_PIN, "mail/import.log", "traced", "--socket",
			 rig_path(rig, "run/broker.sock"), "byok", "import", "mail/key.byok", "--ops", "sign",
			 "--type", type, "--pin-fd", "{pin}", "-o", "mail/receipt.der", NULL);
}

/* A blob of @key whose AES key we know, as a .byok file. */
static void wrap_ourselves(struct fixture_byok *self, EVP_PKEY *key, struct bytes aes)
{
	struct rig *rig = &self->rig;
	uint8_t plain[4096], *at = plain, blob[4096];
	FILE *f = fopen(rig_path(rig, "mail/kek.pem"), "re");
	EVP_PKEY *kek = f ? PEM_read_PUBKEY(f, NULL, NULL, NULL) : NULL;
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	struct packer p = pack_begin(blob, sizeof(blob));
	int n = i2d_PKCS8_PRIV_KEY_INFO(info, &at);

	ASSERT_NOT_NULL(kek);
	(void)fclose(f);
	ASSERT_GT(n, 0);
	ASSERT_EQ(0, oaep_wrap(kek, KF_HASH_SHA1, aes, &p));
	ASSERT_EQ(0, kwp_wrap(aes, BYTES(plain, (size_t)n), &p));
	PKCS8_PRIV_KEY_INFO_free(info);
	EVP_PKEY_free(kek);
	f = fopen(rig_path(rig, "mail/ours.bin"), "we");
	ASSERT_NOT_NULL(f);
	ASSERT_EQ(p.n, fwrite(blob, 1, p.n, f));
	ASSERT_EQ(0, fclose(f));
	ASSERT_EQ(0, rig_shell("cd '%s' && bin/keyferry byok convert mail/ours.bin --format azure -o mail/ours.byok "
			       "--hash sha1 --kid \"$(sed -n 's/.*\"name\": \"\\(.*\\)\".*/\\1/p' mail/kek.json)\" "
			       ">mail/convert.log 2>&1 || { cat mail/convert.log; exit 1; }", rig->dir));
}

static int import_ours(struct rig *rig, const char *type)
{
	rig_client(rig, RIG_PIN, &o, "byok", "import", "mail/ours.byok", "--ops", "sign", "--type", type,
		   "--pin-fd", "{pin}", NULL);
	return o.status;
}

/*
 * Opened, and not what it was said to be: the card had all of it in memory, and has nothing of it when it
 * has said no. When it has said yes it has the key and not the AES key.
 */
TEST_F_TIMEOUT(byok, byok_44_what_was_refused_leaves_nothing_in_the_card, 120)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	struct needles *pair = needles_new(), *wrapping = needles_new();
	struct rig *rig = &self->rig;
	uint8_t aes[32];

	ASSERT_TRUE(pair && wrapping);
	ASSERT_EQ(0, some_key(variant->type, &key));
	ASSERT_EQ(1, RAND_bytes(aes, sizeof(aes)));
	needles_add_pair(pair, key);
	needles_add(wrapping, "AES key", BYTES_OF(aes));
	wrap_ourselves(self, key, BYTES_OF(aes));
	rig_start(rig);
	ASSERT_EQ(1, import_ours(rig, variant->type == KF_KEY_EC_P256 ? "p256k" : "rsa3072"));
	EXPECT_NOT_NULL(strstr(o.err, "the card does not take it"));
	expect_clean(pair, rig->reader, "the card", 0);
	expect_clean(wrapping, rig->reader, "the card", 0);
	ASSERT_EQ(0, import_ours(rig, variant->to_keyferry));
	EXPECT_TRUE(process_has(pair, rig->reader));
	expect_clean(wrapping, rig->reader, "the card", 1);
	needles_free(pair);
	needles_free(wrapping);
}

TEST_F_TIMEOUT(byok, the_key_is_nowhere_but_in_its_module_and_in_the_card, 200)
{
	static const char *const files[] = { "wrap.strace", "wrap.log", "key.byok", "client.strace",
					     "import.log", "receipt.der", "broker.strace", "driver.strace",
					     "monitor.strace", "service.log", NULL };
	struct rig *rig = &self->rig;
	struct search search = { .rig = rig, .needles = self->key };

	search_wrap(self);
	search_begin(&search);
	search_run(&search, start_import(rig, variant->to_keyferry));
	EXPECT_EQ(0, search.status);
	EXPECT_GT(search.boundaries, 4);
	EXPECT_GT(search.clients, 4);
	search_end(&search);
	EXPECT_TRUE(process_has(self->key, rig->reader));	/* control: the card */

	rig_stop_service(rig);
	expect_clean_files(self->key, rig, files);
}
