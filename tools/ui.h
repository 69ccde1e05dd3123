/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/ui.h - What every subcommand says and asks: results for a person or as one JSON object,
 * errors in four parts, PINs and passphrases, files. All exit codes are made here.
 */
#pragma once

#include "base/bytes.h"
#include "base/secret.h"
#include "keyferry/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

enum ui_exit {
	UI_OK = 0,
	UI_FAILED = 1,			/* tried and failed, or refused */
	UI_USAGE = 2,			/* the command line makes no sense */
	UI_NOT_PROVED = 3,		/* nothing is wrong, but nothing is proved either */
	UI_UNREACHABLE = 4,		/* no broker, no reader, no card */
	UI_PIN = 5,			/* PIN needed, wrong or blocked */
};

/**
 * struct ui - how this run of a command talks
 * @command:	"keyferry seal"
 * @json:	--json: exactly one JSON object on stdout, on success as on failure
 * @stdout_is_taken: the result went there (-o -), so a failure after it goes to stderr
 */
struct ui {
	const char *command;
	bool json;
	bool stdout_is_taken;
};

/* The exit code that fits a negative errno. */
int ui_exit_code(int r);

/*
 * Prints @e in its four parts, to stderr, or as { "error": { ... } } to stdout under --json.
 * Return: the exit code for e->code.
 */
int ui_fail(const struct ui *ui, const struct kf_error *e);

/* A command line that makes no sense. Return: UI_USAGE. */
int ui_usage(const struct ui *ui, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A line for a person, on stdout; nothing under --json. */
void ui_say(const struct ui *ui, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Something that takes long, on stderr when that is a terminal; nothing under --json. */
void ui_progress(const struct ui *ui, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Up to 2.14 jansson drops bytes of a text, in silence, when a token cannot grow. From here on a
 * process without memory for JSON ends, with its words, instead of taking a part for the whole.
 */
void ui_json_whole(void);

/* Prints @object (which it takes) under --json, else only releases it. Return: UI_OK, UI_FAILED. */
int ui_json(const struct ui *ui, json_t *object);

/*
 * Asks on the terminal, without echo; the terminal is put back even when a signal ends the prompt.
 * @out comes from secret_init(). Return: 0, -ENOKEY no terminal to ask on, -EMSGSIZE too long for
 * @out, -ECANCELED interrupted or end of file.
 */
int ui_secret_ask(const char *prompt, struct secret *out, struct kf_error *e);

/* Reads one line (or all) from descriptor @fd into @out, without its line end. Return: as above. */
int ui_secret_from_fd(int fd, struct secret *out, struct kf_error *e);

/* A whole file ("-": stdin) into a secret of at most @max bytes; the caller deinits @out. */
int ui_secret_from_file(const char *path, size_t max, struct secret *out, struct kf_error *e);

/* A whole file ("-": stdin) of at most @max bytes; the caller frees *@data, which ends in a NUL. */
int ui_file_read(const char *path, size_t max, uint8_t **data, size_t *n, struct kf_error *e);

/*
 * Writes all or nothing: a temporary file beside it, fsync, rename, fsync of the folder. "-" writes
 * to stdout. Replaces what was there.
 */
int ui_file_write(const char *path, struct bytes data, mode_t mode, struct kf_error *e);

/* "90", "90s", "15m", "1h", "7d" in seconds. Return: 0, -EINVAL, -ERANGE. */
int ui_parse_duration(const char *text, int64_t *seconds);

/* A decimal number up to @max. Return: 0, -EINVAL, -ERANGE. */
int ui_parse_number(const char *text, uint64_t max, uint64_t *out);
