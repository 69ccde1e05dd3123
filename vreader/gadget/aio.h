/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/gadget/aio.h - Reads and writes that end later, by Linux's own asynchronous I/O: the one
 * way in which FunctionFS lets one thread wait for all endpoints at once and take a transfer back.
 */
#pragma once

#include "base/bytes.h"

#include <linux/aio_abi.h>
#include <sys/types.h>

/**
 * struct aio - a context
 * @event_fd:	readable while something has ended
 */
struct aio {
	aio_context_t ctx;
	int event_fd;
};

/**
 * struct aio_op - one read or write; its buffer has to live until it ended
 * @busy:	it runs
 * @result:	bytes, or a negative errno, once it ended
 */
struct aio_op {
	struct iocb cb;
	bool busy;
	ssize_t result;
};

#define AIO_INIT ((struct aio){ .event_fd = -1 })

/* Return: 0, or the system's error. */
int aio_init(struct aio *aio);

/* Return: 0 it runs, or a negative errno: it does not. */
int aio_read(struct aio *aio, struct aio_op *op, int fd, uint8_t *buf, size_t n);
int aio_write(struct aio *aio, struct aio_op *op, int fd, struct bytes data);

/* Asks a running one to end soon, which aio_take() tells. */
void aio_cancel(struct aio *aio, struct aio_op *op);

/* Return: one that ended, or NULL. */
struct aio_op *aio_take(struct aio *aio);

/* Ends what runs and waits for it. */
void aio_deinit(struct aio *aio);
