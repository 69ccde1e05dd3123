/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * INITIALIZE DEVICE: everything the owner ever put into the card goes, and new PINs and key domains
 * stand in its place, in one commit. Who has not the SO-PIN of an initialised card cannot.
 */
#include "vreader/schsm/command.h"

#include "vreader/card/tlv.h"

/**
 * struct wish - the data field
 * @n_shares:	-1: not given
 */
struct wish {
	uint16_t options;
	struct bytes user, so;
	uint8_t retries, n_pka, m_pka, n_domains;
	int n_shares;
	bool wants_pka;
};

static uint64_t number_of(struct unpacker *u, struct bytes value, size_t n)
{
	struct unpacker v = unpack_begin(value);

	if (value.n != n)
		unpack_fail(u);
	return u->bad ? 0 : unpack_be(&v, n);
}

static void take_wish(struct unpacker *u, unsigned int tag, struct bytes value, struct wish *wish)
{
	switch (tag) {
	case 0x80:
		wish->options = (uint16_t)number_of(u, value, 2);
		break;
	case 0x81:
		wish->user = value;
		break;
	case 0x82:
		wish->so = value;
		break;
	case 0x91:
		wish->retries = (uint8_t)number_of(u, value, 1);
		break;
	case 0x92:
		wish->n_shares = (int)number_of(u, value, 1);
		break;
	case 0x93:
		wish->m_pka = (uint8_t)number_of(u, value, 2);
		wish->n_pka = value.n != 0 ? value.p[0] : 0;
		wish->wants_pka = true;
		break;
	case 0x97:
		wish->n_domains = (uint8_t)number_of(u, value, 1);
		break;
	default:
		unpack_fail(u);
	}
}

/* Neither PIN nor key would make a card that nobody can use. */
static bool wish_is_good(const struct wish *wish)
{
	if (wish->so.n != HSM_SO_PIN_SIZE || wish->retries == 0 ||
	    wish->retries > HSM_PIN_TRIES_MAX || wish->n_domains > HSM_DOMAINS_MAX)
		return false;
	if (wish->wants_pka &&
	    (wish->m_pka == 0 || wish->m_pka > wish->n_pka || wish->n_pka > HSM_PKA_MAX))
		return false;
	return wish->user.n == 0 ? wish->wants_pka :
				   wish->user.n >= HSM_PIN_MIN && wish->user.n <= HSM_PIN_MAX;
}

/* In whatever order, none twice. Return: SW_OK, SW_DATA, SW_NO_FUNCTION for servers that compare fingers. */
static int parse_wish(struct bytes data, struct wish *out)
{
	struct wish wish = { .retries = 3, .n_shares = -1 };
	struct unpacker u = unpack_begin(data);
	uint32_t seen = 0;

	while (u.left != 0) {
		unsigned int tag;
		struct bytes value = tlv_take_any(&u, &tag);

		if (tag == 0x95 || tag == 0x96)
			return SW_NO_FUNCTION;
		if (tag < 0x80 || tag > 0x9f || (seen & 1u << (tag - 0x80)) != 0)
			return SW_DATA;
		seen |= 1u << (tag - 0x80);
		take_wish(&u, tag, value, &wish);
	}
	if (unpack_end(&u) < 0 || !wish_is_good(&wish))
		return SW_DATA;
	*out = wish;
	return SW_OK;
}

/* Of no shares the card makes its own DKEK, which nobody else will ever have. */
static int make_first_domain(const struct hsm *hsm, struct hsm_state *state, const struct wish *wish)
{
	struct hsm_domain *domain = &state->domains[0];
	uint8_t kek[HSM_KEK_SIZE];
	int r;

	*domain = (struct hsm_domain){
		.made = true, .shares = (uint8_t)wish->n_shares, .outstanding = (uint8_t)wish->n_shares,
	};
	if (wish->n_shares != 0)
		return 0;
	r = hsm->memory.random(kek, sizeof(kek));
	if (r == 0)
		r = blob_new(BYTES_OF(kek), &domain->kek);
	wipe(kek, sizeof(kek));
	return r;
}

static int apply(const struct hsm *hsm, struct hsm_state *state, const struct wish *wish)
{
	int r = 0;

	hsm_state_erase(state);
	state->initialised = true;
	state->options = wish->options;
	state->n_pka = wish->n_pka;
	state->m_pka = wish->m_pka;
	state->n_domains = wish->n_domains;
	if (wish->n_shares >= 0) {
		state->n_domains = wish->n_domains != 0 ? wish->n_domains : 1;
		r = make_first_domain(hsm, state, wish);
	}
	state->so.max = HSM_SO_PIN_TRIES;
	state->user.max = wish->retries;
	if (r == 0)
		r = hsm_pin_set(&state->so, wish->so);
	if (r == 0 && wish->user.n != 0) {
		r = hsm_pin_set(&state->user, wish->user);
		state->transport = (wish->options & HSM_OPTION_TRANSPORT) != 0;
	}
	return r;
}

/* Without data: how much memory is left, and the version. */
static int report(const struct hsm *hsm, struct packer *out)
{
	pack_be32(out, hsm_memory_left(hsm->state));
	pack_u8(out, 0);
	pack_u8(out, HSM_VERSION_MAJOR);
	pack_u8(out, HSM_VERSION_MINOR);
	return SW_OK;
}

HSM_RUN(hsm_initialize)
{
	_cleanup_(hsm_state_freep) struct hsm_state *next = NULL;
	struct wish wish;
	int r;

	if (request->data.n == 0)
		return report(hsm, out);
	r = parse_wish(request->data, &wish);
	if (r != SW_OK)
		return r;
	if (hsm->state->initialised) {
		r = hsm_so_pin_compare(hsm, wish.so);
		if (r != 0)
			return r;
	}
	r = hsm_begin(hsm, &next);
	if (r == 0)
		r = apply(hsm, next, &wish);
	if (r == 0)
		r = hsm_commit(hsm, &next);
	if (r != 0)
		return r;
	hsm_log_out(hsm);
	return SW_OK;
}

HSM_RUN(hsm_challenge)
{
	uint8_t buf[HSM_CHALLENGE_MAX];

	int r;

	if (request->ne == 0 || request->ne > sizeof(buf))
		return SW_LENGTH;
	r = hsm->memory.random(buf, request->ne);
	if (r == 0)
		pack_bytes(out, BYTES(buf, request->ne));
	wipe(buf, sizeof(buf));
	return r < 0 ? r : SW_OK;
}

/*
 * Public key authentication: how many keys, how many of them still missing, how many are needed, how
 * many have answered. A card that was not initialised for it does not know the command.
 */
HSM_RUN(hsm_pka)
{
	const struct hsm_state *state = hsm->state;

	if (state->n_pka == 0)
		return SW_INS;
	if (request->data.n != 0)
		return SW_NO_FUNCTION;		/* to register one */
	pack_u8(out, state->n_pka);
	pack_u8(out, state->n_pka);
	pack_u8(out, state->m_pka);
	pack_u8(out, 0);
	return SW_OK;
}
