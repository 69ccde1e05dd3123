/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/bench/keyferry_bench.c - One APDU (GET DATA of the PIN state) from a client through broker
 * and driver to the reader and back, by one or many clients at once. Usage:
 *
 *	keyferry_bench SOCKET CLIENTS CALLS [PAUSE]
 *
 * PAUSE: at random, up to so many microseconds before each call.
 */
#include "tests/bench/sample.h"

#include <keyferry/keyferry.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct kf_context *open_context(const char *path)
{
	struct kf_context *context = NULL;
	struct kf_client *client = NULL;

	if (kf_client_new("bench", &client) < 0 || kf_client_connect(client, path) < 0 ||
	    kf_context_open(client, NULL, 0, &context) < 0) {
		(void)fprintf(stderr, "keyferry_bench: %s\n",
			      client ? kf_client_error(client)->why : "no memory");
		exit(1);
	}
	return context;
}

static void one_call(struct kf_context *context)
{
	struct kf_pin *pin = NULL;

	if (kf_pin_read(context, KF_PIN_USER, &pin) < 0) {
		(void)fprintf(stderr, "keyferry_bench: %s\n",
			      kf_client_error(kf_context_client(context))->why);
		exit(1);
	}
	kf_pin_free(pin);
}

static void run(const char *path, size_t calls, unsigned int pause_us, double *us)
{
	struct kf_context *context = open_context(path);

	for (size_t i = 0; i < calls; i++) {
		double t;

		sample_pause(pause_us);
		t = sample_now();
		one_call(context);
		us[i] = sample_now() - t;
	}
	kf_context_close(context);
}

int main(int argc, char **argv)
{
	int clients = argc >= 4 ? atoi(argv[2]) : 1, bad = 0;
	unsigned int pause_us = argc == 5 ? (unsigned int)atoi(argv[4]) : 0;
	size_t calls = argc >= 4 ? (size_t)atol(argv[3]) / (size_t)clients : 0;
	double *us, start;

	if (argc < 4 || argc > 5 || clients < 1 || calls == 0)
		return 2;
	us = mmap(NULL, (size_t)clients * calls * sizeof(*us), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (us == MAP_FAILED)
		return 1;
	start = sample_now();
	for (int i = 0; i < clients; i++) {
		if (fork() == 0) {
			run(argv[1], calls, pause_us, us + (size_t)i * calls);
			_exit(0);
		}
	}
	for (int i = 0; i < clients; i++) {
		int status = 0;

		(void)wait(&status);
		bad |= status;
	}
	if (bad)
		return 1;
	sample_print("keyferry", clients, us, (size_t)clients * calls, sample_now() - start);
	return 0;
}
