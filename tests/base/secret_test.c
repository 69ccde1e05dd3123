/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel does for a secret is read from /proc/self/smaps. That it is wiped is seen from
 * outside: the bytes are looked for through /proc/self/mem while they are there (the control) and
 * after they were cleared; that deinit wipes before it unmaps, by a second mapping of the pages.
 */
#include "base/cleanup.h"
#include "base/secret.h"
#include "tests/harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define PIN BYTES("correct horse battery", 21)

FIXTURE(secret) { struct secret secret; };
FIXTURE_SETUP(secret)
{
	self->secret = SECRET_INIT;
	ASSERT_EQ(0, secret_init(&self->secret, 100));
}
FIXTURE_TEARDOWN(secret) { secret_deinit(&self->secret); }

/* The value of @key in the smaps entry of the mapping that holds @p; "" if there is none. */
static void smaps_value(const void *p, const char *key, char *out, size_t size)
{
	_cleanup_(fclosep) FILE *f = fopen("/proc/self/smaps", "re");
	uintptr_t from, to, at = (uintptr_t)p;
	bool inside = false;
	char line[512];

	ASSERT_NOT_NULL(f);
	out[0] = '\0';
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = at >= from && at < to;
		else if (inside && strncmp(line, key, strlen(key)) == 0)
			(void)snprintf(out, size, "%s", line + strlen(key));
	}
}

static long smaps_kb(const void *p, const char *key)
{
	char value[512];

	smaps_value(p, key, value, sizeof(value));
	return strtol(value, NULL, 10);
}

static bool has_flag(const void *p, const char *flag)
{
	char flags[512];

	smaps_value(p, "VmFlags:", flags, sizeof(flags));
	if (flags[0] == '\0')
		SKIP("this kernel has no VmFlags in /proc/self/smaps");
	return strstr(flags, flag) != NULL;
}

/* Any byte other than zero in the @n bytes at @p, as the kernel sees them. */
static bool memory_is_zero(const void *p, size_t n)
{
	_cleanup_(fd_closep) int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	uint8_t seen[4096];

	ASSERT_GE(fd, 0);
	ASSERT_LE(n, sizeof(seen));
	ASSERT_EQ(n, pread(fd, seen, n, (off_t)(uintptr_t)p));
	return bytes_are_zero(BYTES(seen, n));
}

static void need_real_mlock(void)
{
#ifdef KF_SAN
	SKIP("AddressSanitizer replaces mlock() by one that does nothing");
#endif
}

TEST_F(secret, pages_are_locked)
{
	need_real_mlock();
	EXPECT_TRUE(has_flag(self->secret.p, " lo"));
	EXPECT_GE(smaps_kb(self->secret.p, "Locked:"), 4);
}

TEST_F(secret, pages_stay_out_of_core_dumps)
{
	EXPECT_TRUE(has_flag(self->secret.p, " dd"));
}

TEST_F(secret, pages_are_marked_to_be_wiped_on_fork)
{
	EXPECT_TRUE(has_flag(self->secret.p, " wf"));
}

TEST(an_ordinary_page_has_none_of_these_flags)
{
	uint8_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, (void *)page);
	page[0] = 1;
	EXPECT_FALSE(has_flag(page, " lo"));
	EXPECT_FALSE(has_flag(page, " dd"));
	EXPECT_FALSE(has_flag(page, " wf"));
}

TEST_F(secret, a_forked_child_finds_zeros)
{
	int status;
	pid_t pid;

	ASSERT_EQ(0, secret_set(&self->secret, PIN));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (pid == 0)
		_exit(memory_is_zero(self->secret.p, 100) ? 0 : 1);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_BYTES_EQ(PIN, secret_bytes(&self->secret));
}

/* @step in a child; whatever it touches there must end it by SIGSEGV. */
static void expect_fault(const struct secret *s, size_t at, bool before)
{
	int status;
	pid_t pid = fork();

	ASSERT_GE(pid, 0);
	if (pid == 0) {
		(void)signal(SIGSEGV, SIG_DFL);	/* a sanitizer would turn it into an exit */
		volatile uint8_t *p = before ? s->p - at : s->p + at;
		_exit(*p);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

TEST_F(secret, the_pages_on_both_sides_may_not_be_touched)
{
	expect_fault(&self->secret, 1, true);
	expect_fault(&self->secret, self->secret.locked, false);
}

TEST_F(secret, setting_a_shorter_one_wipes_the_tail)
{
	ASSERT_EQ(0, secret_set(&self->secret, PIN));
	EXPECT_FALSE(memory_is_zero(self->secret.p + 4, 17));
	ASSERT_EQ(0, secret_set(&self->secret, BYTES("1234", 4)));
	EXPECT_TRUE(memory_is_zero(self->secret.p + 4, 96));
	EXPECT_BYTES_EQ(BYTES("1234", 4), secret_bytes(&self->secret));
}

TEST_F(secret, may_be_set_to_a_part_of_itself)
{
	ASSERT_EQ(0, secret_set(&self->secret, PIN));
	ASSERT_EQ(0, secret_set(&self->secret, bytes_slice(secret_bytes(&self->secret), 3, 18)));
	EXPECT_BYTES_EQ(bytes_slice(PIN, 3, 18), secret_bytes(&self->secret));
	EXPECT_TRUE(memory_is_zero(self->secret.p + 18, 82));
}

TEST_F(secret, cutting_it_wipes_what_is_cut)
{
	ASSERT_EQ(0, secret_set(&self->secret, PIN));
	ASSERT_EQ(0, secret_resize(&self->secret, 7));
	EXPECT_TRUE(memory_is_zero(self->secret.p + 7, 93));
	ASSERT_EQ(0, secret_resize(&self->secret, 21));
	EXPECT_BYTES_EQ(BYTES("correct\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 21),
			secret_bytes(&self->secret));
}

TEST_F(secret, clearing_it_wipes_all_of_it)
{
	memset(self->secret.p, 0x5a, 100);
	secret_clear(&self->secret);
	EXPECT_TRUE(memory_is_zero(self->secret.p, 100));
	EXPECT_EQ(0, secret_bytes(&self->secret).n);
}

TEST_F(secret, what_does_not_fit_is_refused_and_changes_nothing)
{
	static const uint8_t big[101];

	ASSERT_EQ(0, secret_set(&self->secret, PIN));
	EXPECT_EQ(-EMSGSIZE, secret_set(&self->secret, BYTES_OF(big)));
	EXPECT_EQ(-EMSGSIZE, secret_resize(&self->secret, 101));
	EXPECT_BYTES_EQ(PIN, secret_bytes(&self->secret));
	EXPECT_EQ(0, secret_set(&self->secret, BYTES(big, 100)));
}

/*
 * The pages of a file stand in for the anonymous ones, so that a second mapping still shows them
 * when deinit has taken its own away. deinit cannot tell the difference.
 */
TEST_F(secret, deinit_wipes_before_it_gives_back)
{
	int fd = memfd_create("secret", MFD_CLOEXEC);
	uint8_t *other;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, ftruncate(fd, (off_t)self->secret.locked));
	ASSERT_EQ((void *)self->secret.p, mmap(self->secret.p, self->secret.locked,
					       PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0));
	other = mmap(NULL, self->secret.locked, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)other);

	memset(self->secret.p, 0x5a, self->secret.locked);
	ASSERT_EQ(0, secret_set(&self->secret, PIN));
	EXPECT_BYTES_EQ(PIN, BYTES(other, PIN.n));
	secret_deinit(&self->secret);
	EXPECT_TRUE(bytes_are_zero(BYTES(other, 4096)));
	EXPECT_NULL(self->secret.p);
}

static bool is_mapped(const void *p)
{
	unsigned char in_core;

	return mincore((void *)((uintptr_t)p & ~(uintptr_t)4095), 1, &in_core) == 0;
}

TEST_F(secret, deinit_gives_back_the_pages_and_both_neighbours)
{
	const uint8_t *p = self->secret.p;
	size_t page = secret_page();

	ASSERT_TRUE(is_mapped(p));
	secret_deinit(&self->secret);
	EXPECT_FALSE(is_mapped(p));
	EXPECT_FALSE(is_mapped(p - page));
	EXPECT_FALSE(is_mapped(p + page));
	secret_deinit(&self->secret);	/* twice is fine */
}

TEST_F(secret, a_taken_one_belongs_to_the_taker)
{
	struct secret mine;

	ASSERT_EQ(0, secret_set(&self->secret, PIN));
	mine = secret_take(&self->secret);
	EXPECT_NULL(self->secret.p);
	EXPECT_BYTES_EQ(PIN, secret_bytes(&mine));
	secret_deinit(&mine);
}

TEST_F(secret, equality_sees_every_byte_and_the_length)
{
	_cleanup_(secret_deinit) struct secret other = SECRET_INIT;

	ASSERT_EQ(0, secret_init(&other, 100));
	EXPECT_TRUE(secret_equal(&self->secret, &other));
	ASSERT_EQ(0, secret_set(&self->secret, PIN));
	EXPECT_FALSE(secret_equal(&self->secret, &other));
	for (size_t i = 0; i < PIN.n; i++) {
		ASSERT_EQ(0, secret_set(&other, PIN));
		EXPECT_TRUE(secret_equal(&self->secret, &other));
		other.p[i] ^= 0x01;
		EXPECT_FALSE(secret_equal(&self->secret, &other));
	}
}

TEST(an_impossible_size_is_refused)
{
	struct secret s = SECRET_INIT;

	EXPECT_EQ(-EINVAL, secret_init(&s, 0));
	EXPECT_EQ(-EINVAL, secret_init(&s, SECRET_MAX + 1));
	EXPECT_EQ(-EINVAL, secret_init(&s, SIZE_MAX));
	EXPECT_NULL(s.p);
}

/* The limit binds who has no CAP_IPC_LOCK. */
static void become_nobody(void)
{
	if (geteuid() == 0)
		ASSERT_EQ(0, setresuid(65534, 65534, 65534));
}

TEST(pages_that_cannot_be_locked_are_refused_and_given_back)
{
	struct secret s = SECRET_INIT;
	int r;

	need_real_mlock();
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ 0, 0 }));
	become_nobody();
	r = secret_init(&s, 100);
	EXPECT_TRUE(r == -ENOMEM || r == -EPERM || r == -EAGAIN);
	EXPECT_NULL(s.p);
}

TEST(an_uninitialised_one_is_empty_and_may_be_cleared)
{
	_cleanup_(secret_deinit) struct secret s = SECRET_INIT;

	EXPECT_EQ(0, secret_bytes(&s).n);
	EXPECT_EQ(0, secret_set(&s, BYTES_NONE));
	EXPECT_EQ(-EMSGSIZE, secret_set(&s, PIN));
	secret_clear(&s);
}
