/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * By system call: the C library has no wrapper, and a library for five calls is not worth having.
 */
#include "vreader/gadget/aio.h"

#include "base/cleanup.h"

#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>

enum { AIO_AT_ONCE = 8 };

int aio_init(struct aio *aio)
{
	*aio = AIO_INIT;
	aio->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (aio->event_fd < 0 || syscall(SYS_io_setup, AIO_AT_ONCE, &aio->ctx) < 0) {
		int r = -errno;

		aio->event_fd = fd_close(aio->event_fd);
		return r;
	}
	return 0;
}

static int submit(struct aio *aio, struct aio_op *op, int opcode, int fd, const void *buf, size_t n)
{
	struct iocb *list = &op->cb;

	assert(!op->busy);
	op->cb = (struct iocb){
		.aio_data = (uint64_t)(uintptr_t)op,
		.aio_lio_opcode = (uint16_t)opcode,
		.aio_fildes = (uint32_t)fd,
		.aio_buf = (uint64_t)(uintptr_t)buf,
		.aio_nbytes = n,
		.aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = (uint32_t)aio->event_fd,
	};
	if (syscall(SYS_io_submit, aio->ctx, 1, &list) != 1)
		return -errno;
	op->busy = true;
	return 0;
}

int aio_read(struct aio *aio, struct aio_op *op, int fd, uint8_t *buf, size_t n)
{
	return submit(aio, op, IOCB_CMD_PREAD, fd, buf, n);
}

int aio_write(struct aio *aio, struct aio_op *op, int fd, struct bytes data)
{
	return submit(aio, op, IOCB_CMD_PWRITE, fd, data.p, data.n);
}

void aio_cancel(struct aio *aio, struct aio_op *op)
{
	struct io_event unused;

	/* It fails with EINPROGRESS when all is well, and with EINVAL when it ended by itself. */
	if (op->busy)
		(void)syscall(SYS_io_cancel, aio->ctx, &op->cb, &unused);
}

struct aio_op *aio_take(struct aio *aio)
{
	struct timespec now = { 0, 0 };
	struct io_event event;
	struct aio_op *op;
	uint64_t n;

	if (syscall(SYS_io_getevents, aio->ctx, 0, 1, &event, &now) != 1) {
		/* Emptied first and looked at again, so that none slips through in between. */
		if (read(aio->event_fd, &n, sizeof(n)) != sizeof(n) ||
		    syscall(SYS_io_getevents, aio->ctx, 0, 1, &event, &now) != 1)
			return NULL;
	}
	op = (struct aio_op *)(uintptr_t)event.data;
	op->busy = false;
	op->result = (ssize_t)event.res;
	return op;
}

void aio_deinit(struct aio *aio)
{
	if (aio->event_fd < 0)
		return;
	(void)syscall(SYS_io_destroy, aio->ctx);
	*aio = (struct aio){ .event_fd = fd_close(aio->event_fd) };
}
