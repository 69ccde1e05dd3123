/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/socket/socket.h - A pipe over an AF_UNIX SOCK_SEQPACKET socket to a virtual reader. The
 * packets are those of docs/vreader.md, sections 2 to 6.
 */
#pragma once

#include "driver/pipe.h"

/* Kinds, the first byte of each packet. */
enum socket_kind {
	SOCKET_DESCRIPTORS = 0x00,
	SOCKET_BULK = 0x01,
	SOCKET_INTERRUPT = 0x02,
	SOCKET_CONTROL = 0x03,
	SOCKET_ENDPOINT = 0x04,
};

enum socket_event { SOCKET_STALL = 0x01, SOCKET_CLEAR_HALT = 0x02 };

#define SOCKET_PACKET_MAX	65555	/* kind byte and the largest CCID message */
#define SOCKET_SNDBUF		262144	/* a packet must fit into the sender's buffer */
#define SOCKET_CONFIG_MAX	4096
#define SOCKET_INTERRUPT_MAX	64
#define SOCKET_CONTROL_MAX	4096

/**
 * socket_pipe_connect - connects to a reader's socket
 * @path:	of the listening socket
 * @deadline:	for the connection and the reader's first packet
 * @out:	the pipe; the caller closes it with pipe_close()
 *
 * Return: 0; -ENODEV nobody listens there or the reader hung up; -EBADMSG the first packet is not
 * a descriptor packet; -ENAMETOOLONG; -ETIMEDOUT.
 */
int socket_pipe_connect(const char *path, struct deadline deadline, struct pipe **out);

/**
 * socket_pipe_new - wraps a connected socket, as the monitor hands it over
 * @fd:		taken over, also on failure
 *
 * Return: as socket_pipe_connect(); -EINVAL if @fd is no SOCK_SEQPACKET socket.
 */
int socket_pipe_new(int fd, struct deadline deadline, struct pipe **out);
