/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/needle.c - All windows lie in one open-addressed table, keyed by their first eight
 * bytes; the hay is walked byte by byte, with one look each at a map of the slots that are taken,
 * which stays in the processor's nearest cache, as the table does not.
 */
#include "tests/e2e/needle.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SLOTS = 1 << 17, WINDOW = 16, SECRET_MAX = 4096, CHUNK = 1 << 20 };

struct window {
	const char *name;
	uint8_t n;			/* 12 to 16 */
	uint8_t bytes[WINDOW];
};

struct needles {
	size_t count;
	uint64_t starts[SLOTS / 64];	/* a bit for each slot that some window's first bytes lead to */
	struct window slots[SLOTS];
};

struct needles *needles_new(void)
{
	return calloc(1, sizeof(struct needles));
}

struct needles *needles_free(struct needles *needles)
{
	free(needles);
	return NULL;
}

static uint64_t head(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static size_t slot_of(uint64_t key)
{
	return (size_t)((key * 0x9e3779b97f4a7c15u) >> 40) % SLOTS;
}

/* A run of one byte value is everywhere and says nothing. */
static bool is_dull(struct bytes b)
{
	for (size_t i = 1; i < b.n; i++) {
		if (b.p[i] != b.p[0])
			return false;
	}
	return true;
}

static void add_window(struct needles *needles, const char *name, struct bytes b)
{
	size_t at = slot_of(head(b.p));

	if (is_dull(b) || needles->count > SLOTS / 2)
		return;
	needles->starts[at / 64] |= UINT64_C(1) << at % 64;
	while (needles->slots[at].name)
		at = (at + 1) % SLOTS;
	needles->slots[at] = (struct window){ .name = name, .n = (uint8_t)b.n };
	memcpy(needles->slots[at].bytes, b.p, b.n);
	needles->count++;
}

static void add_windows(struct needles *needles, const char *name, struct bytes b)
{
	if (b.n < WINDOW) {
		add_window(needles, name, b);
		return;
	}
	for (size_t i = 0; i + WINDOW <= b.n; i += WINDOW)
		add_window(needles, name, BYTES(b.p + i, WINDOW));
}

static void add_hex(struct needles *needles, const char *name, struct bytes b, const char *digits)
{
	uint8_t text[2 * SECRET_MAX];

	for (size_t i = 0; i < b.n; i++) {
		text[2 * i] = (uint8_t)digits[b.p[i] >> 4];
		text[2 * i + 1] = (uint8_t)digits[b.p[i] & 15];
	}
	add_windows(needles, name, BYTES(text, 2 * b.n));
}

static void add_base64(struct needles *needles, const char *name, struct bytes b, const char *last)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	uint8_t text[2 * SECRET_MAX];
	size_t n = 0;

	for (size_t i = 0; i + 3 <= b.n; i += 3) {
		uint32_t v = (uint32_t)b.p[i] << 16 | (uint32_t)b.p[i + 1] << 8 | b.p[i + 2];

		for (int shift = 18; shift >= 0; shift -= 6) {
			uint32_t digit = v >> shift & 63;

			text[n++] = (uint8_t)(digit < 62 ? letters[digit] : last[digit - 62]);
		}
	}
	if (n >= 12)
		add_windows(needles, name, BYTES(text, n));
}

static void add_forms(struct needles *needles, const char *name, struct bytes b)
{
	add_windows(needles, name, b);
	add_hex(needles, name, b, "0123456789abcdef");
	add_hex(needles, name, b, "0123456789ABCDEF");
	for (size_t phase = 0; phase < 3; phase++) {
		add_base64(needles, name, bytes_slice(b, phase, b.n), "+/");
		add_base64(needles, name, bytes_slice(b, phase, b.n), "-_");
	}
}

void needles_add(struct needles *needles, const char *name, struct bytes secret)
{
	uint8_t reversed[SECRET_MAX];

	if (secret.n < 12 || secret.n > SECRET_MAX)
		abort();
	for (size_t i = 0; i < secret.n; i++)
		reversed[i] = secret.p[secret.n - 1 - i];
	add_forms(needles, name, secret);
	add_forms(needles, name, BYTES(reversed, secret.n));
}

static const char *window_at(const struct needles *needles, size_t at, struct bytes hay)
{
	for (; needles->slots[at].name; at = (at + 1) % SLOTS) {
		const struct window *w = &needles->slots[at];

		if (w->n <= hay.n && memcmp(hay.p, w->bytes, w->n) == 0)
			return w->name;
	}
	return NULL;
}

const char *needles_find(const struct needles *needles, struct bytes hay)
{
	for (size_t i = 0; i + 12 <= hay.n; i++) {
		size_t at = slot_of(head(hay.p + i));
		const char *found;

		if ((needles->starts[at / 64] >> at % 64 & 1) == 0)
			continue;
		found = window_at(needles, at, bytes_slice(hay, i, hay.n));
		if (found)
			return found;
	}
	return NULL;
}

/* One mapping, in chunks that overlap by a window. */
static const char *find_in_range(const struct needles *needles, int mem, uint64_t from, uint64_t to)
{
	static uint8_t chunk[CHUNK];
	const char *found = NULL;
	size_t used = 0;

	while (from < to && !found) {
		size_t want = to - from < CHUNK ? (size_t)(to - from) : CHUNK;
		ssize_t n = pread(mem, chunk, want, (off_t)from);

		if (n <= 0)
			break;
		used = (size_t)n > used ? (size_t)n : used;
		found = needles_find(needles, BYTES(chunk, (size_t)n));
		from += (uint64_t)n > WINDOW && (size_t)n == CHUNK ? (uint64_t)n - WINDOW : (uint64_t)n;
	}
	explicit_bzero(chunk, used);
	return found;
}

static FILE *open_proc(pid_t pid, const char *name)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return fopen(path, "re");
}

/* Code and constants, most of what there is: what the process cannot write is as it is in the file. */
static bool is_out_of_file(const char *rights, unsigned long long inode)
{
	return inode != 0 && rights[1] != 'w' && rights[3] == 'p';
}

const char *needles_find_in_process(const struct needles *needles, pid_t pid, int *error)
{
	_cleanup_(fclosep) FILE *maps = open_proc(pid, "maps");
	_cleanup_(fclosep) FILE *mem = open_proc(pid, "mem");
	const char *found = NULL;
	char line[512];
	bool any = false;

	*error = 0;
	if (!maps || !mem) {
		*error = -errno;
		return NULL;
	}
	while (!found && fgets(line, sizeof(line), maps)) {
		unsigned long long from, to, inode;
		char rights[8];

		if (sscanf(line, "%llx-%llx %7s %*x %*s %llu", &from, &to, rights, &inode) != 4 ||
		    rights[0] != 'r' || strstr(line, "[vvar]") || strstr(line, "[vsyscall]"))
			continue;
		any = true;
		if (!is_out_of_file(rights, inode))
			found = find_in_range(needles, fileno(mem), from, to);
	}
	if (!any)
		*error = -ESRCH;	/* it has ended, and nobody has asked how */
	return found;
}

const char *needles_find_in_file(const struct needles *needles, const char *path)
{
	_cleanup_(fclosep) FILE *f = fopen(path, "re");
	_cleanup_(freep) uint8_t *text = malloc(64u << 20);
	size_t n, kept = 0;

	if (!f || !text)
		return NULL;
	n = fread(text, 1, 64u << 20, f);
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\\' && i + 1 < n && text[i + 1] == 'x')
			i++;
		else
			text[kept++] = text[i];
	}
	return needles_find(needles, BYTES(text, kept));
}

bool process_has_memfd_secret(pid_t pid)
{
	_cleanup_(fclosep) FILE *maps = open_proc(pid, "maps");
	char line[512];

	while (maps && fgets(line, sizeof(line), maps)) {
		if (strstr(line, "secretmem"))
			return true;
	}
	return false;
}
