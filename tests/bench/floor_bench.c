/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/bench/floor_bench.c - What four processes on three sockets cost at the least: client,
 * broker, driver and reader that only pass a packet on, each by epoll and SOCK_SEQPACKET. Usage:
 *
 *	floor_bench CALLS
 */
#include "tests/bench/sample.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HOPS = 3, PACKET = 64 };

static void wait_readable(int epoll)
{
	struct epoll_event event;

	while (epoll_wait(epoll, &event, 1, -1) != 1)
		;
}

static int watch(int fd)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		abort();
	return epoll;
}

static ssize_t take(int epoll, int fd, char *buf)
{
	wait_readable(epoll);
	return recv(fd, buf, PACKET, 0);
}

/* Passes what comes from @up down and the answer back; without @down it is the reader. */
static void relay(int up, int down)
{
	int from_up = watch(up), from_down = down >= 0 ? watch(down) : -1;
	char buf[PACKET];
	ssize_t n;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	while ((n = take(from_up, up, buf)) > 0) {
		if (down >= 0) {
			if (send(down, buf, (size_t)n, 0) != n)
				break;
			n = take(from_down, down, buf);
		}
		if (n <= 0 || send(up, buf, (size_t)n, 0) != n)
			break;
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	size_t calls = argc == 2 ? (size_t)atol(argv[1]) : 20000;
	double *us = calloc(calls, sizeof(*us)), start;
	int pairs[HOPS][2];
	char buf[PACKET] = { 0 };
	int epoll;

	if (!us)
		return 1;
	for (int i = 0; i < HOPS; i++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pairs[i]) < 0)
			return 1;
	}
	for (int i = 0; i < HOPS; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return 1;
		if (pid == 0)
			relay(pairs[i][1], i + 1 < HOPS ? pairs[i + 1][0] : -1);
	}
	epoll = watch(pairs[0][0]);
	start = sample_now();
	for (size_t i = 0; i < calls; i++) {
		double t = sample_now();

		if (send(pairs[0][0], buf, PACKET, 0) != PACKET ||
		    take(epoll, pairs[0][0], buf) != PACKET)
			return 1;
		us[i] = sample_now() - t;
	}
	sample_print("floor", 1, us, calls, sample_now() - start);
	free(us);
	return 0;
}
