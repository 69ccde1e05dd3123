/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/bench/inject_bench.c - Whole voyages of a P-256 key: the card's offer, the server's seal, the
 * injection. The time of the two steps on the client's machine is taken, through the library or through
 * the tool, and what the card itself needed for them, so the rest is what we add. Usage:
 *
 *	inject_bench library|tool SOCKET CARD-TIME STATE CARD KEY.pem PIN CONTAINER METHOD EXCHANGE N
 *
 * STATE is a server's, and is used up by it. CONTAINER receives the key, again and again. EXCHANGE is
 * the type of a fresh EXCHANGE key, "-" where there is none, or the number of a container with a
 * standing one. Leaves challenge, offer, cargo and receipt of its last voyage in the folder it runs in.
 */
#include "tests/bench/card_time.h"
#include "tests/bench/sample.h"
#include "tests/e2e/text_file.h"

#include "format/numbers.h"
#include "format/statement.h"
#include "libserver/json/cargo.h"
#include "libserver/json/challenge.h"
#include "libserver/json/offer.h"

#include <keyferry/keyferry.h>
#include <keyferry/server.h>

#include <inttypes.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

struct bench {
	bool by_tool;
	const char *socket, *card, *pin, *container, *method_name, *exchange;
	enum kf_method method;
	struct card_time *card_time;
	struct kf_client *client;
	struct kf_context *context;
	struct kf_state *state;
	struct kf_keypair *pair;
	struct kf_error e;
};

/* Microseconds of one voyage, or commands. */
struct times {
	double all, card, seal;
	uint64_t commands;
};

static void must(struct bench *b, int r, const char *what)
{
	if (r >= 0)
		return;
	(void)fprintf(stderr, "inject_bench: %s: %s\n", what,
		      b->e.why[0] || !b->client ? b->e.why : kf_client_error(b->client)->why);
	exit(1);
}

static void write_file(const char *path, const char *text, size_t n)
{
	FILE *f = fopen(path, "we");

	if (!f || fwrite(text, 1, n, f) != n || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
}

/* --- the client's two steps, through the tool --- */

static void run_tool(const struct bench *b, const char *const *words)
{
	const char *argv[24] = { "keyferry", "--socket", b->socket };
	int fds[2], status = 0;
	posix_spawn_file_actions_t actions;
	size_t n = 3;
	pid_t pid;

	while (*words)
		argv[n++] = *words++;
	if (pipe(fds) < 0 || write(fds[1], b->pin, strlen(b->pin)) < 0)
		exit(1);
	(void)close(fds[1]);
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, fds[0], STDIN_FILENO);
	(void)posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, "keyferry", &actions, NULL, (char **)(uintptr_t)argv, environ) != 0 ||
	    waitpid(pid, &status, 0) != pid || status != 0)
		exit(1);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(fds[0]);
}

static void offer_by_tool(const struct bench *b)
{
	const char *words[] = { "offer", "--challenge", "challenge", "-o", "offer", "--container",
				b->container, "--method", b->method_name, NULL, NULL, NULL, NULL,
				NULL };

	if (*b->exchange >= '0' && *b->exchange <= '9') {
		words[9] = "--exchange-container";
		words[11] = "--pin-fd";
		words[12] = "0";
	} else if (*b->exchange != '-') {
		words[9] = "--exchange-type";
	}
	if (words[9])
		words[10] = b->exchange;
	run_tool(b, words);
}

static void inject_by_tool(const struct bench *b)
{
	static const char *const words[] = { "inject", "cargo", "-o", "receipt", "--pin-fd", "0", NULL };

	run_tool(b, words);
}

/* --- the same through the library --- */

static void write_offer(struct bench *b, const struct kf_signed_offer *offer)
{
	struct offer_file file = OFFER_FILE_INIT;
	struct signed_statement parts;
	struct statement s;
	size_t len = 0;
	const uint8_t *p = kf_signed_offer_statement(offer, &len);
	char *text = NULL;

	must(b, signed_statement_parse(BYTES(p, len), &parts), "parse what the card signed");
	must(b, statement_parse(parts.statement, &s), "parse the statement");
	memcpy(file.serial, s.serial, sizeof(file.serial));
	memcpy(file.sid, s.sid, sizeof(file.sid));
	memcpy(file.nonce, s.nonce, sizeof(file.nonce));
	file.container = s.container;
	file.method = b->method;
	p = kf_signed_offer_chain(offer, &len);
	must(b, blob_set(&file.exchange_key, parts.key), "copy");
	must(b, blob_set(&file.statement, parts.statement), "copy");
	must(b, blob_set(&file.signature, parts.signature), "copy");
	must(b, blob_set(&file.device_certificate, BYTES(p, len)), "copy");
	must(b, offer_file_write(&file, &text, &len, &b->e), "write the offer");
	write_file("offer", text, len);
	free(text);
	offer_file_deinit(&file);
}

static void offer_by_library(struct bench *b)
{
	struct file text = read_file("challenge");
	uint32_t container = (uint32_t)atoi(b->container);
	struct kf_signed_offer *offer = NULL;
	enum kf_key_type type = KF_KEY_NONE;
	struct challenge_file challenge;

	must(b, challenge_file_parse(BYTES(text.data, text.n), &challenge, &b->e), "read the challenge");
	if (*b->exchange >= '0' && *b->exchange <= '9') {
		must(b, kf_offer_existing(b->context, (uint32_t)atoi(b->exchange), container, b->method, 1,
					  challenge.nonce, &offer), "offer");
	} else {
		if (*b->exchange != '-')
			must(b, key_type_from_name(b->exchange, &type), "EXCHANGE");
		must(b, kf_offer(b->context, container, b->method, type, 1, challenge.nonce, &offer),
		     "offer");
	}
	write_offer(b, offer);
	kf_signed_offer_free(offer);
	free(text.data);
}

static void inject_by_library(struct bench *b)
{
	struct file text = read_file("cargo");
	struct cargo_file cargo = CARGO_FILE_INIT;
	struct kf_injection *injection = NULL;

	must(b, cargo_file_parse(BYTES(text.data, text.n), &cargo, &b->e), "read the cargo");
	must(b, kf_injection_new(cargo.serial, cargo.sid, cargo.method, cargo.input.p, cargo.input.n,
				 &injection), "injection");
	must(b, kf_injection_add(injection, cargo.items[0].function, cargo.items[0].iv, KF_CHAIN_CBC,
				 cargo.items[0].item.p, cargo.items[0].item.n), "item");
	must(b, kf_injection_run(injection, b->context, b->pin, strlen(b->pin), 0), "inject");
	if (kf_injection_outcome(injection, 1) != KF_INJECTION_INSTALLED) {
		(void)fputs("inject_bench: nothing was installed\n", stderr);
		exit(1);
	}
	kf_injection_free(injection);
	cargo_file_deinit(&cargo);
	free(text.data);
}

/* --- the server's --- */

static void challenge(struct bench *b)
{
	char *json = NULL;
	size_t n = 0;

	must(b, kf_state_challenge(b->state, b->card, 3600, &json, &n, &b->e), "challenge");
	write_file("challenge", json, n);
	free(json);
}

static void seal(struct bench *b)
{
	struct file text = read_file("offer");
	struct kf_verified_offer *offer = NULL;
	struct kf_seal_request request = { .size = sizeof(request), .pair = b->pair };
	char *cargo = NULL;
	size_t n = 0;

	must(b, kf_state_offer(b->state, b->card, 0, text.data, text.n, &offer, &b->e), "verify the offer");
	kf_keypair_set_replaces(b->pair, kf_verified_offer_holds(offer));
	request.offer = offer;
	must(b, kf_state_seal(b->state, &request, &cargo, &n, &b->e), "seal");
	write_file("cargo", cargo, n);
	free(cargo);
	kf_verified_offer_free(offer);
	free(text.data);
}

/* --- all of it --- */

static struct times voyage(struct bench *b)
{
	uint64_t card, commands;
	double start, sealing, sealed;

	challenge(b);
	card = b->card_time->ns;
	commands = b->card_time->commands;
	start = sample_now();
	if (b->by_tool)
		offer_by_tool(b);
	else
		offer_by_library(b);
	sealing = sample_now();
	seal(b);
	sealed = sample_now();
	if (b->by_tool)
		inject_by_tool(b);
	else
		inject_by_library(b);
	return (struct times){
		.all = sample_now() - start - (sealed - sealing),
		.seal = sealed - sealing,
		.card = (double)(b->card_time->ns - card) / 1e3,
		.commands = b->card_time->commands - commands,
	};
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), sample_order);
	return v[n / 2];
}

static void measure(struct bench *b, size_t n)
{
	double *v[4], sum = 0, m[4];
	uint64_t commands = 0;

	for (size_t k = 0; k < 4; k++) {
		v[k] = calloc(n, sizeof(double));
		if (!v[k])
			exit(1);
	}
	(void)voyage(b);	/* whatever is done once is not counted */
	for (size_t i = 0; i < n; i++) {
		struct times t = voyage(b);

		v[0][i] = t.all;
		v[1][i] = t.card;
		v[2][i] = t.all - t.card;
		v[3][i] = t.seal;
		sum += t.all;
		commands = t.commands;
	}
	for (size_t k = 0; k < 4; k++)
		m[k] = median(v[k], n);
	printf("inject %s %s %s n %zu rate %.1f/s p50 %.0f us: card %.0f us, %" PRIu64
	       " commands; beyond it %.0f us, %.2f of the card's; state's seal %.0f us\n",
	       b->method_name, b->exchange, b->by_tool ? "tool" : "library", n, (double)n * 1e6 / sum, m[0],
	       m[1], commands, m[2], m[2] / m[1], m[3]);
	for (size_t k = 0; k < 4; k++)
		free(v[k]);
}

static void open_all(struct bench *b, const char *state, const char *key)
{
	struct file pem = read_file(key);
	uint8_t methods[1];

	must(b, method_from_name(b->method_name, &b->method), "METHOD");
	methods[0] = (uint8_t)b->method;
	must(b, kf_state_open(state, NULL, 0, &b->state, &b->e), "open the state");
	must(b, kf_server_set_methods(kf_state_server(b->state), methods, 1, &b->e), "methods");
	must(b, kf_keypair_from_pem(pem.data, pem.n, NULL, 0, &b->pair, &b->e), "read the key");
	free(pem.data);
	must(b, kf_client_new("bench", &b->client), "client");
	must(b, kf_client_connect(b->client, b->socket), "connect");
	kf_client_set_deadline(b->client, 120000);
	must(b, kf_context_open(b->client, NULL, 0, &b->context), "open the card");
}

int main(int argc, char **argv)
{
	struct bench b = { .e = KF_ERROR_INIT };

	if (argc != 12 || atoi(argv[11]) < 1) {
		(void)fputs("usage: see the head of inject_bench.c\n", stderr);
		return 2;
	}
	b.by_tool = strcmp(argv[1], "tool") == 0;
	b.socket = argv[2];
	b.card_time = card_time_map(argv[3], 0);
	b.card = argv[5];
	b.pin = argv[7];
	b.container = argv[8];
	b.method_name = argv[9];
	b.exchange = argv[10];
	if (!b.card_time) {
		perror(argv[3]);
		return 1;
	}
	open_all(&b, argv[4], argv[6]);
	measure(&b, (size_t)atoi(argv[11]));
	kf_context_close(b.context);
	kf_client_free(b.client);
	kf_keypair_free(b.pair);
	kf_state_close(b.state);
	return 0;
}
