/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/planted_test.c - A key and its session key are planted on the server and injected; at
 * every APDU boundary and at the end nothing of them may be in the memory, the logs or the system
 * calls of client, broker, driver and monitor, nor of the PIN once it has done its work. The same
 * for a PUK and a new PIN in an order of the server's, which nobody types. Three
 * controls have to hit, or the search itself is broken: the virtual card, the server held before
 * it wipes, and a driver that leaks on purpose. This is a regression test and proves nothing.
 *
 * Needs root, to read other processes' memory.
 */
#include "tests/e2e/search.h"

#include "format/keys.h"
#include "format/ossl.h"
#include "format/shared.h"
#include "libserver/md.h"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct outcome o;

static const char *const files[] = { "client.strace", "broker.strace", "driver.strace",
				     "monitor.strace", "service.log", "inject.log",
				     "receipt.json", "cargo.json", "offer.json", NULL };

FIXTURE(planted)
{
	struct rig rig;
	struct needles *sealed;		/* what only server and card may have */
	struct needles *pin;
	char *pem;			/* K2, or NULL: an order about PINs */
	char new_pin[2 * 8 + 1];
	uint8_t *s1;			/* shared with the server */
	pid_t server;
	pid_t tracers[4];
	unsigned n_tracers;
};

FIXTURE_VARIANT(planted)
{
	enum kf_key_type type;		/* KF_KEY_NONE: an order about PINs */
	const char *level;
	const char *driver;		/* NULL: the honest one */
	enum kf_method method;
	const char *exchange;		/* type of the EXCHANGE key; NULL: the card's choice */
};

FIXTURE_VARIANT_ADD(planted, rsa2048) { KF_KEY_RSA_2048, "extended", NULL, KF_METHOD_RSA, NULL };
FIXTURE_VARIANT_ADD(planted, p256_tpdu) { KF_KEY_EC_P256, "tpdu-t1", NULL, KF_METHOD_RSA, NULL };
FIXTURE_VARIANT_ADD(planted, leaking_driver) {
	KF_KEY_EC_P256, "extended", "leaky_driver", KF_METHOD_RSA, NULL,
};
FIXTURE_VARIANT_ADD(planted, by_ecdh) { KF_KEY_EC_P256, "extended", NULL, KF_METHOD_ECDH, "p384" };
FIXTURE_VARIANT_ADD(planted, by_ecdh_on_x25519) {
	KF_KEY_RSA_2048, "short", NULL, KF_METHOD_ECDH, "x25519",
};
FIXTURE_VARIANT_ADD(planted, by_derived) { KF_KEY_EC_P256, "extended", NULL, KF_METHOD_DERIVED, NULL };
FIXTURE_VARIANT_ADD(planted, by_shared) { KF_KEY_EC_P256, "extended", NULL, KF_METHOD_SHARED, NULL };
FIXTURE_VARIANT_ADD(planted, pin) { KF_KEY_NONE, "extended", NULL, KF_METHOD_RSA, NULL };
FIXTURE_VARIANT_ADD(planted, pin_tpdu_by_ecdh) { KF_KEY_NONE, "tpdu-t1", NULL, KF_METHOD_ECDH, "p256" };
FIXTURE_VARIANT_ADD(planted, pin_leaking_driver) {
	KF_KEY_NONE, "extended", "leaky_driver", KF_METHOD_RSA, NULL,
};

static void plant(struct needles *needles, enum kf_key_type type, char **pem)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	BIO *bio = BIO_new(BIO_s_mem());
	long n;
	char *text;

	ASSERT_EQ(0, key_generate(type, &key));
	needles_add_pair(needles, key);
	ASSERT_EQ(1, PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL));
	n = BIO_get_mem_data(bio, &text);
	*pem = calloc(1, (size_t)n + 1);
	ASSERT_TRUE(*pem != NULL);
	memcpy(*pem, text, (size_t)n);
	BIO_free(bio);
}

/* Sixteen random digits, and the PUK by which they are set. */
static void plant_pin(struct needles *needles, char new_pin[static 17])
{
	uint8_t random[8];

	ASSERT_EQ(1, RAND_bytes(random, sizeof(random)));
	for (size_t i = 0; i < sizeof(random); i++)
		(void)snprintf(new_pin + 2 * i, 3, "%02x", random[i]);
	needles_add(needles, "the new PIN", BYTES(new_pin, 16));
	needles_add(needles, "the PUK", BYTES(RIG_PUK, strlen(RIG_PUK)));
}

static char *read_text(const char *path, size_t *n)
{
	FILE *f = fopen(path, "re");
	char *text = calloc(1, 65536);

	if (!f || !text)
		_exit(3);
	*n = fread(text, 1, 65535, f);
	(void)fclose(f);
	return text;
}

static void write_text(const char *path, const char *text, size_t n)
{
	FILE *f = fopen(path, "we");

	if (!f || fwrite(text, 1, n, f) != n || fclose(f) != 0)
		_exit(4);
}

/* Every state of a rig that shares keys has one; it is the server's, and we are root. */
static int take_master(struct rig *rig, struct kf_server *server, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret master = SECRET_INIT;
	struct unpacker u;
	size_t n = 0;
	char *text;
	int r;

	if (!rig->shares_keys)
		return 0;
	text = read_text(rig_path(rig, "server/master.key"), &n);
	u = unpack_begin(BYTES((uint8_t *)text, n));
	r = shared_key_from_hex(&u, &master);
	return r < 0 ? r : kf_server_set_master(server, master.p, master.n, e);
}

/*
 * The server, in a process of its own that stops before it wipes. It uses the functions on plain
 * bytes, with a session key that the test knows.
 */
static void serve(struct rig *rig, const char *pem, const char *new_pin, enum kf_method method,
		  uint8_t *s1)
{
	struct kf_error e = KF_ERROR_INIT;
	struct kf_verified_offer *offer = NULL;
	struct kf_enrolled *card = NULL;
	struct kf_server *server = NULL;
	struct kf_keypair *pair = NULL;
	struct kf_pin_order *order = NULL;
	struct kf_md_key *key = NULL;
	size_t n = 0, m = 0, item_len = 0, len = 0;
	char *a, *b, *json = NULL;
	uint8_t nonce[KF_NONCE_SIZE], *item = NULL, list[] = { (uint8_t)method };
	bool brings = method == KF_METHOD_RSA;
	int r;

	r = kf_server_new(&server, &e);
	kf_server_allow_virtual(server, 1);
	r = r ? r : kf_server_set_methods(server, list, 1, &e);
	r = r ? r : take_master(rig, server, &e);
	a = read_text(rig_path(rig, "server/injector.pem"), &n);
	r = r ? r : kf_server_set_injector(server, a, n, NULL, 0, &e);
	a = read_text(rig_path(rig, "mail/card.pem"), &n);
	b = read_text(rig_path(rig, "mail/root.pem"), &m);
	r = r ? r : kf_enrolled_new(server, a, n, b, m, NULL, 0, &card, &e);
	a = read_text(rig_path(rig, "mail/offer.json"), &n);
	r = r ? r : kf_offer_peek(a, n, nonce, NULL, NULL, &e);
	r = r ? r : kf_offer_verify(server, card, nonce, a, n, &offer, &e);
	if (pem)
		r = r ? r : kf_keypair_from_pem(pem, strlen(pem), NULL, 0, &pair, &e);
	else
		r = r ? r : kf_pin_order_unblock(RIG_PUK, strlen(RIG_PUK), new_pin, 16, &order, &e);
	r = r ? r : kf_md_import_session_key(server, offer, brings ? s1 : NULL, brings ? KF_S1_SIZE : 0,
					     1, &key, &e);
	if (r == 0)
		memcpy(s1, key->s1.p, KF_S1_SIZE);
	r = r ? r : kf_md_set_chaining_mode(key, KF_CHAIN_CBC, &e);
	r = r ? r : kf_md_set_iv(key, NULL, 0, &e);
	if (pem)
		r = r ? r : kf_md_encrypt_data(key, KF_FUNCTION_IMPORT_KEYPAIR, pair, &item,
					       &item_len, &e);
	else
		r = r ? r : kf_md_encrypt_pin(key, order, &item, &item_len, &e);
	r = r ? r : kf_md_cargo(key, &json, &len, &e);
	if (r < 0) {
		(void)fprintf(stderr, "# server: %s: %s\n", e.what, e.why);
		_exit(5);
	}
	write_text(rig_path(rig, "mail/cargo.json"), json, len);
	(void)raise(SIGSTOP);
	_exit(0);
}

/* The card's own key of the method is as secret as what comes out of it. */
static void plant_shared(struct fixture_planted *self, enum kf_method method)
{
	_cleanup_(secret_deinit) struct secret text = SECRET_INIT;
	_cleanup_(shared_keys_deinit) struct shared_keys keys = SHARED_KEYS_INIT;
	size_t n = 0;
	char *read = read_text(rig_path(&self->rig, "server/card.keys"), &n);

	ASSERT_EQ(0, secret_init(&text, SHARED_KEYS_TEXT_MAX));
	ASSERT_EQ(0, secret_set(&text, BYTES((uint8_t *)read, n)));
	ASSERT_EQ(0, shared_keys_parse(&text, &keys));
	needles_add(self->sealed, "SHARED key",
		    secret_bytes(method == KF_METHOD_DERIVED ? &keys.derived : &keys.shared));
	free(read);
}

FIXTURE_SETUP(planted)
{
	struct rig *rig = &self->rig;

	if (getuid() != 0)
		SKIP("needs root, to read other processes' memory");
	if (HARNESS_SANITIZED)
		SKIP("sanitizers keep freed memory on purpose");
	self->sealed = needles_new();
	self->pin = needles_new();
	ASSERT_TRUE(self->sealed && self->pin);
	if (variant->type == KF_KEY_NONE)
		plant_pin(self->sealed, self->new_pin);
	else
		plant(self->sealed, variant->type, &self->pem);
	self->s1 = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(self->s1 != MAP_FAILED);
	ASSERT_EQ(1, RAND_bytes(self->s1, KF_S1_SIZE));
	if (self->pem)
		needles_add(self->pin, "PIN", BYTES(RIG_PIN, strlen(RIG_PIN)));
	else
		needles_add(self->pin, "the new PIN", BYTES(self->new_pin, 16));

	rig_open(rig);
	rig->shares_keys = method_is_shared(variant->method);
	rig_personalise(rig);
	if (rig->shares_keys)
		plant_shared(self, variant->method);
	rig->reader_args[0] = "--level";
	rig->reader_args[1] = variant->level;
	if (variant->driver) {
		static char program[256];

		(void)snprintf(program, sizeof(program), "%s/bin/%s", rig->dir, variant->driver);
		ASSERT_EQ(0, rig_shell("cp '%s/tests/e2e/%s' '%s'", getenv("KF_BUILD"), variant->driver, program));
		rig->service_args[0] = "--driver";
		rig->service_args[1] = program;
	}
	rig_start(rig);
	rig_server(rig, &o, "challenge", "--state", "server", "--device", RIG_SERIAL, "-o",
		   "mail/challenge.json", NULL);
	ASSERT_OK(&o);
	rig_client(rig, NULL, &o, "offer", "--challenge", "mail/challenge.json", "-o", "mail/offer.json",
		   variant->type == KF_KEY_NONE ? "--pins" : "--container=3", "--method",
		   method_name(variant->method), variant->exchange ? "--exchange-type" : NULL,
		   variant->exchange, NULL);
	ASSERT_OK(&o);
	rig_stop_service(rig);
	rig_stop_reader(rig);
}

FIXTURE_TEARDOWN(planted)
{
	if (self->server > 0)
		(void)kill(self->server, SIGKILL);
	rig_close(&self->rig);
	needles_free(self->sealed);
	needles_free(self->pin);
	free(self->pem);
}

struct wait_for {
	pid_t reader, client;
	int status;
	bool done;
};

static bool reader_stopped_or_done(void *data)
{
	struct wait_for *w = data;

	if (process_is_stopped(w->reader))
		return true;
	w->status = w->client > 0 ? rig_reap(w->client, 0) : -ETIMEDOUT;
	w->done = w->status != -ETIMEDOUT;
	return w->done;
}

/* Starts the injection under strace; every system call of the client is kept. */
static pid_t start_client(struct rig *rig)
{
	ASSERT_EQ(0, rig_shell("printf '#!/bin/sh\\nexec strace -f -qq -xx -s 100000 -o mail/client.strace "
			       "bin/keyferry \"$@\"\\n' >'%s/bin/traced' && chmod 755 '%s/bin/traced'",
			       rig->dir, rig->dir));
	return rig_spawn(rig, RIG_CLIENT, RIG_PIN, "mail/inject.log", "traced", "--socket",
			 rig_path(rig, "run/broker.sock"), "inject", "mail/cargo.json", "--pin-fd",
			 "{pin}", "-o", "mail/receipt.json", NULL);
}

static void type_the_new_pin(struct fixture_planted *self)
{
	struct wait_for w = { .reader = self->rig.reader };

	w.client = rig_spawn(&self->rig, RIG_CLIENT, self->new_pin, "mail/verify.log", "keyferry",
			     "--socket", rig_path(&self->rig, "run/broker.sock"), "card", "pin",
			     "verify", "--pin-fd", "{pin}", NULL);
	for (;;) {
		ASSERT_TRUE(rig_until(reader_stopped_or_done, &w, 60000));
		if (w.done)
			break;
		(void)kill(self->rig.reader, SIGCONT);
	}
	EXPECT_EQ(0, w.status);
}

TEST_F_TIMEOUT(planted, nothing_sealed_is_anywhere_but_in_server_and_card, 200)
{
	struct rig *rig = &self->rig;
	struct wait_for w = { 0 };
	pid_t broker, driver;
	int status, boundaries = 0;

	self->server = fork();
	if (self->server == 0)
		serve(rig, self->pem, self->new_pin, variant->method, self->s1);
	ASSERT_EQ(self->server, waitpid(self->server, &status, WUNTRACED));
	ASSERT_TRUE(WIFSTOPPED(status));
	needles_add(self->sealed, "S1", BYTES(self->s1, KF_S1_SIZE));
	EXPECT_TRUE(process_has(self->sealed, self->server));	/* control: held before wiping */

	/* The reader stops before each answer from the first APDU on, when the driver identifies it. */
	rig->reader_args[2] = "--misbehave";
	rig->reader_args[3] = "stop-each";
	rig_start_reader(rig);
	rig_start_service(rig);
	w.reader = rig->reader;
	ASSERT_TRUE(rig_until(reader_stopped_or_done, &w, 20000));
	broker = rig_pid_of(rig, "keyferry-broker");
	driver = rig_pid_of(rig, variant->driver ? variant->driver : "keyferry-driver");
	ASSERT_GT(broker, 0);
	ASSERT_GT(driver, 0);
	trace_process(rig, rig->service, "monitor");
	trace_process(rig, broker, "broker");
	trace_process(rig, driver, "driver");
	(void)usleep(300000);

	w.client = start_client(rig);
	for (;;) {
		pid_t client;

		ASSERT_TRUE(rig_until(reader_stopped_or_done, &w, 60000));
		if (w.done)
			break;
		client = child_named(w.client, "keyferry");
		if (client > 0)
			expect_clean_unless_over(self->sealed, client, "client", boundaries);
		expect_clean(self->sealed, rig->service, "monitor", boundaries);
		expect_clean(self->sealed, broker, "broker", boundaries);
		expect_clean(self->sealed, driver, "driver", boundaries);
		boundaries++;
		(void)kill(rig->reader, SIGCONT);
	}
	EXPECT_EQ(0, w.status);
	EXPECT_GT(boundaries, 4);
	TEST_LOG("%d boundaries searched", boundaries);

	expect_clean(self->sealed, rig->service, "monitor", -1);
	expect_clean(self->sealed, broker, "broker", -1);
	expect_clean(self->sealed, driver, "driver", -1);
	if (!self->pem) {
		expect_clean_files(self->sealed, rig, files);
		type_the_new_pin(self);	/* from here on broker and driver have had it */
	}
	expect_clean(self->pin, rig->service, "monitor", -1);
	expect_clean(self->pin, broker, "broker", -1);
	if (variant->driver)
		EXPECT_TRUE(process_has(self->pin, driver));	/* control: the driver that leaks */
	else
		expect_clean(self->pin, driver, "driver", -1);
	EXPECT_TRUE(process_has(self->sealed, rig->reader));	/* control: the card */

	rig_stop_service(rig);
	if (self->pem)
		expect_clean_files(self->sealed, rig, files);
}
