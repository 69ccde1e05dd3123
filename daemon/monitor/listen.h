/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* daemon/monitor/listen.h - The socket clients connect to. */
#pragma once

/*
 * Makes it, mode 0666: who may do what is the policy's business, who may reach it the directory's.
 * A name left behind by a dead daemon is taken over.
 *
 * Return: a descriptor; -EADDRINUSE when somebody answers there; -ENAMETOOLONG; others of bind(2).
 */
int listen_open(const char *path);
