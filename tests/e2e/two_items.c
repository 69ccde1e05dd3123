// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/e2e/two_items.c - A cargo of two items under one session key, which keyferry seal does not
 * make: two_items STATE OFFER KEY.pem, the cargo on standard output. The second item replaces the
 * first, by the same key. No nonce is spent and no ticket kept.
 */
#include <keyferry/server.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text {
	char *p;
	size_t n;
};

static struct text read_whole(const char *path)
{
	struct text text = { calloc(1, 65536), 0 };
	FILE *f = fopen(path, "re");

	if (!text.p || !f)
		exit(2);
	text.n = fread(text.p, 1, 65535, f);
	(void)fclose(f);
	return text;
}

static void must(int r, const struct kf_error *e)
{
	if (r == 0)
		return;
	(void)fprintf(stderr, "two_items: %s: %s\n", e->what, e->why);
	exit(1);
}

static void add_item(struct kf_md_key *key, const struct kf_keypair *pair, struct kf_error *e)
{
	uint8_t *item = NULL;
	size_t n = 0;

	must(kf_md_set_iv(key, NULL, 0, e), e);
	must(kf_md_encrypt_data(key, KF_FUNCTION_IMPORT_KEYPAIR, pair, &item, &n, e), e);
	free(item);
}

int main(int argc, char **argv)
{
	struct kf_error e = KF_ERROR_INIT;
	struct kf_state *state = NULL;
	struct kf_verified_offer *offer = NULL;
	struct kf_keypair *pair = NULL;
	struct kf_md_key *key = NULL;
	struct text json, pem;
	char *cargo = NULL;
	size_t n = 0;

	if (argc != 4)
		return 2;
	json = read_whole(argv[2]);
	pem = read_whole(argv[3]);
	must(kf_state_open(argv[1], NULL, 0, &state, &e), &e);
	must(kf_state_offer(state, NULL, 0, json.p, json.n, &offer, &e), &e);
	must(kf_keypair_from_pem(pem.p, pem.n, NULL, 0, &pair, &e), &e);
	must(kf_md_import_session_key(kf_state_server(state), offer, NULL, 0, 2, &key, &e), &e);
	must(kf_md_set_chaining_mode(key, KF_CHAIN_CBC, &e), &e);
	add_item(key, pair, &e);
	kf_keypair_set_replaces(pair, kf_keypair_hash(pair));
	add_item(key, pair, &e);
	must(kf_md_cargo(key, &cargo, &n, &e), &e);
	(void)fwrite(cargo, 1, n, stdout);
	free(cargo);
	free(json.p);
	explicit_bzero(pem.p, pem.n);
	free(pem.p);
	kf_md_destroy_key(key);
	kf_keypair_free(pair);
	kf_verified_offer_free(offer);
	kf_state_close(state);
	return 0;
}
