/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/doctor/ledger.h"

#include <stdarg.h>
#include <string.h>

static const char *const words[N_VERDICTS] = {
	[VERDICT_OK] = "ok", [VERDICT_WARN] = "warn", [VERDICT_FAIL] = "FAIL",
	[VERDICT_SKIPPED] = "skipped",
};

void ledger_add(struct ledger *ledger, const char *check, enum verdict verdict, const char *next,
		const char *format, ...)
{
	struct finding *f = &ledger->all[ledger->n];
	va_list ap;

	ledger->count[verdict]++;
	if (ledger->n == LEDGER_MAX)
		return;
	ledger->n++;
	f->check = check;
	f->verdict = verdict;
	(void)snprintf(f->next, sizeof(f->next), "%s", next ? next : "");
	va_start(ap, format);
	(void)vsnprintf(f->cause, sizeof(f->cause), format, ap);
	va_end(ap);
}

bool ledger_has_trouble(const struct ledger *ledger, const char *check)
{
	for (size_t i = 0; i < ledger->n; i++)
		if (strcmp(ledger->all[i].check, check) == 0 &&
		    ledger->all[i].verdict != VERDICT_OK)
			return true;
	return false;
}

void ledger_print(const struct ledger *ledger, FILE *to)
{
	for (size_t i = 0; i < ledger->n; i++) {
		const struct finding *f = &ledger->all[i];

		fprintf(to, "%-8s %-12s %s\n", words[f->verdict], f->check, f->cause);
		if (f->next[0])
			fprintf(to, "%-8s %-12s next: %s\n", "", "", f->next);
	}
	fprintf(to, "%zu ok, %zu warnings, %zu failures, %zu skipped\n", ledger->count[VERDICT_OK],
		ledger->count[VERDICT_WARN], ledger->count[VERDICT_FAIL],
		ledger->count[VERDICT_SKIPPED]);
}

json_t *ledger_json(const struct ledger *ledger)
{
	json_t *array = json_array();

	for (size_t i = 0; i < ledger->n; i++) {
		const struct finding *f = &ledger->all[i];

		(void)json_array_append_new(array, json_pack("{s:s,s:s,s:s,s:s}", "check", f->check,
			"verdict", words[f->verdict], "cause", f->cause, "next", f->next));
	}
	return json_pack("{s:o,s:I,s:I,s:I}", "checks", array,
			 "ok", (json_int_t)ledger->count[VERDICT_OK],
			 "warnings", (json_int_t)ledger->count[VERDICT_WARN],
			 "failures", (json_int_t)ledger->count[VERDICT_FAIL]);
}
