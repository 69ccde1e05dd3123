/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/harness.h - Tests in kselftest's manner: each runs in a forked child in a process group of
 * its own, under a time limit, and reports one KTAP line. main() is in harness.c.
 *
 *	FIXTURE(slot) { struct slot slot; };
 *	FIXTURE_VARIANT(slot) { bool powered; };
 *	FIXTURE_VARIANT_ADD(slot, cold) { .powered = false };
 *	FIXTURE_VARIANT_ADD(slot, warm) { .powered = true };
 *	FIXTURE_SETUP(slot) { slot_init(&self->slot, variant->powered); }
 *	FIXTURE_TEARDOWN(slot) { slot_deinit(&self->slot); }
 *
 *	TEST_F(slot, an_empty_slot_has_no_card) { EXPECT_FALSE(slot_has_card(&self->slot)); }
 *	TEST_F_WHERE(slot, what_was_warm_answers, variant->powered) { ... }
 *	TEST(a_short_frame_is_refused) { EXPECT_EQ(-EBADMSG, parse(BYTES_NONE, &out)); }
 *
 * EXPECT_* notes a failure and goes on; ASSERT_* ends the test (the teardown still runs), and so
 * does SKIP("why"). All three may be used in helper functions and in processes a test forks. The
 * first argument is what the test wants, the second what it got; each is evaluated once.
 *
 * What a test writes to its stdout goes to stderr, so that nothing but the harness speaks KTAP.
 */
#pragma once

#include "base/bytes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The limit when a test names none. Sanitizers and $KF_TEST_SLOWER stretch every limit. */
#define HARNESS_SECONDS 10

struct harness_variant {
	const char *name;
	const void *data;
	struct harness_variant *next;
};

struct harness_fixture {
	const char *name;
	size_t size;
	void (*setup)(void *self, const void *variant);
	void (*teardown)(void *self, const void *variant);
	struct harness_variant *variants;
};

struct harness_test {
	const char *name;
	unsigned int seconds;
	const struct harness_fixture *fixture;
	bool (*applies)(const void *variant);
	void (*run)(void *self, const void *variant);
	struct harness_test *next;
};

/* A number of any width with its sign kept apart, so that -1 and SIZE_MAX differ. */
struct harness_value {
	bool is_signed;
	uintmax_t bits;
};

enum harness_op { HARNESS_EQ, HARNESS_NE, HARNESS_LT, HARNESS_LE, HARNESS_GT, HARNESS_GE };

struct harness_place {
	const char *file;
	int line;
	const char *want, *got;		/* the source text of both arguments */
};

void harness_add_test(struct harness_test *test);
void harness_add_variant(struct harness_fixture *fixture, struct harness_variant *variant);
bool harness_compare(struct harness_place at, enum harness_op op, struct harness_value want,
		     struct harness_value got);
bool harness_truth(struct harness_place at, bool want, bool got);
bool harness_strings(struct harness_place at, enum harness_op op, const char *want, const char *got);
bool harness_bytes(struct harness_place at, enum harness_op op, struct bytes want,
		   struct bytes got);
void harness_log(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void harness_fail(void);
void harness_stop(void) __attribute__((noreturn));
void harness_skip(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* True in a build with AddressSanitizer, which keeps freed memory, maps terabytes and takes its time. */
#if defined(__SANITIZE_ADDRESS__)
#define HARNESS_SANITIZED true
#elif defined(__has_feature)
#define HARNESS_SANITIZED __has_feature(address_sanitizer)
#else
#define HARNESS_SANITIZED false
#endif

/* Milliseconds of patience for something that is fast on an idle machine; scaled like limits. */
int harness_patience_ms(int ms);

#define HARNESS_UNUSED __attribute__((unused))
#define HARNESS_AT(want, got) ((struct harness_place){ __FILE__, __LINE__, want, got })
#define HARNESS_VALUE(x) ((struct harness_value){ _Generic((x), char: (char)-1 < (char)1, \
	signed char: true, short: true, int: true, long: true, long long: true, default: false), \
	(uintmax_t)(x) })

/* --- tests and fixtures --- */

#define TEST(name) TEST_TIMEOUT(name, HARNESS_SECONDS)
#define TEST_TIMEOUT(name_, seconds_) \
	static void test_##name_(void); \
	static void test_run_##name_(void *self HARNESS_UNUSED, \
				     const void *variant HARNESS_UNUSED) \
	{ \
		test_##name_(); \
	} \
	__attribute__((constructor)) static void test_add_##name_(void) \
	{ \
		static struct harness_test test = { \
			.name = #name_, .seconds = (seconds_), .run = test_run_##name_, \
		}; \
		harness_add_test(&test); \
	} \
	static void test_##name_(void)

/* Declares the data of a fixture; follow it by { members }; then SETUP and TEARDOWN. */
#define FIXTURE(f) \
	struct fixture_##f; \
	struct variant_##f; \
	static void fixture_##f##_setup(void *self, const void *variant); \
	static void fixture_##f##_teardown(void *self, const void *variant); \
	static size_t fixture_##f##_size(void); \
	static struct harness_fixture fixture_##f = { \
		.name = #f, .setup = fixture_##f##_setup, .teardown = fixture_##f##_teardown, \
	}; \
	__attribute__((constructor(101))) static void fixture_##f##_measure(void) \
	{ \
		fixture_##f.size = fixture_##f##_size(); \
	} \
	struct fixture_##f

#define FIXTURE_VARIANT(f) struct variant_##f
#define FIXTURE_VARIANT_ADD(f, v) \
	static const struct variant_##f variant_##f##_##v; \
	__attribute__((constructor)) static void variant_add_##f##_##v(void) \
	{ \
		static struct harness_variant variant = { \
			.name = #v, .data = &variant_##f##_##v, \
		}; \
		harness_add_variant(&fixture_##f, &variant); \
	} \
	static const struct variant_##f variant_##f##_##v =

#define HARNESS_SELF(f) \
	struct fixture_##f *self HARNESS_UNUSED, const struct variant_##f *variant HARNESS_UNUSED

#define FIXTURE_SETUP(f) \
	static size_t fixture_##f##_size(void) \
	{ \
		return sizeof(struct fixture_##f); \
	} \
	static void fixture_##f##_set_up(HARNESS_SELF(f)); \
	static void fixture_##f##_setup(void *self, const void *variant) \
	{ \
		fixture_##f##_set_up(self, variant); \
	} \
	static void fixture_##f##_set_up(HARNESS_SELF(f))

#define FIXTURE_TEARDOWN(f) \
	static void fixture_##f##_tear_down(HARNESS_SELF(f)); \
	static void fixture_##f##_teardown(void *self, const void *variant) \
	{ \
		fixture_##f##_tear_down(self, variant); \
	} \
	static void fixture_##f##_tear_down(HARNESS_SELF(f))

#define TEST_F(f, name) TEST_F_TIMEOUT(f, name, HARNESS_SECONDS)
#define TEST_F_TIMEOUT(f, name, seconds) HARNESS_TEST_F(f, name, seconds, true)
/* One that is about some variants alone; of the others there is no such test. One of none is a failure. */
#define TEST_F_WHERE(f, name, where) HARNESS_TEST_F(f, name, HARNESS_SECONDS, where)
#define HARNESS_TEST_F(f, name_, seconds_, where) \
	static void test_##f##_##name_(HARNESS_SELF(f)); \
	static bool test_applies_##f##_##name_(const void *of) \
	{ \
		const struct variant_##f *variant HARNESS_UNUSED = of; \
		return (where); \
	} \
	static void test_run_##f##_##name_(void *self, const void *variant) \
	{ \
		test_##f##_##name_(self, variant); \
	} \
	__attribute__((constructor)) static void test_add_##f##_##name_(void) \
	{ \
		static struct harness_test test = { \
			.name = #name_, .seconds = (seconds_), .fixture = &fixture_##f, \
			.applies = test_applies_##f##_##name_, .run = test_run_##f##_##name_, \
		}; \
		harness_add_test(&test); \
	} \
	static void test_##f##_##name_(HARNESS_SELF(f))

/* --- what a test says --- */

#define SKIP(...) harness_skip(__VA_ARGS__)
#define TEST_LOG(...) harness_log(__FILE__, __LINE__, __VA_ARGS__)
/* A failure in words, where no comparison tells the story. */
#define TEST_FAIL(...) do { TEST_LOG(__VA_ARGS__); harness_fail(); } while (0)

#define HARNESS_EXPECT(held) do { if (!(held)) harness_fail(); } while (0)
#define HARNESS_ASSERT(held) do { if (!(held)) { harness_fail(); harness_stop(); } } while (0)

#define HARNESS_NUMBERS(op, want, got) \
	harness_compare(HARNESS_AT(#want, #got), op, HARNESS_VALUE(want), HARNESS_VALUE(got))
#define HARNESS_STRINGS(op, want, got) harness_strings(HARNESS_AT(#want, #got), op, want, got)
#define HARNESS_MEMORY(op, want, got, n) \
	harness_bytes(HARNESS_AT(#want, #got), op, BYTES(want, n), BYTES(got, n))
#define HARNESS_BYTES(op, want, got) harness_bytes(HARNESS_AT(#want, #got), op, want, got)

#define EXPECT_EQ(want, got) HARNESS_EXPECT(HARNESS_NUMBERS(HARNESS_EQ, want, got))
#define EXPECT_NE(want, got) HARNESS_EXPECT(HARNESS_NUMBERS(HARNESS_NE, want, got))
#define EXPECT_LT(want, got) HARNESS_EXPECT(HARNESS_NUMBERS(HARNESS_LT, want, got))
#define EXPECT_LE(want, got) HARNESS_EXPECT(HARNESS_NUMBERS(HARNESS_LE, want, got))
#define EXPECT_GT(want, got) HARNESS_EXPECT(HARNESS_NUMBERS(HARNESS_GT, want, got))
#define EXPECT_GE(want, got) HARNESS_EXPECT(HARNESS_NUMBERS(HARNESS_GE, want, got))
#define EXPECT_TRUE(got) HARNESS_EXPECT(harness_truth(HARNESS_AT("true", #got), true, (got)))
#define EXPECT_FALSE(got) HARNESS_EXPECT(harness_truth(HARNESS_AT("false", #got), false, (got)))
#define EXPECT_NULL(got) EXPECT_EQ(NULL, got)
#define EXPECT_NOT_NULL(got) EXPECT_NE(NULL, got)
#define EXPECT_STREQ(want, got) HARNESS_EXPECT(HARNESS_STRINGS(HARNESS_EQ, want, got))
#define EXPECT_STRNE(want, got) HARNESS_EXPECT(HARNESS_STRINGS(HARNESS_NE, want, got))
#define EXPECT_MEMEQ(want, got, n) HARNESS_EXPECT(HARNESS_MEMORY(HARNESS_EQ, want, got, n))
#define EXPECT_MEMNE(want, got, n) HARNESS_EXPECT(HARNESS_MEMORY(HARNESS_NE, want, got, n))
#define EXPECT_BYTES_EQ(want, got) HARNESS_EXPECT(HARNESS_BYTES(HARNESS_EQ, want, got))
#define EXPECT_BYTES_NE(want, got) HARNESS_EXPECT(HARNESS_BYTES(HARNESS_NE, want, got))

#define ASSERT_EQ(want, got) HARNESS_ASSERT(HARNESS_NUMBERS(HARNESS_EQ, want, got))
#define ASSERT_NE(want, got) HARNESS_ASSERT(HARNESS_NUMBERS(HARNESS_NE, want, got))
#define ASSERT_LT(want, got) HARNESS_ASSERT(HARNESS_NUMBERS(HARNESS_LT, want, got))
#define ASSERT_LE(want, got) HARNESS_ASSERT(HARNESS_NUMBERS(HARNESS_LE, want, got))
#define ASSERT_GT(want, got) HARNESS_ASSERT(HARNESS_NUMBERS(HARNESS_GT, want, got))
#define ASSERT_GE(want, got) HARNESS_ASSERT(HARNESS_NUMBERS(HARNESS_GE, want, got))
#define ASSERT_TRUE(got) HARNESS_ASSERT(harness_truth(HARNESS_AT("true", #got), true, (got)))
#define ASSERT_FALSE(got) HARNESS_ASSERT(harness_truth(HARNESS_AT("false", #got), false, (got)))
#define ASSERT_NULL(got) ASSERT_EQ(NULL, got)
#define ASSERT_NOT_NULL(got) ASSERT_NE(NULL, got)
#define ASSERT_STREQ(want, got) HARNESS_ASSERT(HARNESS_STRINGS(HARNESS_EQ, want, got))
#define ASSERT_STRNE(want, got) HARNESS_ASSERT(HARNESS_STRINGS(HARNESS_NE, want, got))
#define ASSERT_MEMEQ(want, got, n) HARNESS_ASSERT(HARNESS_MEMORY(HARNESS_EQ, want, got, n))
#define ASSERT_MEMNE(want, got, n) HARNESS_ASSERT(HARNESS_MEMORY(HARNESS_NE, want, got, n))
#define ASSERT_BYTES_EQ(want, got) HARNESS_ASSERT(HARNESS_BYTES(HARNESS_EQ, want, got))
#define ASSERT_BYTES_NE(want, got) HARNESS_ASSERT(HARNESS_BYTES(HARNESS_NE, want, got))
