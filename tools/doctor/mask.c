/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/doctor/mask.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHORT 4

void mask_add(struct mask *mask, const char *word)
{
	size_t n = strlen(word), at = 0;

	if (n == 0)
		return;
	for (size_t i = 0; i < mask->n; i++)
		if (strcasecmp(mask->words[i], word) == 0)
			return;
	if (n >= MASK_WORD_MAX || mask->n == MASK_WORDS) {
		mask->full = true;
		return;
	}
	while (at < mask->n && strlen(mask->words[at]) >= n)
		at++;
	memmove(mask->words[at + 1], mask->words[at], (mask->n - at) * MASK_WORD_MAX);
	memcpy(mask->words[at], word, n + 1);
	mask->n++;
}

static bool stands_at(const char *word, const char *text, const char *p)
{
	size_t n = strlen(word);

	if (strncasecmp(p, word, n) != 0)
		return false;
	return n >= SHORT || ((p == text || !isalnum((unsigned char)p[-1])) &&
			      !isalnum((unsigned char)p[n]));
}

static const char *word_at(const struct mask *mask, const char *text, const char *p, size_t *number)
{
	for (size_t i = 0; i < mask->n; i++)
		if (stands_at(mask->words[i], text, p)) {
			*number = i + 1;
			return mask->words[i];
		}
	return NULL;
}

char *mask_apply(const struct mask *mask, const char *text)
{
	char *out = NULL;
	size_t n_out = 0, number = 0;
	FILE *to = mask->full ? NULL : open_memstream(&out, &n_out);

	if (!to)
		return NULL;
	for (const char *p = text; *p;) {
		const char *word = word_at(mask, text, p, &number);

		if (word) {
			fprintf(to, "<serial %zu>", number);
			p += strlen(word);
		} else {
			fputc(*p++, to);
		}
	}
	if (fclose(to) != 0) {
		free(out);
		return NULL;
	}
	return out;
}
