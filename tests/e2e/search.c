/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tests/e2e/search.c - /proc and strace. */
#include "tests/e2e/search.h"

#include "base/cleanup.h"
#include "format/der.h"
#include "format/keys.h"
#include "format/ossl.h"

#include <fcntl.h>
#include <openssl/core_names.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void add_number(struct needles *needles, EVP_PKEY *key, const char *param)
{
	_cleanup_(BN_clear_freep) BIGNUM *bn = NULL;
	uint8_t bytes[512];

	ASSERT_EQ(1, EVP_PKEY_get_bn_param(key, param, &bn));
	needles_add(needles, param, BYTES(bytes, (size_t)BN_bn2bin(bn, bytes)));
}

/* The DER without the parts that the public key has too. */
static void add_der(struct needles *needles, EVP_PKEY *key, bool rsa)
{
	_cleanup_(secret_deinit) struct secret plain = SECRET_INIT;
	struct unpacker whole, u;

	ASSERT_EQ(0, secret_init(&plain, KEY_PLAIN_MAX));
	ASSERT_EQ(0, key_plain_encode(key, &plain));
	if (!rsa) {
		needles_add(needles, "DER", BYTES(plain.p, 32));
		return;
	}
	whole = unpack_begin(secret_bytes(&plain));
	u = der_enter(&whole, DER_SEQUENCE);
	(void)der_uint(&u, 0);
	(void)der_big(&u);
	(void)der_big(&u);
	needles_add(needles, "DER", unpack_rest(&u));
}

void needles_add_pair(struct needles *needles, EVP_PKEY *key)
{
	static const char *const secrets[] = {
		OSSL_PKEY_PARAM_RSA_D,	       OSSL_PKEY_PARAM_RSA_FACTOR1,
		OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
		OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
	};
	bool rsa = EVP_PKEY_is_a(key, "RSA") == 1;

	for (size_t i = 0; rsa && i < sizeof(secrets) / sizeof(secrets[0]); i++)
		add_number(needles, key, secrets[i]);
	if (!rsa)
		add_number(needles, key, OSSL_PKEY_PARAM_PRIV_KEY);
	add_der(needles, key, rsa);
}

static void judge_process(const char *found, int error, pid_t pid, const char *who, int boundary)
{
	if (error != 0)
		TEST_FAIL("%s: cannot be searched: %s", who, strerror(-error));
	if (found)
		TEST_FAIL("%s has %s in memory at boundary %d", who, found, boundary);
	if (process_has_memfd_secret(pid))
		TEST_FAIL("%s owns a memfd_secret mapping: the search is blind there", who);
}

void expect_clean(const struct needles *needles, pid_t pid, const char *who, int boundary)
{
	int error = 0;
	const char *found = needles_find_in_process(needles, pid, &error);

	judge_process(found, error, pid, who, boundary);
}

void expect_clean_unless_over(const struct needles *needles, pid_t pid, const char *who, int boundary)
{
	int error = 0;
	const char *found = needles_find_in_process(needles, pid, &error);

	/* Reaped by its parent, or waiting for that: it has nothing any more. */
	if (error == -ESRCH || (error != 0 && kill(pid, 0) < 0 && errno == ESRCH))
		return;
	judge_process(found, error, pid, who, boundary);
}

void expect_clean_files(const struct needles *needles, const struct rig *rig, const char *const *names)
{
	for (; *names; names++) {
		char path[64];
		const char *found;

		(void)snprintf(path, sizeof(path), "mail/%s", *names);
		EXPECT_EQ(0, access(rig_path(rig, path), F_OK));
		found = needles_find_in_file(needles, rig_path(rig, path));
		if (found)
			TEST_FAIL("%s has %s", *names, found);
	}
}

bool process_has(const struct needles *needles, pid_t pid)
{
	int error = 0;

	return needles_find_in_process(needles, pid, &error) != NULL;
}

bool process_is_stopped(pid_t pid)
{
	char path[64], text[256] = "";
	_cleanup_(fd_closep) int fd = -1;
	const char *after;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return false;
	after = strrchr(text, ')');
	return after && after[1] == ' ' && after[2] == 'T';
}

pid_t child_named(pid_t pid, const char *comm)
{
	char path[64], name[32];
	_cleanup_(fclosep) FILE *children = NULL;
	int child;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	children = fopen(path, "re");
	while (children && fscanf(children, "%d", &child) == 1) {
		_cleanup_(fclosep) FILE *f = NULL;

		(void)snprintf(path, sizeof(path), "/proc/%d/comm", child);
		f = fopen(path, "re");
		if (f && fgets(name, sizeof(name), f) && strncmp(name, comm, strlen(comm)) == 0)
			return (pid_t)child;
	}
	return 0;
}

void search_script(const struct rig *rig, const char *name, const char *format, ...)
{
	const char *path = rig_path(rig, name);
	FILE *f = fopen(path, "we");
	va_list ap;

	ASSERT_TRUE(f != NULL);
	(void)fputs("#!/bin/sh\n", f);
	va_start(ap, format);
	(void)vfprintf(f, format, ap);
	va_end(ap);
	(void)fputc('\n', f);
	ASSERT_EQ(0, fclose(f));
	ASSERT_EQ(0, chmod(path, 0755));
}

void search_trace_client(const struct rig *rig)
{
	search_script(rig, "bin/traced",
		      "exec strace -f -qq -xx -s 100000 -o mail/client.strace bin/keyferry \"$@\"");
}

/* Keeps every system call of @pid in DIR/mail/@file.strace from now on. */
static void trace(const struct rig *rig, pid_t pid, const char *file)
{
	ASSERT_EQ(0, rig_shell("strace -f -qq -xx -s 100000 -o '%s/mail/%s.strace' -p %d 2>/dev/null &",
			       rig->dir, file, (int)pid));
}

/* The reader, which stops, and a program that ends, if there is one. */
struct wait_for {
	pid_t reader, program;
	int status;
	bool done;
};

static bool stopped_or_done(void *data)
{
	struct wait_for *w = data;

	if (process_is_stopped(w->reader))
		return true;
	w->status = w->program > 0 ? rig_reap(w->program, 0) : -ETIMEDOUT;
	w->done = w->status != -ETIMEDOUT;
	return w->done;
}

static void misbehave(struct rig *rig, const char *how)
{
	size_t n = 0;

	while (rig->reader_args[n])
		n++;
	ASSERT_LT(n, sizeof(rig->reader_args) / sizeof(rig->reader_args[0]) - 2);
	rig->reader_args[n] = "--misbehave";
	rig->reader_args[n + 1] = how;
}

void search_begin(struct search *s)
{
	struct wait_for w = { 0 };

	misbehave(s->rig, "stop-each");
	rig_start_reader(s->rig);
	rig_start_service(s->rig);
	w.reader = s->rig->reader;
	ASSERT_TRUE(rig_until(stopped_or_done, &w, 20000));
	s->broker = rig_pid_of(s->rig, "keyferry-broker");
	s->driver = rig_pid_of(s->rig, s->driver_name ? s->driver_name : "keyferry-driver");
	ASSERT_GT(s->broker, 0);
	ASSERT_GT(s->driver, 0);
	trace(s->rig, s->rig->service, "monitor");
	trace(s->rig, s->broker, "broker");
	trace(s->rig, s->driver, "driver");
	(void)usleep(300000);
}

/* As a control it is about the driver alone: the others have been looked at with an honest one. */
static void search_all(struct search *s, pid_t client)
{
	s->clients += client > 0;
	if (s->leaked) {
		s->leaks += process_has(s->leaked, s->driver);
		return;
	}
	if (client > 0)
		expect_clean_unless_over(s->needles, client, "client", s->boundaries);
	expect_clean(s->needles, s->rig->service, "monitor", s->boundaries);
	expect_clean(s->needles, s->broker, "broker", s->boundaries);
	expect_clean(s->needles, s->driver, "driver", s->boundaries);
}

void search_run(struct search *s, pid_t program)
{
	struct wait_for w = { .reader = s->rig->reader, .program = program };

	for (;;) {
		ASSERT_TRUE(rig_until(stopped_or_done, &w, 60000));
		if (w.done)
			break;
		search_all(s, child_named(program, "keyferry"));
		s->boundaries++;
		(void)kill(w.reader, SIGCONT);
	}
	s->status = w.status;
	TEST_LOG("%d boundaries searched", s->boundaries);
}

void search_end(struct search *s)
{
	search_all(s, 0);
}

int search_let_run(const struct rig *rig, pid_t program)
{
	struct wait_for w = { .reader = rig->reader, .program = program };

	for (;;) {
		ASSERT_TRUE(rig_until(stopped_or_done, &w, 60000));
		if (w.done)
			return w.status;
		(void)kill(w.reader, SIGCONT);
	}
}
