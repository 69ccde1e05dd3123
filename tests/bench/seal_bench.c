/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/bench/seal_bench.c - How often one processor seals a P-256 key by libkeyferry-server, from the
 * text of the offer to the text of the cargo, with no card and no state; and how often it does no more
 * than what OpenSSL has to compute for that (bare.h). In turns, by the processor's time. Usage:
 *
 *	seal_bench METHOD EXCHANGE CERT.pem ROOT.pem INJECTOR.pem MASTER OFFER KEY.pem SEALS
 *
 * MASTER: a server's master.key, "-" where the method wants none.
 */
#include "tests/bench/bare.h"
#include "tests/bench/sample.h"
#include "tests/e2e/text_file.h"

#include "base/bytes.h"
#include "base/secret.h"
#include "format/shared.h"

#include <keyferry/server.h>

enum { ROUNDS = 5 };

struct bench {
	struct kf_server *server;
	struct kf_enrolled *card;
	struct kf_keypair *pair;
	struct file offer;
	uint8_t nonce[KF_NONCE_SIZE];
	struct kf_error e;
};

static void must(const struct bench *b, int r, const char *what)
{
	if (r >= 0)
		return;
	(void)fprintf(stderr, "seal_bench: %s: %s\n", what, b->e.why);
	exit(1);
}

static double cpu_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void seal(struct bench *b)
{
	struct kf_verified_offer *offer = NULL;
	struct kf_md_key *key = NULL;
	uint8_t *item = NULL;
	char *cargo = NULL;
	size_t n = 0;

	must(b, kf_offer_verify(b->server, b->card, b->nonce, b->offer.data, b->offer.n, &offer, &b->e),
	     "verify the offer");
	kf_keypair_set_replaces(b->pair, kf_verified_offer_holds(offer));
	must(b, kf_md_import_session_key(b->server, offer, NULL, 0, 1, &key, &b->e), "session key");
	must(b, kf_md_set_chaining_mode(key, KF_CHAIN_CBC, &b->e), "mode");
	must(b, kf_md_set_iv(key, NULL, 0, &b->e), "IV");
	must(b, kf_md_encrypt_data(key, KF_FUNCTION_IMPORT_KEYPAIR, b->pair, &item, &n, &b->e), "seal");
	must(b, kf_md_cargo(key, &cargo, &n, &b->e), "cargo");
	free(item);
	free(cargo);
	kf_md_destroy_key(key);
	kf_verified_offer_free(offer);
}

static void set_master(struct bench *b, const char *path)
{
	struct secret master = SECRET_INIT;
	struct file text = read_file(path);
	struct unpacker u = unpack_begin(BYTES(text.data, text.n));

	must(b, shared_key_from_hex(&u, &master), path);
	must(b, kf_server_set_master(b->server, master.p, master.n, &b->e), "master");
	secret_deinit(&master);
	free(text.data);
}

static void open_all(struct bench *b, enum kf_method method, char **argv)
{
	struct file cert = read_file(argv[3]), root = read_file(argv[4]), injector = read_file(argv[5]);
	struct file key = read_file(argv[8]);
	uint8_t methods[] = { (uint8_t)method };

	b->offer = read_file(argv[7]);
	must(b, kf_server_new(&b->server, &b->e), "server");
	kf_server_allow_virtual(b->server, 1);
	must(b, kf_server_set_methods(b->server, methods, 1, &b->e), "methods");
	must(b, kf_server_set_injector(b->server, injector.data, injector.n, NULL, 0, &b->e), "injector");
	if (strcmp(argv[6], "-") != 0)
		set_master(b, argv[6]);
	must(b, kf_enrolled_new(b->server, cert.data, cert.n, root.data, root.n, NULL, 0, &b->card, &b->e),
	     "card");
	must(b, kf_keypair_from_pem(key.data, key.n, NULL, 0, &b->pair, &b->e), "key");
	must(b, kf_offer_peek(b->offer.data, b->offer.n, b->nonce, NULL, NULL, &b->e), "offer");
	free(cert.data);
	free(root.data);
	free(injector.data);
	free(key.data);
}

static double median(double *v)
{
	qsort(v, ROUNDS, sizeof(*v), sample_order);
	return v[ROUNDS / 2];
}

int main(int argc, char **argv)
{
	struct bench b = { .e = KF_ERROR_INIT };
	double ours[ROUNDS], bare[ROUNDS];
	enum kf_key_type exchange = KF_KEY_NONE;
	enum kf_method method;
	struct bare *peer;
	size_t n;

	if (argc != 10 || method_from_name(argv[1], &method) < 0)
		return 2;
	(void)key_type_from_name(argv[2], &exchange);
	n = (size_t)atol(argv[9]) / ROUNDS + 1;
	open_all(&b, method, argv);
	peer = bare_new(method, exchange);
	seal(&b);
	bare_seal(peer);
	for (size_t round = 0; round < ROUNDS; round++) {
		double start = cpu_now();

		for (size_t i = 0; i < n; i++)
			seal(&b);
		ours[round] = (cpu_now() - start) / (double)n;
		start = cpu_now();
		for (size_t i = 0; i < n; i++)
			bare_seal(peer);
		bare[round] = (cpu_now() - start) / (double)n;
	}
	printf("seal %s %s %.0f/s a core, %.0f us: %.2f of OpenSSL's own %.0f us\n", argv[1], argv[2],
	       1e6 / median(ours), ours[ROUNDS / 2], ours[ROUNDS / 2] / median(bare), bare[ROUNDS / 2]);
	bare_free(peer);
	kf_keypair_free(b.pair);
	kf_enrolled_free(b.card);
	kf_server_free(b.server);
	free(b.offer.data);
	return 0;
}
