/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Key domains and the shares of their DKEKs. A share needs no PIN: whoever owns the card asked for so
 * many when it was initialised, and the check value tells everybody what came of them.
 */
#include "format/schsm/dkek.h"
#include "vreader/schsm/command.h"

static_assert((int)DKEK_SIZE == (int)HSM_KEK_SIZE, "a share is as long as the DKEK");
static_assert((int)DKEK_KCV_SIZE == (int)HSM_KCV_SIZE, "the check value of format/schsm/dkek.h");

int hsm_kcv(struct bytes kek, uint8_t out[static HSM_KCV_SIZE])
{
	struct dkek dkek = DKEK_INIT;
	int r = dkek_init(&dkek);

	if (r == 0)
		r = dkek_add_share(&dkek, kek);
	if (r == 0)
		r = dkek_kcv(&dkek, out);
	dkek_deinit(&dkek);
	return r;
}

/* On a card without key domains the command is unknown. */
static int find_domain(const struct hsm_state *state, uint8_t number)
{
	if (state->n_domains == 0)
		return SW_INS;
	return number < state->n_domains ? SW_OK : SW_P1P2;
}

static int find_made(const struct hsm_state *state, uint8_t number)
{
	int sw = find_domain(state, number);

	if (sw != SW_OK)
		return sw;
	return state->domains[number].made ? SW_OK : SW_NO_OBJECT;
}

static int report(const struct hsm_domain *domain, struct packer *out)
{
	struct bytes kek = hsm_domain_kek(domain);
	uint8_t kcv[HSM_KCV_SIZE] = { 0 };
	int r = kek.n != 0 ? hsm_kcv(kek, kcv) : 0;

	if (r < 0)
		return r;
	pack_u8(out, domain->shares);
	pack_u8(out, domain->outstanding);
	pack_bytes(out, BYTES_OF(kcv));
	return SW_OK;
}

static int add_share(struct hsm_domain *domain, struct bytes share)
{
	struct dkek dkek = DKEK_INIT;
	struct blob *sum = NULL;
	int r = dkek_init(&dkek);

	if (r == 0 && domain->kek)
		r = dkek_add_share(&dkek, blob_bytes(domain->kek));
	if (r == 0)
		r = dkek_add_share(&dkek, share);
	if (r == 0)
		r = blob_new(secret_bytes(&dkek.value), &sum);
	dkek_deinit(&dkek);
	if (r < 0)
		return r;
	(void)blob_unref(domain->kek);
	domain->kek = sum;
	domain->outstanding--;
	return 0;
}

static int import_share(struct hsm *hsm, const struct hsm_request *request)
{
	_cleanup_(hsm_state_freep) struct hsm_state *next = NULL;
	int r;

	if (request->data.n != HSM_KEK_SIZE)
		return SW_LENGTH;
	if (hsm->state->domains[request->p2].outstanding == 0)
		return SW_CONDITIONS;
	r = hsm_begin(hsm, &next);
	if (r == 0)
		r = add_share(&next->domains[request->p2], request->data);
	if (r == 0)
		r = hsm_commit(hsm, &next);
	return r != 0 ? r : SW_OK;
}

HSM_RUN(hsm_domain_share)
{
	int sw = find_made(hsm->state, request->p2);

	if (sw == SW_OK && request->data.n != 0)
		sw = import_share(hsm, request);
	return sw != SW_OK ? sw : report(&hsm->state->domains[request->p2], out);
}

HSM_RUN(hsm_domain_create)
{
	_cleanup_(hsm_state_freep) struct hsm_state *next = NULL;
	int r = find_domain(hsm->state, request->p2);

	if (r != SW_OK)
		return r;
	if (request->data.n != 1)
		return SW_LENGTH;
	if (request->data.p[0] == 0)
		return SW_DATA;
	if (hsm->state->domains[request->p2].made)
		return SW_EXISTS;
	r = hsm_begin(hsm, &next);
	if (r != 0)
		return r;
	next->domains[request->p2] = (struct hsm_domain){
		.made = true, .shares = request->data.p[0], .outstanding = request->data.p[0],
	};
	r = hsm_commit(hsm, &next);
	return r != 0 ? r : report(&hsm->state->domains[request->p2], out);
}

static bool holds_key(const struct hsm_state *state, uint8_t number)
{
	for (size_t i = 0; i < state->n_keys; i++) {
		if (state->keys[i].domain == number)
			return true;
	}
	return false;
}

/* The domain, or its DKEK alone: the shares are then due again. */
static int forget(struct hsm *hsm, const struct hsm_request *request, bool domain_too)
{
	_cleanup_(hsm_state_freep) struct hsm_state *next = NULL;
	struct hsm_domain *domain;
	int r = find_made(hsm->state, request->p2);

	if (r != SW_OK)
		return r;
	if (domain_too && holds_key(hsm->state, request->p2))
		return SW_EXISTS;
	r = hsm_begin(hsm, &next);
	if (r != 0)
		return r;
	domain = &next->domains[request->p2];
	domain->kek = blob_unref(domain->kek);
	domain->outstanding = domain->shares;
	if (domain_too)
		*domain = (struct hsm_domain){ 0 };
	r = hsm_commit(hsm, &next);
	return r != 0 ? r : SW_OK;
}

HSM_RUN(hsm_domain_delete)
{
	(void)out;
	return forget(hsm, request, true);
}

HSM_RUN(hsm_domain_forget)
{
	(void)out;
	if (find_made(hsm->state, request->p2) == SW_OK && hsm->state->domains[request->p2].shares == 0)
		return SW_CONDITIONS;		/* the card's own: nobody could give it back */
	return forget(hsm, request, false);
}
