/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto/wire.h"

#include <sys/socket.h>
#include <sys/uio.h>

int wire_recv(int fd, uint8_t *buf, size_t cap, int flags, struct bytes *out)
{
	struct iovec iov = { .iov_base = buf, .iov_len = cap };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	do
		n = recvmsg(fd, &msg, flags | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (msg.msg_flags & MSG_CTRUNC)
		return -EBADMSG;
	if (msg.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	if (n == 0)	/* end of stream; an empty packet looks the same and is no better */
		return -ECONNRESET;
	*out = BYTES(buf, (size_t)n);
	return 0;
}

int wire_send(int fd, struct bytes frame, int flags)
{
	ssize_t n;

	do
		n = send(fd, frame.p, frame.n, flags | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;	/* SOCK_SEQPACKET sends all or nothing */
}
