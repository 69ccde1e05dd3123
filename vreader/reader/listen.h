/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/reader/listen.h - The socket a reader is offered on: one host at a time, the next waits
 * in the backlog and is served when the first has gone.
 */
#pragma once

#include "vreader/reader/line.h"

#include <sys/types.h>

/*
 * Binds @path, with @mode, replacing a socket that nobody listens on any more.
 *
 * Return: the listening descriptor, -EADDRINUSE somebody listens there, -EEXIST something there is
 * no socket, -ENAMETOOLONG, or the system's error.
 */
int listen_open(const char *path, mode_t mode);

/* Serves hosts until told to stop. Return: 0 when stopped by a signal, or the system's error. */
int listen_serve(int listen_fd, struct line *line);
