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
#include <stdio.h>
#include <stdlib.h>
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

void trace_process(const struct rig *rig, pid_t pid, const char *file)
{
	ASSERT_EQ(0, rig_shell("strace -f -qq -xx -s 100000 -o '%s/mail/%s.strace' -p %d 2>/dev/null &",
			       rig->dir, file, (int)pid));
}
