/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/master.h - The one secret that the SHARED keys of all cards come from (master.key,
 * docs/formats.md 9). It never leaves the state; what does is one card's keys, for its maker. Or it never
 * was in the state, and a keeper has it (keeper.h, master_place.h).
 */
#pragma once

#include "libserver/folder.h"
#include "libserver/server.h"

/*
 * Into @server, if the state has one and @passphrase, empty if there is none, opens it; without the
 * passphrase it needs it stays away. Return: 0, -EBADMSG damaged, -EKEYREJECTED.
 */
int master_load(const struct folder *top, struct kf_server *server, struct bytes passphrase,
		struct kf_error *e);
/* A fresh one, durable before it is used; encrypted if there is a passphrase. */
int master_make(const struct folder *top, struct kf_server *server, struct bytes passphrase,
		struct kf_error *e);
/* Writes the keys of one card to a new file. Return: 0, -EEXIST. */
int master_share(const struct kf_server *server, const char *serial, const char *path,
		 struct kf_error *e);

/*
 * The key of @method for the card @serial, as its maker has it or, by @origin, as it is injected. @out is SECRET_INIT.
 *
 * Return: 0, -EACCES @server has no master, or its keeper another one; -ENOKEY it is locked, or away
 * without a keeper; as the keeper; -EIO, -ENOMEM.
 */
int master_derive(const struct kf_server *server, enum kf_method method, enum kf_origin origin,
		  const char *serial, struct secret *out, struct kf_error *e);

/* Whether a keeper answers and has the right one: for before something is spent. Return: as master_derive(). */
int master_try_keeper(const struct kf_server *server, struct kf_error *e);

/* Its file, once a keeper has it. Return: 0, -errno. */
int master_remove(const struct folder *top, struct kf_error *e);
