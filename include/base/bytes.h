/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base/bytes.h - Borrowed byte ranges and the two cursors that walk them. Every wire format goes
 * through here, so this is the one place where a length that came from outside meets a pointer.
 *
 * The cursors are sticky: a step over the edge marks them bad, yields zero and turns every later
 * step into a no-op. A parser is therefore written straight down, a line a field, and asks once,
 * at unpack_end() or pack_end(), whether all of it was there.
 */
#pragma once

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/**
 * struct bytes - a borrowed range; never owns, never writes
 * @p:	first byte; may be NULL only if @n is 0
 * @n:	length in bytes
 */
struct bytes {
	const uint8_t *p;
	size_t n;
};

#define BYTES_NONE ((struct bytes){ NULL, 0 })
#define BYTES(ptr, len) ((struct bytes){ (const uint8_t *)(ptr), (len) })
/* Only for real arrays: the sizeof of a pointer would lie, so let the compiler refuse one. */
#define BYTES_OF(array) \
	BYTES((array), sizeof(array) + \
	      0 * sizeof(char[1 - 2 * __builtin_types_compatible_p(__typeof__(array), \
							     __typeof__(&(array)[0]))]))

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool bytes_have_prefix(struct bytes b, struct bytes prefix)
{
	return b.n >= prefix.n && bytes_equal(BYTES(b.p, prefix.n), prefix);
}

static inline bool bytes_are_zero(struct bytes b)
{
	uint8_t any = 0;

	for (size_t i = 0; i < b.n; i++)
		any |= b.p[i];
	return any == 0;
}

/* The part of @b from @at on, cut to @n bytes; shorter, or empty, where @b ends earlier. */
static inline struct bytes bytes_slice(struct bytes b, size_t at, size_t n)
{
	if (at >= b.n)
		return BYTES_NONE;
	return BYTES(b.p + at, n < b.n - at ? n : b.n - at);
}

/* How often @text stands in @b. */
static inline size_t bytes_count(struct bytes b, const char *text)
{
	size_t n = 0, len = strlen(text);

	for (size_t at = 0; at + len <= b.n; at++)
		n += memcmp(b.p + at, text, len) == 0;
	return n;
}

/**
 * struct unpacker - reads a range from front to back
 * @p:		next byte
 * @left:	bytes not yet read
 * @bad:	a step went over the edge; sticky
 */
struct unpacker {
	const uint8_t *p;
	size_t left;
	bool bad;
};

static inline struct unpacker unpack_begin(struct bytes b)
{
	assert(b.p || b.n == 0);
	return (struct unpacker){ .p = b.p, .left = b.n };
}

/* Marks the cursor bad by the caller's own judgement of a value just read. */
static inline void unpack_fail(struct unpacker *u)
{
	u->bad = true;
	u->left = 0;
}

static inline struct bytes unpack_bytes(struct unpacker *u, size_t n)
{
	struct bytes b = { u->p, n };

	if (u->bad || n > u->left) {
		unpack_fail(u);
		return BYTES_NONE;
	}
	if (n != 0)
		u->p += n;
	u->left -= n;
	return b;
}

/* Everything that is left; takes it, so unpack_end() is content afterwards. */
static inline struct bytes unpack_rest(struct unpacker *u)
{
	return unpack_bytes(u, u->left);
}

/* What stands before the next @end; takes that byte, too. Bad if there is none. */
static inline struct bytes unpack_until(struct unpacker *u, uint8_t end)
{
	const uint8_t *at = u->left != 0 ? memchr(u->p, end, u->left) : NULL;
	struct bytes b;

	if (!at) {
		unpack_fail(u);
		return BYTES_NONE;
	}
	b = unpack_bytes(u, (size_t)(at - u->p));
	(void)unpack_bytes(u, 1);
	return b;
}

static inline void unpack_skip(struct unpacker *u, size_t n)
{
	(void)unpack_bytes(u, n);
}

/* The next byte without taking it; -1 at the end, which marks nothing. */
static inline int unpack_peek(const struct unpacker *u)
{
	return u->left != 0 ? u->p[0] : -1;
}

static inline uint8_t unpack_u8(struct unpacker *u)
{
	struct bytes b = unpack_bytes(u, 1);

	return b.n == 1 ? b.p[0] : 0;
}

static inline uint64_t unpack_be(struct unpacker *u, size_t n)
{
	assert(n <= 8);
	struct bytes b = unpack_bytes(u, n);
	uint64_t v = 0;

	for (size_t i = 0; i < b.n; i++)
		v = v << 8 | b.p[i];
	return v;
}

static inline uint64_t unpack_le(struct unpacker *u, size_t n)
{
	assert(n <= 8);
	struct bytes b = unpack_bytes(u, n);
	uint64_t v = 0;

	for (size_t i = b.n; i > 0; i--)
		v = v << 8 | b.p[i - 1];
	return v;
}

static inline uint16_t unpack_be16(struct unpacker *u) { return (uint16_t)unpack_be(u, 2); }
static inline uint32_t unpack_be32(struct unpacker *u) { return (uint32_t)unpack_be(u, 4); }
static inline uint64_t unpack_be64(struct unpacker *u) { return unpack_be(u, 8); }
static inline uint16_t unpack_le16(struct unpacker *u) { return (uint16_t)unpack_le(u, 2); }
static inline uint32_t unpack_le32(struct unpacker *u) { return (uint32_t)unpack_le(u, 4); }
static inline uint64_t unpack_le64(struct unpacker *u) { return unpack_le(u, 8); }

/* Copies exactly @n bytes into @out; leaves zeros there when they were not all present. */
static inline void unpack_copy(struct unpacker *u, uint8_t *out, size_t n)
{
	struct bytes b = unpack_bytes(u, n);

	if (n != 0)
		memset(out, 0, n);
	if (b.n != 0)
		memcpy(out, b.p, b.n);
}

/* Return: 0 if every step stayed inside and nothing is left over, else -EBADMSG. */
static inline int unpack_end(const struct unpacker *u)
{
	return u->bad || u->left != 0 ? -EBADMSG : 0;
}

/**
 * struct packer - fills a fixed buffer from front to back; never writes past it, and never writes
 * a number that its field cannot hold: a length cut to 16 bits is as wrong as one over the edge
 * @p:		the buffer, borrowed
 * @cap:	its size in bytes
 * @n:		bytes written so far
 * @bad:	something did not fit; sticky
 */
struct packer {
	uint8_t *p;
	size_t cap;
	size_t n;
	bool bad;
};

static inline struct packer pack_begin(uint8_t *buf, size_t cap)
{
	assert(buf || cap == 0);
	return (struct packer){ .p = buf, .cap = cap };
}

static inline void pack_fail(struct packer *p)
{
	p->bad = true;
}

/* Room for @n bytes, to be filled by the caller; NULL once the cursor is bad, or for no room. */
static inline uint8_t *pack_reserve(struct packer *p, size_t n)
{
	uint8_t *at;

	if (p->bad || n > p->cap - p->n) {
		p->bad = true;
		return NULL;
	}
	if (n == 0)
		return NULL;
	at = p->p + p->n;
	p->n += n;
	return at;
}

static inline void pack_bytes(struct packer *p, struct bytes b)
{
	uint8_t *at = pack_reserve(p, b.n);

	if (at)
		memcpy(at, b.p, b.n);
}

static inline void pack_zero(struct packer *p, size_t n)
{
	uint8_t *at = pack_reserve(p, n);

	if (at)
		memset(at, 0, n);
}

/* Room for the number @v in @n bytes, unless it needs more of them. */
static inline uint8_t *pack_number(struct packer *p, uint64_t v, size_t n)
{
	assert(n <= 8);
	if (n < 8 && v >> 8 * n != 0)
		p->bad = true;
	return pack_reserve(p, n);
}

static inline void pack_be(struct packer *p, uint64_t v, size_t n)
{
	uint8_t *at = pack_number(p, v, n);

	for (size_t i = n; at && i > 0; i--, v >>= 8)
		at[i - 1] = (uint8_t)v;
}

static inline void pack_le(struct packer *p, uint64_t v, size_t n)
{
	uint8_t *at = pack_number(p, v, n);

	for (size_t i = 0; at && i < n; i++, v >>= 8)
		at[i] = (uint8_t)v;
}

/* All take 64 bits, so that nothing is cut on the way in. */
static inline void pack_u8(struct packer *p, uint64_t v) { pack_be(p, v, 1); }
static inline void pack_be16(struct packer *p, uint64_t v) { pack_be(p, v, 2); }
static inline void pack_be32(struct packer *p, uint64_t v) { pack_be(p, v, 4); }
static inline void pack_be64(struct packer *p, uint64_t v) { pack_be(p, v, 8); }
static inline void pack_le16(struct packer *p, uint64_t v) { pack_le(p, v, 2); }
static inline void pack_le32(struct packer *p, uint64_t v) { pack_le(p, v, 4); }
static inline void pack_le64(struct packer *p, uint64_t v) { pack_le(p, v, 8); }

/* What has been written; empty once the cursor is bad. */
static inline struct bytes pack_done(const struct packer *p)
{
	return p->bad ? BYTES_NONE : BYTES(p->p, p->n);
}

/* Return: 0 if everything fitted, bytes and numbers alike, else -EMSGSIZE. */
static inline int pack_end(const struct packer *p)
{
	return p->bad ? -EMSGSIZE : 0;
}
