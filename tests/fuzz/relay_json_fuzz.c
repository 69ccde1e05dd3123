// SPDX-License-Identifier: LGPL-2.1-or-later
/* tests/fuzz/relay_json_fuzz.c - Both files of a relay; one that reads otherwise once written anew is a finding. */
#include "libserver/json/relay.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void try_list(struct bytes text)
{
	struct relay_list list = RELAY_LIST_INIT, again = RELAY_LIST_INIT;
	char *out = NULL;
	size_t len = 0;

	if (relay_list_parse(text, &list, NULL) < 0)
		return;
	if (relay_list_write(&list, &out, &len, NULL) < 0 || relay_list_parse(BYTES(out, len), &again, NULL) < 0 ||
	    again.n != list.n || again.round != list.round || again.more != list.more)
		abort();
	free(out);
	relay_list_deinit(&list);
	relay_list_deinit(&again);
}

static void try_answers(struct bytes text)
{
	static struct relay_answers answers, again;
	char *out = NULL;
	size_t len = 0;

	answers = again = RELAY_ANSWERS_INIT;
	if (relay_answers_parse(text, &answers, NULL) < 0)
		return;
	if (relay_answers_write(&answers, &out, &len, NULL) < 0 ||
	    relay_answers_parse(BYTES(out, len), &again, NULL) < 0 || again.n != answers.n ||
	    again.ended != answers.ended)
		abort();
	free(out);
	relay_answers_deinit(&answers);
	relay_answers_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	try_list(BYTES(data, n));
	try_answers(BYTES(data, n));
	return 0;
}
