/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/bench/crowd_bench.c - A crowd: N clients that are connected and do nothing, or one client at
 * each of N readers that reads its card for some seconds.
 *
 *	crowd_bench idle N SOCKET		says "ready", leaves when its standard input ends
 *	crowd_bench busy N SOCKET SECONDS	says how many reads all of them had done
 */
#include <keyferry/keyferry.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what, int r)
{
	fprintf(stderr, "crowd_bench: %s: %s\n", what, strerror(-r));
	exit(1);
}

static struct kf_client *join(const char *path)
{
	struct kf_client *client;
	int r = kf_client_new("crowd", &client);

	if (r == 0)
		r = kf_client_connect(client, path);
	if (r < 0)
		fail("connect", r);
	return client;
}

static int idle(unsigned int n, const char *path)
{
	char byte;

	for (unsigned int i = 0; i < n; i++)
		(void)join(path);
	puts("ready");
	(void)fflush(stdout);
	return read(STDIN_FILENO, &byte, 1) < 0;
}

static uint64_t now_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec;
}

/* Return: exit status; the count goes to @out. */
static int read_on(const char *path, unsigned int number, uint64_t until, int out)
{
	struct kf_context *context;
	struct kf_card *card;
	uint64_t n = 0;
	char name[32];
	int r;

	(void)snprintf(name, sizeof(name), "virtual:r%u", number);
	r = kf_context_open(join(path), name, 0, &context);
	for (; r == 0 && now_s() < until; n++) {
		r = kf_card_read(context, &card);
		if (r == 0)
			kf_card_free(card);
	}
	if (r < 0)
		fail(name, r);
	return write(out, &n, sizeof(n)) != sizeof(n);
}

static int busy(unsigned int n, const char *path, unsigned int seconds)
{
	uint64_t until = now_s() + seconds, sum = 0, count;
	int fds[2], status, bad = 0;

	if (pipe(fds) < 0)
		fail("pipe", -errno);
	for (unsigned int i = 0; i < n; i++)
		if (fork() == 0)
			_exit(read_on(path, i, until, fds[1]));
	(void)close(fds[1]);
	while (read(fds[0], &count, sizeof(count)) == sizeof(count))
		sum += count;
	while (wait(&status) > 0)
		bad += status != 0;
	printf("%u readers busy for %u s: %.0f card reads a second, %d failed\n", n, seconds,
	       (double)sum / seconds, bad);
	return bad != 0;
}

int main(int argc, char **argv)
{
	struct rlimit files = { 4096, 4096 };
	unsigned int n = argc > 3 ? (unsigned int)atoi(argv[2]) : 0;

	(void)setrlimit(RLIMIT_NOFILE, &files);
	if (argc == 4 && strcmp(argv[1], "idle") == 0)
		return idle(n, argv[3]);
	if (argc == 5 && strcmp(argv[1], "busy") == 0)
		return busy(n, argv[3], (unsigned int)atoi(argv[4]));
	fputs("usage: crowd_bench idle N SOCKET | busy N SOCKET SECONDS\n", stderr);
	return 2;
}
