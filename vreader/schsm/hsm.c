/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The life of a card: opened on its memory, powered, asked, powered off. A change of the state in
 * force happens in hsm_commit() and nowhere else.
 */
#include "vreader/schsm/hsm.h"

#include "format/ossl.h"
#include "vreader/schsm/command.h"

#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdlib.h>

/*
 * [card dossier 2.1]: the ATR of the cards with contacts. Its historical bytes are what hosts know the
 * card by, so they are the vendor's to the last.
 */
static const uint8_t atr_t1[] = {
	0x3b, 0xfe, 0x18, 0x00, 0x00, 0x81, 0x31, 0xfe, 0x45,
	0x80, 0x31, 0x81, 0x54, 0x48, 0x53, 0x4d, 0x31, 0x73, 0x80, 0x21, 0x40, 0x81, 0x07, 0xfa,
};

/* The same card in a reader that has contacts for T=0 alone: TA1, no TD1, no TCK. */
static const uint8_t atr_t0[] = {
	0x3b, 0x1e, 0x18,
	0x80, 0x31, 0x81, 0x54, 0x48, 0x53, 0x4d, 0x31, 0x73, 0x80, 0x21, 0x40, 0x81, 0x07,
};

static int load_state(const struct hsm_memory *memory, struct hsm_state **out)
{
	_cleanup_(secret_deinit) struct secret blob = SECRET_INIT;
	int r = memory->load(memory->owner, &blob);

	if (r < 0)
		return r;
	return hsm_state_decode(secret_bytes(&blob), out);
}

int hsm_new(const struct hsm_memory *memory, struct hsm **out)
{
	_cleanup_(hsm_freep) struct hsm *hsm = calloc(1, sizeof(*hsm));
	int r;

	if (!hsm)
		return -ENOMEM;
	hsm->base.app = &hsm_app;
	hsm->channel.sm = SM_INIT;
	hsm->memory = *memory;
	r = reply_init(&hsm->reply);
	if (r == 0)
		r = secret_init(&hsm->scratch, HSM_DATA_MAX);
	if (r == 0)
		r = load_state(&hsm->memory, &hsm->state);
	if (r < 0)
		return r;
	*out = take_ptr(hsm);
	return 0;
}

struct hsm *hsm_free(struct hsm *hsm)
{
	if (!hsm)
		return NULL;
	reply_deinit(&hsm->reply);
	secret_deinit(&hsm->scratch);
	hsm_trust_drop(&hsm->trust);
	hsm_channel_end(&hsm->channel);
	hsm->state = hsm_state_free(hsm->state);
	hsm->disk = disk_free(hsm->disk);
	free(hsm);
	return NULL;
}

/*
 * After a commit of which nobody knows whether it holds, the card does what a chip does: it starts
 * from what its memory says.
 */
static void recover(struct hsm *hsm)
{
	struct hsm_state *state = NULL;

	if (hsm->disk && disk_reopen(hsm->disk) < 0)
		return;
	if (load_state(&hsm->memory, &state) < 0)
		return;
	(void)hsm_state_free(hsm->state);
	hsm->state = state;
	hsm->mute = false;
}

/* --- contacts --- */

void hsm_log_out(struct hsm *hsm)
{
	secret_clear(&hsm->scratch);
	hsm->current = 0;
	hsm->user_verified = false;
	hsm->so_verified = false;
}

static void drop_volatile(struct hsm *hsm)
{
	hsm_log_out(hsm);
	reply_drop(&hsm->reply);
	hsm_trust_drop(&hsm->trust);
	hsm_channel_end(&hsm->channel);
	hsm->selected = false;
}

void hsm_power_on(struct hsm *hsm)
{
	drop_volatile(hsm);
	if (hsm->mute)
		recover(hsm);
	hsm->powered = true;
}

void hsm_power_off(struct hsm *hsm)
{
	drop_volatile(hsm);
	hsm->powered = false;
}

int hsm_process(struct hsm *hsm, struct bytes command, struct packer *response)
{
	uint16_t sw;

	if (!hsm->powered || hsm->mute)
		return -EIO;
	sw = hsm_answer(hsm, command, response);
	ERR_clear_error();
	if (hsm->mute)
		return -EIO;
	pack_be16(response, sw);
	return pack_end(response) < 0 ? -EIO : 0;
}

/* --- for the commands --- */

int hsm_begin(const struct hsm *hsm, struct hsm_state **next)
{
	return hsm_state_copy(hsm->state, next);
}

int hsm_commit(struct hsm *hsm, struct hsm_state **next)
{
	_cleanup_(secret_deinit) struct secret blob = SECRET_INIT;
	struct packer p;
	int r = secret_init(&blob, HSM_CODEC_MAX);

	if (r < 0)
		return SW_MEMORY;
	p = pack_begin(blob.p, blob.cap);
	if (hsm_state_encode(*next, &p) < 0)
		return SW_MEMORY;
	blob.n = p.n;
	r = hsm->memory.commit(hsm->memory.owner, secret_bytes(&blob));
	if (r == -EIO)
		hsm->mute = true;
	if (r < 0)
		return SW_MEMORY;
	(void)hsm_state_free(hsm->state);
	hsm->state = take_ptr(*next);
	return 0;
}

int hsm_keep_key(struct hsm *hsm, struct hsm_record *record)
{
	_cleanup_(hsm_state_freep) struct hsm_state *next = NULL;
	int r = hsm_begin(hsm, &next);

	if (r == 0)
		r = hsm_full(hsm_put_key(next, record));
	if (r != 0)
		return r;
	record->key = NULL;			/* the state's from here on */
	return hsm_commit(hsm, &next);
}

/* --- behind vcard.h --- */

static struct hsm *hsm_of(struct vcard *base)
{
	return (struct hsm *)base;	/* its first member */
}

static int make_rsa(unsigned int bits, uint64_t e, EVP_PKEY **out)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	_cleanup_(BN_clear_freep) BIGNUM *exponent = BN_new();

	if (!ctx || !exponent || !BN_set_word(exponent, e) || EVP_PKEY_keygen_init(ctx) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)bits) <= 0 ||
	    EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, exponent) <= 0)
		return -EIO;
	return EVP_PKEY_generate(ctx, out) > 0 ? 0 : -EIO;
}

static int get_random(uint8_t *out, size_t n)
{
	return RAND_bytes(out, (int)n) == 1 ? 0 : -EIO;
}

static int open_on_disk(struct disk *disk, struct vcard **out)
{
	const struct hsm_memory memory = {
		.owner = disk,
		.load = disk_load,
		.commit = disk_commit,
		.make_rsa = make_rsa,
		.random = get_random,
	};
	struct hsm *hsm;
	int r = hsm_new(&memory, &hsm);

	if (r < 0)
		return r;
	hsm->disk = disk;
	*out = &hsm->base;
	return 0;
}

static struct vcard *app_free(struct vcard *base)
{
	(void)hsm_free(hsm_of(base));
	return NULL;
}

static struct bytes app_atr(const struct vcard *base, bool t0)
{
	(void)base;
	return t0 ? BYTES_OF(atr_t0) : BYTES_OF(atr_t1);
}

static void app_power_on(struct vcard *base)
{
	hsm_power_on(hsm_of(base));
}

static void app_power_off(struct vcard *base)
{
	hsm_power_off(hsm_of(base));
}

static int app_process(struct vcard *base, struct bytes command, struct packer *response)
{
	return hsm_process(hsm_of(base), command, response);
}

const struct vcard_app hsm_app = {
	.name = "schsm",
	.magic = HSM_MAGIC,
	.personalise = hsm_personalise,
	.open = open_on_disk,
	.free = app_free,
	.atr = app_atr,
	.power_on = app_power_on,
	.power_off = app_power_off,
	.process = app_process,
};
