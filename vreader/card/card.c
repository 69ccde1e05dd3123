/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The life of a card: opened on its memory, powered, asked, powered off. A change of the state in
 * force happens in card_commit() and nowhere else.
 */
#include "vreader/card/card.h"

#include "vreader/card/command.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <time.h>

static int load_state(const struct card_memory *memory, struct state **out)
{
	_cleanup_(secret_deinit) struct secret blob = SECRET_INIT;
	int r = memory->load(memory->owner, &blob);

	if (r < 0)
		return r;
	return state_decode(secret_bytes(&blob), out);
}

static int init_buffers(struct card *card)
{
	int r = chain_init(&card->chain);

	if (r == 0)
		r = reply_init(&card->reply);
	for (size_t i = 0; i < APP_SESSIONS_MAX && r == 0; i++)
		r = secret_init(&card->sessions[i].s1, KF_S1_SIZE);
	return r;
}

int card_new(const struct card_memory *memory, struct card **out)
{
	_cleanup_(card_freep) struct card *card = calloc(1, sizeof(*card));
	int r;

	if (!card)
		return -ENOMEM;
	card->base.app = &card_app;
	card->memory = *memory;
	r = init_buffers(card);
	if (r == 0)
		r = load_state(&card->memory, &card->state);
	if (r < 0)
		return r;
	*out = take_ptr(card);
	return 0;
}

struct card *card_free(struct card *card)
{
	if (!card)
		return NULL;
	for (size_t i = 0; i < APP_SESSIONS_MAX; i++)
		secret_deinit(&card->sessions[i].s1);
	reply_deinit(&card->reply);
	chain_deinit(&card->chain);
	card->state = state_free(card->state);
	card->disk = disk_free(card->disk);
	free(card);
	return NULL;
}

/* --- on a disk --- */

static void real_pause(void *owner, unsigned int ms)
{
	struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	(void)owner;
	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static int open_on_disk(struct disk *disk, struct vcard **out)
{
	const struct card_memory memory = {
		.owner = disk,
		.load = disk_load,
		.commit = disk_commit,
		.generate = card_key_generate,
		.pause = real_pause,
	};
	struct card *card;
	int r = card_new(&memory, &card);

	if (r < 0)
		return r;
	card->disk = disk;
	*out = &card->base;
	return 0;
}

/*
 * After a commit of which nobody knows whether it holds, the card does what a chip does: it starts
 * from what its memory says. The store has to be opened anew, it refuses work since then.
 */
static void card_recover(struct card *card)
{
	struct state *state = NULL;

	if (card->disk && disk_reopen(card->disk) < 0)
		return;
	if (load_state(&card->memory, &state) < 0)
		return;
	(void)state_free(card->state);
	card->state = state;
	card->mute = false;
}

/* --- contacts --- */

static void drop_volatile(struct card *card)
{
	chain_drop(&card->chain);
	reply_drop(&card->reply);
	for (size_t i = 0; i < APP_SESSIONS_MAX; i++)
		secret_clear(&card->sessions[i].s1);
	card->selection = (struct selection){ 0 };
	card->selected = false;
	card->pin_verified = false;
}

void card_power_on(struct card *card)
{
	drop_volatile(card);
	if (card->mute)
		card_recover(card);
	card->powered = true;
}

void card_power_off(struct card *card)
{
	drop_volatile(card);
	card->powered = false;
}

int card_process(struct card *card, struct bytes command, struct packer *response)
{
	uint16_t sw;

	if (!card->powered || card->mute)
		return -EIO;
	sw = command_answer(card, command, response);
	ERR_clear_error();
	if (card->mute)
		return -EIO;
	pack_be16(response, sw);
	return pack_end(response) < 0 ? -EIO : 0;
}

/* --- behind vcard.h --- */

static struct card *card_of(struct vcard *base)
{
	return (struct card *)base;	/* its first member */
}

static struct vcard *app_free(struct vcard *base)
{
	(void)card_free(card_of(base));
	return NULL;
}

static struct bytes app_atr(const struct vcard *base, bool t0)
{
	(void)base;
	return t0 ? BYTES_OF(vcard_atr_t0) : BYTES_OF(vcard_atr_default);
}

static void app_power_on(struct vcard *base)
{
	card_power_on(card_of(base));
}

static void app_power_off(struct vcard *base)
{
	card_power_off(card_of(base));
}

static int app_process(struct vcard *base, struct bytes command, struct packer *response)
{
	return card_process(card_of(base), command, response);
}

const struct vcard_app card_app = {
	.name = "keyferry",
	.magic = { 'K', 'F', 'V', 'C' },
	.personalise = card_personalise,
	.open = open_on_disk,
	.free = app_free,
	.atr = app_atr,
	.power_on = app_power_on,
	.power_off = app_power_off,
	.process = app_process,
};

/* --- for the commands --- */

int card_begin(const struct card *card, struct state **next)
{
	return state_copy(card->state, next);
}

int card_commit(struct card *card, struct state **next)
{
	_cleanup_(secret_deinit) struct secret blob = SECRET_INIT;
	struct packer p;
	int r = secret_init(&blob, CODEC_MAX);

	if (r < 0)
		return SW_MEMORY;
	p = pack_begin(blob.p, blob.cap);
	if (state_encode(*next, &p) < 0)
		return SW_MEMORY;
	blob.n = p.n;
	r = card->memory.commit(card->memory.owner, secret_bytes(&blob));
	if (r == -EIO)
		card->mute = true;
	if (r < 0)
		return SW_MEMORY;
	(void)state_free(card->state);
	card->state = take_ptr(*next);
	return 0;
}

void card_forget_selection(struct card *card, unsigned int container)
{
	if (card->selection.container == container)
		card->selection = (struct selection){ 0 };
}

int card_random(uint8_t *out, size_t n)
{
	return RAND_bytes(out, (int)n) == 1 ? 0 : -EIO;
}
