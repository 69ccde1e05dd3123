/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which misbehaviours are asked for and whose turn it is. The rows are by what goes wrong in
 * misbehave_*.c. Each function there is as short as the misbehaviour is simple; the ones that spoil
 * an answer copy it, change it, and send the copy (spoil.h). Nothing here is random: a test that
 * found something finds it again.
 */
#include "vreader/reader/misbehave.h"

#include "vreader/reader/misbehave_own.h"

#include <stdlib.h>

/* In the order of the list for the user. */
static const struct misbehaviour *const catalogue[] = {
	misbehave_frames, misbehave_pipes, misbehave_cards, misbehave_blocks,
};

enum { N_KINDS = sizeof(catalogue) / sizeof(catalogue[0]) };

static const struct misbehaviour *find(const char *name, size_t len)
{
	for (size_t i = 0; i < N_KINDS; i++)
		for (const struct misbehaviour *m = catalogue[i]; m->name; m++)
			if (strlen(m->name) == len && strncmp(m->name, name, len) == 0)
				return m;
	return NULL;
}

int misbehave_add(struct misbehave *m, const char *spec)
{
	const char *equals = strchrnul(spec, '=');
	const struct misbehaviour *what = find(spec, (size_t)(equals - spec));
	unsigned long n;
	char *end;

	if (!what)
		return -ENOENT;
	if (m->n_chosen == MISBEHAVE_MAX)
		return -E2BIG;
	n = what->n;
	if (*equals == '=') {
		n = strtoul(equals + 1, &end, 10);
		if (equals[1] < '0' || equals[1] > '9' || *end != '\0' || n == 0 || n > 1000000000)
			return -ERANGE;
	}
	m->chosen[m->n_chosen].what = what;
	m->chosen[m->n_chosen].n = (unsigned int)n;
	m->n_chosen++;
	return 0;
}

static const char *const when_words[] = {
	[MISBEHAVE_CONNECT] = "connection",
	[MISBEHAVE_COMMAND] = "command",
	[MISBEHAVE_RUN] = "APDU",
	[MISBEHAVE_REPLY] = "answer",
	[MISBEHAVE_ATR] = "power-on",
	[MISBEHAVE_ABORT] = "abort",
};

void misbehave_list(FILE *to)
{
	for (size_t i = 0; i < N_KINDS; i++)
		for (const struct misbehaviour *m = catalogue[i]; m->name; m++)
			(void)fprintf(to, "%-24s %-10s %-10s %s\n", m->name, when_words[m->when],
				      m->from_on ? "from N on" : "N-th", m->help);
}

bool misbehave(struct line *line, enum misbehave_when when, struct bytes message)
{
	struct misbehave *m = line->misbehave;
	bool dealt_with = false;

	for (size_t i = 0; m && i < m->n_chosen; i++) {
		const struct misbehaviour *what = m->chosen[i].what;
		unsigned int seen;

		if (what->when != when)
			continue;
		seen = ++m->chosen[i].seen;
		if (!dealt_with && (what->from_on ? seen >= m->chosen[i].n : seen == m->chosen[i].n))
			dealt_with = what->apply(line, message);
	}
	return dealt_with;
}
