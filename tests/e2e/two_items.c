// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/e2e/two_items.c - A cargo of two items under one session key, which keyferry seal does not
 * make: two_items STATE OFFER KEY.pem, the cargo on standard output. The second item replaces the
 * first, by the same key. No nonce is spent and no ticket kept.
 */
#include "tests/e2e/text_file.h"

#include <keyferry/server.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	struct file json, pem;
	char *cargo = NULL;
	size_t n = 0;

	if (argc != 4)
		return 2;
	json = read_file(argv[2]);
	pem = read_file(argv[3]);
	must(kf_state_open(argv[1], NULL, 0, &state, &e), &e);
	must(kf_state_offer(state, NULL, 0, json.data, json.n, &offer, &e), &e);
	must(kf_keypair_from_pem(pem.data, pem.n, NULL, 0, &pair, &e), &e);
	must(kf_md_import_session_key(kf_state_server(state), offer, NULL, 0, 2, &key, &e), &e);
	must(kf_md_set_chaining_mode(key, KF_CHAIN_CBC, &e), &e);
	add_item(key, pair, &e);
	kf_keypair_set_replaces(pair, kf_keypair_hash(pair));
	add_item(key, pair, &e);
	must(kf_md_cargo(key, &cargo, &n, &e), &e);
	(void)fwrite(cargo, 1, n, stdout);
	free(cargo);
	free(json.data);
	explicit_bzero(pem.data, pem.n);
	free(pem.data);
	kf_md_destroy_key(key);
	kf_keypair_free(pair);
	kf_verified_offer_free(offer);
	kf_state_close(state);
	return 0;
}
