/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/bench/timed_vreader.c - keyferry-vreader that takes the time of every command in its card
 * (card_time.h). The linker puts us between its reader and its card.
 */
#include "tests/bench/card_time.h"
#include "vreader/vcard.h"

#include <stdlib.h>
#include <time.h>

int __real_vcard_process(struct vcard *card, struct bytes command, struct packer *response);
int __wrap_vcard_process(struct vcard *card, struct bytes command, struct packer *response);

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int __wrap_vcard_process(struct vcard *card, struct bytes command, struct packer *response)
{
	static struct card_time *sum;
	uint64_t start;
	int r;

	if (!sum)
		sum = card_time_map(getenv("KF_CARD_TIME"), 1);
	if (!sum)
		abort();
	start = now_ns();
	r = __real_vcard_process(card, command, response);
	sum->ns += now_ns() - start;
	sum->commands++;
	return r;
}
