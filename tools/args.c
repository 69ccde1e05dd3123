/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/args.c - One pass over argv. Everything a command takes stands in tables, so its --help
 * cannot lag behind.
 */
#include "tools/args.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_word(const struct arg *arg)
{
	return arg->kind == ARG_WORD || arg->kind == ARG_MAYBE_WORD;
}

static void print_option(const struct arg *arg)
{
	char left[64];

	(void)snprintf(left, sizeof(left), "%s%c%s--%s%s%s", arg->letter ? "-" : "  ",
		       arg->letter ? arg->letter : ' ', arg->letter ? ", " : " ", arg->name,
		       arg->value ? " " : "", arg->value ? arg->value : "");
	printf("  %-28s %s\n", left, arg->help);
}

static void print_options(const struct arg *args)
{
	for (; args && args->kind != ARG_LAST; args++)
		if (!is_word(args))
			print_option(args);
}

static void print_help(const struct ui *ui, const struct arg_tables *tables)
{
	printf("usage: %s [OPTION...]", ui->command);
	for (const struct arg *a = tables->own; a->kind != ARG_LAST; a++)
		if (is_word(a))
			printf(a->kind == ARG_WORD ? " %s" : " [%s]", a->name);
	printf("\n\n%s\n\n", tables->summary);
	for (const struct arg *a = tables->own; a->kind != ARG_LAST; a++)
		if (is_word(a))
			printf("  %-28s %s\n", a->name, a->help);
	print_options(tables->own);
	print_options(tables->common);
	printf("  -h, --help                   this text\n\n"
	       "Exit codes: 0 done, 1 failed or refused, 2 usage, 3 not proved, 4 service, reader or\n"
	       "card not reachable, 5 PIN needed, wrong or blocked. More: man keyferry\n");
}

static const struct arg *find_in(const struct arg *args, const char *name, size_t n)
{
	for (; args && args->kind != ARG_LAST; args++) {
		if (is_word(args))
			continue;
		if (strlen(args->name) == n && strncmp(args->name, name, n) == 0)
			return args;
	}
	return NULL;
}

static const struct arg *find_letter(const struct arg *args, char letter)
{
	for (; args && args->kind != ARG_LAST; args++)
		if (!is_word(args) && args->letter == letter)
			return args;
	return NULL;
}

/* "--name", "--name=value", "-n"; *@value gets what stands behind "=". */
static const struct arg *find(const struct arg_tables *tables, char *text, char **value)
{
	const struct arg *arg;
	size_t n;

	*value = NULL;
	if (text[1] != '-') {
		if (text[1] == '\0' || text[2] != '\0')
			return NULL;
		arg = find_letter(tables->own, text[1]);
		return arg ? arg : find_letter(tables->common, text[1]);
	}
	n = strcspn(text + 2, "=");
	if (text[2 + n] == '=')
		*value = text + 2 + n + 1;
	arg = find_in(tables->own, text + 2, n);
	return arg ? arg : find_in(tables->common, text + 2, n);
}

static int put_more(const struct ui *ui, const struct arg *arg, const char *value)
{
	struct arg_texts *texts = arg->into;

	if (texts->n == ARG_TEXTS_MAX)
		return ui_usage(ui, "--%s can be given %d times", arg->name, ARG_TEXTS_MAX);
	texts->v[texts->n++] = value;
	return 0;
}

/* Return: 0, UI_USAGE. */
static int put(const struct ui *ui, const struct arg *arg, const char *value)
{
	uint64_t number = 0;

	switch (arg->kind) {
	case ARG_FLAG:
		*(bool *)arg->into = true;
		return 0;
	case ARG_TEXTS:
		return put_more(ui, arg, value);
	case ARG_NUMBER:
		if (ui_parse_number(value, UINT32_MAX - 1, &number) < 0)
			return ui_usage(ui, "--%s wants a number, not '%s'", arg->name, value);
		*(uint32_t *)arg->into = (uint32_t)number;
		return 0;
	case ARG_FD:
		if (ui_parse_number(value, INT_MAX, &number) < 0)
			return ui_usage(ui, "--%s wants a descriptor's number, not '%s'", arg->name,
					value);
		*(int *)arg->into = (int)number;
		return 0;
	default:
		*(const char **)arg->into = value;
		return 0;
	}
}

static int put_word(const struct ui *ui, const struct arg **next, const char *word)
{
	while ((*next)->kind != ARG_LAST && !is_word(*next))
		(*next)++;
	if ((*next)->kind == ARG_LAST)
		return ui_usage(ui, "what is '%s'?", word);
	*(const char **)(*next)->into = word;
	(*next)++;
	return 0;
}

static int check_words(const struct ui *ui, const struct arg *next)
{
	for (; next->kind != ARG_LAST; next++)
		if (next->kind == ARG_WORD)
			return ui_usage(ui, "%s is missing (%s)", next->name, next->help);
	return 0;
}

/* One argument at argv[*i], and its value. Return: 0, UI_USAGE. */
static int take_option(const struct ui *ui, const struct arg_tables *tables, int argc, char **argv,
		       int *i)
{
	char *text = argv[*i], *value;
	const struct arg *arg = find(tables, text, &value);

	if (!arg)
		return ui_usage(ui, "there is no option '%s'", text);
	if (arg->kind == ARG_FLAG && value)
		return ui_usage(ui, "--%s has no value", arg->name);
	if (arg->kind != ARG_FLAG && !value) {
		if (*i + 1 >= argc)
			return ui_usage(ui, "--%s wants a value (%s)", arg->name, arg->value);
		value = argv[++*i];
	}
	return put(ui, arg, value);
}

bool args_parse(const struct ui *ui, const struct arg_tables *tables, int argc, char **argv,
		int *exit_code)
{
	const struct arg *next = tables->own;
	bool options = true;

	*exit_code = 0;
	for (int i = 1; i < argc && *exit_code == 0; i++) {
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
		} else if (options && (strcmp(argv[i], "--help") == 0 ||
				       strcmp(argv[i], "-h") == 0)) {
			print_help(ui, tables);
			return false;
		} else if (options && argv[i][0] == '-' && argv[i][1] != '\0') {
			*exit_code = take_option(ui, tables, argc, argv, &i);
		} else {
			*exit_code = put_word(ui, &next, argv[i]);
		}
	}
	if (*exit_code == 0)
		*exit_code = check_words(ui, next);
	return *exit_code == 0;
}

void args_front_to_back(const struct arg *common, int argc, char **argv)
{
	const struct arg_tables tables = { "", NULL, common };
	char *front[16], *value;
	int n = 0, at, end;

	for (at = 1; at < argc && n < 14; at++) {
		const struct arg *arg;

		if (argv[at][0] != '-')
			break;
		arg = find(&tables, argv[at], &value);
		if (!arg)
			return;		/* --help, --version or a mistake: main() says so */
		front[n++] = argv[at];
		if (arg->kind != ARG_FLAG && !value && at + 1 < argc)
			front[n++] = argv[++at];
	}
	for (end = at; end < argc && strcmp(argv[end], "--") != 0; end++)
		argv[end - n] = argv[end];
	memcpy(&argv[end - n], front, (size_t)n * sizeof(front[0]));
}
