/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/conf_reading.h - A configuration while it is being read: where the reader is, what it has
 * gathered, and what all of its sections take their values apart with.
 */
#pragma once

#include "daemon/monitor/conf.h"

#define CONF_SAID	20	/* errors told; a file that is no configuration has one a line */
#define WHO_MAX		32
#define READERS_MAX	8
#define RANGES_MAX	8

/* A rule whose section has not ended. */
struct draft {
	unsigned int line;		/* 0: no rule is being collected */
	char name[SPAWN_RULE_NAME];
	struct { enum spawn_who who; uint32_t id; } who[WHO_MAX];
	char readers[READERS_MAX][KF_NAME_MAX];
	struct { uint32_t first, count; } ranges[RANGES_MAX];
	size_t n_who, n_readers, n_ranges;
	uint32_t rights;
	bool broken;			/* an error was told already */
};

struct reading {
	struct bytes left;
	unsigned int line;
	struct conf *conf;
	struct draft rule;
	const struct section *section;	/* NULL: none yet, or one that nobody knows */
	bool lost;			/* in one that nobody knows: its keys are not told as well */
	uint32_t seen_keys, seen_sections;
	size_t errors;
	conf_say *say;
	void *data;
};

/* Tells an error of line @line; the first of them are told, all of them count. */
__attribute__((format(printf, 3, 4)))
void conf_wrong(struct reading *in, unsigned int line, const char *format, ...);
#define wrong(in, ...) conf_wrong(in, (in)->line, __VA_ARGS__)

/* The next of blank-separated words, NULL behind the last; @rest is written into. */
char *conf_word(char **rest);
/* Whether @text fits into @field and is what a message may carry. */
bool conf_text(char *field, size_t size, const char *text);
/* A decimal number up to @max, all of @text. */
bool conf_number(const char *text, uint32_t max, uint32_t *out);
/* By number or by name; false: nobody here is called so. */
bool conf_user(const char *name, uint32_t *id);
bool conf_group(const char *name, uint32_t *id);

/* [rule NAME]: it ends where another section begins, and with the file. */
void conf_rule_begin(struct reading *in, const char *name);
void conf_rule_end(struct reading *in);
void conf_rule_user(struct reading *in, char *value);
void conf_rule_group(struct reading *in, char *value);
void conf_rule_reader(struct reading *in, char *value);
void conf_rule_container(struct reading *in, char *value);
void conf_rule_allow(struct reading *in, char *value);
