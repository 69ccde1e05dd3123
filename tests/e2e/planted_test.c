/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/planted_test.c - A key and its session key are planted on the server and injected; at
 * every APDU boundary and at the end nothing of them may be in the memory, the logs or the system
 * calls of client, broker, driver and monitor, nor of the PIN once it has done its work. The same
 * for a PUK and a new PIN in an order of the server's, which nobody types. Three controls have to
 * hit, or the search itself is broken: the virtual card, the server held before it wipes, and, by
 * every method and for keys and PINs, a driver that leaks on purpose (leak.c): it is told the
 * session key, opens the item that passes and keeps what was in it. This is a regression test and
 * proves nothing.
 *
 * Needs root, to read other processes' memory.
 */
#include "tests/e2e/leak.h"
#include "tests/e2e/search.h"

#include "format/keys.h"
#include "format/ossl.h"
#include "format/shared.h"
#include "libserver/md.h"
#include "libserver/offer.h"
#include "tests/keys/keys.h"

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
	struct needles *cargo;		/* what is in the item */
	struct needles *sealed;		/* what only server and card may have: that, and what opens it */
	struct needles *pin;
	char *pem;			/* K2, or NULL: an order about PINs */
	char new_pin[2 * 8 + 1];
	struct opener *opener;		/* shared with the server */
	pid_t server;
};

FIXTURE_VARIANT(planted)
{
	enum kf_key_type type;		/* KF_KEY_NONE: an order about PINs */
	const char *level;
	enum kf_method method;
	const char *exchange;		/* type of the EXCHANGE key; NULL: the card's choice */
	bool leaks;			/* its driver is leaky_driver */
};

#define PLANTED(name, ...) FIXTURE_VARIANT_ADD(planted, name) { __VA_ARGS__ }

PLANTED(rsa2048, KF_KEY_RSA_2048, "extended", KF_METHOD_RSA, NULL, false);
PLANTED(p256_tpdu, KF_KEY_EC_P256, "tpdu-t1", KF_METHOD_RSA, "rsa2048", false);
PLANTED(by_ecdh, KF_KEY_EC_P256, "extended", KF_METHOD_ECDH, "p384", false);
PLANTED(by_ecdh_on_x25519, KF_KEY_RSA_2048, "short", KF_METHOD_ECDH, "x25519", false);
PLANTED(by_derived, KF_KEY_EC_P256, "extended", KF_METHOD_DERIVED, NULL, false);
PLANTED(by_shared, KF_KEY_EC_P256, "extended", KF_METHOD_SHARED, NULL, false);
PLANTED(pin, KF_KEY_NONE, "extended", KF_METHOD_RSA, "rsa2048", false);
PLANTED(pin_tpdu_by_ecdh, KF_KEY_NONE, "tpdu-t1", KF_METHOD_ECDH, "p256", false);
PLANTED(pin_by_derived, KF_KEY_NONE, "extended", KF_METHOD_DERIVED, NULL, false);
PLANTED(pin_by_shared, KF_KEY_NONE, "extended", KF_METHOD_SHARED, NULL, false);
PLANTED(leaked, KF_KEY_EC_P256, "extended", KF_METHOD_RSA, "rsa2048", true);
PLANTED(leaked_by_ecdh, KF_KEY_EC_P256, "extended", KF_METHOD_ECDH, "p256", true);
PLANTED(leaked_by_derived, KF_KEY_EC_P256, "extended", KF_METHOD_DERIVED, NULL, true);
PLANTED(leaked_by_shared, KF_KEY_EC_P256, "extended", KF_METHOD_SHARED, NULL, true);
PLANTED(pin_leaked, KF_KEY_NONE, "extended", KF_METHOD_RSA, "rsa2048", true);
PLANTED(pin_leaked_by_ecdh, KF_KEY_NONE, "extended", KF_METHOD_ECDH, "x25519", true);
PLANTED(pin_leaked_by_derived, KF_KEY_NONE, "extended", KF_METHOD_DERIVED, NULL, true);
PLANTED(pin_leaked_by_shared, KF_KEY_NONE, "extended", KF_METHOD_SHARED, NULL, true);

/* A key pair, as PEM, too. */
static void plant_key(struct fixture_planted *self, enum kf_key_type type)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	BIO *bio = BIO_new(BIO_s_mem());
	long n;
	char *text;

	ASSERT_EQ(0, some_key(type, &key));
	needles_add_pair(self->cargo, key);
	needles_add_pair(self->sealed, key);
	needles_add(self->pin, "PIN", BYTES(RIG_PIN, strlen(RIG_PIN)));
	ASSERT_EQ(1, PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL));
	n = BIO_get_mem_data(bio, &text);
	self->pem = calloc(1, (size_t)n + 1);
	ASSERT_TRUE(self->pem != NULL);
	memcpy(self->pem, text, (size_t)n);
	BIO_free(bio);
}

/* Sixteen random digits, and the PUK by which they are set. */
static void plant_pin(struct fixture_planted *self)
{
	struct needles *of_item[] = { self->cargo, self->sealed };
	uint8_t random[8];

	ASSERT_EQ(1, RAND_bytes(random, sizeof(random)));
	for (size_t i = 0; i < sizeof(random); i++)
		(void)snprintf(self->new_pin + 2 * i, 3, "%02x", random[i]);
	for (size_t i = 0; i < 2; i++) {
		needles_add(of_item[i], "the new PIN", BYTES(self->new_pin, 16));
		needles_add(of_item[i], "the PUK", BYTES(RIG_PUK, strlen(RIG_PUK)));
	}
	needles_add(self->pin, "the new PIN", BYTES(self->new_pin, 16));
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
		  struct opener *opener)
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
	r = r ? r : kf_server_set_exchange_bits(server, 2048, &e);
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
	r = r ? r : kf_md_import_session_key(server, offer, brings ? opener->s1 : NULL,
					     brings ? KF_S1_SIZE : 0, 1, &key, &e);
	if (r == 0) {
		memcpy(opener->s1, key->s1.p, KF_S1_SIZE);
		memcpy(opener->h, offer->h, KF_DIGEST_SIZE);
	}
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

/*
 * leaky_driver in DIR/bin with what opens the cargo's items behind its last byte: whatever else
 * stands beside it, no path leads there from a process in the monitor's sandbox.
 */
static void put_leaky_driver(struct fixture_planted *self)
{
	static char path[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/bin/leaky_driver", self->rig.dir);
	ASSERT_EQ(0, rig_shell("cp '%s/tests/e2e/leaky_driver' '%s'", getenv("KF_BUILD"), path));
	f = fopen(path, "ae");
	ASSERT_TRUE(f != NULL);
	ASSERT_EQ((size_t)1, fwrite(self->opener, sizeof(*self->opener), 1, f));
	ASSERT_EQ(0, fclose(f));
	self->rig.service_args[0] = "--driver";
	self->rig.service_args[1] = path;
}

FIXTURE_SETUP(planted)
{
	struct rig *rig = &self->rig;

	if (getuid() != 0)
		SKIP("needs root, to read other processes' memory");
	if (HARNESS_SANITIZED)
		SKIP("sanitizers keep freed memory on purpose");
	self->cargo = needles_new();
	self->sealed = needles_new();
	self->pin = needles_new();
	ASSERT_TRUE(self->cargo && self->sealed && self->pin);
	if (variant->type == KF_KEY_NONE)
		plant_pin(self);
	else
		plant_key(self, variant->type);
	self->opener = mmap(NULL, sizeof(*self->opener), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(self->opener != MAP_FAILED);
	ASSERT_EQ(1, RAND_bytes(self->opener->s1, KF_S1_SIZE));

	rig_open(rig);
	rig->shares_keys = method_is_shared(variant->method);
	rig_personalise(rig);
	if (rig->shares_keys)
		plant_shared(self, variant->method);
	rig->reader_args[0] = "--level";
	rig->reader_args[1] = variant->level;
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
	needles_free(self->cargo);
	needles_free(self->sealed);
	needles_free(self->pin);
	free(self->pem);
}

/* The server is left behind, stopped before it wipes. */
static void seal(struct fixture_planted *self, enum kf_method method)
{
	int status;

	self->server = fork();
	if (self->server == 0)
		serve(&self->rig, self->pem, self->new_pin, method, self->opener);
	ASSERT_EQ(self->server, waitpid(self->server, &status, WUNTRACED));
	ASSERT_TRUE(WIFSTOPPED(status));
	needles_add(self->sealed, "S1", BYTES_OF(self->opener->s1));
	EXPECT_TRUE(process_has(self->cargo, self->server));	/* control: held before wiping */
}

/* Every system call of the client is kept. */
static pid_t start_client(struct rig *rig)
{
	search_trace_client(rig);
	return rig_spawn(rig, RIG_CLIENT, RIG_PIN, "mail/inject.log", "traced", "--socket",
			 rig_path(rig, "run/broker.sock"), "inject", "mail/cargo.json", "--pin-fd",
			 "{pin}", "-o", "mail/receipt.json", NULL);
}

static void type_the_new_pin(struct fixture_planted *self)
{
	pid_t client = rig_spawn(&self->rig, RIG_CLIENT, self->new_pin, "mail/verify.log", "keyferry",
				 "--socket", rig_path(&self->rig, "run/broker.sock"), "card", "pin",
				 "verify", "--pin-fd", "{pin}", NULL);

	EXPECT_EQ(0, search_let_run(&self->rig, client));
}

/* A PIN that was typed has been in broker and driver, and is there no more. */
static void search_for_pin(struct fixture_planted *self, const struct search *search)
{
	expect_clean(self->pin, self->rig.service, "monitor", -1);
	expect_clean(self->pin, search->broker, "broker", -1);
	if (search->leaked)
		EXPECT_TRUE(process_has(self->pin, search->driver));
	else
		expect_clean(self->pin, search->driver, "driver", -1);
}

TEST_F_TIMEOUT(planted, nothing_sealed_is_anywhere_but_in_server_and_card, 200)
{
	struct rig *rig = &self->rig;
	struct search search = { .rig = rig, .needles = self->sealed };

	seal(self, variant->method);
	if (variant->leaks) {
		put_leaky_driver(self);
		search.driver_name = "leaky_driver";
		search.leaked = self->cargo;
	}
	search_begin(&search);
	search_run(&search, start_client(rig));
	EXPECT_EQ(0, search.status);
	EXPECT_GT(search.boundaries, 4);
	EXPECT_GT(search.clients, 4);
	EXPECT_EQ(variant->leaks, search.leaks > 0);	/* control: a driver that leaks */
	search_end(&search);
	EXPECT_TRUE(process_has(self->sealed, rig->reader));	/* control: the card */
	if (!self->pem) {
		expect_clean_files(self->sealed, rig, files);
		type_the_new_pin(self);	/* from here on broker and driver have had it */
	}
	search_for_pin(self, &search);

	rig_stop_service(rig);
	if (self->pem)
		expect_clean_files(self->sealed, rig, files);
}
