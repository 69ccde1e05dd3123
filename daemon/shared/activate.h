/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/shared/activate.h - The two halves of being started by a service manager, by its documented
 * environment protocol [sd_listen_fds(3), sd_notify(3)]: sockets it made are handed over at
 * descriptors from 3 on, and it is told when we serve. Without a manager both do nothing.
 */
#pragma once

/*
 * The listening SOCK_SEQPACKET socket that the manager calls @name (FileDescriptorName=), made
 * non-blocking and close-on-exec. Return: a descriptor, which is the caller's from here; -ENOENT if
 * none is called so; -EINVAL for one that is no such socket.
 */
int activate_socket(const char *name);

/* "READY=1" and the like, lines separated by newlines. */
void activate_notify(const char *state);
