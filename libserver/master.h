/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/master.h - The one secret that the SHARED keys of all cards come from (master.key,
 * docs/formats.md 9). It never leaves the state; what does is one card's keys, for its maker.
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
 * Return: 0, -EACCES @server has no master, -ENOKEY it is locked, -EIO, -ENOMEM.
 */
int master_derive(const struct kf_server *server, enum kf_method method, enum kf_origin origin,
		  const char *serial, struct secret *out, struct kf_error *e);
