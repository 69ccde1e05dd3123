/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/doctor/mask.h - Words that must not leave the house in a report, and their replacement
 * everywhere in a text. The same word gets the same number, so a report can still be read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define MASK_WORDS	192
#define MASK_WORD_MAX	128

/**
 * struct mask - the words, longest first
 * @full:	some did not fit: the text cannot be masked and must not be given out
 */
struct mask {
	char words[MASK_WORDS][MASK_WORD_MAX];
	size_t n;
	bool full;
};

#define MASK_INIT ((struct mask){ .n = 0 })

/* Adds @word unless it is empty or known. */
void mask_add(struct mask *mask, const char *word);

/*
 * @text with each word replaced by "<serial N>", in whatever case it stands; one of less than four
 * characters only where letters and digits end on both sides, or nothing would be left of a report.
 *
 * Return: a text of the caller's, or NULL without memory or if mask.full.
 */
char *mask_apply(const struct mask *mask, const char *text);
