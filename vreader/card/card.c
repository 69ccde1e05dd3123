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

static int init_buffers(struct vcard *card)
{
	int r = chain_init(&card->chain);

	if (r == 0)
		r = reply_init(&card->reply);
	for (size_t i = 0; i < APP_SESSIONS_MAX && r == 0; i++)
		r = secret_init(&card->sessions[i].s1, KF_S1_SIZE);
	return r;
}

int card_new(const struct card_memory *memory, struct vcard **out)
{
	_cleanup_(vcard_freep) struct vcard *card = calloc(1, sizeof(*card));
	int r;

	if (!card)
		return -ENOMEM;
	card->memory = *memory;
	r = init_buffers(card);
	if (r == 0)
		r = load_state(&card->memory, &card->state);
	if (r < 0)
		return r;
	*out = take_ptr(card);
	return 0;
}

struct vcard *vcard_free(struct vcard *card)
{
	if (!card)
		return NULL;
	for (size_t i = 0; i < APP_SESSIONS_MAX; i++)
		secret_deinit(&card->sessions[i].s1);
	reply_deinit(&card->reply);
	chain_deinit(&card->chain);
	card->state = state_free(card->state);
	card->store = store_free(card->store);
	free(card->dir);
	free(card);
	return NULL;
}

/* --- on a directory --- */

static int store_memory_load(void *owner, struct secret *out)
{
	return store_load(owner, out);
}

static int store_memory_commit(void *owner, struct bytes blob)
{
	return store_commit(owner, blob);
}

static void real_pause(void *owner, unsigned int ms)
{
	struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	(void)owner;
	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static const struct open_failure {
	int r;
	const char *why;
} open_failures[] = {
	{ -ENOENT, "there is no card in this directory; make one with `keyferry-vreader personalise`" },
	{ -ENOTDIR, "the path is not a directory" },
	{ -EBUSY, "another process has this card in its reader; stop that one first" },
	{ -EACCES, "directory and state must belong to this user and be closed to all others "
		   "(chmod 700 the directory, 600 the files)" },
	{ -EBADMSG, "the state is damaged; restore the directory or personalise a new card" },
	{ -EPROTONOSUPPORT, "the state was written by a newer keyferry-vreader; use that one" },
	{ -EAGAIN, "its memory cannot be locked; raise RLIMIT_MEMLOCK (ulimit -l)" },
	{ -ENOMEM, "its memory cannot be locked or there is none left; raise RLIMIT_MEMLOCK "
		   "(ulimit -l)" },
};

static int explain(const char *dir, int r, char why[static VCARD_WHY_MAX])
{
	const char *text = strerror(-r);

	for (size_t i = 0; i < sizeof(open_failures) / sizeof(open_failures[0]); i++) {
		if (open_failures[i].r == r)
			text = open_failures[i].why;
	}
	(void)snprintf(why, VCARD_WHY_MAX, "cannot open the card in %s: %s", dir, text);
	return r == -EPROTONOSUPPORT ? -EBADMSG : r;
}

static int open_store(const char *dir, struct vcard **out)
{
	_cleanup_(store_freep) struct store *store = NULL;
	struct card_memory memory = {
		.load = store_memory_load,
		.commit = store_memory_commit,
		.generate = card_key_generate,
		.pause = real_pause,
	};
	int r = store_open(dir, STORE_EXISTING, NULL, &store);

	if (r < 0)
		return r;
	memory.owner = store;
	r = card_new(&memory, out);
	if (r < 0)
		return r;
	(*out)->store = take_ptr(store);
	return 0;
}

int vcard_open(const char *state_dir, struct vcard **out, char why[static VCARD_WHY_MAX])
{
	_cleanup_(vcard_freep) struct vcard *card = NULL;
	int r = open_store(state_dir, &card);

	if (r < 0)
		return explain(state_dir, r, why);
	card->dir = strdup(state_dir);
	if (!card->dir)
		return explain(state_dir, -ENOMEM, why);
	*out = take_ptr(card);
	return 0;
}

/*
 * After a commit of which nobody knows whether it holds, the card does what a chip does: it starts
 * from what its memory says. The store has to be opened anew, it refuses work since then.
 */
static void card_recover(struct vcard *card)
{
	struct state *state = NULL;

	if (card->dir) {
		card->store = store_free(card->store);
		if (store_open(card->dir, STORE_EXISTING, NULL, &card->store) < 0)
			return;
		card->memory.owner = card->store;
	}
	if (load_state(&card->memory, &state) < 0)
		return;
	(void)state_free(card->state);
	card->state = state;
	card->mute = false;
}

/* --- contacts --- */

struct bytes vcard_atr(const struct vcard *card)
{
	(void)card;
	return BYTES_OF(vcard_atr_default);
}

static void drop_volatile(struct vcard *card)
{
	chain_drop(&card->chain);
	reply_drop(&card->reply);
	for (size_t i = 0; i < APP_SESSIONS_MAX; i++)
		secret_clear(&card->sessions[i].s1);
	card->selection = (struct selection){ 0 };
	card->selected = false;
	card->pin_verified = false;
}

void vcard_power_on(struct vcard *card)
{
	drop_volatile(card);
	if (card->mute)
		card_recover(card);
	card->powered = true;
}

void vcard_reset(struct vcard *card)
{
	vcard_power_on(card);
}

void vcard_power_off(struct vcard *card)
{
	drop_volatile(card);
	card->powered = false;
}

int vcard_process(struct vcard *card, struct bytes command, struct packer *response)
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

/* --- for the commands --- */

int card_begin(const struct vcard *card, struct state **next)
{
	return state_copy(card->state, next);
}

int card_commit(struct vcard *card, struct state **next)
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

void card_forget_selection(struct vcard *card, unsigned int container)
{
	if (card->selection.container == container)
		card->selection = (struct selection){ 0 };
}

int card_random(uint8_t *out, size_t n)
{
	return RAND_bytes(out, (int)n) == 1 ? 0 : -EIO;
}
