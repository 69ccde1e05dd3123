/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/doctor/ledger.h - What the doctor found, in the order it looked: each check is ok, worth a
 * warning, a failure, or could not be made, with the cause and the next command in words.
 */
#pragma once

#include "tools/ui.h"

#include <stdbool.h>
#include <stddef.h>

enum verdict { VERDICT_OK, VERDICT_WARN, VERDICT_FAIL, VERDICT_SKIPPED, N_VERDICTS };

#define LEDGER_MAX	256	/* 64 readers, each with a few lines */

/**
 * struct finding - one line
 * @check:	what was looked at, a static string
 * @verdict:	how it is
 * @cause:	what was seen
 * @next:	what to do about it; empty when there is nothing to do
 */
struct finding {
	const char *check;
	enum verdict verdict;
	char cause[320];
	char next[320];
};

struct ledger {
	struct finding all[LEDGER_MAX];
	size_t n;
	size_t count[N_VERDICTS];
};

/* Writes a line down; past LEDGER_MAX only counts it. Static @next may hold no format. */
void ledger_add(struct ledger *ledger, const char *check, enum verdict verdict, const char *next,
		const char *format, ...) __attribute__((format(printf, 5, 6)));

/* True if @check has a finding that is not ok. */
bool ledger_has_trouble(const struct ledger *ledger, const char *check);

/* One line a finding, the next command below it. */
void ledger_print(const struct ledger *ledger, FILE *to);
json_t *ledger_json(const struct ledger *ledger);
