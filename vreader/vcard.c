/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The card's directory says which application it holds, so whoever serves it need not know.
 */
#include "vreader/app.h"

#include <stdio.h>

static const struct vcard_app *const apps[] = { &card_app, &hsm_app };

static int find_app(struct disk *disk, const struct vcard_app **out)
{
	_cleanup_(secret_deinit) struct secret state = SECRET_INIT;
	int r = disk_load(disk, &state);

	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(apps) / sizeof(apps[0]); i++) {
		if (bytes_have_prefix(secret_bytes(&state), BYTES_OF(apps[i]->magic))) {
			*out = apps[i];
			return 0;
		}
	}
	return -EBADMSG;
}

static int open_card(const char *dir, struct vcard **out)
{
	_cleanup_(disk_freep) struct disk *disk = NULL;
	const struct vcard_app *app = NULL;
	int r = disk_open(dir, &disk);

	if (r == 0)
		r = find_app(disk, &app);
	if (r == 0)
		r = app->open(disk, out);
	if (r < 0)
		return r;
	(void)take_ptr(disk);
	return 0;
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

int vcard_personalise(const struct vcard_personalisation *want, char why[static VCARD_WHY_MAX])
{
	const struct vcard_app *app = NULL;

	for (size_t i = 0; i < sizeof(apps) / sizeof(apps[0]); i++) {
		if (!want->app ? i == 0 : strcmp(apps[i]->name, want->app) == 0)
			app = apps[i];
	}
	if (app)
		return app->personalise(want, why);
	(void)snprintf(why, VCARD_WHY_MAX, "no application is called %s; there are keyferry and schsm",
		       want->app);
	return -EINVAL;
}

int vcard_open(const char *state_dir, struct vcard **out, char why[static VCARD_WHY_MAX])
{
	int r = open_card(state_dir, out);

	return r < 0 ? explain(state_dir, r, why) : 0;
}

struct vcard *vcard_free(struct vcard *card)
{
	return card ? card->app->free(card) : NULL;
}

struct bytes vcard_atr(const struct vcard *card)
{
	return card->app->atr(card, false);
}

struct bytes vcard_atr_of_t0(const struct vcard *card)
{
	return card->app->atr(card, true);
}

void vcard_power_on(struct vcard *card)
{
	card->app->power_on(card);
}

void vcard_reset(struct vcard *card)
{
	card->app->power_on(card);
}

void vcard_power_off(struct vcard *card)
{
	card->app->power_off(card);
}

int vcard_process(struct vcard *card, struct bytes command, struct packer *response)
{
	return card->app->process(card, command, response);
}
