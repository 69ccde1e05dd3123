/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/reader/listen.h - The socket a reader is offered on: one host at a time, the next waits
 * in the backlog and is served when the first has gone.
 */
#pragma once

#include "vreader/reader/line.h"

/* Serves hosts until told to stop. Return: 0 when stopped by a signal, or the system's error. */
int listen_serve(int listen_fd, struct line *line);
