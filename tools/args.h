/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/args.h - A command line by a table: each option says where its value goes.
 *
 *	const struct arg args[] = {
 *		{ "container", 'c', ARG_NUMBER, &container, "N", "which container" },
 *		{ "pss", 0, ARG_FLAG, &pss, NULL, "RSASSA-PSS instead of PKCS #1 v1.5" },
 *		{ "FILE", 0, ARG_WORD, &file, NULL, "what to sign" },
 *		ARG_END
 *	};
 */
#pragma once

#include "tools/ui.h"

enum arg_kind {
	ARG_LAST,
	ARG_FLAG,		/* bool */
	ARG_TEXT,		/* const char * */
	ARG_TEXTS,		/* struct arg_texts: may be given again and again */
	ARG_NUMBER,		/* uint32_t */
	ARG_FD,			/* int, not negative */
	ARG_WORD,		/* const char *, without an option, by position; needed */
	ARG_MAYBE_WORD,		/* the same, may be left out */
};

enum { ARG_TEXTS_MAX = 16 };

/* Values of one option, in their order. */
struct arg_texts {
	size_t n;
	const char *v[ARG_TEXTS_MAX];
};

/**
 * struct arg - one option or word
 * @name:	long name without --; for words, how --help calls it
 * @letter:	short name, or 0
 * @kind:	what @into points to
 * @into:	keeps its value if the option is not given
 * @value:	how --help calls the value
 * @help:	one line
 */
struct arg {
	const char *name;
	char letter;
	enum arg_kind kind;
	void *into;
	const char *value;
	const char *help;
};

#define ARG_END { NULL, 0, ARG_LAST, NULL, NULL, NULL }

/**
 * struct arg_tables - what a command takes
 * @summary:	one sentence for --help
 * @own:	its own options and words
 * @common:	those it shares with others, or NULL
 */
struct arg_tables {
	const char *summary;
	const struct arg *own;
	const struct arg *common;
};

/*
 * Reads argv[1] on. "--" ends options; "-" is a word; values may stand behind "=". Return: true to go
 * on; false with the exit code in *@exit_code after --help or a mistake, which has been told.
 */
bool args_parse(const struct ui *ui, const struct arg_tables *tables, int argc, char **argv,
		int *exit_code);

/*
 * Moves options that stand before the command behind it: "keyferry --json reader list" becomes
 * "keyferry reader list --json". @common tells which of them have a value. Changes argv in place.
 */
void args_front_to_back(const struct arg *common, int argc, char **argv);
