/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The serving thread has the line, as with a socket. The bridge has a thread of its own and hands
 * over a descriptor for each connection, through a pipe; when the bridge ends, the pipe does.
 */
#include "vreader/gadget/gadget.h"

#include "base/cleanup.h"
#include "vreader/gadget/bridge.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>

/**
 * struct gadget - what is there while we serve
 * @handover:	pipe; the bridge writes descriptors to the second end
 * @bridge_result: of the thread
 */
struct gadget {
	struct composite composite;
	struct bridge bridge;
	int handover[2];
	int quit_fd;
	int bridge_result;
};

static void *bridge_main(void *arg)
{
	struct gadget *g = (struct gadget *)arg;

	g->bridge_result = bridge_run(&g->bridge);
	g->handover[1] = fd_close(g->handover[1]);
	return NULL;
}

static void replug(void *arg)
{
	composite_replug((struct composite *)arg);
}

/* Return: 0 stopped by a signal, -EPIPE the bridge has ended, or the system's error. */
static int serve_connections(const struct gadget *g, struct line *line)
{
	struct pollfd p[2] = { { g->handover[0], POLLIN, 0 }, { line->signal_fd, POLLIN, 0 } };

	for (;;) {
		_cleanup_(fd_closep) int fd = -1;
		int r;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (p[1].revents != 0)
			line_take_signals(line);
		if (line->stop)
			return 0;
		if (p[0].revents == 0)
			continue;
		if (read(g->handover[0], &fd, sizeof(fd)) != sizeof(fd))
			return -EPIPE;
		r = line_serve(line, fd);
		if (r == -ECANCELED)
			return 0;
	}
}

static int serve_with_bridge(struct gadget *g, struct line *line)
{
	pthread_t thread;
	int r = -pthread_create(&thread, NULL, bridge_main, g);

	if (r < 0)
		return r;
	r = serve_connections(g, line);
	(void)eventfd_write(g->quit_fd, 1);
	(void)pthread_join(thread, NULL);
	return r == -EPIPE && g->bridge_result < 0 ? g->bridge_result : r;
}

static int serve_bound(struct gadget *g, const struct gadget_options *options, struct line *line,
		       const struct shape *shape, char why[static COMPOSITE_WHY_MAX])
{
	const struct bridge_options bridge_options = {
		.shape = shape,
		.ffs_fd = g->composite.ffs_fd,
		.handover = g->handover[1],
		.quit_fd = g->quit_fd,
		.no_zlp = options->no_zlp,
		.replug = replug,
		.arg = &g->composite,
	};
	int r = bridge_init(&g->bridge, &bridge_options);

	if (r < 0) {
		(void)snprintf(why, COMPOSITE_WHY_MAX,
			       "FunctionFS does not take the reader: %s. Is it "
			       "in use by another program?",
			       strerror(-r));
		return r;
	}
	r = composite_bind(&g->composite, options->udc, why);
	if (r == 0) {
		r = serve_with_bridge(g, line);
		if (r < 0)
			(void)snprintf(why, COMPOSITE_WHY_MAX,
				       "the USB device failed: %s. dmesg may "
				       "say more; start it again",
				       strerror(-r));
	}
	bridge_deinit(&g->bridge);
	return r;
}

int gadget_serve(const struct gadget_options *options, struct line *line, const struct shape *shape,
		 char why[static COMPOSITE_WHY_MAX])
{
	struct gadget g = { .composite = COMPOSITE_INIT, .handover = { -1, -1 }, .quit_fd = -1 };
	int r;

	r = options->ffs ? composite_borrow(&g.composite, options->ffs, why) :
			   composite_make(&g.composite, shape, options->configfs, why);
	if (r < 0)
		return r;
	g.quit_fd = eventfd(0, EFD_CLOEXEC);
	if (g.quit_fd < 0 || pipe2(g.handover, O_CLOEXEC) < 0) {
		r = -errno;
		(void)snprintf(why, COMPOSITE_WHY_MAX, "no descriptors: %s", strerror(errno));
	} else {
		r = serve_bound(&g, options, line, shape, why);
	}
	composite_remove(&g.composite);
	g.handover[0] = fd_close(g.handover[0]);
	g.handover[1] = fd_close(g.handover[1]);
	g.quit_fd = fd_close(g.quit_fd);
	return r;
}
