/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/relay_channel.h - What goes between a server and a client's relay: lists one way, answers the other, in files, one
 * pair a round, or on a stream socket, on which each is four bytes of length, big-endian, and so many bytes of JSON.
 */
#pragma once

#include "base/cleanup.h"
#include "base/deadline.h"
#include "tools/ui.h"

/**
 * struct relay_channel - one end of it
 * @in, @out:	names of files; % stands for the number of the round
 * @fd:		of the socket; -1: files
 * @server:	lists go out and answers come in; else the other way round
 */
struct relay_channel {
	const char *in, *out;
	int fd;
	bool server;
};

/* Connects to a socket in the file system. Return: 0, -errno. */
int relay_channel_connect(const char *path, struct deadline deadline, int *out, struct kf_error *e);

/*
 * Makes that socket, for this user alone, and waits until one has connected; then its name is gone again. Return: 0,
 * -ETIMEDOUT, -EADDRINUSE there is something of that name, other -errno.
 */
int relay_channel_listen(const char *path, struct deadline deadline, int *out, struct kf_error *e);

/*
 * What comes in @round, for which is waited until @deadline; the caller frees *@text.
 * Return: 0, -ETIMEDOUT, -ECONNRESET the other side hung up, other -errno.
 */
int relay_channel_get(const struct relay_channel *channel, uint32_t round,
		      struct deadline deadline, uint8_t **text, size_t *n, struct kf_error *e);

/* Return: 0, -errno. */
int relay_channel_put(const struct relay_channel *channel, uint32_t round, struct bytes text,
		      struct deadline deadline, struct kf_error *e);
