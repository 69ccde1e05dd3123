/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Faces vreader/state/store.c. Its promise is about what is left after a crash, so two tests cut it
 * everywhere: one replays every prefix of the recorded disk operations on a model of a disk that
 * forgets what was not synced, the other kills a writing process at every system call it makes.
 */
#include "vreader/state/store.h"

#include "tests/harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const uint8_t blob_a[] = "the old state, which is short";
static uint8_t blob_b[5000];

/* --- a place to write --- */

struct place {
	char dir[64];
};

static void place_make(struct place *place)
{
	(void)snprintf(place->dir, sizeof(place->dir), "/tmp/kf-store-XXXXXX");
	ASSERT_NOT_NULL(mkdtemp(place->dir));
	for (size_t i = 0; i < sizeof(blob_b); i++)
		blob_b[i] = (uint8_t)(i * 7);
}

static void place_file(const struct place *place, const char *name, char path[static 128])
{
	(void)snprintf(path, 128, "%s/%s", place->dir, name);
}

static void place_remove(const struct place *place)
{
	static const char *const names[] = { "state", "state.new", "lock", "card.pem",
					     "card.pem.new" };
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		place_file(place, names[i], path);
		(void)unlink(path);
	}
	(void)rmdir(place->dir);
}

static void place_write(const struct place *place, const char *name, struct bytes content)
{
	_cleanup_(fd_closep) int fd = -1;
	char path[128];

	place_file(place, name, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ASSERT_GE(fd, 0);
	ASSERT_EQ((ssize_t)content.n, write(fd, content.p, content.n));
}

static int commit_once(const char *dir, const struct store_sys *sys, struct bytes blob)
{
	_cleanup_(store_freep) struct store *store = NULL;
	int r = store_open(dir, STORE_CREATE, sys, &store);

	return r < 0 ? r : store_commit(store, blob);
}

static int load_once(const char *dir, struct secret *out)
{
	_cleanup_(store_freep) struct store *store = NULL;
	int r = store_open(dir, STORE_EXISTING, NULL, &store);

	return r < 0 ? r : store_load(store, out);
}

/* Which of the two blobs the directory holds: 'a', 'b', '0' nothing, '!' something else. */
static char which(const char *dir)
{
	_cleanup_(secret_deinit) struct secret got = SECRET_INIT;
	int r = load_once(dir, &got);

	if (r == -ENOENT)
		return '0';
	if (r < 0)
		return '!';
	if (bytes_equal(secret_bytes(&got), BYTES_OF(blob_a)))
		return 'a';
	return bytes_equal(secret_bytes(&got), BYTES_OF(blob_b)) ? 'b' : '!';
}

FIXTURE(store) { struct place place; };
FIXTURE_SETUP(store) { place_make(&self->place); }
FIXTURE_TEARDOWN(store) { place_remove(&self->place); }

/* --- the ordinary life --- */

TEST_F(store, what_was_committed_is_loaded)
{
	EXPECT_EQ(0, commit_once(self->place.dir, NULL, BYTES_OF(blob_a)));
	EXPECT_EQ('a', which(self->place.dir));
	EXPECT_EQ(0, commit_once(self->place.dir, NULL, BYTES_OF(blob_b)));
	EXPECT_EQ('b', which(self->place.dir));
}

TEST_F(store, an_empty_and_the_longest_blob_are_kept_and_a_longer_one_refused)
{
	_cleanup_(freep) uint8_t *big = calloc(1, STORE_BLOB_MAX + 1);
	_cleanup_(secret_deinit) struct secret none = SECRET_INIT;
	_cleanup_(secret_deinit) struct secret all = SECRET_INIT;

	EXPECT_EQ(0, commit_once(self->place.dir, NULL, BYTES_NONE));
	ASSERT_EQ(0, load_once(self->place.dir, &none));
	EXPECT_EQ(0u, none.n);
	EXPECT_EQ(0, commit_once(self->place.dir, NULL, BYTES(big, STORE_BLOB_MAX)));
	EXPECT_EQ(-EMSGSIZE, commit_once(self->place.dir, NULL, BYTES(big, STORE_BLOB_MAX + 1)));
	ASSERT_EQ(0, load_once(self->place.dir, &all));
	EXPECT_EQ((size_t)STORE_BLOB_MAX, all.n);
}

TEST_F(store, a_blank_directory_has_no_state)
{
	EXPECT_EQ('0', which(self->place.dir));
}

TEST_F(store, a_missing_directory_is_made_private_only_when_asked)
{
	struct store *store = NULL;
	struct stat st;
	char path[128];

	place_file(&self->place, "card", path);
	EXPECT_EQ(-ENOENT, store_open(path, STORE_EXISTING, NULL, &store));
	ASSERT_EQ(0, store_open(path, STORE_CREATE, NULL, &store));
	store = store_free(store);
	ASSERT_EQ(0, stat(path, &st));
	EXPECT_EQ((mode_t)0700, st.st_mode & 0777);
	(void)unlinkat(AT_FDCWD, strcat(path, "/lock"), 0);
	place_file(&self->place, "card", path);
	EXPECT_EQ(0, rmdir(path));
}

TEST_F(store, a_second_holder_is_told_that_it_is_busy)
{
	struct store *first = NULL, *second = NULL;

	ASSERT_EQ(0, store_open(self->place.dir, STORE_EXISTING, NULL, &first));
	EXPECT_EQ(-EBUSY, store_open(self->place.dir, STORE_EXISTING, NULL, &second));
	first = store_free(first);
	EXPECT_EQ(0, store_open(self->place.dir, STORE_EXISTING, NULL, &second));
	second = store_free(second);
}

TEST_F(store, a_directory_or_state_open_to_others_is_refused)
{
	struct store *store = NULL;
	char path[128];

	ASSERT_EQ(0, commit_once(self->place.dir, NULL, BYTES_OF(blob_a)));
	ASSERT_EQ(0, chmod(self->place.dir, 0750));
	EXPECT_EQ(-EACCES, store_open(self->place.dir, STORE_EXISTING, NULL, &store));
	ASSERT_EQ(0, chmod(self->place.dir, 0700));
	place_file(&self->place, "state", path);
	ASSERT_EQ(0, chmod(path, 0640));
	EXPECT_EQ('!', which(self->place.dir));
}

TEST_F(store, a_symbolic_link_is_not_followed)
{
	struct store *store = NULL;
	char path[128];

	place_file(&self->place, "state", path);
	ASSERT_EQ(0, symlink("/etc/hostname", path));
	EXPECT_EQ('!', which(self->place.dir));
	ASSERT_EQ(0, unlink(path));
	place_file(&self->place, "card.pem", path);
	ASSERT_EQ(0, symlink(self->place.dir, path));
	EXPECT_EQ(-ENOTDIR, store_open(path, STORE_EXISTING, NULL, &store));
}

TEST_F(store, every_truncation_and_every_changed_byte_is_noticed)
{
	uint8_t file[256];
	ssize_t n;
	char path[128];
	int fd;

	ASSERT_EQ(0, commit_once(self->place.dir, NULL, BYTES_OF(blob_a)));
	place_file(&self->place, "state", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, file, sizeof(file));
	fd_close(fd);
	ASSERT_GT(n, 40);
	for (ssize_t len = 0; len < n; len++) {
		place_write(&self->place, "state", BYTES(file, len));
		ASSERT_EQ('!', which(self->place.dir));
	}
	for (ssize_t i = 0; i < n; i++) {
		file[i] ^= 0x01;
		place_write(&self->place, "state", BYTES(file, n));
		ASSERT_EQ('!', which(self->place.dir));
		file[i] ^= 0x01;
	}
	place_write(&self->place, "state", BYTES(file, n));
	EXPECT_EQ('a', which(self->place.dir));
}

TEST_F(store, a_newer_version_is_told_from_damage)
{
	_cleanup_(secret_deinit) struct secret got = SECRET_INIT;
	uint8_t file[16 + 32] = "KFSTATE";

	file[11] = STORE_VERSION + 1;
	place_write(&self->place, "state", BYTES_OF(file));
	EXPECT_EQ(-EPROTONOSUPPORT, load_once(self->place.dir, &got));
}

TEST_F(store, files_for_people_are_put_and_the_stores_own_names_refused)
{
	struct store *store = NULL;
	char path[128], got[8] = "";
	int fd;

	ASSERT_EQ(0, store_open(self->place.dir, STORE_EXISTING, NULL, &store));
	EXPECT_EQ(0, store_put_file(store, "card.pem", BYTES("pem", 3), 0644));
	EXPECT_EQ(-EINVAL, store_put_file(store, "state", BYTES("x", 1), 0644));
	EXPECT_EQ(-EINVAL, store_put_file(store, "state.new", BYTES("x", 1), 0644));
	EXPECT_EQ(-EINVAL, store_put_file(store, "lock", BYTES("x", 1), 0644));
	EXPECT_EQ(-EINVAL, store_put_file(store, "../card.pem", BYTES("x", 1), 0644));
	EXPECT_EQ(-EINVAL, store_put_file(store, "", BYTES("x", 1), 0644));
	place_file(&self->place, "card.pem", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	EXPECT_EQ(3, read(fd, got, sizeof(got)));
	EXPECT_STREQ("pem", got);
	fd_close(fd);
	store = store_free(store);
}

TEST_F(store, what_a_killed_process_left_half_done_is_in_nobodys_way)
{
	struct store *store = NULL;

	place_write(&self->place, "state.new", BYTES("half", 4));
	place_write(&self->place, "card.pem.new", BYTES("half", 4));
	ASSERT_EQ(0, store_open(self->place.dir, STORE_EXISTING, NULL, &store));
	EXPECT_EQ(0, store_put_file(store, "card.pem", BYTES("pem", 3), 0644));
	place_write(&self->place, "state.new", BYTES("half", 4));
	EXPECT_EQ(0, store_commit(store, BYTES_OF(blob_a)));
	store = store_free(store);
	EXPECT_EQ('a', which(self->place.dir));
}

/* --- failing calls --- */

static int fail_in, fail_with;

static bool fails(void)
{
	if (fail_in == 0 || --fail_in != 0)
		return false;
	errno = fail_with;
	return true;
}

static int failing_openat(int d, const char *n, int f, mode_t m)
{
	return fails() ? -1 : openat(d, n, f, m);
}

/* Short writes all the way: the loop has to carry on. */
static ssize_t failing_write(int fd, const void *p, size_t n)
{
	return fails() ? -1 : write(fd, p, n > 1000 ? 1000 : n);
}

static int failing_fsync(int fd)
{
	return fails() ? -1 : fsync(fd);
}

static int failing_renameat(int a, const char *from, int b, const char *to)
{
	return fails() ? -1 : renameat(a, from, b, to);
}

static const struct store_sys failing_sys = {
	failing_openat, failing_write, failing_fsync, failing_renameat, unlinkat,
};

TEST_F(store, a_full_disk_leaves_the_old_state_and_a_working_store)
{
	struct store *store = NULL;

	ASSERT_EQ(0, store_open(self->place.dir, STORE_EXISTING, &failing_sys, &store));
	ASSERT_EQ(0, store_commit(store, BYTES_OF(blob_a)));
	for (int k = 1; k <= 8; k++) {		/* open, six writes, fsync */
		fail_in = k;
		fail_with = ENOSPC;
		EXPECT_EQ(-ENOSPC, store_commit(store, BYTES_OF(blob_b)));
	}
	fail_in = 0;
	EXPECT_EQ(0, store_commit(store, BYTES_OF(blob_b)));
	store = store_free(store);
	EXPECT_EQ('b', which(self->place.dir));
}

TEST_F(store, a_failed_rename_or_directory_sync_ends_the_stores_use)
{
	for (int k = 9; k <= 10; k++) {
		struct store *store = NULL;

		fail_in = 0;
		ASSERT_EQ(0, store_open(self->place.dir, STORE_EXISTING, &failing_sys, &store));
		ASSERT_EQ(0, store_commit(store, BYTES_OF(blob_a)));
		fail_in = k;
		fail_with = EDQUOT;
		EXPECT_EQ(-EIO, store_commit(store, BYTES_OF(blob_b)));
		fail_in = 0;
		EXPECT_EQ(-EIO, store_commit(store, BYTES_OF(blob_b)));
		store = store_free(store);
		EXPECT_EQ(k == 9 ? 'a' : 'b', which(self->place.dir));
	}
}

/* --- a disk that forgets --- */

/*
 * The model: a file's contents reach the disk by its fsync, and until then may be there in any
 * part; a directory entry reaches it by the directory's fsync, and until then any subset of the
 * pending entry changes may be there. Only one file name at a time is open, so an inode is a number.
 */
enum op_kind { OP_CREATE, OP_WRITE, OP_FSYNC, OP_FSYNC_DIR, OP_RENAME, OP_UNLINK };

struct op {
	enum op_kind kind;
	int inode;
	char name[16], to[16];
	uint8_t data[6000];
	size_t n;
};

enum { OPS_MAX = 64, INODES_MAX = 8, NAMES = 2 };

static struct op ops[OPS_MAX];
static size_t n_ops;
static int n_inodes, open_fd = -1;
static bool skip_fsync;

static struct op *op_add(enum op_kind kind)
{
	ASSERT_LT(n_ops, (size_t)OPS_MAX);
	ops[n_ops] = (struct op){ .kind = kind, .inode = n_inodes - 1 };
	return &ops[n_ops++];
}

static int recording_openat(int d, const char *name, int flags, mode_t mode)
{
	int fd = openat(d, name, flags, mode);

	if (fd < 0)
		return fd;
	n_inodes++;
	open_fd = fd;
	(void)snprintf(op_add(OP_CREATE)->name, 16, "%s", name);
	return fd;
}

static ssize_t recording_write(int fd, const void *p, size_t n)
{
	ssize_t done = write(fd, p, n > 2000 ? 2000 : n);
	struct op *op = op_add(OP_WRITE);

	ASSERT_GE(done, 0);
	op->n = (size_t)done;
	memcpy(op->data, p, op->n);
	return done;
}

/* The sabotage of the control test: the store believes that it synced. */
static int recording_fsync(int fd)
{
	bool is_file = fd == open_fd;

	if (is_file && skip_fsync)
		return 0;
	(void)op_add(is_file ? OP_FSYNC : OP_FSYNC_DIR);
	return fsync(fd);
}

static int recording_renameat(int a, const char *from, int b, const char *to)
{
	struct op *op = op_add(OP_RENAME);

	(void)snprintf(op->name, 16, "%s", from);
	(void)snprintf(op->to, 16, "%s", to);
	return renameat(a, from, b, to);
}

static int recording_unlinkat(int d, const char *name, int flags)
{
	int r = unlinkat(d, name, flags);

	if (r == 0)
		(void)snprintf(op_add(OP_UNLINK)->name, 16, "%s", name);
	return r;
}

static const struct store_sys recording_sys = {
	recording_openat, recording_write, recording_fsync, recording_renameat, recording_unlinkat,
};

struct disk {
	struct { uint8_t data[6000]; size_t n; } inode[INODES_MAX];
	int entry[NAMES];		/* inode of "state" and "state.new", -1 none */
};

static int name_index(const char *name)
{
	return strcmp(name, "state") == 0 ? 0 : 1;
}

static void disk_entry(struct disk *disk, const struct op *op)
{
	int at = name_index(op->name);

	if (op->kind == OP_CREATE) {
		disk->entry[at] = op->inode;
	} else if (op->kind == OP_UNLINK) {
		disk->entry[at] = -1;
	} else if (disk->entry[at] >= 0) {
		disk->entry[name_index(op->to)] = disk->entry[at];
		disk->entry[at] = -1;
	}
}

static void disk_write(struct disk *disk, const struct op *op)
{
	memcpy(disk->inode[op->inode].data + disk->inode[op->inode].n, op->data, op->n);
	disk->inode[op->inode].n += op->n;
}

static bool is_entry_op(const struct op *op)
{
	return op->kind == OP_CREATE || op->kind == OP_RENAME || op->kind == OP_UNLINK;
}

static bool synced_later(size_t i, size_t upto, enum op_kind sync)
{
	for (size_t k = i + 1; k < upto; k++)
		if (ops[k].kind == sync && (sync == OP_FSYNC_DIR || ops[k].inode == ops[i].inode))
			return true;
	return false;
}

/* What is left when the power goes after @upto operations; @lucky bits: unsynced ones that made it. */
static void disk_after(struct disk *disk, size_t upto, unsigned int lucky)
{
	unsigned int bit = 0;

	memset(disk, 0, sizeof(*disk));
	disk->entry[0] = disk->entry[1] = -1;
	for (size_t i = 0; i < upto; i++) {
		if (ops[i].kind == OP_WRITE &&
		    (synced_later(i, upto, OP_FSYNC) || (lucky >> (bit++ % 16) & 1)))
			disk_write(disk, &ops[i]);
		if (is_entry_op(&ops[i]) &&
		    (synced_later(i, upto, OP_FSYNC_DIR) || (lucky >> (bit++ % 16) & 1)))
			disk_entry(disk, &ops[i]);
	}
}

static char disk_judge(const struct place *place, const struct disk *disk)
{
	static const char *const names[NAMES] = { "state", "state.new" };

	place_remove(place);
	ASSERT_EQ(0, mkdir(place->dir, 0700));
	for (int i = 0; i < NAMES; i++)
		if (disk->entry[i] >= 0)
			place_write(place, names[i], BYTES(disk->inode[disk->entry[i]].data,
							   disk->inode[disk->entry[i]].n));
	return which(place->dir);
}

/* Commits a, then b, and returns after how many operations each commit had returned. */
static void record(const struct place *place, size_t *after_a, size_t *after_b)
{
	struct store *store = NULL;

	n_ops = 0;
	n_inodes = 0;
	ASSERT_EQ(0, store_open(place->dir, STORE_EXISTING, &recording_sys, &store));
	ASSERT_EQ(0, store_commit(store, BYTES_OF(blob_a)));
	*after_a = n_ops;
	ASSERT_EQ(0, store_commit(store, BYTES_OF(blob_b)));
	*after_b = n_ops;
	store = store_free(store);
}

/* Every crash: how many leave neither what was promised nor what was being written. */
static unsigned int count_broken(const struct place *place)
{
	static struct disk disk;
	size_t after_a, after_b;
	unsigned int broken = 0;

	record(place, &after_a, &after_b);
	for (size_t upto = 0; upto <= n_ops; upto++) {
		for (unsigned int lucky = 0; lucky < 128; lucky++) {
			char got;

			disk_after(&disk, upto, lucky);
			got = disk_judge(place, &disk);
			if (upto >= after_b)
				broken += got != 'b';
			else if (upto >= after_a)
				broken += got != 'a' && got != 'b';
			else
				broken += got != '0' && got != 'a';
		}
	}
	return broken;
}

TEST_F_TIMEOUT(store, every_crash_with_unsynced_data_lost_leaves_old_or_new, 60)
{
	EXPECT_EQ(0u, count_broken(&self->place));
	EXPECT_GE(n_ops, (size_t)12);
}

TEST_F_TIMEOUT(store, the_crash_replay_catches_a_store_that_does_not_sync, 60)
{
	skip_fsync = true;
	EXPECT_GT(count_broken(&self->place), 0u);
}

/* --- killed at every system call --- */

static void write_traced(const char *dir)
{
	struct store *store = NULL;

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(3);
	(void)raise(SIGSTOP);
	if (store_open(dir, STORE_EXISTING, NULL, &store) < 0 ||
	    store_commit(store, BYTES_OF(blob_b)) < 0)
		_exit(2);
	_exit(0);
}

/*
 * Lets the writer run to its @stops-th stop at the entry or exit of a system call and kills it
 * there. Return: whether it lived so long.
 */
static bool kill_at(const char *dir, unsigned int stops)
{
	pid_t pid = fork();
	int status;

	ASSERT_GE(pid, 0);
	if (pid == 0)
		write_traced(dir);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 3)
		SKIP("ptrace is not allowed here");
	for (unsigned int i = 0; i < stops; i++) {
		(void)ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		if (WIFEXITED(status)) {
			EXPECT_EQ(0, WEXITSTATUS(status));
			return false;
		}
	}
	(void)kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	return true;
}

TEST_F_TIMEOUT(store, a_kill_at_every_system_call_leaves_old_or_new, 60)
{
	bool seen_old = false, seen_new = false;
	unsigned int stops = 1;

	for (bool lived = true; lived; stops++) {
		char got;

		ASSERT_EQ(0, commit_once(self->place.dir, NULL, BYTES_OF(blob_a)));
		lived = kill_at(self->place.dir, stops);
		got = which(self->place.dir);
		EXPECT_TRUE(got == 'a' || got == 'b');
		seen_old |= got == 'a';
		seen_new |= got == 'b';
	}
	EXPECT_GT(stops, 20u);
	EXPECT_TRUE(seen_old);
	EXPECT_TRUE(seen_new);
}
