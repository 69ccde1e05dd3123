/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fields in the order of struct hsm_state; variable ones behind a 16-bit length, lists behind a count.
 * What comes out of hsm_state_decode() is in range, or there is no state. The store has made sure of
 * integrity; a blob that fails here is our own mistake or an edited file, and either is refused as a
 * whole.
 */
#include "vreader/schsm/codec.h"

enum { CODEC_VERSION = 1 };

static const uint8_t codec_magic[4] = HSM_MAGIC;

/* --- encode --- */

static void put_field(struct packer *p, struct bytes b)
{
	pack_be16(p, b.n);
	pack_bytes(p, b);
}

static void put_pin(struct packer *p, const struct hsm_pin *pin)
{
	put_field(p, blob_bytes(pin->value));
	pack_u8(p, pin->tries);
	pack_u8(p, pin->max);
}

static void put_domain(struct packer *p, const struct hsm_domain *domain)
{
	pack_u8(p, domain->made);
	pack_u8(p, domain->shares);
	pack_u8(p, domain->outstanding);
	put_field(p, blob_bytes(domain->kek));
}

static void put_record(struct packer *p, const struct hsm_record *record)
{
	pack_u8(p, record->id);
	pack_u8(p, (uint8_t)hsm_key_kind(record->key));
	put_field(p, hsm_key_private(record->key));
	pack_u8(p, record->domain);
	pack_u8(p, record->counted);
	pack_be32(p, record->uses);
	put_field(p, BYTES(record->algorithms, record->n_algorithms));
}

int hsm_state_encode(const struct hsm_state *state, struct packer *out)
{
	pack_bytes(out, BYTES_OF(codec_magic));
	pack_u8(out, CODEC_VERSION);
	put_field(out, hsm_key_private(state->device));
	put_field(out, blob_bytes(state->device_cert));
	put_field(out, blob_bytes(state->root));
	pack_u8(out, state->initialised);
	pack_u8(out, state->transport);
	pack_be16(out, state->options);
	pack_u8(out, state->n_pka);
	pack_u8(out, state->m_pka);
	put_pin(out, &state->user);
	put_pin(out, &state->so);
	pack_u8(out, state->n_domains);
	for (size_t i = 0; i < state->n_domains; i++)
		put_domain(out, &state->domains[i]);
	pack_u8(out, state->n_keys);
	for (size_t i = 0; i < state->n_keys; i++)
		put_record(out, &state->keys[i]);
	pack_u8(out, state->n_files);
	for (size_t i = 0; i < state->n_files; i++) {
		pack_be16(out, state->files[i].fid);
		put_field(out, blob_bytes(state->files[i].content));
	}
	return pack_end(out);
}

/* --- decode --- */

/* A cursor with an errno: fields that are there but cannot be built say why. */
struct decoder {
	struct unpacker u;
	int r;
};

static struct bytes take_field(struct decoder *d, size_t max)
{
	struct bytes b = unpack_bytes(&d->u, unpack_be16(&d->u));

	if (b.n > max)
		unpack_fail(&d->u);
	return b;
}

static bool take_bool(struct decoder *d)
{
	uint8_t v = unpack_u8(&d->u);

	if (v > 1)
		unpack_fail(&d->u);
	return v == 1;
}

static uint8_t take_count(struct decoder *d, size_t max)
{
	uint8_t n = unpack_u8(&d->u);

	if (n <= max)
		return n;
	unpack_fail(&d->u);
	return 0;
}

static void take_blob(struct decoder *d, size_t max, struct blob **out)
{
	struct bytes b = take_field(d, max);

	if (b.n != 0 && d->r == 0)
		d->r = blob_new(b, out);
}

static void take_key(struct decoder *d, enum hsm_kind kind, struct hsm_key **out)
{
	struct bytes private = take_field(d, UINT16_MAX);

	if (!d->u.bad && d->r == 0)
		d->r = hsm_key_restore(kind, private, out);
}

static void take_pin(struct decoder *d, size_t max, struct hsm_pin *pin)
{
	take_blob(d, max, &pin->value);
	pin->tries = unpack_u8(&d->u);
	pin->max = unpack_u8(&d->u);
	if (pin->tries > pin->max || (pin->value && pin->max == 0))
		unpack_fail(&d->u);
}

static void take_domain(struct decoder *d, struct hsm_domain *domain)
{
	domain->made = take_bool(d);
	domain->shares = unpack_u8(&d->u);
	domain->outstanding = unpack_u8(&d->u);
	take_blob(d, HSM_KEK_SIZE, &domain->kek);
	if (domain->outstanding > domain->shares ||
	    (domain->kek && blob_bytes(domain->kek).n != HSM_KEK_SIZE) ||
	    (domain->made && domain->outstanding == 0 && !domain->kek))
		unpack_fail(&d->u);
}

static void take_record(struct decoder *d, const struct hsm_state *state, struct hsm_record *record)
{
	struct bytes algorithms;
	struct packer p = pack_begin(record->algorithms, sizeof(record->algorithms));

	record->id = unpack_u8(&d->u);
	take_key(d, (enum hsm_kind)unpack_u8(&d->u), &record->key);
	record->domain = unpack_u8(&d->u);
	record->counted = take_bool(d);
	record->uses = unpack_be32(&d->u);
	algorithms = take_field(d, HSM_ALGORITHMS_MAX);
	pack_bytes(&p, algorithms);
	record->n_algorithms = (uint8_t)p.n;
	if (record->domain != 0 && record->domain >= state->n_domains)
		unpack_fail(&d->u);
}

/* A key or a file counts from when it can be freed, so a half-built state is one as well. */
static void take_lists(struct decoder *d, struct hsm_state *state)
{
	uint8_t n = take_count(d, HSM_DOMAINS_MAX);

	state->n_domains = n;
	for (size_t i = 0; i < n; i++)
		take_domain(d, &state->domains[i]);
	n = take_count(d, HSM_KEYS_MAX);
	while (state->n_keys < n && !d->u.bad && d->r == 0)
		take_record(d, state, &state->keys[state->n_keys++]);
	n = take_count(d, HSM_FILES_MAX);
	while (state->n_files < n && !d->u.bad && d->r == 0) {
		struct hsm_file *file = &state->files[state->n_files++];

		file->fid = unpack_be16(&d->u);
		take_blob(d, HSM_FILE_MAX, &file->content);
	}
}

static void take_state(struct decoder *d, struct hsm_state *state)
{
	take_key(d, HSM_EC, &state->device);
	take_blob(d, HSM_FILE_MAX, &state->device_cert);
	take_blob(d, HSM_FILE_MAX, &state->root);
	state->initialised = take_bool(d);
	state->transport = take_bool(d);
	state->options = unpack_be16(&d->u);
	state->n_pka = unpack_u8(&d->u);
	state->m_pka = unpack_u8(&d->u);
	take_pin(d, HSM_PIN_MAX, &state->user);
	take_pin(d, HSM_SO_PIN_SIZE, &state->so);
	take_lists(d, state);
	if (!state->device_cert || !state->root)
		unpack_fail(&d->u);
}

int hsm_state_decode(struct bytes blob, struct hsm_state **out)
{
	_cleanup_(hsm_state_freep) struct hsm_state *state = NULL;
	struct decoder d = { .u = unpack_begin(blob) };
	struct bytes magic = unpack_bytes(&d.u, sizeof(codec_magic));
	uint8_t version = unpack_u8(&d.u);
	int r;

	if (d.u.bad || !bytes_equal(magic, BYTES_OF(codec_magic)))
		return -EBADMSG;
	if (version != CODEC_VERSION)
		return -EPROTONOSUPPORT;
	r = hsm_state_new(&state);
	if (r < 0)
		return r;
	take_state(&d, state);
	if (d.r < 0)
		return d.r;
	r = unpack_end(&d.u);
	if (r < 0)
		return r;
	if (!hsm_memory_fits(state))
		return -EBADMSG;
	*out = take_ptr(state);
	return 0;
}
