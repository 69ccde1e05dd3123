/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tests/e2e/needle_test.c - The search itself has to find what is there, in every form. */
#include "tests/e2e/needle.h"
#include "tests/harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Decimal digits of pi after the point, as bytes: nothing here is anywhere by accident. */
static const uint8_t secret[48] = {
	0x24, 0x3f, 0x6a, 0x88, 0x85, 0xa3, 0x08, 0xd3, 0x13, 0x19, 0x8a, 0x2e, 0x03, 0x70, 0x73,
	0x44, 0xa4, 0x09, 0x38, 0x22, 0x29, 0x9f, 0x31, 0xd0, 0x08, 0x2e, 0xfa, 0x98, 0xec, 0x4e,
	0x6c, 0x89, 0x45, 0x28, 0x21, 0xe6, 0x38, 0xd0, 0x13, 0x77, 0xbe, 0x54, 0x66, 0xcf, 0x34,
	0xe9, 0x0c, 0x6c,
};

static const char *find(const void *hay, size_t n)
{
	struct needles *needles = needles_new();
	const char *found;

	needles_add(needles, "secret", BYTES_OF(secret));
	found = needles_find(needles, BYTES(hay, n));
	needles_free(needles);
	return found;
}

TEST(one_aligned_window_is_enough_at_any_offset)
{
	uint8_t hay[64] = { 0 };

	for (size_t window = 0; window < 3; window++) {
		for (size_t at = 0; at < 40; at += 7) {
			memset(hay, 0, sizeof(hay));
			memcpy(hay + at, secret + 16 * window, 16);
			EXPECT_STREQ("secret", find(hay, sizeof(hay)));
			hay[at + 5] ^= 1;
			EXPECT_TRUE(find(hay, sizeof(hay)) == NULL);
		}
	}
}

TEST(little_endian_is_found)
{
	uint8_t hay[48];

	for (size_t i = 0; i < 48; i++)
		hay[i] = secret[47 - i];
	EXPECT_STREQ("secret", find(hay, sizeof(hay)));
}

TEST(hexadecimal_is_found_in_both_cases)
{
	char hay[128];

	for (int upper = 0; upper < 2; upper++) {
		for (size_t i = 0; i < 48; i++)
			(void)snprintf(hay + 2 * i, 3, upper ? "%02X" : "%02x", secret[i]);
		EXPECT_STREQ("secret", find(hay, 96));
	}
}

TEST(base64_is_found_in_every_phase)
{
	/* printf 'SECRET' | base64, with 0, 1 and 2 strange bytes in front, by coreutils */
	for (int phase = 0; phase < 3; phase++) {
		char name[] = "/tmp/needle-XXXXXX", command[128], hay[256];
		int fd = mkstemp(name);
		FILE *p;
		size_t n;

		ASSERT_GE(fd, 0);
		ASSERT_EQ(phase, (int)write(fd, "!!", (size_t)phase));
		ASSERT_EQ(48, (int)write(fd, secret, 48));
		(void)close(fd);
		(void)snprintf(command, sizeof(command), "base64 -w0 %s", name);
		p = popen(command, "r");
		ASSERT_TRUE(p != NULL);
		n = fread(hay, 1, sizeof(hay), p);
		(void)pclose(p);
		(void)unlink(name);
		EXPECT_STREQ("secret", find(hay, n));
		for (size_t i = 0; i < n; i++)
			hay[i] = hay[i] == '+' ? '-' : hay[i] == '/' ? '_' : hay[i];
		EXPECT_STREQ("secret", find(hay, n));
	}
}

TEST(another_process_is_searched)
{
	struct needles *needles;
	int error = 0, ends[2];
	char go;
	pid_t pid;

	if (getuid() != 0)
		SKIP("needs root, to read other processes' memory");
	if (HARNESS_SANITIZED)
		SKIP("sanitizers map more memory than can be searched");
	needles = needles_new();
	needles_add(needles, "secret", BYTES("correct-horse-42", 16));
	ASSERT_EQ(0, pipe(ends));
	pid = fork();
	if (pid == 0) {
		/* Assembled at run time: it must not be in the program's text. */
		char *copy = malloc(17);
		const char *halves[] = { "correct-", "horse-42" };

		(void)snprintf(copy, 17, "%s%s", halves[0], halves[1]);
		(void)!write(ends[1], "x", 1);
		(void)pause();
		_exit(copy[0]);
	}
	ASSERT_EQ(1, (int)read(ends[0], &go, 1));
	EXPECT_STREQ("secret", needles_find_in_process(needles, pid, &error));
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	needles_free(needles);
}

TEST(strace_output_reads_as_hexadecimal)
{
	struct needles *needles = needles_new();
	char name[] = "/tmp/needle-XXXXXX";
	int fd = mkstemp(name);

	ASSERT_GE(fd, 0);
	needles_add(needles, "secret", BYTES_OF(secret));
	ASSERT_LT(0, dprintf(fd, "sendmsg(4, {iov_base=\""));
	for (size_t i = 0; i < 48; i++)
		ASSERT_LT(0, dprintf(fd, "\\x%02x", secret[i]));
	(void)close(fd);
	EXPECT_STREQ("secret", needles_find_in_file(needles, name));
	(void)unlink(name);
	needles_free(needles);
}
