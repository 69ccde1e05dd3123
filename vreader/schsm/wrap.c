/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * WRAP and UNWRAP KEY under the DKEK of a key's domain. What is wrong with a blob is nobody's business:
 * whatever it is gets one status word, and nothing is changed.
 */
#include "format/ossl.h"
#include "format/schsm/dkek_blob.h"
#include "vreader/schsm/command.h"

static int open_dkek(struct bytes kek, struct dkek *out)
{
	int r = dkek_init(out);

	return r < 0 ? r : dkek_add_share(out, kek);
}

static int open_key(const struct hsm_key *key, struct dkek_key *out)
{
	struct bytes private = hsm_key_private(key);
	int r;

	if (hsm_key_kind(key) == HSM_AES) {
		out->type = DKEK_AES;
		r = secret_init(&out->secret, private.n);
		return r < 0 ? r : secret_set(&out->secret, private);
	}
	r = hsm_key_open(key, &out->pair);
	return r < 0 ? r : dkek_type_of(out->pair, &out->type);
}

static int make_blob(const struct hsm *hsm, const struct hsm_record *record, struct bytes kek,
		     struct packer *out)
{
	struct dkek dkek = DKEK_INIT;
	struct dkek_key key = DKEK_KEY_INIT;
	uint8_t random[DKEK_RANDOM_SIZE];
	int r = open_dkek(kek, &dkek);

	if (r == 0)
		r = open_key(record->key, &key);
	if (r == 0)
		r = hsm->memory.random(random, sizeof(random));
	if (r == 0)
		r = dkek_blob_make(&dkek, &key, BYTES(record->algorithms, record->n_algorithms), random,
				   out);
	dkek_key_deinit(&key);
	dkek_deinit(&dkek);
	return r;
}

HSM_RUN(hsm_wrap)
{
	const struct hsm_record *record = hsm_find_key(hsm->state, request->p1);
	struct bytes kek;
	int r;

	if (hsm->state->n_domains == 0)
		return SW_INS;
	if (!record)
		return SW_NO_OBJECT;
	if (!hsm_key_allows(record, ALG_WRAP))
		return SW_CONDITIONS;
	kek = hsm_domain_kek(&hsm->state->domains[record->domain]);
	if (kek.n == 0)
		return SW_CONDITIONS;
	r = hsm_spend_use(hsm, record);
	if (r != SW_OK)
		return r;
	r = make_blob(hsm, hsm_find_key(hsm->state, request->p1), kek, out);
	return r < 0 ? r : SW_OK;
}

/* --- UNWRAP --- */

static int take_key(struct dkek_key *key, struct hsm_key **out)
{
	return key->type == DKEK_AES ? hsm_key_new_aes(secret_bytes(&key->secret), out) :
				       hsm_key_new(key->pair, out);
}

/* Return: 0, -EBADMSG, another errno. */
static int open_blob(struct bytes kek, struct bytes blob, struct hsm_key **out)
{
	struct dkek dkek = DKEK_INIT;
	struct dkek_key key = DKEK_KEY_INIT;
	int r = open_dkek(kek, &dkek);

	if (r == 0)
		r = dkek_blob_open(&dkek, blob, &key);
	if (r == 0)
		r = take_key(&key, out);
	dkek_key_deinit(&key);
	dkek_deinit(&dkek);
	return r;
}

/* The domain whose DKEK has this check value. Return: 0, -ENOENT, -EIO. */
static int find_domain(const struct hsm_state *state, struct bytes kcv, uint8_t *out)
{
	for (uint8_t i = 0; i < state->n_domains; i++) {
		struct bytes kek = hsm_domain_kek(&state->domains[i]);
		uint8_t own[DKEK_KCV_SIZE];
		int r;

		if (kek.n == 0)
			continue;
		r = hsm_kcv(kek, own);
		if (r < 0)
			return r;
		if (bytes_equal(BYTES_OF(own), kcv)) {
			*out = i;
			return 0;
		}
	}
	return -ENOENT;
}

static int fill_record(const struct hsm_state *state, struct bytes blob, struct hsm_record *record)
{
	struct packer p = pack_begin(record->algorithms, sizeof(record->algorithms));
	struct dkek_blob parsed;
	int r = dkek_blob_parse(blob, &parsed);

	if (r == 0)
		r = find_domain(state, parsed.kcv, &record->domain);
	if (r < 0)
		return r;
	pack_bytes(&p, parsed.algorithms);
	record->n_algorithms = (uint8_t)p.n;
	r = pack_end(&p);
	return r < 0 ? r : open_blob(hsm_domain_kek(&state->domains[record->domain]), blob, &record->key);
}

/* Without data the blob is what was written to 2F10 before. */
HSM_RUN(hsm_unwrap)
{
	struct bytes blob = request->data.n != 0 ? request->data : secret_bytes(&hsm->scratch);
	struct hsm_record record = { .id = request->p1 };
	int r;

	(void)out;
	if (hsm->state->n_domains == 0)
		return SW_INS;
	r = fill_record(hsm->state, blob, &record);
	if (r == -EBADMSG || r == -ENOENT || r == -EMSGSIZE)
		return SW_DATA;
	if (r < 0)
		return r;
	r = hsm_keep_key(hsm, &record);
	(void)hsm_key_unref(record.key);
	return r != 0 ? r : SW_OK;
}
