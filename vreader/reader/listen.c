/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vreader/reader/listen.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

int listen_serve(int listen_fd, struct line *line)
{
	struct pollfd p[2] = { { listen_fd, POLLIN, 0 }, { line->signal_fd, POLLIN, 0 } };

	for (;;) {
		_cleanup_(fd_closep) int fd = -1;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (p[1].revents != 0)
			line_take_signals(line);
		if (line->stop)
			return 0;
		if (p[0].revents == 0)
			continue;
		fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;		/* gone again before we took it */
		/* A host that broke the rules is cut off, which is all it deserves to hear. */
		if (line_serve(line, fd) == -ECANCELED)
			return 0;
	}
}
