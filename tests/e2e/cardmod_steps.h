/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/cardmod_steps.h - What the programs of the 31-step use case on the minidriver interface
 * share: an allocator that counts, files that travel in a folder, and a line to whoever counts.
 * Nothing of ours but keyferry/cardmod.h is included here or by them.
 */
#pragma once

#include <fcntl.h>
#include <keyferry/cardmod.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STEPS_FILE_MAX = 32768, STEPS_WAIT_S = 90 };

/* What the library allocated and the program has not freed; 0 at the end, or somebody leaks. */
static long steps_allocated;

static inline LPVOID steps_alloc(SIZE_T n)
{
	steps_allocated++;
	return malloc(n);
}

static inline LPVOID steps_realloc(LPVOID p, SIZE_T n)
{
	return realloc(p, n);
}

static inline void steps_free(LPVOID p)
{
	if (p)
		steps_allocated--;
	free(p);
}

static inline CARD_DATA steps_card(void)
{
	return (CARD_DATA){
		.dwVersion = CARD_DATA_CURRENT_VERSION,
		.pfnCspAlloc = steps_alloc,
		.pfnCspReAlloc = steps_realloc,
		.pfnCspFree = steps_free,
	};
}

__attribute__((format(printf, 3, 4)))
static inline void steps_report(int step, bool ok, const char *format, ...)
{
	va_list ap;

	printf("%s %d ", ok ? "ok" : "not ok", step);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	if (!ok)
		exit(1);
}

/* Ends the program with the library's own words unless @status is success. */
static inline void steps_must(int step, DWORD status, const CARD_DATA *card)
{
	const struct kf_error *e = kf_cardmod_error(card);

	if (status != SCARD_S_SUCCESS)
		steps_report(step, false, "0x%08x: %s: %s (%s)", status, e->what, e->why, e->rule);
}

/* Stops until SIGCONT, if the test asked for it, so that it can look into this process. */
static inline void steps_pause(void)
{
	if (getenv("STEPS_PAUSE"))
		(void)raise(SIGSTOP);
}

struct steps_file {
	BYTE data[STEPS_FILE_MAX];
	DWORD n;
};

static inline void steps_path(char out[static 256], const char *dir, const char *name)
{
	if (snprintf(out, 256, "%s/%s", dir, name) >= 256)
		exit(2);
}

static inline void steps_write(const char *path, const void *data, size_t n, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (fd < 0 || write(fd, data, n) != (ssize_t)n || close(fd) < 0)
		exit(2);
}

/* Under its name only when it is whole. */
static inline void steps_send(const char *dir, const char *name, const void *data, size_t n)
{
	char part[264], path[256];

	steps_path(path, dir, name);
	(void)snprintf(part, sizeof(part), "%s.part", path);
	steps_write(part, data, n, 0644);
	if (rename(part, path) < 0)
		exit(2);
}

static inline void steps_read(const char *path, struct steps_file *out)
{
	FILE *f = fopen(path, "re");

	if (!f)
		exit(2);
	out->n = (DWORD)fread(out->data, 1, sizeof(out->data), f);
	(void)fclose(f);
}

static inline void steps_receive(const char *dir, const char *name, struct steps_file *out)
{
	const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };
	time_t end = time(NULL) + STEPS_WAIT_S;
	char path[256];

	steps_path(path, dir, name);
	while (access(path, R_OK) < 0) {
		if (time(NULL) > end)
			exit(3);
		(void)nanosleep(&pause, NULL);
	}
	steps_read(path, out);
}

/* @hex as bytes. Return: how many. */
static inline DWORD steps_hex(const char *hex, BYTE *out, size_t cap)
{
	size_t n = 0;

	for (; hex[0] && hex[1] && n < cap; hex += 2) {
		unsigned int byte;

		if (sscanf(hex, "%2x", &byte) != 1)
			exit(2);
		out[n++] = (BYTE)byte;
	}
	return (DWORD)n;
}

/* Whether the multi-string @list has @name. */
static inline bool steps_has(const BYTE *list, DWORD n, LPCWSTR name)
{
	size_t len = 0;

	while (name[len])
		len++;
	len = (len + 1) * sizeof(WCHAR);
	for (DWORD at = 0; at + len <= n;) {
		if (memcmp(list + at, name, len) == 0)
			return true;
		while (at + sizeof(WCHAR) <= n && (list[at] || list[at + 1]))
			at += sizeof(WCHAR);
		at += sizeof(WCHAR);
	}
	return false;
}
