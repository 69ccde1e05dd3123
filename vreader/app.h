/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/app.h - What a card can be: the applications that a virtual card may hold, one each. Behind
 * vcard.h stands the one that made the card's directory; its state begins with its magic.
 */
#pragma once

#include "vreader/state/disk.h"
#include "vreader/vcard.h"

/* First member of every application's own card. */
struct vcard {
	const struct vcard_app *app;
};

/**
 * struct vcard_app - an application
 * @name:	of `personalise --app`
 * @magic:	how its states begin
 * @personalise: vcard_personalise()
 * @open:	on a disk whose state has @magic; takes over @disk when it returns 0
 *
 * The rest is vcard.h, verb by verb.
 */
struct vcard_app {
	const char *name;
	uint8_t magic[4];
	int (*personalise)(const struct vcard_personalisation *want, char why[static VCARD_WHY_MAX]);
	int (*open)(struct disk *disk, struct vcard **out);
	struct vcard *(*free)(struct vcard *card);
	struct bytes (*atr)(const struct vcard *card, bool t0);
	void (*power_on)(struct vcard *card);
	void (*power_off)(struct vcard *card);
	int (*process)(struct vcard *card, struct bytes command, struct packer *response);
};

extern const struct vcard_app card_app;		/* vreader/card/ */
extern const struct vcard_app hsm_app;		/* vreader/schsm/ */
