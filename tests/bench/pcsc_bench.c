/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/bench/pcsc_bench.c - The same APDU through pcscd: SELECT once, then GET DATA of the PIN
 * state. Usage:
 *
 *	pcsc_bench CLIENTS CALLS [PAUSE]
 *
 * PAUSE: at random, up to so many microseconds before each call.
 */
#include "tests/bench/sample.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <winscard.h>

struct session {
	SCARDCONTEXT context;
	SCARDHANDLE card;
	DWORD protocol;
};

static void must(LONG rv, const char *what)
{
	if (rv == SCARD_S_SUCCESS)
		return;
	(void)fprintf(stderr, "pcsc_bench: %s: %s\n", what, pcsc_stringify_error(rv));
	exit(1);
}

static void transmit(const struct session *s, const BYTE *apdu, DWORD len)
{
	BYTE answer[258];
	DWORD n = sizeof(answer);

	must(SCardTransmit(s->card, s->protocol == SCARD_PROTOCOL_T1 ? SCARD_PCI_T1 : SCARD_PCI_T0,
			   apdu, len, NULL, answer, &n),
	     "SCardTransmit");
	if (n < 2 || answer[n - 2] != 0x90) {
		(void)fprintf(stderr, "pcsc_bench: status word %02x%02x\n", answer[n - 2],
			      answer[n - 1]);
		exit(1);
	}
}

/* pcscd takes its time to see a reader, and then the card in it. */
static LONG try_connect(struct session *s)
{
	char readers[1024];
	DWORD len = sizeof(readers);
	LONG rv = SCardListReaders(s->context, NULL, readers, &len);

	return rv != SCARD_S_SUCCESS ? rv :
	       SCardConnect(s->context, readers, SCARD_SHARE_SHARED,
			    SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &s->card, &s->protocol);
}

static struct session connect_card(void)
{
	static const BYTE select[] = { 0x00, 0xa4, 0x04, 0x0c, 0x0a, 0xf0, 0x6b, 0x65,
				       0x79, 0x66, 0x65, 0x72, 0x72, 0x79, 0x01 };
	struct session s = { 0 };
	LONG rv = SCARD_E_NO_SMARTCARD;

	must(SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &s.context), "establish");
	for (int tries = 0; rv != SCARD_S_SUCCESS && tries < 100; tries++) {
		rv = try_connect(&s);
		if (rv != SCARD_S_SUCCESS)
			(void)usleep(100000);
	}
	must(rv, "SCardConnect");
	transmit(&s, select, sizeof(select));
	return s;
}

static void run(size_t calls, unsigned int pause_us, double *us)
{
	static const BYTE get_data[] = { 0x00, 0xca, 0x01, 0x02, 0x00 };
	struct session s = connect_card();

	for (size_t i = 0; i < calls; i++) {
		double t;

		sample_pause(pause_us);
		t = sample_now();
		transmit(&s, get_data, sizeof(get_data));
		us[i] = sample_now() - t;
	}
}

int main(int argc, char **argv)
{
	int clients = argc >= 3 ? atoi(argv[1]) : 1, bad = 0;
	unsigned int pause_us = argc == 4 ? (unsigned int)atoi(argv[3]) : 0;
	size_t calls = argc >= 3 ? (size_t)atol(argv[2]) / (size_t)clients : 0;
	double *us, start;

	if (argc < 3 || argc > 4 || clients < 1 || calls == 0)
		return 2;
	us = mmap(NULL, (size_t)clients * calls * sizeof(*us), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (us == MAP_FAILED)
		return 1;
	start = sample_now();
	for (int i = 0; i < clients; i++) {
		if (fork() == 0) {
			run(calls, pause_us, us + (size_t)i * calls);
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
	sample_print("pcscd", clients, us, (size_t)clients * calls, sample_now() - start);
	return 0;
}
